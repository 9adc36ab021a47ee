//! Money: what a request may cost is set aside before it goes out, and no number of requests at once spends more than the budget.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use portcullis_core::{Glob, Limits, Money, Price};
use portcullis_dialect::Api;
use portcullis_proxy::{ModelSize, Route, Settings, Timeouts, raise_alerts};
use portcullis_store::{MeterId, NewKey, Period};
use serde_json::{Value, json};

use crate::bench::{Bench, Maker, Plan, Script};
use crate::streams::wires;

/// Ten dollars for a million tokens read, a hundred for a million written.
const PRICE: Price = Price {
    input: 10.0,
    cached_input: None,
    cache_write: None,
    reasoning: None,
    output: 100.0,
};

async fn with(budget: Option<&str>) -> Bench {
    priced(budget, PRICE).await
}

async fn priced(budget: Option<&str>, price: Price) -> Bench {
    let route = |models: &str, api: Api| Route {
        matches: Glob::new(models),
        upstream: api.name().to_owned(),
        renamed: None,
        fallback: Vec::new(),
        price: Some(price),
        size: ModelSize {
            context: 50_000,
            output: 1000,
        },
    };
    let settings = Settings {
        routes: vec![
            route("gpt-*", Api::OpenAi),
            route("claude-*", Api::Anthropic),
            route("gemini-*", Api::Gemini),
        ],
        timeouts: Timeouts {
            first_byte: std::time::Duration::from_millis(300),
            ..Timeouts::default()
        },
        ..Settings::default()
    };
    let key = NewKey {
        limits: Limits {
            budget: budget.map(str::to_owned),
            ..Limits::default()
        },
        ..NewKey::named("test")
    };
    Bench::with(Plan {
        settings,
        key,
        ..Plan::default()
    })
    .await
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

fn spent(bench: &Bench) -> Money {
    let now = now_ms();
    bench
        .services
        .meters
        .spent(&MeterId::key(&bench.key_id), Period::Month, now)
}

fn reserved(bench: &Bench) -> Money {
    bench.services.meters.reserved(&MeterId::key(&bench.key_id))
}

fn chat(tokens: Option<u64>) -> Value {
    let mut request = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello!"}]});
    if let Some(tokens) = tokens {
        request["max_tokens"] = json!(tokens);
    }
    request
}

fn reply(usage: Option<(u64, u64)>) -> String {
    let mut reply = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello to you, and good day."}}]});
    if let Some((input, output)) = usage {
        reply["usage"] = json!({"prompt_tokens": input, "completion_tokens": output});
    }
    reply.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_never_spend_more_than_the_budget_and_little_less() {
    let bench = Arc::new(with(Some("1 USD/month")).await);
    // Each costs two cents at most, and at least half of that: what it may write is what it asks for.
    let made = Maker(Arc::new(|sent: &str| {
        let sent: Value = serde_json::from_str(sent).unwrap();
        let asked = sent["max_tokens"].as_u64().unwrap();
        Script::json(reply(Some((
            20,
            asked - sent["seed"].as_u64().unwrap() % (asked / 2),
        ))))
    }));
    let clients: Vec<_> = (0..32u64)
        .map(|client| {
            let (bench, made) = (Arc::clone(&bench), made.clone());
            tokio::spawn(async move {
                let mut codes = Vec::new();
                for round in 0..12 {
                    let mut request = chat(Some(200));
                    request["seed"] = json!(client * 31 + round * 17);
                    bench.script(Script::Made(made.clone()));
                    let answer = bench.post("/v1/chat/completions", request.to_string()).await;
                    match answer.status.as_u16() {
                        200 => codes.push(200),
                        429 => {
                            assert_eq!(answer.code(), "budget_exceeded");
                            assert!(!answer.header("retry-after").is_empty());
                            codes.push(429);
                        }
                        other => panic!("{other}: {}", answer.text()),
                    }
                }
                codes
            })
        })
        .collect();
    let mut codes = Vec::new();
    for client in clients {
        codes.extend(client.await.unwrap());
    }
    let spent = spent(&bench).0;
    assert!(spent <= 1_000_000, "{spent}");
    assert!(
        spent >= 950_000,
        "{spent}, {} answered",
        codes.iter().filter(|code| **code == 200).count()
    );
    assert!(codes.contains(&429));
    assert_eq!(reserved(&bench), Money(0));
}

#[tokio::test]
async fn a_request_that_says_no_number_gets_one_where_a_budget_applies_and_only_there() {
    let places = [
        "/max_completion_tokens",
        "/max_tokens",
        "/generationConfig/maxOutputTokens",
        "/max_output_tokens",
    ];
    let (rich, poor, free) = (
        with(Some("5 USD/day")).await,
        with(Some("0.05 USD/day")).await,
        with(None).await,
    );
    for wire in wires() {
        let request = wire.request.clone();
        // Anthropic takes no request that does not say one.
        let own = request["max_tokens"].as_u64();
        let sent = async |bench: &Bench| {
            bench.script(Script::sse((wire.text)(&["Hello"])));
            let answer = bench.post(wire.path, request.to_string()).await;
            assert_eq!(answer.status, 200, "{}: {}", wire.path, answer.text());
            bench.last_sent()
        };
        let number = |sent: &Value| places.iter().find_map(|place| sent.pointer(place)?.as_u64());
        assert_eq!(number(&sent(&rich).await), own.or(Some(1000)), "{}", wire.path);
        let few = number(&sent(&poor).await).unwrap();
        assert!(
            own == Some(few) || (16..500).contains(&few),
            "{} {few}",
            wire.path
        );
        assert_eq!(sent(&free).await, request, "{}", wire.path);
        // What the client says stays.
        let mut said = request.clone();
        match &wire.path[..6] {
            "/v1bet" => said["generationConfig"] = json!({"maxOutputTokens": 7}),
            _ if wire.path.contains("responses") => said["max_output_tokens"] = json!(7),
            _ => said["max_tokens"] = json!(7),
        }
        rich.script(Script::sse((wire.text)(&["Hello"])));
        rich.post(wire.path, said.to_string()).await;
        assert_eq!(rich.last_sent(), said, "{}", wire.path);
    }
}

#[tokio::test]
async fn what_the_budget_does_not_cover_is_refused_before_it_is_sent() {
    let bench = with(Some("0.05 USD/day")).await;
    for (request, why) in [
        (chat(Some(1000)), "too many tokens"),
        (
            json!({"model": "gpt-4o", "n": 40, "max_tokens": 16, "messages": [{"role": "user", "content": "x"}]}),
            "too many texts",
        ),
        (
            json!({"model": "gpt-4o", "max_tokens": 16, "messages": [{"role": "user", "content": "long ".repeat(2000)}]}),
            "too long a prompt",
        ),
        (
            json!({"model": "gpt-4o", "max_tokens": 16, "messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]}),
            "a picture",
        ),
    ] {
        let answer = bench.post("/v1/chat/completions", request.to_string()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (429, "budget_exceeded"),
            "{why}"
        );
        assert_eq!(reserved(&bench), Money(0));
    }
    assert!(bench.received().is_empty());
    bench.script(Script::json(reply(Some((5, 5)))));
    let answer = bench
        .post("/v1/chat/completions", chat(Some(100)).to_string())
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(spent(&bench), Money(50 + 500));
}

#[tokio::test]
async fn every_sort_of_token_has_its_price_and_the_dearest_is_set_aside() {
    let price = Price {
        reasoning: Some(300.0),
        cache_write: Some(20.0),
        ..PRICE
    };
    // 0.0369 dollars if the reply is all reasoning, 0.0169 if none is.
    let (poor, rich) = (
        priced(Some("0.03 USD/day"), price).await,
        priced(Some("0.09 USD/day"), price).await,
    );
    let ask = async |bench: &Bench| {
        bench
            .post("/v1/chat/completions", chat(Some(100)).to_string())
            .await
    };
    assert_eq!(ask(&poor).await.code(), "budget_exceeded");
    let mut told: Value = serde_json::from_str(&reply(Some((50, 90)))).unwrap();
    told["usage"]["completion_tokens_details"] = json!({"reasoning_tokens": 60});
    rich.script(Script::json(told.to_string()));
    assert_eq!(ask(&rich).await.status, 200);
    assert_eq!(spent(&rich), Money(50 * 10 + 30 * 100 + 60 * 300));

    let before = spent(&rich).0;
    let message = json!({"id": "m", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hello."}],
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 40, "cache_read_input_tokens": 5, "output_tokens": 3}});
    rich.script(Script::json(message.to_string()));
    let request =
        json!({"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello!"}]});
    let answer = rich.post("/v1/messages", request.to_string()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(spent(&rich).0 - before, 15 * 10 + 40 * 20 + 3 * 100);
    assert_eq!(rich.record(&answer).await.usage.unwrap().cache_write, 40);
}

#[tokio::test]
async fn a_budget_that_runs_low_is_told_once() {
    let bench = with(Some("0.2 USD/month")).await;
    let look = async || {
        bench
            .services
            .meters
            .flush(bench.services.store.as_ref())
            .await
            .unwrap();
        let raised = raise_alerts(&bench.server.gateway(), now_ms()).await.unwrap();
        raised.iter().map(|alert| alert.percent).collect::<Vec<_>>()
    };
    let spend = async |output: u64| {
        bench.script(Script::json(reply(Some((0, output)))));
        let answer = bench
            .post("/v1/chat/completions", chat(Some(output)).to_string())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    let too_much = async || {
        let answer = bench
            .post("/v1/chat/completions", chat(Some(900)).to_string())
            .await;
        assert_eq!(answer.code(), "budget_exceeded");
    };
    assert_eq!(look().await, [0; 0]);
    spend(990).await;
    assert_eq!(look().await, [0; 0]);
    spend(10).await;
    assert_eq!(look().await, [50], "at half of it exactly");
    spend(10).await;
    assert_eq!(look().await, [0; 0], "told already");
    spend(490).await;
    too_much().await;
    assert_eq!(
        look().await,
        [0; 0],
        "one that asks for too much says nothing of the budget"
    );
    spend(100).await;
    assert_eq!(look().await, [80]);
    too_much().await;
    assert_eq!(look().await, [100], "what is left covers no request");
    too_much().await;
    assert_eq!(look().await, [0; 0]);
    let text = bench.server.metrics();
    for percent in [50, 80, 100] {
        let line = format!("portcullis_budget_alerts_total{{percent=\"{percent}\",period=\"month\"}} 1");
        assert!(text.contains(&line), "{text}");
    }
}

#[tokio::test]
async fn tokens_that_nobody_tells_are_estimated_and_marked() {
    let bench = with(Some("5 USD/day")).await;
    bench.script(Script::json(reply(Some((5, 5)))));
    let told = bench
        .post("/v1/chat/completions", chat(Some(9)).to_string())
        .await;
    let record = bench.record(&told).await;
    assert!(!record.usage_estimated && record.cost == Some(Money(550)));
    bench.script(Script::json(reply(None)));
    let untold = bench
        .post("/v1/chat/completions", chat(Some(9)).to_string())
        .await;
    let record = bench.record(&untold).await;
    let usage = record.usage.unwrap();
    assert!(
        record.usage_estimated && usage.input > 20 && usage.output > 5,
        "{usage:?}"
    );
    assert_eq!(spent(&bench).0, 550 + record.cost.unwrap().0);
    // An upstream that refuses has used nothing.
    let before = spent(&bench);
    bench.script(Script::Body(500, "application/json", Bytes::from_static(b"{}")));
    bench
        .post("/v1/chat/completions", chat(Some(9)).to_string())
        .await;
    bench.script(Script::Body(429, "application/json", Bytes::from_static(b"{}")));
    bench
        .post("/v1/chat/completions", chat(Some(9)).to_string())
        .await;
    assert_eq!(spent(&bench), before);
    // One that says nothing may have used what it was sent.
    bench.script(Script::Silence);
    let silent = bench
        .post("/v1/chat/completions", chat(Some(9)).to_string())
        .await;
    assert_eq!(silent.status, 504);
    let record = bench.record(&silent).await;
    assert!(record.usage_estimated && record.usage.unwrap().output == 0);
    assert_eq!(spent(&bench).0, before.0 + record.cost.unwrap().0);
    assert_eq!(reserved(&bench), Money(0));
}

#[tokio::test]
async fn a_client_that_goes_away_pays_for_what_was_under_way() {
    let bench = with(Some("5 USD/day")).await;
    for wire in wires() {
        let before = spent(&bench).0;
        let events = (wire.text)(&[
            "Once upon a time ",
            "there was a model ",
            "that talked and talked.",
        ]);
        let cut = events.len() * 2 / 3;
        bench.script(Script::Broken(vec![Bytes::copy_from_slice(
            &events.as_bytes()[..cut],
        )]));
        let request = bench
            .request("POST", wire.path)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(wire.request.to_string())))
            .unwrap();
        let mut response = bench.begin(request).await;
        let _ = response.body_mut().frame().await;
        drop(response);
        for _ in 0..100 {
            if spent(&bench).0 > before && reserved(&bench) == Money(0) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(spent(&bench).0 > before, "{}", wire.path);
        assert_eq!(reserved(&bench), Money(0), "{}", wire.path);
    }
}
