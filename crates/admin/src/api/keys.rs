//! `/api/v1/keys`. A key's text is in the one reply that makes it, and nowhere else.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use portcullis_core::{Glob, Limits};
use portcullis_store::{KeyRecord, NewKey};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Console;
use crate::clock::now_ms;
use crate::error::ApiError;

/// A key to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    team: Option<String>,
    profile: Option<String>,
    #[serde(default)]
    models: Vec<Glob>,
    rpm: Option<u32>,
    tpm: Option<u32>,
    concurrency: Option<u32>,
    budget: Option<String>,
    expires_ms: Option<u64>,
}

/// A key as operators see it.
pub(crate) fn shown(key: &KeyRecord, now_ms: u64) -> Value {
    let who = &key.principal;
    json!({
        "id": who.key, "name": who.name, "team": who.team, "profile": who.profile, "models": who.models,
        "limits": who.limits, "prefix": key.prefix, "created_ms": key.created_ms, "rotated_ms": key.rotated_ms,
        "expires_ms": key.expires_ms, "revoked_ms": key.revoked_ms, "live": key.is_live(now_ms),
    })
}

fn with_text(record: &KeyRecord, text: &str) -> Value {
    let mut value = shown(record, now_ms());
    if let Some(map) = value.as_object_mut() {
        map.insert("key".to_owned(), text.into());
    }
    value
}

/// All keys.
pub(crate) async fn list(State(console): State<Arc<Console>>) -> Result<Json<Value>, ApiError> {
    let now = now_ms();
    let keys: Vec<Value> = console
        .store
        .keys()
        .await?
        .iter()
        .map(|key| shown(key, now))
        .collect();
    Ok(Json(json!({ "keys": keys })))
}

/// Makes one.
pub(crate) async fn create(
    State(console): State<Arc<Console>>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let asked: Asked = serde_json::from_slice(&body).map_err(|error| ApiError::Invalid(error.to_string()))?;
    let profile = asked.profile.unwrap_or_else(|| "default".to_owned());
    if !console.has_profile(&profile) {
        return Err(ApiError::Invalid(format!("there is no profile {profile:?}")));
    }
    if [asked.rpm, asked.tpm, asked.concurrency].contains(&Some(0)) {
        return Err(ApiError::Invalid(
            "a limit of 0 would let nothing in: revoke the key instead".to_owned(),
        ));
    }
    if asked.models.iter().any(|glob| glob.as_str().trim().is_empty()) {
        return Err(ApiError::Invalid("a model pattern must not be empty".to_owned()));
    }
    let new = NewKey {
        name: asked.name,
        team: asked.team,
        profile,
        models: asked.models,
        tools: None,
        limits: Limits {
            rpm: asked.rpm,
            tpm: asked.tpm,
            concurrency: asked.concurrency,
            budget: asked.budget,
        },
        expires_ms: asked.expires_ms,
    };
    let (record, text) = console.store.create_key(new, now_ms()).await?;
    tracing::info!(key = %record.principal.key, "an operator made a key");
    Ok((StatusCode::CREATED, Json(with_text(&record, text.expose()))))
}

/// Gives one a new text.
pub(crate) async fn rotate(
    State(console): State<Arc<Console>>,
    Path(key): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let (record, text) = console.store.rotate_key(&key, now_ms()).await?;
    tracing::info!(key = %record.principal.key, "an operator rotated a key");
    Ok(Json(with_text(&record, text.expose())))
}

/// Ends one.
pub(crate) async fn revoke(
    State(console): State<Arc<Console>>,
    Path(key): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let record = console.store.revoke_key(&key, now_ms()).await?;
    tracing::info!(key = %record.principal.key, "an operator revoked a key");
    Ok(Json(shown(&record, now_ms())))
}
