//! The operators' side: admin API, metrics and console, on a listener of its own.
//!
//! It shares the state with the data plane and never a socket: no provider traffic passes here. It reads no files and
//! no environment; what it shows is given to it. Every route is in [`ROUTES`], and all but `/healthz` ask for the token.

mod api;
mod approvals;
mod auth;
mod clock;
mod console;
mod error;
mod openapi;
mod page;
mod routes;

use std::future::Future;
use std::sync::Arc;

pub use auth::Token;
pub use axum::serve::Listener;
pub use console::Console;
pub use routes::{ROUTES, Route};

/// Serves operators on `listener` until `stop` is ready and the requests under way have ended.
pub async fn serve(
    listener: impl Listener<Addr: std::fmt::Debug>,
    console: Arc<Console>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let served = axum::serve(listener, routes::router(console))
        .with_graceful_shutdown(stop)
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the operators' listener failed");
    }
}
