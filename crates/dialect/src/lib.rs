//! Wire formats: provider bytes to and from the conversation view, server-sent events, safe patching.
//!
//! This crate parses attackers' bytes, so it is pure: no I/O, no async, no detector, no policy. It can be fuzzed alone.

mod allowance;
mod dialects;
mod exchange;
mod extension;
mod instruct;
mod json;
mod listed;
mod patch;
mod promise;
mod reading;
mod sse;
mod tools;

pub use allowance::Allowance;
pub use dialects::{DIALECTS, Guard, Mcp, McpErrors, dialect};
pub use exchange::{
    About, Api, Body, Call, Cut, Dialect, Ends, Exchange, Failure, Method, Progress, Stage, StateRef, find,
    find_as, lanes,
};
pub use extension::EXTENSION;
pub use json::{Document, MAX_DEPTH, Malformed, NodeId, Sort, escape_into, quoted};
pub use patch::{Edit, apply};
pub use promise::{Answer, Called, Form, Promise};
pub use reading::{Content, Label, Place, Prose, Reading, Seg};
pub use sse::{Frame, Frames, MAX_FRAME, SseError};
pub use tools::{Act, Altered, DeniedLane, Offer, Step};
