//! The last stage: an encoder with normalisation after each block, over word vectors that stay in four bits
//! (FORMAT.md, 6). Of its last layer only place 0 is computed.

use rten_simd::SimdOp;

use super::LoadError;
use super::config::Config;
use super::layer::{Layer, Scratch, Sizes, dot, pooled};
use super::linear::{Engine, Precision};
use super::rows::{Norm, Normalise};
use super::tensors::{Blocks, Tensors};

/// Logits of a window: any, injection, jailbreak, extraction.
pub(super) type Logits = [f32; 4];

pub(super) struct Encoder {
    hidden: usize,
    specials: usize,
    special: Vec<f32>,
    words: Blocks,
    position: Vec<f32>,
    ln: Norm,
    layers: Vec<Layer>,
    /// The layer before which a channel's vector joins the first place, and these vectors.
    channel: Option<(usize, Vec<f32>)>,
    out: Vec<f32>,
    out_bias: Vec<f32>,
}

impl Encoder {
    pub fn open(tensors: &Tensors<'_>, config: &Config, precision: Precision) -> Result<Encoder, LoadError> {
        let h = config.hidden;
        let sizes = Sizes {
            hidden: h,
            head: config.head(),
            ff: config.ff,
            epsilon: config.layer_norm_eps,
        };
        let layer = |at: usize| Layer::open(tensors, &format!("layer.{at}"), sizes, precision);
        Ok(Encoder {
            hidden: h,
            specials: config.specials,
            special: tensors.f32("special", &[config.specials, h])?,
            words: tensors.blocks("words", config.words(), h)?,
            position: tensors.f32("position", &[config.window, h])?,
            ln: Norm::open(tensors, "ln", h, config.layer_norm_eps)?,
            layers: (0..config.layers).map(layer).collect::<Result<_, _>>()?,
            channel: config
                .channel_layer
                .map(|layer| Ok((layer, tensors.f32("channel", &[config.specials, h])?)))
                .transpose()?,
            out: tensors.f32("head.weight", &[4, h])?,
            out_bias: tensors.f32("head.bias", &[4])?,
        })
    }

    /// What a window's ids say: channel, pieces, end. Nothing only where the ids are none, or more than the model has places for.
    pub fn read(&self, engine: &Engine, ids: &[u16], s: &mut Scratch) -> Option<Logits> {
        let (last, layers) = self.layers.split_last()?;
        self.run(engine, ids, layers, s)?;
        self.join(layers.len(), ids, s);
        last.run(engine, 1, s)?;
        let mut logits = [0.0; 4];
        let rows = self.out.chunks_exact(self.hidden).zip(&self.out_bias);
        for (logit, (row, bias)) in logits.iter_mut().zip(rows) {
            *logit = dot(row, &s.x) + bias;
        }
        Some(logits)
    }

    /// The states before one of the layers: first place, mean and maximum. For measuring.
    pub fn states(&self, engine: &Engine, ids: &[u16], layer: usize, s: &mut Scratch) -> Option<Vec<f32>> {
        self.run(engine, ids, self.layers.get(..layer)?, s)?;
        Some(pooled(&s.x, self.hidden))
    }

    /// Leaves the states of all places after these layers, which are the first ones.
    fn run(&self, engine: &Engine, ids: &[u16], layers: &[Layer], s: &mut Scratch) -> Option<()> {
        self.embed(ids, s)?;
        for (at, layer) in layers.iter().enumerate() {
            self.join(at, ids, s);
            layer.run(engine, ids.len(), s)?;
        }
        Some(())
    }

    /// The vectors of words, which are those of every stage that reads them.
    pub fn words(&self) -> &Blocks {
        &self.words
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
