//! The door: finds the endpoint that a method and a path name. What has no dialect goes no further.

use http::request::Parts;
use hyper::body::Incoming;
use portcullis_dialect::{Api, Dialect, Exchange, Guard, dialect, find};

use crate::Refusal;
use crate::record::Record;

/// A request whose endpoint is known.
pub(crate) struct Received {
    pub(super) exchange: &'static dyn Exchange,
    pub(super) parameters: Vec<String>,
    pub(super) head: Parts,
    pub(super) body: Incoming,
}

impl Received {
    /// Whether the decision itself is asked for, and no model.
    pub fn is_guard(&self) -> bool {
        self.exchange.id() == Guard.id()
    }

    pub fn new(head: Parts, body: Incoming, record: &mut Record) -> Result<Received, Refusal> {
        let anthropic = head.headers.contains_key("anthropic-version");
        if head.method == http::Method::POST && head.uri.path() == Guard.path() {
            record.audit.dialect = Some("portcullis".to_owned());
            record.audit.endpoint = format!("POST {}", Guard.path());
            return Ok(Received {
                exchange: &Guard,
                parameters: Vec::new(),
                head,
                body,
            });
        }
        let (dialect, exchange, parameters) =
            find(head.method.as_str(), head.uri.path(), anthropic).ok_or(Refusal::UnknownEndpoint)?;
        // Parameters become part of the upstream's path: nothing that a server could read as another path is let in.
        if !parameters.iter().all(|value| is_plain(value)) {
            return Err(Refusal::UnknownEndpoint);
        }
        record.audit.dialect = Some(dialect.api().name().to_owned());
        record.audit.endpoint = format!("{} {}", exchange.method().name(), exchange.path());
        let parameters = parameters.into_iter().map(str::to_owned).collect();
        Ok(Received {
            exchange,
            parameters,
            head,
            body,
        })
    }
}

fn is_plain(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte))
        && !value.contains("..")
}

/// The dialect in which to refuse a request, even one without an endpoint.
pub(crate) fn dialect_of(head: &Parts) -> &'static dyn Dialect {
    let path = head.uri.path();
    // Gemini's endpoints stand under either version; the verb behind a colon is theirs alone.
    let gemini = path.starts_with("/v1beta/")
        || (path.starts_with("/v1/models/") && path.contains(':'))
        || head.headers.contains_key("x-goog-api-key");
    let api = if gemini {
        Api::Gemini
    } else if path.starts_with("/v1/messages") || head.headers.contains_key("anthropic-version") {
        Api::Anthropic
    } else {
        Api::OpenAi
    };
    dialect(api)
}
