//! OpenAI's dialect, which many servers speak: one file an endpoint.

mod chat;
mod choices;
mod completions;
mod embeddings;
mod facts;
mod models;
mod moderations;
mod response_get;
mod responses;
mod state;
mod stream_usage;
mod tools;

use crate::exchange::{Api, Dialect, Exchange, Failure};
use crate::json::quoted;

/// OpenAI and compatible servers.
pub struct OpenAi;

impl Dialect for OpenAi {
    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn about(&self) -> &'static str {
        "OpenAI's API and the many servers that are compatible with it"
    }

    fn exchanges(&self) -> &'static [&'static dyn Exchange] {
        use response_get::Stored;
        &[
            &chat::Chat,
            &responses::Responses,
            &Stored::Read,
            &Stored::Delete,
            &Stored::Cancel,
            &Stored::Items,
            &completions::Completions,
            &embeddings::Embeddings,
            &moderations::Moderations,
            &models::Models,
        ]
    }

    fn error(&self, failure: &Failure<'_>) -> String {
        let sort = match failure.status {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        format!(
            r#"{{"error":{{"message":{},"type":"{sort}","param":null,"code":{},"request_id":{}}},"request_id":{}}}"#,
            quoted(failure.message),
            quoted(failure.code),
            quoted(failure.request_id),
            quoted(failure.request_id),
        )
    }
}
