//! Bring your own model: a folder of the Hugging Face layout as a classifier.
//!
//! A folder has `config.json`, `tokenizer.json` and `model.safetensors` (or `model.safetensors.index.json` and the files that it
//! names), of one of the architectures in `nets`. Nothing is downloaded, no code of a folder is run, and no other format is read.
//!
//! A text is read whole, window by window, with an eighth of a window in common; its score is that of the worst window. One
//! classification computes on one thread. `candle` asks for the number of cores before each product of matrices, which reads
//! `/proc/cpuinfo`: on a machine with many, `RAYON_NUM_THREADS=1` in the environment spares that.

mod desk;
mod error;
mod files;
mod labels;
mod math;
mod nets;
mod tokens;
mod weights;

use std::path::Path;

use portcullis_core::{Channel, Span};
use portcullis_inspect::{Attempt, Classifier, Opinion, Question, Rate};
use serde_json::Value;

pub use self::error::LoadError;

use self::desk::{Desk, Desks};
use self::labels::Labels;
use self::nets::{ARCHITECTURES, Net};
use self::tokens::{Stretch, Tokens, Window};
use self::weights::Weights;

/// The most bytes of `config.json`.
const CONFIG_LIMIT: u64 = 1 << 20;
/// What a model is tried on when it is loaded.
const TRIAL: &str = "Hello, how are you?";

/// What a folder does not say.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The classifier's name in records; the folder's if there is none.
    pub id: Option<String>,
    /// Names or ids of the labels that are attacks. Empty: told by the words of their names, or refused.
    pub attack_labels: Vec<String>,
    /// The score from which on a text is an attack, on every channel and at every rate: in 0..=1.
    pub threshold: f32,
    /// The most tokens in a window, special ones included. Longer ones cost more time a token; a model's own limit holds too.
    pub window: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            id: None,
            attack_labels: Vec::new(),
            threshold: 0.5,
            window: 512,
        }
    }
}

/// A classifier from a folder.
pub struct Hub {
    id: String,
    tokens: Tokens,
    net: Box<dyn Net>,
    labels: Labels,
    threshold: f32,
    desks: Desks,
}

/// What a model says of a window of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The ids it read, with the special tokens around.
    pub ids: Vec<u32>,
    /// The bytes of the text that each is; empty for special tokens.
    pub places: Vec<Span>,
    /// The bytes of the text that the window has. None where nothing of the text is in it.
    pub span: Option<Span>,
    /// A number a label.
    pub logits: Vec<f32>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = out.debug_struct("Hub");
        out.field("id", &self.id)
            .field("labels", &self.labels)
            .finish_non_exhaustive()
    }
}

impl Hub {
    /// Reads a folder, and tries the model on a short text.
    ///
    /// # Errors
    /// Where a file is missing or not what it should be, or the model is of a kind that is not supported.
    pub fn load(folder: &Path, options: &Options) -> Result<Hub, LoadError> {
        check(options)?;
        let config: Value = files::json(&folder.join("config.json"), CONFIG_LIMIT)?;
        let architecture = architecture(&config)?;
        let labels = Labels::read(&config, &options.attack_labels)?;
        let weights = Weights::open(folder)?;
        let desks = Desks::default();
        let trial = |why: String| LoadError::Trial { why };
        let panicked = || trial("a library that reads it gave up".to_owned());
        let desk = desks.take().map_err(|why| trial(why.to_string()))?;
        let net = desk
            .run(|| (architecture.build)(&config, &weights, labels.count()))
            .ok_or_else(panicked)??;
        let limit = net.limit().min(options.window);
        let path = folder.join("tokenizer.json");
        let tokens = desk
            .run(|| Tokens::load(&path, limit, net.vocabulary()))
            .ok_or_else(panicked)??;
        drop(desk);
        let hub = Hub {
            id: options.id.clone().unwrap_or_else(|| name(folder)),
            tokens,
            net,
            labels,
            threshold: options.threshold,
            desks,
        };
        hub.trial().map_err(trial)?;
        Ok(hub)
    }

    /// What the model says of each window of a text, in order. None where it may not go on, or could not.
    pub fn read(&self, text: &str, go_on: &dyn Fn() -> bool) -> Option<Vec<Reading>> {
        let mut readings = Vec::new();
        self.walk(text, go_on, |window, logits| {
            readings.push(Reading {
                ids: window.ids,
                places: window.places,
                span: window.span,
                logits,
            });
        })?;
        Some(readings)
    }

    fn walk(
        &self,
        text: &str,
        go_on: &dyn Fn() -> bool,
        mut each: impl FnMut(Window, Vec<f32>),
    ) -> Option<()> {
        let desk = self.desks.take().ok()?;
        let mut next = Some(0);
        while let Some(start) = next {
            if !go_on() {
                return None;
            }
            let stretch = desk.run(|| self.tokens.stretch(text, start))?;
            let Stretch { windows, next: then } = stretch.ok()?;
            for window in windows {
                let logits = self.logits(&desk, &window.ids, go_on)?.ok()?;
                each(window, logits);
            }
            next = then;
        }
        Some(())
    }

    /// Goes through the layers. A layer is the piece of work between two questions whether to go on.
    fn logits(
        &self,
        desk: &Desk<'_>,
        ids: &[u32],
        go_on: &dyn Fn() -> bool,
    ) -> Option<candle_core::Result<Vec<f32>>> {
        if !go_on() {
            return None;
        }
        let mut state = match desk.run(|| self.net.begin(ids))? {
            Ok(state) => state,
            Err(why) => return Some(Err(why)),
        };
        for number in 0..self.net.depth() {
            if !go_on() {
                return None;
            }
            state = match desk.run(|| self.net.layer(number, state))? {
                Ok(state) => state,
                Err(why) => return Some(Err(why)),
            };
        }
        let end = || self.net.end(&state)?.squeeze(0)?.to_vec1();
        desk.run(end)
    }

    /// A model whose parts do not fit, or whose numbers are none, is found now and not at the first request.
    fn trial(&self) -> Result<(), String> {
        let desk = self.desks.take().map_err(|why| why.to_string())?;
        let panicked = || "a library that runs it gave up".to_owned();
        let stretch = desk.run(|| self.tokens.stretch(TRIAL, 0)).ok_or_else(panicked)?;
        let stretch = stretch.map_err(|why| why.to_string())?;
        for window in stretch.windows {
            let logits = self.logits(&desk, &window.ids, &|| true);
            let logits = logits.ok_or_else(panicked)?.map_err(|why| why.to_string())?;
            if self.labels.judge(&logits).is_none() {
                return Err(format!("it says {logits:?} of a short text"));
            }
        }
        Ok(())
    }
}

impl Classifier for Hub {
    fn id(&self) -> &str {
        &self.id
    }

    fn threshold(&self, _channel: Channel, _rate: Rate) -> f32 {
        self.threshold
    }

    fn classify(&self, question: Question<'_>, go_on: &dyn Fn() -> bool) -> Option<Opinion> {
        let text = question.text;
        // A text without tokens says nothing to a model, whatever a model says of it.
        let mut worst = Opinion {
            score: 0.0,
            attempt: Attempt::Injection,
            span: Span::new(0, text.len()),
        };
        let mut known = true;
        self.walk(text, go_on, |window, logits| {
            let Some(span) = window.span else { return };
            match self.labels.judge(&logits) {
                Some((score, attempt)) if score > worst.score => {
                    worst = Opinion { score, attempt, span };
                }
                Some(_) => {}
                None => known = false,
            }
        })?;
        known.then_some(worst)
    }
}

fn check(options: &Options) -> Result<(), LoadError> {
    if (0.0..=1.0).contains(&options.threshold) {
        return Ok(());
    }
    Err(LoadError::Options {
        why: format!("a threshold of {} is not in 0..=1", options.threshold),
    })
}

/// The first of `architectures` decides, as it does in the reference.
fn architecture(config: &Value) -> Result<&'static nets::Architecture, LoadError> {
    let found = config
        .get("architectures")
        .and_then(|list| list.get(0))
        .and_then(Value::as_str)
        .unwrap_or("(none)");
    let known = ARCHITECTURES.iter().find(|known| known.name == found);
    known.ok_or_else(|| {
        let names: Vec<&str> = ARCHITECTURES.iter().map(|known| known.name).collect();
        LoadError::Architecture {
            found: found.to_owned(),
            supported: names.join(", "),
        }
    })
}

fn name(folder: &Path) -> String {
    let last = folder.file_name().unwrap_or(folder.as_os_str());
    last.to_string_lossy().into_owned()
}
