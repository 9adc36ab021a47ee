//! What a request pays here: authentication, its limits, and its share of an audit batch.
//!
//! The audit figures are per record: encoding, encoding and chaining, and all of it with the insertion. The database
//! is in memory, so that the processor is measured and not the disk; `file` shows the same with a real disk's sync.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark whose set-up fails has nothing to measure"
)]
#![allow(missing_docs, reason = "criterion's macros make items without documentation")]

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use portcullis_core::{
    Action, AuditRecord, Channel, Decision, Direction, Family, KeyId, Limits, Money, Outcome,
    RecordedFinding, RequestId, RoomTime, Severity, Span, Usage,
};
use portcullis_store::{
    AuditBatch, Encoded, Head, Keyring, MeterId, Meters, NewKey, SigningKey, Store, canonical_json, open,
};
use tokio::runtime::Runtime;

const NOW: u64 = 1_800_000_000_000;

fn record(number: u64) -> AuditRecord {
    let room = |room: &str| RoomTime {
        room: room.to_owned().into(),
        micros: 42,
    };
    AuditRecord {
        request_id: RequestId::from_parts(NOW, u128::from(number)),
        unix_ms: NOW,
        micros: 1234,
        key: Some(KeyId::from_text("key_sample000000")),
        org: Some("acme".to_owned()),
        team: Some("free".to_owned()),
        user: None,
        profile: Some("default".to_owned()),
        dialect: Some("openai".to_owned()),
        endpoint: "POST /v1/chat/completions".to_owned(),
        model: Some("gpt-4o-mini".to_owned()),
        upstream: Some("openai".to_owned()),
        prompt: None,
        streamed: false,
        status: 200,
        code: None,
        denied_by: Vec::new(),
        decision: Decision::Redact,
        outcome: Outcome::Completed,
        findings: vec![RecordedFinding {
            kind: "EMAIL_ADDRESS".to_owned(),
            family: Family::Pii,
            severity: Severity::Medium,
            score: 0.9,
            direction: Direction::Input,
            channel: Channel::User,
            path: "messages[0].content".to_owned(),
            span: Span::new(3, 20),
            action: Action::Mask,
            rule: "profiles.default.pii.input".to_owned(),
            late: false,
        }],
        findings_total: 1,
        inspected: 7,
        inspected_bytes: 512,
        uninspectable: Vec::new(),
        sandboxed: None,
        usage: Some(Usage {
            input: 100,
            cached: 0,
            output: 20,
            reasoning: 0,
            cache_write: 0,
        }),
        usage_estimated: false,
        limits_alone: false,
        cost: Some(Money(450)),
        rooms: [
            "authenticate",
            "admit",
            "parse",
            "label",
            "inspect_input",
            "authorize",
            "forward",
        ]
        .map(room)
        .into(),
    }
}

fn requests(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let (keyring, text) = runtime.block_on(async {
        let store = open("sqlite::memory:").await.unwrap();
        for number in 0..999 {
            store
                .create_key(NewKey::named(&format!("key {number}")), NOW)
                .await
                .unwrap();
        }
        let (_, text) = store.create_key(NewKey::named("one"), NOW).await.unwrap();
        (Keyring::load(store).await.unwrap(), text)
    });
    let mut wrong = text.expose().clone();
    wrong.pop();
    wrong.push('~');
    criterion.bench_function("authenticate/known", |bencher| {
        bencher.iter(|| keyring.authenticate(black_box(text.expose()), NOW).unwrap());
    });
    criterion.bench_function("authenticate/malformed", |bencher| {
        bencher.iter(|| keyring.authenticate(black_box(&wrong), NOW).is_err());
    });

    let meters = Meters::new();
    let limits = Limits {
        rpm: Some(u32::MAX),
        tpm: Some(u32::MAX),
        concurrency: Some(100),
        budget: Some("1000000 USD/month".to_owned()),
    };
    let (key, usage) = (
        KeyId::from_text("key_sample000000"),
        Usage {
            input: 1,
            output: 1,
            ..Usage::default()
        },
    );
    let mut now = NOW;
    criterion.bench_function("admit and settle, key and team", |bencher| {
        bencher.iter(|| {
            now += 1;
            let both = [(MeterId::key(&key), &limits), (MeterId::team("free"), &limits)];
            runtime
                .block_on(meters.admit(&both, now))
                .unwrap()
                .settle(&usage, Money(1), now);
        });
    });
}

fn audit(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let key = SigningKey::from_bytes(&[7; 32]);
    let one = record(1);
    criterion.bench_function("audit/canonical", |bencher| {
        bencher.iter(|| canonical_json(black_box(&one)).unwrap())
    });

    let mut group = criterion.benchmark_group("audit/append");
    let folder = tempfile::TempDir::new().unwrap();
    let file = format!("sqlite:{}", folder.path().join("bench.db").display());
    for (place, url) in [("memory", "sqlite::memory:"), ("file", &file)] {
        let store: Arc<dyn Store> = runtime.block_on(open(url)).unwrap();
        let genesis = AuditBatch::genesis(&key, NOW);
        let head: Cell<Head> = Cell::new(genesis.head.head);
        runtime.block_on(store.append_audit(Arc::new(genesis))).unwrap();
        for batch in [20u64, 200] {
            group.throughput(Throughput::Elements(batch));
            group.bench_function(BenchmarkId::new(place, batch), |bencher| {
                bencher.iter_batched(
                    || {
                        (head.get().seq..head.get().seq + batch)
                            .map(record)
                            .collect::<Vec<_>>()
                    },
                    |records| {
                        let encoded: Vec<Encoded> = records
                            .iter()
                            .map(|record| Encoded::new(record).unwrap())
                            .collect();
                        let chained = Arc::new(AuditBatch::chain(&head.get(), &encoded, &key, NOW));
                        runtime
                            .block_on(store.append_audit(Arc::clone(&chained)))
                            .unwrap();
                        head.set(chained.head.head);
                    },
                    criterion::BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, requests, audit);
criterion_main!(benches);
