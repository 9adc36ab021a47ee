//! A layer of an encoder: attention of all places to each other and a network of two products, each added to what was and
//! normalised (FORMAT.md, 6).

use rten_simd::SimdOp;

use super::LoadError;
use super::attention::{Attend, Room, TOGETHER};
use super::linear::{Engine, Input, Linear, Precision, Readers};
use super::rows::{Norm, Normalise};
use super::tensors::Tensors;

/// Widths of a layer, each a multiple of 32.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub hidden: usize,
    pub head: usize,
    pub ff: usize,
    pub epsilon: f32,
}

pub(super) struct Layer {
    head: usize,
    q: Linear,
    /// Keys and values, one product.
    both: Linear,
    ao: Linear,
    aln: Norm,
    fi: Linear,
    fo: Linear,
    oln: Norm,
}

/// Room for the numbers of one window, used again for the next.
#[derive(Default)]
pub(super) struct Scratch {
    /// States of the places, row by row.
    pub x: Vec<f32>,
    y: Vec<f32>,
    queries: Vec<f32>,
    both: Vec<f32>,
    mixed: Vec<f32>,
    pub wide: Vec<f32>,
    pub input: Input,
    pub sums: Vec<i32>,
    room: Room,
}

impl Layer {
    /// Opens the layer of that name.
    pub fn open(
        tensors: &Tensors<'_>,
        name: &str,
        sizes: Sizes,
        precision: Precision,
    ) -> Result<Layer, LoadError> {
        let Sizes {
            hidden,
            head,
            ff,
            epsilon,
        } = sizes;
        let matrix = |parts: &[&str], outputs, inputs, scale| {
            let names: Vec<String> = parts.iter().map(|part| format!("{name}.{part}")).collect();
            Linear::open(tensors, &names, outputs, inputs, scale, precision)
        };
        let norm = |part: &str| Norm::open(tensors, &format!("{name}.{part}"), hidden, epsilon);
        Ok(Layer {
            head,
            // A scale of the queries once and for all, instead of one of every score.
            q: matrix(&["q"], hidden, hidden, 1.0 / (head as f32).sqrt())?,
            both: matrix(&["k", "v"], hidden, hidden, 1.0)?,
            ao: matrix(&["ao"], hidden, hidden, 1.0)?,
            aln: norm("aln")?,
            fi: matrix(&["fi"], ff, hidden, 1.0)?,
            fo: matrix(&["fo"], hidden, ff, 1.0)?,
            oln: norm("oln")?,
        })
    }

    /// Takes the states of all places and leaves those of the first `rows`.
    pub fn run(&self, engine: &Engine, rows: usize, s: &mut Scratch) -> Option<()> {
        let hidden = self.aln.bias.len();
        let whole = s.x.len() == rows * hidden;
        let readers = if whole { Readers::Several } else { Readers::One };
        s.input.take(engine, &s.x, hidden, readers)?;
        self.both
            .apply(engine, &s.input, false, &mut s.sums, &mut s.both)?;
        if !whole {
            s.x.truncate(rows * hidden);
            s.input.take(engine, &s.x, hidden, Readers::One)?;
        }
        self.q
            .apply(engine, &s.input, false, &mut s.sums, &mut s.queries)?;
        let padded = rows.next_multiple_of(TOGETHER) * hidden;
        s.queries.resize(padded, 0.0);
        s.mixed.resize(padded, 0.0);
        Attend {
            queries: &s.queries,
            both: &s.both,
            hidden,
            head: self.head,
            room: &mut s.room,
            out: &mut s.mixed,
        }
        .dispatch();
        s.mixed.truncate(rows * hidden);
        s.input.take(engine, &s.mixed, hidden, Readers::One)?;
        self.ao.apply(engine, &s.input, false, &mut s.sums, &mut s.y)?;
        Normalise {
            rows: &mut s.y,
            more: &s.x,
            norm: &self.aln,
        }
        .dispatch();
        s.input.take(engine, &s.y, hidden, Readers::One)?;
        self.fi.apply(engine, &s.input, true, &mut s.sums, &mut s.wide)?;
        s.input.take(engine, &s.wide, s.wide.len() / rows, Readers::One)?;
        self.fo.apply(engine, &s.input, false, &mut s.sums, &mut s.x)?;
        Normalise {
            rows: &mut s.x,
            more: &s.y,
            norm: &self.oln,
        }
        .dispatch();
        Some(())
    }
}

/// Rows of states as one: the first place, the mean of all and the largest of each column.
pub(super) fn pooled(states: &[f32], width: usize) -> Vec<f32> {
    let mut pooled = vec![0.0; 3 * width];
    let (own, rest) = pooled.split_at_mut(width);
    let (mean, top) = rest.split_at_mut(width);
    top.fill(f32::NEG_INFINITY);
    for row in states.chunks_exact(width) {
        for ((sum, top), state) in mean.iter_mut().zip(top.iter_mut()).zip(row) {
            *sum += state;
            *top = top.max(*state);
        }
    }
    let places = (states.len() / width).max(1) as f32;
    mean.iter_mut().for_each(|sum| *sum /= places);
    own.iter_mut().zip(states).for_each(|(own, state)| *own = *state);
    pooled
}

/// Over as many numbers as the shorter of the two has; eight sums side by side.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}
