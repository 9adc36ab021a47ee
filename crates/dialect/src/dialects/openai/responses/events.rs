//! Labels of the events of a streamed response, and when their lanes end.
//!
//! The group of a lane is the event's `output_index`. Its item is the index of the part, of the summary or of the command,
//! kept apart by [`Sort`] because an event ends one of them while another of the same number may go on.

use portcullis_core::{Channel, Lane, UninspectableKind as Kind};

use crate::exchange::{Ends, Progress, lanes};
use crate::json::Document;
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place};

use super::{acts, items, object};

/// Sound has no output index: its transcript is a group of its own.
const SOUND: u32 = 0xfff_ffff;

/// What an index counts.
#[derive(Clone, Copy, Debug)]
enum Counts {
    Parts,
    Summaries,
    Commands,
    Calls,
    Prints,
}

/// The kinds of events that carry text piece by piece: the stem of their names, what they count, the lane's sort.
fn stem(event: &str) -> Option<(&str, Counts, u8)> {
    let stem = event.strip_prefix("response.")?;
    let (stem, _) = stem.rsplit_once('.')?;
    let (counts, sort) = match stem {
        "output_text" => (Counts::Parts, lanes::TEXT),
        "refusal" => (Counts::Parts, lanes::REFUSAL),
        "reasoning_text" => (Counts::Parts, lanes::REASONING),
        "reasoning_summary_text" => (Counts::Summaries, lanes::SUMMARY),
        "function_call_arguments"
        | "mcp_call_arguments"
        | "custom_tool_call_input"
        | "code_interpreter_call_code" => (Counts::Calls, lanes::ARGUMENTS),
        "shell_call_command" => (Counts::Commands, lanes::ARGUMENTS),
        "shell_call_output_content" => (Counts::Prints, lanes::OUTPUT),
        "audio.transcript" => (Counts::Parts, lanes::TRANSCRIPT),
        _ => return None,
    };
    Some((stem, counts, sort))
}

/// Group and item of the lane that an event is about.
fn position(event: &Document, counts: Counts) -> (u32, u32) {
    let number = |key: &str| {
        let node = event.at(&[key]).and_then(|node| event.as_u64(node));
        node.and_then(|number| u32::try_from(number).ok())
    };
    let (key, space) = match counts {
        Counts::Parts => ("content_index", 0),
        Counts::Summaries => ("summary_index", 1),
        Counts::Commands => ("command_index", 2),
        Counts::Prints => ("command_index", 3),
        Counts::Calls => ("", 4),
    };
    let index = number(key).unwrap_or(0);
    (
        number("output_index").unwrap_or(SOUND),
        index.saturating_mul(8).saturating_add(space),
    )
}

/// The lane of the arguments of the call that an event is about.
pub fn position_of_call(event: &Document) -> Option<Lane> {
    event.at(&["output_index"])?;
    Some(lane_of_call(event))
}

/// The same for an event that holds a call, whether or not it says which output it is.
pub fn lane_of_call(event: &Document) -> Lane {
    let (group, item) = position(event, Counts::Calls);
    lanes::lane(group, item, lanes::ARGUMENTS)
}

/// A place in an event.
pub fn label(place: &Place<'_>) -> Label {
    let name = place.str_in(0, "type").unwrap_or("");
    match place.path {
        [K("response"), _, ..] => object::response(place, 1),
        [K("item"), _, ..] => items::label(place, 1, output_index(place)),
        [K("part"), _, ..] => {
            let channel = match place.str_in(1, "type") {
                Some("reasoning_text" | "summary_text") => Channel::Reasoning,
                _ => Channel::Assistant,
            };
            items::part(place, 1, channel, output_index(place))
        }
        [K("annotation"), rest @ ..] => items::annotation(rest),
        [
            K(
                "type" | "item_id" | "obfuscation" | "background" | "output_format" | "quality" | "size"
                | "status",
            ),
        ] => Label::IDENTIFIER,
        [K("partial_image_b64")] => Label::opaque(Channel::Assistant, Kind::Image),
        [K("output"), I(_), rest @ ..] => items::printed(rest).unwrap_or(Label::UNKNOWN),
        _ if name == "error" => error(place),
        _ if name == "response.audio.delta" => match place.path {
            [K("delta" | "data")] => Label::opaque(Channel::Assistant, Kind::Audio),
            _ => Label::UNKNOWN,
        },
        _ => text(place, name),
    }
}

/// Text that comes piece by piece, and the same text whole in the event that ends it.
fn text(place: &Place<'_>, name: &str) -> Label {
    let Some((stem, counts, sort)) = stem(name) else {
        return Label::UNKNOWN;
    };
    let (group, item) = position(place.document, counts);
    let lane: Lane = lanes::lane(group, item, sort);
    let channel = match sort {
        lanes::REFUSAL => Channel::Refusal,
        lanes::REASONING | lanes::SUMMARY => Channel::Reasoning,
        lanes::ARGUMENTS => Channel::ToolCall,
        lanes::OUTPUT => Channel::ToolResult,
        _ => Channel::Assistant,
    };
    let content = match stem {
        "function_call_arguments" | "mcp_call_arguments" => Label::json(channel),
        _ => Label::text(channel),
    };
    match place.path {
        [K("delta")] | [K("delta"), K("stdout")] => content.delta(lane),
        [K("delta"), K("stderr")] => content.delta(lanes::lane(group, item, lanes::ERROR_OUTPUT)),
        // A done event says whole what its deltas said.
        [K("text" | "refusal" | "arguments" | "input" | "code" | "command" | "transcript")] => content,
        [K("name")] => Label::text(Channel::ToolCall),
        [K("logprobs"), rest @ ..] => items::logprob(group, item, rest),
        _ => Label::UNKNOWN,
    }
}

fn error(place: &Place<'_>) -> Label {
    match place.path {
        [K("code" | "param")] | [K("error"), K("code" | "param" | "type")] => Label::IDENTIFIER,
        [K("message")] | [K("error"), ..] => Label::text(Channel::Error),
        _ => Label::UNKNOWN,
    }
}

fn output_index(place: &Place<'_>) -> usize {
    let index = place.u64_in(0, "output_index").unwrap_or(0);
    usize::try_from(index).unwrap_or(0)
}

/// Which lanes have ended with an event.
pub fn ends(event: &Document) -> Ends {
    let name = event.str_at(&["type"]).unwrap_or("");
    let group = event
        .at(&["output_index"])
        .and_then(|node| event.as_u64(node))
        .and_then(|index| u32::try_from(index).ok());
    match (name, group) {
        ("response.completed" | "response.failed" | "response.incomplete" | "error", _) => Ends::All,
        // The item is whole in this event: nothing can be added to it.
        ("response.output_item.done", Some(group)) => Ends::Group(group),
        _ if name.ends_with(".done") => match stem(name) {
            Some((_, counts, _)) => {
                let (group, item) = position(event, counts);
                Ends::Item(group, item)
            }
            None => Ends::Nothing,
        },
        _ => Ends::Nothing,
    }
}

/// The lane of the arguments of a call that is added: its name is held with them, and so is a call that has no arguments in pieces,
/// until its item is whole.
pub fn opens(event: &Document) -> Vec<Lane> {
    let Some(item) = event.at(&["item"]) else {
        return Vec::new();
    };
    let is_call = matches!(
        event.str_at(&["item", "type"]),
        Some("mcp_call" | "code_interpreter_call")
    ) || acts::is_call(event, item);
    if !is_call || event.str_at(&["type"]) != Some("response.output_item.added") {
        return Vec::new();
    }
    vec![lane_of_call(event)]
}

/// Notes what a cut needs: the response's own facts, the last item that was opened, the last number.
pub fn progress(event: &Document, progress: &mut Progress) {
    progress.begun = true;
    let number = |path: &[&str]| event.at(path).and_then(|node| event.as_u64(node));
    if let Some(sequence) = number(&["sequence_number"]) {
        progress.sequence = progress.sequence.max(sequence);
    }
    if let Some(index) = number(&["output_index"]) {
        progress.open = progress.open.max(Some(index));
    }
    match event.str_at(&["type"]) {
        Some("response.output_item.added") if event.str_at(&["item", "type"]) == Some("message") => {
            let id = event.str_at(&["item", "id"]).unwrap_or("").to_owned();
            progress.message = Some((id, String::new()));
        }
        Some("response.output_text.delta") => {
            if let (Some((_, text)), Some(delta)) = (&mut progress.message, event.str_at(&["delta"])) {
                text.push_str(delta);
            }
        }
        Some("response.output_item.done") => {
            if let Some(item) = event.at(&["item"]) {
                progress.items.push(event.wire(item).to_owned());
            }
            progress.message = None;
        }
        _ => {}
    }
    if progress.id.is_empty()
        && let Some(id) = event.str_at(&["response", "id"])
    {
        progress.id = id.to_owned();
        progress.model = event.str_at(&["response", "model"]).unwrap_or("").to_owned();
        progress.created = super::super::facts::created_at(event).to_owned();
    }
}
