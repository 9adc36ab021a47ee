//! What a reply says beyond its limits is cut off, in every dialect, streamed or not, and the reply ends as at the model's own
//! limit.

use bytes::Bytes;
use portcullis_core::{Action, Decision, Outcome};
use portcullis_policy::{Mode, OutputActions, Profile};
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Plan, Script};
use crate::recorded::Events;
use crate::streams::{Wire, collected, wires};

async fn bench(max_chars: u32, max_repeated: u32, mode: Mode) -> Bench {
    let profile = Profile {
        mode,
        output: OutputActions {
            max_chars,
            max_repeated,
            ..OutputActions::default()
        },
        ..Profile::default()
    };
    Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await
}

/// Why a reply or the last event that says so ended.
pub fn finish(body: &Value) -> Option<String> {
    [
        "/choices/0/finish_reason",
        "/delta/stop_reason",
        "/stop_reason",
        "/candidates/0/finishReason",
        "/response/incomplete_details/reason",
        "/incomplete_details/reason",
    ]
    .iter()
    .find_map(|place| body.pointer(place).and_then(Value::as_str))
    .map(str::to_owned)
}

pub fn events(answer: &Answer) -> Vec<Value> {
    let all = Events::of(&answer.body);
    let data = all.data();
    data.into_iter()
        .map(|(_, data)| serde_json::from_slice(data).unwrap())
        .collect()
}

fn finishes(answer: &Answer) -> Vec<String> {
    events(answer).iter().filter_map(finish).collect()
}

fn length_stop(path: &str) -> &'static str {
    match path {
        path if path.starts_with("/v1beta") => "MAX_TOKENS",
        "/v1/messages" => "max_tokens",
        "/v1/responses" => "max_output_tokens",
        _ => "length",
    }
}

const SAID: &str = "One two three, four five six. Seven eight nine, ten eleven twelve.";

async fn stream(bench: &Bench, wire: &Wire, deltas: &[&str]) -> Answer {
    bench.script(Script::sse((wire.text)(deltas)));
    bench.post(wire.path, wire.request.to_string()).await
}

#[tokio::test]
async fn a_stream_says_as_much_as_it_may_however_it_is_cut() {
    let bench = bench(29, 0, Mode::Enforce).await;
    for wire in wires() {
        for at in 0..=SAID.len() {
            let answer = stream(&bench, &wire, &[&SAID[..at], &SAID[at..]]).await;
            assert!(answer.whole);
            let context = format!("{} at {at}: {}", wire.path, answer.text());
            // Of the last word nobody can tell yet what it becomes.
            assert_eq!(collected(&answer.body), SAID[..25], "{context}");
            assert_eq!(finishes(&answer), [length_stop(wire.path)], "{context}");
        }
        let answer = stream(&bench, &wire, &[SAID]).await;
        let record = bench.record(&answer).await;
        assert_eq!(
            (record.outcome, record.decision, record.status),
            (Outcome::Completed, Decision::Redact, 200)
        );
        assert_eq!(record.findings.len(), 1);
        let found = &record.findings[0];
        assert_eq!(
            (found.kind.as_str(), found.action, found.span.start),
            ("output.length", Action::Redact, 29)
        );
        assert_eq!(found.rule, "profiles.default.output.max_chars");
        // What has just as much to say is whole.
        let answer = stream(&bench, &wire, &[&SAID[..20], &SAID[20..29]]).await;
        assert_ne!(finishes(&answer), [length_stop(wire.path)]);
    }
}

#[tokio::test]
async fn the_last_events_of_a_response_repeat_what_was_sent_of_it() {
    let bench = bench(46, 0, Mode::Enforce).await;
    let wire = wires().pop().unwrap();
    let said = "Mail anna.kowalska@example.com now. And then do nothing.";
    let answer = stream(&bench, &wire, &[&said[..12], &said[12..33], &said[33..]]).await;
    let sent = collected(&answer.body);
    assert!(sent.starts_with("Mail [EMAIL_ADDRESS] now. And"), "{sent}");
    let events = events(&answer);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    let message = &last["response"]["output"][0];
    assert_eq!(
        (&message["id"], &message["content"][0]["text"]),
        (&json!("msg_1"), &json!(sent))
    );
    assert_eq!(message["status"], "incomplete");
    let numbers: Vec<u64> = events
        .iter()
        .map(|event| event["sequence_number"].as_u64().unwrap())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[tokio::test]
async fn nothing_of_a_value_leaves_that_the_limit_cuts() {
    for most in [6, 10, 16, 20, 26] {
        let bench = bench(most, 0, Mode::Enforce).await;
        for wire in wires() {
            let answer = stream(&bench, &wire, &["Mail anna.kow", "alska@example.com now."]).await;
            let sent = collected(&answer.body);
            assert!(
                "Mail ".starts_with(sent.trim_end()),
                "{} {most}: {sent}",
                wire.path
            );
        }
    }
}

#[tokio::test]
async fn a_stuck_loop_ends_a_stream() {
    let bench = bench(0, 400, Mode::Enforce).await;
    let line = "and then we go on and on, ";
    let deltas: Vec<&str> = [SAID].into_iter().chain(std::iter::repeat_n(line, 100)).collect();
    for wire in wires() {
        let answer = stream(&bench, &wire, &deltas).await;
        let sent = collected(&answer.body);
        assert!(deltas.concat().starts_with(&sent));
        assert!((700..1400).contains(&sent.len()), "{}: {}", wire.path, sent.len());
        assert_eq!(finishes(&answer), [length_stop(wire.path)]);
        let found = &bench.record(&answer).await.findings;
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].kind.as_str(), found[0].rule.as_str()),
            ("output.loop", "profiles.default.output.max_repeated")
        );
    }
}

#[tokio::test]
async fn a_tool_call_that_is_cut_never_reaches_the_client() {
    let bench = bench(60, 400, Mode::Enforce).await;
    for wire in wires()
        .iter()
        .filter(|wire| wire.arguments as usize != wire.text as usize)
    {
        let arguments = format!(r#"{{"to": "all", "text": "{}"}}"#, "go on ".repeat(40));
        bench.script(Script::sse((wire.arguments)(&[
            &arguments[..30],
            &arguments[30..],
        ])));
        let answer = bench.post(wire.path, wire.request.to_string()).await;
        assert_eq!(collected(&answer.body), "", "{}", answer.text());
        assert!(!answer.text().contains("go on"), "{}", answer.text());
        assert_eq!(finishes(&answer), [length_stop(wire.path)]);
    }
}

#[tokio::test]
async fn who_observes_cuts_nothing_and_records_it_once() {
    let bench = bench(29, 400, Mode::Observe).await;
    let text = format!("{SAID} {}", "on and on, ".repeat(200));
    for wire in wires() {
        let halves = [&text[..900], &text[900..]];
        let answer = stream(&bench, &wire, &halves).await;
        assert_eq!(collected(&answer.body), text, "{}", wire.path);
        let record = bench.record(&answer).await;
        let kinds: Vec<_> = record
            .findings
            .iter()
            .map(|found| (found.kind.as_str(), found.action))
            .collect();
        assert_eq!(
            kinds,
            [("output.length", Action::Flag), ("output.loop", Action::Flag)]
        );
        assert_eq!(record.decision, Decision::Observe);
    }
}

/// Whole replies of every dialect with that text, and where their text is read.
pub fn replies(text: &str) -> Vec<(&'static str, Value, Value, &'static str)> {
    let user = json!([{"role": "user", "content": "x"}]);
    vec![
        (
            "/v1/chat/completions",
            json!({"model": "gpt-4o", "messages": user}),
            json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [
                {"index": 0, "message": {"role": "assistant", "content": text,
                    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": "{}"}}]},
                 "finish_reason": "tool_calls"},
                {"index": 1, "message": {"role": "assistant", "content": "Other."}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}),
            "/choices/0/message/content",
        ),
        (
            "/v1/completions",
            json!({"model": "gpt-4o", "prompt": "x"}),
            json!({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "gpt-4o",
                "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}),
            "/choices/0/text",
        ),
        (
            "/v1/messages",
            json!({"model": "claude-x", "max_tokens": 9, "messages": user}),
            json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [
                {"type": "text", "text": text}, {"type": "tool_use", "id": "toolu_1", "name": "mail", "input": {"to": "all"}}],
                "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 10, "output_tokens": 5}}),
            "/content/0/text",
        ),
        (
            "/v1beta/models/gemini-x:generateContent",
            json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]}),
            json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
                "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
                "modelVersion": "gemini-x", "responseId": "r1"}),
            "/candidates/0/content/parts/0/text",
        ),
        (
            "/v1/responses",
            json!({"model": "gpt-4o", "input": "x"}),
            json!({"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-4o", "output": [
                {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                 "content": [{"type": "output_text", "text": text, "annotations": []}]}],
                "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}}),
            "/output/0/content/0/text",
        ),
    ]
}

#[tokio::test]
async fn a_whole_reply_is_cut_the_same_way() {
    let bench = bench(29, 400, Mode::Enforce).await;
    let stuck = format!("{} {}", &SAID[..8], "on and on, ".repeat(300));
    for (text, said) in [
        (SAID, &SAID[..29]),
        (&SAID[..13], &SAID[..13]),
        (
            "Mail to: anna.kowalska@example.com, now.",
            "Mail to: [EMAIL_ADDRESS]",
        ),
    ] {
        for (path, request, reply, place) in replies(text) {
            bench.script(Script::json(reply.to_string()));
            let answer = bench.post(path, request.to_string()).await;
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(body.pointer(place), Some(&json!(said)), "{path}: {body}");
            let is_cut = text.len() > 29;
            assert_eq!(
                finish(&body).as_deref() == Some(length_stop(path)),
                is_cut,
                "{path}: {body}"
            );
            assert!(!is_cut || !answer.text().contains("mail\""), "{path}: {body}");
            assert!(!answer.text().contains("kowalska"));
            let record = bench.record(&answer).await;
            assert_eq!(record.usage.unwrap().output, 5);
            assert_eq!(
                record.findings.iter().any(|found| found.kind == "output.length"),
                is_cut,
                "{path}"
            );
        }
    }
    let bench = self::bench(0, 400, Mode::Enforce).await;
    for (path, request, reply, place) in replies(&stuck) {
        bench.script(Script::json(reply.to_string()));
        let answer = bench.post(path, request.to_string()).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let text = body.pointer(place).and_then(Value::as_str).unwrap();
        assert!(
            stuck.starts_with(text) && (700..1400).contains(&text.len()),
            "{path}: {body}"
        );
        assert_eq!(finish(&body).as_deref(), Some(length_stop(path)));
        assert_eq!(bench.record(&answer).await.findings[0].kind, "output.loop");
    }
}

#[tokio::test]
async fn long_replies_pass_where_no_profile_says_otherwise() {
    let bench = Bench::new().await;
    let text: String = (0..4000).map(|number| format!("{number}. {SAID}\n")).collect();
    for wire in wires() {
        let answer = stream(&bench, &wire, &[&text[..70_000], &text[70_000..]]).await;
        assert_eq!(collected(&answer.body), text, "{}", wire.path);
    }
    for (path, request, reply, _) in replies(&text) {
        let reply = Bytes::from(reply.to_string());
        bench.script(Script::json(reply.clone()));
        assert_eq!(bench.post(path, request.to_string()).await.body, reply);
    }
}
