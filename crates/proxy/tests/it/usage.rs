//! What a stream used: asked for where the client does not ask, and estimated where nobody tells.

use portcullis_core::Usage;
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Plan, Script};
use crate::limits::events;

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";
const SAID: [&str; 3] = ["One two three, ", "four five six. ", "Seven eight nine."];

async fn with(stream_usage: bool) -> Bench {
    Bench::with(Plan {
        stream_usage,
        ..Plan::default()
    })
    .await
}

fn request(path: &str, more: &Value) -> Value {
    let mut request = match path {
        CHAT => {
            json!({"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "Hello."}]})
        }
        _ => json!({"model": "gpt-4o", "stream": true, "prompt": "Hello."}),
    };
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

/// A stream that tells what it used in its last event, as it is asked to, or not at all.
fn stream(path: &str, usage: Option<(u64, u64)>) -> Script {
    let object = match path {
        CHAT => "chat.completion.chunk",
        _ => "text_completion",
    };
    let event = |choices: Value, usage: Value| json!({"id": "c", "object": object, "created": 1, "model": "gpt-4o", "choices": choices, "usage": usage});
    let choice = |text: &str, finish: Value| match path {
        CHAT => json!([{"index": 0, "delta": {"content": text}, "finish_reason": finish}]),
        _ => json!([{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}]),
    };
    let mut all: Vec<Value> = SAID
        .iter()
        .map(|text| event(choice(text, Value::Null), Value::Null))
        .collect();
    all.push(event(choice("", json!("stop")), Value::Null));
    if let Some((input, output)) = usage {
        let usage =
            json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
        all.push(event(json!([]), usage));
    }
    let text: String = all.iter().map(|event| format!("data: {event}\n\n")).collect();
    Script::sse(text + "data: [DONE]\n\n")
}

async fn used(bench: &Bench, answer: &Answer) -> (Usage, bool) {
    let record = bench.record(answer).await;
    (record.usage.unwrap(), record.usage_estimated)
}

#[tokio::test]
async fn a_stream_is_asked_what_it_used_and_the_client_sees_nothing_of_it() {
    let bench = with(true).await;
    for path in [CHAT, COMPLETIONS] {
        for (more, seen) in [
            (json!({}), false),
            (json!({"stream_options": {"include_usage": false}}), false),
            (json!({"stream_options": {"include_usage": true}}), true),
        ] {
            bench.script(stream(path, Some((11, 7))));
            let answer = bench.post(path, request(path, &more).to_string()).await;
            assert!(answer.whole && answer.status == 200, "{}", answer.text());
            assert_eq!(bench.last_sent()["stream_options"]["include_usage"], true);
            let alone = events(&answer)
                .iter()
                .filter(|event| event["choices"] == json!([]))
                .count();
            assert_eq!(alone, usize::from(seen), "{path} {more}: {}", answer.text());
            assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
            let text: String = events(&answer)
                .iter()
                .filter_map(|event| {
                    let choice = event.pointer("/choices/0")?;
                    let text = choice.pointer("/delta/content").or(choice.get("text"))?;
                    text.as_str().map(str::to_owned)
                })
                .collect();
            assert_eq!(text, SAID.concat());
            let (usage, estimated) = used(&bench, &answer).await;
            assert_eq!((usage.input, usage.output, estimated), (11, 7, false));
        }
    }
}

#[tokio::test]
async fn where_nobody_tells_what_was_said_is_counted_up_to_what_was_allowed() {
    let bench = with(false).await;
    let said: usize = SAID.iter().map(|text| text.len()).sum();
    for (more, output) in [
        (json!({}), said.div_ceil(3) as u64),
        (json!({"max_tokens": 5}), 5),
        (json!({"max_tokens": 5, "n": 2}), 10),
    ] {
        bench.script(stream(CHAT, None));
        let answer = bench.post(CHAT, request(CHAT, &more).to_string()).await;
        assert!(bench.last_sent().get("stream_options").is_none());
        let (usage, estimated) = used(&bench, &answer).await;
        assert_eq!((usage.output, estimated), (output, true), "{more}");
    }
}
