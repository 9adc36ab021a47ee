//! `config.json` and `thresholds.json`: sizes, channels, calibration. Everything is checked before it is used.

use std::collections::HashMap;

use portcullis_core::Channel;
use portcullis_inspect::{Question, Rate};
use serde::Deserialize;

use super::LoadError;
use super::encoder::Logits;
use super::glance;
use super::limits::Limits;
use super::sieve;
use super::tensors::BLOCK;

const FORMAT: &str = "portcullis-classifier-1";
/// In the order of the logits.
const LABELS: [&str; 4] = ["any", "injection", "jailbreak", "extraction"];
/// The entry of thresholds that holds for channels without one.
const ALL: &str = "all";

/// `config.json`.
#[derive(Deserialize)]
pub(super) struct Config {
    format: String,
    labels: Vec<String>,
    pub hidden: usize,
    heads: usize,
    pub layers: usize,
    /// Before which layer the channel's vector joins the first place.
    pub channel_layer: Option<usize>,
    pub ff: usize,
    pub vocabulary: usize,
    pub specials: usize,
    pub layer_norm_eps: f32,
    pub window: usize,
    pub body: usize,
    pub stride: usize,
    channels: HashMap<String, u16>,
    pub end: u16,
    calibration: HashMap<String, Curve>,
    pub sieve: sieve::Told,
    /// What looks between the first stage and the last.
    pub glance: glance::Told,
    /// Labels whose own logits count as ones of `any`: they may order their kind better.
    #[serde(default)]
    joined: HashMap<String, Joined>,
}

/// Where a label's logit counts as one of `any`, and how much is added to it.
#[derive(Deserialize)]
struct Joined {
    offset: f32,
    channels: Vec<String>,
}

/// Makes a probability of a logit.
#[derive(Clone, Copy, Deserialize)]
struct Curve {
    slope: f64,
    offset: f64,
}

impl Curve {
    fn at(self, logit: f32) -> f32 {
        (1.0 / (1.0 + (-(self.slope * f64::from(logit) + self.offset)).exp())) as f32
    }
}

impl Config {
    pub fn open(raw: &[u8]) -> Result<Config, LoadError> {
        let config: Config =
            serde_json::from_slice(raw).map_err(|source| LoadError::json("config.json", source))?;
        let c = &config;
        let small = |curve: &Curve| curve.slope.abs() <= 1e6 && curve.offset.abs() <= 1e6;
        let rules = [
            (c.format == FORMAT, "the format"),
            (c.labels == LABELS, "the labels"),
            (
                (1..=4096).contains(&c.hidden) && c.hidden.is_multiple_of(BLOCK),
                "the width of states",
            ),
            (
                (1..=16384).contains(&c.ff) && c.ff.is_multiple_of(BLOCK),
                "the width between",
            ),
            (
                c.heads > 0 && c.hidden.is_multiple_of(c.heads),
                "the number of heads",
            ),
            (
                c.head() > 0 && c.head().is_multiple_of(BLOCK),
                "the width of a head",
            ),
            ((1..=64).contains(&c.layers), "the number of layers"),
            (
                c.channel_layer.is_none_or(|layer| layer < c.layers),
                "the channel's layer",
            ),
            (
                c.vocabulary <= 65_536 && c.specials < c.vocabulary,
                "the number of pieces",
            ),
            (
                c.layer_norm_eps > 0.0 && c.layer_norm_eps <= 1e-3,
                "layer_norm_eps",
            ),
            (
                (3..=4096).contains(&c.window) && (1..=c.window - 2).contains(&c.body),
                "the windows",
            ),
            ((1..=c.body).contains(&c.stride), "the stride"),
            (usize::from(c.end) < c.specials, "the end piece"),
            (
                c.channels.values().all(|id| usize::from(*id) < c.specials),
                "the channels",
            ),
            (c.channels.contains_key(Channel::Unknown.name()), "the channels"),
            (
                LABELS
                    .iter()
                    .all(|label| c.calibration.get(*label).is_some_and(small)),
                "the calibration",
            ),
            (
                c.calibration.get("any").is_some_and(|curve| curve.slope > 0.0),
                "the calibration",
            ),
            (c.sieve.limits.is_whole(&c.channels), "the sieve"),
            (
                c.joined.iter().all(|(label, joined)| {
                    LABELS.contains(&label.as_str())
                        && joined.offset.is_finite()
                        && joined
                            .channels
                            .iter()
                            .all(|channel| c.channels.contains_key(channel))
                }),
                "what joins the verdict",
            ),
            (
                c.glance.is_whole() && c.glance.limits.is_whole(&c.channels),
                "the glance",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, what)) => Err(LoadError::Config(what)),
            None => Ok(config),
        }
    }

    /// Width of a head.
    pub fn head(&self) -> usize {
        self.hidden / self.heads.max(1)
    }

    /// Pieces that have a word vector.
    pub fn words(&self) -> usize {
        self.vocabulary.saturating_sub(self.specials)
    }

    /// The special piece of a channel; of one that was not trained, the one of `unknown`.
    pub fn channel(&self, channel: Channel) -> u16 {
        let named = |channel: Channel| self.channels.get(channel.name()).copied();
        named(channel)
            .or_else(|| named(Channel::Unknown))
            .unwrap_or_default()
    }

    /// A channel's name among those that were trained.
    fn trained(&self, channel: Channel) -> &'static str {
        let known = self.channels.contains_key(channel.name());
        if known { channel } else { Channel::Unknown }.name()
    }

    /// The score from which on a stage of these limits sends a window of so many pieces on.
    pub fn limit(&self, limits: &Limits, question: Question<'_>, pieces: usize) -> f32 {
        limits
            .at(question.rate)
            .of(self.trained(question.channel), pieces)
    }

    /// Logits of a window, with those in `any` that join it and with what the earlier stages add.
    pub fn joined(&self, channel: Channel, logits: Logits, more: f32) -> Logits {
        let mut with = logits;
        let [any, ..] = &mut with;
        let place = self.trained(channel);
        for (label, logit) in LABELS.iter().zip(logits) {
            let joined = self.joined.get(*label);
            let joined = joined.filter(|joined| joined.channels.iter().any(|channel| channel == place));
            // What is no number stays none: it is not larger and not smaller.
            if let Some(joined) = joined
                && logit + joined.offset > *any
            {
                *any = logit + joined.offset;
            }
        }
        *any += more;
        with
    }

    /// Probabilities of logits, where attacks and harmless texts are equally frequent.
    pub fn calibrated(&self, logits: Logits) -> Logits {
        let mut out = logits;
        for (score, label) in out.iter_mut().zip(LABELS) {
            *score = self.calibration.get(label).map_or(0.0, |curve| curve.at(*score));
        }
        out
    }
}

#[derive(Deserialize)]
struct Told {
    rates: HashMap<String, HashMap<String, Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    threshold: f32,
}

/// From which calibrated score on a text is an attack.
pub(super) struct Thresholds {
    hundredth: HashMap<Channel, f32>,
    thousandth: HashMap<Channel, f32>,
}

impl Thresholds {
    /// Reads `thresholds.json`, whose thresholds are logits.
    pub fn open(raw: &[u8], config: &Config) -> Result<Thresholds, LoadError> {
        let told: Told =
            serde_json::from_slice(raw).map_err(|source| LoadError::json("thresholds.json", source))?;
        let of = |rate: &str| -> Option<HashMap<Channel, f32>> {
            let entries = told.rates.get(rate)?;
            let threshold = |channel: &Channel| {
                let entry = entries
                    .get(config.trained(*channel))
                    .or_else(|| entries.get(ALL))?;
                let [any, ..] = config.calibrated([entry.threshold; 4]);
                entry.threshold.is_finite().then_some((*channel, any))
            };
            Channel::ALL.iter().map(threshold).collect()
        };
        let read = |rate| of(rate).ok_or(LoadError::Thresholds(rate));
        Ok(Thresholds {
            hundredth: read("0.01")?,
            thousandth: read("0.001")?,
        })
    }

    /// `open` made sure that every channel has one.
    pub fn of(&self, channel: Channel, rate: Rate) -> f32 {
        let table = match rate {
            Rate::Hundredth => &self.hundredth,
            Rate::Thousandth => &self.thousandth,
        };
        table.get(&channel).copied().unwrap_or(0.5)
    }
}
