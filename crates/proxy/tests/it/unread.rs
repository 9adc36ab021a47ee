//! Clients that read nothing, and upstreams that never end, hold no memory, no place and no money.

use std::time::Duration;

use bytes::Bytes;
use portcullis_core::{AuditRecord, Limits, Outcome, RequestId};
use portcullis_policy::{OutputActions, Profile};
use portcullis_proxy::{Settings, Timeouts};
use portcullis_store::NewKey;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{Bench, Plan, Script};

async fn with(timeouts: Timeouts) -> Bench {
    Bench::with(Plan {
        settings: Settings {
            timeouts,
            ..Settings::default()
        },
        key: NewKey {
            limits: Limits {
                concurrency: Some(1),
                ..Limits::default()
            },
            ..NewKey::named("test")
        },
        // What is sent here says the same over and over.
        profile: Profile {
            output: OutputActions {
                max_repeated: 0,
                ..OutputActions::default()
            },
            ..Profile::default()
        },
        ..Plan::default()
    })
    .await
}

/// More than the buffers of both sockets hold.
const MUCH: usize = 48 * 1024 * 1024;

fn events() -> Vec<Bytes> {
    let text = "word ".repeat(2000);
    let event = format!(
        "data: {}\n\n",
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o",
            "choices": [{"index": 0, "delta": {"content": format!("{text}.")}, "finish_reason": null}]})
    );
    let event = Bytes::from(event);
    vec![event.clone(); MUCH / event.len()]
}

/// Asks, and reads no more than the head of the reply: the connection, and the request's id.
async fn ask(bench: &Bench, stream: bool) -> (TcpStream, RequestId) {
    let body = json!({"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": "x"}]})
        .to_string();
    let mut socket = TcpStream::connect(bench.address).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        bench.key.expose(),
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(socket.read_u8().await.unwrap()));
    }
    let id = head
        .lines()
        .find_map(|line| line.strip_prefix("x-portcullis-request-id: "))
        .unwrap_or_else(|| panic!("{head}"));
    (socket, RequestId::from_text(id))
}

/// The record, once there is one.
async fn recorded(bench: &Bench, id: &RequestId) -> AuditRecord {
    for _ in 0..600 {
        bench.services.audit.flush().await.unwrap();
        if let Some(stored) = bench.store.audit_record(id).await.unwrap() {
            return stored.record;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the reply is still held for a client that does not read it");
}

async fn read_all(mut socket: TcpStream) -> usize {
    let (mut all, mut piece) = (0, vec![0; 1 << 20]);
    while let Ok(read @ 1..) = socket.read(&mut piece).await {
        all += read;
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_nobody_reads_is_dropped() {
    let bench = with(Timeouts {
        client: Duration::from_millis(200),
        ..Timeouts::default()
    })
    .await;
    bench.script(Script::Pieces(events()));
    let (socket, id) = ask(&bench, true).await;
    let record = recorded(&bench, &id).await;
    assert!(
        record.usage_estimated && record.usage.is_some(),
        "what it used is charged"
    );
    // The key may have one request under way, and has none now.
    let reply = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [{"index": 0,
        "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}]});
    bench.script(Script::json(reply.to_string()));
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]});
    let next = bench.post("/v1/chat/completions", body.to_string()).await;
    assert_eq!(next.status.as_u16(), 200, "{}", next.text());
    assert!(read_all(socket).await < MUCH, "the connection is closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_reply_that_nobody_reads_is_dropped() {
    let bench = with(Timeouts {
        client: Duration::from_millis(200),
        ..Timeouts::default()
    })
    .await;
    let reply = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [{"index": 0,
        "finish_reason": "stop", "message": {"role": "assistant", "content": "word ".repeat(MUCH / 5)}}]});
    bench.script(Script::json(reply.to_string()));
    let (socket, id) = ask(&bench, false).await;
    recorded(&bench, &id).await;
    // Hyper closes a connection that it is told to close; nothing else does while the client does not read.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(read_all(socket).await < MUCH, "the connection is closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_reads_gets_all_of_a_large_reply() {
    let bench = with(Timeouts {
        client: Duration::from_secs(20),
        ..Timeouts::default()
    })
    .await;
    let reply = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [{"index": 0,
        "finish_reason": "stop", "message": {"role": "assistant", "content": "word ".repeat(100_000)}}]})
    .to_string();
    bench.script(Script::json(reply.clone()));
    let answer = bench
        .post(
            "/v1/chat/completions",
            json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}).to_string(),
        )
        .await;
    assert!(answer.whole);
    assert_eq!(answer.header("content-length"), reply.len().to_string());
    assert_eq!(answer.body.len(), reply.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_never_ends_ends() {
    let bench = with(Timeouts {
        total: Duration::from_millis(300),
        ..Timeouts::default()
    })
    .await;
    bench.script(Script::Pieces(events()));
    let (socket, id) = ask(&bench, true).await;
    assert!(read_all(socket).await < MUCH);
    assert_eq!(recorded(&bench, &id).await.outcome, Outcome::UpstreamFailed);
}
