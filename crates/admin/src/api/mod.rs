//! The admin API: thin readings of the state, as JSON.

pub(crate) mod approvals;
pub(crate) mod keys;
pub(crate) mod records;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::Console;
use crate::clock::now_ms;

/// Counters, as Prometheus reads them: those of the data plane, and what only the state knows.
pub(crate) async fn metrics(State(console): State<Arc<Console>>) -> impl IntoResponse {
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut text = console.metrics();
    // A state that fails must not take the other counters with it: that is when they are looked at.
    if let Ok(pending) = console.store.approvals_pending(now_ms()).await {
        let end = text.rfind("# EOF").unwrap_or(text.len());
        text.insert_str(end, &gauge(pending));
    }
    ([(header::CONTENT_TYPE, media)], text)
}

fn gauge(pending: u64) -> String {
    format!(
        "# HELP portcullis_approvals_pending Calls of tools that wait for a person.\n\
         # TYPE portcullis_approvals_pending gauge\nportcullis_approvals_pending {pending}\n"
    )
}
