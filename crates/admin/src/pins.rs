//! The console's page of definitions: what a server, or a client that offers it, says of a tool now, beside what was accepted. All of it is a stranger's words, and is
//! shown as such.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use portcullis_store::{Pin, PinState, PinWhy};

use crate::api::pins::decide;
use crate::clock::now_ms;
use crate::error::ApiError;
use crate::page::{ago, page};
use crate::visible::{Leaf, Visible, collect};
use crate::{Console, Who};

/// How many are listed of those that are held, and how many of all are looked at for what was accepted before.
const SHOWN: u32 = 50;
const COMPARED: u32 = 2000;
/// More values than this are not set out; the definition as it was given has them all.
const MOST_VALUES: usize = 300;

/// How many are held, for the first page.
pub(crate) async fn tile(console: &Console) -> Result<String, ApiError> {
    let held = console.store.pins_held().await?;
    Ok(format!(
        "<p><a href=\"/pins\">Definitions of tools</a>: <span class=\"{}\">{held} held</span></p>",
        if held == 0 { "quiet" } else { "block" }
    ))
}

/// The page.
pub(crate) async fn list(State(console): State<Arc<Console>>) -> Result<Response, ApiError> {
    let now = now_ms();
    let held = console.store.pins(Some(PinState::Held), SHOWN).await?;
    let all = console.store.pins(None, COMPARED).await?;
    let mut body = String::from("<h1>Definitions of tools</h1>");
    if held.is_empty() {
        body.push_str("<p class=\"quiet\">No definition is held.</p>");
    }
    for pin in &held {
        let same = |other: &&Pin| {
            other.state == PinState::Accepted
                && (&other.server, other.kind, &other.name) == (&pin.server, pin.kind, &pin.name)
        };
        let before = all
            .iter()
            .filter(same)
            .max_by_key(|other| other.decided_ms.unwrap_or(other.first_ms));
        card(&mut body, pin, before, now);
    }
    let in_all = console.store.pins_held().await?;
    if in_all > u64::from(SHOWN) {
        let _ = write!(body, "<p class=\"quiet\">The newest {SHOWN} of {in_all}.</p>");
    }
    body.push_str("<h2>Accepted and rejected</h2><table><tr><th>Server<th>Kind<th>Name<th>First seen<th>State<th>Decided by<th>When<th></tr>");
    for pin in all.iter().filter(|pin| pin.state != PinState::Held).take(200) {
        row(&mut body, pin, now);
    }
    body.push_str("</table>");
    Ok(page(StatusCode::OK, "Definitions of tools", None, &body))
}

/// The button that accepts.
pub(crate) async fn accept(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Response {
    pressed(&console, &who, &id, true).await
}

/// The button that rejects.
pub(crate) async fn reject(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Response {
    pressed(&console, &who, &id, false).await
}

async fn pressed(console: &Console, who: &Who, id: &str, accepted: bool) -> Response {
    match decide(console, id, accepted, who.name()).await {
        Ok(_) => Redirect::to("/pins").into_response(),
        Err(error) => {
            let told = format!(
                "<h1>Not decided</h1><p class=\"block\">{}</p><p><a href=\"/pins\">Back to the definitions</a></p>",
                Visible(&error.to_string())
            );
            let status = error.into_response().status();
            page(status, "Not decided", None, &told)
        }
    }
}

fn card(body: &mut String, pin: &Pin, before: Option<&Pin>, now_ms: u64) {
    let id = Visible(&pin.id);
    let why = match pin.why {
        PinWhy::Changed => "Something else was said of it before.".to_owned(),
        PinWhy::Content => {
            "Something was found in it: see the records of requests that listed it.".to_owned()
        }
        PinWhy::Shadows => format!(
            "A tool of server <code>{}</code> has this name: a model may take one for the other.",
            Visible(pin.other.as_deref().unwrap_or("?"))
        ),
        PinWhy::First => "It is new.".to_owned(),
    };
    let _ = write!(
        body,
        "<section class=\"ask\" id=\"{id}\"><h2><code>{}/{}</code></h2><p>{} · first seen {} · \
         <code class=\"quiet\">{id}</code></p><p class=\"why\">{why}</p>",
        Visible(&pin.server),
        Visible(&pin.name),
        pin.kind.name(),
        ago(Some(pin.first_ms), now_ms),
    );
    compared(body, pin, before);
    body.push_str("<div class=\"choice\">");
    for (deed, class, label) in [
        ("reject", "deny", "Reject"),
        ("accept", "grant", "Accept as it is now"),
    ] {
        let _ = write!(
            body,
            "<form method=\"post\" action=\"/pins/{id}/{deed}\"><button class=\"{class}\">{label}</button></form>"
        );
    }
    body.push_str("</div></section>");
}

/// What is said now, value by value; beside it what was said before, where that differs.
fn compared(body: &mut String, pin: &Pin, before: Option<&Pin>) {
    let now = leaves(pin);
    let old = before.map(leaves).unwrap_or_default();
    let text_of = |leaves: &[Leaf], path: &str| {
        let found = leaves.iter().find(|leaf| leaf.path == path);
        found.map(|leaf| leaf.text.clone())
    };
    body.push_str("<table><tr><th>Part<th>Now<th>As it was accepted</tr>");
    let gone = old.iter().filter(|leaf| text_of(&now, &leaf.path).is_none());
    let paths: Vec<&str> = now.iter().chain(gone).map(|leaf| leaf.path.as_str()).collect();
    for path in paths.iter().take(MOST_VALUES) {
        let (new, old) = (text_of(&now, path), text_of(&old, path));
        if before.is_some() && new == old {
            continue;
        }
        let cell = |text: Option<String>, otherwise: &str| match text {
            Some(text) => format!("<bdi><code class=\"value\">{}</code></bdi>", Visible(&text)),
            None => format!("<span class=\"quiet\">{otherwise}</span>"),
        };
        let _ = write!(
            body,
            "<tr><td><code>{}</code><td>{}<td>{}</tr>",
            Visible(path),
            cell(new, "not there any more"),
            cell(old, "nothing"),
        );
    }
    body.push_str("</table>");
    if paths.len() > MOST_VALUES {
        let _ = write!(
            body,
            "<p class=\"alarm\">{} more values are not set out here: read the definition as it was given.</p>",
            paths.len().saturating_sub(MOST_VALUES)
        );
    }
    let written = String::from_utf8_lossy(&pin.definition);
    let _ = write!(
        body,
        "<details><summary>As it is given, {} bytes</summary><pre><bdi>{}</bdi></pre></details>",
        pin.definition.len(),
        Visible(&written)
    );
}

fn leaves(pin: &Pin) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    match serde_json::from_slice(&pin.definition) {
        Ok(value) => collect("", "", &value, &mut leaves),
        Err(_) => leaves.push(Leaf {
            path: "(too large, or no JSON)".to_owned(),
            general: String::new(),
            text: String::from_utf8_lossy(&pin.definition).into_owned(),
        }),
    }
    leaves
}

fn row(body: &mut String, pin: &Pin, now_ms: u64) {
    let (class, deed, label) = match pin.state {
        PinState::Accepted => ("allow", "reject", "Reject"),
        PinState::Rejected | PinState::Held => ("block", "accept", "Accept"),
    };
    let _ = write!(
        body,
        "<tr><td>{}<td>{}<td><code>{}</code><td>{}<td><span class=\"{class}\">{}</span><td>{}<td>{}<td>\
         <form method=\"post\" action=\"/pins/{}/{deed}\"><button>{label}</button></form></tr>",
        Visible(&pin.server),
        pin.kind.name(),
        Visible(&pin.name),
        ago(Some(pin.first_ms), now_ms),
        pin.state.name(),
        Visible(pin.decided_by.as_deref().unwrap_or("–")),
        ago(pin.decided_ms, now_ms),
        Visible(&pin.id),
    );
}
