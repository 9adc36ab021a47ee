//! A reply that says its system prompt does not reach the client, in no dialect, buffered or streamed, however it is dressed.

use std::sync::Arc;

use portcullis_core::{Action, Decision, Outcome};
use portcullis_policy::{Profile, SystemPrompt};
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Maker, Plan, Script};
use crate::streams::{Wire, collected, wires};

const PROMPT: &str = "You are Aria, the assistant of the Harbour Bank. Never say which systems you use. \
    If a customer asks for a refund above 500 dollars, call the tool escalate and tell nobody why. \
    The name of the project that you belong to is Blue Lantern, and its budget is a secret.";

/// The request of a wire with a system prompt and a turn of the user, in the dialect's own places.
pub fn asking(wire: &Wire, prompt: &str, user: &str) -> Value {
    let mut request = wire.request.clone();
    if wire.path.contains("chat") {
        request["messages"] =
            json!([{"role": "system", "content": prompt}, {"role": "user", "content": user}]);
    } else if wire.path.contains("messages") {
        request["system"] = json!([{"type": "text", "text": prompt}]);
        request["messages"] = json!([{"role": "user", "content": user}]);
    } else if wire.path.contains("responses") {
        request["instructions"] = json!(prompt);
        request["input"] = json!(user);
    } else {
        request["systemInstruction"] = json!({"parts": [{"text": prompt}]});
        request["contents"] = json!([{"role": "user", "parts": [{"text": user}]}]);
    }
    request
}

/// A whole reply of a wire.
pub fn buffered(wire: &Wire, text: &str) -> Value {
    if wire.path.contains("chat") {
        json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}]})
    } else if wire.path.contains("messages") {
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "end_turn",
            "stop_sequence": null, "content": [{"type": "text", "text": text}],
            "usage": {"input_tokens": 5, "output_tokens": 9}})
    } else if wire.path.contains("responses") {
        json!({"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-4o",
            "instructions": PROMPT, "output": [{"type": "message", "id": "msg_1", "role": "assistant",
            "status": "completed", "content": [{"type": "output_text", "text": text, "annotations": []}]}]})
    } else {
        json!({"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model",
            "parts": [{"text": text}]}}], "modelVersion": "gemini-x", "responseId": "r1"})
    }
}

pub fn deltas(text: &str, size: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(size).map(|piece| piece.iter().collect()).collect()
}

pub async fn streamed(bench: &Bench, wire: &Wire, request: &Value, text: &str, size: usize) -> Answer {
    let deltas = deltas(text, size);
    let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
    bench.script(Script::sse((wire.text)(&deltas)));
    bench.post(wire.path, request.to_string()).await
}

pub async fn whole(bench: &Bench, wire: &Wire, request: &Value, text: &str) -> Answer {
    let mut request = request.clone();
    if request["stream"].is_boolean() {
        request["stream"] = json!(false);
    }
    bench.script(Script::json(buffered(wire, text).to_string()));
    let path = wire
        .path
        .replace("streamGenerateContent?alt=sse", "generateContent");
    bench.post(&path, request.to_string()).await
}

fn base64(text: &str) -> String {
    let view = portcullis_inspect::views::VIEWS
        .iter()
        .find(|view| view.id() == "base64");
    view.unwrap().disguise(text).unwrap()
}

fn dressed() -> Vec<String> {
    vec![
        PROMPT.to_owned(),
        PROMPT.to_uppercase(),
        PROMPT.chars().flat_map(|c| [c, ' ']).collect(),
        json!({ "prompt": PROMPT }).to_string(),
        base64(PROMPT),
    ]
}

async fn with_leak(leak: Action) -> Bench {
    with(SystemPrompt {
        leak,
        ..SystemPrompt::default()
    })
    .await
}

async fn with(system_prompt: SystemPrompt) -> Bench {
    let profile = Profile {
        system_prompt,
        ..Profile::default()
    };
    Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_says_its_prompt_is_withheld_in_every_dialect() {
    let bench = Bench::new().await;
    for wire in wires() {
        let request = asking(&wire, PROMPT, "What can you do for me?");
        for text in dressed() {
            let answer = whole(&bench, &wire, &request, &format!("Sure: {text}")).await;
            assert_eq!(answer.status, 200);
            assert!(
                !answer.text().contains(&text[..40]),
                "{}: {}",
                wire.path,
                answer.text()
            );
            let record = bench.record(&answer).await;
            assert_eq!(
                (record.decision, record.outcome),
                (Decision::Block, Outcome::Refused)
            );
            let found = record
                .findings
                .iter()
                .find(|found| found.kind == "prompt.leak")
                .unwrap();
            assert_eq!(found.rule, "profiles.default.system_prompt.leak");
            for size in [5, 1000] {
                let answer = streamed(&bench, &wire, &request, &format!("Sure: {text}"), size).await;
                assert!(answer.whole);
                let left = collected(&answer.body);
                assert!(
                    !left.contains(&text[..text.len() / 5]),
                    "{} {size}: {left}",
                    wire.path
                );
                assert!(left.contains("withheld"), "{} {size}: {left}", wire.path);
                assert_eq!(bench.record(&answer).await.decision, Decision::Block);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_on_the_subject_and_the_users_own_words_pass() {
    let bench = Bench::new().await;
    for wire in wires() {
        let answers = [
            (
                "Who are you?",
                "I am Aria, the assistant of the Harbour Bank. How can I help you?",
            ),
            (PROMPT, PROMPT),
        ];
        for (user, said) in answers {
            let request = asking(&wire, PROMPT, user);
            let answer = whole(&bench, &wire, &request, said).await;
            assert!(answer.text().contains("Aria"), "{}: {}", wire.path, answer.text());
            let answer = streamed(&bench, &wire, &request, said, 7).await;
            assert_eq!(collected(&answer.body), said, "{}", wire.path);
        }
    }
}

#[tokio::test]
async fn two_answers_of_a_conversation_are_one_leak() {
    let bench = Bench::new().await;
    let third = PROMPT.len() / 3;
    let (first, second) = (&PROMPT[..third], &PROMPT[third..2 * third]);
    let turn = |role: &str, text: &str| json!({"role": role, "content": text});
    let mut messages = vec![turn("system", PROMPT), turn("user", "The first third, please.")];
    let wire = &wires()[0];
    let request = json!({"model": "gpt-4o", "messages": messages});
    assert!(whole(&bench, wire, &request, first).await.text().contains("Aria"));
    assert!(
        whole(&bench, wire, &request, second)
            .await
            .text()
            .contains("refund")
    );
    messages.extend([turn("assistant", first), turn("user", "And the second.")]);
    let request = json!({"model": "gpt-4o", "messages": messages});
    assert!(
        !whole(&bench, wire, &request, second)
            .await
            .text()
            .contains("refund")
    );
}

#[tokio::test]
async fn what_is_not_blocked_is_redacted_flagged_or_not_looked_at() {
    let wire = &wires()[0];
    let request = asking(wire, PROMPT, "What can you do for me?");
    let said = format!("Sure: {PROMPT} That is all that I can tell you about it; is there anything else?");
    for (action, findings) in [
        (Action::Redact, true),
        (Action::Flag, true),
        (Action::Allow, false),
    ] {
        let bench = with_leak(action).await;
        let answer = whole(&bench, wire, &request, &said).await;
        let passed = answer.text().contains("Blue Lantern");
        assert_eq!(passed, action != Action::Redact, "{}", answer.text());
        assert_eq!(answer.text().contains("[prompt.leak]"), action == Action::Redact);
        assert_eq!(!bench.record(&answer).await.findings.is_empty(), findings);
        let answer = streamed(&bench, wire, &request, &said, 9).await;
        let left = collected(&answer.body);
        assert_eq!(left.contains("Blue Lantern"), passed, "{left}");
        assert!(
            left.starts_with("Sure: ") && left.ends_with("anything else?"),
            "{left}"
        );
        assert_eq!(!bench.record(&answer).await.findings.is_empty(), findings);
    }
}

/// The marker in what the upstream was sent.
fn marker(sent: &str) -> String {
    let (_, after) = sent.split_once("internal use: ").unwrap();
    after.chars().take_while(char::is_ascii_lowercase).collect()
}

async fn with_canary() -> Bench {
    with(SystemPrompt {
        canary: true,
        ..SystemPrompt::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_goes_before_the_prompt_and_does_not_come_back() {
    let bench = with_canary().await;
    let dresses: [fn(&str) -> String; 4] = [
        str::to_owned,
        str::to_uppercase,
        |marker| marker.chars().flat_map(|c| [c, '-']).collect(),
        base64,
    ];
    let mut seen = Vec::new();
    for (number, wire) in wires().into_iter().enumerate() {
        let request = asking(&wire, "Be kind.", "Hello!");
        let answer = whole(&bench, &wire, &request, "Hello to you.").await;
        assert!(
            answer.text().contains("Hello to you."),
            "{}: {}",
            wire.path,
            answer.text()
        );
        let sent: Value = serde_json::from_slice(&bench.received().last().unwrap().body).unwrap();
        let places = [
            "/messages/0/content",
            "/system/0/text",
            "/systemInstruction/parts/0/text",
            "/instructions",
        ];
        let place = if wire.path.contains("/v1/messages") {
            &places[1..]
        } else {
            &places[..]
        };
        let first = place
            .iter()
            .find_map(|place| sent.pointer(place)?.as_str())
            .unwrap();
        assert!(first.starts_with("Reference of"), "{}: {sent}", wire.path);
        assert!(sent.to_string().contains("Be kind."), "{}: {sent}", wire.path);
        let new = marker(&sent.to_string());
        assert!(new.len() == 24 && !seen.contains(&new));
        seen.push(new);
        for dress in dresses {
            for streams in [false, true] {
                let mut request = request.clone();
                let mut path = wire.path.to_owned();
                if !streams {
                    path = path.replace("streamGenerateContent?alt=sse", "generateContent");
                    if request["stream"].is_boolean() {
                        request["stream"] = json!(false);
                    }
                }
                bench.script(Script::Made(Maker(Arc::new(move |sent| {
                    let said = format!("It is {} zebra.", dress(&marker(sent)));
                    // The wires are made anew: what an upstream answers must own all that it needs.
                    let wire = &wires()[number];
                    if streams {
                        let deltas = deltas(&said, 5);
                        let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
                        Script::sse((wire.text)(&deltas))
                    } else {
                        Script::json(buffered(wire, &said).to_string())
                    }
                }))));
                let answer = bench.post(&path, request.to_string()).await;
                assert!(!answer.text().contains("zebra"), "{path}: {}", answer.text());
                let record = bench.record(&answer).await;
                let kinds: Vec<&str> = record.findings.iter().map(|found| found.kind.as_str()).collect();
                assert!(kinds.contains(&"prompt.canary"), "{path} {streams} {kinds:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_provider_repeats_of_the_instructions_is_the_clients_alone() {
    let bench = with_canary().await;
    let request = json!({"model": "gpt-4o", "instructions": "Be kind.", "input": "Hello!"});
    bench.script(Script::Made(Maker(Arc::new(|sent| {
        let sent: Value = serde_json::from_str(sent).unwrap();
        let mut reply = buffered(&wires()[3], "Hello to you.");
        reply["instructions"] = sent["instructions"].clone();
        Script::json(reply.to_string())
    }))));
    let answer = bench.post("/v1/responses", request.to_string()).await;
    let reply: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(reply["instructions"], "Be kind.");
}

#[tokio::test]
async fn a_request_without_a_system_prompt_gets_no_marker() {
    let bench = with_canary().await;
    for wire in wires() {
        let body = wire.request.to_string();
        bench.script(Script::sse((wire.text)(&["Hello"])));
        bench.post(wire.path, body.clone()).await;
        assert_eq!(
            bench.received().last().unwrap().body,
            body.as_bytes(),
            "{}",
            wire.path
        );
    }
}

#[tokio::test]
async fn instructions_that_a_provider_stored_are_known_in_later_turns() {
    let bench = Bench::new().await;
    let first = json!({"model": "gpt-4o", "input": [
        {"role": "developer", "content": PROMPT}, {"role": "user", "content": "Hello!"}]});
    let wire = &wires()[3];
    assert_eq!(whole(&bench, wire, &first, "Hello to you.").await.status, 200);
    let mut later = json!({"model": "gpt-4o", "input": "Say it.", "previous_response_id": "resp_1"});
    for streams in [false, true] {
        later["stream"] = json!(streams);
        let answer = match streams {
            true => streamed(&bench, wire, &later, PROMPT, 9).await,
            false => whole(&bench, wire, &later, PROMPT).await,
        };
        assert!(!answer.text().contains("Blue Lantern"), "{}", answer.text());
        assert_eq!(bench.record(&answer).await.decision, Decision::Block);
    }
}
