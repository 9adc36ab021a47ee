//! Labels of chat completions: requests, replies and the chunks of a stream.

use portcullis_core::{Channel, Lane, UninspectableKind as Kind};

use crate::exchange::lanes;
use crate::json::{Document, NodeId, Sort};
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place, Prose, Seg};

use super::super::{choices, tools};

/// The item of lanes beside the numbered ones.
const UNNUMBERED: u32 = 0xfff_ffff;

/// A place in a request.
pub fn request(place: &Place<'_>) -> Label {
    match place.path {
        [K("messages"), I(number), rest @ ..] => message(place, *number, rest),
        [K("tools" | "functions"), I(_), rest @ ..] => tools::definition(rest),
        [K("tool_choice" | "function_call"), ..] => Label::text(Channel::ToolDefinition),
        [K("prediction"), K("type")] | [K("prediction"), K("content"), I(_), K("type")] => Label::IDENTIFIER,
        [K("prediction"), ..] => Label::text(Channel::Assistant),
        // A template in the client's hand writes the system's words.
        [K("chat_template")] => Label::text(Channel::System),
        [K("documents"), I(_)] | [K("documents"), I(_), K("text" | "content" | "contents")] => {
            Label::text(Channel::Document).prose(Prose::Free)
        }
        [K("documents"), I(_), ..] => Label::text(Channel::Document),
        [K("web_search_options" | "chat_template_kwargs"), ..] => Label::text(Channel::Steering),
        [
            K("modalities" | "audio" | "moderation" | "prompt_cache_options" | "reasoning" | "thinking"),
            ..,
        ]
        | [
            K(
                "reasoning_effort"
                | "reasoning_format"
                | "verbosity"
                | "prompt_cache_retention"
                | "search_mode"
                | "search_recency_filter"
                | "priority",
            ),
        ] => Label::IDENTIFIER,
        [K("search_domain_filter"), I(_)] => Label::text(Channel::Steering),
        path => choices::setting(path),
    }
}

fn message(place: &Place<'_>, number: usize, rest: &[Seg<'_>]) -> Label {
    let channel = match place.str_in(2, "role") {
        Some("system") => Channel::System,
        Some("developer") => Channel::Developer,
        Some("user") => Channel::User,
        Some("assistant") => Channel::Assistant,
        Some("tool" | "function") => Channel::ToolResult,
        _ => Channel::Unknown,
    };
    match rest {
        [K("role" | "tool_call_id")] => Label::IDENTIFIER,
        [K("name")] => Label::text(Channel::Name),
        [K("content")] | [K("content"), I(_)] => Label::text(channel).prose(Prose::Free),
        [K("content"), I(_), K("text")] => {
            let lane = lanes::lane(u32::try_from(number).unwrap_or(0), 0, lanes::TEXT);
            Label::text(channel).in_lane(lane).prose(Prose::Free)
        }
        [K("content"), I(_), rest @ ..] => {
            let lane = lanes::lane(u32::try_from(number).unwrap_or(0), 0, lanes::TEXT);
            part(channel, lane, rest)
        }
        [K("audio"), K("id")] => Label::opaque(Channel::Identifier, Kind::Audio),
        _ => of_assistant(rest),
    }
}

/// A place inside one content part. Texts of one message continue each other.
fn part(channel: Channel, lane: Lane, rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("text")] => Label::text(channel).in_lane(lane),
        [K("refusal")] => Label::text(Channel::Refusal).in_lane(lane),
        [K("type" | "signature")]
        | [K("thinking"), I(_), K("type")]
        | [K("image_url"), K("detail")]
        | [K("input_audio"), K("format")]
        | [K("prompt_cache_breakpoint" | "cache_control"), K(_)] => Label::IDENTIFIER,
        [K("image_url")] | [K("image_url"), K("url")] => Label::opaque(channel, Kind::Image),
        [K("video_url")] | [K("video_url"), K("url")] => Label::opaque(channel, Kind::Video),
        [K("audio_url"), K("url")] | [K("input_audio")] | [K("input_audio"), K("data")] => {
            Label::opaque(channel, Kind::Audio)
        }
        [K("file"), K("file_data")] | [K("document_url")] => Label::opaque(channel, Kind::File),
        [K("file"), K("file_id")] => Label::opaque(Channel::Identifier, Kind::File),
        [K("file"), K("filename")] | [K("document_name")] => Label::text(Channel::Name),
        [K("thinking")] | [K("thinking"), I(_), K("text")] => Label::text(Channel::Reasoning),
        _ => Label::UNKNOWN,
    }
}

/// What an assistant's message has besides its content, sent by a client or by a server.
fn of_assistant(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("refusal")] => Label::text(Channel::Refusal),
        [K("reasoning_content" | "reasoning" | "thinking")] => Label::text(Channel::Reasoning),
        [K("reasoning_details"), I(_), rest @ ..] => reasoning_detail(rest),
        [K("tool_calls"), I(_), rest @ ..] => tools::call(rest),
        [K("function_call"), K("arguments")] => Label::json(Channel::ToolCall),
        [K("function_call"), K("name")] => Label::text(Channel::ToolCall),
        [K("annotations"), I(_), rest @ ..] => match rest {
            [K("type")] => Label::IDENTIFIER,
            _ => Label::text(Channel::Citation),
        },
        // Azure's "on your data".
        [K("context"), ..] => Label::text(Channel::Citation),
        [K("images"), I(_), K("type")] => Label::IDENTIFIER,
        [K("images"), I(_), ..] => Label::opaque(Channel::Assistant, Kind::Image),
        [K("audio"), K("data")] => Label::opaque(Channel::Assistant, Kind::Audio),
        [K("audio"), K("transcript")] => Label::text(Channel::Assistant),
        [K("audio"), K("id" | "expires_at")] => Label::IDENTIFIER,
        _ => Label::UNKNOWN,
    }
}

fn reasoning_detail(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("text" | "summary")] => Label::text(Channel::Reasoning),
        [K("data" | "signature")] => Label::opaque(Channel::Reasoning, Kind::Encrypted),
        [K("type" | "id" | "format")] => Label::IDENTIFIER,
        _ => Label::UNKNOWN,
    }
}

/// A place in a whole reply.
pub fn reply(place: &Place<'_>) -> Label {
    match place.path {
        [K("choices"), I(_), K("message"), rest @ ..] => said(rest),
        path => around(place, path),
    }
}

fn said(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("role")] => Label::IDENTIFIER,
        [K("content")] => Label::text(Channel::Assistant),
        [K("content"), I(_), rest @ ..] => part(Channel::Assistant, lanes::lane(0, 0, lanes::TEXT), rest),
        _ => of_assistant(rest),
    }
}

fn around(place: &Place<'_>, path: &[Seg<'_>]) -> Label {
    let label = Label::text(Channel::Logprobs);
    let lane = |item| lanes::lane(choices::group(place), item, lanes::LOGPROBS);
    match path {
        // The chosen tokens one behind the other are the reply's text once more.
        [K("choices"), I(_), K("logprobs"), K("content"), I(_), K("token")] => label.in_lane(lane(0)),
        [K("choices"), I(_), K("logprobs"), K("refusal"), I(_), K("token")] => label.in_lane(lane(1)),
        [K("choices"), I(_), K("logprobs"), ..] => label,
        path => choices::envelope(path),
    }
}

/// A place in a chunk.
pub fn event(place: &Place<'_>) -> Label {
    let [K("choices"), I(_), K("delta"), rest @ ..] = place.path else {
        return around(place, place.path);
    };
    let group = choices::group(place);
    let lane = |item: u32, sort| lanes::lane(group, item, sort);
    match rest {
        [K("content")] | [K("content"), I(_), K("text")] => {
            Label::text(Channel::Assistant).delta(lane(0, lanes::TEXT))
        }
        [K("refusal")] => Label::text(Channel::Refusal).delta(lane(0, lanes::REFUSAL)),
        // Servers say the same under two names in one chunk: each name is a lane of its own.
        [K("reasoning_content")]
        | [K("content"), I(_), K("thinking")]
        | [K("content"), I(_), K("thinking"), I(_), K("text")] => {
            Label::text(Channel::Reasoning).delta(lane(0, lanes::REASONING))
        }
        [K("reasoning")] => Label::text(Channel::Reasoning).delta(lane(UNNUMBERED, lanes::REASONING)),
        [K("thinking")] => Label::text(Channel::Reasoning).delta(lane(UNNUMBERED, lanes::SUMMARY)),
        // The same reasoning once more, in parts that are numbered.
        [K("reasoning_details"), I(at), K("text")] => {
            Label::text(Channel::Reasoning).delta(lane(numbered(place, *at), lanes::REASONING))
        }
        [K("reasoning_details"), I(at), K("summary")] => {
            Label::text(Channel::Reasoning).delta(lane(numbered(place, *at), lanes::SUMMARY))
        }
        [K("tool_calls"), I(at), K("function"), K("arguments")] => {
            Label::json(Channel::ToolCall).delta(lane(numbered(place, *at), lanes::ARGUMENTS))
        }
        [K("tool_calls"), I(at), K("custom"), K("input")] => {
            Label::text(Channel::ToolCall).delta(lane(numbered(place, *at), lanes::ARGUMENTS))
        }
        [K("function_call"), K("arguments")] => {
            Label::json(Channel::ToolCall).delta(lane(0, lanes::ARGUMENTS))
        }
        [K("audio"), K("transcript")] => Label::text(Channel::Assistant).delta(lane(0, lanes::TRANSCRIPT)),
        rest => said(rest),
    }
}

/// The item of a lane from the `index` that a part of a delta gives itself, or from its place where it gives none; 0 is the
/// message's own.
fn numbered(place: &Place<'_>, at: usize) -> u32 {
    item(place.u64_in(5, "index"), at)
}

/// The item of a lane from the `index` that a part gives itself and its place.
pub fn item(given: Option<u64>, at: usize) -> u32 {
    let given = given.and_then(|index| u32::try_from(index).ok());
    given
        .or_else(|| u32::try_from(at).ok())
        .unwrap_or(0)
        .saturating_add(1)
}

/// The lanes of the tool calls that a delta says anything of.
pub fn calls(event: &Document, group: u32, delta: NodeId) -> Vec<Lane> {
    let list = event.member(delta, "tool_calls");
    let list = list.into_iter().flat_map(|list| event.items(list));
    let items = list.enumerate().map(|(at, call)| {
        let index = event.member(call, "index").and_then(|index| event.as_u64(index));
        item(index, at)
    });
    let old = event
        .member(delta, "function_call")
        .filter(|call| event.sort(*call) != Sort::Null)
        .map(|_| 0);
    items
        .chain(old)
        .map(|item| lanes::lane(group, item, lanes::ARGUMENTS))
        .collect()
}
