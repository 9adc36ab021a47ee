//! Each choice of a stream goes its own way: what one holds back does not hold the others, a stream that ends early ends all of
//! them, and a tool call is shown whole or not at all.

use bytes::Bytes;
use portcullis_core::Action;
use portcullis_policy::{OutputActions, Profile};
use serde_json::{Value, json};

use crate::bench::{Answer, Bench, Plan, Script};
use crate::recorded::Events;

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";
const GEMINI: &str = "/v1beta/models/gemini-x:streamGenerateContent?alt=sse";
const PATHS: [&str; 3] = [CHAT, COMPLETIONS, GEMINI];

fn request(path: &str) -> String {
    let user = json!([{"role": "user", "content": "x"}]);
    match path {
        CHAT => json!({"model": "gpt-4o", "messages": user, "stream": true, "n": 2}),
        COMPLETIONS => json!({"model": "gpt-4o", "prompt": "x", "stream": true, "n": 2}),
        "/v1/responses" => json!({"model": "gpt-4o", "input": "x", "stream": true}),
        _ => json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]}),
    }
    .to_string()
}

fn chunk(choices: &Value) -> Value {
    json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o", "choices": choices})
}

fn delta(index: u32, delta: &Value) -> Value {
    chunk(&json!([{"index": index, "delta": delta, "finish_reason": null}]))
}

fn said(path: &str, index: u32, text: &str) -> Value {
    match path {
        CHAT => delta(index, &json!({"content": text})),
        COMPLETIONS => chunk(&json!([{"index": index, "text": text, "finish_reason": null}])),
        _ => {
            json!({"candidates": [{"index": index, "content": {"role": "model", "parts": [{"text": text}]}}],
            "modelVersion": "gemini-x", "responseId": "r1"})
        }
    }
}

fn finish(path: &str, index: u32) -> Value {
    match path {
        CHAT => chunk(&json!([{"index": index, "delta": {}, "finish_reason": "stop"}])),
        COMPLETIONS => chunk(&json!([{"index": index, "text": "", "finish_reason": "stop"}])),
        _ => json!({"candidates": [{"index": index, "finishReason": "STOP"}], "responseId": "r1"}),
    }
}

fn usage(path: &str) -> Value {
    match path {
        CHAT | COMPLETIONS => {
            let mut usage = chunk(&json!([]));
            usage["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12});
            usage
        }
        _ => {
            json!({"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 9, "totalTokenCount": 12}})
        }
    }
}

fn sse(events: &[Value]) -> Bytes {
    let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    Bytes::from(events)
}

fn events(answer: &Answer) -> Vec<Value> {
    assert!(answer.whole, "{}", answer.text());
    let all = Events::of(&answer.body);
    let data = all.data();
    data.map(|(_, data)| serde_json::from_slice(data).unwrap())
        .collect()
}

/// What each event says: the choice, and its text or why it finished.
fn told(answer: &Answer) -> Vec<(u64, String)> {
    let mut told = Vec::new();
    for event in events(answer) {
        let choices = event.get("choices").or(event.get("candidates"));
        for choice in choices
            .into_iter()
            .flat_map(|choices| choices.as_array().unwrap())
        {
            let places = [
                "/delta/content",
                "/text",
                "/content/parts/0/text",
                "/finish_reason",
                "/finishReason",
            ];
            let texts = places
                .iter()
                .filter_map(|place| choice.pointer(place).and_then(Value::as_str));
            for text in texts.filter(|text| !text.is_empty()) {
                told.push((choice["index"].as_u64().unwrap(), text.to_owned()));
            }
        }
    }
    told
}

fn text_of(told: &[(u64, String)], index: u64) -> String {
    told.iter()
        .filter(|(of, _)| *of == index)
        .map(|(_, text)| text.as_str())
        .collect()
}

async fn stream(bench: &Bench, path: &str, upstream: impl Into<Bytes>) -> Answer {
    bench.script(Script::sse(upstream));
    bench.post(path, request(path)).await
}

#[tokio::test]
async fn a_choice_that_is_held_does_not_hold_another() {
    let bench = Bench::new().await;
    for path in PATHS {
        let upstream = [
            said(path, 0, "Mail anna.kowalska@"),
            said(path, 1, "Hello "),
            said(path, 1, "there, world. "),
            said(path, 0, "example.com now. "),
            said(path, 1, "Bye. "),
            finish(path, 0),
            said(path, 1, "Or not. "),
            finish(path, 1),
            usage(path),
        ];
        let answer = stream(&bench, path, sse(&upstream)).await;
        let told = told(&answer);
        let (place, _) = told
            .iter()
            .enumerate()
            .find(|(_, (_, text))| text.contains("EMAIL"))
            .unwrap();
        let before = text_of(&told[..place], 1);
        assert_eq!(before, "Hello there, world. ", "{path}: {told:?}");
        let stop = if path == GEMINI { "STOP" } else { "stop" };
        assert_eq!(
            text_of(&told, 0),
            format!("Mail [EMAIL_ADDRESS] now. {stop}"),
            "{path}"
        );
        assert_eq!(
            text_of(&told, 1),
            format!("Hello there, world. Bye. Or not. {stop}"),
            "{path}"
        );
        // What is about all of them comes last.
        let last = events(&answer).pop().unwrap();
        assert!(
            last.get("usage").or(last.get("usageMetadata")).is_some(),
            "{path}: {last}"
        );
    }
}

#[tokio::test]
async fn what_is_about_all_choices_stays_where_it_is_among_their_events() {
    let bench = Bench::new().await;
    for path in PATHS {
        let key = if path == GEMINI { "candidates" } else { "choices" };
        let mut both = said(path, 0, " and anna.kowalska@");
        let other = said(path, 1, "two ");
        both[key].as_array_mut().unwrap().push(other[key][0].clone());
        let upstream = [
            said(path, 0, "one "),
            both,
            said(path, 1, "three "),
            said(path, 0, "example.com "),
            said(path, 1, "four "),
            finish(path, 1),
            finish(path, 0),
        ];
        let answer = stream(&bench, path, sse(&upstream)).await;
        let told = told(&answer);
        let stop = if path == GEMINI { "STOP" } else { "stop" };
        assert_eq!(
            text_of(&told, 0),
            format!("one  and [EMAIL_ADDRESS] {stop}"),
            "{path}"
        );
        assert_eq!(text_of(&told, 1), format!("two three four {stop}"), "{path}");
    }
}

#[tokio::test]
async fn a_cut_stream_ends_every_choice_that_is_open() {
    let mut profile = Profile::default();
    profile.pii.output = Action::Block;
    let bench = Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await;
    for path in PATHS {
        let upstream = [
            said(path, 0, "2 + 2 = 4. \n"),
            said(path, 1, "Two. "),
            finish(path, 1),
            // Nothing of this one leaves before the stream is cut.
            said(path, 2, "Mail anna.kowalska@exam"),
            said(path, 3, "anna.kowalska@example.com or "),
            said(path, 3, "never."),
        ];
        let answer = stream(&bench, path, sse(&upstream)).await;
        let told = told(&answer);
        assert!(!answer.text().contains("anna"), "{path}: {}", answer.text());
        let (stop, filtered) = if path == GEMINI {
            ("STOP", "SAFETY")
        } else {
            ("stop", "content_filter")
        };
        let withheld = "The reply was withheld by the content policy.";
        assert_eq!(
            text_of(&told, 0),
            format!("2 + 2 = 4. \n{withheld}{filtered}"),
            "{path}"
        );
        assert_eq!(text_of(&told, 1), format!("Two. {stop}"), "{path}");
        assert_eq!(text_of(&told, 2), format!("Mail {withheld}{filtered}"), "{path}");
        assert_eq!(text_of(&told, 3), format!("{withheld}{filtered}"), "{path}");
        if path == CHAT {
            // Official SDKs refuse a choice that never says its role.
            let role = events(&answer)
                .into_iter()
                .find(|event| event["choices"][0]["index"] == 3)
                .unwrap();
            assert_eq!(role["choices"][0]["delta"]["role"], "assistant");
        }
    }
}

#[tokio::test]
async fn a_limit_ends_every_choice_that_is_open() {
    let output = OutputActions {
        max_chars: 30,
        ..OutputActions::default()
    };
    let profile = Profile {
        output,
        ..Profile::default()
    };
    let bench = Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await;
    for path in PATHS {
        let upstream = [
            said(path, 0, "Ten chars "),
            said(path, 1, "Ten more, "),
            said(path, 2, "End. "),
            finish(path, 2),
            said(path, 1, "and enough of it."),
            said(path, 0, "Never."),
        ];
        let answer = stream(&bench, path, sse(&upstream)).await;
        let told = told(&answer);
        let (stop, length) = if path == GEMINI {
            ("STOP", "MAX_TOKENS")
        } else {
            ("stop", "length")
        };
        assert_eq!(text_of(&told, 0), format!("Ten chars {length}"), "{path}");
        assert!(text_of(&told, 1).starts_with("Ten more, "), "{path}");
        assert!(text_of(&told, 1).ends_with(length), "{path}");
        assert_eq!(text_of(&told, 2), format!("End. {stop}"), "{path}");
    }
}

#[tokio::test]
async fn a_stuck_choice_is_seen_among_any_number_of_them() {
    let output = OutputActions {
        max_repeated: 400,
        ..OutputActions::default()
    };
    let profile = Profile {
        output,
        ..Profile::default()
    };
    let bench = Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await;
    for path in PATHS {
        let mut upstream = Vec::new();
        for round in 0..40 {
            for choice in 0..40 {
                let line = match choice {
                    23 => "and then we go on and on and further, round and round. ".to_owned(),
                    _ => format!(
                        "Line {round} of choice {choice} has a number, {}. ",
                        round * 7919 + choice
                    ),
                };
                upstream.push(said(path, choice, &line));
            }
        }
        let answer = stream(&bench, path, sse(&upstream)).await;
        let told = told(&answer);
        let length = if path == GEMINI { "MAX_TOKENS" } else { "length" };
        for choice in 0..40 {
            let text = text_of(&told, choice);
            assert!(
                text.ends_with(length) && text.len() < 2200,
                "{path} {choice}: {text}"
            );
        }
        let found = &bench.record(&answer).await.findings;
        assert_eq!(found.last().unwrap().kind, "output.loop", "{path}");
    }
}

/// Streams in which a tool is called with those arguments, in pieces, in every way that the name can come.
fn calls(pieces: &[&str]) -> Vec<(&'static str, Vec<Value>)> {
    let call = |call: Value| delta(0, &json!({"tool_calls": [call]}));
    let more = |text: &&str| call(json!({"index": 0, "function": {"arguments": text}}));
    let chat = |first: Value| -> Vec<Value> {
        [call(first)]
            .into_iter()
            .chain(pieces.iter().map(more))
            .chain([finish(CHAT, 0)])
            .collect()
    };
    let old = |text: &&str| delta(0, &json!({"function_call": {"arguments": text}}));
    let legacy = [delta(
        0,
        &json!({"role": "assistant", "content": null, "function_call": {"name": "mail_tool"}}),
    )];
    let with_text = delta(
        0,
        &json!({"content": "I write. ", "tool_calls": [{"index": 0, "id": "call_1", "type": "function",
        "function": {"name": "mail_tool", "arguments": ""}}]}),
    );
    let gemini = |part: Value| json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}}], "responseId": "r1"});
    let part = |text: &&str| {
        gemini(
            json!({"functionCall": {"partialArgs": [{"jsonPath": "$.to", "stringValue": text}], "willContinue": true}}),
        )
    };
    let response = |status: &str| json!({"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "gpt-4o", "output": []});
    let mut responses = vec![
        json!({"type": "response.created", "response": response("in_progress")}),
        json!({"type": "response.output_item.added", "output_index": 0,
            "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "mail_tool", "arguments": ""}}),
    ];
    responses.extend(pieces.iter().map(|text| {
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 0, "delta": text})
    }));
    responses.push(json!({"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 0, "name": "mail_tool", "arguments": pieces.concat()}));
    responses.push(json!({"type": "response.output_item.done", "output_index": 0,
        "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "mail_tool", "arguments": pieces.concat()}}));
    responses.push(json!({"type": "response.completed", "response": response("completed")}));
    for (number, event) in responses.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    vec![
        (
            CHAT,
            chat(
                json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "mail_tool", "arguments": ""}}),
            ),
        ),
        (
            CHAT,
            chat(json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "mail_tool"}})),
        ),
        (
            CHAT,
            [with_text]
                .into_iter()
                .chain(pieces.iter().map(more))
                .chain([finish(CHAT, 0)])
                .collect(),
        ),
        (
            CHAT,
            legacy
                .into_iter()
                .chain(pieces.iter().map(old))
                .chain([finish(CHAT, 0)])
                .collect(),
        ),
        (
            GEMINI,
            [gemini(
                json!({"functionCall": {"name": "mail_tool", "willContinue": true}}),
            )]
            .into_iter()
            .chain(pieces.iter().map(part))
            .chain([gemini(json!({"functionCall": {}})), finish(GEMINI, 0)])
            .collect(),
        ),
        ("/v1/responses", responses),
    ]
}

#[tokio::test]
async fn a_tool_call_is_shown_with_its_arguments_judged_or_not_at_all() {
    let whole = Bench::new().await;
    let mut profile = Profile::default();
    profile.pii.output = Action::Block;
    let blocked = Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await;
    let output = OutputActions {
        max_chars: 20,
        ..OutputActions::default()
    };
    let profile = Profile {
        output,
        ..Profile::default()
    };
    let limited = Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await;
    let pieces = [r#"{"to":"anna.kowal"#, r#"ska@example.com"}"#];
    for (path, upstream) in calls(&pieces) {
        let answer = stream(&whole, path, sse(&upstream)).await;
        assert!(
            answer.whole && answer.text().contains("mail_tool"),
            "{path}: {}",
            answer.text()
        );
        assert!(
            answer.text().contains("[EMAIL_ADDRESS]") && !answer.text().contains("anna"),
            "{}",
            answer.text()
        );
        for bench in [&blocked, &limited] {
            let answer = stream(bench, path, sse(&upstream)).await;
            let text = answer.text();
            assert!(
                answer.whole && !text.contains("mail_tool") && !text.contains("anna"),
                "{path}: {text}"
            );
            events(&answer);
        }
        // A stream that breaks before the arguments are whole.
        let begun = sse(&upstream[..upstream.len() - 3]);
        whole.script(Script::Broken(vec![begun]));
        let answer = whole.post(path, request(path)).await;
        assert!(
            !answer.text().contains("mail_tool") && answer.text().contains("error"),
            "{path}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn text_beside_a_tool_call_comes_with_it() {
    let bench = Bench::new().await;
    for pieces in [&[][..], &["{}"], &[r#"{"to":"#, r#""all"}"#]] {
        for (path, upstream) in calls(pieces) {
            let sent = sse(&upstream);
            let answer = stream(&bench, path, sent.clone()).await;
            assert_eq!(answer.body, sent, "{path}");
        }
    }
}
