//! Attention of all places of a window to each other, head by head, in 32 bits.
//!
//! Four queries go together: their scores, the softmax and the mean of values stay in the nearest cache.

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp, SimdUnaryOp};
use rten_vecmath::Exp;

/// Queries that go together: rows of queries and of the outcome come in multiples of it.
pub(super) const TOGETHER: usize = 4;

/// Room for one head's keys, values and weights.
#[derive(Default)]
pub(super) struct Room {
    keys: Vec<f32>,
    values: Vec<f32>,
    weights: Vec<f32>,
}

/// out = softmax(queries keys^T) values for every head; queries are scaled before.
pub(super) struct Attend<'a> {
    /// Rows of `hidden` numbers, a multiple of [`TOGETHER`].
    pub queries: &'a [f32],
    /// Rows of `2 * hidden` numbers, one for each place: keys, then values.
    pub both: &'a [f32],
    pub hidden: usize,
    /// A multiple of 32.
    pub head: usize,
    pub room: &'a mut Room,
    /// As `queries`.
    pub out: &'a mut [f32],
}

impl SimdOp for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Attend {
            queries,
            both,
            hidden,
            head,
            room,
            out,
        } = self;
        // Vectors go in pairs.
        let pair = 2 * isa.f32().len();
        let places = both.len() / (2 * hidden).max(1);
        let padded = places.next_multiple_of(pair);
        room.keys.resize(padded * head, 0.0);
        room.values.resize(places * head, 0.0);
        room.weights.resize(padded * TOGETHER, 0.0);
        for first in (0..hidden).step_by(head.max(1)) {
            lay_keys(both, hidden, first, head, pair, &mut room.keys);
            lay_values(both, hidden, first, head, pair, places, &mut room.values);
            let rows = queries
                .chunks_exact(TOGETHER * hidden)
                .zip(out.chunks_exact_mut(TOGETHER * hidden));
            for (queries, out) in rows {
                score(
                    isa,
                    queries,
                    hidden,
                    first,
                    head,
                    &room.keys,
                    &mut room.weights,
                    padded,
                );
                let mut shares = [0.0; TOGETHER];
                for (row, share) in room.weights.chunks_exact_mut(padded).zip(&mut shares) {
                    *share = soften(isa, row, places);
                }
                mix(
                    isa,
                    &room.weights,
                    padded,
                    places,
                    &room.values,
                    shares,
                    out,
                    hidden,
                    first,
                    head,
                );
            }
        }
    }
}

/// Keys as panels of `pair` places: one row of a panel holds a dimension of all of them.
#[inline(always)]
fn lay_keys(both: &[f32], hidden: usize, first: usize, head: usize, pair: usize, keys: &mut [f32]) {
    let mut rows = both.chunks_exact(2 * hidden);
    for panel in keys.chunks_exact_mut(head * pair) {
        for place in 0..pair {
            let Some(row) = rows.next().and_then(|row| row.get(first..first + head)) else {
                break;
            };
            let column = panel
                .get_mut(place..)
                .unwrap_or_default()
                .iter_mut()
                .step_by(pair);
            column.zip(row).for_each(|(to, from)| *to = *from);
        }
    }
}

/// Values as panels of `pair` dimensions: one row of a panel for each place.
#[inline(always)]
fn lay_values(
    both: &[f32],
    hidden: usize,
    first: usize,
    head: usize,
    pair: usize,
    places: usize,
    values: &mut [f32],
) {
    for (at, panel) in values.chunks_exact_mut((places * pair).max(1)).enumerate() {
        let begin = hidden + first + at * pair;
        for (to, row) in panel.chunks_exact_mut(pair).zip(both.chunks_exact(2 * hidden)) {
            if let Some(from) = row.get(begin..begin + pair.min(head)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// The four rows of a block, from column `first` on.
#[inline(always)]
fn four(block: &[f32], width: usize, first: usize, long: usize) -> [&[f32]; TOGETHER] {
    std::array::from_fn(|row| {
        let begin = row * width + first;
        block.get(begin..begin + long).unwrap_or_default()
    })
}

#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "the inside of one loop, cut out so that it can be read"
)]
fn score<I: Isa>(
    isa: I,
    queries: &[f32],
    hidden: usize,
    first: usize,
    head: usize,
    keys: &[f32],
    weights: &mut [f32],
    padded: usize,
) {
    let ops = isa.f32();
    let pair = 2 * ops.len();
    let [a, b, c, d] = four(queries, hidden, first, head);
    for (at, panel) in keys.chunks_exact(head * pair).enumerate() {
        let mut sums = [[ops.zero(); 2]; TOGETHER];
        for ((((key, a), b), c), d) in panel.chunks_exact(pair).zip(a).zip(b).zip(c).zip(d) {
            let key: [_; 2] = ops.load_many(key);
            let query = [*a, *b, *c, *d];
            for (sums, query) in sums.iter_mut().zip(query) {
                let query = ops.splat(query);
                for (sum, key) in sums.iter_mut().zip(key) {
                    *sum = ops.mul_add(query, key, *sum);
                }
            }
        }
        for (row, sums) in weights.chunks_exact_mut(padded).zip(sums) {
            let to = row.get_mut(at * pair..).unwrap_or_default();
            for (to, sum) in to.chunks_exact_mut(ops.len()).zip(sums) {
                ops.store(sum, to);
            }
        }
    }
}

/// Scores become weights; what they add up to is given back as the share of one.
#[inline(always)]
fn soften<I: Isa>(isa: I, row: &mut [f32], places: usize) -> f32 {
    let ops = isa.f32();
    for beyond in row.iter_mut().skip(places) {
        *beyond = f32::MIN;
    }
    let mut top = ops.splat(f32::MIN);
    for chunk in row.chunks_exact(ops.len()) {
        top = ops.max(top, ops.load(chunk));
    }
    let top = ops.splat(top.to_array().into_iter().fold(f32::MIN, f32::max));
    let mut sum = ops.zero();
    for chunk in row.chunks_exact_mut(ops.len()) {
        let weight = Exp::apply(isa, ops.sub(ops.load(chunk), top));
        sum = ops.add(sum, weight);
        ops.store(weight, chunk);
    }
    let sum: f32 = sum.to_array().into_iter().sum();
    1.0 / sum
}

#[inline(always)]
#[expect(
    clippy::too_many_arguments,
    reason = "the inside of one loop, cut out so that it can be read"
)]
fn mix<I: Isa>(
    isa: I,
    weights: &[f32],
    padded: usize,
    places: usize,
    values: &[f32],
    shares: [f32; TOGETHER],
    out: &mut [f32],
    hidden: usize,
    first: usize,
    head: usize,
) {
    let ops = isa.f32();
    let pair = 2 * ops.len();
    let [a, b, c, d] = four(weights, padded, 0, places);
    for (at, panel) in values.chunks_exact((places * pair).max(1)).enumerate() {
        let mut sums = [[ops.zero(); 2]; TOGETHER];
        for ((((value, a), b), c), d) in panel.chunks_exact(pair).zip(a).zip(b).zip(c).zip(d) {
            let value: [_; 2] = ops.load_many(value);
            let weight = [*a, *b, *c, *d];
            for (sums, weight) in sums.iter_mut().zip(weight) {
                let weight = ops.splat(weight);
                for (sum, value) in sums.iter_mut().zip(value) {
                    *sum = ops.mul_add(weight, value, *sum);
                }
            }
        }
        let begin = first + at * pair;
        for ((row, sums), share) in out.chunks_exact_mut(hidden).zip(sums).zip(shares) {
            let to = row.get_mut(begin..begin + pair.min(head)).unwrap_or_default();
            let share = ops.splat(share);
            for (to, sum) in to.chunks_exact_mut(ops.len()).zip(sums) {
                ops.store(ops.mul(sum, share), to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: f32) -> Vec<f32> {
        (0..n)
            .map(|i| ((i as f32 + seed).sin() * 43758.547).fract() * 2.0)
            .collect()
    }

    #[test]
    fn as_in_plain_words() {
        let (hidden, head) = (128, 64);
        let mut room = Room::default();
        for places in [1, 2, 31, 32, 33, 128, 5] {
            let both = numbers(places * 2 * hidden, 0.3);
            let queries = numbers(8 * hidden, 0.7);
            let mut out = vec![9.0; 8 * hidden];
            Attend {
                queries: &queries,
                both: &both,
                hidden,
                head,
                room: &mut room,
                out: &mut out,
            }
            .dispatch();
            for row in 0..8 {
                for first in (0..hidden).step_by(head) {
                    let scores: Vec<f64> = (0..places)
                        .map(|place| {
                            (0..head)
                                .map(|i| {
                                    f64::from(queries[row * hidden + first + i])
                                        * f64::from(both[place * 2 * hidden + first + i])
                                })
                                .sum::<f64>()
                                .exp()
                        })
                        .collect();
                    let sum: f64 = scores.iter().sum();
                    for i in 0..head {
                        let value = |place: usize| f64::from(both[place * 2 * hidden + hidden + first + i]);
                        let want: f64 = (0..places).map(|place| scores[place] / sum * value(place)).sum();
                        assert!((f64::from(out[row * hidden + first + i]) - want).abs() < 1e-4);
                    }
                }
            }
        }
    }
}
