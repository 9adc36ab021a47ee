//! Labels of the items that make up a conversation in the Responses API: messages, reasoning, calls of every kind of tool
//! and what came of them. They are the same in requests, in replies, in stream events and in lists of input items.

use portcullis_core::{Channel, UninspectableKind as Kind};

use crate::exchange::lanes;
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place, Prose, Seg};

/// The kind of an item that names its type, or has a role, or neither.
pub fn kind(named: Option<&str>, has_role: bool) -> &str {
    match named {
        Some(named) => named,
        None if has_role => "message",
        None => "item_reference",
    }
}

/// A place inside the item that stands `depth` steps below the root. `number` is its place in the list.
pub fn label(place: &Place<'_>, depth: usize, number: usize) -> Label {
    let rest = place.path.get(depth..).unwrap_or(&[]);
    if let Some(label) = common(rest) {
        return label;
    }
    let role = place.str_in(depth, "role");
    let kind = kind(place.str_in(depth, "type"), role.is_some());
    match kind {
        "message" => message(place, depth, role, number),
        "reasoning" | "compaction" => reasoning(number, rest),
        "function_call" | "custom_tool_call" | "mcp_approval_request" => call(rest),
        "mcp_call" => match rest {
            [K("output")] => Label::text(Channel::ToolResult),
            [K("error"), K("type")] => Label::IDENTIFIER,
            [K("error"), ..] => Label::text(Channel::ToolResult),
            _ => call(rest),
        },
        "mcp_list_tools" => match rest {
            [K("error"), ..] => Label::text(Channel::ToolResult),
            [K("server_label")] => Label::text(Channel::ToolDefinition),
            [K("tools"), I(_), rest @ ..] => super::super::tools::definition(rest),
            _ => Label::UNKNOWN,
        },
        "mcp_approval_response" => match rest {
            [K("reason")] => Label::text(Channel::User),
            _ => Label::UNKNOWN,
        },
        "tool_search_output" | "additional_tools" => match rest {
            [K("tools"), I(_), rest @ ..] => super::super::tools::definition(rest),
            _ => Label::UNKNOWN,
        },
        "configuration_update" => match rest {
            [K("reasoning"), K(_)] => Label::IDENTIFIER,
            [K("text"), ..] => Label::text(Channel::Steering),
            _ => Label::UNKNOWN,
        },
        _ if kind.ends_with("_output") => output(place, depth, number),
        _ => provider_call(rest),
    }
}

/// What items of all kinds have.
fn common(rest: &[Seg<'_>]) -> Option<Label> {
    match rest {
        [
            K(
                "id"
                | "type"
                | "status"
                | "call_id"
                | "created_by"
                | "role"
                | "phase"
                | "approval_request_id"
                | "container_id"
                | "execution"
                | "fingerprint",
            ),
        ]
        | [K("caller"), K("type" | "caller_id")] => Some(Label::IDENTIFIER),
        _ => None,
    }
}

fn message(place: &Place<'_>, depth: usize, role: Option<&str>, number: usize) -> Label {
    let channel = match role {
        Some("system") => Channel::System,
        Some("developer") => Channel::Developer,
        Some("user") => Channel::User,
        Some("assistant") => Channel::Assistant,
        Some("tool") => Channel::ToolResult,
        _ => Channel::Unknown,
    };
    match place.path.get(depth..).unwrap_or(&[]) {
        [K("content")] | [K("content"), I(_)] => Label::text(channel).prose(Prose::Free),
        [K("content"), I(_), ..] => part(place, depth.saturating_add(2), channel, number),
        _ => Label::UNKNOWN,
    }
}

/// A place inside the content part that stands `depth` steps below the root. Texts of one item continue each other.
pub fn part(place: &Place<'_>, depth: usize, channel: Channel, number: usize) -> Label {
    let number = u32::try_from(number).unwrap_or(0);
    match place.path.get(depth..).unwrap_or(&[]) {
        [K("text")] => {
            let lane = lanes::lane(number, 0, lanes::TEXT);
            Label::text(channel).in_lane(lane).prose(Prose::Free)
        }
        [K("refusal")] => Label::text(Channel::Refusal).in_lane(lanes::lane(number, 0, lanes::REFUSAL)),
        [K("type" | "detail")] | [K("prompt_cache_breakpoint"), K(_)] | [K("input_audio"), K("format")] => {
            Label::IDENTIFIER
        }
        [K("image_url")] => Label::opaque(channel, Kind::Image),
        [K("file_data" | "file_url")] => Label::opaque(channel, Kind::File),
        [K("file_id")] if place.str_in(depth, "type") == Some("input_image") => {
            Label::opaque(Channel::Identifier, Kind::Image)
        }
        [K("file_id")] => Label::opaque(Channel::Identifier, Kind::File),
        [K("filename")] => Label::text(Channel::Name),
        [K("input_audio"), K("data")] => Label::opaque(channel, Kind::Audio),
        [K("annotations"), I(_), rest @ ..] => annotation(rest),
        [K("logprobs"), rest @ ..] => logprob(number, 0, rest),
        _ => Label::UNKNOWN,
    }
}

/// A place inside one annotation.
pub fn annotation(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("type" | "file_id" | "container_id")] => Label::IDENTIFIER,
        _ => Label::text(Channel::Citation),
    }
}

/// A place inside a list of token probabilities. The chosen tokens one behind the other are the text once more.
pub fn logprob(group: u32, item: u32, rest: &[Seg<'_>]) -> Label {
    let label = Label::text(Channel::Logprobs);
    match rest {
        [I(_), K("token")] => label.in_lane(lanes::lane(group, item, lanes::LOGPROBS)),
        _ => label,
    }
}

fn reasoning(number: usize, rest: &[Seg<'_>]) -> Label {
    let label = Label::text(Channel::Reasoning);
    let lane = |sort| lanes::lane(u32::try_from(number).unwrap_or(0), 0, sort);
    match rest {
        [K("summary" | "content"), I(_), K("type")] | [K("format")] => Label::IDENTIFIER,
        [K("summary"), I(_), K("text")] => label.in_lane(lane(lanes::SUMMARY)),
        [K("content"), I(_), K("text")] => label.in_lane(lane(lanes::REASONING)),
        [K("content")] => label,
        [K("encrypted_content" | "signature")] => Label::opaque(Channel::Reasoning, Kind::Encrypted),
        _ => Label::UNKNOWN,
    }
}

/// A call of a tool that the client runs, or that stands for one of a server.
fn call(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("arguments")] => Label::json(Channel::ToolCall),
        [K("name" | "input" | "server_label" | "namespace")] => Label::text(Channel::ToolCall),
        _ => Label::UNKNOWN,
    }
}

/// What a tool returned, whichever tool it was.
fn output(place: &Place<'_>, depth: usize, number: usize) -> Label {
    let result = Label::text(Channel::ToolResult);
    match place.path.get(depth..).unwrap_or(&[]) {
        // What a shell of the first kind printed is JSON that the provider may read.
        [K("output")] if place.str_in(depth, "type") != Some("local_shell_call_output") => {
            result.prose(Prose::Free)
        }
        [K("output" | "result")] => result,
        [K("name" | "namespace")] => Label::text(Channel::Name),
        // A screenshot.
        [K("output"), K("image_url")] => Label::opaque(Channel::ToolResult, Kind::Image),
        [K("output"), K("file_id")] => Label::opaque(Channel::Identifier, Kind::Image),
        [K("output"), K("type")] => Label::IDENTIFIER,
        // What a shell printed.
        [K("output"), I(_), rest @ ..] => {
            printed(rest).unwrap_or_else(|| part(place, depth.saturating_add(2), Channel::ToolResult, number))
        }
        [K("acknowledged_safety_checks"), I(_), K("id" | "code")] => Label::IDENTIFIER,
        [K("acknowledged_safety_checks"), I(_), K("message")] => result,
        _ => Label::UNKNOWN,
    }
}

/// A place inside what one command printed.
pub fn printed(rest: &[Seg<'_>]) -> Option<Label> {
    match rest {
        [K("stdout" | "stderr")] => Some(Label::text(Channel::ToolResult).prose(Prose::Free)),
        [K("outcome"), K("type")] | [K("created_by")] => Some(Label::IDENTIFIER),
        _ => None,
    }
}

/// A call of a tool that the provider runs: search, code interpreter, computer, shell, images, patches.
fn provider_call(rest: &[Seg<'_>]) -> Label {
    let asked = Label::text(Channel::ToolCall);
    match rest {
        [K("action" | "operation"), K("type" | "button")]
        | [K("actions"), I(_), K("type" | "button")]
        | [K("environment"), K("type" | "container_id")]
        | [K("action"), K("sources"), I(_), K("type")]
        | [K("outputs" | "results"), I(_), K("type" | "file_id")]
        | [K("pending_safety_checks"), I(_), K("id" | "code")]
        | [K("action" | "background" | "output_format" | "quality" | "size")]
        | [K("svg_usage"), K("model")] => Label::IDENTIFIER,
        [K("action"), K("sources"), I(_), ..] => Label::text(Channel::Citation),
        // Search words, addresses, keys and texts to type, commands, patches, code, an image's description.
        [K("action" | "actions" | "operation"), ..]
        | [K("queries"), I(_)]
        | [K("code" | "revised_prompt")]
        | [K("pending_safety_checks"), I(_), K("message")] => asked,
        [K("arguments")] => Label::json(Channel::ToolCall),
        [K("arguments"), ..] => asked,
        [K("environment"), K("skills"), I(_), rest @ ..] => super::super::tools::definition(rest),
        [K("results"), I(_), ..] => Label::text(Channel::Document),
        [K("outputs"), I(_), K("logs")] => Label::text(Channel::ToolResult),
        [K("outputs"), I(_), K("url")] => Label::opaque(Channel::ToolResult, Kind::Image),
        [K("result")] => Label::opaque(Channel::Assistant, Kind::Image),
        [K("error"), K("code" | "param" | "type")] | [K("error"), K("moderation_details"), ..] => {
            Label::IDENTIFIER
        }
        [K("error"), ..] => Label::text(Channel::Error),
        _ => Label::UNKNOWN,
    }
}
