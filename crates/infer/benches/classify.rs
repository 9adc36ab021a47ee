//! What a window costs through all of a model of the size that ships and through its glance alone, what the first look costs by size
//! of text, and what opening costs. The weights are random; `PIECES` may name a tokenizer.json to cut texts with.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark"
)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portcullis_core::Channel;
use portcullis_infer::{BuiltIn, Files};
use portcullis_inspect::{Classifier, Question, Rate};
use serde_json::{Value, json};

const HIDDEN: usize = 384;
const LAYERS: usize = 10;
const FF: usize = 1536;
const PIECES: usize = 40_000;
const GLANCE: usize = 96;
const GLANCE_FF: usize = 384;
const MIXED: usize = 64;
const MEMBERS: usize = 2;
const SPECIALS: [&str; 9] = [
    "<unk>",
    "</s>",
    "<ch:unknown>",
    "<ch:user>",
    "<ch:system>",
    "<ch:document>",
    "<ch:tool_result>",
    "<ch:email>",
    "<ch:code>",
];
const PROSE: &str = "The harbour was quiet when the first boats came in, and nobody on the quay seemed to mind the rain. \
    She had asked him twice, in March and again in 2019, whether the 14 crates were still there; he said that he \
    did not remember. \"Show me,\" she said. What is left of the old wall can be seen from the road. ";
const OTHERS: &str = "Гавань была тиха, когда пришли первые лодки. 港は静かだった。Niemand störte sich am Regen, fraglich \
    blieb nur, ob die Kisten noch da wären. كان الميناء هادئا عندما وصلت القوارب الأولى. ";

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A safetensors file that grows.
struct Weights {
    header: serde_json::Map<String, Value>,
    data: Vec<u8>,
    random: Random,
}

impl Weights {
    fn add(&mut self, name: &str, dtype: &str, shape: &[usize], mut number: impl FnMut(u64) -> Vec<u8>) {
        let begin = self.data.len();
        for _ in 0..shape.iter().product() {
            let random = self.random.next() >> 20;
            self.data.extend(number(random));
        }
        let place = [begin, self.data.len()];
        self.header.insert(
            name.into(),
            json!({ "dtype": dtype, "shape": shape, "data_offsets": place }),
        );
    }

    fn floats(&mut self, name: &str, shape: &[usize], mean: f32, spread: f32) {
        self.add(name, "F32", shape, |random| {
            (((random % 2001) as f32 / 1000.0 - 1.0) * spread + mean)
                .to_le_bytes()
                .to_vec()
        });
    }

    fn blocks(&mut self, name: &str, rows: usize, width: usize) {
        self.add(&format!("{name}.q"), "U8", &[rows, width / 32, 16], |random| {
            vec![random as u8]
        });
        // About 0.01, as 16-bit numbers.
        self.add(&format!("{name}.d"), "F16", &[rows, width / 32], |random| {
            (0x2100 + (random % 256) as u16).to_le_bytes().to_vec()
        });
    }

    fn norm(&mut self, name: &str, width: usize) {
        self.floats(&format!("{name}.weight"), &[width], 1.0, 0.2);
        self.floats(&format!("{name}.bias"), &[width], 0.0, 0.1);
    }

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) {
        self.blocks(name, outputs, inputs);
        self.floats(&format!("{name}.bias"), &[outputs], 0.0, 0.1);
    }

    fn layer(&mut self, name: &str, hidden: usize, ff: usize) {
        for (part, outputs, inputs) in [
            ("q", hidden, hidden),
            ("k", hidden, hidden),
            ("v", hidden, hidden),
            ("ao", hidden, hidden),
            ("fi", ff, hidden),
            ("fo", hidden, ff),
        ] {
            self.matrix(&format!("{name}.{part}"), outputs, inputs);
        }
        self.norm(&format!("{name}.aln"), hidden);
        self.norm(&format!("{name}.oln"), hidden);
    }

    fn file(self) -> Vec<u8> {
        let header = Value::Object(self.header).to_string();
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.extend(self.data);
        file
    }
}

fn weights(pieces: usize) -> Vec<u8> {
    let mut w = Weights {
        header: serde_json::Map::new(),
        data: Vec::new(),
        random: Random(88172645463325252),
    };
    w.blocks("words", pieces - 9, HIDDEN);
    w.floats("special", &[9, HIDDEN], 0.0, 0.1);
    w.floats("position", &[128, HIDDEN], 0.0, 0.1);
    w.norm("ln", HIDDEN);
    for layer in 0..LAYERS {
        w.layer(&format!("layer.{layer}"), HIDDEN, FF);
    }
    for member in 0..MEMBERS {
        let name = format!("glance.{member}");
        w.matrix(&format!("{name}.project"), GLANCE, HIDDEN);
        w.floats(&format!("{name}.special"), &[9, GLANCE], 0.0, 0.1);
        w.floats(&format!("{name}.position"), &[128, GLANCE], 0.0, 0.1);
        w.norm(&format!("{name}.ln"), GLANCE);
        w.layer(&format!("{name}.0"), GLANCE, GLANCE_FF);
        for (part, outputs, inputs) in [("mix", MIXED, 3 * GLANCE), ("out", 1, MIXED)] {
            w.floats(&format!("{name}.{part}.weight"), &[outputs, inputs], 0.0, 0.1);
            w.floats(&format!("{name}.{part}.bias"), &[outputs], 0.0, 0.1);
        }
    }
    w.floats("head.weight", &[4, HIDDEN], 0.0, 0.1);
    w.floats("head.bias", &[4], 0.0, 0.1);
    for (name, rows) in [("piece", pieces), ("gram", 32_768)] {
        w.add(&format!("sieve.{name}.q"), "I8", &[rows, 16], |random| {
            vec![random as u8]
        });
        w.add(&format!("sieve.{name}.d"), "F16", &[rows], |random| {
            (0x2100 + (random % 256) as u16).to_le_bytes().to_vec()
        });
    }
    w.floats("sieve.channel", &[9, 16], 0.0, 0.1);
    w.floats("sieve.hidden.weight", &[32, 48], 0.0, 0.1);
    w.floats("sieve.hidden.bias", &[32], 0.0, 0.1);
    w.floats("sieve.out.weight", &[1, 32], 0.0, 0.1);
    w.floats("sieve.out.bias", &[1], 0.0, 0.1);
    w.file()
}

/// Invented syllables, if no real tokenizer is named.
fn tokenizer() -> (Vec<u8>, usize) {
    let real = std::env::var("PIECES").ok().map(|path| {
        let told: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let all = told["pieces"].as_array().unwrap().clone();
        all.into_iter()
            .filter(|piece| !SPECIALS.contains(&piece[0].as_str().unwrap()))
            .collect::<Vec<_>>()
    });
    let pieces = real.unwrap_or_else(|| {
        let mut random = Random(4101842887655102017);
        let letters: Vec<char> = "▁abcdefghijklmnopqrstuvwxyz0123456789.,;\"!?".chars().collect();
        let mut pieces: Vec<String> = letters.iter().map(char::to_string).collect();
        while pieces.len() < PIECES - SPECIALS.len() {
            let long = 2 + random.next() as usize % 5;
            let begin = if random.next().is_multiple_of(2) {
                "▁"
            } else {
                ""
            };
            let piece: String = (0..long)
                .map(|_| letters[1 + random.next() as usize % 26])
                .collect();
            pieces.push(format!("{begin}{piece}"));
        }
        pieces
            .iter()
            .map(|piece| json!([piece, -6.0 - (piece.len() as f64).recip()]))
            .collect()
    });
    let size = pieces.len() + SPECIALS.len();
    let json = json!({ "unk": 0, "unk_score": -30.0, "specials": SPECIALS, "pieces": pieces });
    (json.to_string().into_bytes(), size)
}

/// Which windows the sieve and the glance let through: all from -1e30 on, none from 1e30 on.
fn config(pieces: usize, sieve: f32, glance: f32) -> Vec<u8> {
    let curve = json!({ "slope": 1.0, "offset": 0.0 });
    let channels = json!({ "unknown": 2, "user": 3, "system": 4, "document": 5, "tool_result": 6, "email": 7, "code": 8 });
    json!({ "format": "portcullis-classifier-1", "labels": ["any", "injection", "jailbreak", "extraction"],
        "hidden": HIDDEN, "heads": 12, "layers": LAYERS, "ff": FF, "vocabulary": pieces, "specials": 9,
        "layer_norm_eps": 1e-12, "window": 128, "body": 126, "stride": 96, "channels": channels, "end": 1,
        "calibration": { "any": curve, "injection": curve, "jailbreak": curve, "extraction": curve },
        "sieve": { "dim": 16, "bits": 15, "hidden": 32, "pass": sieve },
        "glance": { "hidden": GLANCE, "heads": 3, "ff": GLANCE_FF, "mixed": MIXED, "layers": 1, "members": MEMBERS, "sieve": 0.4, "pass": glance } })
    .to_string()
    .into_bytes()
}

/// Every stage has but one limit here, whatever the rate.
fn asking(text: &str, channel: Channel) -> Question<'_> {
    Question {
        text,
        channel,
        rate: Rate::Hundredth,
    }
}

/// Memory that the process holds, in KiB.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A window and shorter ones, by a model that lets all through to its last stage or none.
fn read_windows(criterion: &mut Criterion, name: &str, model: &BuiltIn, window: &str) {
    let mut group = criterion.benchmark_group(name);
    for (name, share) in [("full", 1), ("a quarter", 4), ("a sixteenth", 16)] {
        let text: String = window.chars().take(window.len() / share).collect();
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(model.classify(asking(&text, Channel::User), &|| true)));
        });
    }
    group.finish();
}

fn all(criterion: &mut Criterion) {
    let (tokenizer, pieces) = tokenizer();
    let (weights, thresholds) = (
        weights(pieces),
        json!({ "rates": { "0.01": { "all": { "threshold": 1.0 } },
        "0.001": { "all": { "threshold": 2.0 } } } })
        .to_string(),
    );
    let open = |config: &[u8]| {
        let thresholds = thresholds.as_bytes();
        BuiltIn::from_bytes(&Files {
            model: &weights,
            config,
            tokenizer: &tokenizer,
            thresholds,
        })
        .unwrap()
    };
    let (every, none) = (config(pieces, -1e30, -1e30), config(pieces, 1e30, 1e30));

    let before = resident();
    let model = open(&every);
    let mut window = PROSE.repeat(3);
    // As much as fits into one window.
    while model.sifted(asking(&window, Channel::User)).1 > 1 {
        window.pop();
    }
    model.classify(asking(&window, Channel::User), &|| true);
    if let (Some(before), Some(after)) = (before, resident()) {
        println!(
            "a model and one reading hold {} MiB",
            after.saturating_sub(before) / 1024
        );
    }

    read_windows(criterion, "window", &model, &window);
    drop(model);
    read_windows(criterion, "glance", &open(&config(pieces, -1e30, 1e30)), &window);

    let model = open(&none);
    let mut group = criterion.benchmark_group("first look");
    for (name, sample) in [("prose", PROSE), ("other scripts", OTHERS)] {
        for kib in [1, 16] {
            let text = sample.repeat(kib * 1024 / sample.len() + 1);
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(format!("{name}/{kib} KiB"), |bencher| {
                bencher.iter(|| black_box(model.classify(asking(&text, Channel::Document), &|| true)));
            });
        }
    }
    group.finish();
    drop(model);

    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    group.bench_function("model", |bencher| bencher.iter(|| open(&every)));
    group.finish();
}

criterion_group!(benches, all);
criterion_main!(benches);
