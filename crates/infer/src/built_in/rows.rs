//! What is done to rows of numbers between two products: vectorised, for the instruction set of the machine.
//!
//! The widths of all rows are multiples of 32, which [`super::encoder`] checks when a model is opened: no operation
//! here has a tail.

use rten_simd::ops::{BitOps, FloatOps, NarrowSaturate, NumOps};
use rten_simd::{Isa, Simd, SimdOp, SimdUnaryOp};
use rten_vecmath::Gelu;

use super::LoadError;
use super::tensors::Tensors;

/// Rows rounded to eight bits without a sign, each with a scale and a zero of its own: number = (q - zero) * scale.
#[derive(Default)]
pub(super) struct Rounded {
    pub q: Vec<u8>,
    pub zero: Vec<u8>,
    pub scale: Vec<f32>,
}

/// Rounds rows of `width` numbers to 0 ..= `top`.
pub(super) struct Round<'a> {
    pub rows: &'a [f32],
    pub width: usize,
    pub top: f32,
    pub out: &'a mut Rounded,
}

impl SimdOp for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Round {
            rows,
            width,
            top,
            out,
        } = self;
        // Rows are never longer than the longest of a model: no need to give room back.
        if out.q.len() < rows.len() {
            out.q.resize(rows.len(), 0);
        }
        out.zero.clear();
        out.scale.clear();
        for (row, q) in rows.chunks_exact(width).zip(out.q.chunks_exact_mut(width)) {
            let (low, high) = bounds(isa, row);
            // Zero is always within, and a row of nothing but zeros has a scale too.
            let scale = ((high - low) / top).max(1e-20);
            let zero = (-low / scale + 0.5).min(top) as u8;
            round_row(isa, row, 1.0 / scale, zero, top as i32, q);
            out.zero.push(zero);
            out.scale.push(scale);
        }
    }
}

#[inline(always)]
fn round_row<I: Isa>(isa: I, row: &[f32], inverse: f32, zero: u8, top: i32, q: &mut [u8]) {
    let (ops, whole, bytes) = (isa.f32(), isa.i32(), isa.u8());
    let (scales, zeros, tops) = (ops.splat(inverse), whole.splat(i32::from(zero)), whole.splat(top));
    // Four vectors of numbers become one of bytes, which is never negative: narrowing stops at 0 and 255.
    let (mut from, mut to) = (row.chunks_exact(4 * ops.len()), q.chunks_exact_mut(bytes.len()));
    for (from, to) in from.by_ref().zip(to.by_ref()) {
        let numbers: [_; 4] = ops.load_many(from);
        let [a, b, c, d] = numbers.map(|x| {
            let rounded = whole.add(ops.to_int_round(ops.mul(x, scales)), zeros);
            whole.min(rounded, tops)
        });
        let (low, high) = (whole.narrow_saturate(a, b), whole.narrow_saturate(c, d));
        bytes.store(isa.i16().narrow_saturate(low, high), to);
    }
    // The rest of a width that is no multiple of it.
    for (number, q) in from.remainder().iter().zip(to.into_remainder()) {
        let rounded = (number * inverse).round_ties_even() as i32 + i32::from(zero);
        *q = rounded.clamp(0, top) as u8;
    }
}

#[inline(always)]
fn bounds<I: Isa>(isa: I, row: &[f32]) -> (f32, f32) {
    let ops = isa.f32();
    let (mut low, mut high) = (ops.zero(), ops.zero());
    for chunk in row.chunks_exact(ops.len()) {
        let x = ops.load(chunk);
        low = ops.min(low, x);
        high = ops.max(high, x);
    }
    let low = low.to_array().into_iter().fold(0.0, f32::min);
    (low, high.to_array().into_iter().fold(0.0, f32::max))
}

/// What holds for the columns of a product: scales of the weights, what these add up to, and the bias.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    pub scales: &'a [f32],
    pub totals: &'a [i32],
    pub bias: &'a [f32],
}

/// Opens the sums of a product: out = (sum - row's zero * column's total) * (row's scale * column's scale) + bias,
/// through gelu if wished.
pub(super) struct Settle<'a> {
    pub sums: &'a [i32],
    pub scales: &'a [f32],
    pub zeros: &'a [u8],
    pub columns: Columns<'a>,
    pub gelu: bool,
    pub out: &'a mut [f32],
}

impl SimdOp for Settle<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Settle {
            sums,
            scales,
            zeros,
            columns,
            gelu,
            out,
        } = self;
        let width = columns.bias.len().max(1);
        let rows = out.chunks_exact_mut(width).zip(sums.chunks_exact(width));
        for ((out, sums), (row_scale, zero)) in rows.zip(scales.iter().zip(zeros)) {
            let zero = i32::from(*zero);
            let columns = columns.scales.iter().zip(columns.totals).zip(columns.bias);
            for ((out, sum), ((scale, total), bias)) in out.iter_mut().zip(sums).zip(columns) {
                // Far from wrapping: said so that the loop is not cut up by checks.
                let sum = sum.wrapping_sub(zero.wrapping_mul(*total));
                *out = sum as f32 * (row_scale * scale) + bias;
            }
            if gelu {
                through_gelu(isa, out);
            }
        }
    }
}

#[inline(always)]
fn through_gelu<I: Isa>(isa: I, row: &mut [f32]) {
    let ops = isa.f32();
    for chunk in row.chunks_exact_mut(ops.len()) {
        let x = ops.load(chunk);
        ops.store(Gelu {}.eval(isa, x), chunk);
    }
}

/// gelu of every number, for the products in 32 bits that tests compare with.
#[cfg(test)]
pub(super) struct ThroughGelu<'a>(pub &'a mut [f32]);

#[cfg(test)]
impl SimdOp for ThroughGelu<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        through_gelu(isa, self.0);
    }
}

/// Weight and bias of a normalisation.
pub(super) struct Norm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub epsilon: f32,
}

impl Norm {
    /// Opens the normalisation of that name.
    pub fn open(tensors: &Tensors<'_>, name: &str, width: usize, epsilon: f32) -> Result<Norm, LoadError> {
        Ok(Norm {
            weight: tensors.f32(&format!("{name}.weight"), &[width])?,
            bias: tensors.f32(&format!("{name}.bias"), &[width])?,
            epsilon,
        })
    }
}

/// rows = norm(rows + more).
pub(super) struct Normalise<'a> {
    pub rows: &'a mut [f32],
    pub more: &'a [f32],
    pub norm: &'a Norm,
}

impl SimdOp for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Normalise { rows, more, norm } = self;
        let (ops, width) = (isa.f32(), norm.bias.len().max(1));
        let step = ops.len();
        for (row, more) in rows.chunks_exact_mut(width).zip(more.chunks_exact(width)) {
            let mut sum = ops.zero();
            for (x, more) in row.chunks_exact_mut(step).zip(more.chunks_exact(step)) {
                let both = ops.add(ops.load(x), ops.load(more));
                sum = ops.add(sum, both);
                ops.store(both, x);
            }
            let mean = ops.splat(total(sum) / width as f32);
            let mut squares = ops.zero();
            for x in row.chunks_exact(step) {
                let off = ops.sub(ops.load(x), mean);
                squares = ops.mul_add(off, off, squares);
            }
            let variance = total(squares) / width as f32;
            let scale = ops.splat(1.0 / (variance + norm.epsilon).sqrt());
            let both = norm.weight.chunks_exact(step).zip(norm.bias.chunks_exact(step));
            for (x, (weight, bias)) in row.chunks_exact_mut(step).zip(both) {
                let off = ops.mul(ops.sub(ops.load(x), mean), scale);
                ops.store(ops.mul_add(off, ops.load(weight), ops.load(bias)), x);
            }
        }
    }
}

#[inline(always)]
fn total<S: Simd<Elem = f32>>(x: S) -> f32 {
    x.to_array().into_iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, scale: f32) -> Vec<f32> {
        (0..n)
            .map(|i| ((i as f32 * 12.9898).sin() * 43758.547).fract() * scale)
            .collect()
    }

    #[test]
    fn a_rounded_row_is_a_step_away_at_most() {
        let shapes = [(1.0, 0.0), (30.0, 40.0), (0.001, -7.0), (0.0, 0.0), (1e9, 0.0)];
        for (top, width) in [(255.0, 64), (127.0, 64), (255.0, 96), (127.0, 32)] {
            for (scale, shift) in shapes {
                let rows: Vec<f32> = numbers(192, scale).iter().map(|x| x + shift).collect();
                let mut out = Rounded::default();
                let rounded = &mut out;
                Round {
                    rows: &rows,
                    width,
                    top,
                    out: rounded,
                }
                .dispatch();
                assert_eq!(out.scale.len(), 192 / width);
                for (at, (x, q)) in rows.iter().zip(&out.q).enumerate() {
                    assert!(f32::from(*q) <= top);
                    let (zero, scale) = (out.zero[at / width], out.scale[at / width]);
                    // The zero is rounded too, so at an end it may be a whole step.
                    let back = (f32::from(*q) - f32::from(zero)) * scale;
                    assert!((back - x).abs() <= scale * 1.001, "{x} {back} {scale}");
                }
            }
        }
    }

    #[test]
    fn sums_are_opened_and_go_through_gelu() {
        let sums: Vec<i32> = (0..64).map(|i| i * 10 - 300).collect();
        let (scales, bias) = (numbers(32, 0.1), numbers(32, 1.0));
        let totals: Vec<i32> = (0..32).map(|i| i * 3 - 40).collect();
        let columns = Columns {
            scales: &scales,
            totals: &totals,
            bias: &bias,
        };
        for gelu in [false, true] {
            let mut out = vec![0.0; 64];
            Settle {
                sums: &sums,
                scales: &[0.5, 0.25],
                zeros: &[0, 7],
                columns,
                gelu,
                out: &mut out,
            }
            .dispatch();
            for (i, x) in out.iter().enumerate() {
                let (row, column) = (i / 32, i % 32);
                let sum = sums[i] - [0, 7][row] * totals[column];
                let y = sum as f32 * [0.5, 0.25][row] * scales[column] + bias[column];
                // erf by its series.
                let z = f64::from(y) / 2f64.sqrt();
                let (mut term, mut erf) = (z, z);
                for n in 1..200 {
                    term *= -z * z / f64::from(n);
                    erf += term / f64::from(2 * n + 1);
                }
                erf *= 2.0 / std::f64::consts::PI.sqrt();
                let want = if gelu && y.abs() < 6.0 {
                    f64::from(y) * 0.5 * (1.0 + erf)
                } else {
                    f64::from(y)
                };
                assert!(
                    (f64::from(*x) - want).abs() < 4e-6 || (gelu && y <= -6.0 && x.abs() < 1e-5),
                    "{x} {want}"
                );
            }
        }
    }

    #[test]
    fn a_normalised_row() {
        let norm = Norm {
            weight: vec![2.0; 64],
            bias: vec![0.5; 64],
            epsilon: 1e-12,
        };
        let (mut rows, more) = (numbers(128, 3.0), numbers(128, 5.0));
        let want: Vec<f64> = rows
            .iter()
            .zip(&more)
            .map(|(x, y)| f64::from(*x) + f64::from(*y))
            .collect();
        Normalise {
            rows: &mut rows,
            more: &more,
            norm: &norm,
        }
        .dispatch();
        for (got, want) in rows.chunks(64).zip(want.chunks(64)) {
            let mean = want.iter().sum::<f64>() / 64.0;
            let variance = want.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 64.0;
            for (got, want) in got.iter().zip(want) {
                assert!((f64::from(*got) - ((want - mean) / variance.sqrt() * 2.0 + 0.5)).abs() < 1e-5);
            }
        }
    }
}
