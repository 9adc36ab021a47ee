//! Who may use the operators' side: whoever shows the token, a token of an identity provider whose roles permit it, or a session that
//! was begun with either.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use portcullis_core::Secret;
use subtle::ConstantTimeEq;

use crate::error::ApiError;
use crate::operators::{Asked, Unknown, Who};
use crate::{Console, page};

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

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer(IpAddr);

/// A listener as it is given, under a name of our own: [`Connected`] can be said of no other.
pub(crate) struct Own<L>(pub L);

impl<L: Listener<Addr = SocketAddr>> Listener for Own<L> {
    type Io = L::Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (L::Io, SocketAddr) {
        self.0.accept().await
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl<L: Listener<Addr = SocketAddr>> Connected<IncomingStream<'_, Own<L>>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Own<L>>) -> Peer {
        Peer(stream.remote_addr().ip())
    }
}

impl Peer {
    /// Where a request comes from.
    pub(crate) fn source(self, console: &Console, headers: &HeaderMap) -> IpAddr {
        console.operators.source(self.0, headers)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Lets a request through that shows who may do what it asks for.
///
/// A browser sends cookies also from pages of other ports of the same host, so a change needs its own page's origin.
pub(crate) async fn required(
    State(console): State<Arc<Console>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let headers = request.headers();
    let source = peer.source(&console, headers);
    let who = if let Some(token) = bearer(headers) {
        shown(&console, token, source).await?
    } else if let Some(token) = page::linked(request.uri().query()).filter(|_| request.uri().path() == "/") {
        return page::session(&console, &token, source);
    } else if let Some(who) = console.sessions.shown(headers) {
        if changes(request.method()) && !is_own_page(headers) {
            return Err(ApiError::CrossSite);
        }
        who
    } else if request.method() == Method::GET && wants_page(headers) {
        return Ok(page::login(&console, None));
    } else {
        return Err(ApiError::Unauthenticated);
    };
    let path = request.extensions().get::<MatchedPath>();
    if !may(
        &console,
        &who,
        path.map(MatchedPath::as_str),
        request.method(),
        source,
    ) {
        return Err(ApiError::Forbidden);
    }
    request.extensions_mut().insert(who);
    Ok(next.run(request).await)
}

/// Who shows this.
async fn shown(console: &Console, token: &str, source: IpAddr) -> Result<Who, ApiError> {
    if console.token.is(token) {
        return Ok(Who::Root);
    }
    match console.operators.known(token).await {
        Ok(operator) => Ok(Who::Known(Arc::new(operator))),
        Err(Unknown::OutOfReach) => Err(ApiError::OutOfReach),
        Err(Unknown::Wrong) => Err(wrong(console, source)),
    }
}

/// What a wrong credential is answered with: that it is one, or, where the source has shown too many, that it is to wait.
pub(crate) fn wrong(console: &Console, source: IpAddr) -> ApiError {
    tracing::info!(%source, "an operator's credential was refused");
    match console.operators.guessed(source) {
        None => ApiError::Unauthenticated,
        Some(wait_ms) => ApiError::RateLimited(wait_ms),
    }
}

/// Whether somebody may do this. What has no route does nothing, so there is nothing to ask.
pub(crate) fn may(console: &Console, who: &Who, path: Option<&str>, method: &Method, source: IpAddr) -> bool {
    let (Who::Known(operator), Some(path)) = (who, path) else {
        return true;
    };
    let asked = Asked {
        path,
        method: method.as_str(),
        changes: changes(method),
        source,
    };
    let permitted = console.operators.may(operator, &asked);
    if !permitted {
        tracing::info!(operator = %operator.id, name = %operator.name, %method, path, "an operator may not do this");
    }
    permitted
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
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
}
