//! The project's own tasks: `cargo xtask test`, `tidy`, `gen`, `setup`.
//!
//! What the tasks check is the house's rules; what they build and run is done by cargo itself. Nothing here is part of
//! the gateway, and nothing of the gateway is linked in: generated documents come from running its binary.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool for developers: printing is what it does"
)]

mod debian;
mod generated;
mod node;
mod postgres;
mod redis;
mod sdk;
mod test;
mod tidy;
mod tree;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <task>

  test     everything that must hold: format, lints, tidy, all tests, documentation tests
  tidy     the house's rules alone, without building or running tests
  gen      write the generated documents anew
  setup    make the environments of the client tests and of the identity provider, install the servers, and nothing else";

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "test" => test::run(),
        "tidy" => tidy::run(),
        "gen" => generated::write(),
        "setup" => sdk::environment().and_then(|python| {
            println!("{}", python.display());
            node::environment().map(|folder| println!("{}", folder.display()))?;
            postgres::programs()?;
            redis::server()
        }),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
