//! Content blocks: what messages, system prompts, tool results, documents and replies are made of.
//!
//! A place in a block is labelled by the block's `type`; a type that is not listed here leaves its texts `unknown`.
//! Source: Anthropic API reference, "Messages", and the types of the official SDK, betas included.

use portcullis_core::{Channel, Lane, UninspectableKind as Kind};

use crate::exchange::lanes;
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place, Prose, Seg};

/// Who speaks in a block, and what its texts continue.
#[derive(Clone, Copy)]
pub struct Voice {
    /// The channel of plain text.
    pub channel: Channel,
    /// What text blocks side by side continue.
    pub lane: Option<Lane>,
    /// The group of the lanes of what stands deeper; replies have none.
    pub group: Option<u32>,
    /// Whether texts are anybody's but the model's affair.
    pub prose: Prose,
}

impl Voice {
    /// The voice of what stands inside a block of this voice: an item of its own in the same group.
    fn inside(self, channel: Channel, number: usize) -> Voice {
        let outer = self.lane.map_or(0, lanes::item);
        let inner = u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
        let item = outer.wrapping_shl(12).wrapping_add(inner);
        Voice {
            channel,
            lane: self.group.map(|group| lanes::lane(group, item, lanes::TEXT)),
            group: self.group,
            prose: self.prose,
        }
    }

    /// The same voice, whose texts are to stay as they are if that is so.
    fn fixed_if(self, fixed: bool) -> Voice {
        let prose = if fixed { Prose::Fixed } else { self.prose };
        Voice { prose, ..self }
    }

    fn said(self) -> Label {
        let label = Label::text(self.channel).prose(self.prose);
        self.lane.map_or(label, |lane| label.in_lane(lane))
    }
}

/// A place inside `content`, which is reached after `depth` steps: a string, or blocks.
pub fn content(place: &Place<'_>, depth: usize, voice: Voice) -> Label {
    match place.path.get(depth..).unwrap_or(&[]) {
        [] | [I(_)] => Label::text(voice.channel).prose(voice.prose),
        [I(number), ..] => block(place, depth.saturating_add(1), voice, *number),
        _ => Label::UNKNOWN,
    }
}

/// A place inside the block that is reached after `depth` steps, which is number `number` of its siblings.
pub fn block(place: &Place<'_>, depth: usize, voice: Voice, number: usize) -> Label {
    let rest = place.path.get(depth..).unwrap_or(&[]);
    // What is cited is cited by its place in the text, and by its words.
    let voice = voice.fixed_if(is_cited(place, depth));
    match (place.str_in(depth, "type").unwrap_or(""), rest) {
        (_, [K("type")] | [K("cache_control"), K("type" | "ttl")]) => Label::IDENTIFIER,
        ("text", [K("text")]) => voice.said(),
        ("text", [K("citations"), I(_), rest @ ..]) => citation(rest),
        ("image", [K("source"), rest @ ..]) => source(place, depth, rest, voice, Kind::Image),
        ("image", [K("transformations"), ..]) => Label::IDENTIFIER,
        ("document", [K("source"), K("content"), ..]) => content(
            place,
            depth.saturating_add(2),
            voice.inside(Channel::Document, number),
        ),
        ("document", [K("source"), rest @ ..]) => {
            let voice = voice.inside(Channel::Document, number);
            source(place, depth, rest, voice, Kind::File)
        }
        ("document", [K("context")]) => Label::text(Channel::Document).prose(voice.prose),
        ("document", [K("title")]) | ("search_result", [K("title" | "source")]) => {
            Label::text(Channel::Document)
        }
        ("search_result", [K("content"), ..]) => content(
            place,
            depth.saturating_add(1),
            voice.inside(Channel::Document, number),
        ),
        ("thinking", [K("thinking")]) => Label::text(Channel::Reasoning),
        ("thinking", [K("signature")]) | ("redacted_thinking", [K("data")]) => {
            Label::opaque(Channel::Reasoning, Kind::Encrypted)
        }
        ("tool_use" | "server_tool_use" | "mcp_tool_use", rest) => call(rest),
        // What a server of the provider's fetched goes back as the provider wrote it.
        (sort @ ("tool_result" | "mcp_tool_result"), [K("content"), ..]) => content(
            place,
            depth.saturating_add(1),
            voice
                .inside(Channel::ToolResult, number)
                .fixed_if(sort == "mcp_tool_result"),
        ),
        ("compaction", [K("content")]) => Label::text(Channel::Assistant),
        ("compaction", [K("encrypted_content" | "signature")]) => {
            Label::opaque(Channel::Assistant, Kind::Encrypted)
        }
        ("compaction", [K("tool_changes"), ..])
        | ("tool_addition" | "tool_removal", [K("tool"), ..])
        | ("mcp_tool_listing", [K("tools" | "mcp_server_name"), ..])
        | ("tool_reference", [K("tool_name")]) => Label::text(Channel::ToolDefinition),
        ("container_upload", [K("file_id")]) => Label::opaque(Channel::Identifier, Kind::File),
        ("browser_state", [K("tabs" | "state_changes"), ..]) => Label::text(Channel::ToolResult),
        ("fallback", [K("from" | "to" | "trigger"), ..]) => Label::IDENTIFIER,
        (sort, rest) if sort.ends_with("tool_result") => result(place, depth, rest, voice, number),
        _ => Label::UNKNOWN,
    }
}

/// Whether the block that is reached after `depth` steps asks for citations.
fn is_cited(place: &Place<'_>, depth: usize) -> bool {
    let document = place.document;
    let asked = place
        .ancestor(depth)
        .and_then(|block| document.member(block, "citations"))
        .and_then(|citations| document.member(citations, "enabled"));
    asked.and_then(|enabled| document.as_bool(enabled)) == Some(true)
}

/// Where an image or a document comes from.
fn source(place: &Place<'_>, depth: usize, rest: &[Seg<'_>], voice: Voice, kind: Kind) -> Label {
    match (place.str_in(depth.saturating_add(1), "type"), rest) {
        (_, [K("type" | "media_type")]) => Label::IDENTIFIER,
        (Some("text"), [K("data")]) => Label::text(voice.channel).prose(voice.prose),
        (_, [K("data" | "url")]) => Label::opaque(voice.channel, kind),
        (_, [K("file_id")]) => Label::opaque(Channel::Identifier, kind),
        _ => Label::UNKNOWN,
    }
}

/// A place inside a citation.
pub fn citation(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("type" | "file_id")] => Label::IDENTIFIER,
        [K("encrypted_index")] => Label::opaque(Channel::Citation, Kind::Encrypted),
        _ => Label::text(Channel::Citation),
    }
}

/// A place inside a tool call.
fn call(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("id")] | [K("caller"), K("type" | "tool_id")] => Label::IDENTIFIER,
        [K("name" | "server_name" | "toolset_name")] | [K("input"), ..] => Label::text(Channel::ToolCall),
        _ => Label::UNKNOWN,
    }
}

/// A place inside the result of a tool that the provider runs: search, fetch, code execution, tool search, advisor.
fn result(place: &Place<'_>, depth: usize, rest: &[Seg<'_>], voice: Voice, number: usize) -> Label {
    match rest {
        [K("tool_use_id")] | [K("caller"), K("type" | "tool_id")] => Label::IDENTIFIER,
        // A fetched page is a document block in the result.
        [K("content"), K("content"), K(_), ..] => {
            let voice = voice.inside(Channel::ToolResult, number).fixed_if(true);
            block(place, depth.saturating_add(2), voice, 0)
        }
        [
            K("content"),
            ..,
            K("type" | "error_code" | "file_type" | "stop_reason"),
        ] => Label::IDENTIFIER,
        [K("content"), .., K("file_id")] => Label::opaque(Channel::Identifier, Kind::File),
        [K("content"), .., K("encrypted_content" | "encrypted_stdout")] => {
            Label::opaque(Channel::ToolResult, Kind::Encrypted)
        }
        [K("content"), ..] => Label::text(Channel::ToolResult),
        [K("toolset_name")] => Label::text(Channel::ToolCall),
        _ => Label::UNKNOWN,
    }
}
