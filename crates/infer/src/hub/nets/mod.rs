//! Networks by the names that `config.json` gives them. Each is a file here and a line in `ARCHITECTURES`.

mod bert;
mod deberta;
mod modernbert;

use candle_core::{Result, Tensor};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{LoadError, Loaded};
use super::weights::Weights;

/// A network that gives a text one number a label. It is asked layer by layer, so that a caller can stop between two.
pub trait Net: Send + Sync {
    /// The most tokens it reads at once, special ones included.
    fn limit(&self) -> usize;

    /// How many ids it knows.
    fn vocabulary(&self) -> usize;

    /// How many layers it has.
    fn depth(&self) -> usize;

    /// What the first layer reads.
    fn begin(&self, ids: &[u32]) -> Result<State>;

    /// Goes through a layer.
    fn layer(&self, number: usize, state: State) -> Result<State>;

    /// One number a label, as a row.
    fn end(&self, state: &State) -> Result<Tensor>;
}

/// Between two layers.
pub struct State {
    /// A row a token.
    pub rows: Tensor,
    /// What all layers need of the positions, by the network's own order.
    pub aids: Vec<Tensor>,
}

/// How a network is built.
pub struct Architecture {
    /// Its name in `config.json`.
    pub name: &'static str,
    /// Builds it for so many labels.
    pub build: fn(&Value, &Weights, usize) -> Loaded<Box<dyn Net>>,
}

/// All that are known.
pub static ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "BertForSequenceClassification",
        build: bert::bert,
    },
    Architecture {
        name: "DebertaV2ForSequenceClassification",
        build: deberta::build,
    },
    Architecture {
        name: "DistilBertForSequenceClassification",
        build: bert::distil,
    },
    Architecture {
        name: "ModernBertForSequenceClassification",
        build: modernbert::build,
    },
    Architecture {
        name: "RobertaForSequenceClassification",
        build: bert::roberta,
    },
    Architecture {
        name: "XLMRobertaForSequenceClassification",
        build: bert::roberta,
    },
];

/// The settings of one network, of the whole file.
fn settings<T: DeserializeOwned>(config: &Value) -> Loaded<T> {
    T::deserialize(config).map_err(|why| LoadError::config(why.to_string()))
}
