//! Tool definitions and tool calls, as chat completions and compatible endpoints write them.

use portcullis_core::Channel;

use crate::reading::Seg::Key as K;
use crate::reading::{Label, Seg};

/// A place inside one offered tool.
pub fn definition(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("type")] => Label::IDENTIFIER,
        // Names, descriptions and every string of the schema steer the model alike.
        _ => Label::text(Channel::ToolDefinition),
    }
}

/// A place inside one tool call of a message.
pub fn call(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("id" | "type")] => Label::IDENTIFIER,
        [K("function"), K("name")] | [K("custom"), K("name")] => Label::text(Channel::ToolCall),
        [K("function"), K("arguments")] => Label::json(Channel::ToolCall),
        [K("custom"), K("input")] => Label::text(Channel::ToolCall),
        _ => Label::UNKNOWN,
    }
}
