//! The console: plain pages made on the server, without scripts and without anything from elsewhere.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use portcullis_core::{AuditRecord, Decision, PrincipalKind, RequestId};
use portcullis_store::KeyRecord;
use serde::Deserialize;

use crate::auth::{Peer, wrong};
use crate::clock::now_ms;
use crate::error::ApiError;
use crate::visible::Visible;
use crate::{Console, Who, approvals, pins};

/// How many requests the console lists.
const SHOWN: u32 = 50;

const STYLE: &str = include_str!("page.css");

/// A whole page. The policy lets it show its own style and send its own form, and nothing else.
pub(crate) fn page(status: StatusCode, title: &str, refresh: Option<&str>, body: &str) -> Response {
    let mut random = [0; 16];
    // Without random bytes the style is not shown; the page still is.
    let nonce = getrandom::fill(&mut random).map_or_else(
        |_| String::new(),
        |()| format!("{:032x}", u128::from_be_bytes(random)),
    );
    let again = refresh.map_or_else(String::new, |when| {
        format!("<meta http-equiv=\"refresh\" content=\"{}\">", Visible(when))
    });
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} · Portcullis</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">{again}\
         <style nonce=\"{nonce}\">{STYLE}</style></head><body><header><a href=\"/\">Portcullis</a></header>\
         <main>{body}</main></body></html>",
        Visible(title)
    );
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The page that asks for the token, or for a login at the identity provider.
pub(crate) fn login(console: &Console, told: Option<&str>) -> Response {
    let told = told.map_or_else(String::new, |told| {
        format!("<p class=\"block\">{}</p>", Visible(told))
    });
    let elsewhere = match console.operators.has_login() {
        true => "<p><a href=\"/login/oidc\">Log in at the identity provider</a></p>",
        false => "",
    };
    let body = format!(
        "<form class=\"login\" method=\"post\" action=\"/login\"><h1>Console</h1>{told}{elsewhere}\
         <label>Admin token <input type=\"password\" name=\"token\" autocomplete=\"current-password\" autofocus></label>\
         <button>Log in</button><p class=\"quiet\">It was printed when the gateway started, unless the configuration names one.</p></form>"
    );
    page(StatusCode::UNAUTHORIZED, "Log in", None, &body)
}

/// The token, from the form or from a link.
#[derive(Deserialize)]
pub(crate) struct Shown {
    token: Option<String>,
}

/// Begins a session with the token of the form.
pub(crate) async fn begin(
    State(console): State<Arc<Console>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    Form(shown): Form<Shown>,
) -> Result<Response, ApiError> {
    let source = peer.source(&console, &headers);
    session(&console, shown.token.as_deref().unwrap_or_default(), source)
}

/// A session and the way to the console, so that the token does not stay in the address.
pub(crate) fn session(console: &Console, token: &str, source: IpAddr) -> Result<Response, ApiError> {
    if !console.token.is(token.trim()) {
        return match wrong(console, source) {
            ApiError::Unauthenticated => Ok(login(console, Some("That is not the token."))),
            other => Err(other),
        };
    }
    let cookie = console
        .sessions
        .begin(Who::Root, console.operators.is_encrypted())?;
    let mut response = Redirect::to("/").into_response();
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The token of a login link, `/?token=…`.
pub(crate) fn linked(query: Option<&str>) -> Option<String> {
    let uri = format!("/?{}", query?).parse().ok()?;
    let Query(shown) = Query::<Shown>::try_from_uri(&uri).ok()?;
    shown.token
}

/// The console.
pub(crate) async fn console(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
) -> Result<Response, ApiError> {
    let mut records = console.store.audit_tail(SHOWN).await?;
    records.reverse();
    let keys = console.store.keys().await?;
    let count = |decision| {
        records
            .iter()
            .filter(|stored| stored.record.decision == decision)
            .count()
    };
    let mut body = format!(
        "<section class=\"tiles\"><div><b>{}</b> live keys</div><div class=\"allow\"><b>{}</b> allowed</div>\
         <div class=\"redact\"><b>{}</b> redacted</div><div class=\"block\"><b>{}</b> blocked</div>\
         <div class=\"observe\"><b>{}</b> observed</div></section><p class=\"quiet\">of the last {} requests</p>",
        keys.iter().filter(|key| key.is_live(now_ms())).count(),
        count(Decision::Allow),
        count(Decision::Redact),
        count(Decision::Block),
        count(Decision::Observe),
        records.len()
    );
    body.push_str(&approvals::tile(&console).await?);
    body.push_str(&pins::tile(&console).await?);
    body.push_str("<h2>Requests</h2><table><tr><th>Request<th>Endpoint<th>Model<th>Key<th>Status<th>Decision<th>Found</tr>");
    for stored in &records {
        row(&mut body, &stored.record, &keys);
    }
    body.push_str("</table><h2>Keys</h2><table><tr><th>Name<th>Key<th>Organisation<th>Team<th>User<th>Profile<th>Tools<th>Id<th>Last used<th>State</tr>");
    for key in &keys {
        let who = &key.principal;
        let state = match (key.revoked_ms, key.is_live(now_ms())) {
            (Some(_), _) => "revoked",
            (None, true) => "live",
            (None, false) => "expired",
        };
        let _ = write!(
            body,
            "<tr><td>{}<td><code>{}…</code><td>{}<td>{}<td>{}<td>{}<td>{}<td><code>{}</code><td>{}<td>{state}</tr>",
            Visible(&who.name),
            Visible(&key.prefix),
            Visible(who.org.as_deref().unwrap_or("–")),
            Visible(who.team.as_deref().unwrap_or("–")),
            Visible(match who.kind {
                PrincipalKind::Service => "(service)",
                _ => who.user.as_deref().unwrap_or("–"),
            }),
            Visible(who.profile.as_deref().unwrap_or("–")),
            Visible(who.tools.as_deref().unwrap_or("–")),
            Visible(who.key.as_str()),
            ago(key.used_ms, now_ms())
        );
    }
    body.push_str(
        "</table><p class=\"quiet\"><a href=\"/metrics\">metrics</a> · <a href=\"/api/v1/config\">configuration</a> · \
         <a href=\"/api/v1/usage\">usage</a> · <a href=\"/openapi.json\">API</a></p>",
    );
    let _ = write!(
        body,
        "<p class=\"quiet\">Logged in as {}</p>",
        Visible(who.name())
    );
    Ok(page(StatusCode::OK, "Console", Some("5"), &body))
}

/// How long ago, in the largest unit that fits.
pub(crate) fn ago(when: Option<u64>, now_ms: u64) -> String {
    let Some(when) = when else {
        return "–".to_owned();
    };
    let minutes = now_ms.saturating_sub(when) / 60_000;
    match minutes {
        0..60 => format!("{minutes} min ago"),
        60..1440 => format!("{} h ago", minutes / 60),
        _ => format!("{} d ago", minutes / 1440),
    }
}

fn row(body: &mut String, record: &AuditRecord, keys: &[KeyRecord]) {
    let name = record.key.as_ref().map_or("–", |id| {
        let key = keys.iter().find(|key| key.principal.key == *id);
        key.map_or(id.as_str(), |key| key.principal.name.as_str())
    });
    let id = Visible(record.request_id.as_str());
    let decision = record.decision.name();
    let mut kinds: Vec<&str> = record
        .findings
        .iter()
        .map(|finding| finding.kind.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    let _ = write!(
        body,
        "<tr><td><a href=\"/requests/{id}\"><code>{id}</code></a><td>{}<td>{}<td>{}<td>{}<td><span class=\"{decision}\">{decision}</span><td>{}</tr>",
        Visible(&record.endpoint),
        Visible(record.model.as_deref().unwrap_or("–")),
        Visible(name),
        record.status,
        Visible(&kinds.join(", "))
    );
}

/// One request: what was found in it, where, and what was done because of which setting.
pub(crate) async fn request(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let stored = console.store.audit_record(&RequestId::from_text(&id)).await?;
    let Some(stored) = stored else {
        return Ok(page(
            StatusCode::NOT_FOUND,
            "Unknown",
            None,
            "<p>There is no request of that id.</p>",
        ));
    };
    let record = &stored.record;
    let decision = record.decision.name();
    let mut body = format!(
        "<h1><code>{}</code></h1><p><span class=\"{decision}\">{decision}</span> {} {} · {} · {} ms · record {} of the audit log</p>",
        Visible(record.request_id.as_str()),
        record.status,
        Visible(record.code.as_deref().unwrap_or("")),
        Visible(&record.endpoint),
        record.micros / 1000,
        stored.seq
    );
    body.push_str("<table><tr><th>Found<th>Where<th>Bytes<th>Done<th>Because of</tr>");
    for finding in &record.findings {
        let action = serde_json::to_value(finding.action).unwrap_or_default();
        let _ = write!(
            body,
            "<tr><td>{}<td><code>{}</code><td>{}–{}<td>{}<td><code>{}</code></tr>",
            Visible(&finding.kind),
            Visible(&finding.path),
            finding.span.start,
            finding.span.end,
            Visible(action.as_str().unwrap_or_default()),
            Visible(&finding.rule)
        );
    }
    let _ = write!(
        body,
        "</table><p class=\"quiet\">{} texts of {} bytes inspected, {} things that cannot be read</p>",
        record.inspected,
        record.inspected_bytes,
        record.uninspectable.len()
    );
    if let Some(sandboxed) = &record.sandboxed {
        let (texts, marking) = (sandboxed.texts, Visible(&sandboxed.marking));
        let _ = write!(
            body,
            "<p class=\"quiet\">{texts} texts from outside marked ({marking})</p>"
        );
    }
    Ok(page(StatusCode::OK, "Request", None, &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_text() {
        assert_eq!(
            Visible("<a href='x'>&\"").to_string(),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;"
        );
    }

    #[test]
    fn the_token_of_a_link() {
        assert_eq!(linked(Some("token=a%2Bb&x=1")).as_deref(), Some("a+b"));
        assert_eq!(linked(Some("x=1")), None);
        assert_eq!(linked(None), None);
    }
}
