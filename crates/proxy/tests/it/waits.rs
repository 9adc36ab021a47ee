//! Requests that wait for a place: keys take turns, who waits too long is refused, who goes away leaves the line.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::Full;
use portcullis_core::{Glob, Limits, Secret};
use portcullis_proxy::{GroupLimit, Settings};
use portcullis_store::NewKey;

use crate::bench::{Answer, Bench, Plan, Script};

const CHAT: &str = "/v1/chat/completions";

/// A bench where one request is under way at a time, and others wait for so long; the limit is everybody's, or that of one model.
async fn with(wait: Option<Duration>, model: Option<&str>) -> Bench {
    let limit = GroupLimit {
        model: model.map(Glob::new),
        limits: Limits {
            concurrency: Some(1),
            ..Limits::default()
        },
        wait,
        ..GroupLimit::default()
    };
    Bench::with(Plan {
        settings: Settings {
            limits: vec![limit],
            ..Settings::default()
        },
        ..Plan::default()
    })
    .await
}

fn reply() -> Script {
    Script::json(
        r#"{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}]}"#,
    )
}

async fn ask(bench: &Bench, key: &Secret<String>, text: &str) -> Answer {
    let body = format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let request = http::Request::builder()
        .method("POST")
        .uri(format!("http://{}{CHAT}", bench.address))
        .header("authorization", format!("Bearer {}", key.expose()))
        .header("content-type", "application/json");
    bench
        .send(request.body(Full::new(Bytes::from(body))).unwrap())
        .await
}

/// How many of seven requests at once are answered.
async fn answered(bench: &Bench) -> usize {
    for _ in 0..7 {
        bench.script(reply());
    }
    let all = join_all((0..7).map(|_| ask(bench, &bench.key, "x"))).await;
    all.iter().filter(|answer| answer.status == 200).count()
}

/// One place, taken; then six requests of one key wait, and one of another: it goes second, or first.
#[tokio::test]
async fn a_key_with_one_request_does_not_wait_for_all_of_another() {
    let bench = with(Some(Duration::from_secs(20)), None).await;
    let (_, other) = bench.store.create_key(NewKey::named("other"), 1).await.unwrap();
    bench.services.keyring.refresh().await.unwrap();
    bench.script(Script::Silence);
    for _ in 0..7 {
        bench.script(reply());
    }
    let first = ask(&bench, &bench.key, "the first");
    let (wait, late) = (Duration::from_millis(300), Duration::from_millis(100));
    let leaves = tokio::time::timeout(wait, first);
    let six = async {
        tokio::time::sleep(late).await;
        join_all((0..6).map(|_| ask(&bench, &bench.key, "of six"))).await
    };
    let one = async {
        tokio::time::sleep(late * 2).await;
        ask(&bench, &other, "alone").await
    };
    let (left, six, one) = tokio::join!(leaves, six, one);
    assert!(left.is_err() && one.status == 200);
    assert!(six.iter().all(|answer| answer.status == 200));
    let sent = bench.received();
    let at = sent
        .iter()
        .position(|received| String::from_utf8_lossy(&received.body).contains("alone"));
    assert!(at.is_some_and(|at| at <= 2), "it went {at:?} of {}", sent.len());
}

#[tokio::test]
async fn all_are_answered_in_turn_where_they_may_wait() {
    for model in [None, Some("gpt-*")] {
        let bench = with(Some(Duration::from_secs(20)), model).await;
        assert_eq!(answered(&bench).await, 7, "{model:?}");
    }
}

#[tokio::test]
async fn who_waits_too_long_is_refused_and_a_place_that_comes_free_is_given() {
    let bench = with(Some(Duration::from_millis(300)), None).await;
    bench.script(Script::Silence);
    let request = bench
        .request("POST", CHAT)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(
            br#"{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}"#,
        )))
        .unwrap();
    {
        let first = bench.begin(request);
        tokio::pin!(first);
        while bench.received().is_empty() {
            let _ = tokio::time::timeout(Duration::from_millis(5), &mut first).await;
        }
        let began = std::time::Instant::now();
        let second = ask(&bench, &bench.key, "x").await;
        assert_eq!(
            (second.status.as_u16(), second.code().as_str()),
            (429, "too_many_concurrent")
        );
        assert!(second.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert!(began.elapsed() >= Duration::from_millis(300), "it waited");
        assert_eq!(bench.received().len(), 1);
    }
    // The client of the first is gone.
    bench.script(reply());
    assert_eq!(ask(&bench, &bench.key, "x").await.status, 200);
}

#[tokio::test]
async fn without_a_wait_they_are_refused_at_once() {
    let bench = with(None, None).await;
    let answered = answered(&bench).await;
    assert!((1..7).contains(&answered), "{answered}");
}
