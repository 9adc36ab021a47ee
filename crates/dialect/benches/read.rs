//! What it costs to read a chat request and lay out its surface, by size. The bodies are built here: no file, no network.
#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use portcullis_dialect::{Body, Document, Exchange, Reading, find};

/// Words as people write them: a line break and a quoted word now and then.
const WORDS: &str = "the river flows under a bridge and slowly past the castle of a small town\\n where nobody in märz would say \
    that it is \\\"deep\\\" although it carried away two mills and a ferry in one night long ago";

/// A conversation with a system prompt, a tool and as many turns as fill `size` bytes.
fn chat(size: usize) -> Bytes {
    let head = r#"{"model":"gpt-4o","stream":true,"temperature":0.2,"tools":[{"type":"function","function":{"name":"weather","description":"Looks up the weather.","parameters":{"type":"object","properties":{"place":{"type":"string","description":"A town."}},"required":["place"]}}}],"messages":[{"role":"system","content":"Answer briefly."}"#;
    let mut body = head.to_owned();
    let mut words = WORDS.split(' ').cycle();
    for number in 0.. {
        let left = size.saturating_sub(body.len() + 2);
        if left < 60 {
            break;
        }
        body.push_str(if number % 2 == 0 {
            r#",{"role":"user","content":""#
        } else {
            r#",{"role":"assistant","content":""#
        });
        let full = body.len() + (left - 40).min(1200);
        while body.len() < full {
            body.push_str(words.next().unwrap());
            body.push(' ');
        }
        body.push_str("\"}");
    }
    body.push_str("]}");
    Bytes::from(body)
}

fn surface(exchange: &dyn Exchange, body: &Bytes) -> usize {
    let document = Document::read(body.clone()).unwrap();
    let call = exchange.call(&document, &[]).unwrap();
    let reading = Reading::of(document, |place| exchange.label(Body::Request, place));
    reading.parts().map(|part| part.text.len()).sum::<usize>() + call.state.len()
}

fn read(criterion: &mut Criterion) {
    let (_, exchange, _) = find("POST", "/v1/chat/completions", false).unwrap();
    let mut group = criterion.benchmark_group("read");
    for size in [500, 8 * 1024, 100 * 1024] {
        let body = chat(size);
        assert!(body.len().abs_diff(size) < 100, "{} bytes for {size}", body.len());
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("document", size), &body, |bench, body| {
            bench.iter(|| Document::read(black_box(body.clone())).unwrap());
        });
        group.bench_with_input(BenchmarkId::new("surface", size), &body, |bench, body| {
            bench.iter(|| surface(exchange, black_box(body)));
        });
    }
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
