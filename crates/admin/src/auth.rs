//! Who may use the operators' side: whoever shows the token, or a session that was begun with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use portcullis_core::Secret;
use subtle::ConstantTimeEq;

use crate::clock::now_ms;
use crate::error::ApiError;
use crate::{Console, page};

/// The name of the session's cookie.
const COOKIE: &str = "portcullis_console";

/// How long a session lasts.
const LIFE_MS: u64 = 12 * 3_600_000;

/// More sessions than operators could have; the oldest ends when another begins.
const MOST_SESSIONS: usize = 64;

/// The admin token.
pub struct Token(Secret<String>);

impl Token {
    /// Takes the token.
    #[must_use]
    pub fn new(token: Secret<String>) -> Token {
        Token(token)
    }

    /// Whether this is it, in a time that depends on nothing but lengths.
    #[must_use]
    pub fn is(&self, presented: &str) -> bool {
        let token = self.0.expose().as_bytes();
        !token.is_empty() && bool::from(token.ct_eq(presented.as_bytes()))
    }
}

/// Sessions of browsers. A cookie holds a session and not the token: cookies of one host are shown to all its ports.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 16], u64>>);

impl Sessions {
    /// Begins a session; its cookie.
    pub(crate) fn begin(&self) -> Result<String, ApiError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| {
            tracing::error!(%error, "no random bytes for a session");
            ApiError::State
        })?;
        let now = now_ms();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, ends| *ends > now);
        if open.len() >= MOST_SESSIONS {
            let oldest = open.iter().min_by_key(|(_, ends)| **ends).map(|(id, _)| *id);
            oldest.map(|id| open.remove(&id));
        }
        open.insert(id, now.saturating_add(LIFE_MS));
        let seconds = LIFE_MS / 1000;
        Ok(format!(
            "{COOKIE}={:032x}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}",
            u128::from_be_bytes(id)
        ))
    }

    /// Whether a request shows the cookie of an open session. Sessions are random, so a look-up tells nothing.
    fn is_open(&self, headers: &HeaderMap) -> bool {
        let cookies = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut shown = cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
            .filter(|text| text.len() == 32)
            .filter_map(|text| u128::from_str_radix(text, 16).ok());
        let now = now_ms();
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.any(|id| open.get(&id.to_be_bytes()).is_some_and(|ends| *ends > now))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Lets a request through that shows the token, or the cookie of an open session.
///
/// A browser sends cookies also from pages of other ports of the same host, so a change needs its own page's origin.
pub(crate) async fn required(
    State(console): State<Arc<Console>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let headers = request.headers();
    if bearer(headers).is_some_and(|token| console.token.is(token)) {
        return Ok(next.run(request).await);
    }
    if let Some(token) = page::linked(request.uri().query()).filter(|_| request.uri().path() == "/") {
        return page::session(&console, &token);
    }
    if !console.sessions.is_open(headers) {
        return if request.method() == Method::GET && wants_page(headers) {
            Ok(page::login(false))
        } else {
            Err(ApiError::Unauthenticated)
        };
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) && !is_own_page(headers) {
        return Err(ApiError::CrossSite);
    }
    Ok(next.run(request).await)
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn is_own_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, origin)| origin == host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_is_the_token() {
        let token = Token::new(Secret::new("abc".to_owned()));
        assert!(token.is("abc"));
        for other in ["", "ab", "abd", "abcd", "ABC"] {
            assert!(!token.is(other), "{other}");
        }
        assert!(!Token::new(Secret::new(String::new())).is(""));
    }

    #[test]
    fn a_session_is_known_by_its_cookie_alone() {
        let sessions = Sessions::default();
        let cookie = sessions.begin().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        let pair = cookie.split(';').next().unwrap();
        let shown = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, value.parse().unwrap());
            sessions.is_open(&headers)
        };
        assert!(shown(pair));
        assert!(shown(&format!("other=1; {pair}")));
        assert!(!shown(&format!("{COOKIE}={:032x}", 1)));
        assert!(!shown(COOKIE));
    }

    #[test]
    fn sessions_do_not_pile_up() {
        let sessions = Sessions::default();
        for _ in 0..MOST_SESSIONS * 2 {
            sessions.begin().unwrap();
        }
        assert!(sessions.0.lock().unwrap().len() <= MOST_SESSIONS);
    }
}
