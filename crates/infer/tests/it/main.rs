//! What the crate gives to others, tested from outside.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test binary")]

mod built_in;
mod hub;
