//! Every text that a server of tools can say, and every text that a client can say to one, has been read: a credential that is put in the place
//! of each of them, one after the other, never comes out on the other side.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::Full;
use portcullis_proxy::{Asks, McpServer, Reach, Settings};
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Maker, Plan, Script};

/// A credential that nobody ever had, and a part of it that stands nowhere else.
fn credential() -> String {
    format!("AKIA{}", "Q3EGRIFCW7DHLT5K")
}

const SEEN: &str = "Q3EGRIFCW7DHLT5K";

/// What a server answers, by method: everything that the protocol has a place for.
fn answers() -> Vec<(&'static str, Value, Value)> {
    let block = json!({"type": "text", "text": "t", "annotations": {"audience": ["user"], "priority": 0.5, "lastModified": "2026-01-01T00:00:00Z"}, "_meta": {"k": "v"}});
    let blocks = json!([block,
        {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png"}, {"type": "audio", "data": "aGVsbG8=", "mimeType": "audio/wav"},
        {"type": "resource_link", "uri": "file:///a", "name": "n", "title": "t", "description": "d", "mimeType": "text/plain",
         "icons": [{"src": "https://icons.example/i.png", "mimeType": "image/png", "sizes": ["48x48"]}]},
        {"type": "resource", "resource": {"uri": "file:///b", "mimeType": "text/plain", "text": "inner", "_meta": {"k": "v"}}},
        {"type": "resource", "resource": {"uri": "file:///c", "mimeType": "application/octet-stream", "blob": "aGVsbG8="}}]);
    let tool = json!({"name": "read_mails", "title": "T", "description": "Reads.", "inputSchema": {"type": "object", "title": "S",
            "properties": {"folder": {"type": "string", "description": "which", "enum": ["a", "b"], "default": "a"}}, "required": ["folder"]},
        "outputSchema": {"type": "object", "properties": {"x": {"type": "string", "description": "out"}}},
        "annotations": {"title": "A", "readOnlyHint": true}, "icons": [{"src": "https://icons.example/i.png"}], "_meta": {"k": "v"}});
    let prompt = json!({"name": "greet", "title": "T", "description": "D", "arguments": [{"name": "a", "title": "T", "description": "D", "required": false}], "_meta": {"k": "v"}});
    let resource = json!({"uri": "file:///a", "name": "n", "title": "t", "description": "d", "mimeType": "text/plain", "size": 3, "annotations": {"audience": ["assistant"]}, "_meta": {"k": "v"}});
    vec![
        (
            "tools/list",
            json!({}),
            json!({"tools": [tool], "nextCursor": "c", "_meta": {"k": "v"}}),
        ),
        (
            "tools/call",
            json!({"name": "read_mails", "arguments": {"folder": "a"}}),
            json!({"content": blocks, "structuredContent": {"deep": [{"key": "leaf"}], "n": 1}, "isError": false, "_meta": {"k": "v"}}),
        ),
        (
            "prompts/list",
            json!({}),
            json!({"prompts": [prompt], "nextCursor": "c"}),
        ),
        (
            "prompts/get",
            json!({"name": "greet", "arguments": {"a": "b"}}),
            json!({"description": "d", "messages": [{"role": "user", "content": {"type": "text", "text": "p"}},
                {"role": "assistant", "content": {"type": "resource", "resource": {"uri": "file:///b", "text": "inner"}}}], "_meta": {"k": "v"}}),
        ),
        (
            "resources/list",
            json!({}),
            json!({"resources": [resource], "nextCursor": "c"}),
        ),
        (
            "resources/templates/list",
            json!({}),
            json!({"resourceTemplates": [{"uriTemplate": "file:///{p}", "name": "n", "title": "t", "description": "d", "mimeType": "text/plain"}]}),
        ),
        (
            "resources/read",
            json!({"uri": "file:///a"}),
            json!({"contents": [{"uri": "file:///a", "mimeType": "text/plain", "text": "body"}, {"uri": "file:///b", "mimeType": "image/png", "blob": "aGVsbG8="}]}),
        ),
        (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "a", "value": "b"}, "context": {"arguments": {"c": "d"}}}),
            json!({"completion": {"values": ["v", "w"], "total": 2, "hasMore": false}}),
        ),
        ("resources/subscribe", json!({"uri": "file:///a"}), json!({})),
        ("logging/setLevel", json!({"level": "info"}), json!({})),
    ]
}

fn about() -> Value {
    json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": true}, "prompts": {}, "resources": {"subscribe": true}, "logging": {}, "completions": {},
            "experimental": {"x": {"k": "v"}}},
        "serverInfo": {"name": "peer", "title": "P", "version": "1", "description": "D", "websiteUrl": "https://peer.example", "icons": [{"src": "https://icons.example/i.png"}]},
        "instructions": "Be kind."})
}

/// The server: what it answers to each method, and what it was sent.
#[derive(Clone, Default)]
struct Peer {
    says: Arc<Mutex<Vec<(String, Value)>>>,
    sent: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    fn says(&self, method: &str, value: Value) {
        let mut all = self.says.lock().unwrap();
        all.retain(|(known, _)| known != method);
        all.push((method.to_owned(), value));
    }

    fn maker(&self) -> Script {
        let peer = self.clone();
        Script::Made(Maker(Arc::new(move |body| {
            peer.sent.lock().unwrap().push(body.to_owned());
            let Ok(message) = serde_json::from_str::<Value>(body) else {
                return Script::Body(405, "text/plain", "".into());
            };
            let (Some(id), Some(method)) = (message.get("id"), message["method"].as_str()) else {
                return Script::Body(202, "text/plain", "".into());
            };
            let says = peer.says.lock().unwrap();
            let answer = says.iter().find(|(known, _)| known == method);
            let answer = match answer.map(|(_, value)| value) {
                Some(value) if value.get("code").is_some() => {
                    json!({"jsonrpc": "2.0", "id": id, "error": value})
                }
                Some(value) => json!({"jsonrpc": "2.0", "id": id, "result": value}),
                None => {
                    json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no such method"}})
                }
            };
            Script::json(answer.to_string())
        })))
    }
}

/// Every place of a text in a value, keys of objects included.
fn places(value: &Value) -> Vec<(String, bool)> {
    fn walk(value: &Value, path: &str, all: &mut Vec<(String, bool)>) {
        match value {
            Value::String(_) => all.push((path.to_owned(), false)),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &format!("{path}/{index}"), all);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    let inner = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                    all.push((inner.clone(), true));
                    walk(member, &inner, all);
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    walk(value, "", &mut all);
    all
}

/// The value with the credential at a place: in the text, or as another key beside that one.
fn planted(value: &Value, (path, is_key): &(String, bool)) -> Value {
    let mut value = value.clone();
    if *is_key {
        let (parent, _) = path.rsplit_once('/').unwrap();
        let parent = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        parent.insert(format!("key {}", credential()), json!("x"));
    } else {
        *value.pointer_mut(path).unwrap() = json!(format!("key {} here", credential()));
    }
    value
}

async fn bench(peer: &Peer) -> Bench {
    let bench = Bench::with(Plan::default()).await;
    let url = bench.settings().upstreams.first().unwrap().url.clone();
    let url = format!("{}/mcp", url.trim_end_matches("/v1"));
    let server = McpServer {
        name: Arc::from("peer"),
        reach: Reach::Http {
            url,
            headers: http::HeaderMap::new(),
        },
        principals: None,
        tools: None,
        profile: None,
        // What is said is changed all the time here: what is not read would come out.
        pin: false,
        asks: vec![Asks::Elicitation],
        timeout: Duration::from_secs(5),
        wait: Duration::ZERO,
        sessions: 10_000,
        sum: [0; 32],
    };
    let settings = Settings {
        mcp: vec![server],
        ..bench.settings()
    };
    let gateway =
        portcullis_proxy::Gateway::new(settings, crate::bench::inspector(), Arc::clone(&bench.services));
    bench.server.swap(gateway.unwrap());
    let mut scripts = bench.upstream.scripts.lock().unwrap();
    scripts.extend((0..100_000).map(|_| peer.maker()));
    drop(scripts);
    bench
}

async fn post(bench: &Bench, session: Option<&str>, message: &Value) -> Answer {
    let mut request = bench
        .request("POST", "/mcp/peer")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    bench
        .send(request.body(Full::new(message.to_string().into())).unwrap())
        .await
}

fn hello() -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
        "capabilities": {"elicitation": {}, "experimental": {"x": {"k": "v"}}}, "clientInfo": {"name": "test", "title": "T", "version": "1"}}})
}

async fn begin(bench: &Bench) -> String {
    let answer = post(bench, None, &hello()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let session = answer.header("mcp-session-id").to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(post(bench, Some(&session), &ready).await.status, 202);
    session
}

/// How much of what was planted never came out because it was refused or replaced, for a look at the test itself.
fn is_whole(answer: &Answer) -> bool {
    answer.status == 200 && answer.text().contains("\"result\"")
}

#[tokio::test]
async fn nothing_that_a_server_says_reaches_a_client_unread() {
    let peer = Peer::default();
    let bench = bench(&peer).await;
    let tidy = |peer: &Peer| {
        peer.says("initialize", about());
        for (method, _, value) in answers() {
            peer.says(method, value);
        }
    };
    tidy(&peer);
    let session = begin(&bench).await;
    let (mut planted_at, mut came) = (0, 0);
    for (method, params, value) in answers() {
        let asked = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let plain = post(&bench, Some(&session), &asked).await;
        assert!(is_whole(&plain), "{method}: {}", plain.text());
        for place in places(&value) {
            peer.says(method, planted(&value, &place));
            let answer = post(&bench, Some(&session), &asked).await;
            assert!(
                !answer.text().contains(SEEN),
                "{method} at {place:?}: {}",
                answer.text()
            );
            planted_at += 1;
            came += usize::from(is_whole(&answer));
        }
        // What it says of an error, too.
        let error = json!({"code": -32000, "message": format!("key {}", credential()), "data": {"deep": [credential()]}});
        peer.says(method, error);
        let answer = post(&bench, Some(&session), &asked).await;
        assert!(!answer.text().contains(SEEN), "{method}: {}", answer.text());
        tidy(&peer);
    }
    assert!(
        planted_at > 150 && came > planted_at / 2,
        "{came} of {planted_at} came"
    );
    for place in places(&about()) {
        peer.says("initialize", planted(&about(), &place));
        let answer = post(&bench, None, &hello()).await;
        assert!(
            !answer.text().contains(SEEN),
            "initialize at {place:?}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn nothing_that_a_client_says_reaches_a_server_unread() {
    let peer = Peer::default();
    let bench = bench(&peer).await;
    peer.says("initialize", about());
    for (method, _, value) in answers() {
        peer.says(method, value);
    }
    let session = begin(&bench).await;
    let mut messages: Vec<Value> = answers()
        .into_iter()
        .map(|(method, mut params, _)| {
            params["_meta"] = json!({"progressToken": "p", "x/y": {"k": "v"}});
            params["more"] = json!("m");
            json!({"jsonrpc": "2.0", "id": "i", "method": method, "params": params})
        })
        .collect();
    messages.push(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "r", "reason": "w"}}));
    messages.push(json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "t", "progress": 1, "message": "m"}}));
    messages.push(json!({"jsonrpc": "2.0", "method": "x/own", "params": {"k": "v"}}));
    messages.push(json!({"jsonrpc": "2.0", "id": 9, "method": "x/own", "params": {"k": "v"}}));
    messages.push(json!({"jsonrpc": "2.0", "id": 3, "result": {"action": "accept", "content": {"name": "Ann"}, "_meta": {"k": "v"}}}));
    messages
        .push(json!({"jsonrpc": "2.0", "id": 3, "error": {"code": 1, "message": "m", "data": {"k": "v"}}}));
    let mut count = 0;
    for message in &messages {
        // As it is it goes on, if there is such a method; with the credential nothing of it does.
        post(&bench, Some(&session), message).await;
        let before = peer.sent.lock().unwrap().len();
        for place in places(message) {
            post(&bench, Some(&session), &planted(message, &place)).await;
            count += 1;
        }
        assert!(peer.sent.lock().unwrap().len() <= before + 1, "{message}");
    }
    for place in places(&hello()) {
        post(&bench, None, &planted(&hello(), &place)).await;
        count += 1;
    }
    let sent = peer.sent.lock().unwrap();
    assert!(
        count > 150 && sent.len() > 10,
        "{count} planted, {} sent",
        sent.len()
    );
    for body in sent.iter() {
        assert!(!body.contains(SEEN), "{body}");
    }
}
