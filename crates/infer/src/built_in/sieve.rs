//! The first stage: says in microseconds which windows need no second look (FORMAT.md, 4).

use rten_simd::{Isa, SimdOp};
use serde::Deserialize;

use super::LoadError;
use super::limits::Limits;
use super::tensors::Tensors;

/// Numbers of a feature.
const DIM: usize = 16;

/// What `config.json` says of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Told {
    dim: usize,
    bits: u32,
    hidden: usize,
    #[serde(flatten)]
    pub limits: Limits,
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
}
