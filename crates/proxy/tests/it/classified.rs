//! The classifier's place: which texts it is asked about, what becomes of what it says, and of what it does not come to say.
//!
//! A real pool with a classifier that looks for a word: which texts it is shown is the matter here, not how it judges.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use portcullis_core::{Action, Channel, Span};
use portcullis_infer::{Pool, PoolSize};
use portcullis_inspect::{Attempt, Classifier, Opinion, Rate};
use portcullis_policy::{FalsePositives, Injection, Profile};
use portcullis_proxy::Settings;
use serde_json::json;

use crate::bench::{Bench, Plan, Script};

/// Takes a text for an attack where it holds this word, and remembers all that it was shown.
pub const WORD: &str = "zaubertrank";

/// The channels whose texts are what a model reads as somebody else's words.
pub const READ: [Channel; 11] = [
    Channel::System,
    Channel::Developer,
    Channel::User,
    Channel::ToolDefinition,
    Channel::ToolResult,
    Channel::Document,
    Channel::Email,
    Channel::Code,
    Channel::Citation,
    Channel::Steering,
    Channel::Unknown,
];

#[derive(Default)]
pub struct Reader {
    shown: Mutex<Vec<String>>,
    /// Never comes to an end.
    pub stuck: AtomicBool,
}

impl Reader {
    /// What it was shown since it was last asked.
    pub fn shown(&self) -> Vec<String> {
        std::mem::take(&mut *self.shown.lock().unwrap())
    }
}

impl Classifier for Reader {
    fn id(&self) -> &str {
        "reader"
    }

    fn threshold(&self, _: Channel, rate: Rate) -> f32 {
        match rate {
            Rate::Hundredth => 0.5,
            Rate::Thousandth => 0.95,
        }
    }

    fn classify(&self, text: &str, _: Channel, go_on: &dyn Fn() -> bool) -> Option<Opinion> {
        self.shown.lock().unwrap().push(text.to_owned());
        while self.stuck.load(Ordering::Relaxed) {
            if !go_on() {
                return None;
            }
            std::thread::yield_now();
        }
        let at = text.find(WORD);
        let start = at.unwrap_or(0);
        Some(Opinion {
            score: at.map_or(0.1, |_| 0.9),
            attempt: Attempt::Jailbreak,
            span: Span::new(start, at.map_or(text.len(), |at| at + WORD.len())),
        })
    }
}

/// Settings with a reader, and a profile that asks it.
pub fn with_reader(reader: &Arc<Reader>, profile: Profile) -> (Settings, Profile) {
    let size = PoolSize {
        threads: 1,
        waiting: 1 << 20,
        remembered: 2,
    };
    let pool = Pool::new(Arc::clone(reader) as _, size, [3; 16]).unwrap();
    let settings = Settings {
        classifiers: HashMap::from([("reader".to_owned(), Arc::new(pool))]),
        ..Settings::default()
    };
    let injection = Injection {
        model: Some("reader".into()),
        ..profile.injection.clone()
    };
    (settings, Profile { injection, ..profile })
}

async fn bench(reader: &Arc<Reader>, injection: Injection) -> Bench {
    let (settings, profile) = with_reader(
        reader,
        Profile {
            injection,
            ..Profile::default()
        },
    );
    Bench::with(Plan {
        profile,
        settings,
        ..Plan::default()
    })
    .await
}

fn chat(content: serde_json::Value) -> String {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": content}]}).to_string()
}

const REPLY: &str = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}]}"#;

#[tokio::test]
async fn what_the_classifier_takes_for_an_attack_is_treated_as_the_profile_says() {
    let reader = Arc::new(Reader::default());
    let blocking = bench(&reader, Injection::default()).await;
    let body = chat(json!(format!("one {WORD} please")));
    let answer = blocking.post("/v1/chat/completions", body.clone()).await;
    assert_eq!(answer.status.as_u16(), 400, "{}", answer.text());
    let record = blocking.record(&answer).await;
    let found: Vec<_> = record.findings.iter().map(|found| found.kind.as_str()).collect();
    assert_eq!(found, ["injection.classified_jailbreak"]);

    let flagging = bench(
        &reader,
        Injection {
            user: Action::Flag,
            ..Injection::default()
        },
    )
    .await;
    flagging.script(Script::json(REPLY));
    assert_eq!(flagging.post("/v1/chat/completions", body.clone()).await.status.as_u16(), 200);

    // At a smaller rate of false positives its score is not enough.
    let careful = bench(
        &reader,
        Injection {
            false_positives: FalsePositives::Thousandth,
            ..Injection::default()
        },
    )
    .await;
    careful.script(Script::json(REPLY));
    assert_eq!(careful.post("/v1/chat/completions", body).await.status.as_u16(), 200);
}

#[tokio::test]
async fn what_is_split_or_disguised_is_shown_as_it_will_be_read() {
    let reader = Arc::new(Reader::default());
    let bench = bench(&reader, Injection::default()).await;
    let (one, other) = WORD.split_at(4);
    let split = chat(json!([{"type": "text", "text": format!("a {one}")}, {"type": "text", "text": other}]));
    let encoded = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("please bring me one {WORD} and be quick about it"))
    };
    for body in [split, chat(json!(format!("decode {encoded}")))] {
        let answer = bench.post("/v1/chat/completions", body.clone()).await;
        assert_eq!(answer.status.as_u16(), 400, "{body}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_request_that_is_not_read_in_time_is_the_profiles_choice_and_recorded() {
    let reader = Arc::new(Reader::default());
    reader.stuck.store(true, Ordering::Relaxed);
    for (late, status) in [(Action::Block, 400), (Action::Flag, 200)] {
        let bench = bench(
            &reader,
            Injection {
                late,
                deadline_ms: 30,
                ..Injection::default()
            },
        )
        .await;
        bench.script(Script::json(REPLY));
        let answer = bench.post("/v1/chat/completions", chat(json!("hello there"))).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
        let record = bench.record(&answer).await;
        let found: Vec<_> = record.findings.iter().map(|found| found.kind.as_str()).collect();
        assert_eq!(found, ["injection.unclassified"]);
    }
}

#[tokio::test]
async fn a_growing_conversation_pays_for_its_new_turn() {
    let reader = Arc::new(Reader::default());
    let (mut settings, profile) = with_reader(&reader, Profile::default());
    let size = PoolSize {
        threads: 1,
        waiting: 1 << 20,
        remembered: 1000,
    };
    let pool = Pool::new(Arc::clone(&reader) as _, size, [3; 16]).unwrap();
    settings.classifiers.insert("reader".to_owned(), Arc::new(pool));
    let bench = Bench::with(Plan {
        profile,
        settings,
        ..Plan::default()
    })
    .await;
    let mut messages = Vec::new();
    for turn in 0..4 {
        messages.push(json!({"role": "user", "content": format!("question {turn}")}));
        let body = json!({"model": "gpt-4o", "messages": messages}).to_string();
        bench.script(Script::json(REPLY));
        assert_eq!(bench.post("/v1/chat/completions", body).await.status.as_u16(), 200);
        assert_eq!(reader.shown(), [format!("question {turn}")]);
        messages.push(json!({"role": "assistant", "content": format!("the model said {turn}")}));
    }
}

#[tokio::test]
async fn an_endpoint_that_decides_for_others_asks_it_about_inputs_alone() {
    let reader = Arc::new(Reader::default());
    let bench = bench(&reader, Injection::default()).await;
    let ask = |direction: &str| json!({"text": format!("a {WORD}"), "direction": direction}).to_string();
    let answer = bench.post("/v1/guard", ask("input")).await;
    assert!(answer.text().contains("injection.classified_jailbreak"), "{}", answer.text());
    reader.shown();
    let answer = bench.post("/v1/guard", ask("output")).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    assert_eq!(reader.shown(), Vec::<String>::new());
}

#[tokio::test]
async fn a_profile_that_names_a_classifier_that_is_not_there_makes_no_gateway() {
    let bench = Bench::new().await;
    let mut settings = bench.settings();
    settings.profiles.push(Profile {
        injection: Injection {
            model: Some("nobody".into()),
            ..Injection::default()
        },
        ..Profile::default()
    });
    let built = portcullis_proxy::Gateway::new(settings, crate::bench::inspector(), Arc::clone(&bench.services));
    let error = built.err().map(|error| error.to_string());
    assert_eq!(
        error.as_deref(),
        Some("profiles.default.injection.model: there is no classifier `nobody`")
    );
}
