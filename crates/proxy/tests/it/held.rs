//! Calls for which a client says that it waits: the reply is held until a person has decided or the time is over, whole and streamed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use portcullis_proxy::{Settings, Timeouts};
use portcullis_store::{Approval, ApprovalKey, ApprovalState, Store};
use serde_json::json;

use crate::bench::{Answer, Bench, Plan, Script};
use crate::talks::{Talk, check, flags, has_call, now_ms, talks};

const WAIT: &str = "x-portcullis-approval-wait";

async fn bench(most: Duration) -> Bench {
    Bench::with(Plan {
        profile: flags(),
        settings: Settings {
            timeouts: Timeouts {
                approval: most,
                ..Timeouts::default()
            },
            ..Settings::default()
        },
        ..Plan::default()
    })
    .await
}

/// What a person does once something is asked.
async fn decides(store: Arc<dyn Store>, grants: bool) -> Approval {
    let key = ApprovalKey::new([9; 32]);
    loop {
        let pending = store
            .approvals(Some(ApprovalState::Pending), 10, now_ms())
            .await
            .unwrap();
        if let [asked, ..] = &pending[..] {
            let signature = grants.then(|| key.grant(asked, "ann").unwrap());
            store
                .decide_approval(&asked.id, "ann", signature, now_ms())
                .await
                .unwrap();
            return asked.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn ask(bench: &Bench, talk: &Talk, streamed: bool, seconds: &str) -> Answer {
    let (path, request) = talk.asked(streamed);
    bench.script(match streamed {
        // Cut in the middle of events.
        true => Script::Pieces(talk.stream().chunks(37).map(Bytes::copy_from_slice).collect()),
        false => Script::json(talk.reply.to_string()),
    });
    let asked = bench
        .request("POST", &path)
        .header("content-type", "application/json")
        .header(WAIT, seconds);
    bench
        .send(asked.body(Full::new(Bytes::from(request.to_string()))).unwrap())
        .await
}

/// A stream without its comments.
fn said(text: &str) -> String {
    text.replace(": a person is asked\n\n", "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_held_until_a_person_agrees_and_is_there_as_it_came() {
    for talk in talks() {
        for streamed in [false, true] {
            let bench = bench(Duration::from_secs(60)).await;
            let person = tokio::spawn(decides(Arc::clone(&bench.store), true));
            let answer = ask(&bench, &talk, streamed, "30").await;
            let asked = person.await.unwrap();
            assert_eq!(asked.tool, "send_email");
            let came = match streamed {
                true => String::from_utf8(talk.stream().to_vec()).unwrap(),
                false => talk.reply.to_string(),
            };
            assert_eq!(said(answer.text()), came, "{} {streamed}", talk.path);
            assert_eq!(
                answer.text().contains(": a person is asked\n\n"),
                streamed,
                "{}",
                talk.path
            );
            let record = bench.record(&answer).await;
            assert!(
                record
                    .findings
                    .iter()
                    .any(|found| found.rule.ends_with(": granted")),
                "{:?}",
                record.findings
            );
            let kept = bench.store.approval(&asked.id, now_ms()).await.unwrap().unwrap();
            assert_eq!(kept.state, ApprovalState::Used, "{} {streamed}", talk.path);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_a_person_denies_or_leaves_does_not_reach_the_client() {
    for talk in talks() {
        for streamed in [false, true] {
            for (most, seconds, decided) in [(60, "30", true), (1, "30", false), (60, "0", false)] {
                let bench = bench(Duration::from_secs(most)).await;
                let person = decided.then(|| tokio::spawn(decides(Arc::clone(&bench.store), false)));
                let answer = ask(&bench, &talk, streamed, seconds).await;
                check(&talk, &answer, &format!("{streamed} {seconds}"));
                let all = bench.store.approvals(None, 10, now_ms()).await.unwrap();
                assert_eq!(all.len(), 1);
                assert!(answer.text().contains(&all[0].id), "{}", answer.text());
                if let Some(person) = person {
                    person.await.unwrap();
                    assert_eq!(all[0].state, ApprovalState::Denied);
                }
            }
        }
    }
}

#[tokio::test]
async fn how_long_it_waits_is_said_in_the_body_too_and_must_be_a_number() {
    let bench = bench(Duration::from_secs(60)).await;
    let mut talk = talks()[0].clone();
    talk.request["portcullis"] = json!({ "approval_wait": 30 });
    let person = tokio::spawn(decides(Arc::clone(&bench.store), true));
    let answer = talk.ask(&bench, false, Vec::new()).await;
    person.await.unwrap();
    assert!(has_call(answer.text(), "send_email"), "{}", answer.text());
    assert!(!bench.last_sent().to_string().contains("portcullis"));
    for wrong in ["soon", "-1", "1.5", ""] {
        let answer = ask(&bench, &talks()[0], false, wrong).await;
        assert_eq!(answer.code(), "invalid_request", "{wrong:?}: {}", answer.text());
    }
    talk.request["portcullis"] = json!({ "approval_wait": "30" });
    assert_eq!(
        talk.ask(&bench, false, Vec::new()).await.code(),
        "invalid_request"
    );
}
