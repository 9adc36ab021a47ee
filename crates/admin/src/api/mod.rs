//! The admin API: thin readings of the state, as JSON.

pub(crate) mod approvals;
pub(crate) mod keys;
pub(crate) mod pins;
pub(crate) mod records;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;

use crate::Console;
use crate::clock::now_ms;
use crate::error::ApiError;

/// How many are shown of what operators decide about, where nobody says, and at most.
const LIMIT: u32 = 100;
const MOST: u32 = 200;

/// Which of what operators decide about is wanted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    state: Option<String>,
    limit: Option<u32>,
}

impl Wanted {
    /// The state, if one is named, and how many.
    pub fn read<S>(
        wanted: Result<Query<Wanted>, QueryRejection>,
        of_name: impl Fn(&str) -> Option<S>,
    ) -> Result<(Option<S>, u32), ApiError> {
        let Query(wanted) = wanted.map_err(|error| ApiError::Invalid(error.body_text()))?;
        let unknown = |name: &str| ApiError::Invalid(format!("there is no state {name:?}"));
        let state = wanted.state.as_deref();
        let state = state
            .map(|name| of_name(name).ok_or_else(|| unknown(name)))
            .transpose()?;
        Ok((state, wanted.limit.unwrap_or(LIMIT).clamp(1, MOST)))
    }
}

/// Counters, as Prometheus reads them: those of the data plane, and what only the state knows.
pub(crate) async fn metrics(State(console): State<Arc<Console>>) -> impl IntoResponse {
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut text = console.metrics();
    // A state that fails must not take the other counters with it: that is when they are looked at.
    let mut add = |gauge: String| {
        let end = text.rfind("# EOF").unwrap_or(text.len());
        text.insert_str(end, &gauge);
    };
    if let Ok(pending) = console.store.approvals_pending(now_ms()).await {
        let about = "Calls of tools that wait for a person.";
        add(gauge("portcullis_approvals_pending", about, pending));
    }
    if let Ok(held) = console.store.pins_held().await {
        let about = "Definitions of tools that are held until an operator accepts them.";
        add(gauge("portcullis_pins_held", about, held));
    }
    ([(header::CONTENT_TYPE, media)], text)
}

fn gauge(name: &str, about: &str, value: u64) -> String {
    format!("# HELP {name} {about}\n# TYPE {name} gauge\n{name} {value}\n")
}
