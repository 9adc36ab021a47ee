//! The meters in the memory of this process, and what a request holds of them while it is under way.
//!
//! A meter has a lock of its own that is held for a few dozen instructions and never across an await.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use portcullis_core::{Limits, Money, Usage};

use super::gcra::RateState;
use super::meters::{Limited, MeterId};
use super::state::{State, Strictest};
use super::{Budget, Period};
use crate::{Store, StoreError, UsageDelta};

/// When to come back for a budget that cannot be read.
const UNREADABLE_RETRY_MS: u64 = 3_600_000;

/// All meters of this process.
#[derive(Default)]
pub(super) struct Local {
    // Meters exist for authenticated keys and configured groups only, so nobody can make this grow at will.
    all: RwLock<HashMap<MeterId, Arc<Meter>>>,
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

    /// Lets a request in if every one of these meters does. If one refuses, the others take nothing.
    ///
    /// A meter may stand here more than once, with several limits: all of them apply, and it takes the request once.
    /// A budget refuses once it is spent. Whether what is left of it covers this request is for [`Held::reserve`], once it is
    /// known what the request may cost.
    ///
    /// # Errors
    /// The first limit that is reached, in the order given.
    pub(super) fn admit(&self, limits: &[(MeterId, &Limits)], now_ms: u64) -> Result<Held, Limited> {
        let mut admission = Held {
            taken: Vec::with_capacity(limits.len()),
            reserved: Mutex::default(),
            rate: None,
            token_rate: None,
        };
        for (at, (id, _)) in limits.iter().enumerate() {
            if limits.iter().take(at).any(|(before, _)| before == id) {
                continue;
            }
            let own = || {
                limits
                    .iter()
                    .skip(at)
                    .filter(|(other, _)| other == id)
                    .map(|(_, limits)| *limits)
            };
            let strictest = Strictest::of(own());
            let budgets = own().filter_map(|limits| limits.budget.as_ref());
            let meter = self.meter(id);
            let admitted = budgets
                .map(|budget| budget.parse::<Budget>())
                .collect::<Result<Vec<_>, _>>()
                // Configuration and `create_key` both check it, so it was tampered with.
                .map_err(|_| Limited::Budget {
                    meter: id.clone(),
                    retry_after_ms: UNREADABLE_RETRY_MS,
                })
                .and_then(|budgets| {
                    let rates = meter.lock().admit(id, &strictest, &budgets, now_ms)?;
                    Ok((budgets, rates))
                });
            match admitted {
                Ok((budgets, rates)) => {
                    admission.taken.push(Taken {
                        meter,
                        rpm: strictest.rpm,
                        budgets,
                    });
                    admission.rate = tightest(admission.rate, rates.requests);
                    admission.token_rate = tightest(admission.token_rate, rates.tokens);
                }
                Err(limited) => {
                    admission.give_back();
                    return Err(limited);
                }
            }
        }
        Ok(admission)
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

    /// Hands what was used since the last time to the store; call it every second and before the end. What is not
    /// yet handed over is lost in a crash, so a budget may then allow that much more.
    ///
    /// # Errors
    /// The store failed; what was to be handed over is kept for the next time.
    pub(super) async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        let deltas = self.take_unsaved();
        if deltas.is_empty() {
            return Ok(());
        }
        let result = store.add_usage(deltas.clone()).await;
        if result.is_err() {
            for delta in &deltas {
                self.meter(&delta.meter).lock().note(delta.hour, &delta.totals);
            }
        }
        result
    }

    fn take_unsaved(&self) -> Vec<UsageDelta> {
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

fn tightest(one: Option<RateState>, other: Option<RateState>) -> Option<RateState> {
    [one, other]
        .into_iter()
        .flatten()
        .min_by_key(|rate| rate.remaining)
}

#[cfg(test)]
mod tests {
    use portcullis_core::KeyId;

    use super::super::RateUnit;
    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn limits(rpm: Option<u32>, concurrency: Option<u32>, budget: Option<&str>) -> Limits {
        Limits {
            rpm,
            tpm: None,
            concurrency,
            budget: budget.map(str::to_owned),
        }
    }

    fn key(name: &str) -> MeterId {
        MeterId::key(&KeyId::from_text(name))
    }

    #[test]
    fn concurrency_is_freed_by_dropping() {
        let (meters, limits) = (Local::default(), limits(None, Some(2), None));
        let one = meters.admit(&[(key("a"), &limits)], NOW).unwrap();
        let two = meters.admit(&[(key("a"), &limits)], NOW).unwrap();
        let refused = meters.admit(&[(key("a"), &limits)], NOW).err().unwrap();
        assert_eq!(
            refused,
            Limited::Concurrency {
                meter: key("a"),
                limit: 2
            }
        );
        assert!(
            meters.admit(&[(key("b"), &limits)], NOW).is_ok(),
            "another key has places of its own"
        );
        drop(one);
        assert_eq!(meters.in_flight(&key("a")), 1);
        assert!(meters.admit(&[(key("a"), &limits)], NOW).is_ok());
        drop(two);
        assert_eq!(meters.in_flight(&key("a")), 0);
    }

    #[test]
    fn a_refusal_takes_nothing_from_the_meters_before_it() {
        let meters = Local::default();
        let (own, team) = (limits(Some(3), Some(3), None), limits(Some(1), None, None));
        let both = [(key("a"), &own), (MeterId::team("free"), &team)];
        drop(meters.admit(&both, NOW).unwrap());
        for _ in 0..10 {
            let refused = meters.admit(&both, NOW).err().unwrap();
            assert!(matches!(refused, Limited::Rate { meter, .. } if meter == MeterId::team("free")));
        }
        let alone = meters.admit(&both[..1], NOW).unwrap();
        assert_eq!(
            alone.rate().unwrap().remaining,
            1,
            "three, less the two that were let in"
        );
        assert_eq!(meters.in_flight(&key("a")), 1);
    }

    #[test]
    fn a_meter_named_twice_takes_once_and_every_limit_applies() {
        let meters = Local::default();
        let (wide, narrow) = (
            limits(Some(100), Some(9), Some("1 USD/month")),
            limits(Some(4), None, Some("2 USD/day")),
        );
        let twice = [
            (key("a"), &wide),
            (MeterId::team("free"), &wide),
            (key("a"), &narrow),
        ];
        let admission = meters.admit(&twice, NOW).unwrap();
        assert_eq!(meters.in_flight(&key("a")), 1);
        assert_eq!(
            admission.rate().unwrap(),
            RateState {
                limit: 4,
                remaining: 3,
                reset_ms: 15_000
            }
        );
        admission.settle(&Usage::default(), Money(1_000_000), NOW);
        assert_eq!(meters.spent(&key("a"), Period::Day, NOW), Money(1_000_000));
        assert!(
            matches!(meters.admit(&twice, NOW), Err(Limited::Budget { .. })),
            "the month's"
        );
        drop(admission);
        assert_eq!(meters.in_flight(&key("a")), 0);
        assert_eq!(meters.in_flight(&MeterId::team("free")), 0);
    }

    #[test]
    fn the_tightest_rate_is_told() {
        let meters = Local::default();
        let (own, team) = (limits(Some(600), None, None), limits(Some(7), None, None));
        let admission = meters
            .admit(&[(key("a"), &own), (MeterId::team("free"), &team)], NOW)
            .unwrap();
        let rate = admission.rate().unwrap();
        assert_eq!((rate.limit, rate.remaining), (7, 6));
        assert_eq!(rate.reset_ms, 8572);
        assert_eq!(admission.token_rate(), None);
    }

    #[test]
    fn tokens_are_charged_after_the_reply() {
        let meters = Local::default();
        let limits = Limits {
            tpm: Some(1000),
            ..Limits::default()
        };
        let admit = |now| meters.admit(&[(key("a"), &limits)], now);
        let usage = Usage {
            input: 1200,
            output: 300,
            ..Usage::default()
        };
        admit(NOW).unwrap().settle(&usage, Money(0), NOW);
        let refused = admit(NOW).err().unwrap();
        let Limited::Rate {
            unit,
            retry_after_ms,
            state,
            ..
        } = refused
        else {
            panic!("{refused:?}")
        };
        assert_eq!(
            (unit, retry_after_ms, state.remaining),
            (RateUnit::Tokens, 30_000, 0)
        );
        assert!(admit(NOW + 30_001).is_ok());
    }

    #[test]
    fn a_budget_refuses_until_its_period_ends() {
        let (meters, limits) = (Local::default(), limits(None, None, Some("1 USD/day")));
        let admit = |now| meters.admit(&[(key("a"), &limits)], now);
        let admission = admit(NOW).unwrap();
        admission.settle(&Usage::default(), Money(999_999), NOW);
        assert!(admit(NOW).is_ok(), "a millionth is left");
        admission.settle(&Usage::default(), Money(1), NOW);
        let end = Period::Day.end_ms(NOW);
        let refused = admit(NOW).err().unwrap();
        assert_eq!(
            refused,
            Limited::Budget {
                meter: key("a"),
                retry_after_ms: end - NOW
            }
        );
        assert!(admit(end - 1).is_err());
        assert!(admit(end).is_ok());
        assert_eq!(meters.spent(&key("a"), Period::Month, NOW), Money(1_000_000));
    }

    #[test]
    fn a_budget_that_cannot_be_read_refuses() {
        let (meters, limits) = (Local::default(), limits(None, None, Some("plenty")));
        assert!(matches!(
            meters.admit(&[(key("a"), &limits)], NOW),
            Err(Limited::Budget { .. })
        ));
    }

    #[test]
    fn threads_together_never_get_more_than_one_could() {
        let (meters, limits) = (Local::default(), limits(Some(50), Some(4), None));
        let let_in: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let one = || {
                            let admission = meters.admit(&[(key("a"), &limits)], NOW);
                            assert!(meters.in_flight(&key("a")) <= 4);
                            admission.is_ok()
                        };
                        (0..1000).filter(|_| one()).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(let_in, 10, "the burst of 50 a minute");
        assert_eq!(meters.in_flight(&key("a")), 0);
    }

    #[test]
    fn what_is_reserved_is_nobody_elses_until_it_is_settled() {
        let meters = Local::default();
        let (own, team) = (
            limits(None, None, Some("1 USD/day")),
            limits(None, None, Some("10 USD/month")),
        );
        let both = [(key("a"), &own), (MeterId::team("free"), &team)];
        let first = meters.admit(&both, NOW).unwrap();
        assert_eq!(first.left(NOW), Some(Money(1_000_000)));
        first.reserve(Money(700_000), NOW).unwrap();
        let second = meters.admit(&both, NOW).unwrap();
        assert_eq!(second.left(NOW), Some(Money(300_000)));
        assert_eq!(
            second.reserve(Money(300_001), NOW),
            Err(Limited::Short {
                meter: key("a"),
                left: Money(300_000),
                retry_after_ms: 2_000
            })
        );
        assert_eq!(meters.reserved(&MeterId::team("free")), Money(700_000));
        second.reserve(Money(300_000), NOW).unwrap();
        first.settle(&Usage::default(), Money(100_000), NOW);
        assert_eq!(second.left(NOW), Some(Money(600_000)));
        drop(second);
        assert_eq!(meters.reserved(&key("a")), Money(0));
        assert_eq!(meters.spent(&key("a"), Period::Day, NOW), Money(100_000));
        let third = meters.admit(&both, NOW).unwrap();
        let refused = third.reserve(Money(900_001), NOW).unwrap_err();
        let end = Period::Day.end_ms(NOW) - NOW;
        assert!(matches!(refused, Limited::Short { retry_after_ms, .. } if retry_after_ms == end));
        assert!(
            meters
                .admit(&[(key("b"), &Limits::default())], NOW)
                .unwrap()
                .left(NOW)
                .is_none()
        );
    }

    #[test]
    fn threads_together_never_spend_more_than_the_budget() {
        let (meters, limits) = (Local::default(), limits(None, None, Some("1 USD/day")));
        let spent: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..=8u64)
                .map(|number| {
                    let (meters, limits) = (&meters, &limits);
                    scope.spawn(move || {
                        let mut own = 0;
                        for round in 0..2000u64 {
                            let Ok(admission) = meters.admit(&[(key("a"), limits)], NOW) else {
                                break;
                            };
                            let worst = 400 + number * 37 + round % 11;
                            if admission.reserve(Money(worst), NOW).is_ok() && round % 3 > 0 {
                                let cost = worst - round % 5;
                                admission.settle(&Usage::default(), Money(cost), NOW);
                                own += cost;
                            }
                        }
                        own
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(meters.spent(&key("a"), Period::Day, NOW), Money(spent));
        assert!(spent <= 1_000_000 && spent > 990_000, "{spent}");
        assert_eq!(meters.reserved(&key("a")), Money(0));
    }
}
