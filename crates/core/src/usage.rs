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
    /// Tokens of the prompt that the provider put into its cache, where it says so: some ask more for them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
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
    /// Prompt tokens that the provider put into its cache; the price of `input` where none is given.
    pub cache_write: Option<f64>,
    /// Reply tokens.
    pub output: f64,
    /// Reply tokens that were reasoning; the price of `output` where none is given.
    pub reasoning: Option<f64>,
}

impl Price {
    /// What `usage` costs, rounded up to a millionth of a dollar: a budget is never undercharged.
    #[must_use]
    pub fn of(&self, usage: &Usage) -> Money {
        let cached = usage.cached.min(usage.input);
        let written = usage.cache_write.min(usage.input - cached);
        let fresh = usage.input - cached - written;
        let reasoning = usage.reasoning.min(usage.output);
        let micro = tokens(fresh) * self.input
            + tokens(cached) * self.cached_input.unwrap_or(self.input)
            + tokens(written) * self.cache_write.unwrap_or(self.input)
            + tokens(usage.output - reasoning) * self.output
            + tokens(reasoning) * self.reasoning.unwrap_or(self.output);
        Money(to_micro(micro))
    }

    /// A price at which no usage costs less than at this one, however its tokens are divided into sorts: what must be
    /// reserved while only their number has a bound.
    #[must_use]
    pub fn bound(&self) -> Price {
        let most = |price: f64, others: [Option<f64>; 2]| others.into_iter().flatten().fold(price, f64::max);
        Price {
            input: most(self.input, [self.cached_input, self.cache_write]),
            output: most(self.output, [self.reasoning, None]),
            ..Price::default()
        }
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
            ..Price::default()
        };
        let usage = Usage {
            input: 1000,
            cached: 400,
            output: 10,
            reasoning: 3,
            cache_write: 200,
        };
        assert_eq!(price.of(&usage), Money(1500 + 400 + 100));
        let dear = Price {
            cache_write: Some(4.0),
            reasoning: Some(20.0),
            ..price
        };
        assert_eq!(
            dear.of(&usage),
            Money(400 * 5 / 2 + 400 + 200 * 4 + 7 * 10 + 3 * 20)
        );
        assert_eq!(Money(2_000_001).to_string(), "2.000001 USD");
    }

    #[test]
    fn no_division_of_the_tokens_costs_more_than_the_bound() {
        let prices = [
            (1.0, None, None, 2.0, None),
            (1.0, Some(0.1), Some(1.25), 2.0, Some(8.0)),
            (1.0, Some(3.0), Some(0.0), 2.0, Some(0.5)),
            (0.0, None, Some(2.0), 0.0, Some(1.0)),
        ];
        for (input, cached_input, cache_write, output, reasoning) in prices {
            let price = Price {
                input,
                cached_input,
                cache_write,
                output,
                reasoning,
            };
            let whole = Usage {
                input: 10,
                output: 10,
                ..Usage::default()
            };
            let bound = price.bound().of(&whole);
            for cached in 0..=12 {
                for cache_write in 0..=12 {
                    for reasoning in 0..=12 {
                        let cost = price.of(&Usage {
                            cached,
                            cache_write,
                            reasoning,
                            ..whole
                        });
                        assert!(cost <= bound, "{price:?} {cached} {cache_write} {reasoning}");
                    }
                }
            }
        }
    }
}
