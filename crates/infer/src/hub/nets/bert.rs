//! BERT and its kin: positions are learned and added, a layer normalises after each half. RoBERTa and XLM-R count positions
//! from the padding's id; DistilBERT has other names and no token types.

use candle_core::{Result, Tensor};
use serde::Deserialize;
use serde_json::Value;

use super::{Net, State, settings};
use crate::hub::error::{LoadError, Loaded};
use crate::hub::math::{Activation, Linear, Norm, attend, head_size, rows, scores, split};
use crate::hub::weights::Weights;

#[derive(Deserialize)]
struct Settings {
    vocab_size: usize,
    #[serde(alias = "dim")]
    hidden_size: usize,
    #[serde(alias = "n_layers")]
    num_hidden_layers: usize,
    #[serde(alias = "n_heads")]
    num_attention_heads: usize,
    #[serde(alias = "hidden_dim")]
    intermediate_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "small", alias = "layer_norm_epsilon")]
    layer_norm_eps: f64,
    #[serde(default = "gelu", alias = "activation")]
    hidden_act: Activation,
    pad_token_id: Option<u32>,
    position_embedding_type: Option<String>,
}

fn two() -> usize {
    2
}

fn small() -> f64 {
    1e-12
}

fn gelu() -> Activation {
    Activation::Gelu
}

/// How the parts are called.
struct Names {
    embeddings: &'static str,
    layers: &'static str,
    query: &'static str,
    key: &'static str,
    value: &'static str,
    out: &'static str,
    out_norm: &'static str,
    wide: &'static str,
    narrow: &'static str,
    norm: &'static str,
    /// Whether positions begin after the padding's id.
    after_padding: bool,
}

const BERT: Names = Names {
    embeddings: "bert.embeddings",
    layers: "bert.encoder.layer",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    out: "attention.output.dense",
    out_norm: "attention.output.LayerNorm",
    wide: "intermediate.dense",
    narrow: "output.dense",
    norm: "output.LayerNorm",
    after_padding: false,
};

const ROBERTA: Names = Names {
    embeddings: "roberta.embeddings",
    layers: "roberta.encoder.layer",
    after_padding: true,
    ..BERT
};

const DISTIL: Names = Names {
    embeddings: "distilbert.embeddings",
    layers: "distilbert.transformer.layer",
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    out: "attention.out_lin",
    out_norm: "sa_layer_norm",
    wide: "ffn.lin1",
    narrow: "ffn.lin2",
    norm: "output_layer_norm",
    after_padding: false,
};

/// A network of this family.
struct Bert {
    vocabulary: usize,
    limit: usize,
    heads: usize,
    /// The padding's id, where positions are counted from it.
    padding: Option<u32>,
    words: Tensor,
    positions: Tensor,
    /// What a token of the first text gets.
    first: Option<Tensor>,
    norm: Norm,
    layers: Vec<Layer>,
    pooler: Linear,
    pooled: Activation,
    classifier: Linear,
}

/// `BertForSequenceClassification`.
pub fn bert(config: &Value, weights: &Weights, labels: usize) -> Loaded<Box<dyn Net>> {
    let set: Settings = settings(config)?;
    let ends = ["bert.pooler.dense", "classifier"];
    Bert::load(&set, weights, &BERT, (ends, Activation::Tanh), labels)
}

/// `RobertaForSequenceClassification` and `XLMRobertaForSequenceClassification`.
pub fn roberta(config: &Value, weights: &Weights, labels: usize) -> Loaded<Box<dyn Net>> {
    let set: Settings = settings(config)?;
    let ends = ["classifier.dense", "classifier.out_proj"];
    Bert::load(&set, weights, &ROBERTA, (ends, Activation::Tanh), labels)
}

/// `DistilBertForSequenceClassification`.
pub fn distil(config: &Value, weights: &Weights, labels: usize) -> Loaded<Box<dyn Net>> {
    let mut set: Settings = settings(config)?;
    set.type_vocab_size = 0;
    let ends = ["pre_classifier", "classifier"];
    Bert::load(&set, weights, &DISTIL, (ends, Activation::Relu), labels)
}

impl Bert {
    fn load(
        set: &Settings,
        weights: &Weights,
        names: &Names,
        (ends, pooled): ([&str; 2], Activation),
        labels: usize,
    ) -> Loaded<Box<dyn Net>> {
        if let Some(kind) = &set.position_embedding_type
            && kind != "absolute"
        {
            return Err(LoadError::config(format!(
                "position_embedding_type {kind} is not supported"
            )));
        }
        head_size(set.hidden_size, set.num_attention_heads)?;
        let padding = names.after_padding.then(|| set.pad_token_id.unwrap_or(1));
        let skipped = padding.map_or(0, |id| id as usize + 1);
        let width = set.hidden_size;
        let table = |part: &str, length: usize| {
            let name = format!("{}.{part}.weight", names.embeddings);
            weights.tensor(&name, &[length, width])
        };
        let first = match set.type_vocab_size {
            0 => None,
            types => Some(table("token_type_embeddings", types)?.narrow(0, 0, 1)?),
        };
        let norm = format!("{}.LayerNorm", names.embeddings);
        let layer = |number| Layer::load(set, weights, names, number);
        Ok(Box::new(Bert {
            vocabulary: set.vocab_size,
            limit: set.max_position_embeddings.saturating_sub(skipped),
            heads: set.num_attention_heads,
            padding,
            words: table("word_embeddings", set.vocab_size)?,
            positions: table("position_embeddings", set.max_position_embeddings)?,
            first,
            norm: Norm::load(weights, &norm, width, set.layer_norm_eps, true)?,
            layers: (0..set.num_hidden_layers).map(layer).collect::<Loaded<_>>()?,
            pooler: Linear::load(weights, ends[0], (width, width), true)?,
            pooled,
            classifier: Linear::load(weights, ends[1], (width, labels), true)?,
        }))
    }

    /// Which position each token has. A token of padding, which a text can spell, has the padding's own.
    fn places(&self, ids: &[u32]) -> Vec<u32> {
        let Some(padding) = self.padding else {
            return (0..).zip(ids).map(|(place, _)| place).collect();
        };
        let mut place = padding;
        let mut next = |id: &u32| {
            if *id == padding {
                return padding;
            }
            place = place.saturating_add(1);
            place
        };
        ids.iter().map(&mut next).collect()
    }
}

impl Net for Bert {
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
        let words = rows(&self.words, ids)?;
        let mut sum = (words + rows(&self.positions, &self.places(ids))?)?;
        if let Some(first) = &self.first {
            sum = sum.broadcast_add(first)?;
        }
        Ok(State {
            rows: self.norm.of(&sum)?,
            aids: Vec::new(),
        })
    }

    fn layer(&self, number: usize, state: State) -> Result<State> {
        let rows = match self.layers.get(number) {
            Some(layer) => layer.of(&state.rows, self.heads)?,
            None => state.rows,
        };
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
    out: Linear,
    out_norm: Norm,
    wide: Linear,
    activation: Activation,
    narrow: Linear,
    norm: Norm,
}

impl Layer {
    fn load(set: &Settings, weights: &Weights, names: &Names, number: usize) -> Loaded<Layer> {
        let (width, wide) = (set.hidden_size, set.intermediate_size);
        let name = |part: &str| format!("{}.{number}.{part}", names.layers);
        let linear = |part: &str, sides| Linear::load(weights, &name(part), sides, true);
        let norm = |part: &str| Norm::load(weights, &name(part), width, set.layer_norm_eps, true);
        Ok(Layer {
            query: linear(names.query, (width, width))?,
            key: linear(names.key, (width, width))?,
            value: linear(names.value, (width, width))?,
            out: linear(names.out, (width, width))?,
            out_norm: norm(names.out_norm)?,
            wide: linear(names.wide, (width, wide))?,
            activation: set.hidden_act,
            narrow: linear(names.narrow, (wide, width))?,
            norm: norm(names.norm)?,
        })
    }

    fn of(&self, rows: &Tensor, heads: usize) -> Result<Tensor> {
        let queries = split(&self.query.of(rows)?, heads)?;
        let keys = split(&self.key.of(rows)?, heads)?;
        let values = split(&self.value.of(rows)?, heads)?;
        let scale = 1.0 / (queries.dim(2)? as f64).sqrt();
        let read = attend(&scores(&(queries * scale)?, &keys)?, &values)?;
        let rows = self.out_norm.of(&(self.out.of(&read)? + rows)?)?;
        let wide = self.activation.of(&self.wide.of(&rows)?)?;
        self.norm.of(&(self.narrow.of(&wide)? + rows)?)
    }
}
