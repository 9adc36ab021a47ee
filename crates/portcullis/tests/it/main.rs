//! The program as a whole, from outside: one binary, one module a subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends here"
)]

mod classifier;
mod commands;
mod demo;
mod eval;
mod gateway;
mod idp;
mod mcp;
mod mcp_sql;
mod operators;
mod policy;
#[path = "../../../store/tests/it/redis.rs"]
mod redis;
mod replicas;
mod rules;
mod sdk;
mod serve;
#[path = "../../../store/tests/it/server.rs"]
mod server;
mod shared;
mod sql_guard;
mod standin;
mod stores;
mod tls;
