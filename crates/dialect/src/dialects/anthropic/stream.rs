//! The events of `POST /v1/messages` with `stream`.
//!
//! Text goes on over blocks: it is one lane of the message. Everything else is a lane of its block and ends with it.
//! Source: Anthropic API reference, "Streaming Messages".

use portcullis_core::{Channel, Lane, UninspectableKind as Kind};

use super::blocks;
use super::messages::{envelope, message, message_of, str_of, voice};
use crate::exchange::{Cut, Ends, Progress, lanes};
use crate::json::{Document, Sort, quoted};
use crate::reading::Seg::Key as K;
use crate::reading::{Label, Place};

/// The item of a block's own lanes. Item 0 is the text of the message.
fn item(index: Option<u64>) -> u32 {
    let index = index.and_then(|index| u32::try_from(index).ok());
    index.unwrap_or(0).saturating_add(1)
}

/// A place in an event.
pub fn label(place: &Place<'_>) -> Label {
    let item = || item(place.u64_in(0, "index"));
    match place.path {
        [K("type" | "request_id")] => Label::IDENTIFIER,
        [K("message"), ..] if place.str_in(0, "type") == Some("message_start") => message(place, 1, true),
        [K("content_block"), rest @ ..] => {
            let label = blocks::block(place, 1, voice(), 0);
            match (label.lane, rest) {
                (Some(lane), _) => label.delta(lane),
                (None, [K("thinking")]) => label.delta(lanes::lane(0, item(), lanes::REASONING)),
                (None, [K("content")]) if label.channel == Channel::Assistant => {
                    label.delta(lanes::lane(0, item(), lanes::SUMMARY))
                }
                _ => label,
            }
        }
        [K("delta"), rest @ ..] => match (place.str_in(1, "type").unwrap_or(""), rest) {
            (_, [K("type")]) => Label::IDENTIFIER,
            ("text_delta", [K("text")]) => {
                Label::text(Channel::Assistant).delta(lanes::lane(0, 0, lanes::TEXT))
            }
            ("thinking_delta", [K("thinking")]) => {
                Label::text(Channel::Reasoning).delta(lanes::lane(0, item(), lanes::REASONING))
            }
            ("input_json_delta", [K("partial_json")]) => {
                Label::json(Channel::ToolCall).delta(lanes::lane(0, item(), lanes::ARGUMENTS))
            }
            ("compaction_delta", [K("content")]) => {
                Label::text(Channel::Assistant).delta(lanes::lane(0, item(), lanes::SUMMARY))
            }
            ("signature_delta", [K("signature")]) | ("compaction_delta", [K("encrypted_content")]) => {
                Label::opaque(Channel::Reasoning, Kind::Encrypted)
            }
            ("citations_delta", [K("citation"), rest @ ..]) => blocks::citation(rest),
            ("", rest) => envelope(rest),
            _ => Label::UNKNOWN,
        },
        [
            K("error" | "usage" | "context_management" | "input_transformations"),
            ..,
        ] => envelope(place.path),
        _ => Label::UNKNOWN,
    }
}

/// Which lanes end with an event.
pub fn ends(event: &Document) -> Ends {
    match event.str_at(&["type"]) {
        Some("content_block_stop") => Ends::Item(0, item(event.at(&["index"]).and_then(|n| event.as_u64(n)))),
        Some("message_stop" | "error") => Ends::All,
        Some("message_delta") if !event.str_at(&["delta", "stop_reason"]).unwrap_or("").is_empty() => {
            Ends::All
        }
        _ => Ends::Nothing,
    }
}

/// The lane of arguments that a tool call's first event begins, though they come later.
pub fn opens(event: &Document) -> Vec<Lane> {
    let sort = event.str_at(&["content_block", "type"]);
    if !sort.is_some_and(|sort| sort.ends_with("tool_use")) {
        return Vec::new();
    }
    vec![lane_of_call(event)]
}

/// The lane of the arguments of the call whose block an event is about.
pub fn lane_of_call(event: &Document) -> Lane {
    let index = event.at(&["index"]).and_then(|index| event.as_u64(index));
    lanes::lane(0, item(index), lanes::ARGUMENTS)
}

/// Whether an event is one delta of text or thinking and nothing else.
pub fn splittable(event: &Document) -> bool {
    let Some(delta) = event.at(&["delta"]) else {
        return false;
    };
    let text = match str_of(event, Some(delta), "type") {
        Some("text_delta") => "text",
        Some("thinking_delta") => "thinking",
        _ => return false,
    };
    event
        .member(delta, text)
        .is_some_and(|text| event.sort(text) == Sort::String)
        && event.members(delta).count() == 2
        && event
            .members(event.root())
            .all(|(key, _)| matches!(event.text(key), "type" | "index" | "delta"))
}

/// Notes what an event says of the stream: `sequence` counts the blocks that were begun.
pub fn progress(event: &Document, progress: &mut Progress) {
    let index = event.at(&["index"]).and_then(|index| event.as_u64(index));
    match event.str_at(&["type"]) {
        Some("message_start") => {
            progress.begun = true;
            progress.id = event.str_at(&["message", "id"]).unwrap_or("").to_owned();
            progress.model = event.str_at(&["message", "model"]).unwrap_or("").to_owned();
        }
        Some("content_block_start") => {
            progress.open = index;
            progress.sequence = progress.sequence.max(index.unwrap_or(0).saturating_add(1));
        }
        Some("content_block_stop") => progress.open = None,
        _ => {}
    }
}

/// The end of a stream that is cut: the open block is closed, a block says why, the message ends with a refusal.
pub fn cut(progress: &Progress, cut: &Cut<'_>) -> String {
    end(progress, cut, Some(cut.text), "refusal")
}

/// The end of a stream that has said all that it may: the open block is closed, the message ends.
pub fn stopped(progress: &Progress, cut: &Cut<'_>) -> String {
    end(progress, cut, None, "max_tokens")
}

fn end(progress: &Progress, cut: &Cut<'_>, text: Option<&str>, reason: &str) -> String {
    let mut events = String::new();
    let mut say = |name: &str, data: &str| {
        events.push_str(&format!("event: {name}\ndata: {{\"type\":\"{name}\"{data}}}\n\n"));
    };
    if !progress.begun {
        let start = message_of(
            cut.request_id,
            &progress.model,
            "",
            "null",
            r#"{"input_tokens":0,"output_tokens":0}"#,
        );
        say("message_start", &format!(",\"message\":{start}"));
    }
    if let Some(open) = progress.open {
        say("content_block_stop", &format!(",\"index\":{open}"));
    }
    if let Some(text) = text {
        let index = progress.sequence;
        let (text, at) = (quoted(text), format!(",\"index\":{index}"));
        say(
            "content_block_start",
            &format!("{at},\"content_block\":{{\"type\":\"text\",\"text\":\"\"}}"),
        );
        say(
            "content_block_delta",
            &format!("{at},\"delta\":{{\"type\":\"text_delta\",\"text\":{text}}}"),
        );
        say("content_block_stop", &at);
    }
    say(
        "message_delta",
        &format!(
            ",\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_sequence\":null}},\"usage\":{{\"output_tokens\":0}}"
        ),
    );
    say("message_stop", "");
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// Type and index of each event of a cut after those events.
    fn cut_after(events: &[&'static str]) -> Vec<(String, Option<u64>)> {
        let mut progress = Progress::default();
        for event in events {
            super::progress(
                &Document::read(Bytes::from_static(event.as_bytes())).unwrap(),
                &mut progress,
            );
        }
        let cut = cut(
            &progress,
            &Cut {
                request_id: "req_1",
                text: "withheld",
            },
        );
        let events = cut.split("\n\n").filter(|frame| !frame.is_empty());
        let read = events.map(|frame| {
            let (name, data) = frame.split_once('\n').unwrap();
            let data = data.strip_prefix("data: ").unwrap();
            let data = Document::read(Bytes::copy_from_slice(data.as_bytes())).unwrap();
            let sort = data.str_at(&["type"]).unwrap().to_owned();
            assert_eq!(name, format!("event: {sort}"));
            (sort, data.at(&["index"]).and_then(|index| data.as_u64(index)))
        });
        read.collect()
    }

    const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","model":"m"}}"#;
    const OPEN: &str =
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#;
    const STOP: &str = r#"{"type":"content_block_stop","index":2}"#;

    fn names(events: &[(&str, Option<u64>)]) -> Vec<(String, Option<u64>)> {
        let tail = [("message_delta", None), ("message_stop", None)];
        let all = events.iter().chain(&tail);
        all.map(|(name, index)| ((*name).to_owned(), *index)).collect()
    }

    fn block(index: u64) -> [(&'static str, Option<u64>); 3] {
        ["content_block_start", "content_block_delta", "content_block_stop"].map(|name| (name, Some(index)))
    }

    #[test]
    fn a_cut_ends_what_was_begun_and_begins_what_was_not() {
        let start = [("message_start", None)];
        assert_eq!(cut_after(&[]), names(&[&start[..], &block(0)].concat()));
        assert_eq!(
            cut_after(&[r#"{"type":"ping"}"#]),
            names(&[&start[..], &block(0)].concat())
        );
        assert_eq!(cut_after(&[START]), names(&block(0)));
        let open = [("content_block_stop", Some(2))];
        assert_eq!(cut_after(&[START, OPEN]), names(&[&open[..], &block(3)].concat()));
        assert_eq!(cut_after(&[START, OPEN, STOP]), names(&block(3)));
    }

    #[test]
    fn a_tool_call_opens_the_lane_that_its_arguments_come_in() {
        for sort in ["tool_use", "server_tool_use", "mcp_tool_use"] {
            let start =
                format!(r#"{{"type":"content_block_start","index":4,"content_block":{{"type":"{sort}"}}}}"#);
            let start = Document::read(Bytes::from(start)).unwrap();
            assert_eq!(opens(&start), [lanes::lane(0, 5, lanes::ARGUMENTS)]);
        }
        for other in [OPEN, STOP] {
            let other = Document::read(Bytes::from_static(other.as_bytes())).unwrap();
            assert_eq!(opens(&other), []);
        }
    }

    #[test]
    fn only_text_and_thinking_are_split() {
        for (delta, split) in [
            (r#""type":"text_delta","text":"a""#, true),
            (r#""type":"thinking_delta","thinking":"a""#, true),
            (r#""type":"text_delta","text":"a","more":"b""#, false),
            (r#""type":"text_delta","text":{}"#, false),
            (r#""type":"input_json_delta","partial_json":"a""#, false),
            (r#""type":"signature_delta","signature":"a""#, false),
        ] {
            let event = format!(r#"{{"type":"content_block_delta","index":0,"delta":{{{delta}}}}}"#);
            let event = Document::read(Bytes::from(event)).unwrap();
            assert_eq!(splittable(&event), split, "{delta}");
        }
    }
}
