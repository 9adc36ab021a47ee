//! The meters in the memory of this process, and what a request holds of them while it is under way.
//!
//! A meter has a lock of its own that is held for a few dozen instructions and never across an await.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use portcullis_core::{Limits, Money, Usage};

use super::gcra::RateState;
use super::meters::{Limited, MeterId};
use super::state::State;
use super::wanted::{Wanted, wanted};
use super::{Budget, Period};
use crate::{Store, StoreError, UsageBatch, UsageDelta, UsageTotals};

const HOUR_MS: u64 = 3_600_000;

/// All meters of this process.
#[derive(Default)]
pub(super) struct Local {
    // Meters exist for authenticated keys and configured groups only, so nobody can make this grow at will.
    all: RwLock<HashMap<MeterId, Arc<Meter>>>,
    /// Batches go to the store one after the other.
    sending: tokio::sync::Mutex<()>,
    unsent: Mutex<Unsent>,
}

/// What is on its way to the store.
#[derive(Default)]
struct Unsent {
    writer: Option<[u8; 16]>,
    number: u64,
    /// Handed over, and not known to have arrived.
    batch: Option<UsageBatch>,
}

impl Unsent {
    fn writer(&mut self) -> Result<[u8; 16], StoreError> {
        if let Some(writer) = self.writer {
            return Ok(writer);
        }
        let mut writer = [0; 16];
        getrandom::fill(&mut writer)?;
        self.writer = Some(writer);
        Ok(writer)
    }
}

struct Meter {
    id: MeterId,
    state: Mutex<State>,
}

impl Meter {
    // A panic under this lock could only leave a counter off by one; refusing everybody for it would be worse.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Local {
    /// Meters that know what was spent in the present hour, day and month. Rates and concurrency begin anew.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn load(store: &dyn Store, now_ms: u64) -> Result<Local, StoreError> {
        let meters = Local::default();
        for period in Period::ALL {
            for (id, totals) in store.usage_since(period.start_ms(now_ms)).await? {
                meters.meter(&id).lock().spend(period, totals.cost, now_ms);
            }
        }
        Ok(meters)
    }

    /// See [`Meters::admit`](super::Meters::admit).
    pub(super) fn admit(&self, limits: &[(MeterId, &Limits)], now_ms: u64) -> Result<Held, Limited> {
        self.admit_each(limits.len(), wanted(limits), now_ms)
    }

    /// The same of limits that were read already.
    pub(super) fn admit_wanted(&self, wanted: Vec<Wanted>, now_ms: u64) -> Result<Held, Limited> {
        self.admit_each(wanted.len(), wanted.into_iter().map(Ok), now_ms)
    }

    fn admit_each(
        &self,
        count: usize,
        each: impl Iterator<Item = Result<Wanted, Limited>>,
        now_ms: u64,
    ) -> Result<Held, Limited> {
        let mut held = Held {
            taken: Vec::with_capacity(count),
            reserved: Mutex::default(),
            rate: None,
            token_rate: None,
        };
        for wanted in each {
            let admitted = wanted.and_then(|wanted| {
                let meter = self.meter(&wanted.meter);
                let (limits, budgets) = (&wanted.strictest, &wanted.budgets);
                let rates = meter.lock().admit(&wanted.meter, limits, budgets, now_ms)?;
                Ok((meter, wanted, rates))
            });
            match admitted {
                Ok((meter, wanted, rates)) => {
                    held.taken.push(Taken {
                        meter,
                        rpm: wanted.strictest.rpm,
                        budgets: wanted.budgets,
                    });
                    held.rate = tightest(held.rate, rates.requests);
                    held.token_rate = tightest(held.token_rate, rates.tokens);
                }
                Err(limited) => {
                    held.give_back();
                    return Err(limited);
                }
            }
        }
        Ok(held)
    }

    /// Money that a meter has spent in the period that holds `now_ms`.
    pub(super) fn spent(&self, id: &MeterId, period: Period, now_ms: u64) -> Money {
        self.meter(id).lock().spent_in(period, now_ms)
    }

    /// Money that requests under way at a meter may still cost.
    pub(super) fn reserved(&self, id: &MeterId) -> Money {
        self.meter(id).lock().reserved()
    }

    /// Requests under way at a meter.
    pub(super) fn in_flight(&self, id: &MeterId) -> u32 {
        self.meter(id).lock().in_flight()
    }

    /// Counts usage that is charged elsewhere, for the store.
    pub(super) fn note(&self, id: &MeterId, usage: &Usage, cost: Money, now_ms: u64, requests: u64) {
        let totals = UsageTotals {
            requests,
            usage: *usage,
            cost,
        };
        self.meter(id).lock().note(now_ms / HOUR_MS, &totals);
    }

    /// What was spent in a period, as others know it.
    pub(super) fn set_spent(&self, id: &MeterId, period: Period, money: Money, now_ms: u64) {
        self.meter(id).lock().set_spent(period, money, now_ms);
    }

    /// Money that is to be handed to the store, or that is on its way there and may not have arrived.
    pub(super) fn unsaved_costs(&self) -> Vec<(MeterId, Money)> {
        let on_the_way = self.unsent().batch.iter().flat_map(|batch| &batch.deltas).fold(
            HashMap::<MeterId, u64>::new(),
            |mut sums, delta| {
                let sum = sums.entry(delta.meter.clone()).or_default();
                *sum = sum.saturating_add(delta.totals.cost.0);
                sums
            },
        );
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let costs = all.values().map(|meter| {
            let sent = on_the_way.get(&meter.id).copied().unwrap_or_default();
            let cost = meter.lock().unsaved_cost();
            (meter.id.clone(), Money(cost.0.saturating_add(sent)))
        });
        costs.filter(|(_, cost)| *cost > Money(0)).collect()
    }

    /// Hands what was taken by [`Local::take_unsaved`] to the store, behind what was handed over before and may not have arrived.
    /// Where that fails it is kept for the next time. `arrived` is told what is there.
    pub(super) async fn hand_over(
        &self,
        store: &dyn Store,
        deltas: Vec<UsageDelta>,
        arrived: impl Fn(&[UsageDelta]),
    ) -> Result<(), StoreError> {
        let mut kept = Unsaved {
            local: self,
            deltas: Some(deltas),
        };
        let _one_at_a_time = self.sending.lock().await;
        // Whether it arrived, nobody knows: it goes again as it was, and counts once.
        let old = self.unsent().batch.clone();
        if let Some(old) = old {
            store.add_usage(old).await?;
            self.arrived(&arrived);
        }
        if kept.deltas.as_ref().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        let batch = {
            let mut unsent = self.unsent();
            let writer = unsent.writer()?;
            unsent.number = unsent.number.saturating_add(1);
            let batch = UsageBatch {
                writer,
                number: unsent.number,
                deltas: kept.deltas.take().unwrap_or_default(),
            };
            unsent.batch = Some(batch.clone());
            batch
        };
        store.add_usage(batch).await?;
        self.arrived(&arrived);
        Ok(())
    }

    fn arrived(&self, tell: impl Fn(&[UsageDelta])) {
        if let Some(batch) = self.unsent().batch.take() {
            tell(&batch.deltas);
        }
    }

    fn unsent(&self) -> MutexGuard<'_, Unsent> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be handed to the store, which then is no longer here.
    pub(super) fn take_unsaved(&self) -> Vec<UsageDelta> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let of_one = |meter: &Arc<Meter>| {
            let unsaved = meter.lock().take_unsaved();
            let id = meter.id.clone();
            unsaved.into_iter().map(move |(hour, totals)| UsageDelta {
                meter: id.clone(),
                hour,
                totals,
            })
        };
        all.values().flat_map(of_one).collect()
    }

    fn meter(&self, id: &MeterId) -> Arc<Meter> {
        let known = self
            .all
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned();
        known.unwrap_or_else(|| {
            let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
            let new = || {
                Arc::new(Meter {
                    id: id.clone(),
                    state: Mutex::default(),
                })
            };
            Arc::clone(all.entry(id.clone()).or_insert_with(new))
        })
    }
}

/// What is taken from the meters and not yet in a batch: where nobody waits for it any more, it goes back.
struct Unsaved<'a> {
    local: &'a Local,
    deltas: Option<Vec<UsageDelta>>,
}

impl Drop for Unsaved<'_> {
    fn drop(&mut self) {
        for delta in self.deltas.iter().flatten() {
            self.local
                .meter(&delta.meter)
                .lock()
                .note(delta.hour, &delta.totals);
        }
    }
}

/// A request that was let in. Dropping it frees its places; a stream therefore keeps it until its end.
#[must_use = "a request counts as under way only while its admission is held"]
pub(super) struct Held {
    taken: Vec<Taken>,
    /// What is reserved at each meter that has a budget, until it is settled.
    reserved: Mutex<Money>,
    rate: Option<RateState>,
    token_rate: Option<RateState>,
}

/// A meter that let a request in.
struct Taken {
    meter: Arc<Meter>,
    /// The request rate by which it was taken from.
    rpm: Option<u32>,
    budgets: Vec<Budget>,
}

impl Held {
    /// The least that is left in any budget that applies, less what requests under way may still cost; `None` without a budget.
    pub(super) fn left(&self, now_ms: u64) -> Option<Money> {
        self.budgeted()
            .flat_map(|taken| {
                let state = taken.meter.lock();
                let left = taken.budgets.iter().map(|budget| state.left(budget, now_ms));
                left.collect::<Vec<_>>()
            })
            .min()
    }

    /// Sets aside what the request can cost at most, in every budget that applies or in none. What is reserved counts as spent for
    /// all other requests until [`Held::settle`], or until the admission goes: budgets are never exceeded as long as no
    /// request costs more than was reserved for it.
    ///
    /// # Errors
    /// [`Limited::Short`]: it is more than is left somewhere.
    pub(super) fn reserve(&self, worst: Money, now_ms: u64) -> Result<(), Limited> {
        let mut done: Vec<&Taken> = Vec::new();
        for taken in self.budgeted() {
            let reserved = taken
                .meter
                .lock()
                .reserve(&taken.meter.id, worst, &taken.budgets, now_ms);
            if let Err(limited) = reserved {
                for taken in done {
                    taken.meter.lock().unreserve(worst);
                }
                return Err(limited);
            }
            done.push(taken);
        }
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        *reserved = Money(reserved.0.saturating_add(worst.0));
        Ok(())
    }

    /// Gives back what is reserved and not settled.
    fn unreserve(&self) {
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let left = std::mem::take(&mut *reserved);
        if left > Money(0) {
            for taken in self.budgeted() {
                taken.meter.lock().unreserve(left);
            }
        }
    }

    fn budgeted(&self) -> impl Iterator<Item = &Taken> {
        self.taken.iter().filter(|taken| !taken.budgets.is_empty())
    }

    /// The tightest of the request rates, if there is any: `x-ratelimit-*-requests`.
    pub(super) fn rate(&self) -> Option<RateState> {
        self.rate
    }

    /// The tightest of the token rates, if there is any: `x-ratelimit-*-tokens`.
    pub(super) fn token_rate(&self) -> Option<RateState> {
        self.token_rate
    }

    /// Charges what the request used to every meter that let it in, in the place of what was reserved. Once per request; also with a
    /// usage of zero, which counts the request.
    pub(super) fn settle(&self, usage: &Usage, cost: Money, now_ms: u64) {
        // Charged first: in between, both count, and never neither.
        for taken in &self.taken {
            taken.meter.lock().settle(usage, cost, now_ms);
        }
        self.unreserve();
    }

    fn give_back(mut self) {
        for taken in self.taken.drain(..) {
            taken.meter.lock().give_back(taken.rpm);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.unreserve();
        for taken in &self.taken {
            taken.meter.lock().leave();
        }
    }
}

pub(super) fn tightest(one: Option<RateState>, other: Option<RateState>) -> Option<RateState> {
    [one, other]
        .into_iter()
        .flatten()
        .min_by_key(|rate| rate.remaining)
}
