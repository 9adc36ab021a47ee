//! What a single request may be: tokens of its reply in every dialect, bytes of its body.

use portcullis_core::Glob;
use portcullis_dialect::Api;
use portcullis_proxy::{GroupLimit, ModelSize, RequestLimit, Route, Settings};
use portcullis_store::NewKey;
use serde_json::{Value, json};

use crate::bench::{Bench, Plan, Script};
use crate::streams::wires;

fn limit(team: Option<&str>, max_tokens: Option<u64>, max_body: Option<usize>) -> GroupLimit {
    GroupLimit {
        team: team.map(Glob::new),
        each: RequestLimit { max_tokens, max_body },
        ..GroupLimit::default()
    }
}

async fn with(limits: Vec<GroupLimit>) -> Bench {
    let route = |models: &str, api: Api| Route {
        matches: Glob::new(models),
        upstream: api.name().to_owned(),
        renamed: None,
        fallback: Vec::new(),
        price: None,
        size: ModelSize::default(),
    };
    let settings = Settings {
        routes: vec![
            route("gpt-*", Api::OpenAi),
            route("claude-*", Api::Anthropic),
            route("gemini-*", Api::Gemini),
        ],
        limits,
        ..Settings::default()
    };
    let key = NewKey {
        team: Some("free".to_owned()),
        ..NewKey::named("test")
    };
    Bench::with(Plan {
        settings,
        key,
        ..Plan::default()
    })
    .await
}

/// A request with a number of tokens, at the place where its dialect says it.
fn asking(request: &Value, path: &str, tokens: Option<u64>) -> Value {
    let mut request = request.clone();
    let (object, member) = match path {
        path if path.starts_with("/v1beta") => {
            if request.get("generationConfig").is_none() {
                request["generationConfig"] = json!({});
            }
            (&mut request["generationConfig"], "maxOutputTokens")
        }
        path if path.contains("responses") => (&mut request, "max_output_tokens"),
        _ => (&mut request, "max_tokens"),
    };
    match tokens {
        Some(tokens) => object[member] = json!(tokens),
        None => {
            object.as_object_mut().unwrap().remove(member);
        }
    }
    request
}

const PLACES: &[&str] = &[
    "/max_completion_tokens",
    "/max_tokens",
    "/generationConfig/maxOutputTokens",
    "/max_output_tokens",
];

fn numbers(sent: &Value) -> Vec<u64> {
    PLACES
        .iter()
        .filter_map(|place| sent.pointer(place)?.as_u64())
        .collect()
}

#[tokio::test]
async fn a_reply_has_no_more_tokens_than_the_narrowest_limit() {
    let limits = vec![
        limit(None, Some(900), None),
        limit(Some("free"), Some(50), None),
        limit(Some("other"), Some(1), None),
    ];
    let bench = with(limits).await;
    for wire in wires() {
        let sent = async |request: &Value| {
            bench.script(Script::sse((wire.text)(&["Hello"])));
            let answer = bench.post(wire.path, request.to_string()).await;
            assert_eq!(answer.status, 200, "{}: {}", wire.path, answer.text());
            bench.last_sent()
        };
        let few = asking(&wire.request, wire.path, Some(7));
        assert_eq!(
            sent(&few).await,
            few,
            "{}: what is within goes as it came",
            wire.path
        );
        let many = asking(&wire.request, wire.path, Some(51));
        assert_eq!(
            numbers(&sent(&many).await),
            [50],
            "{}: what is above is cut",
            wire.path
        );
        // Anthropic takes no request without a number.
        if wire.request.get("max_tokens").is_none() {
            let unsaid = asking(&wire.request, wire.path, None);
            assert_eq!(
                numbers(&sent(&unsaid).await),
                [50],
                "{}: what is unsaid is said",
                wire.path
            );
        }
    }
}

#[tokio::test]
async fn every_member_that_a_provider_may_believe_is_cut() {
    let bench = with(vec![limit(None, Some(50), None)]).await;
    for (both, wanted) in [
        (
            json!({"max_tokens": 60, "max_completion_tokens": 10}),
            vec![50, 50],
        ),
        (json!({"max_tokens": "6e1"}), vec![50]),
        (json!({"max_completion_tokens": null}), vec![50]),
        (json!({"max_tokens": 40, "n": 5}), vec![10]),
    ] {
        let mut request = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello!"}]});
        request
            .as_object_mut()
            .unwrap()
            .extend(both.as_object().unwrap().clone());
        bench.script(Script::json(
            json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": []})
                .to_string(),
        ));
        let answer = bench.post("/v1/chat/completions", request.to_string()).await;
        assert_eq!(answer.status, 200, "{both}: {}", answer.text());
        assert_eq!(numbers(&bench.last_sent()), wanted, "{both}");
    }
    let before = bench.received().len();
    let runaway = json!({"model": "gpt-4o", "n": 51, "messages": [{"role": "user", "content": "Hello!"}]});
    let answer = bench.post("/v1/chat/completions", runaway.to_string()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (400, "invalid_request")
    );
    assert_eq!(bench.received().len(), before, "nothing is sent");
}

#[tokio::test]
async fn a_body_is_no_larger_than_the_narrowest_limit() {
    let bench = with(vec![
        limit(None, None, Some(4096)),
        limit(Some("free"), None, Some(2048)),
    ])
    .await;
    let request = |length: usize| {
        json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "x ".repeat(length / 2)}]})
            .to_string()
    };
    bench.script(Script::json(
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": []})
            .to_string(),
    ));
    assert_eq!(
        bench.post("/v1/chat/completions", request(1000)).await.status,
        200
    );
    let answer = bench.post("/v1/chat/completions", request(2100)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (413, "too_large")
    );
    assert!(answer.text().contains("2048 bytes"), "{}", answer.text());
}
