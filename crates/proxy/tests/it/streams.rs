//! The law of streams: for every way of cutting a reply, what leaves is what redacting the whole reply would give. As nothing
//! that has left can be taken back, no prefix of a redacted value has left either.

use std::collections::BTreeMap;

use bytes::Bytes;
use portcullis_core::{Action, Decision, Glob, Outcome};
use portcullis_policy::{Links, Mode, Profile};
use serde_json::{Value, json};

use crate::bench::{Bench, Plan, Script};
use crate::recorded::{Events, cases};

/// A streaming endpoint, how its deltas are written, and where they are read.
pub struct Wire {
    pub path: &'static str,
    pub request: Value,
    pub text: fn(&[&str]) -> String,
    pub arguments: fn(&[&str]) -> String,
}

fn sse(events: &[Value]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn named(events: &[Value]) -> String {
    events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
        .collect()
}

fn chat_chunk(delta: &Value, finish: &Value) -> Value {
    json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
}

fn chat_text(deltas: &[&str]) -> String {
    let mut events = vec![chat_chunk(
        &json!({"role": "assistant", "content": ""}),
        &Value::Null,
    )];
    events.extend(
        deltas
            .iter()
            .map(|text| chat_chunk(&json!({"content": text}), &Value::Null)),
    );
    events.push(chat_chunk(&json!({}), &json!("stop")));
    sse(&events) + "data: [DONE]\n\n"
}

fn chat_arguments(deltas: &[&str]) -> String {
    let call = |call: Value| json!({"tool_calls": [call]});
    let first = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "mail", "arguments": ""}});
    let mut events = vec![chat_chunk(&call(first), &Value::Null)];
    let delta = |text: &&str| {
        chat_chunk(
            &call(json!({"index": 0, "function": {"arguments": text}})),
            &Value::Null,
        )
    };
    events.extend(deltas.iter().map(delta));
    events.push(chat_chunk(&json!({}), &json!("tool_calls")));
    sse(&events) + "data: [DONE]\n\n"
}

fn messages(block: &Value, deltas: Vec<Value>) -> String {
    let mut events = vec![
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
            "content": [], "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 5, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
    ];
    events.extend(
        deltas
            .into_iter()
            .map(|delta| json!({"type": "content_block_delta", "index": 0, "delta": delta})),
    );
    events.push(json!({"type": "content_block_stop", "index": 0}));
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 9}}));
    events.push(json!({"type": "message_stop"}));
    named(&events)
}

fn messages_text(deltas: &[&str]) -> String {
    let deltas = deltas
        .iter()
        .map(|text| json!({"type": "text_delta", "text": text}))
        .collect();
    messages(&json!({"type": "text", "text": ""}), deltas)
}

fn messages_arguments(deltas: &[&str]) -> String {
    let deltas = deltas
        .iter()
        .map(|text| json!({"type": "input_json_delta", "partial_json": text}))
        .collect();
    messages(
        &json!({"type": "tool_use", "id": "toolu_1", "name": "mail", "input": {}}),
        deltas,
    )
}

fn gemini_text(deltas: &[&str]) -> String {
    let chunk = |text: &str, finish: Option<&str>| {
        let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": [{"text": text}]}});
        if let Some(finish) = finish {
            candidate["finishReason"] = json!(finish);
        }
        json!({"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r1"})
    };
    let mut events: Vec<Value> = deltas.iter().map(|text| chunk(text, None)).collect();
    events.push(chunk("", Some("STOP")));
    sse(&events)
}

fn responses_text(deltas: &[&str]) -> String {
    let whole = deltas.concat();
    let item = |text: &str| {
        json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}]})
    };
    let response = |status: &str, output: Value| json!({"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "gpt-4o", "output": output});
    let at = |kind: &str| json!({"type": kind, "item_id": "msg_1", "output_index": 0, "content_index": 0});
    let mut events = vec![
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}}),
    ];
    for text in deltas {
        let mut event = at("response.output_text.delta");
        event["delta"] = json!(text);
        events.push(event);
    }
    let mut done = at("response.output_text.done");
    done["text"] = json!(whole);
    events.push(done);
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": item(&whole)}));
    events.push(
        json!({"type": "response.completed", "response": response("completed", json!([item(&whole)]))}),
    );
    for (number, event) in events.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    named(&events)
}

pub fn wires() -> Vec<Wire> {
    let user = json!([{"role": "user", "content": "x"}]);
    vec![
        Wire {
            path: "/v1/chat/completions",
            request: json!({"model": "gpt-4o", "messages": user, "stream": true}),
            text: chat_text,
            arguments: chat_arguments,
        },
        Wire {
            path: "/v1/messages",
            request: json!({"model": "claude-x", "max_tokens": 9, "messages": user, "stream": true}),
            text: messages_text,
            arguments: messages_arguments,
        },
        Wire {
            path: "/v1beta/models/gemini-x:streamGenerateContent?alt=sse",
            request: json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]}),
            text: gemini_text,
            arguments: gemini_text,
        },
        Wire {
            path: "/v1/responses",
            request: json!({"model": "gpt-4o", "input": "x", "stream": true}),
            text: responses_text,
            arguments: responses_text,
        },
    ]
}

/// The text of all deltas of a stream, as a client puts it together: choice by choice.
pub fn collected(stream: &Bytes) -> String {
    let mut choices: BTreeMap<u64, String> = BTreeMap::new();
    for (_, data) in Events::of(stream).data() {
        let event: Value = serde_json::from_slice(data).unwrap();
        let places = [
            "/choices/0/delta/content",
            "/choices/0/delta/tool_calls/0/function/arguments",
            "/delta/text",
            "/delta/partial_json",
            "/candidates/0/content/parts/0/text",
            "/delta",
        ];
        if let Some(text) = places
            .iter()
            .find_map(|place| event.pointer(place).and_then(Value::as_str))
        {
            let index = ["/choices/0/index", "/candidates/0/index"];
            let index = index.iter().find_map(|place| event.pointer(place)?.as_u64());
            choices.entry(index.unwrap_or(0)).or_default().push_str(text);
        }
    }
    choices.into_values().collect()
}

/// All ways to cut a text into three, at characters.
pub fn cuts(text: &str) -> Vec<Vec<&str>> {
    let marks: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let mut cuts = vec![
        text.char_indices()
            .map(|(at, c)| &text[at..at + c.len_utf8()])
            .collect(),
    ];
    for (number, a) in marks.iter().enumerate() {
        for b in marks.iter().skip(number).step_by(7) {
            cuts.push(vec![&text[..*a], &text[*a..*b], &text[*b..]]);
        }
    }
    cuts
}

const SAID: &str = "Mail Anna: anna.kowalska@example.com, or \"b\u{e9}a@example.org\".";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cut_of_a_text_gives_what_redacting_the_whole_gives() {
    let bench = Bench::new().await;
    for wire in wires() {
        // What the whole text in one delta gives is the measure; the rules have tests of their own.
        bench.script(Script::sse((wire.text)(&[SAID])));
        let whole = collected(&bench.post(wire.path, wire.request.to_string()).await.body);
        assert!(
            whole.starts_with("Mail Anna: [EMAIL_ADDRESS], or"),
            "{}: {whole}",
            wire.path
        );
        for deltas in cuts(SAID) {
            bench.script(Script::sse((wire.text)(&deltas)));
            let answer = bench.post(wire.path, wire.request.to_string()).await;
            assert!(answer.whole);
            assert!(
                !answer.text().contains("kowalska"),
                "{} {deltas:?}: {}",
                wire.path,
                answer.text()
            );
            assert_eq!(collected(&answer.body), whole, "{} {deltas:?}", wire.path);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cut_of_the_bytes_gives_the_same_events() {
    let bench = Bench::new().await;
    for wire in wires() {
        let stream = Bytes::from((wire.text)(&["Mail anna", ".kowalska@exam", "ple.com now"]));
        bench.script(Script::sse(stream.clone()));
        let whole = bench.post(wire.path, wire.request.to_string()).await;
        // Every cut of the framing itself is tested where it is done; here, that nothing behind it depends on pieces.
        for at in (0..stream.len()).step_by(11) {
            bench.script(Script::Pieces(vec![stream.slice(..at), stream.slice(at..)]));
            let answer = bench.post(wire.path, wire.request.to_string()).await;
            assert_eq!(answer.text(), whole.text(), "{} cut at {at}", wire.path);
        }
    }
}

#[tokio::test]
async fn tool_arguments_are_held_until_they_are_whole_and_stay_json() {
    let bench = Bench::new().await;
    let arguments =
        json!({"to": "anna.kowalska@example.com", "body": "Hi \"Anna\"\n", "n": 1.50}).to_string();
    for wire in wires().into_iter().take(2) {
        for deltas in cuts(&arguments).into_iter().step_by(3) {
            bench.script(Script::sse((wire.arguments)(&deltas)));
            let answer = bench.post(wire.path, wire.request.to_string()).await;
            let left = collected(&answer.body);
            assert_eq!(
                left,
                arguments.replace("anna.kowalska@example.com", "[EMAIL_ADDRESS]"),
                "{} {deltas:?}",
                wire.path
            );
        }
    }
}

#[tokio::test]
async fn a_stream_with_nothing_to_change_is_passed_on_byte_for_byte() {
    let bench = Bench::new().await;
    for case in cases() {
        let (Some(stream), Some(request)) = (&case.stream, &case.request) else {
            continue;
        };
        let profile = Profile {
            mode: Mode::Observe,
            ..Profile::default()
        };
        bench.server.swap({
            let settings = portcullis_proxy::Settings {
                profiles: vec![profile],
                ..bench.settings()
            };
            portcullis_proxy::Gateway::new(
                settings,
                crate::bench::inspector(),
                std::sync::Arc::clone(&bench.services),
            )
            .unwrap()
        });
        let document = portcullis_dialect::Document::read(request.clone()).unwrap();
        for state in case.exchange.call(&document, &[case.parameter()]).unwrap().state {
            let upstream = case.exchange.api().name();
            bench
                .store
                .remember_owned(state.kind, &state.id, &bench.key_id, upstream, None, 1)
                .await
                .unwrap();
        }
        bench.script(Script::sse(stream.clone()));
        let answer = bench.post(&case.path(), request.clone()).await;
        // A delta may leave in two events; put together, they are the same text.
        assert_eq!(collected(&answer.body), collected(stream), "{}", case.name);
        assert!(answer.whole, "{}", case.name);
    }
}

#[tokio::test]
async fn what_is_held_of_a_delta_leaves_with_the_next_one() {
    let bench = Bench::new().await;
    let said = "The parcel for Anna Kowalska left Gdynia on Monday; write to anna.kowalska@example.com or to the desk, not to me.";
    for size in [4, 11, 40] {
        let letters: Vec<char> = said.chars().collect();
        let deltas: Vec<String> = letters.chunks(size).map(|some| some.iter().collect()).collect();
        let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
        for wire in wires() {
            let stream = Bytes::from((wire.text)(&deltas));
            bench.script(Script::sse(stream.clone()));
            let answer = bench.post(wire.path, wire.request.to_string()).await;
            let text = collected(&answer.body);
            assert!(
                text.contains("write to [EMAIL_ADDRESS] or to the desk, not to me."),
                "{text}"
            );
            let (came, left) = (
                Events::of(&stream).data().count(),
                Events::of(&answer.body).data().count(),
            );
            // Nothing but the end may need an event of its own.
            assert!(left <= came + 1, "{}: {came} events came, {left} left", wire.path);
        }
    }
}

#[tokio::test]
async fn values_come_back_in_a_stream_to_who_sent_them() {
    let bench = Bench::new().await;
    let request = json!({"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "Mail anna.kowalska@example.com"}]});
    let masked = bench
        .placeholder("/v1/chat/completions", &request.to_string(), "EMAIL_ADDRESS")
        .await;
    let said = format!("Sent to {masked}, not to [EMAIL_ADDRESS_2].");
    for deltas in cuts(&said) {
        bench.script(Script::sse(chat_text(&deltas)));
        let answer = bench.post("/v1/chat/completions", request.to_string()).await;
        assert_eq!(
            collected(&answer.body),
            "Sent to anna.kowalska@example.com, not to [EMAIL_ADDRESS_2].",
            "{deltas:?}"
        );
    }
}

/// Texts of values and of what could be taken for a part of a placeholder, and where their replies are cut.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // xorshift64: the same texts on every run.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn text(&mut self) -> String {
        const PIECES: &[&str] = &[
            "anna.kowalska@example.com",
            "o.brien@mail.example.org",
            "4111 1111 1111 1111",
            "DE89 3704 0044 0532 0130 00",
            " ",
            ", ",
            "\n",
            " [",
            "] ",
            "] [",
            "\\ ",
            " \\[",
            "** ",
            " \"",
            "\" ",
            " EMAIL_ADDRESS_1_ ",
            "[EMAIL_ADDRESS_1] ",
            " [EMAIL_",
            " email address 1 ",
            " [CREDIT_CARD_",
            "1_",
            " né ",
            " 漢字 ",
            "]",
            "[",
        ];
        (0..=self.roll(12))
            .map(|_| PIECES[self.roll(PIECES.len())])
            .collect::<Vec<_>>()
            .join("")
    }

    fn cut<'a>(&mut self, mut text: &'a str) -> Vec<&'a str> {
        let most = 1 + self.roll(9);
        let mut pieces = Vec::new();
        while !text.is_empty() {
            let length = text
                .char_indices()
                .nth(1 + self.roll(most))
                .map_or(text.len(), |(at, _)| at);
            let (piece, rest) = text.split_at(length);
            pieces.push(piece);
            text = rest;
        }
        pieces
    }
}

/// The law of masks: what a model repeats comes back to who sent it as it was, whatever stands around it and however the
/// reply is cut. `PORTCULLIS_CASES` says on how many texts; each is said by every dialect.
#[tokio::test]
async fn what_was_masked_comes_back_as_it_was_however_the_reply_is_cut() {
    let cases = std::env::var("PORTCULLIS_CASES").map_or(30, |cases| cases.parse().unwrap());
    let bench = Bench::new().await;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut masked = 0;
    for _ in 0..cases {
        let text = dice.text();
        for wire in wires() {
            let request = wire
                .request
                .to_string()
                .replace("\"x\"", &json!(text).to_string());
            bench.script(Script::sse((wire.text)(&["ok"])));
            bench.post(wire.path, request.clone()).await;
            let sent = bench.last_sent();
            let said = ["/messages/0/content", "/contents/0/parts/0/text", "/input"]
                .iter()
                .find_map(|place| sent.pointer(place).and_then(Value::as_str))
                .unwrap();
            masked += usize::from(said != text);
            bench.script(Script::sse((wire.text)(&dice.cut(said))));
            let answer = bench.post(wire.path, request.clone()).await;
            assert_eq!(collected(&answer.body), text, "{}: {said:?}", wire.path);
            // A model that guesses what a placeholder stands for tells the client nothing that it did not say itself.
            bench.script(Script::sse((wire.text)(&dice.cut(&text))));
            let answer = bench.post(wire.path, request).await;
            assert_eq!(
                collected(&answer.body),
                text,
                "{}: the values themselves",
                wire.path
            );
        }
    }
    assert!(masked > cases, "most texts hold values");
}

#[tokio::test]
async fn a_blocked_stream_ends_with_the_dialects_own_refusal() {
    let mut profile = Profile::default();
    profile.pii.output = Action::Block;
    let bench = Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await;
    let ends = [
        "\"finish_reason\":\"content_filter\"",
        "\"stop_reason\":\"refusal\"",
        "\"finishReason\":\"SAFETY\"",
        "\"reason\":\"content_filter\"",
    ];
    for (wire, end) in wires().into_iter().zip(ends) {
        bench.script(Script::sse((wire.text)(&[
            "Mail ",
            "anna.kowalska@exam",
            "ple.com now",
            " or never",
        ])));
        let answer = bench.post(wire.path, wire.request.to_string()).await;
        assert!(
            answer.whole && answer.text().contains(end),
            "{}: {}",
            wire.path,
            answer.text()
        );
        assert!(
            !answer.text().contains("anna") && !answer.text().contains("never"),
            "{}",
            answer.text()
        );
        for (_, data) in Events::of(&answer.body).data() {
            serde_json::from_slice::<Value>(data).unwrap();
        }
        let record = bench.record(&answer).await;
        assert_eq!(
            (record.outcome, record.decision),
            (Outcome::Refused, Decision::Block)
        );
    }
}

#[tokio::test]
async fn a_stream_that_breaks_breaks_and_what_was_held_is_not_sent() {
    let bench = Bench::new().await;
    for wire in wires() {
        let stream = (wire.text)(&["Mail ", "anna.kowalska@example.c"]);
        let cut = stream.find("example.c").unwrap() + 20;
        bench.script(Script::Broken(vec![Bytes::from(stream[..cut].to_owned())]));
        let answer = bench.post(wire.path, wire.request.to_string()).await;
        assert!(
            answer.text().contains("upstream_error"),
            "a truncated stream must not look whole: {}",
            answer.text()
        );
        assert!(!answer.text().contains("anna"), "{}", answer.text());
        assert_eq!(bench.record(&answer).await.outcome, Outcome::UpstreamFailed);
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_read_ends_the_stream() {
    let bench = Bench::new().await;
    for bad in ["data: not json\n\n", "data: {\"a\":1,\"a\":2}\n\n"] {
        bench.script(Script::sse(format!("{bad}{}", chat_text(&["Hi"]))));
        let request =
            json!({"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "x"}]});
        let answer = bench.post("/v1/chat/completions", request.to_string()).await;
        assert!(
            answer.text().contains("upstream_error") && !answer.text().contains("Hi"),
            "{bad}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_stream_that_its_client_leaves_has_its_record_and_frees_its_place() {
    let bench = Bench::new().await;
    bench.script(Script::sse(chat_text(&["Hi ", "there"])));
    let body = json!({"model": "gpt-4o", "stream": true, "messages": [{"role": "user", "content": "x"}]});
    let request = bench
        .request("POST", "/v1/chat/completions")
        .header("content-type", "application/json");
    let response = bench
        .begin(
            request
                .body(http_body_util::Full::new(Bytes::from(body.to_string())))
                .unwrap(),
        )
        .await;
    let id = response.headers()["x-portcullis-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    drop(response);
    let id = portcullis_core::RequestId::from_text(&id);
    // The connection's end is noticed when the server next writes or reads; then the record is there.
    let record = loop {
        tokio::task::yield_now().await;
        if let Some(stored) = bench.store.audit_record(&id).await.unwrap() {
            break stored.record;
        }
    };
    assert!(matches!(record.outcome, Outcome::ClientGone | Outcome::Completed));
}

/// A profile whose replies may link to one host.
fn linking() -> Profile {
    Profile {
        links: Some(Links {
            allow: vec![Glob::new("docs.example.com")],
            ..Links::default()
        }),
        ..Profile::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_of_a_stream_lose_their_targets_wherever_it_is_cut() {
    let bench = Bench::with(Plan {
        profile: linking(),
        ..Plan::default()
    })
    .await;
    let said = "See [it](https://docs.example.com/a_(b)?x=1 \"t\"), ![p](https://evil.example/p?d=1) or https://evil.example/x.\u{1b}[31m";
    let left = "See [it](https://docs.example.com/a_(b)?x=1 \"t\"), ![p] or [link].";
    for wire in wires() {
        for deltas in cuts(said).into_iter().step_by(5) {
            bench.script(Script::sse((wire.text)(&deltas)));
            let answer = bench.post(wire.path, wire.request.to_string()).await;
            assert_eq!(collected(&answer.body), left, "{} {deltas:?}", wire.path);
        }
    }
}
