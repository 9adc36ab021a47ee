//! `/api/v1/keys`. A key's text is in the one reply that makes it, and nowhere else.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use portcullis_core::{Glob, Limits, Network, PrincipalKind};
use portcullis_store::{KeyRecord, NewKey};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::now_ms;
use crate::error::ApiError;
use crate::{Console, Who};

/// A key to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    #[serde(default)]
    service: bool,
    org: Option<String>,
    team: Option<String>,
    user: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    profile: Option<String>,
    #[serde(default)]
    models: Vec<Glob>,
    #[serde(default)]
    endpoints: Vec<Glob>,
    #[serde(default)]
    networks: Vec<Network>,
    tools: Option<String>,
    rpm: Option<u32>,
    tpm: Option<u32>,
    concurrency: Option<u32>,
    budget: Option<String>,
    expires_ms: Option<u64>,
}

/// How a key is to be rotated.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// How long the old text works as well, milliseconds.
    #[serde(default)]
    overlap_ms: u64,
}

/// A key as operators see it.
pub(crate) fn shown(key: &KeyRecord, now_ms: u64) -> Value {
    let who = &key.principal;
    json!({
        "id": who.key, "name": who.name, "kind": who.kind, "org": who.org, "team": who.team, "user": who.user,
        "roles": who.roles, "profile": who.profile, "models": who.models, "endpoints": who.endpoints,
        "networks": who.networks, "tools": who.tools, "limits": who.limits, "prefix": key.prefix, "created_ms": key.created_ms,
        "rotated_ms": key.rotated_ms, "prior_until_ms": key.prior_until_ms, "expires_ms": key.expires_ms,
        "revoked_ms": key.revoked_ms, "used_ms": key.used_ms, "live": key.is_live(now_ms),
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
    Extension(who): Extension<Who>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let asked: Asked = serde_json::from_slice(&body).map_err(|error| ApiError::Invalid(error.to_string()))?;
    let profile = asked.profile.as_ref();
    if let Some(profile) = profile.filter(|profile| !console.has_profile(profile)) {
        return Err(ApiError::Invalid(format!("there is no profile {profile:?}")));
    }
    let tools = asked.tools.as_ref();
    if let Some(tools) = tools.filter(|tools| !console.has_tools(tools)) {
        return Err(ApiError::Invalid(format!("there is no tool policy {tools:?}")));
    }
    if [asked.rpm, asked.tpm, asked.concurrency].contains(&Some(0)) {
        return Err(ApiError::Invalid(
            "a limit of 0 would let nothing in: revoke the key instead".to_owned(),
        ));
    }
    let new = NewKey {
        name: asked.name,
        kind: match asked.service {
            true => PrincipalKind::Service,
            false => PrincipalKind::Key,
        },
        org: asked.org,
        team: asked.team,
        user: asked.user,
        roles: asked.roles,
        profile: asked.profile,
        models: asked.models,
        endpoints: asked.endpoints,
        networks: asked.networks,
        tools: asked.tools,
        limits: Limits {
            rpm: asked.rpm,
            tpm: asked.tpm,
            concurrency: asked.concurrency,
            budget: asked.budget,
        },
        expires_ms: asked.expires_ms,
    };
    let (record, text) = console.store.create_key(new, now_ms()).await?;
    tracing::info!(key = %record.principal.key, operator = %who.id(), name = %who.name(), "an operator made a key");
    Ok((StatusCode::CREATED, Json(with_text(&record, text.expose()))))
}

/// Gives one a new text.
pub(crate) async fn rotate(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
    Path(key): Path<String>,
    rotation: Result<Query<Rotation>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(rotation) = rotation.map_err(|error| ApiError::Invalid(error.body_text()))?;
    let (record, text) = console
        .store
        .rotate_key(&key, rotation.overlap_ms, now_ms())
        .await?;
    tracing::info!(key = %record.principal.key, operator = %who.id(), name = %who.name(), "an operator rotated a key");
    Ok(Json(with_text(&record, text.expose())))
}

/// Ends one.
pub(crate) async fn revoke(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
    Path(key): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let record = console.store.revoke_key(&key, now_ms()).await?;
    tracing::info!(key = %record.principal.key, operator = %who.id(), name = %who.name(), "an operator revoked a key");
    Ok(Json(shown(&record, now_ms())))
}
