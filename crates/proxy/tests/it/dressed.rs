//! Values in disguise in a streamed reply: characters in disguise are seen before they go, the rest when the text has ended.

use portcullis_core::{Action, Decision, Outcome};
use portcullis_inspect::views::VIEWS;
use portcullis_policy::{Hold, Profile};
use serde_json::Value;

use crate::bench::{Bench, Plan, Script};
use crate::recorded::Events;
use crate::streams::{collected, cuts, wires};

const CARD: &str = "4111 1111 1111 1111";

fn disguised(view: &str) -> String {
    let view = VIEWS.iter().find(|known| known.id() == view).unwrap();
    view.disguise(CARD).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_in_disguised_characters_is_redacted_wherever_the_stream_is_cut() {
    let bench = Bench::new().await;
    for wire in wires() {
        for view in ["fold", "escapes", "entities", "percent"] {
            let value = disguised(view);
            let said = format!("Card: {value} thanks");
            for deltas in cuts(&said).into_iter().step_by(97) {
                bench.script(Script::sse((wire.text)(&deltas)));
                let answer = bench.post(wire.path, wire.request.to_string()).await;
                assert_eq!(
                    collected(&answer.body),
                    "Card: [CREDIT_CARD] thanks",
                    "{} {view} {deltas:?}",
                    wire.path
                );
                let record = bench.record(&answer).await;
                assert!(record.findings.iter().all(|finding| !finding.late));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_whole_text_shows_is_recorded_as_late() {
    let bench = Bench::new().await;
    let said = format!("Card: {} thanks", disguised("base64"));
    for wire in wires() {
        for deltas in cuts(&said).into_iter().step_by(31) {
            bench.script(Script::sse((wire.text)(&deltas)));
            let answer = bench.post(wire.path, wire.request.to_string()).await;
            let record = bench.record(&answer).await;
            let late: Vec<_> = record.findings.iter().filter(|finding| finding.late).collect();
            assert_eq!(late.len(), 1, "{} {deltas:?}: {:?}", wire.path, record.findings);
            assert_eq!(
                (late[0].kind.as_str(), late[0].action),
                ("CREDIT_CARD", Action::Redact)
            );
            assert_eq!(&said[late[0].span.start..late[0].span.end], disguised("base64"));
            assert_eq!(
                (record.outcome, record.decision),
                (Outcome::Completed, Decision::Redact)
            );
        }
    }
}

#[tokio::test]
async fn a_text_longer_than_what_is_kept_is_read_in_pieces() {
    let bench = Bench::new().await;
    // No line is like another, else the stream would end as a loop.
    let lines = (0..2500).map(|line| format!("Line {line:x} of the words that say nothing.\n"));
    let filler: String = lines.collect();
    let said = format!("{filler}Card: {} thanks\n{filler}", disguised("base64"));
    for wire in wires().into_iter().take(1) {
        let deltas: Vec<&str> = said.split_inclusive('\n').collect();
        bench.script(Script::sse((wire.text)(&deltas)));
        let answer = bench.post(wire.path, wire.request.to_string()).await;
        assert_eq!(collected(&answer.body), said);
        let record = bench.record(&answer).await;
        let late: Vec<_> = record.findings.iter().filter(|finding| finding.late).collect();
        assert_eq!(late.len(), 1, "{:?}", record.findings);
        assert_eq!(late[0].span.start, filler.len() + "Card: ".len());
    }
}

#[tokio::test]
async fn a_stream_whose_end_shows_what_is_blocked_ends_with_the_dialects_own_refusal() {
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
    let value = disguised("base64");
    for (wire, end) in wires().into_iter().zip(ends) {
        bench.script(Script::sse((wire.text)(&["Card: ", &value, " thanks"])));
        let answer = bench.post(wire.path, wire.request.to_string()).await;
        assert!(
            answer.whole && answer.text().contains(end),
            "{}: {}",
            wire.path,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_held_to_its_end_is_read_as_a_whole_reply_is() {
    let mut profile = Profile::default();
    profile.output.hold = Hold::Part;
    let bench = Bench::with(Plan {
        profile,
        ..Plan::default()
    })
    .await;
    for wire in wires() {
        for view in ["base64", "reversed", "radix", "fold"] {
            let view = VIEWS.iter().find(|known| known.id() == view).unwrap();
            let Some(value) = view.disguise(CARD) else {
                continue;
            };
            let said = format!("Card:  {value}  thanks");
            let reply = format!("[{}]", view.id());
            let mut left = None;
            for deltas in cuts(&said).into_iter().step_by(53) {
                bench.script(Script::sse((wire.text)(&deltas)));
                let answer = bench.post(wire.path, wire.request.to_string()).await;
                let text = collected(&answer.body);
                let record = bench.record(&answer).await;
                assert!(record.findings.iter().all(|finding| !finding.late));
                let redacted = record
                    .findings
                    .iter()
                    .any(|finding| finding.kind == "CREDIT_CARD");
                assert_eq!(redacted, !text.contains(&value), "{reply} {}: {text}", wire.path);
                assert_eq!(
                    text,
                    *left.get_or_insert_with(|| text.clone()),
                    "{reply} {deltas:?}"
                );
            }
            if view.id() != "reversed" {
                assert_eq!(
                    left.as_deref(),
                    Some("Card:  [CREDIT_CARD]  thanks"),
                    "{reply} {}",
                    wire.path
                );
            }
        }
        // What holds nothing to change goes as it came.
        bench.script(Script::sse((wire.text)(&["Hello ", "there, ", "you"])));
        let answer = bench.post(wire.path, wire.request.to_string()).await;
        assert_eq!(collected(&answer.body), "Hello there, you", "{}", wire.path);
    }
}
