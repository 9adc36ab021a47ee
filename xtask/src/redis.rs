//! The server that the tests of shared limits start: Redis or Valkey, as the distribution has it.
//!
//! Tests start their own on free ports; the distribution's service is neither needed nor touched.

use std::process::Command;

use crate::sdk::{is_root, run, works};

/// Says that there is one, and installs it where it is missing and this process may do so.
pub fn server() -> Result<(), String> {
    if there() {
        return Ok(());
    }
    let install = "apt-get install redis-server (or valkey-server)";
    if !is_root() || !works(Command::new("apt-get").arg("--version")) {
        return Err(format!("redis-server is missing: {install}"));
    }
    run(Command::new("apt-get").args(["update", "-q"]))?;
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "redis-server",
    ]);
    run(&mut apt)?;
    match there() {
        true => Ok(()),
        false => Err(format!("redis-server is missing even after: {install}")),
    }
}

fn there() -> bool {
    ["redis-server", "valkey-server"]
        .iter()
        .any(|program| works(Command::new(program).arg("--version")))
}
