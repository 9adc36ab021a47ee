//! The laws of meters that replicas share, on a real server: nothing is exceeded whoever dies, and whatever is forgotten.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portcullis_core::{Money, Usage};

use super::super::conformance::{key, limits};
use super::super::{Limited, MeterId, Meters, OutOfReach, Period, Reach};
use super::bench::{Redis, reach, replica, set_clock, settings, store, tell};
use super::link::library;
use crate::clock::now_ms;

async fn replicas(redis: &Redis, store: &Arc<dyn crate::Store>, count: usize) -> Vec<Arc<Meters>> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(replica(settings(&redis.url(), OutOfReach::Refuse), store).await);
    }
    all
}

/// Money spent at a meter in this month, once all has been told.
async fn spent(meters: &Meters, id: &MeterId) -> Money {
    meters.quiet().await;
    meters.standing(id, now_ms()).await.unwrap().spent[2]
}

#[tokio::test]
async fn the_scripts_know_the_calendar() {
    let redis = Redis::start(false);
    let script = library(
        "return {whole(start_of(tonumber(ARGV[4]), tonumber(ARGV[5]))), whole(end_of(tonumber(ARGV[4]), tonumber(ARGV[5])))}",
    );
    let mut now: u64 = 1;
    for step in 0..400u64 {
        // Hours, days, leap years and centuries, in steps that meet every day of a month.
        now += 86_400_000 * 37 + step * 7_919_111;
        for period in Period::ALL {
            let number = (period as usize + 1).to_string();
            let words = ["EVAL", &script, "1", "x", "", "", "", &number, &now.to_string()];
            let told: Vec<u64> = tell(&redis, &words).await;
            assert_eq!(
                told,
                [period.start_ms(now), period.end_ms(now)],
                "{period:?} of {now}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_together_never_exceed_what_one_may() {
    let (redis, store) = (Redis::start(false), store().await);
    let all = replicas(&redis, &store, 3).await;
    let own = Arc::new(limits(Some(100_000), Some(6), Some("1 USD/month")));
    let (under_way, reserved_and_spent, most) =
        (AtomicU64::new(0), AtomicU64::new(0), Arc::new(AtomicU64::new(0)));
    let counts = Arc::new((under_way, reserved_and_spent));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..12u64 {
        let meters = Arc::clone(&all[number as usize % 3]);
        let (own, counts, most) = (Arc::clone(&own), Arc::clone(&counts), Arc::clone(&most));
        tasks.spawn(async move {
            for round in 0..200u64 {
                let admission = match meters.admit(&[(key("a"), &own)], now_ms()).await {
                    Ok(admission) => admission,
                    Err(Limited::Budget { .. }) => return,
                    Err(Limited::Concurrency { .. }) => continue,
                    Err(other) => panic!("{other:?}"),
                };
                assert!(counts.0.fetch_add(1, Ordering::SeqCst) < 6, "concurrency");
                let worst = 9_000 + number * 100 + round;
                if admission.reserve(Money(worst), now_ms()).await.is_ok() {
                    let sum = counts.1.fetch_add(worst, Ordering::SeqCst) + worst;
                    most.fetch_max(sum, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    let cost = worst - round % 7;
                    counts.1.fetch_sub(worst - cost, Ordering::SeqCst);
                    admission.settle(&Usage::default(), Money(cost), now_ms());
                }
                counts.0.fetch_sub(1, Ordering::SeqCst);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    for meters in &all {
        meters.quiet().await;
    }
    let spent = spent(&all[0], &key("a")).await.0;
    assert_eq!(spent, counts.1.load(Ordering::SeqCst));
    assert!(
        most.load(Ordering::SeqCst) <= 1_000_000,
        "what was set aside is never more than the budget"
    );
    assert!((950_000..=1_000_000).contains(&spent), "{spent}");
    let standing = all[1].standing(&key("a"), now_ms()).await.unwrap();
    assert_eq!((standing.in_flight, standing.reserved), (0, Money(0)));
}

#[tokio::test]
async fn replicas_share_rates() {
    let (redis, store) = (Redis::start(false), store().await);
    let all = replicas(&redis, &store, 3).await;
    set_clock(&redis, 1_800_000_000_000).await;
    let own = limits(Some(100), None, None);
    let mut let_in = 0;
    for round in 0..60 {
        let_in += usize::from(all[round % 3].admit(&[(key("a"), &own)], 0).await.is_ok());
    }
    assert_eq!(let_in, 10, "the burst of 100 a minute");
}

#[tokio::test]
async fn what_a_dead_replica_had_reserved_is_charged_in_full_and_its_places_are_freed() {
    let (redis, store) = (Redis::start(false), store().await);
    let all = replicas(&redis, &store, 2).await;
    let own = limits(None, Some(2), Some("1 USD/month"));
    let held = all[0].admit(&[(key("a"), &own)], now_ms()).await.unwrap();
    held.reserve(Money(600_000), now_ms()).await.unwrap();
    all[0].kill();
    let other = all[1].admit(&[(key("a"), &own)], now_ms()).await.unwrap();
    assert!(
        all[1].admit(&[(key("a"), &own)], now_ms()).await.is_err(),
        "two are under way"
    );
    assert!(matches!(
        other.reserve(Money(400_001), now_ms()).await,
        Err(Limited::Short { .. })
    ));
    while spent(&all[1], &key("a")).await == Money(0) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(spent(&all[1], &key("a")).await, Money(600_000));
    let standing = all[1].standing(&key("a"), now_ms()).await.unwrap();
    assert_eq!((standing.in_flight, standing.reserved), (1, Money(0)));
    assert!(other.reserve(Money(400_001), now_ms()).await.is_err());
    other.reserve(Money(400_000), now_ms()).await.unwrap();
    all[1].flush(store.as_ref()).await.unwrap();
    let stored = store.usage_since(0).await.unwrap();
    assert_eq!(stored[0].1.cost, Money(600_000), "the store hears of it too");
    std::mem::forget(held);
}

#[tokio::test]
async fn one_that_was_taken_for_dead_is_not_charged_twice() {
    let (redis, store) = (Redis::start(false), store().await);
    let watching = replicas(&redis, &store, 1).await.remove(0);
    let silent = super::Settings {
        beat: Duration::from_secs(3600),
        ..settings(&redis.url(), OutOfReach::Refuse)
    };
    let silent = replica(silent, &store).await;
    let own = limits(None, None, Some("1 USD/month"));
    let held = silent.admit(&[(key("a"), &own)], now_ms()).await.unwrap();
    held.reserve(Money(600_000), now_ms()).await.unwrap();
    while spent(&watching, &key("a")).await == Money(0) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        silent.admit(&[(key("a"), &own)], now_ms()).await.is_err(),
        "it is not known any more"
    );
    reach(&silent, Reach::Open).await;
    held.settle(&Usage::default(), Money(500_000), now_ms());
    drop(held);
    assert_eq!(spent(&silent, &key("a")).await, Money(600_000));
}

/// Reserves at one replica, settles at another, restarts, and asks whether all is still known.
async fn a_restart(durable: bool) {
    let (mut redis, store) = (Redis::start(durable), store().await);
    let all = replicas(&redis, &store, 2).await;
    let own = limits(None, Some(3), Some("1 USD/month"));
    let held = all[0].admit(&[(key("a"), &own)], now_ms()).await.unwrap();
    held.reserve(Money(500_000), now_ms()).await.unwrap();
    let done = all[1].admit(&[(key("a"), &own)], now_ms()).await.unwrap();
    done.reserve(Money(300_000), now_ms()).await.unwrap();
    done.settle(&Usage::default(), Money(200_000), now_ms());
    drop(done);
    all[1].quiet().await;
    redis.restart();
    let refused = |error: &Limited| matches!(error, Limited::OutOfReach { .. } | Limited::Short { .. });
    for meters in &all {
        // What is set aside at the one and was spent at the other counts in every moment.
        loop {
            match meters.admit(&[(key("a"), &own)], now_ms()).await {
                Ok(admission) => {
                    let asked = admission.reserve(Money(300_001), now_ms()).await.unwrap_err();
                    assert!(refused(&asked), "{asked:?}");
                    if matches!(asked, Limited::Short { left, .. } if left == Money(300_000)) {
                        break;
                    }
                }
                Err(error) => assert!(refused(&error), "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    held.settle(&Usage::default(), Money(450_000), now_ms());
    drop(held);
    all[0].quiet().await;
    assert_eq!(spent(&all[1], &key("a")).await, Money(650_000));
    let standing = all[1].standing(&key("a"), now_ms()).await.unwrap();
    assert_eq!(standing.reserved, Money(0));
}

/// A request that did cost so much, begun and reserved at once.
async fn under_way(meters: &Meters, worst: u64) -> super::super::Admission {
    let own = limits(None, None, Some("1 USD/month"));
    let held = meters.admit(&[(key("a"), &own)], now_ms()).await.unwrap();
    held.reserve(Money(worst), now_ms()).await.unwrap();
    held
}

/// Each knows what the other does not: what a dead replica told and never wrote to the store has Redis alone, what was settled while
/// Redis was away has the store alone.
#[tokio::test]
async fn a_dead_replica_and_a_restart_together_lose_no_money() {
    let (mut redis, store) = (Redis::start(true), store().await);
    let hasty = super::Settings {
        patience: Duration::from_millis(200),
        ..settings(&redis.url(), OutOfReach::Refuse)
    };
    let all = [replica(hasty.clone(), &store).await, replica(hasty, &store).await];
    let done = under_way(&all[0], 300_000).await;
    done.settle(&Usage::default(), Money(300_000), now_ms());
    drop(done);
    all[0].quiet().await;
    let late = under_way(&all[1], 200_000).await;
    all[0].kill();
    redis.signal("-STOP");
    late.settle(&Usage::default(), Money(200_000), now_ms());
    drop(late);
    reach(&all[1], Reach::Out).await;
    redis.restart();
    reach(&all[1], Reach::Open).await;
    assert_eq!(spent(&all[1], &key("a")).await, Money(500_000));
    // The store has all of it as well, once: losing Redis for good loses nothing.
    let mut stored = Money(0);
    for _ in 0..200 {
        all[1].flush(store.as_ref()).await.unwrap();
        stored = store.usage_since(0).await.unwrap()[0].1.cost;
        if stored == Money(500_000) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stored, Money(500_000));
}

/// What a replica wrote to the store, nobody writes again when it is dead.
#[tokio::test]
async fn what_a_dead_replica_had_written_down_is_not_written_again() {
    let (redis, store) = (Redis::start(false), store().await);
    let all = replicas(&redis, &store, 2).await;
    for cost in [100_000, 200_000] {
        let done = under_way(&all[0], cost).await;
        done.settle(&Usage::default(), Money(cost), now_ms());
        drop(done);
        if cost == 100_000 {
            all[0].flush(store.as_ref()).await.unwrap();
        }
        all[0].quiet().await;
    }
    all[0].kill();
    let owed = || tell::<Vec<String>>(&redis, &["KEYS", "*:u:*"]);
    assert_eq!(owed().await.len(), 1);
    let mut stored = Money(0);
    for _ in 0..200 {
        all[1].flush(store.as_ref()).await.unwrap();
        stored = store.usage_since(0).await.unwrap()[0].1.cost;
        if stored > Money(100_000) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stored, Money(300_000));
    assert_eq!(spent(&all[1], &key("a")).await, Money(300_000));
}

#[tokio::test]
async fn a_restart_that_loses_everything_loses_no_money() {
    a_restart(false).await;
}

#[tokio::test]
async fn a_restart_that_keeps_everything_counts_nothing_twice() {
    a_restart(true).await;
}

#[tokio::test]
async fn what_is_settled_while_it_is_away_is_charged_when_it_is_back() {
    let (redis, store) = (Redis::start(false), store().await);
    let hasty = super::Settings {
        patience: Duration::from_millis(200),
        lease: Duration::from_secs(600),
        ..settings(&redis.url(), OutOfReach::Refuse)
    };
    let meters = replica(hasty, &store).await;
    let own = limits(None, None, Some("1 USD/month"));
    let held = meters.admit(&[(key("a"), &own)], now_ms()).await.unwrap();
    held.reserve(Money(500_000), now_ms()).await.unwrap();
    redis.signal("-STOP");
    let asked = meters.admit(&[(key("a"), &own)], now_ms()).await.err();
    assert!(matches!(asked, Some(Limited::OutOfReach { .. })), "{asked:?}");
    reach(&meters, Reach::Out).await;
    held.settle(&Usage::default(), Money(450_000), now_ms());
    drop(held);
    redis.signal("-CONT");
    reach(&meters, Reach::Open).await;
    assert_eq!(spent(&meters, &key("a")).await, Money(450_000));
    let standing = meters.standing(&key("a"), now_ms()).await.unwrap();
    assert_eq!(
        (standing.in_flight, standing.reserved),
        (0, Money(0)),
        "also of the request that nobody answered"
    );
}

#[tokio::test]
async fn a_fraction_is_let_in_alone_and_counted_afterwards() {
    let (redis, store) = (Redis::start(false), store().await);
    let hasty = super::Settings {
        patience: Duration::from_millis(200),
        lease: Duration::from_secs(600),
        ..settings(&redis.url(), OutOfReach::Local(0.25))
    };
    let meters = replica(hasty, &store).await;
    let own = limits(Some(40), Some(8), Some("1 USD/month"));
    let ids = [(key("a"), &own)];
    let first = meters.admit(&ids, now_ms()).await.unwrap();
    first.reserve(Money(200_000), now_ms()).await.unwrap();
    first.settle(&Usage::default(), Money(200_000), now_ms());
    assert!(!first.is_alone());
    drop(first);
    meters.quiet().await;
    redis.signal("-STOP");
    // Until the store was read, a budget cannot be held.
    let mut alone = Vec::new();
    while alone.is_empty() {
        alone.extend(meters.admit(&ids, now_ms()).await.ok());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while let Ok(admission) = meters.admit(&ids, now_ms()).await {
        alone.push(admission);
    }
    assert_eq!(alone.len(), 2, "a quarter of eight at once");
    assert!(alone[0].is_alone());
    assert_eq!(
        alone[0].left(now_ms()).await,
        Ok(Some(Money(200_000))),
        "a quarter of what was left"
    );
    assert!(alone[0].reserve(Money(200_001), now_ms()).await.is_err());
    alone[0].reserve(Money(150_000), now_ms()).await.unwrap();
    alone[1].reserve(Money(50_000), now_ms()).await.unwrap();
    alone[0].settle(&Usage::default(), Money(140_000), now_ms());
    drop(alone.remove(0));
    redis.signal("-CONT");
    reach(&meters, Reach::Open).await;
    assert_eq!(spent(&meters, &key("a")).await, Money(340_000));
    let standing = meters.standing(&key("a"), now_ms()).await.unwrap();
    assert_eq!(
        (standing.in_flight, standing.reserved),
        (1, Money(50_000)),
        "the one that goes on"
    );
    alone[0].settle(&Usage::default(), Money(50_000), now_ms());
    drop(alone);
    assert_eq!(spent(&meters, &key("a")).await, Money(390_000));
    assert!(!meters.admit(&ids, now_ms()).await.unwrap().is_alone());
}

#[tokio::test]
async fn a_server_that_throws_data_away_is_not_used() {
    let (redis, store) = (Redis::start(false), store().await);
    tell::<()>(&redis, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    tell::<()>(&redis, &["CONFIG", "SET", "maxmemory", "100mb"]).await;
    let meters = Meters::shared(settings(&redis.url(), OutOfReach::Refuse), Arc::clone(&store)).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(meters.reach(), Some(Reach::Out));
    tell::<()>(&redis, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    reach(&meters, Reach::Open).await;
}
