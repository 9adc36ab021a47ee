//! The stand-in over HTTP: credentials, memory, shapes of errors and streams.
//!
//! That it speaks as the providers do is proved by their own clients, in `sdk`.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use portcullis::standin::{Standin, serve};
use serde_json::Value;
use tokio::net::TcpListener;

/// A model beside a test that is not asynchronous, for as long as the runtime is kept.
pub fn in_background(model: Standin) -> (tokio::runtime::Runtime, SocketAddr) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let address = runtime.block_on(started(model));
    (runtime, address)
}

/// Starts a model on a port of its own; it lives as long as the test's runtime.
pub async fn started(model: Standin) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, model, std::future::pending()));
    address
}

struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

impl Caller {
    async fn new(model: Standin) -> Caller {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Caller {
            client,
            address: started(model).await,
        }
    }

    /// Status and body; `None` for a body that broke off.
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, Option<String>) {
        let mut request = Request::post(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.ok();
        (
            status,
            body.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap()),
        )
    }
}

const CHAT: &str = "/v1/chat/completions";
const GEMINI: &str = "/v1beta/models/g:streamGenerateContent";

fn chat(text: &str, stream: bool) -> String {
    format!(
        r#"{{"model":"m","stream":{stream},"messages":[{{"role":"user","content":{}}}]}}"#,
        Value::from(text)
    )
}

#[tokio::test]
async fn only_the_expected_credential_is_answered() {
    let caller = Caller::new(Standin::new().expecting_key("upstream-key")).await;
    let anthropic = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"say hi"}]}"#;
    let gemini = r#"{"contents":[{"parts":[{"text":"say hi"}]}]}"#;
    let version = ("anthropic-version", "2023-06-01");
    for (path, body, right, wrong, refusal) in [
        (
            CHAT,
            chat("say hi", false),
            ("authorization", "Bearer upstream-key"),
            ("authorization", "Bearer x"),
            401,
        ),
        (
            "/v1/messages",
            anthropic.into(),
            ("x-api-key", "upstream-key"),
            ("x-api-key", "x"),
            401,
        ),
        (
            GEMINI,
            gemini.into(),
            ("x-goog-api-key", "upstream-key"),
            ("x-goog-api-key", "x"),
            400,
        ),
    ] {
        assert_eq!(caller.post(path, &[right, version], &body).await.0, 200, "{path}");
        assert_eq!(
            caller.post(path, &[wrong, version], &body).await.0,
            refusal,
            "{path}"
        );
        let (status, told) = caller.post(path, &[], &body).await;
        assert_eq!(status, refusal, "{path}");
        assert!(!told.unwrap().contains("upstream-key"));
    }
}

#[tokio::test]
async fn what_was_sent_is_remembered() {
    let model = Standin::new();
    let caller = Caller::new(model.clone()).await;
    caller
        .post("/nowhere?a=b", &[("x-mark", "1")], "not even JSON")
        .await;
    caller.post(CHAT, &[], &chat("say hi", false)).await;
    let received = model.received();
    assert_eq!(received.len(), 2);
    assert_eq!(
        (received[0].path.as_str(), &received[0].body[..]),
        ("/nowhere?a=b", &b"not even JSON"[..])
    );
    assert_eq!(received[0].headers["x-mark"], "1");
    assert_eq!(received[1].body, chat("say hi", false).as_bytes());
}

#[tokio::test]
async fn errors_have_the_shape_of_the_provider() {
    let caller = Caller::new(Standin::new()).await;
    let version = [("anthropic-version", "2023-06-01")];
    for (path, headers, body, status, pointer, value) in [
        (CHAT, &[][..], "{", 400, "/error/type", "invalid_request_error"),
        (CHAT, &[], r#"{"model":"m"}"#, 400, "/error/param", "messages"),
        (
            "/v1/nothing",
            &[],
            "{}",
            404,
            "/error/type",
            "invalid_request_error",
        ),
        (
            "/v1/messages",
            &version,
            "{}",
            400,
            "/error/type",
            "invalid_request_error",
        ),
        ("/v1/messages", &[], "{}", 400, "/type", "error"),
        (GEMINI, &[], "{}", 400, "/error/status", "INVALID_ARGUMENT"),
        (
            "/v1beta/models/g:nothing",
            &[],
            "{}",
            404,
            "/error/status",
            "NOT_FOUND",
        ),
    ] {
        let (found, told) = caller.post(path, headers, body).await;
        let told: Value = serde_json::from_str(&told.unwrap()).unwrap();
        assert_eq!(found, status, "{path} {body}");
        assert_eq!(
            told.pointer(pointer),
            Some(&Value::from(value)),
            "{path} {body}: {told}"
        );
    }
}

#[tokio::test]
async fn a_reply_breaks_off_when_it_is_told_to() {
    let caller = Caller::new(Standin::new()).await;
    for stream in [false, true] {
        let (status, body) = caller
            .post(CHAT, &[], &chat("say one two three, then break off", stream))
            .await;
        assert_eq!((status, body), (StatusCode::OK, None), "stream: {stream}");
    }
}

#[tokio::test]
async fn a_stream_without_events_is_one_array() {
    let caller = Caller::new(Standin::new()).await;
    let (_, body) = caller
        .post(
            GEMINI,
            &[],
            r#"{"contents":[{"parts":[{"text":"say one two three"}]}]}"#,
        )
        .await;
    let chunks: Vec<Value> = serde_json::from_str(&body.unwrap()).unwrap();
    let text: String = chunks
        .iter()
        .map(|chunk| {
            chunk
                .pointer("/candidates/0/content/parts/0/text")
                .unwrap()
                .as_str()
                .unwrap()
        })
        .collect();
    assert_eq!(text, "one two three");
    assert!(chunks.len() > 2);
}
