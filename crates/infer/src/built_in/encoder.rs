//! The second stage: an encoder with normalisation after each block, over word vectors that stay in four bits
//! (FORMAT.md, 5). Of its last layer only place 0 is computed.

use rten_simd::SimdOp;

use super::LoadError;
use super::attention::{Attend, Room, TOGETHER};
use super::config::Config;
use super::linear::{Engine, Input, Linear, Precision};
use super::rows::{Norm, Normalise};
use super::tensors::{Blocks, Tensors};

/// Logits of a window: any, injection, jailbreak, extraction.
pub(super) type Logits = [f32; 4];

/// What the encoder says of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// The score of the early exit, where there is one.
    pub exit: Option<f32>,
    /// Nothing where the window ended there.
    pub logits: Option<Logits>,
}

struct Layer {
    q: Linear,
    /// Keys and values, one product.
    both: Linear,
    ao: Linear,
    aln: Norm,
    fi: Linear,
    fo: Linear,
    oln: Norm,
}

/// Looks at the states after some layers and may end a window that is plainly harmless.
struct Exit {
    after: usize,
    pass: f32,
    hidden: Vec<f32>,
    hidden_bias: Vec<f32>,
    out: Vec<f32>,
    out_bias: f32,
}

pub(super) struct Encoder {
    hidden: usize,
    head: usize,
    specials: usize,
    special: Vec<f32>,
    words: Blocks,
    position: Vec<f32>,
    ln: Norm,
    layers: Vec<Layer>,
    /// The layer before which a channel's vector joins the first place, and these vectors.
    channel: Option<(usize, Vec<f32>)>,
    exit: Option<Exit>,
    out: Vec<f32>,
    out_bias: Vec<f32>,
}

/// Room for the numbers of one window, used again for the next.
#[derive(Default)]
pub(super) struct Scratch {
    x: Vec<f32>,
    y: Vec<f32>,
    queries: Vec<f32>,
    both: Vec<f32>,
    mixed: Vec<f32>,
    wide: Vec<f32>,
    input: Input,
    sums: Vec<i32>,
    room: Room,
}

impl Encoder {
    pub fn open(tensors: &Tensors<'_>, config: &Config, precision: Precision) -> Result<Encoder, LoadError> {
        let (h, ff) = (config.hidden, config.ff);
        let norm = |name: &str| -> Result<Norm, LoadError> {
            Ok(Norm {
                weight: tensors.f32(&format!("{name}.weight"), &[h])?,
                bias: tensors.f32(&format!("{name}.bias"), &[h])?,
                epsilon: config.layer_norm_eps,
            })
        };
        // A scale of the queries once and for all, instead of one of every score.
        let scale = 1.0 / (config.head() as f32).sqrt();
        let layer = |at: usize| -> Result<Layer, LoadError> {
            let matrix = |names: &[&str], outputs, inputs, scale| {
                let names: Vec<String> = names.iter().map(|name| format!("layer.{at}.{name}")).collect();
                Linear::open(tensors, &names, outputs, inputs, scale, precision)
            };
            Ok(Layer {
                q: matrix(&["q"], h, h, scale)?,
                both: matrix(&["k", "v"], h, h, 1.0)?,
                ao: matrix(&["ao"], h, h, 1.0)?,
                aln: norm(&format!("layer.{at}.aln"))?,
                fi: matrix(&["fi"], ff, h, 1.0)?,
                fo: matrix(&["fo"], h, ff, 1.0)?,
                oln: norm(&format!("layer.{at}.oln"))?,
            })
        };
        Ok(Encoder {
            hidden: h,
            head: config.head(),
            specials: config.specials,
            special: tensors.f32("special", &[config.specials, h])?,
            words: tensors.blocks("words", config.words(), h)?,
            position: tensors.f32("position", &[config.window, h])?,
            ln: norm("ln")?,
            layers: (0..config.layers).map(layer).collect::<Result<_, _>>()?,
            channel: config
                .channel_layer
                .map(|layer| Ok((layer, tensors.f32("channel", &[config.specials, h])?)))
                .transpose()?,
            exit: config
                .exit
                .map(|told| Exit::open(tensors, told.layer, told.pass, h))
                .transpose()?,
            out: tensors.f32("head.weight", &[4, h])?,
            out_bias: tensors.f32("head.bias", &[4])?,
        })
    }

    /// Reads a window's ids: channel, pieces, end. `ends` says whether the exit may end it. Nothing only where the ids
    /// are none, or more than the model has places for.
    pub fn read(&self, engine: &Engine, ids: &[u16], ends: bool, s: &mut Scratch) -> Option<Reading> {
        self.embed(ids, s)?;
        let mut exit = None;
        let (last, layers) = self.layers.split_last()?;
        for (at, layer) in layers.iter().enumerate() {
            self.join(at, ids, s);
            layer.run(engine, self.head, ids.len(), s)?;
            if let Some(own) = self.exit.as_ref().filter(|exit| exit.after == at + 1) {
                let score = own.score(&s.x, self.hidden);
                exit = Some(score);
                if ends && score < own.pass {
                    return Some(Reading { exit, logits: None });
                }
            }
        }
        self.join(layers.len(), ids, s);
        last.run(engine, self.head, 1, s)?;
        let mut logits = [0.0; 4];
        let rows = self.out.chunks_exact(self.hidden).zip(&self.out_bias);
        for (logit, (row, bias)) in logits.iter_mut().zip(rows) {
            *logit = dot(row, &s.x) + bias;
        }
        Some(Reading {
            exit,
            logits: Some(logits),
        })
    }

    /// The channel's vector joins the first place, if this is the layer for it.
    fn join(&self, at: usize, ids: &[u16], s: &mut Scratch) {
        if let Some((layer, vectors)) = &self.channel
            && *layer == at
            && let Some(vector) = ids
                .first()
                .and_then(|id| vectors.chunks_exact(self.hidden).nth(usize::from(*id)))
        {
            s.x.iter_mut().zip(vector).for_each(|(state, own)| *state += own);
        }
    }

    fn embed(&self, ids: &[u16], s: &mut Scratch) -> Option<()> {
        let long = ids.len() * self.hidden;
        let position = self
            .position
            .get(..long)
            .filter(|position| !position.is_empty())?;
        s.x.resize(long, 0.0);
        for (id, row) in ids.iter().zip(s.x.chunks_exact_mut(self.hidden)) {
            let id = usize::from(*id);
            match id.checked_sub(self.specials) {
                Some(word) => self.words.open(word, row),
                None => row.copy_from_slice(self.special.chunks_exact(self.hidden).nth(id)?),
            }
        }
        Normalise {
            rows: &mut s.x,
            more: position,
            norm: &self.ln,
        }
        .dispatch();
        Some(())
    }
}

impl Layer {
    /// Takes the states of all places and leaves those of the first `rows`.
    fn run(&self, engine: &Engine, head: usize, rows: usize, s: &mut Scratch) -> Option<()> {
        let hidden = self.aln.bias.len();
        s.input.take(engine, &s.x, hidden)?;
        self.both
            .apply(engine, &s.input, false, &mut s.sums, &mut s.both)?;
        if s.x.len() != rows * hidden {
            s.x.truncate(rows * hidden);
            s.input.take(engine, &s.x, hidden)?;
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
            head,
            room: &mut s.room,
            out: &mut s.mixed,
        }
        .dispatch();
        s.mixed.truncate(rows * hidden);
        s.input.take(engine, &s.mixed, hidden)?;
        self.ao.apply(engine, &s.input, false, &mut s.sums, &mut s.y)?;
        Normalise {
            rows: &mut s.y,
            more: &s.x,
            norm: &self.aln,
        }
        .dispatch();
        s.input.take(engine, &s.y, hidden)?;
        self.fi.apply(engine, &s.input, true, &mut s.sums, &mut s.wide)?;
        s.input.take(engine, &s.wide, s.wide.len() / rows)?;
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

impl Exit {
    fn open(tensors: &Tensors<'_>, after: usize, pass: f32, h: usize) -> Result<Exit, LoadError> {
        // As many neurons as there are biases.
        let neurons = tensors.shape("exit.hidden.bias")?.iter().product();
        let out_bias = tensors.f32("exit.out.bias", &[1])?;
        Ok(Exit {
            after,
            pass,
            hidden: tensors.f32("exit.hidden.weight", &[neurons, 2 * h])?,
            hidden_bias: tensors.f32("exit.hidden.bias", &[neurons])?,
            out: tensors.f32("exit.out.weight", &[1, neurons])?,
            out_bias: out_bias.first().copied().unwrap_or_default(),
        })
    }

    fn score(&self, states: &[f32], hidden: usize) -> f32 {
        let mut mean = vec![0.0f32; hidden];
        for row in states.chunks_exact(hidden) {
            mean.iter_mut().zip(row).for_each(|(sum, state)| *sum += state);
        }
        let places = (states.len() / hidden).max(1) as f32;
        mean.iter_mut().for_each(|sum| *sum /= places);
        let rows = self
            .hidden
            .chunks_exact(2 * hidden)
            .zip(&self.hidden_bias)
            .zip(&self.out);
        let sum: f32 = rows
            .map(|((row, bias), out)| {
                let (own, all) = row.split_at(hidden);
                (dot(own, states) + dot(all, &mean) + bias).max(0.0) * out
            })
            .sum();
        sum + self.out_bias
    }
}

/// Over as many numbers as the shorter of the two has; eight sums side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}
