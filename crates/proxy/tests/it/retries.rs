//! Whole replies that do not fit are asked for again: as often as a profile says, with the same bytes, and where that leaves nothing twice.

use portcullis_core::{Action, Decision, Outcome, Price};
use serde_json::{Value, json};

use crate::bench::Script;
use crate::limits::events;
use crate::streams::{collected, wires};
use crate::validate::{FITS, NO_JSON, NOT, bench, is_withheld, kinds, post, profile, schema, stream, whole};

/// The same request without state at the provider.
fn stateless(path: &str, mut request: Value) -> Value {
    if path == "/v1/responses" {
        request["store"] = json!(false);
    }
    request
}

#[tokio::test]
async fn a_reply_that_does_not_fit_is_asked_for_again() {
    let price = Price {
        input: 1.0,
        cached_input: None,
        cache_write: None,
        reasoning: None,
        output: 100.0,
    };
    for action in [Action::Flag, Action::Block] {
        let bench = bench(profile(action, 2)).await;
        bench.server.swap({
            let mut settings = bench.settings();
            settings.profiles.push(profile(action, 2));
            settings
                .routes
                .iter_mut()
                .for_each(|route| route.price = Some(price));
            portcullis_proxy::Gateway::new(
                settings,
                crate::bench::inspector(),
                std::sync::Arc::clone(&bench.services),
            )
            .unwrap()
        });
        for (number, (path, request, reply)) in whole(FITS).into_iter().enumerate() {
            let request = stateless(path, request);
            let kept = |reply: &Value| {
                let mut reply = reply.clone();
                if path == "/v1/responses" {
                    reply["store"] = json!(false);
                }
                reply
            };
            let (reply, bad, none) = (
                &kept(&reply),
                &kept(&whole(NOT)[number].2),
                &kept(&whole(NO_JSON)[number].2),
            );
            bench.script(Script::json(bad.to_string()));
            bench.script(Script::json(none.to_string()));
            let answer = post(&bench, path, &request, reply).await;
            assert_eq!(answer.text(), reply.to_string(), "{path}");
            let sent = std::mem::take(&mut *bench.upstream.received.lock().unwrap());
            assert_eq!(sent.len(), 3, "{path}");
            assert!(
                sent.iter()
                    .all(|other| other.body == sent[0].body && other.path == sent[0].path)
            );
            let record = bench.record(&answer).await;
            let usage = record.usage.unwrap();
            assert_eq!((usage.input, usage.output), (30, 15), "{path}");
            assert_eq!(record.cost.unwrap().0, 30 + 1500);
            assert_eq!(
                (record.outcome, record.decision, record.status),
                (Outcome::Completed, Decision::Allow, 200)
            );
            assert_eq!(record.code, None);
            let found: Vec<_> = kinds(&record).iter().map(|found| (found.0, found.1)).collect();
            assert_eq!(
                found,
                [("output.schema", Action::Flag), ("output.json", Action::Flag)]
            );
            let rooms = record.rooms.iter().filter(|room| room.room == "forward").count();
            assert_eq!(rooms, 3, "{path}");

            // Three times is enough.
            bench.script(Script::json(bad.to_string()));
            bench.script(Script::json(bad.to_string()));
            let answer = post(&bench, path, &request, bad).await;
            assert_eq!(
                is_withheld(&answer),
                action == Action::Block,
                "{path}: {}",
                answer.text()
            );
            assert_eq!(
                std::mem::take(&mut *bench.upstream.received.lock().unwrap()).len(),
                3
            );
            let record = bench.record(&answer).await;
            assert_eq!(record.usage.unwrap().output, 15);
            assert_eq!(record.decision == Decision::Block, action == Action::Block);
            assert_eq!(kinds(&record).len(), 3);
            assert_eq!(kinds(&record)[2].1, action);

            // An attempt that fails leaves what was there.
            bench.script(Script::json(bad.to_string()));
            bench.script(Script::Body(500, "application/json", "{}".into()));
            let answer = bench.post(path, request.to_string()).await;
            assert_eq!(answer.status, 200);
            assert_eq!(
                is_withheld(&answer),
                action == Action::Block,
                "{path}: {}",
                answer.text()
            );
            assert_eq!(
                std::mem::take(&mut *bench.upstream.received.lock().unwrap()).len(),
                2
            );
        }
    }
}

#[tokio::test]
async fn what_would_not_get_better_or_leave_two_is_asked_for_once() {
    let bench = bench(profile(Action::Block, 3)).await;
    let once = async |path: &str, request: &Value, reply: &Value| {
        let answer = post(&bench, path, request, reply).await;
        let asked = std::mem::take(&mut *bench.upstream.received.lock().unwrap()).len();
        assert_eq!(asked, 1, "{path}: {request} {reply}");
        answer
    };
    for (path, request, mut reply) in whole(r#"{"name": "support ac"#) {
        // It was cut at the model's own limit.
        for (place, reason) in [
            ("/choices/0/finish_reason", "length"),
            ("/stop_reason", "max_tokens"),
            ("/candidates/0/finishReason", "MAX_TOKENS"),
            ("/status", "incomplete"),
        ] {
            if let Some(why) = reply.pointer_mut(place) {
                *why = json!(reason);
            }
        }
        let answer = once(path, &stateless(path, request), &reply).await;
        assert!(!answer.text().contains("support"), "{path}: {}", answer.text());
        assert_eq!(kinds(&bench.record(&answer).await)[0].0, "output.json");
    }
    for (path, request, mut reply) in whole(NO_JSON) {
        match path {
            // The model refuses, or the exchange is stored.
            "/v1/chat/completions" => {
                let mut request = request.clone();
                request["store"] = json!(true);
                once(path, &request, &reply).await;
                reply["choices"][0]["message"] =
                    json!({"role": "assistant", "content": null, "refusal": "I will not."});
            }
            "/v1/messages" => reply["stop_reason"] = json!("refusal"),
            "/v1/responses" => {}
            _ => reply["candidates"][0]["finishReason"] = json!("SAFETY"),
        }
        let answer = once(path, &request, &reply).await;
        // A refusal of its own is no answer.
        assert_eq!(
            answer.text().contains("I will not."),
            path == "/v1/chat/completions"
        );
    }
    for wire in wires() {
        stream(&bench, &wire, &schema(), &[NOT]).await;
        assert_eq!(
            std::mem::take(&mut *bench.upstream.received.lock().unwrap()).len(),
            1
        );
    }
}

#[tokio::test]
async fn a_limit_cuts_an_answer_that_is_held_to_nothing() {
    let mut short = profile(Action::Block, 3);
    short.output.max_chars = 20;
    let bench = bench(short).await;
    for (path, request, reply) in whole(FITS) {
        let answer = post(&bench, path, &stateless(path, request), &reply).await;
        assert!(!answer.text().contains("support"), "{path}: {}", answer.text());
        assert_eq!(
            std::mem::take(&mut *bench.upstream.received.lock().unwrap()).len(),
            1
        );
    }
    for wire in wires() {
        let answer = stream(&bench, &wire, &schema(), &[&FITS[..5], &FITS[5..30], &FITS[30..]]).await;
        assert_eq!(collected(&answer.body), "", "{}", answer.text());
        assert!(!events(&answer).is_empty());
    }
}
