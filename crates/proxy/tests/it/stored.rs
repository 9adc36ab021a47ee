//! Conversations that a provider stores: whose they are, and what of their earlier turns is known.

use http_body_util::Full;
use portcullis_store::NewKey;

use crate::bench::{Bench, KEPT_KEY, Script};
use crate::walk::MAIL;

#[tokio::test]
async fn stored_state_belongs_to_who_made_it() {
    let bench = Bench::new().await;
    let stored = serde_json::json!({"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "gpt-4o", "store": true,
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "ok", "annotations": []}]}]});
    bench.script(Script::json(stored.to_string()));
    assert_eq!(
        bench
            .post("/v1/responses", r#"{"model":"gpt-4o","input":"x"}"#)
            .await
            .status,
        200
    );
    bench.script(Script::json(stored.to_string()));
    let next = bench
        .post(
            "/v1/responses",
            r#"{"model":"gpt-4o","input":"x","previous_response_id":"resp_1"}"#,
        )
        .await;
    assert_eq!(next.status, 200, "{}", next.text());
    bench.script(Script::json(stored.to_string()));
    assert_eq!(bench.get("/v1/responses/resp_1").await.status, 200);
    assert_eq!(bench.get("/v1/responses/resp_2").await.code(), "forbidden");

    let (_, other) = bench.store.create_key(NewKey::named("other"), 1).await.unwrap();
    bench.services.keyring.refresh().await.unwrap();
    let mut request = bench
        .request("GET", "/v1/responses/resp_1")
        .body(Full::default())
        .unwrap();
    request.headers_mut().insert(
        "authorization",
        format!("Bearer {}", other.expose()).parse().unwrap(),
    );
    assert_eq!(bench.send(request).await.code(), "forbidden");
    assert_eq!(bench.received().len(), 3);
}

#[tokio::test]
async fn a_stored_conversation_gives_values_of_earlier_turns_back() {
    let bench = Bench::new().await;
    let stored = |id: &str, text: &str| {
        serde_json::json!({"id": id, "object": "response", "created_at": 1, "status": "completed", "model": "gpt-4o", "store": true,
            "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": text, "annotations": []}]}]})
        .to_string()
    };
    let said = |answer: &str| {
        let reply: serde_json::Value = serde_json::from_str(answer).unwrap();
        reply["output"][0]["content"][0]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let first = serde_json::json!({"model": "gpt-4o", "input": format!("Mail {MAIL}")}).to_string();
    bench.script(Script::json(stored("resp_1", "ok")));
    bench.post("/v1/responses", first).await;
    let sent = bench.last_sent();
    let masked = sent["input"]
        .as_str()
        .unwrap()
        .trim_start_matches("Mail ")
        .to_owned();
    assert!(masked.starts_with("[EMAIL_ADDRESS_1_"), "{masked}");

    // The turn after it sends nothing of the first, nor does the one after that.
    for (id, previous) in [("resp_2", "resp_1"), ("resp_3", "resp_2")] {
        bench.script(Script::json(stored(id, &format!("Sent to {masked}."))));
        let next = serde_json::json!({"model": "gpt-4o", "input": "whom?", "previous_response_id": previous});
        let answer = bench.post("/v1/responses", next.to_string()).await;
        assert_eq!(said(answer.text()), format!("Sent to {MAIL}."));
    }
    bench.script(Script::json(stored("resp_3", &format!("Sent to {masked}."))));
    let answer = bench.get("/v1/responses/resp_3").await;
    assert_eq!(said(answer.text()), format!("Sent to {MAIL}."));

    // Nor does it matter which process it comes to.
    bench.become_another(bench.settings(), KEPT_KEY);
    bench.script(Script::json(stored("resp_4", &format!("Sent to {masked}."))));
    let next = r#"{"model":"gpt-4o","input":"whom?","previous_response_id":"resp_3"}"#;
    let answer = bench.post("/v1/responses", next).await;
    assert_eq!(said(answer.text()), format!("Sent to {MAIL}."));

    bench.script(Script::json(stored("resp_9", &format!("Sent to {masked}."))));
    let answer = bench
        .post("/v1/responses", r#"{"model":"gpt-4o","input":"whom?"}"#)
        .await;
    assert_eq!(
        said(answer.text()),
        format!("Sent to {masked}."),
        "another conversation"
    );
}
