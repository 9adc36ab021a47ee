//! The operators' side: admin API, metrics and console, on a listener of its own.
//!
//! It shares the state with the data plane and never a socket: no provider traffic passes here. It reads no files and
//! no environment; what it shows is given to it. Every route is in [`ROUTES`], and all but `/healthz` and those that begin a session
//! ask who is there. Who operators are besides the holder of the token is asked of [`Operators`].

mod api;
mod approvals;
mod auth;
mod clock;
mod console;
mod error;
mod login;
mod openapi;
mod operators;
mod page;
mod pins;
mod routes;
mod sessions;
mod visible;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

pub use async_trait::async_trait;
pub use auth::Token;
pub use axum::serve::Listener;
pub use console::Console;
pub use operators::{Asked, Begun, Operator, Operators, Unknown, Who};
pub use routes::{ROUTES, Route};

/// Serves operators on `listener` until `stop` is ready and the requests under way have ended.
pub async fn serve(
    listener: impl Listener<Addr = SocketAddr>,
    console: Arc<Console>,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let served = axum::serve(
        auth::Own(listener),
        routes::router(console).into_make_service_with_connect_info::<auth::Peer>(),
    )
    .with_graceful_shutdown(stop)
    .await;
    if let Err(error) = served {
        tracing::error!(%error, "the operators' listener failed");
    }
}
