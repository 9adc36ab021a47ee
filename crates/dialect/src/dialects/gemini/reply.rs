//! Replies of a generation: whole ones and the chunks of a stream, which have the same shape.

use portcullis_core::{Channel, Lane, UninspectableKind as Kind};

use super::content;
use super::trail::{self, Trail};
use crate::exchange::{About, Ends, Progress, Stage, lanes};
use crate::json::{Document, NodeId, Sort};
use crate::reading::{Label, Place};

/// The item of a candidate's thoughts. They have ended when the answer goes on; the answer has not ended when a thought comes.
const THOUGHTS: u32 = 1;
/// The item of arguments that come in pieces.
const PIECES: u32 = 2;

/// A place in a reply or a chunk.
pub fn label(place: &Place<'_>, streamed: bool) -> Label {
    let trail = Trail::to(place);
    match trail.names(0) {
        ["candidates", "content", "parts", _, ..] => {
            let group = group(place, &trail);
            let label = content::part(place, &trail, 3, Channel::Assistant);
            let lane = match (trail.names(3), label.channel) {
                (["text"], Channel::Reasoning) => lanes::lane(group, THOUGHTS, lanes::REASONING),
                (["text"], _) => lanes::lane(group, 0, lanes::TEXT),
                (["functionCall", "partialArgs", "stringValue"], _) => {
                    lanes::lane(group, PIECES, lanes::ARGUMENTS)
                }
                _ => return label,
            };
            if streamed {
                label.delta(lane)
            } else {
                label.in_lane(lane)
            }
        }
        ["candidates", "logprobsResult", "chosenCandidates", "token"] => {
            Label::text(Channel::Logprobs).in_lane(lanes::lane(group(place, &trail), 0, lanes::LOGPROBS))
        }
        ["candidates", "logprobsResult", .., "token"] => Label::text(Channel::Logprobs),
        [
            "candidates",
            "groundingMetadata",
            ..,
            "sdkBlob" | "googleMapsWidgetContextToken",
        ] => Label::opaque(Channel::Citation, Kind::Encrypted),
        [
            "candidates",
            "groundingMetadata" | "citationMetadata" | "groundingAttributions",
            ..,
        ]
        | ["candidates", "urlContextMetadata", "urlMetadata", "retrievedUrl"] => {
            Label::text(Channel::Citation)
        }
        [
            "candidates",
            "urlContextMetadata",
            "urlMetadata",
            "urlRetrievalStatus",
        ]
        | ["candidates", "content", "role"]
        | ["candidates", "finishReason"]
        | ["candidates" | "promptFeedback", "safetyRatings", ..]
        | ["promptFeedback", "blockReason"]
        | ["usageMetadata", ..]
        | ["modelVersion" | "responseId" | "createTime"] => Label::IDENTIFIER,
        ["candidates", "continuationToken"] => Label::opaque(Channel::Identifier, Kind::Encrypted),
        ["candidates", "finishMessage"] | ["promptFeedback", "blockReasonMessage"] => {
            Label::text(Channel::Refusal)
        }
        ["modelStatus", "message"] => Label::text(Channel::Metadata),
        ["modelStatus", ..] => Label::IDENTIFIER,
        ["error", ..] => Label::text(Channel::Error),
        _ => Label::UNKNOWN,
    }
}

/// The candidate that a place is in: by its own count, or by its position.
fn group(place: &Place<'_>, trail: &Trail<'_>) -> u32 {
    let own = place.u64_in(trail.holder(1), "index");
    own.and_then(|index| u32::try_from(index).ok())
        .unwrap_or_else(|| trail.position(0))
}

/// The candidates of a reply, with their numbers.
pub fn candidates(document: &Document) -> impl Iterator<Item = (u32, NodeId)> + '_ {
    let candidates = trail::list(document, document.at(&["candidates"]));
    candidates.enumerate().map(|(position, candidate)| {
        let index = document
            .member(candidate, "index")
            .and_then(|index| document.as_u64(index));
        let index = index.unwrap_or(position as u64);
        (u32::try_from(index).unwrap_or(u32::MAX), candidate)
    })
}

/// Which lanes end with a chunk: all of the candidates that finish; the thoughts of one that has gone on to its answer.
pub fn ends(event: &Document) -> Ends {
    if event.at(&["error"]).is_some() {
        return Ends::All;
    }
    let mut ended = 0u64;
    let mut answering = None;
    for (group, candidate) in candidates(event) {
        if finished(event, candidate) {
            ended |= 1u64.checked_shl(group).unwrap_or(0);
        }
        let content = event.member(candidate, "content");
        let parts = trail::list(event, content.and_then(|content| event.member(content, "parts")));
        let thought = |part: NodeId| {
            event
                .member(part, "thought")
                .and_then(|thought| event.as_bool(thought))
        };
        if let Some(last) = parts.last().filter(|part| thought(*part) != Some(true)) {
            answering = event.member(last, "text").map(|_| group);
        }
    }
    match (ended, answering) {
        (0, Some(group)) => Ends::Item(group, THOUGHTS),
        (0, None) => Ends::Nothing,
        _ => Ends::Groups(ended),
    }
}

/// Whether a candidate says why it finished. "If empty, the model has not stopped": a lane that ends early would let a text pass
/// in two halves.
fn finished(event: &Document, candidate: NodeId) -> bool {
    let finish = trail::member(event, candidate, "finishReason");
    let reason = finish.and_then(|finish| event.as_str(finish)).unwrap_or("");
    !matches!(reason, "" | "FINISH_REASON_UNSPECIFIED")
}

/// A chunk of one candidate is about that one, whatever is counted beside it.
pub fn about(event: &Document) -> About {
    let mut candidates = candidates(event);
    match (candidates.next(), candidates.next()) {
        (Some((group, _)), None) if event.at(&["error"]).is_none() => About::One(group),
        _ => About::All,
    }
}

/// Notes how far candidates have come.
pub fn progress(event: &Document, progress: &mut Progress) {
    for (group, candidate) in candidates(event) {
        let stage = match finished(event, candidate) {
            true => Stage::Finished,
            false => Stage::Open,
        };
        progress.choice(group, stage);
    }
}

/// The lanes of the calls whose arguments come in pieces, in this chunk or later ones.
pub fn opens(event: &Document) -> Vec<Lane> {
    let goes_on = |part: NodeId| {
        let call = trail::member(event, part, "functionCall")?;
        let pieces = trail::member(event, call, "partialArgs").is_some();
        let more = trail::member(event, call, "willContinue").and_then(|more| event.as_bool(more));
        Some(pieces || more == Some(true))
    };
    candidates(event)
        .filter(|(_, candidate)| {
            let content = event.member(*candidate, "content");
            let parts = content.and_then(|content| event.member(content, "parts"));
            trail::list(event, parts).any(|part| goes_on(part) == Some(true))
        })
        .map(|(group, _)| lanes::lane(group, PIECES, lanes::ARGUMENTS))
        .collect()
}

/// Whether a chunk is one text and nothing else that would count twice if it were sent twice.
pub fn splittable(event: &Document) -> bool {
    let only = |object: NodeId, names: &[&str]| {
        event
            .members(object)
            .all(|(key, _)| names.contains(&event.text(key)))
    };
    let one = |list: Option<NodeId>| {
        let mut items = list.into_iter().flat_map(|list| event.items(list));
        items.next().filter(|_| items.next().is_none())
    };
    let envelope = [
        "candidates",
        "usageMetadata",
        "modelVersion",
        "responseId",
        "createTime",
    ];
    let candidate = one(event.at(&["candidates"]));
    let content = candidate.and_then(|candidate| event.member(candidate, "content"));
    let part = one(content.and_then(|content| event.member(content, "parts")));
    let (Some(candidate), Some(content), Some(part)) = (candidate, content, part) else {
        return false;
    };
    only(event.root(), &envelope)
        && only(candidate, &["content", "index", "safetyRatings"])
        && only(content, &["parts", "role"])
        && only(part, &["text", "thought"])
        && event
            .member(part, "text")
            .is_some_and(|text| event.sort(text) == Sort::String)
}

/// Where candidates say why they finished.
pub fn finishes(event: &Document) -> Vec<NodeId> {
    candidates(event)
        .filter_map(|(_, candidate)| trail::member(event, candidate, "finishReason"))
        .collect()
}

/// The probabilities of tokens, which tell the text once more.
pub fn echoes(document: &Document) -> Vec<NodeId> {
    candidates(document)
        .filter_map(|(_, candidate)| trail::member(document, candidate, "logprobsResult"))
        .filter(|node| document.sort(*node) == Sort::Object)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn read(event: &str) -> Document {
        Document::read(Bytes::copy_from_slice(event.as_bytes())).unwrap()
    }

    #[test]
    fn only_candidates_that_finish_end() {
        let event = |candidates: &str| ends(&read(&format!(r#"{{"candidates":[{candidates}]}}"#)));
        let text = |index: u32, thought: bool, more: &str| {
            format!(r#"{{"index":{index},"content":{{"parts":[{{"text":"a","thought":{thought}}}]}}{more}}}"#)
        };
        let stop = r#","finishReason":"STOP""#;
        assert_eq!(event(&text(0, true, "")), Ends::Nothing);
        assert_eq!(event(&text(2, false, "")), Ends::Item(2, THOUGHTS));
        assert_eq!(
            event(&text(0, false, r#","finishReason":null"#)),
            Ends::Item(0, THOUGHTS)
        );
        let some = [text(0, false, stop), text(1, false, ""), text(2, false, stop)].join(",");
        assert_eq!(event(&some), Ends::Groups(0b101));
        assert_eq!(event(&text(70, false, stop)), Ends::Item(70, THOUGHTS));
        assert_eq!(ends(&read(r#"{"error":{"code":503}}"#)), Ends::All);
        // The order of a chunk's parts: a thought at its end goes on.
        let mixed = r#"{"content":{"parts":[{"text":"a"},{"text":"b","thought":true}]}}"#;
        assert_eq!(event(mixed), Ends::Nothing);
    }

    #[test]
    fn a_chunk_with_more_than_one_text_is_not_split() {
        let plain = r#"{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0}],"usageMetadata":{}}"#;
        assert!(splittable(&read(plain)));
        for (from, to) in [
            (r#"{"text":"a"}"#, r#"{"text":"a"},{"text":"b"}"#),
            (r#"{"text":"a"}"#, r#"{"text":"a","thoughtSignature":"b"}"#),
            (r#"{"text":"a"}"#, r#"{"functionCall":{"name":"a"}}"#),
            (r#""index":0"#, r#""index":0,"finishReason":"STOP""#),
            (r#""index":0"#, r#""index":0,"groundingMetadata":{}"#),
            (r#""usageMetadata""#, r#""promptFeedback""#),
            (r#""index":0}"#, r#""index":0},{"index":1}"#),
        ] {
            let other = plain.replacen(from, to, 1);
            assert_ne!(other, plain);
            assert!(!splittable(&read(&other)), "{other}");
        }
    }
}
