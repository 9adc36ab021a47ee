//! Nothing is open: every route of the list, and what is not on it.

use portcullis_admin::ROUTES;

use crate::client::{Admin, TOKEN};

/// What may be asked without the token. A new name here is a decision that a reviewer sees.
const OPEN: &[&str] = &[
    "get /healthz",
    "post /login",
    "get /login/oidc",
    "get /login/oidc/callback",
];

#[tokio::test]
async fn every_route_but_those_of_the_list_asks_who_is_there() {
    let admin = Admin::start().await;
    let wrong = format!("Bearer {TOKEN}x");
    let attempts: [&[(&str, &str)]; 5] = [
        &[],
        &[("authorization", &wrong)],
        &[("authorization", TOKEN)],
        &[("authorization", "Bearer ")],
        &[("cookie", "portcullis_console=00000000000000000000000000000000")],
    ];
    let mut open = Vec::new();
    for route in ROUTES {
        let path = route.path.replace("{id}", "x").replace("{key}", "x");
        let name = format!("{} {}", route.method, route.path);
        for headers in attempts {
            let answer = admin.send(&route.method.to_uppercase(), &path, headers, "").await;
            if route.open {
                open.push(name.clone());
                break;
            }
            assert_eq!(answer.status, 401, "{name} with {headers:?}");
            assert_eq!(answer.json()["error"]["code"], "unauthenticated", "{name}");
        }
    }
    assert_eq!(open, OPEN);
}

#[tokio::test]
async fn what_has_no_route_is_told_only_to_operators() {
    let admin = Admin::start().await;
    for (method, path) in [
        ("GET", "/nothing"),
        ("GET", "/api/v1/"),
        ("PUT", "/api/v1/keys"),
        ("TRACE", "/"),
    ] {
        let answer = admin.send(method, path, &[], "").await;
        assert_eq!(answer.status, 401, "{method} {path}");
    }
    assert_eq!(admin.ask("GET", "/nothing", "").await.status, 404);
    assert_eq!(admin.ask("PUT", "/api/v1/keys", "").await.status, 405);
}

#[tokio::test]
async fn the_token_opens_every_route_that_reads() {
    let admin = Admin::start().await;
    for route in ROUTES.iter().filter(|route| {
        route.method == "get" && !route.path.contains('{') && !route.path.starts_with("/login")
    }) {
        let answer = admin.ask("GET", route.path, "").await;
        assert_eq!(answer.status, 200, "{}", route.path);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", route.path);
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{}",
            route.path
        );
    }
    assert!(
        admin
            .ask("GET", "/metrics", "")
            .await
            .body
            .contains("portcullis_requests_total 7")
    );
}

#[tokio::test]
async fn the_description_lists_every_route() {
    let admin = Admin::start().await;
    let document = admin.ask("GET", "/openapi.json", "").await.json();
    for route in ROUTES {
        assert!(
            document["paths"][route.path][route.method].is_object(),
            "{} {}",
            route.method,
            route.path
        );
    }
}
