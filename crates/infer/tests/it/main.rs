//! What the crate gives to others, tested from outside.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test binary")]

mod built_in;
mod hub;

use portcullis_core::Channel;
use portcullis_inspect::{Question, Rate};

/// Whether a text is an attack, at the larger rate.
fn asking(text: &str, channel: Channel) -> Question<'_> {
    Question {
        text,
        channel,
        rate: Rate::Hundredth,
    }
}
