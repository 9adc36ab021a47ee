//! Where the log goes: standard error, so that standard output belongs to the command's answer.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::Failure;

/// Starts logging. A service tells what it does; a command tells only what goes wrong.
pub fn start(filter: Option<&str>, service: bool) -> Result<(), Failure> {
    let otherwise = if service { "info" } else { "warn" };
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
    Ok(())
}
