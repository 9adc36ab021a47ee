//! ModernBERT: positions turn queries and keys, most layers read a neighbourhood only, what layers add is gated.

use candle_core::{Device, Result, Tensor};
use serde::Deserialize;
use serde_json::Value;

use super::{Net, State, settings};
use crate::hub::error::{LoadError, Loaded};
use crate::hub::math::{Activation, Linear, Norm, attend, head_size, rows, scores, split};
use crate::hub::weights::Weights;

#[derive(Deserialize)]
struct Settings {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "small")]
    norm_eps: f64,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    classifier_bias: bool,
    #[serde(default = "gelu")]
    hidden_activation: Activation,
    #[serde(default = "gelu")]
    classifier_activation: Activation,
    #[serde(default = "first")]
    classifier_pooling: Pooling,
    #[serde(default = "neighbourhood")]
    local_attention: usize,
    layer_types: Option<Vec<Reach>>,
    global_attn_every_n_layers: Option<usize>,
    rope_parameters: Option<Rotations>,
    global_rope_theta: Option<f64>,
    local_rope_theta: Option<f64>,
    rope_scaling: Option<Value>,
}

#[derive(Deserialize)]
struct Rotations {
    full_attention: Option<Rotation>,
    sliding_attention: Option<Rotation>,
}

#[derive(Deserialize)]
struct Rotation {
    rope_type: Option<String>,
    rope_theta: Option<f64>,
}

/// What the classifier reads of a text.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Pooling {
    Cls,
    Mean,
}

/// What a layer reads.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Reach {
    #[serde(rename = "full_attention")]
    All,
    #[serde(rename = "sliding_attention")]
    Near,
}

fn small() -> f64 {
    1e-5
}

fn gelu() -> Activation {
    Activation::Gelu
}

fn first() -> Pooling {
    Pooling::Cls
}

fn neighbourhood() -> usize {
    128
}

impl Settings {
    /// What each layer reads: a list, or all in every so many layers.
    fn reaches(&self) -> Loaded<Vec<Reach>> {
        if let Some(list) = &self.layer_types {
            if list.len() == self.num_hidden_layers {
                return Ok(list.clone());
            }
            return Err(LoadError::config("layer_types has not one entry for each layer"));
        }
        let every = self.global_attn_every_n_layers.unwrap_or(3);
        let reach = |number: usize| match number.checked_rem(every) {
            Some(0) => Ok(Reach::All),
            Some(_) => Ok(Reach::Near),
            None => Err(LoadError::config("global_attn_every_n_layers is 0")),
        };
        (0..self.num_hidden_layers).map(reach).collect()
    }

    /// The base of the rotations of layers that read all, and of those that read near.
    fn bases(&self) -> Loaded<(f64, f64)> {
        let unsupported = || LoadError::config("only rotary positions of type `default` are supported");
        if self.rope_scaling.is_some() {
            return Err(unsupported());
        }
        let mut bases = (
            self.global_rope_theta.unwrap_or(160_000.0),
            self.local_rope_theta.unwrap_or(10_000.0),
        );
        let Some(rotations) = &self.rope_parameters else {
            return Ok(bases);
        };
        let pairs = [
            (&rotations.full_attention, &mut bases.0),
            (&rotations.sliding_attention, &mut bases.1),
        ];
        for (rotation, base) in pairs {
            let Some(rotation) = rotation else { continue };
            let kind = rotation.rope_type.as_deref();
            if kind.is_some_and(|kind| kind != "default") {
                return Err(unsupported());
            }
            *base = rotation.rope_theta.unwrap_or(*base);
        }
        Ok(bases)
    }
}

struct ModernBert {
    vocabulary: usize,
    limit: usize,
    heads: usize,
    head_size: usize,
    bases: (f64, f64),
    /// How many tokens away a layer of a neighbourhood reads.
    near: usize,
    words: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
    final_norm: Norm,
    pooling: Pooling,
    pooler: Linear,
    pooled: Activation,
    pooler_norm: Norm,
    classifier: Linear,
}

/// `ModernBertForSequenceClassification`.
pub fn build(config: &Value, weights: &Weights, labels: usize) -> Loaded<Box<dyn Net>> {
    let set: Settings = settings(config)?;
    let width = set.hidden_size;
    let head_size = head_size(width, set.num_attention_heads)?;
    if head_size % 2 == 1 {
        return Err(LoadError::config(format!(
            "rotary positions need heads of an even size, and it is {head_size}"
        )));
    }
    let norm = |name: &str| Norm::load(weights, name, width, set.norm_eps, set.norm_bias);
    let layers = (0..)
        .zip(set.reaches()?)
        .map(|(number, reach)| Layer::load(&set, weights, number, reach));
    let table = "model.embeddings.tok_embeddings.weight";
    Ok(Box::new(ModernBert {
        vocabulary: set.vocab_size,
        limit: set.max_position_embeddings,
        heads: set.num_attention_heads,
        head_size,
        bases: set.bases()?,
        near: set.local_attention / 2,
        words: weights.tensor(table, &[set.vocab_size, width])?,
        norm: norm("model.embeddings.norm")?,
        layers: layers.collect::<Loaded<_>>()?,
        final_norm: norm("model.final_norm")?,
        pooling: set.classifier_pooling,
        pooler: Linear::load(weights, "head.dense", (width, width), set.classifier_bias)?,
        pooled: set.classifier_activation,
        pooler_norm: norm("head.norm")?,
        classifier: Linear::load(weights, "classifier", (width, labels), true)?,
    }))
}

impl ModernBert {
    /// The angle of each token and each pair of a head's numbers, as cosine and sine.
    fn turns(&self, tokens: usize, base: f64) -> Result<[Tensor; 2]> {
        let half = self.head_size / 2;
        let slow = |pair: usize| (base as f32).powf(2.0 * pair as f32 / self.head_size as f32);
        let speeds: Vec<f32> = (0..half).map(|pair| 1.0 / slow(pair)).collect();
        let angle = |token: usize| speeds.iter().map(move |speed| token as f32 * speed);
        let angles: Vec<f32> = (0..tokens).flat_map(angle).collect();
        let angles = Tensor::from_vec(angles, (tokens, half), &Device::Cpu)?;
        Ok([angles.cos()?, angles.sin()?])
    }

    /// What is added to scores so that nothing beyond the neighbourhood is read.
    fn walls(&self, tokens: usize) -> Result<Tensor> {
        let wall = |query: usize, key: usize| {
            if query.abs_diff(key) <= self.near {
                0.0
            } else {
                f32::NEG_INFINITY
            }
        };
        let walls: Vec<f32> = (0..tokens)
            .flat_map(|query| (0..tokens).map(move |key| wall(query, key)))
            .collect();
        Tensor::from_vec(walls, (1, tokens, tokens), &Device::Cpu)
    }
}

impl Net for ModernBert {
    fn limit(&self) -> usize {
        self.limit
    }

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn depth(&self) -> usize {
        self.layers.len()
    }

    fn begin(&self, ids: &[u32]) -> Result<State> {
        let mut aids = Vec::from(self.turns(ids.len(), self.bases.0)?);
        aids.extend(self.turns(ids.len(), self.bases.1)?);
        aids.push(self.walls(ids.len())?);
        Ok(State {
            rows: self.norm.of(&rows(&self.words, ids)?)?,
            aids,
        })
    }

    fn layer(&self, number: usize, state: State) -> Result<State> {
        let (Some(layer), [cos, sin, near_cos, near_sin, walls]) =
            (self.layers.get(number), state.aids.as_slice())
        else {
            return Ok(state);
        };
        let rows = match layer.reach {
            Reach::All => layer.of(&state.rows, self.heads, (cos, sin), None)?,
            Reach::Near => layer.of(&state.rows, self.heads, (near_cos, near_sin), Some(walls))?,
        };
        Ok(State { rows, ..state })
    }

    fn end(&self, state: &State) -> Result<Tensor> {
        let rows = self.final_norm.of(&state.rows)?;
        let read = match self.pooling {
            Pooling::Cls => rows.narrow(0, 0, 1)?,
            Pooling::Mean => rows.mean_keepdim(0)?,
        };
        let pooled = self.pooled.of(&self.pooler.of(&read)?)?;
        self.classifier.of(&self.pooler_norm.of(&pooled)?)
    }
}

struct Layer {
    reach: Reach,
    /// The first layer has none: the rows were just normalised.
    norm: Option<Norm>,
    all: Linear,
    out: Linear,
    wide_norm: Norm,
    wide: Linear,
    activation: Activation,
    narrow: Linear,
}

impl Layer {
    fn load(set: &Settings, weights: &Weights, number: usize, reach: Reach) -> Loaded<Layer> {
        let width = set.hidden_size;
        let wide = set.intermediate_size;
        let name = |part: &str| format!("model.layers.{number}.{part}");
        let norm = |part: &str| Norm::load(weights, &name(part), width, set.norm_eps, set.norm_bias);
        let linear = |part: &str, sides, bias| Linear::load(weights, &name(part), sides, bias);
        Ok(Layer {
            reach,
            norm: (number > 0).then(|| norm("attn_norm")).transpose()?,
            all: linear("attn.Wqkv", (width, width.saturating_mul(3)), set.attention_bias)?,
            out: linear("attn.Wo", (width, width), set.attention_bias)?,
            wide_norm: norm("mlp_norm")?,
            wide: linear("mlp.Wi", (width, wide.saturating_mul(2)), set.mlp_bias)?,
            activation: set.hidden_activation,
            narrow: linear("mlp.Wo", (wide, width), set.mlp_bias)?,
        })
    }

    fn of(
        &self,
        rows: &Tensor,
        heads: usize,
        (cos, sin): (&Tensor, &Tensor),
        walls: Option<&Tensor>,
    ) -> Result<Tensor> {
        let (_, width) = rows.dims2()?;
        let read = match &self.norm {
            Some(norm) => norm.of(rows)?,
            None => rows.clone(),
        };
        let all = self.all.of(&read)?;
        let part = |number: usize| split(&all.narrow(1, number * width, width)?, heads);
        let turn = |part: Tensor| candle_nn::rotary_emb::rope(&part.unsqueeze(0)?, cos, sin)?.squeeze(0);
        let (queries, keys, values) = (turn(part(0)?)?, turn(part(1)?)?, part(2)?);
        let scale = 1.0 / (queries.dim(2)? as f64).sqrt();
        let mut sum = scores(&(queries * scale)?, &keys)?;
        if let Some(walls) = walls {
            sum = sum.broadcast_add(walls)?;
        }
        let rows = (rows + self.out.of(&attend(&sum, &values)?)?)?;
        let both = self.wide.of(&self.wide_norm.of(&rows)?)?;
        let half = both.dim(1)? / 2;
        let value = both.narrow(1, 0, half)?.contiguous()?;
        let gate = both.narrow(1, half, half)?;
        let gated = (self.activation.of(&value)? * gate)?;
        rows + self.narrow.of(&gated)?
    }
}
