//! What the gateway put before a client's instructions, taken out again where a provider repeats those: it is not the client's.

use std::sync::Arc;

use portcullis_core::{Channel, Span};
use portcullis_dialect::{Edit, Reading};

/// What was put before the instructions that a reply may repeat.
#[derive(Clone, Debug)]
pub(crate) enum Inserted {
    /// Nothing.
    Nothing,
    /// This text.
    Text(Arc<str>),
    /// Something, perhaps: the reply is that of an earlier request of which nothing is known any more.
    Unknown,
}

impl Inserted {
    /// What was put in, if it is anything.
    pub fn put(text: String) -> Inserted {
        match text.is_empty() {
            true => Inserted::Nothing,
            false => Inserted::Text(text.into()),
        }
    }

    /// What was put in for a request that was answered earlier, as it was kept.
    pub fn earlier(kept: Option<Arc<str>>) -> Inserted {
        match kept {
            Some(text) if text.is_empty() => Inserted::Nothing,
            Some(text) => Inserted::Text(text),
            None => Inserted::Unknown,
        }
    }

    /// The text, to be kept.
    pub fn text(&self) -> &str {
        match self {
            Inserted::Text(text) => text,
            Inserted::Nothing | Inserted::Unknown => "",
        }
    }

    /// The edits that take it out. Where it is not known, all instructions go: they cannot be told from the client's own.
    pub fn unsay(&self, reading: &Reading) -> Vec<Edit> {
        let found = |text: &str| match self {
            Inserted::Nothing => None,
            Inserted::Unknown => Some(Span::new(0, text.len())).filter(|span| !span.is_empty()),
            Inserted::Text(inserted) => {
                let start = text.find(&**inserted)?;
                let end = start.saturating_add(inserted.len());
                let rest = text.get(end..).unwrap_or("");
                let blank = rest.len().saturating_sub(rest.trim_start_matches('\n').len());
                Some(Span::new(start, end.saturating_add(blank.min(2))))
            }
        };
        if matches!(self, Inserted::Nothing) {
            return Vec::new();
        }
        reading
            .parts()
            .filter(|part| is_instruction(part.channel))
            .filter_map(|part| Some(reading.edit(part.id, found(part.text)?, "")))
            .collect()
    }
}

/// Where instructions stand. That a reply repeats them in such a place is the provider's echo of the request, not the model's word.
pub(super) fn is_instruction(channel: Channel) -> bool {
    matches!(channel, Channel::System | Channel::Developer)
}
