//! Definitions of tools through the API and the console: what has changed is seen, and an operator's word counts.

use portcullis_store::{Pin, PinKind, PinState, Sighting};

use crate::client::Admin;

async fn see(admin: &Admin, server: &str, words: &str) -> Pin {
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().zip(words.bytes()) {
        *place = byte;
    }
    let definition =
        serde_json::json!({"name": "send", "description": words, "inputSchema": {"properties": {"to": {}}}});
    let sighting = Sighting {
        kind: PinKind::Tool,
        name: "send".to_owned(),
        folded: "send".to_owned(),
        digest,
        definition: definition.to_string().into_bytes(),
        is_flagged: false,
    };
    let beside = ["mail".to_owned()];
    let mut pins = admin
        .store
        .see_pins(server, vec![sighting], &beside, 7)
        .await
        .unwrap();
    pins.pop().unwrap()
}

#[tokio::test]
async fn a_definition_is_decided_about_and_otherwise_again() {
    let admin = Admin::start().await;
    see(&admin, "mail", "Sends.").await;
    let held = see(&admin, "mail", "Sends it to me, too.").await;
    let listed = admin
        .ask("GET", "/api/v1/pins?state=held&limit=5", "")
        .await
        .json();
    let shown = &listed["pins"][0];
    assert_eq!(
        (&shown["id"], &shown["why"]),
        (&held.id.as_str().into(), &"changed".into())
    );
    assert!(shown["definition"].as_str().unwrap().contains("to me, too"));
    assert_eq!(shown["sha256"].as_str().unwrap().len(), 64);
    let metrics = admin.ask("GET", "/metrics", "").await.body;
    assert!(
        metrics.contains("portcullis_pins_held 1\n") && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );
    let at = |deed: &str| format!("/api/v1/pins/{}{deed}", held.id);
    let accepted = admin.ask("POST", &at("/accept"), "").await.json();
    assert_eq!(
        (&accepted["state"], &accepted["decided_by"]),
        (&"accepted".into(), &"admin token".into())
    );
    assert_eq!(
        see(&admin, "mail", "Sends it to me, too.").await.state,
        PinState::Accepted
    );
    assert_eq!(
        admin.ask("POST", &at("/reject"), "").await.json()["state"],
        "rejected"
    );
    assert_eq!(admin.ask("GET", &at(""), "").await.json()["state"], "rejected");
    for (method, path) in [
        ("GET", "/api/v1/pins/pin_nothing"),
        ("POST", "/api/v1/pins/pin_nothing/accept"),
        ("POST", "/api/v1/pins/pin_nothing/reject"),
        ("POST", "/pins/pin_nothing/accept"),
    ] {
        assert_eq!(admin.ask(method, path, "").await.status, 404, "{method} {path}");
    }
    for wrong in ["?state=open", "?limit=x", "?stat=held"] {
        assert_eq!(
            admin.ask("GET", &format!("/api/v1/pins{wrong}"), "").await.status,
            400,
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn the_page_shows_what_has_changed_and_what_hides() {
    let admin = Admin::start().await;
    see(&admin, "mail", "Sends.").await;
    let held = see(&admin, "mail", "Sends <b>\u{e0041}and\u{202e} copies.").await;
    let shadow = see(&admin, "free", "Sends for nothing.").await;
    let first = admin.ask("GET", "/", "").await.body;
    assert!(first.contains("2 held"), "{first}");
    let answer = admin.ask("GET", "/pins", "").await;
    assert_eq!(
        answer.header("referrer-policy"),
        Some("same-origin"),
        "or forms have no origin"
    );
    let page = &answer.body;
    for part in [
        "<code>mail/send</code>",
        "Sends &lt;b&gt;[U+E0041]and[U+202E] copies.",
        "<code class=\"value\">Sends.</code>",
        "A tool of server <code>mail</code> has this name",
        "Accept as it is now",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // What is the same is not set out again.
    assert_eq!(
        page.matches("<td><code>inputSchema.properties.to</code>").count(),
        1,
        "{page}"
    );
    assert!(!page.contains("<script"), "no script");
    if let Ok(place) = std::env::var("PORTCULLIS_PAGE") {
        std::fs::write(place, page).unwrap();
    }
    for (pin, deed) in [(&held, "accept"), (&shadow, "reject")] {
        let pressed = admin.ask("POST", &format!("/pins/{}/{deed}", pin.id), "").await;
        assert_eq!((pressed.status, pressed.header("location")), (303, Some("/pins")));
    }
    let page = admin.ask("GET", "/pins", "").await.body;
    assert!(
        page.contains("No definition is held") && page.contains(">rejected</span>"),
        "{page}"
    );
}
