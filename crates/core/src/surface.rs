//! The surface: every text of a body, with its place and its author, whatever the wire format.
//!
//! A dialect yields parts; a detector reads parts; nothing else extracts text from a body anywhere.

use serde::{Deserialize, Serialize};

use crate::{Channel, Finding, Origin};

/// The number of a part within one reading of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartId(pub u32);

/// Parts of one lane continue each other: the deltas of one streamed text, the text blocks of one message.
///
/// What is split over a lane's parts is one text to a reader, so detectors also read the parts joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub u64);

/// One text of a body.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Its number in the reading.
    pub id: PartId,
    /// Where it stands.
    pub channel: Channel,
    /// Who wrote it.
    pub origin: Origin,
    /// What it continues, if anything.
    pub lane: Option<Lane>,
    /// The text, decoded from its wire form.
    pub text: &'a str,
}

/// A finding and the part it is in. A match that runs over several parts of a lane is one `Located` for each part.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// The part; `finding.span` counts bytes of its text.
    pub part: PartId,
    /// Which piece of the match this is: 0 for the only or first piece, 1.. for what continues it in later parts.
    /// Whoever redacts puts the replacement at piece 0 and empties the others.
    pub piece: u16,
    /// Where the part stands.
    pub channel: Channel,
    /// Who wrote the part.
    pub origin: Origin,
    /// The fact.
    pub finding: Finding,
}

/// Content that no text detector can read, by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UninspectableKind {
    /// A picture, embedded or by address.
    Image,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// A file, embedded or by reference.
    File,
    /// Reasoning or state that the provider encrypted or signed.
    Encrypted,
    /// Numbers that stand for a text: token ids, packed embeddings.
    Vector,
}

impl UninspectableKind {
    /// Every kind.
    pub const ALL: &'static [UninspectableKind] = &[
        UninspectableKind::Image,
        UninspectableKind::Audio,
        UninspectableKind::Video,
        UninspectableKind::File,
        UninspectableKind::Encrypted,
        UninspectableKind::Vector,
    ];

    /// The name used in configuration and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            UninspectableKind::Image => "image",
            UninspectableKind::Audio => "audio",
            UninspectableKind::Video => "video",
            UninspectableKind::File => "file",
            UninspectableKind::Encrypted => "encrypted",
            UninspectableKind::Vector => "vector",
        }
    }
}

/// Something on the surface that could not be read, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uninspectable {
    /// What it is.
    pub kind: UninspectableKind,
    /// Where it stands, as `messages[0].content[1].image_url.url`.
    pub path: String,
    /// Bytes of its wire form.
    pub bytes: usize,
}
