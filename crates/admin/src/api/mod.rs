//! The admin API: thin readings of the state, as JSON.

pub(crate) mod keys;
pub(crate) mod records;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::Console;

/// Counters, as Prometheus reads them.
pub(crate) async fn metrics(State(console): State<Arc<Console>>) -> impl IntoResponse {
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, media)], console.metrics())
}
