//! Headers and queries that pass, by allow-list. Everything else stays outside: a client's credential, cookies, and texts in
//! headers that nobody inspects.

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, header};
use portcullis_core::Secret;
use portcullis_dialect::{Api, Exchange, Method};

use crate::Refusal;

/// What a request passes on besides its body.
pub(crate) struct Passed {
    pub headers: HeaderMap,
    /// Without the question mark; empty for none.
    pub query: String,
}

/// Headers of a request that change how an upstream reads it. Their values are words, dates and commas.
const WORDS: [&str; 3] = ["anthropic-version", "anthropic-beta", "openai-beta"];

/// Query parameters that an endpoint may take.
const QUERY: [&str; 11] = [
    "alt",
    "include",
    "include[]",
    "limit",
    "after",
    "before",
    "order",
    "stream",
    "starting_after",
    "pageSize",
    "before_id",
];

/// Picks what may pass.
pub(crate) fn pick(head: &Parts, exchange: &dyn Exchange) -> Result<Passed, Refusal> {
    let mut headers = HeaderMap::new();
    for name in WORDS {
        for value in head.headers.get_all(name) {
            let plain = value.len() <= 512
                && value
                    .as_bytes()
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.,= ".contains(b));
            if !plain {
                return Err(Refusal::Invalid(
                    "A version or beta header has a value that is not a list of words.",
                ));
            }
            headers.append(HeaderName::from_static(name), value.clone());
        }
    }
    if exchange.api() == Api::Anthropic && !headers.contains_key("anthropic-version") {
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
    }
    Ok(Passed {
        headers,
        query: query(head.uri.query().unwrap_or(""))?,
    })
}

fn query(query: &str) -> Result<String, Refusal> {
    if query.len() > 1024 {
        return Err(Refusal::Invalid("The query is too long."));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name == "key" {
            return Err(Refusal::Invalid(
                "Credentials are taken from headers, never from the query.",
            ));
        }
        let plain = value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && value.len() <= 128;
        let name = name.replace("%5B%5D", "[]").replace("%5b%5d", "[]");
        if !plain || !QUERY.contains(&name.as_str()) {
            return Err(Refusal::Invalid(
                "The query has a parameter that this endpoint does not take.",
            ));
        }
    }
    Ok(query.to_owned())
}

/// The headers towards the upstream: the gateway's own credential, and what was picked.
pub(crate) fn towards(
    api: Api,
    key: Option<&Secret<String>>,
    method: Method,
    stream: bool,
    passed: &HeaderMap,
) -> Result<HeaderMap, Refusal> {
    let mut headers = passed.clone();
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(
        ACCEPT,
        HeaderValue::from_static(if stream {
            "text/event-stream"
        } else {
            "application/json"
        }),
    );
    // What comes back must be readable as it comes.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if method == Method::Post {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(key) = key {
        let (name, text) = match api {
            Api::OpenAi => (header::AUTHORIZATION, format!("Bearer {}", key.expose())),
            Api::Anthropic => (HeaderName::from_static("x-api-key"), key.expose().clone()),
            Api::Gemini => (HeaderName::from_static("x-goog-api-key"), key.expose().clone()),
        };
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| Refusal::Unavailable("the upstream key is not a header value"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_words_of_a_list() {
        assert_eq!(query("alt=sse").unwrap(), "alt=sse");
        assert!(query("include[]=a.b&limit=2").is_ok());
        for refused in ["key=abc", "alt=s%73e", "what=1", "limit=a@b"] {
            assert!(query(refused).is_err(), "{refused}");
        }
    }
}
