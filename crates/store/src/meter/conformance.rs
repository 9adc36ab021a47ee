//! What all meters have in common, wherever they are kept: one suite for memory and Redis.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end by panicking"
)]

use std::sync::Arc;

use portcullis_core::{KeyId, Limits, Money, Usage};

use super::shared::bench::{Redis, set_clock};
use super::{Admission, Limited, MeterId, Meters, Period, RateState, RateUnit};

pub(super) const NOW: u64 = 1_800_000_000_000;

/// Meters, and their clock where it is not the caller's.
pub(super) struct Bench {
    pub meters: Arc<Meters>,
    pub redis: Option<Redis>,
}

impl Bench {
    /// Sets the clock of the meters.
    async fn at(&self, now_ms: u64) {
        if let Some(redis) = &self.redis {
            set_clock(redis, now_ms).await;
        }
    }

    async fn admit(&self, limits: &[(MeterId, &Limits)]) -> Result<Admission, Limited> {
        self.meters.admit(limits, NOW).await
    }

    async fn admit_at(&self, limits: &[(MeterId, &Limits)], now_ms: u64) -> Result<Admission, Limited> {
        self.at(now_ms).await;
        self.meters.admit(limits, now_ms).await
    }

    async fn in_flight(&self, name: &str) -> u64 {
        self.quiet().await;
        self.meters.standing(&key(name), NOW).await.unwrap().in_flight
    }

    async fn reserved(&self, id: &MeterId) -> Money {
        self.quiet().await;
        self.meters.standing(id, NOW).await.unwrap().reserved
    }

    async fn spent(&self, name: &str, period: Period) -> Money {
        self.quiet().await;
        self.meters.standing(&key(name), NOW).await.unwrap().spent[period as usize]
    }

    /// Waits until all that was said has been heard.
    async fn quiet(&self) {
        self.meters.quiet().await;
    }
}

pub(super) fn limits(rpm: Option<u32>, concurrency: Option<u32>, budget: Option<&str>) -> Limits {
    Limits {
        rpm,
        concurrency,
        budget: budget.map(str::to_owned),
        ..Limits::default()
    }
}

pub(super) fn key(name: &str) -> MeterId {
    MeterId::key(&KeyId::from_text(name))
}

macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        mod memory {
            use super::*;
            $(#[tokio::test]
            async fn $case() {
                super::$case(&Bench { meters: Arc::new(Meters::new()), redis: None }).await;
            })*
        }
        mod redis {
            $(#[tokio::test]
            async fn $case() {
                super::$case(&super::super::shared::bench::one().await).await;
            })*
        }
    };
}

cases!(
    concurrency_is_freed_by_dropping,
    a_refusal_takes_nothing_from_the_meters_before_it,
    a_meter_named_twice_takes_once_and_every_limit_applies,
    the_tightest_rate_is_told,
    requests_come_again_when_they_are_paid_back,
    tokens_are_charged_after_the_reply,
    a_budget_refuses_until_its_period_ends,
    a_budget_that_cannot_be_read_refuses,
    what_is_reserved_is_nobody_elses_until_it_is_settled,
    many_at_once_never_get_more_than_one_could,
    many_at_once_never_spend_more_than_the_budget,
);

async fn concurrency_is_freed_by_dropping(bench: &Bench) {
    let limits = limits(None, Some(2), None);
    let one = bench.admit(&[(key("a"), &limits)]).await.unwrap();
    let two = bench.admit(&[(key("a"), &limits)]).await.unwrap();
    let refused = bench.admit(&[(key("a"), &limits)]).await.err().unwrap();
    assert_eq!(
        refused,
        Limited::Concurrency {
            meter: key("a"),
            limit: 2
        }
    );
    let other = bench.admit(&[(key("b"), &limits)]).await;
    assert!(other.is_ok(), "another key has places of its own");
    drop(one);
    assert_eq!(bench.in_flight("a").await, 1);
    assert!(bench.admit(&[(key("a"), &limits)]).await.is_ok());
    drop(two);
    assert_eq!(bench.in_flight("a").await, 0);
}

async fn a_refusal_takes_nothing_from_the_meters_before_it(bench: &Bench) {
    let (own, team) = (limits(Some(3), Some(3), None), limits(Some(1), None, None));
    let both = [(key("a"), &own), (MeterId::team("free"), &team)];
    bench.at(NOW).await;
    drop(bench.admit(&both).await.unwrap());
    for _ in 0..10 {
        let refused = bench.admit(&both).await.err().unwrap();
        assert!(matches!(refused, Limited::Rate { meter, .. } if meter == MeterId::team("free")));
    }
    let alone = bench.admit(&both[..1]).await.unwrap();
    assert_eq!(
        alone.rate().unwrap().remaining,
        1,
        "three, less the two that were let in"
    );
    assert_eq!(bench.in_flight("a").await, 1);
}

async fn a_meter_named_twice_takes_once_and_every_limit_applies(bench: &Bench) {
    let (wide, narrow) = (
        limits(Some(100), Some(9), Some("1 USD/month")),
        limits(Some(4), None, Some("2 USD/day")),
    );
    let twice = [
        (key("a"), &wide),
        (MeterId::team("free"), &wide),
        (key("a"), &narrow),
    ];
    let admission = bench.admit_at(&twice, NOW).await.unwrap();
    assert_eq!(bench.in_flight("a").await, 1);
    assert_eq!(
        admission.rate().unwrap(),
        RateState {
            limit: 4,
            remaining: 3,
            reset_ms: 15_000
        }
    );
    admission.settle(&Usage::default(), Money(1_000_000), NOW);
    assert_eq!(bench.spent("a", Period::Day).await, Money(1_000_000));
    let again = bench.admit(&twice).await;
    assert!(matches!(again, Err(Limited::Budget { .. })), "the month's");
    drop(admission);
    assert_eq!(bench.in_flight("a").await, 0);
    let team = bench.meters.standing(&MeterId::team("free"), NOW).await.unwrap();
    assert_eq!(team.in_flight, 0);
}

async fn the_tightest_rate_is_told(bench: &Bench) {
    let (own, team) = (limits(Some(600), None, None), limits(Some(7), None, None));
    let both = [(key("a"), &own), (MeterId::team("free"), &team)];
    let admission = bench.admit_at(&both, NOW).await.unwrap();
    let rate = admission.rate().unwrap();
    assert_eq!((rate.limit, rate.remaining), (7, 6));
    assert_eq!(rate.reset_ms, 8572);
    assert_eq!(admission.token_rate(), None);
}

async fn requests_come_again_when_they_are_paid_back(bench: &Bench) {
    let limits = limits(Some(60), None, None);
    let own = [(key("a"), &limits)];
    for _ in 0..10 {
        drop(bench.admit_at(&own, NOW).await.unwrap());
    }
    let refused = bench.admit(&own).await.err().unwrap();
    assert_eq!(
        refused,
        Limited::Rate {
            meter: key("a"),
            unit: RateUnit::Requests,
            state: RateState {
                limit: 60,
                remaining: 0,
                reset_ms: 10_000
            },
            retry_after_ms: 1_000
        }
    );
    assert!(bench.admit_at(&own, NOW + 999).await.is_err());
    assert!(bench.admit_at(&own, NOW + 1_000).await.is_ok());
    let none = Limits {
        rpm: Some(0),
        ..Limits::default()
    };
    let refused = bench.admit(&[(key("b"), &none)]).await.err().unwrap();
    assert!(
        matches!(
            refused,
            Limited::Rate {
                retry_after_ms: 60_000,
                ..
            }
        ),
        "{refused:?}"
    );
}

async fn tokens_are_charged_after_the_reply(bench: &Bench) {
    let limits = Limits {
        tpm: Some(1000),
        ..Limits::default()
    };
    let own = [(key("a"), &limits)];
    let usage = Usage {
        input: 1200,
        output: 300,
        ..Usage::default()
    };
    let first = bench.admit_at(&own, NOW).await.unwrap();
    assert_eq!(first.token_rate().unwrap().remaining, 1000);
    first.settle(&usage, Money(0), NOW);
    drop(first);
    bench.quiet().await;
    let refused = bench.admit(&own).await.err().unwrap();
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
    assert!(bench.admit_at(&own, NOW + 30_001).await.is_ok());
}

async fn a_budget_refuses_until_its_period_ends(bench: &Bench) {
    let limits = limits(None, None, Some("1 USD/day"));
    let own = [(key("a"), &limits)];
    let admission = bench.admit_at(&own, NOW).await.unwrap();
    admission.settle(&Usage::default(), Money(999_999), NOW);
    bench.quiet().await;
    let last = bench.admit(&own).await.unwrap();
    last.settle(&Usage::default(), Money(1), NOW);
    bench.quiet().await;
    let end = Period::Day.end_ms(NOW);
    let refused = bench.admit(&own).await.err().unwrap();
    assert_eq!(
        refused,
        Limited::Budget {
            meter: key("a"),
            retry_after_ms: end - NOW
        }
    );
    assert_eq!(bench.spent("a", Period::Month).await, Money(1_000_000));
    assert!(bench.admit_at(&own, end - 1).await.is_err());
    assert!(bench.admit_at(&own, end).await.is_ok());
}

async fn a_budget_that_cannot_be_read_refuses(bench: &Bench) {
    let limits = limits(None, None, Some("plenty"));
    assert!(matches!(
        bench.admit(&[(key("a"), &limits)]).await,
        Err(Limited::Budget { .. })
    ));
}

async fn what_is_reserved_is_nobody_elses_until_it_is_settled(bench: &Bench) {
    let (own, team) = (
        limits(None, None, Some("1 USD/day")),
        limits(None, None, Some("10 USD/month")),
    );
    let both = [(key("a"), &own), (MeterId::team("free"), &team)];
    let first = bench.admit_at(&both, NOW).await.unwrap();
    assert_eq!(first.left(NOW).await, Ok(Some(Money(1_000_000))));
    first.reserve(Money(700_000), NOW).await.unwrap();
    let second = bench.admit(&both).await.unwrap();
    assert_eq!(second.left(NOW).await, Ok(Some(Money(300_000))));
    assert_eq!(
        second.reserve(Money(300_001), NOW).await,
        Err(Limited::Short {
            meter: key("a"),
            left: Money(300_000),
            retry_after_ms: 2_000
        })
    );
    assert_eq!(bench.reserved(&MeterId::team("free")).await, Money(700_000));
    second.reserve(Money(300_000), NOW).await.unwrap();
    first.settle(&Usage::default(), Money(100_000), NOW);
    bench.quiet().await;
    assert_eq!(second.left(NOW).await, Ok(Some(Money(600_000))));
    drop(second);
    assert_eq!(bench.reserved(&key("a")).await, Money(0));
    assert_eq!(bench.spent("a", Period::Day).await, Money(100_000));
    let third = bench.admit(&both).await.unwrap();
    let refused = third.reserve(Money(900_001), NOW).await.unwrap_err();
    let end = Period::Day.end_ms(NOW) - NOW;
    assert!(matches!(refused, Limited::Short { retry_after_ms, .. } if retry_after_ms == end));
    let free = bench.admit(&[(key("b"), &Limits::default())]).await.unwrap();
    assert_eq!(free.left(NOW).await, Ok(None));
}

async fn many_at_once_never_get_more_than_one_could(bench: &Bench) {
    bench.at(NOW).await;
    let limits = Arc::new(limits(Some(50), Some(4), None));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (meters, limits) = (Arc::clone(&bench.meters), Arc::clone(&limits));
        tasks.spawn(async move {
            let mut let_in = 0;
            for _ in 0..60 {
                let admission = meters.admit(&[(key("a"), &limits)], NOW).await;
                assert!(meters.standing(&key("a"), NOW).await.unwrap().in_flight <= 4);
                let_in += usize::from(admission.is_ok());
            }
            let_in
        });
    }
    let let_in: usize = tasks.join_all().await.into_iter().sum();
    assert_eq!(let_in, 10, "the burst of 50 a minute");
    assert_eq!(bench.in_flight("a").await, 0);
}

async fn many_at_once_never_spend_more_than_the_budget(bench: &Bench) {
    bench.at(NOW).await;
    let limits = Arc::new(limits(None, None, Some("1 USD/day")));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=8u64 {
        let (meters, limits) = (Arc::clone(&bench.meters), Arc::clone(&limits));
        tasks.spawn(async move {
            let mut own = 0;
            for round in 0..120u64 {
                let Ok(admission) = meters.admit(&[(key("a"), &limits)], NOW).await else {
                    break;
                };
                let worst = 4_000 + number * 370 + round % 11;
                if admission.reserve(Money(worst), NOW).await.is_ok() && round % 3 > 0 {
                    let cost = worst - round % 5;
                    admission.settle(&Usage::default(), Money(cost), NOW);
                    own += cost;
                }
            }
            own
        });
    }
    let spent: u64 = tasks.join_all().await.into_iter().sum();
    assert_eq!(bench.spent("a", Period::Day).await, Money(spent));
    assert!(spent <= 1_000_000 && spent > 980_000, "{spent}");
    assert_eq!(bench.reserved(&key("a")).await, Money(0));
}
