//! `/api/v1/approvals`: calls of tools that wait for a person. A grant is signed here; nothing but the signing key makes one.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use portcullis_store::{Approval, ApprovalState, Decided, StoreError};
use serde_json::{Value, json};

use super::Wanted;
use crate::clock::now_ms;
use crate::error::ApiError;
use crate::{Console, Who};

/// An approval as operators see it. The arguments are a text: to read them otherwise than whoever runs the tool would be a way to
/// have a person grant what they did not see.
fn shown(console: &Console, approval: &Approval) -> Value {
    let arguments = approval.arguments.as_deref().map(String::from_utf8_lossy);
    json!({
        "id": approval.id, "state": approval.state.name(), "key": approval.key, "key_name": approval.key_name,
        "team": approval.team, "tool": approval.tool, "arguments": arguments, "reasons": approval.reasons,
        "request_id": approval.request_id, "created_ms": approval.created_ms, "expires_ms": approval.expires_ms,
        "decided_by": approval.decided_by, "decided_ms": approval.decided_ms,
        "genuine": approval.arguments.is_some().then(|| is_genuine(console, approval)),
    })
}

/// Whether it is what the gateway asked, and not what another hand wrote into the state.
pub(crate) fn is_genuine(console: &Console, approval: &Approval) -> bool {
    console
        .approvals
        .as_ref()
        .is_some_and(|key| key.is_asked(approval))
}

fn unknown() -> ApiError {
    ApiError::NotFound("There is no approval of that id.".to_owned())
}

/// The last of them, newest first.
pub(crate) async fn list(
    State(console): State<Arc<Console>>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let (state, count) = Wanted::read(wanted, ApprovalState::from_name)?;
    let found = console.store.approvals(state, count, now_ms()).await?;
    let found: Vec<Value> = found.iter().map(|approval| shown(&console, approval)).collect();
    Ok(Json(json!({ "approvals": found })))
}

/// One of them.
pub(crate) async fn one(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let found = console.store.approval(&id, now_ms()).await?;
    Ok(Json(shown(&console, &found.ok_or_else(unknown)?)))
}

/// Lets the call be made, once.
pub(crate) async fn grant(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let decided = decide(&console, &id, true, who.name()).await?;
    Ok(Json(shown(&console, &decided)))
}

/// Does not.
pub(crate) async fn deny(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let decided = decide(&console, &id, false, who.name()).await?;
    Ok(Json(shown(&console, &decided)))
}

/// Decides, for the API and for the console.
pub(crate) async fn decide(
    console: &Console,
    id: &str,
    granted: bool,
    by: &str,
) -> Result<Approval, ApiError> {
    let now = now_ms();
    let asked = console.store.approval(id, now).await?.ok_or_else(unknown)?;
    if asked.state != ApprovalState::Pending {
        return Err(before(&asked));
    }
    let signature = match granted {
        true => Some(signed(console, &asked, by)?),
        false => None,
    };
    match console.store.decide_approval(id, by, signature, now).await? {
        Decided::Now(decided) => {
            let state = decided.state.name();
            tracing::info!(approval = %decided.id, key = %decided.key, by, state, "an operator decided about a call");
            Ok(decided)
        }
        Decided::Before(decided) => Err(before(&decided)),
        Decided::Unknown => Err(unknown()),
    }
}

fn signed(console: &Console, asked: &Approval, by: &str) -> Result<[u8; 32], ApiError> {
    let Some(key) = &console.approvals else {
        return Err(ApiError::Conflict(
            "This process has no key to sign a grant with.".to_owned(),
        ));
    };
    key.grant(asked, by).map_err(|error| match error {
        StoreError::ApprovalChanged(_) => {
            tracing::error!(approval = %asked.id, "an approval was not written by a gateway of this state, or was changed");
            ApiError::Conflict(error.to_string())
        }
        other => other.into(),
    })
}

fn before(approval: &Approval) -> ApiError {
    let state = approval.state.name();
    ApiError::Conflict(match &approval.decided_by {
        Some(by) => format!("approval {} is {state} already; {by} decided", approval.id),
        None => format!("approval {} is {state} already", approval.id),
    })
}
