//! What one meter knows, and the rules by which it lets in. All of it happens under the meter's own short lock.

use portcullis_core::{Limits, Money, Usage};

use super::gcra::{Debt, RateState};
use super::meters::{Limited, MeterId, RateUnit};
use super::{Budget, Period};
use crate::UsageTotals;

const NS_PER_MS: u64 = 1_000_000;
const HOUR_MS: u64 = 3_600_000;
/// When to come back where requests under way hold the money: many end within seconds.
const SOON_MS: u64 = 2_000;

#[derive(Default)]
pub(super) struct State {
    requests: Debt,
    tokens: Debt,
    /// The token rate in force when a request was last let in: tokens are settled by it.
    tpm: Option<u32>,
    in_flight: u32,
    /// What requests under way may still cost.
    reserved: Money,
    spent: [Spent; 3],
    /// Used and not yet handed to the store, by hour.
    unsaved: Vec<(u64, UsageTotals)>,
}

/// Money of the period that began at `start_ms`.
#[derive(Clone, Copy, Default)]
struct Spent {
    start_ms: u64,
    money: Money,
}

/// The rates after a request was let in.
#[derive(Clone, Copy, Default)]
pub(super) struct Rates {
    pub(super) requests: Option<RateState>,
    pub(super) tokens: Option<RateState>,
}

/// What several limits of one meter come to. Budgets are not among them: those of different periods all apply.
#[derive(Clone, Copy, Default)]
pub(super) struct Strictest {
    pub(super) rpm: Option<u32>,
    pub(super) tpm: Option<u32>,
    pub(super) concurrency: Option<u32>,
}

impl Strictest {
    pub(super) fn of<'a>(all: impl Iterator<Item = &'a Limits>) -> Strictest {
        let least = |one: Option<u32>, other: Option<u32>| one.into_iter().chain(other).min();
        all.fold(Strictest::default(), |so_far, limits| Strictest {
            rpm: least(so_far.rpm, limits.rpm),
            tpm: least(so_far.tpm, limits.tpm),
            concurrency: least(so_far.concurrency, limits.concurrency),
        })
    }
}

impl State {
    /// Lets a request in and takes what it takes, or takes nothing.
    pub(super) fn admit(
        &mut self,
        meter: &MeterId,
        limits: &Strictest,
        budgets: &[Budget],
        now_ms: u64,
    ) -> Result<Rates, Limited> {
        let now_ns = now_ms.saturating_mul(NS_PER_MS);
        if let Some(limit) = limits.concurrency
            && self.in_flight >= limit
        {
            return Err(Limited::Concurrency {
                meter: meter.clone(),
                limit,
            });
        }
        for budget in budgets {
            self.check_budget(meter, budget, now_ms)?;
        }
        if let Some(tpm) = limits.tpm {
            self.tokens
                .check_tokens(tpm, now_ns)
                .map_err(|retry_after_ms| Limited::Rate {
                    meter: meter.clone(),
                    unit: RateUnit::Tokens,
                    state: self.tokens.token_state(tpm, now_ns),
                    retry_after_ms,
                })?;
        }
        if let Some(rpm) = limits.rpm {
            self.requests
                .check_request(rpm, now_ns)
                .map_err(|retry_after_ms| Limited::Rate {
                    meter: meter.clone(),
                    unit: RateUnit::Requests,
                    state: self.requests.request_state(rpm, now_ns),
                    retry_after_ms,
                })?;
            self.requests.take_request(rpm, now_ns);
        }
        self.tpm = limits.tpm;
        self.in_flight = self.in_flight.saturating_add(1);
        Ok(Rates {
            requests: limits.rpm.map(|rpm| self.requests.request_state(rpm, now_ns)),
            tokens: limits.tpm.map(|tpm| self.tokens.token_state(tpm, now_ns)),
        })
    }

    fn check_budget(&self, meter: &MeterId, budget: &Budget, now_ms: u64) -> Result<(), Limited> {
        if self.spent_in(budget.period, now_ms) < budget.amount {
            return Ok(());
        }
        Err(Limited::Budget {
            meter: meter.clone(),
            retry_after_ms: budget.period.end_ms(now_ms).saturating_sub(now_ms),
        })
    }

    /// What is left of a budget, less what requests under way may still cost. They may end in the next period, so they count in
    /// each.
    pub(super) fn left(&self, budget: &Budget, now_ms: u64) -> Money {
        let spent = self.spent_in(budget.period, now_ms).0;
        let left = budget.amount.0.saturating_sub(spent);
        Money(left.saturating_sub(self.reserved.0))
    }

    /// Sets money aside if every budget covers it.
    pub(super) fn reserve(
        &mut self,
        meter: &MeterId,
        worst: Money,
        budgets: &[Budget],
        now_ms: u64,
    ) -> Result<(), Limited> {
        for budget in budgets {
            let left = self.left(budget, now_ms);
            if worst > left {
                let until_end = budget.period.end_ms(now_ms).saturating_sub(now_ms);
                let soon = worst.0 <= left.0.saturating_add(self.reserved.0);
                return Err(Limited::Short {
                    meter: meter.clone(),
                    left,
                    retry_after_ms: if soon { SOON_MS.min(until_end) } else { until_end },
                });
            }
        }
        self.reserved = Money(self.reserved.0.saturating_add(worst.0));
        Ok(())
    }

    pub(super) fn unreserve(&mut self, money: Money) {
        self.reserved = Money(self.reserved.0.saturating_sub(money.0));
    }

    pub(super) const fn reserved(&self) -> Money {
        self.reserved
    }

    /// Money of the present period. A clock that was set back still sees what was spent ahead of it.
    pub(super) fn spent_in(&self, period: Period, now_ms: u64) -> Money {
        match self.spent.get(period as usize) {
            Some(spent) if spent.start_ms >= period.start_ms(now_ms) => spent.money,
            _ => Money(0),
        }
    }

    /// Gives the request of an admission back that came to nothing.
    pub(super) fn give_back(&mut self, rpm: Option<u32>) {
        self.leave();
        if let Some(rpm) = rpm {
            self.requests.return_request(rpm);
        }
    }

    /// Frees the place of a request that ended.
    pub(super) fn leave(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    pub(super) const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    pub(super) fn settle(&mut self, usage: &Usage, cost: Money, now_ms: u64) {
        if let Some(tpm) = self.tpm {
            let tokens = usage.input.saturating_add(usage.output);
            self.tokens
                .take_tokens(tpm, tokens, now_ms.saturating_mul(NS_PER_MS));
        }
        for period in Period::ALL {
            self.spend(period, cost, now_ms);
        }
        self.note(
            now_ms / HOUR_MS,
            &UsageTotals {
                requests: 1,
                usage: *usage,
                cost,
            },
        );
    }

    /// Counts money that was spent in the period of `now_ms`.
    pub(super) fn spend(&mut self, period: Period, cost: Money, now_ms: u64) {
        let start_ms = period.start_ms(now_ms);
        if let Some(spent) = self.spent.get_mut(period as usize) {
            if spent.start_ms < start_ms {
                *spent = Spent {
                    start_ms,
                    money: Money(0),
                };
            }
            spent.money = Money(spent.money.0.saturating_add(cost.0));
        }
    }

    /// What was spent in the period of `now_ms`, as others know it.
    pub(super) fn set_spent(&mut self, period: Period, money: Money, now_ms: u64) {
        if let Some(spent) = self.spent.get_mut(period as usize) {
            *spent = Spent {
                start_ms: period.start_ms(now_ms),
                money,
            };
        }
    }

    /// Money that is to be handed to the store.
    pub(super) fn unsaved_cost(&self) -> Money {
        let sum = self
            .unsaved
            .iter()
            .fold(0u64, |sum, (_, totals)| sum.saturating_add(totals.cost.0));
        Money(sum)
    }

    /// Keeps what is to be handed to the store.
    pub(super) fn note(&mut self, hour: u64, totals: &UsageTotals) {
        match self.unsaved.iter_mut().find(|(known, _)| *known == hour) {
            Some((_, sum)) => sum.add(totals),
            None => self.unsaved.push((hour, *totals)),
        }
    }

    /// What is to be handed to the store, which then is no longer here.
    pub(super) fn take_unsaved(&mut self) -> Vec<(u64, UsageTotals)> {
        std::mem::take(&mut self.unsaved)
    }
}
