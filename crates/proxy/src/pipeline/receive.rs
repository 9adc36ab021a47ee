//! The door: finds the endpoint that a method and a path name. What has no dialect goes no further.

use http::request::Parts;
use hyper::body::Incoming;
use portcullis_dialect::{Api, Dialect, Exchange, Guard, Mcp, McpErrors, dialect, find_as};

use crate::Refusal;
use crate::door::Peer;
use crate::record::Record;

/// A request whose endpoint is known.
pub(crate) struct Received {
    pub(super) exchange: &'static dyn Exchange,
    pub(super) parameters: Vec<String>,
    pub(super) peer: Peer,
    pub(super) head: Parts,
    pub(super) body: Incoming,
}

impl Received {
    /// Whether the decision itself is asked for, and no model.
    pub fn is_guard(&self) -> bool {
        self.exchange.id() == Guard.id()
    }

    /// Whether it is a message to a server of tools.
    pub fn is_message(&self) -> bool {
        Mcp::is(self.exchange)
    }

    pub fn new(peer: Peer, head: Parts, body: Incoming, record: &mut Record) -> Result<Received, Refusal> {
        if head.method == http::Method::POST && head.uri.path() == Guard.path() {
            record.audit.dialect = Some("portcullis".to_owned());
            record.audit.endpoint = format!("POST {}", Guard.path());
            return Ok(Received {
                exchange: &Guard,
                parameters: Vec::new(),
                peer,
                head,
                body,
            });
        }
        if let Some((exchange, server)) = Mcp::find(head.method.as_str(), head.uri.path()) {
            record.audit.dialect = Some("mcp".to_owned());
            record.audit.endpoint = format!("{} /mcp/{server}", exchange.method().name());
            let parameters = vec![server.to_owned()];
            return Ok(Received {
                exchange,
                parameters,
                peer,
                head,
                body,
            });
        }
        let (dialect, exchange, parameters) =
            find_as(head.method.as_str(), head.uri.path(), named(&head)).ok_or(Refusal::UnknownEndpoint)?;
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
            peer,
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

/// The API that the client's headers name: three have a `/v1/models`.
fn named(head: &Parts) -> Option<Api> {
    let says = |name: &str| head.headers.contains_key(name);
    let gemini = says("x-goog-api-key").then_some(Api::Gemini);
    says("anthropic-version").then_some(Api::Anthropic).or(gemini)
}

/// The dialect in which to refuse a request, even one without an endpoint.
pub(crate) fn dialect_of(head: &Parts) -> &'static dyn Dialect {
    let path = head.uri.path();
    if Mcp::is_path(path) {
        return &McpErrors;
    }
    // Gemini's endpoints stand under either version; the verb behind a colon is theirs alone.
    let by_path = if path.starts_with("/v1beta/") || (path.starts_with("/v1/models/") && path.contains(':')) {
        Some(Api::Gemini)
    } else if path.starts_with("/v1/messages") {
        Some(Api::Anthropic)
    } else {
        None
    };
    let api = by_path.or(named(head)).unwrap_or(Api::OpenAi);
    dialect(api)
}
