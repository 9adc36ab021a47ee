//! Keys through the API, and what the API shows of them.

use portcullis_store::Keyring;
use serde_json::json;

use crate::client::Admin;

#[tokio::test]
async fn a_key_lives_from_its_making_to_its_end() {
    let admin = Admin::start().await;
    let ring = Keyring::load(admin.store.clone()).await.unwrap();
    let asked = json!({ "name": "web", "team": "free", "profile": "closed", "models": ["gpt-*"], "tools": "crm-agent", "rpm": 5,
                        "budget": "5 USD/day" });
    let made = admin.ask("POST", "/api/v1/keys", &asked.to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let text = made["key"].as_str().unwrap();
    ring.refresh().await.unwrap();
    let who = ring.authenticate(text, 1).unwrap();
    assert_eq!(
        (who.team.as_deref(), who.profile.as_deref(), who.limits.rpm),
        (Some("free"), Some("closed"), Some(5))
    );
    assert_eq!(who.tools.as_deref(), Some("crm-agent"));

    let listed = admin.ask("GET", "/api/v1/keys", "").await;
    assert!(!listed.body.contains(text), "a key's text is shown once");
    assert_eq!(listed.json()["keys"][0]["live"], true);
    assert_eq!(listed.json()["keys"][0]["tools"], "crm-agent");

    let id = made["id"].as_str().unwrap();
    let rotated = admin
        .ask("POST", &format!("/api/v1/keys/{id}/rotate"), "")
        .await
        .json();
    ring.refresh().await.unwrap();
    assert!(ring.authenticate(text, 1).is_err(), "the old text ends");
    assert!(ring.authenticate(rotated["key"].as_str().unwrap(), 1).is_ok());

    let text = rotated["key"].as_str().unwrap();
    let again = admin
        .ask("POST", &format!("/api/v1/keys/{id}/rotate?overlap_ms=60000"), "")
        .await
        .json();
    assert!(again["prior_until_ms"].as_u64().unwrap() > 60_000);
    ring.refresh().await.unwrap();
    assert!(ring.authenticate(text, 1).is_ok(), "the old text works on");
    let wrong = format!("/api/v1/keys/{id}/rotate?overlap=60000");
    assert_eq!(admin.ask("POST", &wrong, "").await.status, 400);

    assert_eq!(admin.ask("DELETE", "/api/v1/keys/web", "").await.status, 200);
    ring.refresh().await.unwrap();
    assert!(ring.authenticate(rotated["key"].as_str().unwrap(), 1).is_err());
    assert!(ring.authenticate(again["key"].as_str().unwrap(), 1).is_err());
}

#[tokio::test]
async fn a_key_belongs_to_whom_it_is_made_for() {
    let admin = Admin::start().await;
    let asked = json!({ "name": "job", "service": true, "org": "acme", "team": "free", "roles": ["reader"],
                        "endpoints": ["/v1/chat/*"], "networks": ["10.0.0.0/8"] });
    let made = admin.ask("POST", "/api/v1/keys", &asked.to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    for (member, value) in [
        ("kind", json!("service")),
        ("org", json!("acme")),
        ("roles", json!(["reader"])),
        ("profile", json!(null)),
        ("endpoints", json!(["/v1/chat/*"])),
        ("networks", json!(["10.0.0.0/8"])),
        ("used_ms", json!(null)),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_a_reason() {
    let admin = Admin::start().await;
    admin.ask("POST", "/api/v1/keys", r#"{"name":"taken"}"#).await;
    for (body, status, says) in [
        ("", 400, "EOF"),
        ("[]", 400, "struct"),
        ("{}", 400, "name"),
        (r#"{"name":"a","rmp":5}"#, 400, "rmp"),
        (r#"{"name":"a","rpm":0}"#, 400, "revoke"),
        (r#"{"name":"a","budget":"5 EUR/day"}"#, 400, "USD"),
        (r#"{"name":"a","profile":"nowhere"}"#, 400, "nowhere"),
        (r#"{"name":"a","tools":"nowhere"}"#, 400, "nowhere"),
        (r#"{"name":"a","models":[""]}"#, 400, "pattern"),
        (r#"{"name":"a","expires_ms":1}"#, 400, "past"),
        (r#"{"name":"a","networks":["10.0.0.1/8"]}"#, 400, "10.0.0.0/8"),
        (r#"{"name":"a","service":true,"user":"ann"}"#, 400, "no user"),
        (r#"{"name":"taken"}"#, 409, "exists"),
    ] {
        let answer = admin.ask("POST", "/api/v1/keys", body).await;
        assert_eq!(answer.status, status, "{body}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{body}: {message}");
    }
    assert_eq!(admin.ask("DELETE", "/api/v1/keys/nobody", "").await.status, 404);
    assert_eq!(
        admin.ask("POST", "/api/v1/keys/nobody/rotate", "").await.status,
        404
    );
    assert_eq!(
        admin.ask("GET", "/api/v1/events/req_nothing", "").await.status,
        404
    );
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(100_000));
    let answer = admin.ask("POST", "/api/v1/keys", &long).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].as_str()),
        (413, Some("too_large"))
    );
}

#[tokio::test]
async fn the_configuration_in_force_is_the_last_one_shown() {
    let admin = Admin::start().await;
    assert_eq!(
        admin.ask("GET", "/api/v1/config", "").await.json()["listen"],
        "127.0.0.1:8080"
    );
    admin.console.show(json!({ "listen": "127.0.0.1:9" }));
    assert_eq!(
        admin.ask("GET", "/api/v1/config", "").await.json()["listen"],
        "127.0.0.1:9"
    );
}
