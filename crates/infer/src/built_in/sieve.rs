//! The first stage: says in microseconds which windows need no second look (FORMAT.md, 4).

use std::collections::HashMap;

use rten_simd::{Isa, SimdOp};
use serde::Deserialize;

use super::LoadError;
use super::tensors::Tensors;

/// Numbers of a feature.
const DIM: usize = 16;

/// A score that is farther from nothing says no more.
const FAR: f32 = 8.0;

/// What `config.json` says of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Told {
    dim: usize,
    bits: u32,
    hidden: usize,
    #[serde(flatten)]
    limit: Limit,
    /// Channels that have limits of their own.
    #[serde(default)]
    channels: HashMap<String, Limit>,
    /// How much of its score counts in the verdict: it sees what the second stage does not.
    #[serde(default)]
    share: f32,
}

/// From which score on a window goes on to the second stage.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Limit {
    pass: f32,
    short: Option<Short>,
}

impl Limit {
    fn is_whole(self) -> bool {
        self.pass.is_finite() && self.short.is_none_or(|short| short.pass.is_finite())
    }

    fn lets(self, score: f32, pieces: usize) -> bool {
        let short = self.short.filter(|short| pieces <= short.pieces);
        score >= short.map_or(self.pass, |short| short.pass)
    }
}

/// Windows that cost the second stage little, of which more are let through: a window costs by its pieces.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Short {
    pieces: usize,
    pass: f32,
}

impl Told {
    /// Whether its numbers are any, and its channels among these.
    pub fn is_whole(&self, channels: &HashMap<String, u16>) -> bool {
        let own = |(name, limit): (&String, &Limit)| channels.contains_key(name) && limit.is_whole();
        self.limit.is_whole() && self.channels.iter().all(own) && (0.0..=1.0).contains(&self.share)
    }

    /// Whether a window of so many pieces goes on to the second stage.
    pub fn lets(&self, channel: &str, score: f32, pieces: usize) -> bool {
        let limit = self.channels.get(channel).unwrap_or(&self.limit);
        limit.lets(score, pieces)
    }

    /// What a score adds to the second stage's logit of any attack.
    pub fn adds(&self, score: f32) -> f32 {
        self.share * score.clamp(-FAR, FAR)
    }
}

/// A feature: eight-bit numbers and their scale.
struct Row {
    numbers: [i8; DIM],
    scale: f32,
}

pub(super) struct Sieve {
    piece: Vec<Row>,
    gram: Vec<Row>,
    shift: u32,
    channel: Vec<f32>,
    hidden: Vec<f32>,
    hidden_bias: Vec<f32>,
    out: Vec<f32>,
    out_bias: f32,
}

impl Sieve {
    pub fn open(
        tensors: &Tensors<'_>,
        told: &Told,
        pieces: usize,
        specials: usize,
    ) -> Result<Sieve, LoadError> {
        if told.dim != DIM || !(1..=16).contains(&told.bits) || !(1..=4096).contains(&told.hidden) {
            return Err(LoadError::Config("the sizes of the sieve"));
        }
        let out_bias = tensors.f32("sieve.out.bias", &[1])?;
        Ok(Sieve {
            piece: rows(tensors, "sieve.piece", pieces)?,
            gram: rows(tensors, "sieve.gram", 1 << told.bits)?,
            shift: 32 - told.bits,
            channel: tensors.f32("sieve.channel", &[specials, DIM])?,
            hidden: tensors.f32("sieve.hidden.weight", &[told.hidden, 3 * DIM])?,
            hidden_bias: tensors.f32("sieve.hidden.bias", &[told.hidden])?,
            out: tensors.f32("sieve.out.weight", &[1, told.hidden])?,
            out_bias: out_bias.first().copied().unwrap_or_default(),
        })
    }

    /// The score of a window: its channel's id and its pieces.
    pub fn score(&self, channel: u16, pieces: &[u16]) -> f32 {
        let mut features = [0.0; 3 * DIM];
        let ([mean, top, own], _) = features.as_chunks_mut::<DIM>() else {
            return 0.0;
        };
        if !pieces.is_empty() {
            (*mean, *top) = Gather { sieve: self, pieces }.dispatch();
        }
        let (channels, _) = self.channel.as_chunks::<DIM>();
        *own = channels.get(usize::from(channel)).copied().unwrap_or_default();
        let (weights, _) = self.hidden.as_chunks::<{ 3 * DIM }>();
        let hidden = weights
            .iter()
            .zip(&self.hidden_bias)
            .zip(&self.out)
            .map(|((weights, bias), out)| {
                let sum: f32 = weights
                    .iter()
                    .zip(&features)
                    .map(|(weight, feature)| weight * feature)
                    .sum();
                (sum + bias).max(0.0) * out
            });
        hidden.sum::<f32>() + self.out_bias
    }
}

fn rows(tensors: &Tensors<'_>, name: &str, count: usize) -> Result<Vec<Row>, LoadError> {
    let numbers = tensors.i8(&format!("{name}.q"), &[count, DIM])?;
    let scales = tensors.f16(&format!("{name}.d"), &[count])?;
    let (numbers, _) = numbers.as_chunks::<DIM>();
    let rows = numbers.iter().zip(scales);
    Ok(rows
        .map(|(numbers, scale)| Row {
            numbers: *numbers,
            scale,
        })
        .collect())
}

/// Where a pair of neighbours is.
fn pair(a: u16, b: u16) -> u32 {
    u32::from(a).wrapping_mul(0x9E37_79B1) ^ u32::from(b).wrapping_mul(0x85EB_CA77)
}

/// Where a triple is, from its first pair.
fn triple(pair: u32, c: u16) -> u32 {
    pair.wrapping_mul(0xC2B2_AE3D) ^ u32::from(c).wrapping_mul(0x27D4_EB2F)
}

fn bucket(hash: u32, shift: u32) -> usize {
    ((hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D) >> shift) as usize
}

/// Mean and maximum of all features of some pieces, of which there is at least one.
struct Gather<'a> {
    sieve: &'a Sieve,
    pieces: &'a [u16],
}

impl SimdOp for Gather<'_> {
    type Output = ([f32; DIM], [f32; DIM]);

    // The instruction set is what the loops are compiled for; they are left to the compiler.
    #[inline(always)]
    fn eval<I: Isa>(self, _: I) -> Self::Output {
        let mut so_far = ([0.0; DIM], [f32::NEG_INFINITY; DIM]);
        let Sieve {
            piece, gram, shift, ..
        } = self.sieve;
        for id in self.pieces {
            add(&mut so_far, piece.get(usize::from(*id)));
        }
        let (mut second, mut third) = (self.pieces.iter().skip(1), self.pieces.iter().skip(2));
        for a in self.pieces {
            let Some(b) = second.next() else { break };
            let hash = pair(*a, *b);
            add(&mut so_far, gram.get(bucket(hash, *shift)));
            let Some(c) = third.next() else { break };
            add(&mut so_far, gram.get(bucket(triple(hash, *c), *shift)));
        }
        let features = (3 * self.pieces.len()).saturating_sub(3).max(1) as f32;
        let (sum, top) = so_far;
        (sum.map(|sum| sum / features), top)
    }
}

#[inline(always)]
fn add(so_far: &mut ([f32; DIM], [f32; DIM]), row: Option<&Row>) {
    let Some(row) = row else { return };
    let (sum, top) = so_far;
    for ((number, sum), top) in row.numbers.iter().zip(sum).zip(top) {
        let number = f32::from(*number) * row.scale;
        *sum += number;
        *top = if number > *top { number } else { *top };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_reference() {
        // What sieve.hashed of train/sieve.py gives.
        for (a, b, c, two, three) in [
            (9, 10, 11, 51041, 26676),
            (0, 0, 0, 0, 0),
            (65535, 1, 43999, 62215, 26866),
            (43999, 65535, 12, 24109, 14521),
            (300, 300, 300, 19831, 28651),
        ] {
            assert_eq!(bucket(pair(a, b), 16), two);
            assert_eq!(bucket(triple(pair(a, b), c), 16), three);
        }
    }

    fn told(more: &str) -> Told {
        serde_json::from_str(&format!(
            r#"{{"dim": 16, "bits": 16, "hidden": 32, "pass": 1.5{more}}}"#
        ))
        .unwrap()
    }

    fn channels() -> HashMap<String, u16> {
        HashMap::from([("user".to_owned(), 3), ("email".to_owned(), 7)])
    }

    #[test]
    fn short_windows_have_a_limit_of_their_own() {
        let (plain, with) = (
            told(""),
            told(r#", "short": {"pieces": 48, "pass": -2}, "channels": {"user": {"pass": 3}}"#),
        );
        for (channel, score, pieces, one, other) in [
            ("email", 1.5, 20, true, true),
            ("email", 0.0, 48, false, true),
            ("email", 0.0, 49, false, false),
            ("email", -3.0, 9, false, false),
            ("user", 2.0, 9, true, false),
            ("user", 3.0, 99, true, true),
        ] {
            assert_eq!(
                (
                    plain.lets(channel, score, pieces),
                    with.lets(channel, score, pieces)
                ),
                (one, other),
                "{channel} {score} {pieces}"
            );
        }
        assert!(with.is_whole(&channels()) && !plain.lets("user", f32::NAN, 1));
        assert!(!told(r#", "channels": {"nowhere": {"pass": 3}}"#).is_whole(&channels()));
    }

    #[test]
    fn a_share_of_the_score_counts() {
        assert_eq!(told("").adds(3.0), 0.0);
        let with = told(r#", "share": 0.5"#);
        assert_eq!((with.adds(3.0), with.adds(-99.0)), (1.5, -4.0));
        assert!(with.is_whole(&channels()) && with.adds(f32::NAN).is_nan());
        for wrong in ["1.5", "-0.5"] {
            assert!(!told(&format!(r#", "share": {wrong}"#)).is_whole(&channels()));
        }
    }
}
