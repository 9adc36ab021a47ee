//! The console in a browser's eyes: login, session, cross-site requests, hostile names.

use portcullis_store::NewKey;

use crate::client::{Admin, Answer, TOKEN};

fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").expect("a session begins");
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Strict"),
        "{set}"
    );
    set.split(';').next().unwrap().to_owned()
}

fn encoded() -> String {
    TOKEN.replace(' ', "%20")
}

#[tokio::test]
async fn a_link_or_the_form_begins_a_session_and_the_token_leaves_the_address() {
    let admin = Admin::start().await;
    let form = ("content-type", "application/x-www-form-urlencoded");
    let by_link = admin
        .send("GET", &format!("/?token={}", encoded()), &[], "")
        .await;
    let by_form = admin
        .send("POST", "/login", &[form], &format!("token={}", encoded()))
        .await;
    for answer in [by_link, by_form] {
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
        let cookie = cookie(&answer);
        assert!(!cookie.contains("admin"), "a session, not the token");
        let page = admin.send("GET", "/", &[("cookie", &cookie)], "").await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("live keys"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn whoever_has_no_token_gets_the_form_and_no_session() {
    let admin = Admin::start().await;
    let html = ("accept", "text/html,*/*");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let answers = [
        admin.send("GET", "/", &[html], "").await,
        admin.send("GET", "/?token=wrong", &[html], "").await,
        admin.send("POST", "/login", &[form], "token=wrong").await,
        admin.send("POST", "/login", &[form], "").await,
    ];
    for answer in answers {
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.body.contains("<form") && !answer.body.contains("live keys"));
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[tokio::test]
async fn a_change_with_the_cookie_must_come_from_the_consoles_own_page() {
    let admin = Admin::start().await;
    let cookie = cookie(
        &admin
            .send("GET", &format!("/?token={}", encoded()), &[], "")
            .await,
    );
    let own = format!("http://{}", admin.host());
    let body = r#"{"name":"made"}"#;
    for origin in [
        None,
        Some("http://evil.example"),
        Some("http://127.0.0.1:1"),
        Some("null"),
    ] {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let answer = admin.send("POST", "/api/v1/keys", &headers, body).await;
        assert_eq!(answer.status, 403, "{origin:?}");
    }
    let headers = [("cookie", cookie.as_str()), ("origin", own.as_str())];
    assert_eq!(
        admin.send("POST", "/api/v1/keys", &headers, body).await.status,
        201
    );
}

#[tokio::test]
async fn a_name_is_shown_as_text() {
    let admin = Admin::start().await;
    admin
        .store
        .create_key(NewKey::named("<script>alert(1)</script>"), 1)
        .await
        .unwrap();
    let page = admin.ask("GET", "/", "").await;
    assert!(!page.body.contains("<script"), "{}", page.body);
    assert!(page.body.contains("&lt;script&gt;"));
}
