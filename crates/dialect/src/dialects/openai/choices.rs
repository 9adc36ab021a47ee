//! What chat completions and completions have in common: the choices of a reply and of its stream, what stands around them,
//! settings of a request, and the members that compatible servers add there.

use portcullis_core::{Channel, UninspectableKind as Kind};

use crate::exchange::{About, Cut, Ends, Progress, Stage};
use crate::json::{Document, NodeId, Sort, quoted};
use crate::promise;
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place, Seg};

/// The group of the choice that a place below `choices[i]` stands in.
pub fn group(place: &Place<'_>) -> u32 {
    u32::try_from(place.u64_in(2, "index").unwrap_or(0)).unwrap_or(0)
}

/// The same, of a choice.
fn index(event: &Document, choice: NodeId) -> u32 {
    let index = event
        .member(choice, "index")
        .and_then(|index| event.as_u64(index));
    index.and_then(|index| u32::try_from(index).ok()).unwrap_or(0)
}

/// Whether a member is there and not null.
pub fn set(document: &Document, object: NodeId, key: &str) -> bool {
    document
        .member(object, key)
        .is_some_and(|node| document.sort(node) != Sort::Null)
}

/// Every choice.
pub fn all(document: &Document) -> impl Iterator<Item = NodeId> + '_ {
    let choices = document.at(&["choices"]);
    choices.into_iter().flat_map(|choices| document.items(choices))
}

/// Whether a choice says why it finished. Some servers write an empty reason into every chunk before the last.
fn finished(event: &Document, choice: NodeId) -> bool {
    let reason = event.member(choice, "finish_reason");
    reason.is_some_and(|reason| event.sort(reason) != Sort::Null && event.as_str(reason) != Some(""))
}

/// Choices that say why they finished get nothing more; behind an error comes nothing at all.
pub fn ends(event: &Document) -> Ends {
    if set(event, event.root(), "error") {
        return Ends::All;
    }
    let mut ended = all(event).filter(|choice| finished(event, *choice));
    match (ended.next(), ended.next()) {
        (None, _) => Ends::Nothing,
        (Some(choice), None) => Ends::Group(index(event, choice)),
        (Some(_), Some(_)) => {
            let ended = all(event).filter(|choice| finished(event, *choice));
            Ends::Groups(ended.fold(0, |groups, choice| {
                groups | 1u64.checked_shl(index(event, choice)).unwrap_or(0)
            }))
        }
    }
}

/// An event of one choice is about that choice, whatever is counted beside it.
pub fn about(event: &Document) -> About {
    let mut choices = all(event);
    match (choices.next(), choices.next()) {
        (Some(choice), None) if !set(event, event.root(), "error") => About::One(index(event, choice)),
        _ => About::All,
    }
}

/// Notes how far choices have come.
pub fn progress(event: &Document, progress: &mut Progress) {
    for choice in all(event) {
        let stage = match finished(event, choice) {
            true => Stage::Finished,
            false => Stage::Open,
        };
        progress.choice(index(event, choice), stage);
    }
}

/// Every choice with its number.
pub fn numbered(event: &Document) -> impl Iterator<Item = (u32, NodeId)> + '_ {
    all(event).map(|choice| (index(event, choice), choice))
}

/// The choice of an event that holds one choice and, besides the text of that choice, nothing that would count twice.
pub fn lone(event: &Document) -> Option<NodeId> {
    let mut choices = all(event);
    let (Some(choice), None) = (choices.next(), choices.next()) else {
        return None;
    };
    let light = |object, known: &'static [&str]| {
        event.members(object).all(|(key, value)| {
            known.contains(&event.text(key)) || !matches!(event.sort(value), Sort::Object | Sort::Array)
        })
    };
    let alone = light(event.root(), &["choices"])
        && light(choice, &["delta", "content_filter_results"])
        && !set(event, choice, "finish_reason");
    alone.then_some(choice)
}

/// Whether every choice came to its own end.
pub fn ended_well(reply: &Document) -> bool {
    all(reply).all(|choice| {
        let refused = reply
            .member(choice, "message")
            .is_some_and(|message| set(reply, message, "refusal"));
        let reason = promise::text(reply, choice, "finish_reason");
        !refused && matches!(reason, "" | "stop" | "tool_calls" | "function_call")
    })
}

/// Where choices say why they finished.
pub fn finishes(event: &Document) -> Vec<NodeId> {
    all(event)
        .filter(|choice| finished(event, *choice))
        .filter_map(|choice| event.member(choice, "finish_reason"))
        .collect()
}

/// Token probabilities of every choice, and of the prompt.
pub fn logprobs(document: &Document) -> Vec<NodeId> {
    all(document)
        .chain([document.root()])
        .flat_map(|object| ["logprobs", "prompt_logprobs"].map(|key| document.member(object, key)))
        .flatten()
        .filter(|node| matches!(document.sort(*node), Sort::Object | Sort::Array))
        .collect()
}

/// What stands around the text of a choice, and around the choices.
pub fn envelope(path: &[Seg<'_>]) -> Label {
    match path {
        [K("moderation"), .., K("message")] => Label::text(Channel::Error),
        [
            K(
                "id"
                | "object"
                | "model"
                | "system_fingerprint"
                | "service_tier"
                | "created"
                | "provider"
                | "obfuscation",
            ),
        ]
        | [K("choices"), I(_), K("finish_reason" | "native_finish_reason")]
        // Azure's verdicts, and the moderation that a request may ask for: names of categories and of severities.
        | [K("choices"), I(_), K("content_filter_results"), ..]
        | [K("prompt_filter_results" | "prompt_annotations" | "moderation"), ..]
        | [K("x_groq" | "kv_transfer_params"), ..]
        | [K("usage"), ..] => Label::IDENTIFIER,
        // vLLM and SGLang say here which stop sequence they met.
        [K("choices"), I(_), K("stop_reason" | "matched_stop")] => Label::text(Channel::Steering),
        [K("choices"), I(_), K("token_ids" | "prompt_token_ids"), I(_)] | [K("prompt_token_ids"), I(_)] => {
            Label::opaque(Channel::Logprobs, Kind::Vector)
        }
        [K("choices"), I(_), K("prompt_logprobs"), ..] | [K("prompt_logprobs"), ..] => {
            Label::text(Channel::Logprobs)
        }
        [K("citations" | "search_results" | "images" | "related_questions" | "videos"), ..] => {
            Label::text(Channel::Citation)
        }
        [K("metadata"), ..] => Label::text(Channel::Metadata),
        path => super::facts::error(path),
    }
}

/// Settings of a request.
pub fn setting(path: &[Seg<'_>]) -> Label {
    match path {
        [K("model" | "service_tier")] | [K("stream_options" | "provider" | "transforms" | "plugins"), ..] => {
            Label::IDENTIFIER
        }
        // Schemas, grammars, choices and words that local servers hold a reply to.
        [
            K(
                "stop"
                | "response_format"
                | "guided_json"
                | "guided_regex"
                | "guided_choice"
                | "guided_grammar"
                | "guided_decoding_backend"
                | "guided_whitespace_pattern"
                | "structured_outputs"
                | "regex"
                | "ebnf"
                | "json_schema"
                | "grammar"
                | "bad_words"
                | "logit_bias",
            ),
            ..,
        ] => Label::text(Channel::Steering),
        [K("metadata"), ..]
        | [
            K(
                "user" | "safety_identifier" | "prompt_cache_key" | "request_id" | "cache_salt"
                | "session_id",
            ),
        ] => Label::text(Channel::Metadata),
        _ => Label::UNKNOWN,
    }
}

/// A last chunk of a choice, whose other members are `rest`.
pub fn chunk(progress: &Progress, cut: &Cut<'_>, object: &str, choice: u32, rest: &str) -> String {
    let or = |known: &'_ str, otherwise: &str| -> String {
        if known.is_empty() { otherwise } else { known }.to_owned()
    };
    format!(
        "data: {{\"id\":{},\"object\":\"{object}\",\"created\":{},\"model\":{},\"choices\":[{{\"index\":{choice},{rest}}}]}}\n\n",
        quoted(&or(&progress.id, cut.request_id)),
        or(&progress.created, "0"),
        quoted(&progress.model),
    )
}
