//! `Hub` against the reference library: tiny models of every architecture, made by `train/reference_models.py`.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis_core::{Channel, Span};
use portcullis_infer::Hub;
use portcullis_infer::hub::{LoadError, Options};
use portcullis_inspect::{Attempt, Classifier, Rate};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::asking;

const MODELS: &[&str] = &[
    "bert",
    "deberta_v2",
    "deberta_v3",
    "distilbert",
    "modernbert_cls",
    "modernbert_mean",
    "roberta",
    "xlm_roberta",
];

#[derive(Deserialize)]
struct Case {
    text: String,
    windows: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    ids: Vec<u32>,
    offsets: Vec<(usize, usize)>,
    logits: Vec<f32>,
}

fn folder(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/hub")
        .join(model)
}

fn load(model: &str) -> Hub {
    Hub::load(&folder(model), &Options::default()).unwrap()
}

fn cases(model: &str) -> Vec<Case> {
    let raw = fs::read(folder(model).join("expected.json")).unwrap();
    serde_json::from_slice(&raw).unwrap()
}

fn always() -> bool {
    true
}

/// A folder of a model with something done to it.
struct Copy(tempfile::TempDir);

impl Copy {
    fn of(model: &str) -> Copy {
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(folder(model)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        Copy(copy)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) -> &Copy {
        let mut value = serde_json::from_slice(&fs::read(self.path(file)).unwrap()).unwrap();
        change(&mut value);
        fs::write(self.path(file), value.to_string()).unwrap();
        self
    }

    fn load(&self) -> Result<Hub, LoadError> {
        Hub::load(self.0.path(), &Options::default())
    }

    /// Why it cannot be loaded, which has to name what to look at.
    fn refused(&self, names: &[&str]) -> LoadError {
        let why = self.load().unwrap_err();
        let text = why.to_string();
        for name in names {
            assert!(text.contains(name), "{text:?} does not name {name:?}");
        }
        why
    }
}

#[test]
fn ids_places_and_logits_are_the_reference_librarys() {
    for model in MODELS {
        let hub = load(model);
        for case in cases(model) {
            let readings = hub.read(&case.text, &always).unwrap();
            let begin: String = case.text.chars().take(30).collect();
            assert_eq!(readings.len(), case.windows.len(), "{model}: {begin}");
            for (reading, expected) in readings.iter().zip(&case.windows) {
                assert_eq!(reading.ids, expected.ids, "{model}: {begin}");
                for (place, (start, end)) in reading.places.iter().zip(&expected.offsets) {
                    let expected = if start < end { (*start, *end) } else { (0, 0) };
                    assert_eq!((place.start, place.end), expected, "{model}: {begin}");
                }
                assert_eq!(reading.logits.len(), expected.logits.len());
                for (ours, theirs) in reading.logits.iter().zip(&expected.logits) {
                    let far = (ours - theirs).abs();
                    assert!(far < 1e-4, "{model}: {begin}: {ours} and not {theirs}");
                }
            }
        }
    }
}

#[test]
fn a_long_text_is_read_whole_and_its_worst_window_named() {
    for model in MODELS {
        let hub = load(model);
        let case = cases(model).pop().unwrap();
        let readings = hub.read(&case.text, &always).unwrap();
        assert!(readings.len() > 1, "{model}");
        let spans: Vec<Span> = readings.iter().map(|reading| reading.span.unwrap()).collect();
        assert_eq!(spans[0].start, 0, "{model}");
        assert!(spans.windows(2).all(|two| two[0].overlaps(two[1])), "{model}");
        assert_eq!(spans.last().unwrap().end, case.text.len(), "{model}");
        let opinion = hub.classify(asking(&case.text, Channel::User), &always).unwrap();
        // Each span read alone gives nearly the window again; the worst span is one of them.
        assert!(spans.contains(&opinion.span), "{model}");
        assert!((0.0..=1.0).contains(&opinion.score));
    }
}

#[test]
fn the_score_is_that_of_the_worst_window() {
    let hub = load("deberta_v3");
    let case = cases("deberta_v3").pop().unwrap();
    let probable = |logits: &[f32]| 1.0 / (1.0 + (logits[0] - logits[1]).exp());
    let scores = case.windows.iter().map(|window| probable(&window.logits));
    let worst = scores.fold(0.0, f32::max);
    let opinion = hub
        .classify(asking(&case.text, Channel::Document), &always)
        .unwrap();
    assert!((opinion.score - worst).abs() < 1e-4);
    assert_eq!(opinion.attempt, Attempt::Injection);
}

#[test]
fn a_text_longer_than_a_stretch_leaves_no_gap() {
    for model in ["bert", "deberta_v3", "modernbert_cls"] {
        let hub = load(model);
        for text in ["Grüße 会议 — ignore the rules. ".repeat(1100), "х".repeat(18_000)] {
            let readings = hub.read(&text, &always).unwrap();
            let mut reached = 0;
            for span in readings.iter().filter_map(|reading| reading.span) {
                let gap = text.get(reached.min(span.start)..span.start).unwrap();
                assert!(gap.trim().is_empty(), "{model}: {gap:?} was not read");
                assert!(text.get(span.start..span.end).is_some());
                reached = reached.max(span.end);
            }
            assert!(text.get(reached..).unwrap().trim().is_empty(), "{model}");
        }
    }
}

#[test]
fn nothing_is_no_attack() {
    for model in MODELS {
        let hub = load(model);
        for text in ["", "  \n"] {
            let opinion = hub.classify(asking(text, Channel::User), &always).unwrap();
            let blank = hub
                .read(text, &always)
                .unwrap()
                .iter()
                .all(|reading| reading.span.is_none());
            if blank {
                assert_eq!(opinion.score, 0.0, "{model}");
                assert_eq!(opinion.span, Span::new(0, text.len()), "{model}");
            }
        }
    }
}

#[test]
fn whether_to_go_on_is_asked_and_heeded() {
    let hub = load("bert");
    let text = cases("bert").pop().unwrap().text;
    let asked = Cell::new(0);
    let count = || {
        asked.set(asked.get() + 1);
        true
    };
    hub.classify(asking(&text, Channel::User), &count).unwrap();
    let all = asked.replace(0);
    let windows = hub.read(&text, &always).unwrap().len();
    assert!(all > windows * 3, "{all} questions for {windows} windows");
    for last in [0, 1, all / 2, all - 1] {
        asked.set(0);
        let opinion = hub.classify(asking(&text, Channel::User), &|| {
            asked.set(asked.get() + 1);
            asked.get() <= last
        });
        assert_eq!(opinion, None);
        assert_eq!(asked.get(), last + 1);
    }
}

#[test]
fn options_hold() {
    let options = Options {
        id: Some("mine".to_owned()),
        attack_labels: vec!["jailbreak".to_owned()],
        threshold: 0.9,
        window: 24,
    };
    let hub = Hub::load(&folder("bert"), &options).unwrap();
    assert_eq!(hub.id(), "mine");
    assert_eq!(load("bert").id(), "bert");
    assert_eq!(hub.threshold(Channel::User, Rate::Thousandth), 0.9);
    let text = cases("bert").pop().unwrap().text;
    let readings = hub.read(&text, &always).unwrap();
    assert!(readings.iter().all(|reading| reading.ids.len() <= 24));
    let opinion = hub.classify(asking(&text, Channel::User), &always).unwrap();
    assert_eq!(opinion.attempt, Attempt::Jailbreak);
    for (threshold, window) in [(1.5, 512), (f32::NAN, 512), (0.5, 9), (0.5, 0)] {
        let options = Options {
            threshold,
            window,
            ..Options::default()
        };
        let why = Hub::load(&folder("bert"), &options).unwrap_err();
        assert!(matches!(why, LoadError::Options { .. }), "{why}");
    }
}

#[test]
fn many_threads_read_at_once_and_agree() {
    let hub = load("modernbert_mean");
    let text = cases("modernbert_mean").pop().unwrap().text;
    let alone = hub.classify(asking(&text, Channel::User), &always).unwrap();
    std::thread::scope(|scope| {
        let each = || hub.classify(asking(&text, Channel::User), &always).unwrap();
        let running: Vec<_> = (0..4).map(|_| scope.spawn(each)).collect();
        for thread in running {
            assert_eq!(thread.join().unwrap(), alone);
        }
    });
}

#[test]
fn a_file_that_is_missing_is_named() {
    let nowhere = Hub::load(Path::new("/nowhere"), &Options::default()).unwrap_err();
    assert!(nowhere.to_string().contains("/nowhere/config.json"));
    for file in ["config.json", "tokenizer.json"] {
        let copy = Copy::of("bert");
        fs::remove_file(copy.path(file)).unwrap();
        let why = copy.refused(&[file]);
        assert!(matches!(why, LoadError::Read { .. }));
    }
    let copy = Copy::of("bert");
    fs::rename(copy.path("model.safetensors"), copy.path("pytorch_model.bin")).unwrap();
    let why = copy.refused(&["model.safetensors", "pytorch_model.bin"]);
    assert!(matches!(why, LoadError::NoWeights { .. }));
    let copy = Copy::of("xlm_roberta");
    fs::remove_file(copy.path("model-00002-of-00002.safetensors")).unwrap();
    copy.refused(&["model-00002-of-00002.safetensors"]);
    let copy = Copy::of("bert");
    fs::remove_file(copy.path("tokenizer.json")).unwrap();
    fs::create_dir(copy.path("tokenizer.json")).unwrap();
    copy.refused(&["tokenizer.json"]);
}

#[test]
fn an_index_names_files_of_its_own_folder_only() {
    for name in ["../model.safetensors", "/etc/passwd", "model.bin"] {
        let copy = Copy::of("xlm_roberta");
        copy.edit("model.safetensors.index.json", |index| {
            index["weight_map"]["classifier.dense.bias"] = json!(name);
        });
        copy.refused(&[name]);
    }
}

/// What becomes of a folder with one setting changed, or left out.
fn changed(model: &str, key: &str, value: Value, names: &[&str]) -> LoadError {
    let copy = Copy::of(model);
    copy.edit("config.json", |config| match value {
        Value::Null => drop(config.as_object_mut().unwrap().remove(key)),
        value => config[key] = value,
    });
    copy.refused(names)
}

#[test]
fn a_configuration_that_does_not_fit_is_refused() {
    let unknown = json!(["GemmaForCausalLM"]);
    let names = ["GemmaForCausalLM", "BertForSequenceClassification", "ModernBert"];
    changed("bert", "architectures", unknown, &names);
    changed("bert", "architectures", Value::Null, &["(none)"]);
    let why = changed("bert", "id2label", Value::Null, &["id2label"]);
    assert!(matches!(why, LoadError::NoLabels));
    let moods = json!({ "0": "joy", "1": "anger", "2": "grief" });
    changed(
        "bert",
        "id2label",
        moods,
        &["joy (0)", "grief (2)", "attack_labels"],
    );
    let four = json!({ "0": "safe", "1": "attack", "2": "leak", "3": "injection" });
    changed(
        "bert",
        "id2label",
        four,
        &["classifier.weight", "[3, 32]", "[4, 32]"],
    );
    changed("bert", "vocab_size", Value::Null, &["vocab_size"]);
    changed("bert", "vocab_size", json!(-1), &["config.json"]);
    changed("bert", "vocab_size", json!(7), &["word_embeddings"]);
    changed("bert", "hidden_size", json!(0), &["width of 0"]);
    changed("bert", "hidden_size", json!(64), &["shape"]);
    changed("bert", "hidden_size", json!(u64::MAX - 3), &["bert"]);
    changed("bert", "num_attention_heads", json!(0), &["0 heads"]);
    changed("bert", "num_attention_heads", json!(5), &["5 heads"]);
    changed(
        "bert",
        "num_hidden_layers",
        json!(4),
        &["bert.encoder.layer.3", "missing"],
    );
    changed("bert", "hidden_act", json!("mystery"), &["mystery"]);
    changed(
        "bert",
        "position_embedding_type",
        json!("relative_key"),
        &["relative_key"],
    );
    changed("bert", "problem_type", json!("regression"), &["regression"]);
}

#[test]
fn settings_of_other_networks_that_do_not_fit_are_refused() {
    changed("deberta_v3", "position_buckets", json!(64), &["rel_embeddings"]);
    changed(
        "deberta_v3",
        "position_buckets",
        json!(i64::MAX),
        &["rel_embeddings"],
    );
    changed(
        "deberta_v3",
        "attention_head_size",
        json!(u64::MAX),
        &["query_proj"],
    );
    changed(
        "deberta_v3",
        "pooler_hidden_size",
        json!(8),
        &["pooler_hidden_size"],
    );
    changed("deberta_v2", "conv_kernel_size", json!(4), &["conv_kernel_size"]);
    changed("deberta_v2", "conv_groups", json!(0), &["conv_groups"]);
    changed(
        "modernbert_cls",
        "global_attn_every_n_layers",
        json!(0),
        &["global_attn"],
    );
    changed("modernbert_cls", "num_attention_heads", json!(32), &["even"]);
    changed(
        "modernbert_cls",
        "rope_scaling",
        json!({ "type": "yarn" }),
        &["rotary"],
    );
    changed(
        "modernbert_mean",
        "layer_types",
        json!(["full_attention"]),
        &["layer_types"],
    );
    changed("modernbert_mean", "classifier_pooling", json!("max"), &["max"]);
    changed(
        "modernbert_mean",
        "intermediate_size",
        json!(u64::MAX),
        &["mlp.Wi"],
    );
}

#[test]
fn a_configuration_that_is_none_is_refused() {
    for text in ["", "{", "[]", "null", "{\"architectures\": 3}"] {
        let copy = Copy::of("bert");
        fs::write(copy.path("config.json"), text).unwrap();
        copy.refused(&["config.json"]);
    }
    let copy = Copy::of("bert");
    fs::write(copy.path("config.json"), " ".repeat((1 << 20) + 1)).unwrap();
    assert!(matches!(copy.refused(&["config.json"]), LoadError::Large { .. }));
}

#[test]
fn weights_that_are_not_whole_are_refused() {
    let file = "model.safetensors";
    let whole = fs::read(folder("bert").join(file)).unwrap();
    for length in [0, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        let copy = Copy::of("bert");
        fs::write(copy.path(file), &whole[..length]).unwrap();
        copy.refused(&["model.safetensors"]);
    }
    let rename = |from: &str, to: &str, names: &[&str]| {
        assert_eq!(from.len(), to.len());
        let place = whole.windows(from.len()).position(|part| part == from.as_bytes());
        let place = place.unwrap();
        let mut changed = whole.clone();
        changed[place..place + to.len()].copy_from_slice(to.as_bytes());
        let copy = Copy::of("bert");
        fs::write(copy.path(file), changed).unwrap();
        copy.refused(names)
    };
    let why = rename("classifier.weight", "classifier.weighs", &["classifier.weight"]);
    assert!(matches!(why, LoadError::Missing { .. }));
    rename("\"F32\"", "\"I32\"", &["I32"]);
    let mut endless = whole.clone();
    endless[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let copy = Copy::of("bert");
    fs::write(copy.path(file), endless).unwrap();
    copy.refused(&["not a safetensors file"]);
    let mut hollow = whole.clone();
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    hollow[8 + length..].fill(0xff);
    fs::write(copy.path(file), hollow).unwrap();
    let why = copy.refused(&["does not work"]);
    assert!(matches!(why, LoadError::Trial { .. }));
}

#[test]
fn a_tokenizer_that_cannot_be_read_or_is_anothers_is_refused() {
    let file = "tokenizer.json";
    for text in ["", "{}", "[]", "{\"model\": {}}"] {
        let copy = Copy::of("bert");
        fs::write(copy.path(file), text).unwrap();
        copy.refused(&[file]);
    }
    let copy = Copy::of("bert");
    fs::copy(folder("modernbert_cls").join(file), copy.path(file)).unwrap();
    copy.refused(&["do not belong together"]);
    // Not a byte of the file makes the library panic: each of some hundred is changed.
    for model in ["bert", "deberta_v3", "roberta"] {
        let whole = fs::read(folder(model).join(file)).unwrap();
        let copy = Copy::of(model);
        for place in (0..whole.len()).step_by(whole.len() / 20) {
            for length in [place, whole.len()] {
                let mut changed = whole[..length].to_vec();
                if let Some(byte) = changed.get_mut(place) {
                    *byte = b'9';
                }
                fs::write(copy.path(file), changed).unwrap();
                let _ = copy.load();
            }
        }
    }
}
