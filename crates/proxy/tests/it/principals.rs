//! Who asks: where a key may be used, for what, and that it is seen nowhere.

use bytes::Bytes;
use http_body_util::Full;
use portcullis_core::Glob;
use portcullis_store::NewKey;

use crate::bench::{Bench, Plan, Script};

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello."}]}"#;

fn reply() -> Script {
    Script::json(
        r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi."}}]}"#,
    )
}

async fn with(key: NewKey) -> Bench {
    Bench::with(Plan {
        key,
        ..Plan::default()
    })
    .await
}

#[tokio::test]
async fn a_key_works_from_its_networks_alone() {
    let from = async |networks: &[&str]| {
        let key = NewKey {
            networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
            ..NewKey::named("test")
        };
        let bench = with(key).await;
        bench.script(reply());
        let answer = bench.post(CHAT, BODY).await;
        let record = bench.record(&answer).await;
        assert_eq!(record.key, Some(bench.key_id.clone()), "the record has the key");
        bench.services.keyring.save_uses(true).await.unwrap();
        let used = bench.store.keys().await.unwrap()[0].used_ms.is_some();
        assert_eq!(used, answer.status == 200, "what is refused is no use");
        (answer.status.as_u16(), answer.code())
    };
    assert_eq!(from(&["10.0.0.0/8", "127.0.0.0/8"]).await.0, 200);
    assert_eq!(
        from(&["10.0.0.0/8", "::1"]).await,
        (401, "unauthenticated".to_owned())
    );
}

#[tokio::test]
async fn a_key_may_use_its_endpoints_only() {
    let key = NewKey {
        endpoints: vec![Glob::new("/v1/chat/*"), Glob::new("/v1/models")],
        ..NewKey::named("test")
    };
    let bench = with(key).await;
    bench.script(reply());
    assert_eq!(bench.post(CHAT, BODY).await.status, 200);
    for (path, body) in [
        ("/v1/completions", r#"{"model":"gpt-4o","prompt":"Hello."}"#),
        ("/v1/guard", r#"{"text":"Hello.","direction":"output"}"#),
        ("/v1/guard", r#"{"text":"Hello."}"#),
        (
            "/v1beta/models/gemini-2:countTokens",
            r#"{"contents":[{"parts":[{"text":"Hello."}]}]}"#,
        ),
    ] {
        let answer = bench.post(path, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text().contains("endpoint")),
            (403, true),
            "{path}"
        );
    }
    assert_eq!(bench.received().len(), 1);
}

/// A key that is shown in whatever place, let in or not, is seen in no record, metric, answer or request to a provider.
#[tokio::test]
async fn a_key_leaves_no_trace() {
    let bench = with(NewKey::named("test")).await;
    let key = bench.key.expose().clone();
    let pepper = bench.store.pepper().await.unwrap();
    let hash = pepper.hash(&key).0;
    let hexadecimal: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut wrong = key.clone();
    wrong.pop();
    wrong.push(if key.ends_with('0') { '1' } else { '0' });

    let mut seen: Vec<String> = Vec::new();
    let headers = [
        "authorization",
        "x-api-key",
        "x-goog-api-key",
        "user-agent",
        "openai-organization",
        "x-request-id",
        "anthropic-beta",
        "cookie",
        "x-anything",
    ];
    let mut let_in = 0;
    for shown in [&key, &wrong] {
        for header in headers {
            for bearer in ["", "Bearer ", "Basic "] {
                let request = http::Request::builder()
                    .method("POST")
                    .uri(format!("http://{}{CHAT}", bench.address))
                    .header("content-type", "application/json")
                    .header(header, format!("{bearer}{shown}"));
                bench.script(reply());
                let answer = bench
                    .send(request.body(Full::new(Bytes::from(BODY))).unwrap())
                    .await;
                let_in += u32::from(answer.status == 200);
                seen.push(format!("{:?} {}", answer.headers, answer.text()));
                seen.push(serde_json::to_string(&bench.record(&answer).await).unwrap());
            }
        }
    }
    assert_eq!(let_in, 3, "as a bearer, and bare in the two other headers");
    for (path, body) in [
        (format!("/v1/{key}"), BODY.to_owned()),
        (CHAT.to_owned(), format!("{{\"{key}\"")),
        (CHAT.to_owned(), BODY.replace("gpt-4o", "gpt-\u{0}")),
        (format!("{CHAT}?key={key}"), BODY.to_owned()),
    ] {
        let answer = bench.post(&path, body).await;
        seen.push(format!("{:?} {}", answer.headers, answer.text()));
        seen.push(serde_json::to_string(&bench.record(&answer).await).unwrap());
    }
    seen.push(bench.server.metrics());
    for received in bench.received() {
        seen.push(format!(
            "{} {:?} {:?}",
            received.path, received.headers, received.body
        ));
    }
    assert!(seen.len() > 100);
    for text in &seen {
        for secret in [&key, &wrong, &hexadecimal] {
            assert!(!text.contains(secret.as_str()), "{text}");
        }
        assert!(!text.contains(key.get(7..39).unwrap()), "{text}");
    }
}
