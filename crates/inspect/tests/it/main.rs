//! The inspector from outside: the rules' own cases, streams, views, whole messages and what is remembered.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_precision_loss,
    reason = "a test fails by panicking"
)]

mod benign;
mod corpus;
mod cuts;
mod disguises;
mod dressed;
mod maps;
mod message;
mod samples;
mod verdicts;
mod views;
mod window;
