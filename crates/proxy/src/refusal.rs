//! The one door by which an error leaves: every way a request can be refused, and its HTTP answer in the client's dialect.
//!
//! What was found and where is for the operators (`explain`), never for the client: an attacker would use it as an oracle.

use portcullis_dialect::{Dialect, Failure, Malformed};
use thiserror::Error;

/// The stable code of a refusal, as `error.code` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(&'static str);

impl Code {
    /// The code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Why a request got no reply from a model.
#[derive(Debug, Error)]
pub enum Refusal {
    /// No, unknown, expired or revoked credential. One text for all: which it was is nobody's business.
    #[error(
        "The API key is missing or not valid. Send a Portcullis key as `Authorization: Bearer`, `x-api-key` or `x-goog-api-key`."
    )]
    Unauthenticated,
    /// The model is not permitted to this key.
    #[error("This key may not use this model.")]
    ForbiddenModel,
    /// The endpoint is not permitted to this key.
    #[error("This key may not use this endpoint.")]
    ForbiddenEndpoint,
    /// The profile does not let clients send system prompts.
    #[error("This key may not send a system prompt.")]
    ForbiddenSystemPrompt,
    /// A prompt of the gateway's that this key may not use, or that is not there: which it is is not told.
    #[error("This key may not use this prompt.")]
    ForbiddenPrompt,
    /// The profile puts a prompt before every conversation, and this request has no place for it.
    #[error("This key's requests begin with a prompt of the gateway's, and this one has no place for it.")]
    ForbiddenUnprompted,
    /// Stored state that this key did not make.
    #[error("The request names a stored object that this key did not create through this gateway.")]
    ForbiddenState,
    /// More trust than the key may give.
    #[error("This key may not mark content as trusted.")]
    ForbiddenTrust,
    /// The key may not offer this tool to a model.
    #[error("this key may not offer this tool to a model: {0}")]
    ForbiddenTool(String),
    /// What is said of a tool is not what was accepted.
    #[error("what is said of this tool is not what was accepted; an operator must accept it first: {0}")]
    HeldTool(String),
    /// No such endpoint.
    #[error("There is no such endpoint here. What has no dialect is refused, never passed through.")]
    UnknownEndpoint,
    /// A session with a server of tools that is not there, or not this key's: which it is is not told.
    #[error("There is no such session. Begin a new one.")]
    NoSession,
    /// No such model.
    #[error("No model of that name is configured for this API.")]
    UnknownModel,
    /// The body cannot be read in exactly one way, or is not what the endpoint takes.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// Something about the request besides its body.
    #[error("{0}")]
    Invalid(&'static str),
    /// Refused for its content.
    #[error("The request was refused by the content policy.")]
    Content,
    /// It holds content that cannot be inspected and that the profile does not let pass.
    #[error(
        "The request holds images, audio, files or encrypted content that this key may not send uninspected."
    )]
    Uninspectable,
    /// More texts at once than tokens are allowed for.
    #[error(
        "The request asks for more texts than it may have tokens: all of its texts together may have {0}."
    )]
    TooManyTexts(u64),
    /// Too large.
    #[error("The request body is larger than {0} bytes.")]
    TooLarge(usize),
    /// An encoding or a type that is not read.
    #[error("{0}")]
    Unsupported(&'static str),
    /// Too many requests.
    #[error("Rate limit reached. Try again in {} s.", .0.div_ceil(1000))]
    RateLimited(u64),
    /// The same over and over.
    #[error("This request, or the tool calls that it ends with, came again and again. Try again in {} s.", .0.div_ceil(1000))]
    Repeated(u64),
    /// More replies to one request than the key may ask for.
    #[error("The request asks for more replies than the {0} that this key may ask for at once.")]
    TooManyChoices(u32),
    /// Too many at once.
    #[error("Too many requests of this key are in flight. Try again when one has ended.")]
    TooManyConcurrent,
    /// The money is spent.
    #[error("The budget of this key is spent. It is renewed in {} s.", .0.div_ceil(1000))]
    BudgetExceeded(u64),
    /// The money that is left does not cover what the request may cost.
    #[error(
        "What is left of this key's budget does not cover what the request may cost. Ask for fewer tokens, or come back in {} s.",
        .0.div_ceil(1000)
    )]
    BudgetShort(u64),
    /// The upstream failed.
    #[error("The upstream failed: {0}.")]
    Upstream(&'static str),
    /// The upstream's reply could not be read, so it could not be inspected.
    #[error("The upstream's reply could not be inspected and was withheld.")]
    Unreadable,
    /// The upstream took too long.
    #[error("The upstream did not answer in time.")]
    UpstreamTimeout,
    /// The client took too long to send its body.
    #[error("The request body did not arrive in time.")]
    SlowClient,
    /// State out of reach, overloaded, draining.
    #[error("The gateway cannot take the request now: {0}.")]
    Unavailable(&'static str),
}

impl Refusal {
    /// HTTP status and stable code.
    #[must_use]
    pub const fn wire(&self) -> (u16, Code) {
        let (status, code) = match self {
            Refusal::Unauthenticated => (401, "unauthenticated"),
            Refusal::ForbiddenModel
            | Refusal::ForbiddenEndpoint
            | Refusal::ForbiddenSystemPrompt
            | Refusal::ForbiddenPrompt
            | Refusal::ForbiddenUnprompted
            | Refusal::ForbiddenState
            | Refusal::ForbiddenTrust
            | Refusal::ForbiddenTool(_)
            | Refusal::HeldTool(_) => (403, "forbidden"),
            Refusal::UnknownEndpoint | Refusal::NoSession => (404, "unknown_endpoint"),
            Refusal::UnknownModel => (404, "unknown_model"),
            Refusal::Malformed(_)
            | Refusal::Invalid(_)
            | Refusal::TooManyChoices(_)
            | Refusal::TooManyTexts(_) => (400, "invalid_request"),
            Refusal::SlowClient => (408, "invalid_request"),
            Refusal::Content | Refusal::Uninspectable => (400, "content_filter"),
            Refusal::TooLarge(_) => (413, "too_large"),
            Refusal::Unsupported(_) => (415, "unsupported_encoding"),
            Refusal::RateLimited(_) | Refusal::Repeated(_) => (429, "rate_limited"),
            Refusal::TooManyConcurrent => (429, "too_many_concurrent"),
            Refusal::BudgetExceeded(_) | Refusal::BudgetShort(_) => (429, "budget_exceeded"),
            Refusal::Upstream(_) | Refusal::Unreadable => (502, "upstream_error"),
            Refusal::UpstreamTimeout => (504, "upstream_timeout"),
            Refusal::Unavailable(_) => (503, "unavailable"),
        };
        (status, Code(code))
    }

    /// Seconds after which it is worth trying again, if waiting helps.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Refusal::RateLimited(ms)
            | Refusal::Repeated(ms)
            | Refusal::BudgetExceeded(ms)
            | Refusal::BudgetShort(ms) => Some(ms.div_ceil(1000)),
            Refusal::TooManyConcurrent | Refusal::Unavailable(_) => Some(1),
            _ => None,
        }
    }

    /// Whether the upstream, not the gateway, is at fault.
    #[must_use]
    pub const fn is_upstream(&self) -> bool {
        matches!(
            self,
            Refusal::Upstream(_) | Refusal::UpstreamTimeout | Refusal::Unreadable
        )
    }

    /// The body, in the client's dialect.
    #[must_use]
    pub fn body(&self, dialect: &dyn Dialect, request_id: &str) -> String {
        let (status, code) = self.wire();
        dialect.error(&Failure {
            status,
            code: code.as_str(),
            message: &self.to_string(),
            request_id,
        })
    }
}
