//! Replies are held to the schema that their request or their profile says, in every dialect, streamed or not, as the client gets them.

use portcullis_core::{Action, Channel, Decision, Outcome};
use portcullis_policy::{Mode, OutputActions, Profile};
use portcullis_proxy::Settings;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Plan, Script};
use crate::limits::replies;
use crate::streams::{Wire, collected, wires};

pub fn profile(validate: Action, retries: u8) -> Profile {
    Profile {
        output: OutputActions {
            validate,
            retries,
            ..OutputActions::default()
        },
        ..Profile::default()
    }
}

pub async fn bench(profile: Profile) -> Bench {
    Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await
}

pub fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"name": {"type": "string", "pattern": "^[a-z ]+$"}, "mail": {"type": "string", "format": "email"}, "count": {"type": "integer"}},
        "required": ["name", "count"],
        "additionalProperties": false,
    })
}

pub const FITS: &str = r#"{"name": "support acme", "count": 3}"#;
pub const NOT: &str = r#"{"name": "support acme", "count": "three"}"#;
pub const NO_JSON: &str = "Sure, here is your JSON: {";

/// The request with a schema for its reply, as its API says so.
pub fn asking(path: &str, request: &Value, schema: &Value) -> Value {
    let mut request = request.clone();
    match path {
        "/v1/chat/completions" => {
            request["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "a", "strict": true, "schema": schema}});
        }
        "/v1/responses" => {
            request["text"] =
                json!({"format": {"type": "json_schema", "name": "a", "strict": true, "schema": schema}});
        }
        "/v1/messages" => {
            request["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}})
        }
        path if path.starts_with("/v1beta") => {
            request["generationConfig"] =
                json!({"responseMimeType": "application/json", "responseJsonSchema": schema});
        }
        _ => {}
    }
    request
}

pub fn kinds(record: &portcullis_core::AuditRecord) -> Vec<(&str, Action, &str)> {
    let output = record
        .findings
        .iter()
        .filter(|found| found.kind.starts_with("output."));
    output
        .map(|found| (found.kind.as_str(), found.action, found.path.as_str()))
        .collect()
}

/// Whole replies of every dialect whose first answer is `text` and that call no tool, with requests that ask for the schema.
pub fn whole(text: &str) -> Vec<(&'static str, Value, Value)> {
    let all = replies(text)
        .into_iter()
        .filter(|(path, ..)| *path != "/v1/completions");
    all.map(|(path, request, mut reply, _)| {
        match path {
            "/v1/chat/completions" => {
                reply["choices"] = json!([reply["choices"][0]]);
                reply["choices"][0]["finish_reason"] = json!("stop");
                reply["choices"][0]["message"]
                    .as_object_mut()
                    .unwrap()
                    .remove("tool_calls");
            }
            "/v1/messages" => {
                reply["content"] = json!([reply["content"][0]]);
                reply["stop_reason"] = json!("end_turn");
            }
            _ => {}
        }
        (path, asking(path, &request, &schema()), reply)
    })
    .collect()
}

pub async fn post(bench: &Bench, path: &str, request: &Value, reply: &Value) -> Answer {
    bench.script(Script::json(reply.to_string()));
    bench.post(path, request.to_string()).await
}

/// Whether a client is told that the reply was withheld, and nothing of it.
pub fn is_withheld(answer: &Answer) -> bool {
    let text = answer.text();
    text.contains("withheld by the content policy") && !text.contains("acme") && !text.contains("here is")
}

#[tokio::test]
async fn a_whole_reply_that_does_not_fit_is_withheld() {
    let bench = bench(profile(Action::Block, 0)).await;
    for (path, request, reply) in whole(FITS) {
        let answer = post(&bench, path, &request, &reply).await;
        assert_eq!(answer.text(), reply.to_string(), "{path}");
        let record = bench.record(&answer).await;
        assert_eq!(
            (record.decision, kinds(&record).len()),
            (Decision::Allow, 0),
            "{path}"
        );
    }
    for (text, kind, place) in [(NOT, "output.schema", "/count"), (NO_JSON, "output.json", "")] {
        for (path, request, reply) in whole(text) {
            let answer = post(&bench, path, &request, &reply).await;
            assert_eq!(answer.status, 200);
            assert!(is_withheld(&answer), "{path}: {}", answer.text());
            let record = bench.record(&answer).await;
            assert_eq!(
                (record.outcome, record.decision),
                (Outcome::Refused, Decision::Block)
            );
            assert_eq!(record.code.as_deref(), Some("content_filter"));
            let [(found, Action::Block, at)] = kinds(&record)[..] else {
                panic!("{path}: {:?}", record.findings)
            };
            assert_eq!(found, kind, "{path}");
            assert!(at.contains("[0]") && at.ends_with(place), "{path}: {at}");
            assert_eq!(record.findings[0].rule, "profiles.default.output.validate");
            assert_eq!(record.usage.unwrap().output, 5);
        }
    }
}

#[tokio::test]
async fn who_flags_or_observes_passes_it_and_records_it() {
    let mut observing = profile(Action::Block, 2);
    observing.mode = Mode::Observe;
    for (profile, decision) in [
        (profile(Action::Flag, 0), Decision::Allow),
        (observing, Decision::Observe),
    ] {
        let bench = bench(profile).await;
        for (path, request, reply) in whole(NOT) {
            let answer = post(&bench, path, &request, &reply).await;
            assert_eq!(answer.text(), reply.to_string(), "{path}");
            let record = bench.record(&answer).await;
            assert_eq!(record.decision, decision);
            let [("output.schema", Action::Flag, at)] = kinds(&record)[..] else {
                panic!("{path}: {:?}", record.findings)
            };
            assert!(at.ends_with("/count"), "{at}");
            assert_eq!(bench.received().len(), 1, "{path}");
            bench.upstream.received.lock().unwrap().clear();
        }
        for wire in wires() {
            for (text, found) in [(FITS, 0), (NOT, 1), (NO_JSON, 1)] {
                let answer = stream(&bench, &wire, &schema(), &[&text[..9], &text[9..20], &text[20..]]).await;
                assert_eq!(collected(&answer.body), text, "{}", wire.path);
                let record = bench.record(&answer).await;
                assert_eq!(
                    kinds(&record).len(),
                    found,
                    "{}: {:?}",
                    wire.path,
                    record.findings
                );
                assert_eq!(record.outcome, Outcome::Completed);
            }
        }
    }
}

pub async fn stream(bench: &Bench, wire: &Wire, schema: &Value, deltas: &[&str]) -> Answer {
    let path = wire.path.split('?').next().unwrap();
    bench.script(Script::sse((wire.text)(deltas)));
    bench
        .post(wire.path, asking(path, &wire.request, schema).to_string())
        .await
}

#[tokio::test]
async fn a_stream_says_nothing_of_its_answer_until_it_fits() {
    let bench = bench(profile(Action::Block, 2)).await;
    for wire in wires() {
        for at in [0, 1, 12, 30, FITS.len()] {
            let answer = stream(&bench, &wire, &schema(), &[&FITS[..at], &FITS[at..]]).await;
            assert_eq!(
                collected(&answer.body),
                FITS,
                "{} at {at}: {}",
                wire.path,
                answer.text()
            );
            let record = bench.record(&answer).await;
            assert_eq!(
                (record.outcome, record.decision),
                (Outcome::Completed, Decision::Allow)
            );
        }
        for (text, kind) in [(NOT, "output.schema"), (NO_JSON, "output.json")] {
            let answer = stream(&bench, &wire, &schema(), &[&text[..9], &text[9..20], &text[20..]]).await;
            assert!(
                answer.whole && is_withheld(&answer),
                "{}: {}",
                wire.path,
                answer.text()
            );
            let record = bench.record(&answer).await;
            assert_eq!(
                (record.outcome, record.decision),
                (Outcome::Refused, Decision::Block)
            );
            assert_eq!(kinds(&record)[0].0, kind, "{}", wire.path);
        }
        // One that breaks off before its end says nothing either.
        let cut: String = (wire.text)(&[FITS, ""]);
        let cut = &cut[..cut.find("support acme").unwrap()];
        bench.script(Script::Broken(vec![cut.to_owned().into()]));
        let path = wire.path.split('?').next().unwrap();
        let answer = bench
            .post(wire.path, asking(path, &wire.request, &schema()).to_string())
            .await;
        assert!(!answer.text().contains("support"), "{}", answer.text());
        assert_eq!(bench.record(&answer).await.outcome, Outcome::UpstreamFailed);
    }
}

#[tokio::test]
async fn what_a_response_says_whole_in_a_stream_is_held_to_it_too() {
    let bench = bench(profile(Action::Block, 0)).await;
    let wire = wires().pop().unwrap();
    // Deltas that fit, and a text that was said to be theirs and is not.
    let events = (wire.text)(&[FITS]);
    let quoted = |text: &str| json!(text).to_string();
    let done = events.find("response.output_text.done").unwrap();
    let (before, behind) = events.split_at(done);
    let events = format!("{before}{}", behind.replace(&quoted(FITS), &quoted(NOT)));
    bench.script(Script::sse(events));
    let request = asking("/v1/responses", &wire.request, &schema());
    let answer = bench.post(wire.path, request.to_string()).await;
    assert!(!answer.text().contains("three"), "{}", answer.text());
    assert_eq!(kinds(&bench.record(&answer).await)[0].0, "output.schema");
}

#[tokio::test]
async fn every_answer_of_a_reply_must_fit() {
    let bench = bench(profile(Action::Block, 0)).await;
    let user = json!([{"role": "user", "content": "x"}]);
    let request = asking(
        "/v1/chat/completions",
        &json!({"model": "gpt-4o", "n": 2, "messages": user}),
        &schema(),
    );
    let choice = |index: u32, text: &str| json!({"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"});
    let reply = |second: &str| json!({"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [choice(0, FITS), choice(1, second)]});
    let answer = post(&bench, "/v1/chat/completions", &request, &reply(FITS)).await;
    assert!(answer.text().contains("acme"));
    let answer = post(&bench, "/v1/chat/completions", &request, &reply(NOT)).await;
    assert!(is_withheld(&answer), "{}", answer.text());
    assert_eq!(
        kinds(&bench.record(&answer).await)[0].2,
        "choices[1].message.content/count"
    );

    let candidate = |index: u32, parts: Value| json!({"index": index, "content": {"role": "model", "parts": parts}, "finishReason": "STOP"});
    // What stands in several parts is one answer, thoughts aside.
    let parts =
        json!([{"text": "Let me think.", "thought": true}, {"text": &FITS[..10]}, {"text": &FITS[10..]}]);
    let request = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}], "generation_config": {"response_mime_type": "application/json",
        "response_schema": {"type": "OBJECT", "properties": {"name": {"type": "STRING"}, "count": {"type": "INTEGER", "nullable": true}}, "required": ["name"]}}});
    for (second, passes) in [
        (r#"{"name": "x", "count": null}"#, true),
        (r#"{"name": null}"#, false),
    ] {
        let reply = json!({"candidates": [candidate(0, parts.clone()), candidate(1, json!([{"text": second}]))], "modelVersion": "gemini-x"});
        let answer = post(
            &bench,
            "/v1beta/models/gemini-x:generateContent",
            &request,
            &reply,
        )
        .await;
        assert_eq!(!is_withheld(&answer), passes, "{}", answer.text());
    }
    let enumerated = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}], "generationConfig": {"responseMimeType": "text/x.enum",
        "responseSchema": {"type": "STRING", "format": "enum", "enum": ["red", "blue"]}}});
    for (text, passes) in [("red", true), ("green", false)] {
        let reply = json!({"candidates": [candidate(0, json!([{"text": text}]))]});
        let answer = post(
            &bench,
            "/v1beta/models/gemini-x:generateContent",
            &enumerated,
            &reply,
        )
        .await;
        assert_eq!(!is_withheld(&answer), passes, "{}", answer.text());
    }
    let object = json!({"model": "gpt-4o", "messages": user, "response_format": {"type": "json_object"}});
    for (text, passes) in [("{}", true), ("[]", false), ("{\"a\": 1, \"a\": 2}", false)] {
        let reply = json!({"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [choice(0, text)]});
        let answer = post(&bench, "/v1/chat/completions", &object, &reply).await;
        assert_eq!(!is_withheld(&answer), passes, "{}", answer.text());
    }
}

/// Requests that offer the tool `mail` strictly, replies that call it with those arguments.
fn calling(arguments: &Value) -> Vec<(&'static str, Value, Value)> {
    let user = json!([{"role": "user", "content": "x"}]);
    let text = arguments.to_string();
    vec![
        (
            "/v1/chat/completions",
            json!({"model": "gpt-4o", "messages": user, "tools": [{"type": "function", "function": {"name": "mail", "strict": true, "parameters": schema()}}]}),
            json!({"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [{"index": 0, "finish_reason": "tool_calls",
                "message": {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "mail", "arguments": text}}]}}]}),
        ),
        (
            "/v1/responses",
            json!({"model": "gpt-4o", "input": "x", "tools": [{"type": "function", "name": "mail", "strict": true, "parameters": schema()}]}),
            json!({"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-4o", "output": [
                {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "mail", "status": "completed", "arguments": text}]}),
        ),
        (
            "/v1/messages",
            json!({"model": "claude-x", "max_tokens": 9, "messages": user, "tools": [{"name": "mail", "strict": true, "input_schema": schema()}]}),
            json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "tool_use",
                "content": [{"type": "tool_use", "id": "t", "name": "mail", "input": arguments}], "usage": {"input_tokens": 1, "output_tokens": 1}}),
        ),
        (
            "/v1beta/models/gemini-x:generateContent",
            json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
                "tools": [{"functionDeclarations": [{"name": "mail", "parametersJsonSchema": schema()}]}]}),
            json!({"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [{"functionCall": {"name": "mail", "args": arguments}}]}}]}),
        ),
    ]
}

#[tokio::test]
async fn arguments_of_strict_tools_must_fit() {
    let bench = bench(profile(Action::Block, 0)).await;
    for (text, passes) in [(FITS, true), (NOT, false)] {
        let arguments: Value = serde_json::from_str(text).unwrap();
        for (path, request, reply) in calling(&arguments) {
            let answer = post(&bench, path, &request, &reply).await;
            assert_eq!(!is_withheld(&answer), passes, "{path}: {}", answer.text());
            let record = bench.record(&answer).await;
            assert_eq!(
                kinds(&record).len(),
                usize::from(!passes),
                "{path}: {:?}",
                record.findings
            );
            assert!(passes || record.findings[0].channel == Channel::ToolCall);
            // A tool that is not called strictly takes what it takes.
            let loose = request
                .to_string()
                .replace(r#""strict":true"#, r#""strict":false"#)
                .replace("ANY", "AUTO");
            let loose: Value = serde_json::from_str(&loose).unwrap();
            let answer = post(&bench, path, &loose, &reply).await;
            assert!(!is_withheld(&answer), "{path}: {}", answer.text());
        }
        for wire in wires().iter().take(2) {
            let of = calling(&arguments)
                .into_iter()
                .find(|(path, ..)| *path == wire.path);
            let mut request = of.unwrap().1;
            request["stream"] = json!(true);
            bench.script(Script::sse((wire.arguments)(&[
                &text[..5],
                &text[5..30],
                &text[30..],
            ])));
            let answer = bench.post(wire.path, request.to_string()).await;
            assert_eq!(!is_withheld(&answer), passes, "{}: {}", wire.path, answer.text());
            assert_eq!(kinds(&bench.record(&answer).await).len(), usize::from(!passes));
        }
        let (_, request, reply) = calling(&arguments).pop().unwrap();
        bench.script(Script::sse(format!("data: {reply}\n\n")));
        let path = "/v1beta/models/gemini-x:streamGenerateContent?alt=sse";
        let answer = bench.post(path, request.to_string()).await;
        assert_eq!(!is_withheld(&answer), passes, "{}", answer.text());

        let mut request = calling(&arguments)[1].1.clone();
        request["stream"] = json!(true);
        let item = |text: &str| json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "mail", "status": "completed", "arguments": text});
        let of = [
            json!({"type": "response.output_item.added", "output_index": 0, "item": item("")}),
            json!({"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_1", "delta": text}),
            json!({"type": "response.function_call_arguments.done", "output_index": 0, "item_id": "fc_1", "arguments": text}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": item(text)}),
            json!({"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": [item(text)]}}),
        ];
        bench.script(Script::sse(
            of.iter()
                .map(|event| format!("data: {event}\n\n"))
                .collect::<String>(),
        ));
        let answer = bench.post("/v1/responses", request.to_string()).await;
        assert_eq!(!is_withheld(&answer), passes, "{}", answer.text());
        assert_eq!(kinds(&bench.record(&answer).await).len(), usize::from(!passes));
    }
}

#[tokio::test]
async fn an_answer_is_judged_as_the_client_gets_it() {
    let bench = bench(profile(Action::Block, 0)).await;
    let mail = "anna.kowalska@example.com";
    let schema = json!({"type": "object", "properties": {"mail": {"enum": [mail]}}, "required": ["mail"]});
    for (path, request, _) in whole("") {
        let mut request = asking(path, &request, &schema);
        for (place, text) in [
            ("/messages/0/content", mail),
            ("/input", mail),
            ("/contents/0/parts/0/text", mail),
        ] {
            if let Some(said) = request.pointer_mut(place) {
                *said = json!(format!("Mail {text}"));
            }
        }
        let masked = bench
            .placeholder(path, &request.to_string(), "EMAIL_ADDRESS")
            .await;
        let said = json!({ "mail": masked }).to_string();
        let (_, _, reply) = whole(&said)
            .into_iter()
            .find(|(other, ..)| *other == path)
            .unwrap();
        let answer = post(&bench, path, &request, &reply).await;
        assert!(answer.text().contains(mail), "{path}: {}", answer.text());
        let wire = wires()
            .into_iter()
            .find(|wire| wire.path.split(':').next() == path.split(':').next())
            .unwrap();
        if path != "/v1beta/models/gemini-x:generateContent" {
            request["stream"] = json!(true);
        }
        for at in [3, 15, said.len() - 4] {
            bench.script(Script::sse((wire.text)(&[&said[..at], &said[at..]])));
            let answer = bench.post(wire.path, request.to_string()).await;
            assert_eq!(
                collected(&answer.body),
                json!({ "mail": mail }).to_string(),
                "{path}"
            );
        }
    }
    // Somebody else's address is redacted, and what is left is no address.
    let other = r#"{"name": "acme", "mail": "jan.nowak@example.com", "count": 3}"#;
    for (path, request, reply) in whole(other) {
        let answer = post(&bench, path, &request, &reply).await;
        assert!(is_withheld(&answer), "{path}: {}", answer.text());
        let record = bench.record(&answer).await;
        let found: Vec<_> = record
            .findings
            .iter()
            .map(|found| (found.kind.as_str(), found.action))
            .collect();
        assert_eq!(
            found,
            [
                ("EMAIL_ADDRESS", Action::Redact),
                ("output.schema", Action::Block)
            ],
            "{path}"
        );
    }
    for wire in wires() {
        let answer = stream(&bench, &wire, &self::schema(), &[other]).await;
        assert!(is_withheld(&answer), "{}: {}", wire.path, answer.text());
        assert!(!answer.text().contains("nowak"));
    }
}

#[tokio::test]
async fn a_refusal_or_a_call_in_a_stream_need_not_answer() {
    let bench = bench(profile(Action::Block, 0)).await;
    let chunk = |delta: Value, finish: Value| {
        let chunk = json!({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let request = asking("/v1/chat/completions", &wires()[0].request, &schema());
    for (delta, finish) in [
        (json!({"refusal": "I will not."}), "stop"),
        (
            json!({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "other", "arguments": "{}"}}]}),
            "tool_calls",
        ),
    ] {
        let said = [
            chunk(json!({"role": "assistant", "content": ""}), Value::Null),
            chunk(delta, Value::Null),
            chunk(json!({}), json!(finish)),
        ];
        bench.script(Script::sse(said.concat() + "data: [DONE]\n\n"));
        let answer = bench.post("/v1/chat/completions", request.to_string()).await;
        assert!(
            !is_withheld(&answer) && answer.text().contains(&format!(r#""finish_reason":"{finish}""#)),
            "{}",
            answer.text()
        );
        assert!(kinds(&bench.record(&answer).await).is_empty());
    }
    // Nothing at all is no answer.
    let said = [
        chunk(json!({"role": "assistant", "content": ""}), Value::Null),
        chunk(json!({}), json!("stop")),
    ];
    bench.script(Script::sse(said.concat() + "data: [DONE]\n\n"));
    let answer = bench.post("/v1/chat/completions", request.to_string()).await;
    assert!(is_withheld(&answer), "{}", answer.text());
}

#[tokio::test]
async fn a_schema_that_cannot_be_checked_is_refused_where_what_does_not_fit_is_blocked() {
    let defs: serde_json::Map<String, Value> = (0..20)
        .map(|number| {
            (
                format!("a{number}"),
                json!({"$ref": format!("#/$defs/a{}", number + 1)}),
            )
        })
        .chain([("a20".to_owned(), json!(true))])
        .collect();
    let schemas = [
        json!({"$ref": "https://example.com/schema.json"}),
        json!({"type": "objekt"}),
        json!({"$ref": "#"}),
        json!({"pattern": "(?=a)(b"}),
        json!({"pattern": "(((a{100}){100}){100}){100}"}),
        json!({"properties": {"a": {"enum": vec![0; 20_000]}}}),
        json!({"$ref": "#/$defs/a0", "$defs": defs}),
    ];
    let blocking = bench(profile(Action::Block, 0)).await;
    let flagging = bench(profile(Action::Flag, 0)).await;
    for (path, request, reply) in whole(FITS) {
        for schema in &schemas {
            let request = asking(path, &request, schema);
            let answer = blocking.post(path, request.to_string()).await;
            assert_eq!(answer.status, 400, "{path} {schema}: {}", answer.text());
            let code = if path.starts_with("/v1/messages") {
                answer.text().contains("invalid_request").to_string()
            } else {
                answer.code()
            };
            assert!(
                code == "invalid_request" || code == "true",
                "{path}: {}",
                answer.text()
            );
            if schema.to_string().len() < 1000 {
                let answer = post(&flagging, path, &request, &reply).await;
                assert_eq!(
                    (answer.status.as_u16(), answer.text()),
                    (200, reply.to_string().as_str()),
                    "{path}"
                );
            }
        }
    }
    assert!(blocking.received().is_empty());
}

#[tokio::test]
async fn a_profile_has_a_schema_of_its_own() {
    let mut own = profile(Action::Block, 0);
    own.output.schema = Some(
        json!({"type": "object", "properties": {"count": {"maximum": 2}}})
            .to_string()
            .into(),
    );
    let bench = bench(own).await;
    for (path, request, reply, _) in replies(r#"{"count": 2}"#) {
        if path == "/v1/chat/completions" {
            // Its second choice is none.
            assert!(is_withheld(&post(&bench, path, &request, &reply).await));
            continue;
        }
        let answer = post(&bench, path, &request, &reply).await;
        assert!(!is_withheld(&answer), "{path}: {}", answer.text());
    }
    for (path, request, reply) in whole(FITS) {
        // Both must hold: the request's own does.
        let answer = post(&bench, path, &request, &reply).await;
        assert!(is_withheld(&answer), "{path}: {}", answer.text());
    }
    for wire in wires() {
        for (text, passes) in [(r#"{"count": 2}"#, true), (r#"{"count": 3}"#, false)] {
            bench.script(Script::sse((wire.text)(&[text])));
            let answer = bench.post(wire.path, wire.request.to_string()).await;
            assert_eq!(
                collected(&answer.body) == text,
                passes,
                "{}: {}",
                wire.path,
                answer.text()
            );
        }
    }
    let mut broken = profile(Action::Block, 0);
    broken.output.schema = Some("{".into());
    let settings = Settings {
        profiles: vec![broken],
        ..bench.settings()
    };
    let made = portcullis_proxy::Gateway::new(
        settings,
        crate::bench::inspector(),
        std::sync::Arc::clone(&bench.services),
    );
    assert!(
        made.err()
            .unwrap()
            .to_string()
            .contains("profiles.default.output.schema")
    );
}
