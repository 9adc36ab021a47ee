//! The console's page of approvals: what a person must see of a call to decide about it.
//!
//! Everything about a call was written by a model, perhaps as an attacker wished. It is shown as text, letters that nobody sees are
//! shown by their numbers, and the page never loads itself anew: a button must not move while somebody aims at it.

mod shown;

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use portcullis_store::{Approval, ApprovalState};

use crate::api::approvals::{decide, is_genuine};
use crate::clock::now_ms;
use crate::error::ApiError;
use crate::page::{ago, page};
use crate::visible::Visible;
use crate::{Console, Who};
use shown::arguments;

/// How many are listed, of those that are pending and of all.
const SHOWN: u32 = 50;

/// How many are pending, for the first page.
pub(crate) async fn tile(console: &Console) -> Result<String, ApiError> {
    let pending = console.store.approvals_pending(now_ms()).await?;
    Ok(format!(
        "<p><a href=\"/approvals\">Approvals</a>: <span class=\"{}\">{pending} pending</span></p>",
        if pending == 0 { "quiet" } else { "block" }
    ))
}

/// The page.
pub(crate) async fn list(State(console): State<Arc<Console>>) -> Result<Response, ApiError> {
    let now = now_ms();
    let pending = console
        .store
        .approvals(Some(ApprovalState::Pending), SHOWN, now)
        .await?;
    // Those that are pending are left out of these again.
    let both = SHOWN.saturating_mul(2);
    let all = console.store.approvals(None, both, now).await?;
    let mut body = String::from("<h1>Approvals</h1>");
    if pending.is_empty() {
        body.push_str("<p class=\"quiet\">No call waits for a decision.</p>");
    }
    for approval in &pending {
        card(&mut body, approval, is_genuine(&console, approval), now);
    }
    let in_all = console.store.approvals_pending(now).await?;
    if in_all > u64::from(SHOWN) {
        let _ = write!(body, "<p class=\"quiet\">The newest {SHOWN} of {in_all}.</p>");
    }
    body.push_str("<h2>Decided and expired</h2><table><tr><th>Tool<th>Key<th>Team<th>Asked<th>State<th>Decided by<th>When<th>Request</tr>");
    let over = all
        .iter()
        .filter(|approval| approval.state != ApprovalState::Pending);
    for approval in over {
        row(&mut body, approval, now);
    }
    body.push_str("</table>");
    Ok(page(StatusCode::OK, "Approvals", None, &body))
}

/// The button that grants.
pub(crate) async fn grant(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Response {
    pressed(&console, &who, &id, true).await
}

/// The button that denies.
pub(crate) async fn deny(
    State(console): State<Arc<Console>>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Response {
    pressed(&console, &who, &id, false).await
}

async fn pressed(console: &Console, who: &Who, id: &str, granted: bool) -> Response {
    match decide(console, id, granted, who.name()).await {
        Ok(_) => Redirect::to("/approvals").into_response(),
        Err(error) => {
            let told = format!(
                "<h1>Not decided</h1><p class=\"block\">{}</p><p><a href=\"/approvals\">Back to the approvals</a></p>",
                Visible(&error.to_string())
            );
            let status = error.into_response().status();
            page(status, "Not decided", None, &told)
        }
    }
}

fn card(body: &mut String, approval: &Approval, genuine: bool, now_ms: u64) {
    let id = Visible(&approval.id);
    let left = approval.expires_ms.saturating_sub(now_ms).div_ceil(60_000);
    let _ = write!(
        body,
        "<section class=\"ask\" id=\"{id}\"><h2><code>{}</code></h2><p>{}{} · asked {} · expires in {left} min · \
         <a href=\"/requests/{request}\"><code>{request}</code></a> · <code class=\"quiet\">{id}</code></p>",
        Visible(&approval.tool),
        Visible(&approval.key_name),
        approval
            .team
            .as_deref()
            .map_or_else(String::new, |team| format!(" of team {}", Visible(team))),
        ago(Some(approval.created_ms), now_ms),
        request = Visible(approval.request_id.as_str()),
    );
    if !genuine {
        body.push_str(
            "<p class=\"alarm\">This was not asked by a gateway of this state, or was changed since: somebody else writes to the \
             database. It cannot be granted.</p>",
        );
    }
    let foreign = arguments(body, approval);
    let about = match foreign {
        0 => "Grant once".to_owned(),
        1 => "Grant once, although 1 value is not from the user".to_owned(),
        more => format!("Grant once, although {more} values are not from the user"),
    };
    body.push_str("<div class=\"choice\">");
    for (deed, label) in [("deny", "Deny"), ("grant", about.as_str())] {
        if deed == "deny" || genuine {
            let _ = write!(
                body,
                "<form method=\"post\" action=\"/approvals/{id}/{deed}\"><button class=\"{deed}\">{label}</button></form>"
            );
        }
    }
    body.push_str("</div></section>");
}

fn row(body: &mut String, approval: &Approval, now_ms: u64) {
    let class = match approval.state {
        ApprovalState::Granted | ApprovalState::Used => "allow",
        ApprovalState::Denied => "block",
        ApprovalState::Pending | ApprovalState::Expired => "quiet",
    };
    let _ = write!(
        body,
        "<tr><td><code>{}</code><td>{}<td>{}<td>{}<td><span class=\"{class}\">{}</span><td>{}<td>{}<td>\
         <a href=\"/requests/{request}\"><code>{request}</code></a></tr>",
        Visible(&approval.tool),
        Visible(&approval.key_name),
        Visible(approval.team.as_deref().unwrap_or("–")),
        ago(Some(approval.created_ms), now_ms),
        approval.state.name(),
        Visible(approval.decided_by.as_deref().unwrap_or("–")),
        ago(approval.decided_ms, now_ms),
        request = Visible(approval.request_id.as_str()),
    );
}
