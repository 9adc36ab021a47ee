//! `portcullis serve`: runs the gateway until it is told to stop. SIGHUP reads the configuration again; SIGTERM and
//! SIGINT let requests under way end; a second one ends at once.

use portcullis_core::Secret;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::out::Out;
use super::{Failure, Outcome};
use crate::config::{Credentials, Source, load};
use crate::wiring::{Running, StartError};

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Args {}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        Failure::said(error)
    }
}

/// Serves.
pub fn run(_: &Args, source: &Source) -> Result<Outcome, Failure> {
    take_small_pages();
    let config = load(source, Credentials::Fetch)?;
    runtime()?.block_on(async {
        // Before anything serves, so that no early signal is lost.
        let mut signals = Signals::new()?;
        let running = Running::start(config).await?;
        tracing::info!(configuration = %source, "gateway on {}", running.url());
        tracing::info!("console and metrics on {}", running.admin_url());
        if let Some(token) = &running.made_token {
            show(&running, token)?;
        }
        signals.until_stopped(&running, source).await;
        signals.drain(running).await;
        Ok(Outcome::Done)
    })
}

/// Tells the kernel not to back memory by pages of 2 MiB: a gateway that is idle would hold a third more than it needs, as
/// what was freed inside of such a page is never given back. Scanning is as fast either way.
pub fn take_small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "large pages stay in use");
    }
}

/// A runtime for serving: one thread a core.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// The token goes to standard output, not into the log.
fn show(running: &Running, token: &Secret<String>) -> Result<(), Failure> {
    let mut out = Out::new();
    out.line(format_args!(
        "admin token, shown once: {}\nconsole: {}/?token={}",
        token.expose(),
        running.admin_url(),
        token.expose()
    ))?;
    match out.end(Outcome::Done) {
        Ok(_) | Err(Failure::Quiet) => Ok(()),
        Err(failure) => Err(failure),
    }
}

/// The signals that a service answers to.
pub struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen for them.
    ///
    /// # Errors
    /// The operating system does not let it.
    pub fn new() -> Result<Signals, Failure> {
        Ok(Signals {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the signal to stop, and reloads in the meantime.
    pub async fn until_stopped(&mut self, running: &Running, source: &Source) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload(running, source),
            }
        }
    }

    /// Lets requests under way end, unless a second signal asks for haste.
    pub async fn drain(mut self, running: Running) {
        tracing::info!("draining; a second signal ends at once");
        tokio::select! {
            () = running.drain() => tracing::info!("ended"),
            () = self.again() => {
                tracing::warn!("ended at once, with requests under way");
            }
        }
    }

    async fn again(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn reload(running: &Running, source: &Source) {
    let result = load(source, Credentials::Fetch)
        .map_err(|error| error.to_string())
        .and_then(|config| running.reload(config).map_err(|error| error.to_string()));
    match result {
        Ok(()) => tracing::info!(configuration = %source, "configuration reloaded"),
        Err(error) => tracing::error!("configuration NOT reloaded, the one before stays in force:\n{error}"),
    }
}
