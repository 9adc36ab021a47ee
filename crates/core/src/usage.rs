//! Tokens and money.

use serde::{Deserialize, Serialize};

/// Tokens that a request used, as the provider counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: u64,
    /// Tokens of the prompt that the provider had cached.
    pub cached: u64,
    /// Tokens of the reply, reasoning included.
    pub output: u64,
    /// Tokens of the reply that were reasoning.
    pub reasoning: u64,
}

/// An amount of money in millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub u64);

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:06} USD", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// What a model costs, in US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// Prompt tokens.
    pub input: f64,
    /// Prompt tokens that the provider had cached; the price of `input` where none is given.
    pub cached_input: Option<f64>,
    /// Reply tokens.
    pub output: f64,
}

impl Price {
    /// What `usage` costs, rounded up to a millionth of a dollar: a budget is never undercharged.
    #[must_use]
    pub fn of(&self, usage: &Usage) -> Money {
        let cached = usage.cached.min(usage.input);
        let fresh = usage.input - cached;
        let micro = tokens(fresh) * self.input
            + tokens(cached) * self.cached_input.unwrap_or(self.input)
            + tokens(usage.output) * self.output;
        Money(to_micro(micro))
    }
}

#[allow(clippy::cast_precision_loss, reason = "token counts stay far below 2^52")]
fn tokens(count: u64) -> f64 {
    count as f64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates: a negative price becomes 0, an absurd one u64::MAX"
)]
fn to_micro(micro: f64) -> u64 {
    micro.ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_per_million_tokens_is_micro_dollars_per_token() {
        let price = Price {
            input: 2.5,
            cached_input: Some(1.0),
            output: 10.0,
        };
        let usage = Usage {
            input: 1000,
            cached: 400,
            output: 10,
            reasoning: 3,
        };
        assert_eq!(price.of(&usage), Money(1500 + 400 + 100));
        assert_eq!(Money(2_000_001).to_string(), "2.000001 USD");
    }
}
