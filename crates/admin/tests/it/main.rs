//! The operators' side over a real socket, on a real store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends here"
)]

mod approvals;
mod client;
mod keys;
mod open;
mod operators;
mod pages;
mod pins;
