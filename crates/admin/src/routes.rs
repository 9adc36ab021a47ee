//! Every route of the operators' side, once: the router, `/openapi.json` and the test that nothing is open read this list.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post};

use crate::error::{self, ApiError};
use crate::{Console, api, approvals, auth, login, openapi, page, pins};

/// The largest body that an operator may send, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// One route.
pub struct Route {
    /// The method, in lower case.
    pub method: &'static str,
    /// The path, with names in braces.
    pub path: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Whether it needs no token.
    pub open: bool,
    make: fn() -> MethodRouter<Arc<Console>>,
}

const fn route(
    method: &'static str,
    path: &'static str,
    about: &'static str,
    make: fn() -> MethodRouter<Arc<Console>>,
) -> Route {
    Route {
        method,
        path,
        about,
        open: false,
        make,
    }
}

/// All of them. `/` and those under `/login` guard themselves: they answer whoever has no token with the form that asks for it.
pub static ROUTES: &[Route] = &[
    Route {
        open: true,
        ..route("get", "/healthz", "Whether the process answers.", || {
            get(|| async { "ok\n" })
        })
    },
    route("get", "/", "The console.", || get(page::console)),
    Route {
        open: true,
        ..route("post", "/login", "Begin a session with the token.", || {
            post(page::begin)
        })
    },
    Route {
        open: true,
        ..route(
            "get",
            "/login/oidc",
            "Go to the identity provider to begin a session.",
            || get(login::begin),
        )
    },
    Route {
        open: true,
        ..route(
            "get",
            "/login/oidc/callback",
            "Come back from the identity provider.",
            || get(login::end),
        )
    },
    route("get", "/requests/{id}", "One request in the console.", || {
        get(page::request)
    }),
    route("get", "/metrics", "Counters in Prometheus' text format.", || {
        get(api::metrics)
    }),
    route("get", "/openapi.json", "This description.", || {
        get(openapi::document)
    }),
    route("get", "/api/v1/keys", "API keys, without their texts.", || {
        get(api::keys::list)
    }),
    route(
        "post",
        "/api/v1/keys",
        "Make an API key; the reply shows its text this once.",
        || post(api::keys::create),
    ),
    route(
        "post",
        "/api/v1/keys/{key}/rotate",
        "Give a key a new text; the old one stops working, or works for `?overlap_ms=` more.",
        || post(api::keys::rotate),
    ),
    route("delete", "/api/v1/keys/{key}", "End a key for good.", || {
        delete(api::keys::revoke)
    }),
    route(
        "get",
        "/api/v1/events",
        "The last audit records; `?limit=` up to 1000.",
        || get(api::records::events),
    ),
    route(
        "get",
        "/api/v1/events/{id}",
        "The audit record of one request.",
        || get(api::records::event),
    ),
    route(
        "get",
        "/api/v1/approvals",
        "Calls of tools that wait for a person, or did; `?state=`, `?limit=` up to 200.",
        || get(api::approvals::list),
    ),
    route("get", "/api/v1/approvals/{id}", "One of them.", || {
        get(api::approvals::one)
    }),
    route(
        "post",
        "/api/v1/approvals/{id}/grant",
        "Let the call be made, once.",
        || post(api::approvals::grant),
    ),
    route(
        "post",
        "/api/v1/approvals/{id}/deny",
        "Do not let the call be made.",
        || post(api::approvals::deny),
    ),
    route(
        "get",
        "/api/v1/pins",
        "Definitions of tools of servers, as they were pinned; `?state=`, `?limit=` up to 200.",
        || get(api::pins::list),
    ),
    route("get", "/api/v1/pins/{id}", "One of them.", || get(api::pins::one)),
    route(
        "post",
        "/api/v1/pins/{id}/accept",
        "Let models see the definition and call what it defines.",
        || post(api::pins::accept),
    ),
    route(
        "post",
        "/api/v1/pins/{id}/reject",
        "Do not let models see the definition.",
        || post(api::pins::reject),
    ),
    route("get", "/pins", "The console's page of definitions.", || {
        get(pins::list)
    }),
    route("post", "/pins/{id}/accept", "Its button that accepts.", || {
        post(pins::accept)
    }),
    route("post", "/pins/{id}/reject", "Its button that rejects.", || {
        post(pins::reject)
    }),
    route("get", "/approvals", "The console's page of approvals.", || {
        get(approvals::list)
    }),
    route("post", "/approvals/{id}/grant", "Its button that grants.", || {
        post(approvals::grant)
    }),
    route("post", "/approvals/{id}/deny", "Its button that denies.", || {
        post(approvals::deny)
    }),
    route(
        "get",
        "/api/v1/usage",
        "Requests, tokens and cost by key and team, and the last alerts of budgets; `?since_ms=`.",
        || get(api::records::usage),
    ),
    route(
        "get",
        "/api/v1/config",
        "The configuration in force, credentials as references.",
        || get(api::records::config),
    ),
];

/// The router.
pub(crate) fn router(console: Arc<Console>) -> Router {
    let mut open = Router::new();
    let mut guarded = Router::new();
    for route in ROUTES {
        if route.open {
            open = open.route(route.path, (route.make)());
        } else {
            guarded = guarded.route(route.path, (route.make)());
        }
    }
    // What has no route is guarded too: without the token nobody learns what there is.
    guarded
        .fallback(|| async { ApiError::NotFound("There is no such path here.".to_owned()) })
        .layer(from_fn_with_state(Arc::clone(&console), auth::required))
        .merge(open)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(hardened))
        .with_state(console)
}

/// Errors of the framework's own (a body too large, a wrong method) get the shape of all others, and every answer the headers
/// that keep it from being cached, framed, sniffed or told to other sites.
async fn hardened(response: Response) -> Response {
    const FIXED: [(HeaderName, &str); 4] = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer`, browsers leave the origin out of a form's request, and the console's own buttons would be strangers.
        (header::REFERRER_POLICY, "same-origin"),
    ];
    let media = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let shaped =
        media.is_some_and(|media| media.starts_with("application/json") || media.starts_with("text/html"));
    let mut response = match response.status() {
        status if status.as_u16() >= 400 && !shaped => error::plain(status),
        _ => response,
    };
    for (name, value) in FIXED {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
