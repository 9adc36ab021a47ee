//! The composition root: configuration, command line and wiring. It reads files, the environment and signals, builds
//! plain values and hands them to the rooms; it never touches the bytes of a request.

pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod config;
pub mod docs;
pub mod eval;
pub mod models;
pub mod operators;
pub mod scan;
pub mod standin;
pub mod tls;
pub mod wiring;
