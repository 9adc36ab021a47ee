//! What happened, what was used, and what is configured. Read only.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use portcullis_core::RequestId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Console;
use crate::error::ApiError;

/// How many records are shown where nobody says, and at most.
const LIMIT: u32 = 100;
const MOST: u32 = 1000;

/// Which records.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    limit: Option<u32>,
}

/// The last records, newest first.
pub(crate) async fn events(
    State(console): State<Arc<Console>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, ApiError> {
    let count = wanted.limit.unwrap_or(LIMIT).clamp(1, MOST);
    let mut records = console.store.audit_tail(count).await?;
    records.reverse();
    let events: Vec<Value> = records
        .iter()
        .map(|stored| json!({ "seq": stored.seq, "record": stored.record }))
        .collect();
    Ok(Json(json!({ "events": events })))
}

/// The record of one request.
pub(crate) async fn event(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let stored = console.store.audit_record(&RequestId::from_text(&id)).await?;
    let stored = stored.ok_or_else(|| ApiError::NotFound("There is no request of that id.".to_owned()))?;
    Ok(Json(json!({ "seq": stored.seq, "record": stored.record })))
}

/// From when usage is counted.
#[derive(Deserialize)]
pub(crate) struct Since {
    since_ms: Option<u64>,
}

/// How many alerts are shown.
const ALERTS: u32 = 100;

/// What each key and team used, and the last alerts of budgets.
pub(crate) async fn usage(
    State(console): State<Arc<Console>>,
    Query(since): Query<Since>,
) -> Result<Json<Value>, ApiError> {
    let since_ms = since.since_ms.unwrap_or(0);
    let meters = console.store.usage_since(since_ms).await?;
    let usage: Vec<Value> = meters
        .iter()
        .map(|(meter, totals)| {
            json!({
                "meter": meter.as_str(), "requests": totals.requests, "input_tokens": totals.usage.input,
                "cached_tokens": totals.usage.cached, "output_tokens": totals.usage.output,
                "reasoning_tokens": totals.usage.reasoning, "cost_micro_usd": totals.cost.0,
            })
        })
        .collect();
    let alerts: Vec<Value> = console
        .store
        .alerts(ALERTS)
        .await?
        .iter()
        .map(|alert| {
            json!({
                "meter": alert.meter.as_str(), "period": alert.budget.period.name(), "period_since_ms": alert.since_ms,
                "percent": alert.percent, "spent_micro_usd": alert.spent.0, "budget_micro_usd": alert.budget.amount.0,
                "unix_ms": alert.unix_ms,
            })
        })
        .collect();
    Ok(Json(
        json!({ "since_ms": since_ms, "usage": usage, "alerts": alerts }),
    ))
}

/// The configuration in force.
pub(crate) async fn config(State(console): State<Arc<Console>>) -> Json<Value> {
    Json(console.effective().as_ref().clone())
}
