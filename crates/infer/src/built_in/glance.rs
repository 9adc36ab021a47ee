//! What looks between the first stage and the last (FORMAT.md, 5): few narrow layers over the words' own vectors, at a small part of
//! the encoder's cost. They read order and neighbourhood, which the sieve does not, and together with it clear most of what it lets
//! through.

use std::sync::OnceLock;

use rten_simd::SimdOp;
use serde::Deserialize;

use super::LoadError;
use super::config::Config;
use super::layer::{Layer, Scratch, Sizes, dot, pooled};
use super::limits::{Limits, near};
use super::linear::{Engine, Linear, Precision, Readers};
use super::rows::{Norm, Normalise};
use super::tensors::{BLOCK, Blocks, Tensors};

/// What `config.json` says of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Told {
    hidden: usize,
    heads: usize,
    ff: usize,
    /// Neurons over what is pooled.
    mixed: usize,
    /// How many layers stand on each other.
    layers: usize,
    /// How many of such look side by side.
    members: usize,
    /// How much of the sieve's score counts in what they say.
    sieve: f32,
    /// So far below the limit, what the first of them say is enough; all are asked where there is none.
    pub margin: Option<f32>,
    #[serde(flatten)]
    pub limits: Limits,
}

impl Told {
    /// Whether its sizes are any.
    pub fn is_whole(&self) -> bool {
        let blocks = |width: usize| (1..=4096).contains(&width) && width.is_multiple_of(BLOCK);
        blocks(self.hidden)
            && blocks(self.ff)
            && (1..=self.hidden).contains(&self.heads)
            && self.hidden.is_multiple_of(self.heads)
            && blocks(self.hidden / self.heads)
            && (1..=4096).contains(&self.mixed)
            && (1..=8).contains(&self.layers)
            && (1..=8).contains(&self.members)
            && (0.0..=8.0).contains(&self.sieve)
            && self.margin.is_none_or(|margin| margin >= 0.0)
    }
}

pub(super) struct Glance {
    members: Vec<Member>,
    sieve: f32,
}

struct Member {
    hidden: usize,
    special: Vec<f32>,
    project: Linear,
    /// What `project` makes of the words that were read so far: a product of every word of every window, done once for each word.
    projected: Vec<OnceLock<Box<[f32]>>>,
    position: Vec<f32>,
    ln: Norm,
    layers: Vec<Layer>,
    mix: Vec<f32>,
    mix_bias: Vec<f32>,
    out: Vec<f32>,
    out_bias: f32,
}

impl Glance {
    pub fn open(tensors: &Tensors<'_>, config: &Config, precision: Precision) -> Result<Glance, LoadError> {
        let told = &config.glance;
        let member = |at| Member::open(tensors, &format!("glance.{at}"), config, precision);
        Ok(Glance {
            members: (0..told.members).map(member).collect::<Result<_, _>>()?,
            sieve: told.sieve,
        })
    }

    /// The score of a window's ids (channel, pieces, end), of which the sieve said `first`; `words` are the encoder's, `width` wide.
    /// Where the first members come to less than `enough`, the others are not asked. Nothing only where the ids are none, or more than
    /// there are places for.
    pub fn score(
        &self,
        engine: &Engine,
        words: (&Blocks, usize),
        ids: &[u16],
        first: f32,
        enough: f32,
        s: &mut Scratch,
    ) -> Option<f32> {
        let (mut sum, mut score, more) = (0.0, 0.0, self.sieve * near(first));
        for (before, member) in self.members.iter().enumerate() {
            sum += member.score(engine, words, ids, s)?;
            score = sum / (before + 1) as f32 + more;
            if score < enough {
                break;
            }
        }
        Some(score)
    }
}

impl Member {
    fn open(
        tensors: &Tensors<'_>,
        name: &str,
        config: &Config,
        precision: Precision,
    ) -> Result<Member, LoadError> {
        let told = &config.glance;
        let (hidden, epsilon) = (told.hidden, config.layer_norm_eps);
        let sizes = Sizes {
            hidden,
            head: hidden / told.heads.max(1),
            ff: told.ff,
            epsilon,
        };
        let of = |part: &str| format!("{name}.{part}");
        let layer = |at: usize| Layer::open(tensors, &format!("{name}.{at}"), sizes, precision);
        let out_bias = tensors.f32(&of("out.bias"), &[1])?;
        Ok(Member {
            hidden,
            special: tensors.f32(&of("special"), &[config.specials, hidden])?,
            project: Linear::open(tensors, &[of("project")], hidden, config.hidden, 1.0, precision)?,
            projected: (0..config.words()).map(|_| OnceLock::new()).collect(),
            position: tensors.f32(&of("position"), &[config.window, hidden])?,
            ln: Norm::open(tensors, &of("ln"), hidden, epsilon)?,
            layers: (0..told.layers).map(layer).collect::<Result<_, _>>()?,
            mix: tensors.f32(&of("mix.weight"), &[told.mixed, 3 * hidden])?,
            mix_bias: tensors.f32(&of("mix.bias"), &[told.mixed])?,
            out: tensors.f32(&of("out.weight"), &[1, told.mixed])?,
            out_bias: out_bias.first().copied().unwrap_or_default(),
        })
    }

    fn score(
        &self,
        engine: &Engine,
        (words, width): (&Blocks, usize),
        ids: &[u16],
        s: &mut Scratch,
    ) -> Option<f32> {
        let long = ids.len() * self.hidden;
        let position = self.position.get(..long);
        let position = position.filter(|position| !position.is_empty())?;
        self.project_new(engine, words, width, ids, s)?;
        s.x.resize(long, 0.0);
        for (id, row) in ids.iter().zip(s.x.chunks_exact_mut(self.hidden)) {
            row.copy_from_slice(match self.word(*id) {
                Some(word) => self.projected.get(word)?.get()?,
                None => self.special.chunks_exact(self.hidden).nth(usize::from(*id))?,
            });
        }
        Normalise {
            rows: &mut s.x,
            more: position,
            norm: &self.ln,
        }
        .dispatch();
        for layer in &self.layers {
            layer.run(engine, ids.len(), s)?;
        }
        Some(self.judge(&s.x))
    }

    /// Which word a piece is; nothing for a special one.
    fn word(&self, id: u16) -> Option<usize> {
        usize::from(id).checked_sub(self.special.len() / self.hidden)
    }

    /// Projects those words of a window that were not read before.
    fn project_new(
        &self,
        engine: &Engine,
        words: &Blocks,
        width: usize,
        ids: &[u16],
        s: &mut Scratch,
    ) -> Option<()> {
        let is_new = |word: &usize| self.projected.get(*word).is_some_and(|row| row.get().is_none());
        let new: Vec<usize> = ids
            .iter()
            .filter_map(|id| self.word(*id))
            .filter(is_new)
            .collect();
        if new.is_empty() {
            return Some(());
        }
        s.wide.resize(new.len() * width, 0.0);
        for (word, row) in new.iter().zip(s.wide.chunks_exact_mut(width)) {
            words.open(*word, row);
        }
        s.input.take(engine, &s.wide, width, Readers::One)?;
        self.project
            .apply(engine, &s.input, false, &mut s.sums, &mut s.x)?;
        for (word, row) in new.iter().zip(s.x.chunks_exact(self.hidden)) {
            // Another thread may have been faster: it says the same.
            let _ = self.projected.get(*word)?.set(row.into());
        }
        Some(())
    }

    /// What the first place, the mean and the largest of all places come to.
    fn judge(&self, states: &[f32]) -> f32 {
        let pooled = pooled(states, self.hidden);
        let rows = self
            .mix
            .chunks_exact(pooled.len())
            .zip(&self.mix_bias)
            .zip(&self.out);
        let sum: f32 = rows
            .map(|((row, bias), out)| (dot(row, &pooled) + bias).max(0.0) * out)
            .sum();
        sum + self.out_bias
    }
}
