//! Where the log goes: standard error, so that standard output belongs to the command's answer.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::Failure;

/// What the process is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It serves, and tells what it does.
    Service,
    /// It serves beside an explanation of its own, and tells what goes wrong.
    Demo,
    /// It answers one question, and tells what goes wrong.
    Command,
}

/// Starts logging.
pub fn start(filter: Option<&str>, kind: Kind) -> Result<(), Failure> {
    // The protocol's SDK logs every message of every server as it begins: words of strangers, and long ones.
    let otherwise = if kind == Kind::Service {
        "info,rmcp=warn"
    } else {
        "warn"
    };
    let filter = match filter {
        Some(text) => EnvFilter::try_new(text).map_err(|error| Failure::said(format!("--log: {error}")))?,
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(otherwise)),
    };
    // A second start within one process (tests) finds the first in place; that is fine.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    if kind != Kind::Command {
        std::panic::set_hook(Box::new(|panic| {
            // The message is left out: it may hold a piece of what was being read.
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(place, "a fault of the program ended what was being done");
        }));
    }
    Ok(())
}
