//! DeBERTa v2 and v3, mDeBERTa: attention adds to what a token is where it stands relative to the other.
//!
//! Relative positions near a token count one by one, those far away in buckets that grow. What the projections make of the
//! table of positions does not depend on the text, so it is computed once, when the model is loaded.

use candle_core::{D, Device, Result, Tensor};
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
    embedding_size: Option<usize>,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    attention_head_size: Option<usize>,
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default)]
    type_vocab_size: usize,
    #[serde(default = "small")]
    layer_norm_eps: f64,
    #[serde(default = "gelu")]
    hidden_act: Activation,
    #[serde(default)]
    relative_attention: bool,
    #[serde(default = "none")]
    position_buckets: i64,
    #[serde(default = "none")]
    max_relative_positions: i64,
    #[serde(default)]
    share_att_key: bool,
    pos_att_type: Option<Kinds>,
    norm_rel_ebd: Option<String>,
    #[serde(default = "yes")]
    position_biased_input: bool,
    #[serde(default)]
    conv_kernel_size: usize,
    conv_groups: Option<usize>,
    conv_act: Option<Activation>,
    pooler_hidden_size: Option<usize>,
    #[serde(default = "gelu")]
    pooler_hidden_act: Activation,
}

/// Older files join them with bars.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kinds {
    Joined(String),
    List(Vec<String>),
}

fn small() -> f64 {
    1e-7
}

fn gelu() -> Activation {
    Activation::Gelu
}

fn none() -> i64 {
    -1
}

fn yes() -> bool {
    true
}

impl Settings {
    /// Whether attention adds that kind of score.
    fn adds(&self, kind: &str) -> bool {
        match &self.pos_att_type {
            None => false,
            Some(Kinds::Joined(kinds)) => kinds.split('|').any(|each| each.trim() == kind),
            Some(Kinds::List(kinds)) => kinds.iter().any(|each| each.trim() == kind),
        }
    }

    fn head_size(&self) -> Loaded<usize> {
        let shared = head_size(self.hidden_size, self.num_attention_heads)?;
        Ok(self.attention_head_size.unwrap_or(shared))
    }

    /// By what scores are divided: each kind of score adds to their spread.
    fn scale(&self, head_size: usize) -> f64 {
        let kinds = 1 + usize::from(self.adds("c2p")) + usize::from(self.adds("p2c"));
        1.0 / ((head_size * kinds) as f64).sqrt()
    }

    fn norms_positions(&self) -> bool {
        let kinds = self.norm_rel_ebd.as_deref().unwrap_or_default();
        kinds
            .split('|')
            .any(|kind| kind.trim().eq_ignore_ascii_case("layer_norm"))
    }
}

/// How far from a token counts as which row of the table of positions.
struct Distances {
    buckets: Option<usize>,
    most: usize,
}

impl Distances {
    fn new(set: &Settings) -> Distances {
        let most = usize::try_from(set.max_relative_positions).unwrap_or_default();
        let buckets = usize::try_from(set.position_buckets).unwrap_or_default();
        Distances {
            buckets: (buckets > 0).then_some(buckets),
            most: if most > 0 {
                most
            } else {
                set.max_position_embeddings
            },
        }
    }

    /// Rows for one direction: the table has twice as many.
    fn span(&self) -> usize {
        self.buckets.unwrap_or(self.most)
    }

    /// The row of the table for a query so many tokens after the key.
    fn row(&self, distance: i64) -> u32 {
        let span = i64::try_from(self.span()).unwrap_or(i64::MAX / 4);
        let place = match self.buckets {
            Some(_) => self.bucket(distance, span),
            None => distance,
        };
        let row = place.saturating_add(span).clamp(0, span.saturating_mul(2) - 1);
        u32::try_from(row).unwrap_or_default()
    }

    /// In single precision as the reference computes it: a bucket further would be another row.
    fn bucket(&self, distance: i64, buckets: i64) -> i64 {
        let middle = buckets / 2;
        if distance.abs() <= middle || middle < 1 {
            return distance;
        }
        let near = middle as f32;
        let far = (self.most as f32 - 1.0) / near;
        let steps = ((distance.abs() as f32 / near).ln() / far.ln()) * (near - 1.0);
        let place = (steps.ceil() as i64).saturating_add(middle);
        place.saturating_mul(distance.signum())
    }

    /// The rows for each query and key of a text, the same for every head: [heads, tokens, tokens].
    fn table(&self, tokens: usize, heads: usize) -> Result<Tensor> {
        let length = i64::try_from(tokens).unwrap_or(i64::MAX);
        // From the furthest key before a query to the furthest after it: a query's row is a stretch of it.
        let mut all: Vec<u32> = (1 - length..length).map(|far| self.row(far)).collect();
        all.reverse();
        let mut table: Vec<u32> = Vec::with_capacity(tokens.saturating_mul(tokens));
        for query in 0..tokens {
            let start = tokens - 1 - query;
            table.extend(all.iter().skip(start).take(tokens));
        }
        Tensor::from_vec(table, (1, tokens, tokens), &Device::Cpu)?
            .broadcast_as((heads, tokens, tokens))?
            .contiguous()
    }
}

struct Deberta {
    vocabulary: usize,
    limit: usize,
    heads: usize,
    distances: Option<Distances>,
    words: Tensor,
    positions: Option<Tensor>,
    first: Option<Tensor>,
    widen: Option<Tensor>,
    norm: Norm,
    layers: Vec<Layer>,
    convolution: Option<Convolution>,
    pooler: Linear,
    pooled: Activation,
    classifier: Linear,
}

/// `DebertaV2ForSequenceClassification`.
pub fn build(config: &Value, weights: &Weights, labels: usize) -> Loaded<Box<dyn Net>> {
    let set: Settings = settings(config)?;
    let width = set.hidden_size;
    let narrow = set.embedding_size.unwrap_or(width);
    if set.pooler_hidden_size.is_some_and(|size| size != width) {
        return Err(LoadError::config(
            "pooler_hidden_size differs from hidden_size, which is not supported",
        ));
    }
    let table = |part: &str, length: usize| {
        let name = format!("deberta.embeddings.{part}.weight");
        weights.tensor(&name, &[length, narrow])
    };
    let first = match set.type_vocab_size {
        0 => None,
        types => Some(table("token_type_embeddings", types)?.narrow(0, 0, 1)?),
    };
    let positions = set
        .position_biased_input
        .then(|| table("position_embeddings", set.max_position_embeddings))
        .transpose()?;
    let widen = (narrow != width)
        .then(|| weights.tensor("deberta.embeddings.embed_proj.weight", &[width, narrow]))
        .transpose()?;
    let distances = set.relative_attention.then(|| Distances::new(&set));
    let relative = relative(&set, weights, distances.as_ref())?;
    let layer = |number| Layer::load(&set, weights, relative.as_ref(), number);
    let convolution = (set.conv_kernel_size > 0)
        .then(|| Convolution::load(&set, weights))
        .transpose()?;
    Ok(Box::new(Deberta {
        vocabulary: set.vocab_size,
        limit: set.max_position_embeddings,
        heads: set.num_attention_heads,
        words: table("word_embeddings", set.vocab_size)?,
        positions,
        first,
        widen,
        norm: Norm::load(
            weights,
            "deberta.embeddings.LayerNorm",
            width,
            set.layer_norm_eps,
            true,
        )?,
        layers: (0..set.num_hidden_layers).map(layer).collect::<Loaded<_>>()?,
        convolution,
        distances,
        pooler: Linear::load(weights, "pooler.dense", (width, width), true)?,
        pooled: set.pooler_hidden_act,
        classifier: Linear::load(weights, "classifier", (width, labels), true)?,
    }))
}

/// The table of relative positions, normalised where the model was trained so.
fn relative(set: &Settings, weights: &Weights, distances: Option<&Distances>) -> Loaded<Option<Tensor>> {
    let Some(distances) = distances else {
        return Ok(None);
    };
    let length = distances.span().saturating_mul(2);
    let shape = [length, set.hidden_size];
    let table = weights.tensor("deberta.encoder.rel_embeddings.weight", &shape)?;
    if !set.norms_positions() {
        return Ok(Some(table));
    }
    let name = "deberta.encoder.LayerNorm";
    let norm = Norm::load(weights, name, set.hidden_size, set.layer_norm_eps, true)?;
    Ok(Some(norm.of(&table)?))
}

impl Net for Deberta {
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
        let mut sum = rows(&self.words, ids)?;
        if let Some(positions) = &self.positions {
            sum = (sum + positions.narrow(0, 0, ids.len())?)?;
        }
        if let Some(first) = &self.first {
            sum = sum.broadcast_add(first)?;
        }
        if let Some(widen) = &self.widen {
            sum = sum.matmul(&widen.t()?)?;
        }
        let table = |distances: &Distances| distances.table(ids.len(), self.heads);
        Ok(State {
            rows: self.norm.of(&sum)?,
            aids: self.distances.iter().map(table).collect::<Result<_>>()?,
        })
    }

    fn layer(&self, number: usize, state: State) -> Result<State> {
        let Some(layer) = self.layers.get(number) else {
            return Ok(state);
        };
        let mut rows = layer.of(&state.rows, self.heads, state.aids.first())?;
        if let Some(convolution) = self.convolution.as_ref().filter(|_| number == 0) {
            rows = convolution.of(&state.rows, &rows)?;
        }
        Ok(State { rows, ..state })
    }

    fn end(&self, state: &State) -> Result<Tensor> {
        let first = state.rows.narrow(0, 0, 1)?;
        let pooled = self.pooled.of(&self.pooler.of(&first)?)?;
        self.classifier.of(&pooled)
    }
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    /// Keys of the positions, scaled: [heads, size, positions].
    position_keys: Option<Tensor>,
    /// Queries of the positions, scaled: [heads, positions, size].
    position_queries: Option<Tensor>,
    scale: f64,
    out: Linear,
    out_norm: Norm,
    wide: Linear,
    activation: Activation,
    narrow: Linear,
    norm: Norm,
}

impl Layer {
    fn load(set: &Settings, weights: &Weights, relative: Option<&Tensor>, number: usize) -> Loaded<Layer> {
        let (width, wide) = (set.hidden_size, set.intermediate_size);
        let size = set.head_size()?;
        let all = size.saturating_mul(set.num_attention_heads);
        let name = |part: &str| format!("deberta.encoder.layer.{number}.{part}");
        let linear = |part: &str, sides| Linear::load(weights, &name(part), sides, true);
        let norm = |part: &str| Norm::load(weights, &name(part), width, set.layer_norm_eps, true);
        let query = linear("attention.self.query_proj", (width, all))?;
        let key = linear("attention.self.key_proj", (width, all))?;
        let scale = set.scale(size);
        let project = |kind: &str, own: &str, shared: &Linear| {
            let Some(table) = relative.filter(|_| set.adds(kind)) else {
                return Ok(None);
            };
            let rows = if set.share_att_key {
                shared.of(table)?
            } else {
                linear(own, (width, all))?.of(table)?
            };
            let scaled = (split(&rows, set.num_attention_heads)? * scale)?;
            Ok::<_, LoadError>(Some(scaled))
        };
        let position_keys = project("c2p", "attention.self.pos_key_proj", &key)?
            .map(|keys| keys.transpose(D::Minus1, D::Minus2)?.contiguous())
            .transpose()?;
        let position_queries = project("p2c", "attention.self.pos_query_proj", &query)?;
        Ok(Layer {
            query,
            key,
            value: linear("attention.self.value_proj", (width, all))?,
            position_keys,
            position_queries,
            scale,
            out: linear("attention.output.dense", (all, width))?,
            out_norm: norm("attention.output.LayerNorm")?,
            wide: linear("intermediate.dense", (width, wide))?,
            activation: set.hidden_act,
            narrow: linear("output.dense", (wide, width))?,
            norm: norm("output.LayerNorm")?,
        })
    }

    fn of(&self, rows: &Tensor, heads: usize, table: Option<&Tensor>) -> Result<Tensor> {
        let queries = split(&self.query.of(rows)?, heads)?;
        let keys = split(&self.key.of(rows)?, heads)?;
        let values = split(&self.value.of(rows)?, heads)?;
        let mut sum = scores(&(&queries * self.scale)?, &keys)?;
        if let (Some(positions), Some(table)) = (&self.position_keys, table) {
            let products = queries.matmul(positions)?;
            sum = (sum + products.gather(table, 2)?)?;
        }
        if let (Some(positions), Some(table)) = (&self.position_queries, table) {
            // A row a position and a column a key, so that the row of a query and a key is already where it belongs.
            let products = positions.matmul(&keys.transpose(1, 2)?)?;
            sum = (sum + products.gather(table, 1)?)?;
        }
        let read = attend(&sum, &values)?;
        let rows = self.out_norm.of(&(self.out.of(&read)? + rows)?)?;
        let wide = self.activation.of(&self.wide.of(&rows)?)?;
        self.norm.of(&(self.narrow.of(&wide)? + rows)?)
    }
}

/// What the large models of v2 add after the first layer: neighbours read together.
struct Convolution {
    kernel: Tensor,
    bias: Tensor,
    padding: usize,
    groups: usize,
    activation: Activation,
    norm: Norm,
}

impl Convolution {
    fn load(set: &Settings, weights: &Weights) -> Loaded<Convolution> {
        let (width, size) = (set.hidden_size, set.conv_kernel_size);
        let groups = set.conv_groups.unwrap_or(1);
        let part = match width.checked_rem(groups) {
            Some(0) if size % 2 == 1 => width / groups,
            _ => {
                return Err(LoadError::config(format!(
                    "conv_kernel_size {size} with conv_groups {groups} is not supported"
                )));
            }
        };
        let norm = "deberta.encoder.conv.LayerNorm";
        let kernel = weights.tensor("deberta.encoder.conv.conv.weight", &[width, part, size])?;
        let bias = weights.tensor("deberta.encoder.conv.conv.bias", &[width])?;
        Ok(Convolution {
            kernel,
            bias: bias.reshape((1, width, 1))?,
            padding: (size - 1) / 2,
            groups,
            activation: set.conv_act.unwrap_or(Activation::Tanh),
            norm: Norm::load(weights, norm, width, set.layer_norm_eps, true)?,
        })
    }

    fn of(&self, before: &Tensor, after: &Tensor) -> Result<Tensor> {
        let columns = before.t()?.unsqueeze(0)?.contiguous()?;
        let read = columns.conv1d(&self.kernel, self.padding, 1, 1, self.groups)?;
        let read = read.broadcast_add(&self.bias)?.squeeze(0)?.t()?;
        let sum = (self.activation.of(&read.contiguous()?)? + after)?;
        self.norm.of(&sum)
    }
}
