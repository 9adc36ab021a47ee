//! The store from outside: one conformance suite over every store, and the audit log against real files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop where it fails; clippy knows only functions marked as tests"
)]

mod approvals;
mod audit_log;
mod conformance;
mod files;
mod pins;
mod replicas;
mod samples;
mod server;
mod tampering;
