//! `/openapi.json`, from the list of routes.

use axum::Json;
use portcullis_store::{ApprovalState, PinState};
use serde_json::{Map, Value, json};

use crate::ROUTES;

/// The description.
pub(crate) async fn document() -> Json<Value> {
    Json(describe())
}

fn describe() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        let Some(item) = item.as_object_mut() else {
            continue;
        };
        let mut operation = json!({
            "summary": route.about,
            "responses": { "200": { "description": "as asked" } },
        });
        if let Some(operation) = operation.as_object_mut() {
            if route.open {
                operation.insert("security".to_owned(), json!([]));
            }
            let names = route
                .path
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split('}').next());
            let mut parameters: Vec<Value> = names
                .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
                .collect();
            if route.path.ends_with("/rotate") {
                parameters.push(json!({
                    "name": "overlap_ms", "in": "query", "schema": { "type": "integer", "minimum": 0, "default": 0 },
                    "description": "how long the old text works as well, milliseconds",
                }));
            }
            let states = match (route.method, route.path) {
                ("get", "/api/v1/approvals") => Some(ApprovalState::ALL.map(ApprovalState::name).to_vec()),
                ("get", "/api/v1/pins") => Some(PinState::ALL.map(PinState::name).to_vec()),
                _ => None,
            };
            if let Some(states) = states {
                let limit = json!({ "type": "integer", "minimum": 1, "maximum": 200, "default": 100 });
                parameters.push(
                    json!({ "name": "state", "in": "query", "schema": { "type": "string", "enum": states } }),
                );
                parameters.push(json!({ "name": "limit", "in": "query", "schema": limit }));
            }
            if !parameters.is_empty() {
                operation.insert("parameters".to_owned(), parameters.into());
            }
            if (route.method, route.path) == ("post", "/api/v1/keys") {
                let body =
                    json!({ "required": true, "content": { "application/json": { "schema": new_key() } } });
                operation.insert("requestBody".to_owned(), body);
            }
        }
        item.insert(route.method.to_owned(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Portcullis admin API", "version": env!("CARGO_PKG_VERSION") },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Error": {
                "type": "object",
                "properties": { "error": {
                    "type": "object",
                    "properties": { "message": { "type": "string" }, "code": { "type": "string" } },
                } },
            } },
        },
    })
}

fn new_key() -> Value {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    let count = json!({ "type": "integer", "minimum": 1 });
    json!({
        "type": "object",
        "required": ["name"],
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string" },
            "service": { "type": "boolean", "description": "a service account's, which belongs to no user" },
            "org": { "type": "string", "description": "that of the team where none is given" },
            "team": { "type": "string" },
            "user": { "type": "string" },
            "roles": texts,
            "profile": { "type": "string", "description": "that of the user, team or organisation where none is given, or `default`" },
            "models": texts,
            "endpoints": { "type": "array", "items": { "type": "string" }, "examples": [["/v1/chat/completions"]] },
            "networks": { "type": "array", "items": { "type": "string" }, "examples": [["10.0.0.0/8"]] },
            "tools": { "type": "string", "description": "the tool policy; that of the user, team or organisation where none is given, or `default`" },
            "rpm": count, "tpm": count, "concurrency": count,
            "budget": { "type": "string", "examples": ["5 USD/day"] },
            "expires_ms": { "type": "integer", "description": "milliseconds since 1970 UTC" },
        },
    })
}
