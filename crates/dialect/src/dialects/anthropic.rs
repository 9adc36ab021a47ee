//! Anthropic's dialect: one file an endpoint, and `blocks` for the content blocks that all of them are made of.

mod acts;
mod blocks;
mod count_tokens;
mod facts;
mod messages;
mod models;
mod promised;
mod stream;

use crate::exchange::{Api, Dialect, Exchange, Failure};
use crate::json::quoted;

/// Anthropic.
pub struct Anthropic;

impl Dialect for Anthropic {
    fn api(&self) -> Api {
        Api::Anthropic
    }

    fn about(&self) -> &'static str {
        "Anthropic's API"
    }

    fn exchanges(&self) -> &'static [&'static dyn Exchange] {
        &[&messages::Messages, &count_tokens::CountTokens, &models::Models]
    }

    fn error(&self, failure: &Failure<'_>) -> String {
        let sort = match failure.status {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            503 => "overloaded_error",
            504 => "timeout_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        format!(
            r#"{{"type":"error","error":{{"type":"{sort}","message":{},"code":{}}},"request_id":{}}}"#,
            quoted(failure.message),
            quoted(failure.code),
            quoted(failure.request_id),
        )
    }
}
