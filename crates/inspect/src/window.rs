//! The streaming window: holds back exactly what could still become a match.

use portcullis_core::{Channel, Finding};

use crate::{Inspector, Selection};

/// Reads one streamed lane piece by piece.
#[derive(Clone, Debug)]
pub struct Window {
    channel: Channel,
    selection: Selection,
    text: String,
}

/// A match outgrew what the window may hold. The text held back can be neither released nor judged: fail closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a possible match outgrew the window")]
pub struct Overgrown;

impl Window {
    /// A window over one lane.
    #[must_use]
    pub fn new(channel: Channel, selection: Selection) -> Window {
        Window {
            channel,
            selection,
            text: String::new(),
        }
    }

    /// Appends text and adds the findings that are final; returns the lane offset up to which the verdict is final.
    ///
    /// # Errors
    /// [`Overgrown`] when a possible match is longer than the window may hold.
    pub fn push(
        &mut self,
        _inspector: &Inspector,
        text: &str,
        _found: &mut Vec<Finding>,
    ) -> Result<usize, Overgrown> {
        self.text.push_str(text);
        Ok(0)
    }

    /// Ends the text: everything is final.
    pub fn finish(&mut self, inspector: &Inspector, found: &mut Vec<Finding>) -> usize {
        inspector.scan(&self.text, self.channel, &self.selection, found);
        self.text.len()
    }
}
