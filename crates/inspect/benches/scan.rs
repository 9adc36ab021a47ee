//! What a scan costs by size and kind of text, and what a streamed delta costs.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use portcullis_core::{Channel, Family};
use portcullis_inspect::{Inspector, Window, corpus::expand};

const PROSE: &str = "The harbour was quiet when the first boats came in, and nobody on the quay seemed to mind the rain. \
    She had asked him twice, in March and again in 2019, whether the 14 crates were still there; he said that he \
    did not remember. \"Show me,\" she said. What is left of the old wall can be seen from the road. ";
const CODE: &str = "    pub fn step(&self, state: State, byte: u8) -> Result<Option<usize>, Error> {\n        let index = self.rows[state.row() + 0x1f] & 0xff;\n        // keep the old one, see issue #1423\n        return if index >= 4096 { None } else { self.table.get(&index).copied() };\n    }\n\n    @override\n    def show(self, key_id=\"abc-123\"):\n        print(self.items[key_id], end='\\n')\n";
/// What costs the most: beginnings of every kind that come to nothing.
const HOSTILE: &str = "ignore all the ignore all the sk-proj-a ghp_abc eyJhbGciOi a.b.c@d.e.f@g AKIAAAAA 4111 1111 1111 \
    DE89 3704 0044 0532 0130 -----BEGIN PRIVATE KEY----- repeat all of the text of the +1 415 ";

fn texts() -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (name, piece) in [("prose", PROSE), ("code", CODE), ("hostile", HOSTILE)] {
        for kib in [1, 10, 100] {
            texts.push((
                format!("{name}/{kib}KiB"),
                piece.repeat(kib * 1024 / piece.len() + 1),
            ));
        }
    }
    texts
}

fn scans(criterion: &mut Criterion) {
    let inspector = Inspector::built_in().unwrap();
    let all = inspector.select(|_| true);
    let mut group = criterion.benchmark_group("scan");
    for (name, text) in texts() {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            let mut found = Vec::new();
            bencher.iter(|| {
                inspector.scan(black_box(&text), Channel::User, &all, &mut found);
                found.clear();
            });
        });
    }
    for (name, text) in [
        ("role", "assistant"),
        ("id", "call_9f8c2b1a7d"),
        ("sentence", "Hello, how are you today?"),
    ] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("short/{name}"), |bencher| {
            let mut found = Vec::new();
            bencher.iter(|| inspector.scan(black_box(text), Channel::User, &all, &mut found));
        });
    }
    group.finish();
}

/// What a text costs that was scanned before, and what remembering costs a text that was not.
fn remembered(criterion: &mut Criterion) {
    let inspector = Inspector::built_in().unwrap().with_cache([7; 16], 16 << 20);
    let all = inspector.select(|_| true);
    let mut group = criterion.benchmark_group("remembered");
    for length in [256, 1024, 8192, 65536] {
        let text: String = PROSE.chars().cycle().take(length).collect();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(format!("known/{length}"), |bencher| {
            let mut found = Vec::new();
            bencher.iter(|| inspector.scan(black_box(&text), Channel::User, &all, &mut found));
        });
        let mut number = 0_u64;
        group.bench_function(format!("new/{length}"), |bencher| {
            let mut found = Vec::new();
            let mut text = format!("{number:016x}{text}");
            bencher.iter(|| {
                number += 1;
                text.replace_range(..16, &format!("{number:016x}"));
                inspector.scan(black_box(&text), Channel::User, &all, &mut found);
            });
        });
    }
    group.finish();
}

fn windows(criterion: &mut Criterion) {
    let inspector = Inspector::built_in().unwrap();
    let output = inspector.select(|rule| matches!(rule.family(), Family::Secret | Family::Pii));
    let all = inspector.select(|_| true);
    let emails = expand(
        "Write to jane.doe@example.com or pay with {luhn:16:4: } today, please. ",
        1,
    );
    let mut group = criterion.benchmark_group("window");
    // One iteration is one delta of four bytes.
    for (name, text, selection) in [
        ("prose/output", PROSE, &output),
        ("prose/all", PROSE, &all),
        ("code/output", CODE, &output),
        ("found/output", emails.as_str(), &output),
    ] {
        let text = text.repeat(40_000 / text.len());
        let deltas: Vec<&str> = (0..text.len() / 4)
            .filter_map(|at| text.get(at * 4..at * 4 + 4))
            .collect();
        group.throughput(Throughput::Elements(deltas.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (Window::new(Channel::Assistant, selection.clone()), Vec::new()),
                |(mut window, mut found)| {
                    for delta in &deltas {
                        let _ = black_box(window.push(&inspector, delta, &mut found));
                    }
                    (window, found)
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn building(criterion: &mut Criterion) {
    criterion.bench_function("built_in", |bencher| {
        bencher.iter(|| Inspector::built_in().unwrap())
    });
}

criterion_group!(benches, scans, remembered, windows, building);
criterion_main!(benches);
