//! The budget's lease: what a request can cost at most is set aside before anything is sent, in every budget that applies or in none.
//! Limits of a model are taken here as well: only now is it known which models may answer.
//!
//! The bound must hold whatever the model's tokenizer is: no token is shorter than a byte, so a body has at most as many tokens as
//! bytes. It is loose, and costs nothing but that requests under way hold more of a budget than they take in the end.

use portcullis_core::{Money, Price, UninspectableKind, Usage};
use portcullis_dialect::Allowance;

use super::admit::{enter_model, refused};
use super::authorize::{Authorized, Confiding, Outgoing};
use super::forward::{Way, ways};
use super::parse::Asked;
use crate::gateway::ModelSize;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal};

/// What providers add to a request by themselves: words around messages, an introduction to tools.
const ADDED: u64 = 1024;
/// A picture at the dearest that a provider is known to count it.
const PICTURE: u64 = 40_000;
/// Tokens of an answer that is worth asking for. Where a budget does not cover so many, the request is refused and not cut short.
const LEAST: u64 = 16;

/// A request whose cost is covered.
pub(crate) struct Reserved<'g> {
    request: Authorized,
    ways: Vec<Way<'g>>,
    expected: Expected,
}

/// What a reply that does not tell what it used is taken for.
#[derive(Clone, Copy)]
pub(crate) struct Expected {
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens that the reply has at most, where that is known: no estimate is above it.
    pub output: Option<u64>,
}

impl<'g> Reserved<'g> {
    pub(super) fn into_parts(self) -> (Asked, Outgoing, Confiding, Vec<Way<'g>>, Expected) {
        let (asked, outgoing, confiding, _) = self.request.into_parts();
        (asked, outgoing, confiding, self.ways, self.expected)
    }
}

pub(super) async fn reserve<'g>(
    gw: &'g Gateway,
    mut request: Authorized,
    record: &mut Record,
) -> Result<Reserved<'g>, Refusal> {
    let asked = request.asked();
    let ways = match asked.exchange.lists_models() {
        true => Vec::new(),
        false => ways(gw, asked, request.document(), request.bound_to())?,
    };
    let names = ways.iter().filter_map(|way| way.model.as_deref());
    let names: Vec<&str> = asked.call.model.as_deref().into_iter().chain(names).collect();
    let of_model = enter_model(gw, &asked.standing, &names).await?;
    let limit = gw.request_limit(&asked.standing, &names);
    request.places().add(of_model);
    let asked = request.asked();
    record.audit.limits_alone |= asked.places.is_alone();
    let bytes = request.length();
    // What a reply that tells no usage is taken for: English prose has four bytes a token, code and other scripts less.
    let input = bytes.div_ceil(3);
    if let Some(most) = limit.max_body.filter(|most| asked.body > *most) {
        return Err(Refusal::TooLarge(most));
    }
    let said = asked.exchange.allowance(request.document());
    let (allowance, mut write) = capped(said, limit.max_tokens)?;
    let left = asked.places.left(now_ms()).await;
    let left = left.map_err(|limited| refused(gw, limited))?;
    let attempts = request.attempts();
    let mut output = allowance.and_then(|allowance| Some(allowance.tokens?.saturating_mul(allowance.texts)));
    if let (Some(left), Some(price)) = (left, dearest(&ways)) {
        let size = size(&ways);
        let input = input_bound(asked, request.uninspectable(), bytes, size);
        // A reply that must fit a schema may be asked for several times.
        let each = Money(left.0 / attempts);
        let (tokens, unsaid) = output_bound(allowance, &price, input, each, size);
        let all = tokens.saturating_mul(allowance.map_or(0, |allowance| allowance.texts));
        output = Some(all);
        let worst = price.of(&Usage {
            input: input.saturating_mul(attempts),
            output: all.saturating_mul(attempts),
            ..Usage::default()
        });
        let reserved = asked.places.reserve(worst, now_ms()).await;
        reserved.map_err(|limited| refused(gw, limited))?;
        if unsaid {
            write = Some(tokens);
        }
    }
    if let Some(tokens) = write {
        let edits = asked.exchange.allow(request.document(), tokens);
        request.change(edits);
    }
    if ways.iter().all(Way::tells_usage) {
        request.ask_usage();
    }
    record.left("reserve");
    Ok(Reserved {
        request,
        ways,
        expected: Expected {
            input,
            output: output.map(|tokens| tokens.saturating_mul(attempts)),
        },
    })
}

/// What a request may have of what it asks for, and the number that must be written into it where it asks for more or says none.
fn capped(said: Option<Allowance>, most: Option<u64>) -> Result<(Option<Allowance>, Option<u64>), Refusal> {
    let (Some(allowance), Some(most)) = (said, most) else {
        return Ok((said, None));
    };
    let each = most.checked_div(allowance.texts).unwrap_or(most);
    if each == 0 {
        return Err(Refusal::TooManyTexts(most));
    }
    if allowance.tokens.is_some_and(|tokens| tokens <= each) {
        return Ok((said, None));
    }
    let allowance = Allowance {
        tokens: Some(each),
        ..allowance
    };
    Ok((Some(allowance), Some(each)))
}

/// What the dearest of the ways costs; nothing where none has a price, which no budget sees.
fn dearest(ways: &[Way<'_>]) -> Option<Price> {
    let prices = ways.iter().filter_map(|way| way.price).map(|price| price.bound());
    prices.reduce(|one, other| Price {
        input: one.input.max(other.input),
        output: one.output.max(other.output),
        ..Price::default()
    })
}

/// The largest of the models.
fn size(ways: &[Way<'_>]) -> ModelSize {
    let sizes = ways.iter().map(|way| way.size);
    let largest = sizes.reduce(|one, other| ModelSize {
        context: one.context.max(other.context),
        output: one.output.max(other.output),
    });
    largest.unwrap_or_default()
}

/// How many tokens the model reads at most.
fn input_bound(
    asked: &Asked,
    uninspectable: impl Iterator<Item = UninspectableKind>,
    bytes: u64,
    size: ModelSize,
) -> u64 {
    if !asked.call.state.is_empty() {
        // How long it is, the provider knows.
        return size.context;
    }
    let mut bound = bytes.saturating_add(ADDED);
    for kind in uninspectable {
        let more = match kind {
            UninspectableKind::Image => PICTURE,
            UninspectableKind::Audio | UninspectableKind::Video | UninspectableKind::File => size.context,
            // They stand in the body, no shorter than what they stand for.
            UninspectableKind::Encrypted | UninspectableKind::Vector => 0,
        };
        bound = bound.saturating_add(more);
    }
    bound.min(size.context)
}

/// How many tokens each text of the reply has at most, and whether the request does not say so: then it is as many as the budget
/// covers, up to what the model writes by configuration.
fn output_bound(
    allowance: Option<Allowance>,
    price: &Price,
    input: u64,
    left: Money,
    size: ModelSize,
) -> (u64, bool) {
    let Some(allowance) = allowance else {
        return (0, false);
    };
    if let Some(tokens) = allowance.tokens {
        return (tokens, false);
    }
    let cost = |tokens: u64| {
        price.of(&Usage {
            input,
            output: tokens.saturating_mul(allowance.texts),
            ..Usage::default()
        })
    };
    // Halved until it is covered: prices are fractions, and what is rounded must be rounded as it will be charged.
    let (mut least, mut most) = (LEAST, size.output.max(LEAST));
    if cost(most) <= left {
        return (most, true);
    }
    while most.saturating_sub(least) > 1 {
        let middle = least.midpoint(most);
        match cost(middle) <= left {
            true => least = middle,
            false => most = middle,
        }
    }
    (least, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_that_of_all_texts_together() {
        let said = |tokens, texts| Some(Allowance { tokens, texts });
        let capped = |said, most| capped(said, most).ok();
        for (asked, most, may, write) in [
            (said(Some(9), 1), None, said(Some(9), 1), None),
            (None, Some(10), None, None),
            (said(Some(9), 1), Some(10), said(Some(9), 1), None),
            (said(Some(11), 1), Some(10), said(Some(10), 1), Some(10)),
            (said(None, 1), Some(10), said(Some(10), 1), Some(10)),
            (said(Some(9), 3), Some(10), said(Some(3), 3), Some(3)),
            (said(Some(3), 3), Some(10), said(Some(3), 3), None),
        ] {
            assert_eq!(capped(asked, most), Some((may, write)), "{asked:?} {most:?}");
        }
        assert_eq!(capped(said(Some(1), 11), Some(10)), None);
        assert_eq!(capped(said(None, u64::MAX), Some(10)), None);
    }

    #[test]
    fn what_is_not_said_is_what_the_budget_covers() {
        let price = Price {
            input: 2.5,
            output: 10.0,
            ..Price::default()
        };
        let size = ModelSize {
            context: 100_000,
            output: 4096,
        };
        let said = |tokens| Some(Allowance { tokens, texts: 2 });
        let bound = |allowance, left| output_bound(allowance, &price, 1000, Money(left), size);
        assert_eq!(bound(None, 5), (0, false));
        assert_eq!(bound(said(Some(77)), 5), (77, false));
        assert_eq!(bound(said(None), 1_000_000), (4096, true));
        // 2500 for what is read; each token of both texts costs 20.
        assert_eq!(bound(said(None), 2500 + 20 * 100 + 19), (100, true));
        assert_eq!(bound(said(None), 2500 + 20 * 17), (17, true));
        assert_eq!(bound(said(None), 100), (LEAST, true), "which is then refused");
    }
}
