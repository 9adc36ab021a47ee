//! The parts that networks are built of, on tensors of one text: [tokens, width]. No batches, so no padding.

use candle_core::{D, Result, Tensor};
use serde::Deserialize;

use super::error::{LoadError, Loaded};
use super::weights::Weights;

/// x · wᵀ + b.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// `name.weight` of [output, input] and, where there is one, `name.bias`.
    pub fn load(
        weights: &Weights,
        name: &str,
        (input, output): (usize, usize),
        bias: bool,
    ) -> Loaded<Linear> {
        let weight = weights.tensor(&format!("{name}.weight"), &[output, input])?;
        let bias = bias
            .then(|| weights.tensor(&format!("{name}.bias"), &[output]))
            .transpose()?;
        Ok(Linear { weight, bias })
    }

    /// Of rows.
    pub fn of(&self, rows: &Tensor) -> Result<Tensor> {
        let product = rows.matmul(&self.weight.t()?)?;
        match &self.bias {
            Some(bias) => product.broadcast_add(bias),
            None => Ok(product),
        }
    }
}

/// Normalisation of each row.
pub struct Norm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f32,
}

impl Norm {
    /// `name.weight` and `name.bias`, or `name.gamma` and `name.beta` as old files have it.
    pub fn load(weights: &Weights, name: &str, width: usize, epsilon: f64, bias: bool) -> Loaded<Norm> {
        let old = weights.has(&format!("{name}.gamma"));
        let (gain, shift) = if old {
            ("gamma", "beta")
        } else {
            ("weight", "bias")
        };
        let weight = weights.tensor(&format!("{name}.{gain}"), &[width])?;
        let bias = if bias {
            weights.tensor(&format!("{name}.{shift}"), &[width])?
        } else {
            weight.zeros_like()?
        };
        Ok(Norm {
            weight,
            bias,
            epsilon: epsilon as f32,
        })
    }

    /// Of rows.
    pub fn of(&self, rows: &Tensor) -> Result<Tensor> {
        candle_nn::ops::layer_norm(rows, &self.weight, &self.bias, self.epsilon)
    }
}

/// The functions between layers, by the names that configurations use.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// By the error function.
    #[serde(alias = "gelu_python")]
    Gelu,
    /// By its approximation with tanh.
    #[serde(alias = "gelu_pytorch_tanh", alias = "gelu_fast")]
    GeluNew,
    /// max(0, x).
    Relu,
    /// x · sigmoid(x).
    #[serde(alias = "swish")]
    Silu,
    /// Hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// Of each number.
    pub fn of(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::Gelu => x.gelu_erf(),
            Activation::GeluNew => x.gelu(),
            Activation::Relu => x.relu(),
            Activation::Silu => x.silu(),
            Activation::Tanh => x.tanh(),
        }
    }
}

/// [tokens, heads · size] as [heads, tokens, size].
pub fn split(rows: &Tensor, heads: usize) -> Result<Tensor> {
    let (tokens, width) = rows.dims2()?;
    rows.reshape((tokens, heads, width / heads))?
        .transpose(0, 1)?
        .contiguous()
}

/// What scores and values give: softmax(scores) · values, as [tokens, heads · size].
pub fn attend(scores: &Tensor, values: &Tensor) -> Result<Tensor> {
    let shares = candle_nn::ops::softmax_last_dim(scores)?;
    let (heads, tokens, size) = values.dims3()?;
    shares
        .matmul(values)?
        .transpose(0, 1)?
        .contiguous()?
        .reshape((tokens, heads * size))
}

/// The products of every query with every key: [heads, tokens, tokens].
pub fn scores(queries: &Tensor, keys: &Tensor) -> Result<Tensor> {
    queries.matmul(&keys.transpose(D::Minus1, D::Minus2)?)
}

/// The rows of a table that the ids name.
pub fn rows(table: &Tensor, ids: &[u32]) -> Result<Tensor> {
    table.index_select(&Tensor::new(ids, table.device())?, 0)
}

/// How many heads share a width, and what each has.
pub fn head_size(width: usize, heads: usize) -> Loaded<usize> {
    match width.checked_rem(heads) {
        Some(0) if width > 0 => Ok(width / heads),
        _ => Err(LoadError::config(format!(
            "a width of {width} cannot be shared by {heads} heads of attention"
        ))),
    }
}
