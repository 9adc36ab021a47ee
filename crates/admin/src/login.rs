//! Logging in at an identity provider: the way out, and the way back (OpenID Connect, authorization code with PKCE).
//!
//! What is secret about it stays on this side, found by a cookie that is good for one way back.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::auth::{Peer, may, wrong};
use crate::error::ApiError;
use crate::operators::{Unknown, Who};
use crate::{Console, page, sessions};

const FAILED: &str = "The login did not succeed. Begin again.";

/// What the provider sends a browser back with.
#[derive(Deserialize)]
pub(crate) struct Back {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// Sends a browser to the provider.
pub(crate) async fn begin(
    State(console): State<Arc<Console>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let operators = &console.operators;
    if !operators.has_login() {
        return Err(ApiError::NotFound(
            "There is no identity provider to log in at.".to_owned(),
        ));
    }
    let begun = sessions::secrets()?;
    let address = match operators.begin_login(&begun).await {
        Ok(address) => address,
        Err(_) => return Err(ApiError::OutOfReach),
    };
    let source = peer.source(&console, &headers);
    let cookie = console.logins.begin(begun, source, operators.is_encrypted())?;
    let mut response = Redirect::to(&address).into_response();
    set_cookie(&mut response, &cookie);
    Ok(response)
}

/// Begins a session for whoever comes back from the provider.
pub(crate) async fn end(
    State(console): State<Arc<Console>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    back: Result<Query<Back>, QueryRejection>,
) -> Result<Response, ApiError> {
    let source = peer.source(&console, &headers);
    let begun = console.logins.take(&headers);
    let failed = |why: &str| {
        tracing::info!(%source, "a login at the identity provider failed: {why}");
        let mut response = page::login(&console, Some(FAILED));
        set_cookie(&mut response, &sessions::login_over());
        Ok(response)
    };
    let Some(begun) = begun else {
        return failed("none was under way in this browser");
    };
    let Ok(Query(back)) = back else {
        return failed("what came back cannot be read");
    };
    let state = back.state.unwrap_or_default();
    if !bool::from(begun.state.as_bytes().ct_eq(state.as_bytes())) {
        return failed("another state came back");
    }
    let Some(code) = back.code.filter(|_| back.error.is_none()) else {
        return failed("the provider says no");
    };
    let operator = match console
        .operators
        .end_login(&begun, &code, back.iss.as_deref())
        .await
    {
        Ok(operator) => operator,
        Err(Unknown::OutOfReach) => return Err(ApiError::OutOfReach),
        Err(Unknown::Wrong) => {
            return match wrong(&console, source) {
                ApiError::Unauthenticated => failed("the provider does not confirm it"),
                other => Err(other),
            };
        }
    };
    let who = Who::Known(Arc::new(operator));
    if !may(&console, &who, Some("/"), &Method::GET, source) {
        return Err(ApiError::Forbidden);
    }
    tracing::info!(operator = %who.id(), name = %who.name(), %source, "an operator logged in");
    let cookie = console.sessions.begin(who, console.operators.is_encrypted())?;
    // A page of our own sends the browser on: a redirect would still be the provider's doing, and a strict cookie is not shown then.
    let body = "<p>You are logged in. <a href=\"/\">To the console</a></p>";
    let mut response = page::page(StatusCode::OK, "Logged in", Some("0; url=/"), body);
    set_cookie(&mut response, &cookie);
    set_cookie(&mut response, &sessions::login_over());
    Ok(response)
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}
