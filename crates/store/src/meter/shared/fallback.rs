//! What a replica lets in by itself while the shared meters are out of reach: a fraction of each limit, and of what was left of each
//! budget when they were lost. What the others let in is not known meanwhile, so the fractions of all must not come to more than one.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use portcullis_core::Money;

use super::super::local::Local;
use super::super::meters::MeterId;
use super::super::state::Strictest;
use super::super::wanted::Wanted;
use super::super::{Budget, Period};
use super::OutOfReach;
use crate::{Store, StoreError};

/// When a period began and what had been spent in it when the meters were lost.
type Spent = HashMap<(MeterId, Period), (u64, Money)>;

pub(super) struct Share {
    fraction: Option<f64>,
    /// Not known until the store was read.
    spent: Mutex<Option<Spent>>,
}

impl Share {
    pub fn new(out_of_reach: OutOfReach) -> Share {
        Share {
            fraction: match out_of_reach {
                OutOfReach::Refuse => None,
                OutOfReach::Local(fraction) => Some(fraction.clamp(0.0, 1.0)),
            },
            spent: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Spent>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was spent must be read anew.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    pub fn wants_to_know(&self) -> bool {
        self.fraction.is_some() && self.lock().is_none()
    }

    /// Reads what was spent so far.
    pub async fn learn(&self, store: &dyn Store, local: &Local, now_ms: u64) -> Result<(), StoreError> {
        let mut spent = Spent::new();
        for period in Period::ALL {
            let start_ms = period.start_ms(now_ms);
            for (meter, totals) in store.usage_since(start_ms).await? {
                spent.insert((meter, period), (start_ms, totals.cost));
            }
            for (meter, cost) in local.unsaved_costs() {
                let (_, sum) = spent.entry((meter, period)).or_insert((start_ms, Money(0)));
                *sum = Money(sum.0.saturating_add(cost.0));
            }
        }
        for ((meter, period), (_, cost)) in &spent {
            local.set_spent(meter, *period, *cost, now_ms);
        }
        *self.lock() = Some(spent);
        Ok(())
    }

    /// The limits of this replica alone; `None` where it must refuse.
    pub fn of(&self, taken: &[Wanted], now_ms: u64) -> Option<Vec<Wanted>> {
        let fraction = self.fraction?;
        let known = self.lock();
        let part = |limit: u32| ((f64::from(limit) * fraction) as u32).max(limit.min(1));
        let each = taken.iter().map(|wanted| {
            let budgets = wanted.budgets.iter().map(|budget| {
                let spent = known.as_ref()?.get(&(wanted.meter.clone(), budget.period));
                let spent = spent.filter(|(start_ms, _)| *start_ms >= budget.period.start_ms(now_ms));
                let spent = spent.map_or(Money(0), |(_, money)| *money);
                let left = budget.amount.0.saturating_sub(spent.0);
                let part = (left as f64 * fraction) as u64;
                Some(Budget {
                    amount: Money(spent.0.saturating_add(part)),
                    period: budget.period,
                })
            });
            Some(Wanted {
                meter: wanted.meter.clone(),
                strictest: Strictest {
                    rpm: wanted.strictest.rpm.map(part),
                    tpm: wanted.strictest.tpm.map(part),
                    concurrency: wanted.strictest.concurrency.map(part),
                },
                budgets: budgets.collect::<Option<Vec<_>>>()?,
            })
        });
        each.collect()
    }
}
