//! The state for commands that read or change it beside a running gateway.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use portcullis_inspect::Inspector;
use portcullis_store::Store;

use super::Failure;
use crate::config::{Config, Credentials, Source, load};

/// Runs asynchronous work of a command to its end.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// The configuration, without fetching credentials that the command does not need.
pub fn configured(source: &Source) -> Result<Config, Failure> {
    Ok(load(source, Credentials::Leave)?)
}

/// The built-in rules and the configured ones.
pub fn inspector(config: &Config) -> Result<Inspector, Failure> {
    Inspector::with(&config.rules).map_err(|errors| {
        let errors: Vec<String> = errors.into_iter().map(|(_, error)| error.to_string()).collect();
        Failure::said(errors.join("; "))
    })
}

/// Whether the state was ever made.
pub fn is_there(config: &Config) -> bool {
    file(config).is_none_or(|path| path.exists())
}

/// Whether the state is on a server, which may be away without anything being wrong with it.
pub fn is_remote(config: &Config) -> bool {
    !config.state.starts_with("sqlite:")
}

fn file(config: &Config) -> Option<&Path> {
    let place = config.state.strip_prefix("sqlite:")?;
    (place != ":memory:").then(|| Path::new(place))
}

/// Opens the state that must be there already: reading from a state that was never made is a slip of the folder.
pub async fn existing(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    match file(config).filter(|path| !path.exists()) {
        Some(path) => Err(Failure::said(format!(
            "there is no state at {}; use --config FILE, or run this in the gateway's folder",
            path.display()
        ))),
        None => Ok(portcullis_store::open(&config.state).await?),
    }
}
