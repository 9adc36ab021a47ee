//! Gemini's dialect: one file an endpoint, `content` for what requests and replies are made of, `trail` for its two spellings.

mod acts;
mod content;
mod count_tokens;
mod embed;
mod facts;
mod generate;
mod models;
mod openapi;
mod promised;
mod reply;
mod trail;

use crate::exchange::{Api, Dialect, Exchange, Failure};
use crate::json::quoted;

/// Gemini.
pub struct Gemini;

impl Dialect for Gemini {
    fn api(&self) -> Api {
        Api::Gemini
    }

    fn about(&self) -> &'static str {
        "Google's Gemini API"
    }

    fn exchanges(&self) -> &'static [&'static dyn Exchange] {
        &[
            &generate::Generate,
            &generate::StreamGenerate,
            &count_tokens::CountTokens,
            &embed::Embed,
            &embed::BatchEmbed,
            &models::Models,
        ]
    }

    fn error(&self, failure: &Failure<'_>) -> String {
        let status = match failure.status {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            502 | 503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            500.. => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        };
        format!(
            r#"{{"error":{{"code":{},"message":{},"status":"{status}","details":[{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":{},"domain":"portcullis"}}]}},"request_id":{}}}"#,
            failure.status,
            quoted(failure.message),
            quoted(failure.code),
            quoted(failure.request_id),
        )
    }
}
