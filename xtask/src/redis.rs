//! The server that the tests of shared limits start: Redis or Valkey, as the distribution has it.
//!
//! Tests start their own on free ports; the distribution's service is neither needed nor touched.

use std::process::Command;

use crate::debian;
use crate::sdk::works;

/// Makes sure that there is one.
pub fn server() -> Result<(), String> {
    debian::have("redis-server or valkey-server", &["redis-server"], there)
}

fn there() -> bool {
    ["redis-server", "valkey-server"]
        .iter()
        .any(|program| works(Command::new(program).arg("--version")))
}
