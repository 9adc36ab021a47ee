//! A Redis of a test's own, and meters that share it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test may end by panicking"
)]

use std::sync::Arc;
use std::time::Duration;

use super::super::conformance::Bench;
use super::super::{Meters, OutOfReach, Reach, SharedSettings};
use crate::Store;

#[path = "../../../tests/it/redis.rs"]
mod server;
pub(crate) use server::Redis;

/// Runs a command from outside.
pub(crate) async fn tell<T: redis::FromRedisValue>(redis: &Redis, words: &[&str]) -> T {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let (first, rest) = words.split_first().unwrap();
    redis::cmd(first)
        .arg(rest)
        .query_async(&mut connection)
        .await
        .unwrap()
}

/// Lets time stand still.
pub(crate) async fn set_clock(redis: &Redis, now_ms: u64) {
    tell::<()>(redis, &["SET", "{portcullis}:clock", &format!("{now_ms}000")]).await;
}

/// Times that a busy machine keeps, and that a test can wait for.
pub(crate) fn settings(url: &str, out_of_reach: OutOfReach) -> SharedSettings {
    SharedSettings {
        patience: Duration::from_secs(3),
        beat: Duration::from_millis(100),
        lease: Duration::from_secs(2),
        gather: Duration::from_millis(300),
        ..SharedSettings::new(url, out_of_reach)
    }
}

/// A replica of the meters in that server.
pub(crate) async fn replica(settings: SharedSettings, store: &Arc<dyn Store>) -> Arc<Meters> {
    let meters = Arc::new(Meters::shared(settings, Arc::clone(store)).unwrap());
    reach(&meters, Reach::Open).await;
    meters
}

/// Waits until the meters stand so.
pub(crate) async fn reach(meters: &Meters, expected: Reach) {
    for _ in 0..1200 {
        if meters.reach() == Some(expected) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the meters are {:?}, not {expected:?}", meters.reach());
}

pub(crate) async fn store() -> Arc<dyn Store> {
    crate::open("sqlite::memory:").await.unwrap()
}

/// One replica and its Redis, for the suite of all meters.
pub(crate) async fn one() -> Bench {
    let redis = Redis::start(false);
    let meters = replica(settings(&redis.url(), OutOfReach::Refuse), &store().await).await;
    Bench {
        meters,
        redis: Some(redis),
    }
}
