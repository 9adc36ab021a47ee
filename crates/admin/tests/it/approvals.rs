//! Approvals through the API and the console: who may decide, what is decided once, what a person is shown.

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_core::{KeyId, RequestId};
use portcullis_store::{Approval, ApprovalKey, ApprovalReason, Asking};
use serde_json::Value;

use crate::client::{APPROVALS, Admin, TOKEN};

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Asks for a payment as an attacker would have it look.
async fn ask(admin: &Admin, arguments: &str, signer: &ApprovalKey) -> Approval {
    let key = KeyId::from_text("key_ann");
    let now = now_ms();
    let asked = signer
        .ask(Asking {
            key_name: "ann <b>".to_owned(),
            team: Some("free".to_owned()),
            tool: "send_money".to_owned(),
            arguments: arguments.as_bytes().to_vec(),
            binding: signer.binding(&key, "send_money", arguments.as_bytes()).unwrap(),
            key,
            reasons: vec![
                ApprovalReason {
                    rule: "flow.origin".to_owned(),
                    path: "to[].iban".to_owned(),
                    value: "DE00".to_owned(),
                    why: "IBAN from the body of a mail by <eve>".to_owned(),
                },
                ApprovalReason {
                    rule: "flow.trifecta".to_owned(),
                    path: String::new(),
                    value: String::new(),
                    why: "private data and a way out".to_owned(),
                },
            ],
            request_id: RequestId::from_text("req_1"),
            created_ms: now,
            expires_ms: now + 600_000,
        })
        .unwrap();
    admin.store.ask_approval(asked, now).await.unwrap()
}

fn signer() -> ApprovalKey {
    ApprovalKey::new(APPROVALS)
}

const PAYMENT: &str = r#"{"to":[{"iban":"DE00"}],"note":"<script>alert(1)</script>\u202egnp","amount":5}"#;

#[tokio::test]
async fn an_approval_is_decided_once() {
    let admin = Admin::start().await;
    let asked = ask(&admin, PAYMENT, &signer()).await;
    let at = |deed: &str| format!("/api/v1/approvals/{}{deed}", asked.id);
    let listed = admin
        .ask("GET", "/api/v1/approvals?state=pending&limit=5", "")
        .await
        .json();
    let shown = &listed["approvals"][0];
    assert_eq!(shown["id"], asked.id.as_str());
    assert_eq!(shown["arguments"], PAYMENT);
    assert_eq!(shown["reasons"][0]["path"], "to[].iban");
    assert_eq!(shown["genuine"], true);
    let metrics = admin.ask("GET", "/metrics", "").await.body;
    assert!(metrics.contains("portcullis_approvals_pending 1\n"), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");

    let granted = admin.ask("POST", &at("/grant"), "").await;
    assert_eq!(granted.status, 200, "{granted:?}");
    let granted = granted.json();
    assert_eq!(
        (&granted["state"], &granted["decided_by"]),
        (&"granted".into(), &"admin token".into())
    );
    for deed in ["/grant", "/deny"] {
        let again = admin.ask("POST", &at(deed), "").await;
        assert_eq!(
            (again.status, &again.json()["error"]["code"]),
            (409, &"conflict".into())
        );
    }
    let claimed = admin
        .store
        .claim_approval(&asked.id, &asked.key, &asked.binding, now_ms())
        .await
        .unwrap()
        .unwrap();
    assert!(signer().is_granted(&claimed), "what is granted here counts there");
    let used = admin.ask("GET", &at(""), "").await.json();
    assert_eq!(
        (&used["state"], &used["arguments"]),
        (&"used".into(), &Value::Null)
    );

    let other = ask(&admin, "{}", &signer()).await;
    let denied = admin
        .ask("POST", &format!("/api/v1/approvals/{}/deny", other.id), "")
        .await;
    assert_eq!(denied.json()["state"], "denied");
    for (method, path) in [
        ("GET", "/api/v1/approvals/apr_nothing"),
        ("POST", "/api/v1/approvals/apr_nothing/grant"),
        ("POST", "/api/v1/approvals/apr_nothing/deny"),
        ("POST", "/approvals/apr_nothing/grant"),
    ] {
        assert_eq!(admin.ask(method, path, "").await.status, 404, "{method} {path}");
    }
    for wrong in ["?state=open", "?limit=x", "?stat=pending"] {
        let answer = admin.ask("GET", &format!("/api/v1/approvals{wrong}"), "").await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn what_no_gateway_asked_cannot_be_granted() {
    let admin = Admin::start().await;
    let forged = ask(&admin, PAYMENT, &ApprovalKey::new([9; 32])).await;
    let shown = admin
        .ask("GET", &format!("/api/v1/approvals/{}", forged.id), "")
        .await;
    assert_eq!(shown.json()["genuine"], false);
    let page = admin.ask("GET", "/approvals", "").await.body;
    assert!(
        page.contains("cannot be granted") && !page.contains("/grant\""),
        "{page}"
    );
    for path in ["/api/v1/approvals", "/approvals"] {
        let refused = admin
            .ask("POST", &format!("{path}/{}/grant", forged.id), "")
            .await;
        assert_eq!(refused.status, 409, "{refused:?}");
    }
    let denied = admin
        .ask("POST", &format!("/api/v1/approvals/{}/deny", forged.id), "")
        .await;
    assert_eq!(denied.status, 200);
}

#[tokio::test]
async fn the_page_shows_where_values_came_from_and_what_hides() {
    let admin = Admin::start().await;
    let asked = ask(&admin, PAYMENT, &signer()).await;
    let first = admin.ask("GET", "/", "").await;
    assert!(first.body.contains("1 pending"), "{}", first.body);
    let answer = admin.ask("GET", "/approvals", "").await;
    assert_eq!(
        answer.header("referrer-policy"),
        Some("same-origin"),
        "or forms have no origin"
    );
    let page = &answer.body;
    for part in [
        "<code>to[0].iban</code>",
        "not from the user",
        "IBAN from the body of a mail by &lt;eve&gt;",
        "private data and a way out",
        "ann &lt;b&gt; of team free",
        "&lt;script&gt;alert(1)&lt;/script&gt;[U+202E]gnp",
        "no rule objects",
        "Grant once, although 1 value is not from the user",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        !page.contains("<script") && !page.contains("http-equiv"),
        "no script, no loading anew"
    );
    if let Ok(place) = std::env::var("PORTCULLIS_PAGE") {
        std::fs::write(place, page).unwrap();
    }

    let link = format!("/?token={}", TOKEN.replace(' ', "%20"));
    let login = admin.send("GET", &link, &[], "").await;
    let cookie = login
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let own = format!("http://{}", admin.host());
    let button = format!("/approvals/{}/grant", asked.id);
    for origin in [None, Some("null"), Some("http://evil.example")] {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(origin.map(|origin| ("origin", origin)));
        assert_eq!(
            admin.send("POST", &button, &headers, "").await.status,
            403,
            "{origin:?}"
        );
    }
    let headers = [("cookie", cookie.as_str()), ("origin", own.as_str())];
    let pressed = admin.send("POST", &button, &headers, "").await;
    assert_eq!(
        (pressed.status, pressed.header("location")),
        (303, Some("/approvals"))
    );
    let again = admin.send("POST", &button, &headers, "").await;
    assert_eq!(again.status, 409);
    assert!(again.body.contains("granted already"), "{}", again.body);
    let page = admin.ask("GET", "/approvals", "").await.body;
    assert!(
        page.contains(">granted</span>") && !page.contains("<form"),
        "{page}"
    );
}
