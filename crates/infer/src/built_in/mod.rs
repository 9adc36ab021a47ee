//! The classifier that comes with Portcullis: a sieve that says in microseconds which windows of a text need no second
//! look, a glance at those that do, and an encoder for what is still doubtful.
//!
//! The files and all arithmetic are those of `train/FORMAT.md`. Nothing here downloads, trains or decides: a score and
//! the threshold that was measured for it are what a caller gets.

mod alone;
mod attention;
mod config;
mod encoder;
mod glance;
mod layer;
mod limits;
mod linear;
mod normalise;
#[cfg(test)]
mod parity;
mod pieces;
mod rows;
mod sieve;
mod tensors;
mod windows;

use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use portcullis_core::{Channel, Span};
use portcullis_inspect::{Attempt, Classifier, Opinion, Question, Rate};

use alone::alone;
use config::{Config, Thresholds};
use encoder::{Encoder, Logits};
use glance::Glance;
use layer::Scratch;
use limits::goes_on;
use linear::{Engine, Precision};
use pieces::{Piece, Vocabulary};
use sieve::Sieve;
use tensors::Tensors;

/// What a window's logits are that an early stage found harmless.
const HARMLESS: Logits = [-30.0; 4];

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// Its name.
        file: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not the JSON that it should be.
    #[error("{file} cannot be read: {source}")]
    Json {
        /// Its name.
        file: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A setting of `config.json` is of another format or out of bounds.
    #[error("config.json: {0} cannot be used")]
    Config(&'static str),
    /// `tokenizer.json` does not fit.
    #[error("tokenizer.json: {0}")]
    Tokenizer(&'static str),
    /// `thresholds.json` lacks a rate.
    #[error("thresholds.json has no thresholds for the rate {0}")]
    Thresholds(&'static str),
    /// A tensor of `model.safetensors` does not fit.
    #[error("model.safetensors: {name}: {why}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl LoadError {
    fn json(file: &'static str, source: serde_json::Error) -> LoadError {
        LoadError::Json { file, source }
    }

    fn tensor(name: &str, why: &'static str) -> LoadError {
        LoadError::Tensor {
            name: name.to_owned(),
            why,
        }
    }
}

/// The bytes of a model's files.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// `model.safetensors`
    pub model: &'a [u8],
    /// `config.json`
    pub config: &'a [u8],
    /// `tokenizer.json`
    pub tokenizer: &'a [u8],
    /// `thresholds.json`
    pub thresholds: &'a [u8],
}

/// A model, ready to read. Reading uses the thread that asks and no other.
pub struct BuiltIn {
    config: Config,
    thresholds: Thresholds,
    vocabulary: Vocabulary,
    sieve: Sieve,
    glance: Glance,
    encoder: Encoder,
    /// Room that is not in use: as many as there ever were readings at once.
    rooms: Mutex<Vec<Scratch>>,
}

/// What the stages before the last say of a window.
enum Early {
    Harmless,
    /// It is read, and so much is added to its logit of any attack.
    Doubtful(f32),
    /// A number came out that is none.
    Broken,
}

/// What the windows of a text came to.
struct Verdict {
    /// The largest of all windows.
    logits: Logits,
    /// The pieces that look worst.
    worst: Range<usize>,
}

/// The files that are part of the program: `train/MODEL_CARD.md` tells what they are.
static EMBEDDED: Files<'static> = Files {
    model: include_bytes!("../../weights/model.safetensors"),
    config: include_bytes!("../../weights/config.json"),
    tokenizer: include_bytes!("../../weights/tokenizer.json"),
    thresholds: include_bytes!("../../weights/thresholds.json"),
};

impl BuiltIn {
    /// Opens the model that is part of the program.
    pub fn load() -> Result<BuiltIn, LoadError> {
        BuiltIn::from_bytes(&EMBEDDED)
    }

    /// Opens a model. Nothing of `files` is kept.
    pub fn from_bytes(files: &Files<'_>) -> Result<BuiltIn, LoadError> {
        BuiltIn::open(files, Precision::Eight)
    }

    /// Opens the model of a folder.
    pub fn from_files(folder: &Path) -> Result<BuiltIn, LoadError> {
        let read = |file| std::fs::read(folder.join(file)).map_err(|source| LoadError::Read { file, source });
        BuiltIn::from_bytes(&Files {
            model: &read("model.safetensors")?,
            config: &read("config.json")?,
            tokenizer: &read("tokenizer.json")?,
            thresholds: &read("thresholds.json")?,
        })
    }

    fn open(files: &Files<'_>, precision: Precision) -> Result<BuiltIn, LoadError> {
        let config = Config::open(files.config)?;
        let tensors = Tensors::open(files.model)?;
        Ok(BuiltIn {
            thresholds: Thresholds::open(files.thresholds, &config)?,
            vocabulary: Vocabulary::open(files.tokenizer, config.vocabulary, config.specials)?,
            sieve: Sieve::open(&tensors, &config.sieve, config.vocabulary, config.specials)?,
            glance: Glance::open(&tensors, &config, precision)?,
            encoder: Encoder::open(&tensors, &config, precision)?,
            config,
            rooms: Mutex::default(),
        })
    }

    /// How many windows of a text are read by the last stage, and of how many: what a text costs.
    #[must_use]
    pub fn sifted(&self, question: Question<'_>) -> (usize, usize) {
        let pieces = self.vocabulary.cut(question.text, &|| true).unwrap_or_default();
        let (engine, mut scratch, mut ids) = (Engine::new(), Scratch::default(), Vec::new());
        let (mut read, mut all) = (0, 0);
        for window in windows::windows(pieces.len(), self.config.body, self.config.stride) {
            self.fill(&mut ids, question.channel, pieces.get(window).unwrap_or_default());
            let early = self.early(&engine, question, &ids, self.sift(&ids), &mut scratch);
            read += usize::from(matches!(early, Early::Doubtful(_)));
            all += 1;
        }
        (read, all)
    }

    /// What the sieve, the glance's first member and the whole glance say of a window's ids, whatever becomes of it: for measuring.
    #[must_use]
    pub fn early_scores(&self, ids: &[u16]) -> Option<[f32; 3]> {
        alone();
        let (engine, first, mut scratch) = (Engine::new(), self.sift(ids), Scratch::default());
        let mut down_to = |enough| self.glanced(&engine, ids, first, enough, &mut scratch);
        Some([first, down_to(f32::INFINITY)?, down_to(f32::NEG_INFINITY)?])
    }

    /// What the last stage says of a window's ids, whatever the others would: for measuring.
    #[must_use]
    pub fn logits(&self, ids: &[u16]) -> Option<Logits> {
        alone();
        let mut scratch = Scratch::default();
        self.encoder.read(&Engine::new(), ids, &mut scratch)
    }

    /// The encoder's states of a window before one of its layers, pooled: first place, mean, maximum. For measuring.
    #[must_use]
    pub fn states(&self, ids: &[u16], layer: usize) -> Option<Vec<f32>> {
        alone();
        let mut scratch = Scratch::default();
        self.encoder.states(&Engine::new(), ids, layer, &mut scratch)
    }

    /// A window's ids: the channel, the pieces, the end.
    fn fill(&self, ids: &mut Vec<u16>, channel: Channel, pieces: &[Piece]) {
        ids.clear();
        ids.push(self.config.channel(channel));
        ids.extend(pieces.iter().map(|piece| piece.id));
        ids.push(self.config.end);
    }

    fn sift(&self, ids: &[u16]) -> f32 {
        match ids {
            [channel, pieces @ .., _] => self.sieve.score(*channel, pieces),
            _ => f32::INFINITY,
        }
    }

    /// The glance's score of a window of which the sieve said `first`; that of its first members, where it is less than `enough`.
    fn glanced(
        &self,
        engine: &Engine,
        ids: &[u16],
        first: f32,
        enough: f32,
        scratch: &mut Scratch,
    ) -> Option<f32> {
        let words = (self.encoder.words(), self.config.hidden);
        self.glance.score(engine, words, ids, first, enough, scratch)
    }

    /// What the stages before the last say of a window, of which the first one said `first`.
    fn early(
        &self,
        engine: &Engine,
        question: Question<'_>,
        ids: &[u16],
        first: f32,
        scratch: &mut Scratch,
    ) -> Early {
        let pieces = ids.len().saturating_sub(2);
        let (sieve, glance) = (&self.config.sieve.limits, &self.config.glance.limits);
        match goes_on(first, self.config.limit(sieve, question, pieces)) {
            None => return Early::Broken,
            Some(false) => return Early::Harmless,
            Some(true) => (),
        }
        let limit = self.config.limit(glance, question, pieces);
        let enough = self
            .config
            .glance
            .margin
            .map_or(f32::NEG_INFINITY, |margin| limit - margin);
        let Some(second) = self.glanced(engine, ids, first, enough, scratch) else {
            return Early::Broken;
        };
        match goes_on(second, limit) {
            None => Early::Broken,
            Some(false) => Early::Harmless,
            Some(true) => Early::Doubtful(sieve.adds(first) + glance.adds(second)),
        }
    }

    /// Reads all windows, or until one is certainly an attack. Nothing where the caller wants no more, or where a number came out
    /// that is none.
    fn windows(
        &self,
        pieces: &[Piece],
        question: Question<'_>,
        go_on: &dyn Fn() -> bool,
        scratch: &mut Scratch,
    ) -> Option<Verdict> {
        let channel = question.channel;
        let engine = Engine::new();
        let mut ids = Vec::with_capacity(self.config.window);
        let certain = self.certain(channel);
        let mut verdict: Option<(Verdict, (f32, f32))> = None;
        for window in windows::windows(pieces.len(), self.config.body, self.config.stride) {
            if !go_on() {
                return None;
            }
            self.fill(&mut ids, channel, pieces.get(window.clone())?);
            let first = self.sift(&ids);
            let logits = match self.early(&engine, question, &ids, first, scratch) {
                Early::Harmless => HARMLESS,
                Early::Doubtful(adds) => {
                    let logits = self.encoder.read(&engine, &ids, scratch)?;
                    self.config.joined(channel, logits, adds)
                }
                Early::Broken => return None,
            };
            if !logits.iter().all(|logit| logit.is_finite()) {
                return None;
            }
            let [any, ..] = logits;
            let (so_far, bad) = verdict.get_or_insert_with(|| {
                let worst = window.clone();
                (Verdict { logits, worst }, (any, first))
            });
            for (so_far, logit) in so_far.logits.iter_mut().zip(logits) {
                *so_far = so_far.max(logit);
            }
            // Of windows that the encoder did not read, the one that the first look liked least.
            if (any, first) > *bad {
                (so_far.worst, *bad) = (window, (any, first));
            }
            let [score, ..] = self.config.calibrated(logits);
            if score >= certain {
                break;
            }
        }
        verdict.map(|(verdict, _)| verdict)
    }
}

impl Classifier for BuiltIn {
    fn id(&self) -> &str {
        "built-in"
    }

    fn threshold(&self, channel: Channel, rate: Rate) -> f32 {
        self.thresholds.of(channel, rate)
    }

    fn classify(&self, question: Question<'_>, go_on: &dyn Fn() -> bool) -> Option<Opinion> {
        let text = question.text;
        // Places in a text have 32 bits.
        u32::try_from(text.len()).ok()?;
        let pieces = self.vocabulary.cut(text, go_on)?;
        alone();
        let rooms = || self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = rooms().pop().unwrap_or_default();
        let verdict = self.windows(&pieces, question, go_on, &mut scratch);
        rooms().push(scratch);
        let verdict = verdict?;
        let [score, kinds @ ..] = self.config.calibrated(verdict.logits);
        let mut likeliest = (f32::MIN, Attempt::Injection);
        for (score, attempt) in kinds.into_iter().zip(Attempt::ALL) {
            if score > likeliest.0 {
                likeliest = (score, attempt);
            }
        }
        let worst = pieces.get(verdict.worst).unwrap_or_default();
        let span = match worst {
            [first, .., last] => (first.start, last.end),
            [only] => (only.start, only.end),
            [] => (0, text.len() as u32),
        };
        Some(Opinion {
            score,
            attempt: likeliest.1,
            span: Span::new(span.0 as usize, span.1 as usize),
        })
    }
}
