//! `/api/v1/pins`: what servers of tools say of their tools, and what operators make of it.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use portcullis_store::{Pin, PinState};
use serde_json::{Value, json};

use super::Wanted;
use crate::clock::now_ms;
use crate::error::ApiError;
use crate::{Console, Who};

fn shown(pin: &Pin) -> Value {
    let digest: String = pin.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "id": pin.id, "state": pin.state.name(), "server": pin.server, "kind": pin.kind.name(), "name": pin.name,
        "why": pin.why.name(), "other": pin.other, "sha256": digest,
        "definition": String::from_utf8_lossy(&pin.definition), "first_ms": pin.first_ms,
        "decided_by": pin.decided_by, "decided_ms": pin.decided_ms,
    })
}

fn unknown() -> ApiError {
    ApiError::NotFound("There is no definition of that id.".to_owned())
}

/// The last of them, newest first.
pub(crate) async fn list(
    State(console): State<Arc<Console>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let (state, count) = Wanted::read(wanted, PinState::from_name)?;
    let found = console.store.pins(state, count).await?;
    Ok(Json(
        json!({ "pins": found.iter().map(shown).collect::<Vec<_>>() }),
    ))
}

/// One of them.
pub(crate) async fn one(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let found = console.store.pin(&id).await?;
    Ok(Json(shown(&found.ok_or_else(unknown)?)))
}

/// Models may see it, and call what it defines.
pub(crate) async fn accept(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(shown(&decide(&console, &id, true, who.name()).await?)))
}

/// Models may not.
pub(crate) async fn reject(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(shown(&decide(&console, &id, false, who.name()).await?)))
}

/// Decides, for the API and for the console. What was decided before may be decided otherwise: nothing was used up by it.
pub(crate) async fn decide(console: &Console, id: &str, accept: bool, by: &str) -> Result<Pin, ApiError> {
    let decided = console.store.decide_pin(id, by, accept, now_ms()).await?;
    let pin = decided.ok_or_else(unknown)?;
    let state = pin.state.name();
    tracing::info!(pin = %pin.id, server = %pin.server, by, state, "an operator decided about a definition");
    Ok(pin)
}
