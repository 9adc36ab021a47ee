//! The data plane as a whole: a real listener, a real client, an upstream in this process that answers what a test tells it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod abuse;
mod bench;
mod budgets;
mod calling;
mod choices;
mod classified;
mod coverage;
mod dressed;
mod flows;
mod held;
mod limits;
mod links;
mod matrix;
mod mcp;
mod mcp_coverage;
mod mcp_peer;
mod own_prompts;
mod principals;
mod prompts;
mod recorded;
mod request_limits;
mod retries;
mod sandbox;
mod sanitise;
mod stored;
mod streams;
mod talks;
mod tools;
mod unread;
mod usage;
mod validate;
mod waits;
mod walk;
