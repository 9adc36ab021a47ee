//! How the admin API says no: `{"error":{"message","code"}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use portcullis_store::StoreError;
use serde_json::json;

/// Why a request of an operator is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No credential, or a wrong one.
    #[error(
        "The admin token, or a token of an operator, is missing or not valid. Send it as `Authorization: Bearer`."
    )]
    Unauthenticated,
    /// A change that comes from another site's page.
    #[error("A change with the console's cookie must come from the console's own page.")]
    CrossSite,
    /// Whoever asks is known, and may not do this.
    #[error("You may not do this: your roles or a policy do not permit it.")]
    Forbidden,
    /// Too many wrong credentials came from there; milliseconds to wait.
    #[error("Too many wrong credentials: wait.")]
    RateLimited(u64),
    /// Whoever could tell who asks cannot be reached.
    #[error("The identity provider cannot be reached; the log says why.")]
    OutOfReach,
    /// The request cannot be meant.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It is not as it would have to be for this.
    #[error("{0}")]
    Conflict(String),
    /// The state failed. What failed is for the log.
    #[error("The state could not be read or written; the log says why.")]
    State,
}

impl ApiError {
    const fn wire(&self) -> (StatusCode, &'static str) {
        match self {
            ApiError::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            ApiError::CrossSite | ApiError::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            ApiError::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            ApiError::OutOfReach => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            ApiError::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            ApiError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            ApiError::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            ApiError::State => (StatusCode::INTERNAL_SERVER_ERROR, "unavailable"),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::NoSuchKey(_) => ApiError::NotFound(error.to_string()),
            StoreError::NameTaken(_) | StoreError::KeyRevoked(_) => ApiError::Conflict(error.to_string()),
            StoreError::InvalidKey(why) => ApiError::Invalid(why),
            other => {
                tracing::error!(error = %other, "the state failed an operator's request");
                ApiError::State
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.wire();
        let mut response = shaped(status, &self.to_string(), code);
        if let ApiError::RateLimited(wait_ms) = self {
            let seconds = HeaderValue::from(wait_ms.div_ceil(1000).max(1));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// An error that the framework found.
pub(crate) fn plain(status: StatusCode) -> Response {
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::INTERNAL_SERVER_ERROR => "unavailable",
        _ => "invalid_request",
    };
    shaped(
        status,
        status.canonical_reason().unwrap_or("The request is refused."),
        code,
    )
}

fn shaped(status: StatusCode, message: &str, code: &str) -> Response {
    (
        status,
        Json(json!({ "error": { "message": message, "code": code } })),
    )
        .into_response()
}
