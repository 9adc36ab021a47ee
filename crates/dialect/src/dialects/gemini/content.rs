//! Contents and parts: what prompts, system instructions, embeddings and candidates are made of.
//!
//! Source: Gemini API reference, "Content" and "Part", and the types of the official SDK.

use portcullis_core::{Channel, UninspectableKind as Kind};

use super::trail::{self, Trail};
use crate::reading::{Label, Place, Prose};

/// The role of the content whose members are name number `number` and its siblings. Without one it is the user's.
pub fn channel(place: &Place<'_>, trail: &Trail<'_>, number: usize) -> Channel {
    match place.str_in(trail.holder(number), "role") {
        None | Some("user") => Channel::User,
        Some("model") => Channel::Assistant,
        Some("system") => Channel::System,
        Some("function" | "tool") => Channel::ToolResult,
        Some(_) => Channel::Unknown,
    }
}

/// A place in a part, whose members begin at name number `number` of the trail.
pub fn part(place: &Place<'_>, trail: &Trail<'_>, number: usize, channel: Channel) -> Label {
    match trail.names(number) {
        ["text"] if thought(place, trail, number) => Label::text(Channel::Reasoning),
        ["text"] => Label::text(channel).prose(Prose::Free),
        ["thoughtSignature"] => Label::opaque(Channel::Reasoning, Kind::Encrypted),
        ["inlineData" | "fileData", ..] => media(place, trail, number, channel),
        ["functionCall" | "toolCall", rest @ ..] => match rest {
            ["id" | "toolType"] => Label::IDENTIFIER,
            ["name" | "args" | "partialArgs", ..] => Label::text(Channel::ToolCall),
            _ => Label::UNKNOWN,
        },
        ["functionResponse" | "toolResponse", rest @ ..] => match rest {
            ["id" | "toolType" | "scheduling"] => Label::IDENTIFIER,
            // An object that the provider checks for being one: what it says stays where it is, string by string.
            ["response", ..] if trail.names(number).first() == Some(&"functionResponse") => {
                Label::text(Channel::ToolResult).prose(Prose::Leaf)
            }
            ["name" | "response", ..] => Label::text(Channel::ToolResult),
            ["parts", "inlineData" | "fileData", ..] => {
                media(place, trail, number.saturating_add(2), Channel::ToolResult)
            }
            _ => Label::UNKNOWN,
        },
        ["executableCode", "code"] => Label::text(Channel::ToolCall),
        ["codeExecutionResult", "output"] => Label::text(Channel::ToolResult),
        ["executableCode", "language" | "id"] | ["codeExecutionResult", "outcome" | "id"] => {
            Label::IDENTIFIER
        }
        ["audioTranscription", "text"] | ["audioTranscription", "words", "word"] => Label::text(channel),
        [
            "audioTranscription" | "speechMetadata",
            "speakerLabel" | "speaker",
        ] => Label::text(Channel::Name),
        ["speechMetadata", "style"] => Label::text(Channel::Steering),
        ["partMetadata", ..] => Label::text(Channel::Metadata),
        [
            "audioTranscription" | "mediaResolution" | "mediaProcessing" | "videoMetadata",
            ..,
        ]
        | ["documentMetadata" | "spreadsheetMetadata" | "audioMetadata", ..] => Label::IDENTIFIER,
        _ => Label::UNKNOWN,
    }
}

/// Whether the part is the model's thinking.
pub fn thought(place: &Place<'_>, trail: &Trail<'_>, number: usize) -> bool {
    let part = place.ancestor(trail.holder(number));
    let thought = part.and_then(|part| place.document.member(part, "thought"));
    thought.and_then(|thought| place.document.as_bool(thought)) == Some(true)
}

/// A place in `inlineData` or `fileData`, which is name number `number`: what it holds follows from its media type.
fn media(place: &Place<'_>, trail: &Trail<'_>, number: usize, channel: Channel) -> Label {
    let member = number.saturating_add(1);
    match trail.names(member) {
        ["data" | "fileUri"] => {
            let object = place.ancestor(trail.holder(member));
            let mime = object
                .and_then(|object| trail::member(place.document, object, "mimeType"))
                .and_then(|mime| place.document.as_str(mime))
                .unwrap_or("");
            Label::opaque(channel, kind_of(mime))
        }
        ["mimeType"] => Label::IDENTIFIER,
        ["displayName"] => Label::text(Channel::Name),
        _ => Label::UNKNOWN,
    }
}

/// What bytes of a media type are.
fn kind_of(mime: &str) -> Kind {
    match mime.split('/').next() {
        Some("image") => Kind::Image,
        Some("audio") => Kind::Audio,
        Some("video") => Kind::Video,
        _ => Kind::File,
    }
}
