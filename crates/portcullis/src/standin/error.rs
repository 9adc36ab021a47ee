//! Errors of the stand-in, each in the shape of the provider that it plays.

use serde_json::{Value, json};

use super::Reply;

/// Whose error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    OpenAi,
    Anthropic,
    Gemini,
}

/// An error with the provider's own type for that status.
pub fn error(voice: Voice, status: u16, message: &str) -> Reply {
    let body = match voice {
        Voice::OpenAi => openai(status, message, Value::Null, Value::Null),
        Voice::Anthropic => json!({
            "type": "error",
            "error": { "type": anthropic_type(status), "message": message },
            "request_id": "req_standin",
        }),
        Voice::Gemini => {
            json!({ "error": { "code": status, "message": message, "status": gemini_status(status) } })
        }
    };
    Reply::Json(status, body)
}

/// An error about one parameter: OpenAI names it; the others say it in words.
pub fn missing(voice: Voice, parameter: &str) -> Reply {
    match voice {
        Voice::OpenAi => {
            let message = format!("Missing required parameter: '{parameter}'.");
            Reply::Json(
                400,
                openai(
                    400,
                    &message,
                    parameter.into(),
                    "missing_required_parameter".into(),
                ),
            )
        }
        Voice::Anthropic => error(voice, 400, &format!("{parameter}: Field required")),
        Voice::Gemini => error(
            voice,
            400,
            &format!("* {parameter}: {parameter} is not specified\n"),
        ),
    }
}

/// An OpenAI error with a code.
pub fn coded(status: u16, message: &str, code: &str) -> Reply {
    Reply::Json(status, openai(status, message, Value::Null, code.into()))
}

fn openai(status: u16, message: &str, parameter: Value, code: Value) -> Value {
    let kind = match status {
        429 => "requests",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    json!({ "error": { "message": message, "type": kind, "param": parameter, "code": code } })
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

fn gemini_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}
