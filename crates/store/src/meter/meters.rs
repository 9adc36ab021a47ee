//! The meters of all keys and groups, wherever they are kept, and what a request holds of them while it is under way.
//!
//! Where they are kept is decided once, when they are opened. Callers do not see the difference, but that asking may take time.

use std::fmt;
use std::sync::Arc;

use portcullis_core::{KeyId, Limits, Money, Usage};

use super::Period;
use super::gcra::RateState;
use super::local::{Held, Local};
use crate::{Store, StoreError};

/// What is metered: one key, or a group that several keys belong to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeterId(Arc<str>);

impl MeterId {
    /// The meter of one key.
    #[must_use]
    pub fn key(key: &KeyId) -> MeterId {
        MeterId(Arc::from(["key:", key.as_str()].concat()))
    }

    /// The meter of a team.
    #[must_use]
    pub fn team(team: &str) -> MeterId {
        MeterId(Arc::from(["team:", team].concat()))
    }

    /// Takes a meter's name as it was stored.
    #[must_use]
    pub fn from_text(text: &str) -> MeterId {
        MeterId(Arc::from(text))
    }

    /// The name that it is stored under.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MeterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateUnit {
    /// Requests.
    Requests,
    /// Tokens, input and output together.
    Tokens,
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limited {
    /// Too many requests or tokens in a minute.
    #[error("rate limit of {meter} reached")]
    Rate {
        /// Whose.
        meter: MeterId,
        /// Which rate.
        unit: RateUnit,
        /// How it stands.
        state: RateState,
        /// When to come back.
        retry_after_ms: u64,
    },
    /// Too many requests under way.
    #[error("{meter} has {limit} requests under way, which is the limit")]
    Concurrency {
        /// Whose.
        meter: MeterId,
        /// The limit.
        limit: u32,
    },
    /// The money of the period is spent.
    #[error("budget of {meter} is spent")]
    Budget {
        /// Whose.
        meter: MeterId,
        /// When the next period begins.
        retry_after_ms: u64,
    },
    /// What is left of the money does not cover what the request may cost.
    #[error("budget of {meter} does not cover the request")]
    Short {
        /// Whose.
        meter: MeterId,
        /// What is left.
        left: Money,
        /// When more may be left: soon where requests are under way, else when the next period begins.
        retry_after_ms: u64,
    },
    /// The meters are out of reach, so nobody knows.
    #[error("the meters are out of reach")]
    OutOfReach {
        /// When to come back.
        retry_after_ms: u64,
    },
}

/// All meters that this process knows.
#[derive(Default)]
pub struct Meters {
    local: Local,
}

impl Meters {
    /// Meters in memory at which nothing was ever taken.
    #[must_use]
    pub fn new() -> Meters {
        Meters::default()
    }

    /// Meters in memory that know what was spent in the present hour, day and month. Rates and concurrency begin anew.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn load(store: &dyn Store, now_ms: u64) -> Result<Meters, StoreError> {
        Ok(Meters {
            local: Local::load(store, now_ms).await?,
        })
    }

    /// Lets a request in if every one of these meters does. If one refuses, the others take nothing.
    ///
    /// A meter may stand here more than once, with several limits: all of them apply, and it takes the request once.
    /// A budget refuses once it is spent. Whether what is left of it covers this request is for [`Admission::reserve`], once it is
    /// known what the request may cost.
    ///
    /// # Errors
    /// The first limit that is reached, in the order given.
    pub async fn admit(&self, limits: &[(MeterId, &Limits)], now_ms: u64) -> Result<Admission, Limited> {
        self.local.admit(limits, now_ms).map(Admission)
    }

    /// Money that a meter has spent in the period that holds `now_ms`.
    #[must_use]
    pub fn spent(&self, id: &MeterId, period: Period, now_ms: u64) -> Money {
        self.local.spent(id, period, now_ms)
    }

    /// Money that requests under way at a meter may still cost.
    #[must_use]
    pub fn reserved(&self, id: &MeterId) -> Money {
        self.local.reserved(id)
    }

    /// Requests under way at a meter.
    #[must_use]
    pub fn in_flight(&self, id: &MeterId) -> u32 {
        self.local.in_flight(id)
    }

    /// Hands what was used since the last time to the store; call it every second and before the end. What is not
    /// yet handed over is lost in a crash, so a budget may then allow that much more.
    ///
    /// # Errors
    /// The store failed; what was to be handed over is kept for the next time.
    pub async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        self.local.flush(store).await
    }
}

/// A request that was let in. Dropping it frees its places; a stream therefore keeps it until its end.
#[must_use = "a request counts as under way only while its admission is held"]
pub struct Admission(Held);

impl Admission {
    /// The least that is left in any budget that applies, less what requests under way may still cost; `None` without a budget.
    ///
    /// # Errors
    /// [`Limited::OutOfReach`].
    pub async fn left(&self, now_ms: u64) -> Result<Option<Money>, Limited> {
        Ok(self.0.left(now_ms))
    }

    /// Sets aside what the request can cost at most, in every budget that applies or in none. What is reserved counts as spent for
    /// all other requests until [`Admission::settle`], or until the admission goes: budgets are never exceeded as long as no
    /// request costs more than was reserved for it.
    ///
    /// # Errors
    /// [`Limited::Short`]: it is more than is left somewhere. [`Limited::OutOfReach`].
    pub async fn reserve(&self, worst: Money, now_ms: u64) -> Result<(), Limited> {
        self.0.reserve(worst, now_ms)
    }

    /// The tightest of the request rates, if there is any: `x-ratelimit-*-requests`.
    #[must_use]
    pub fn rate(&self) -> Option<RateState> {
        self.0.rate()
    }

    /// The tightest of the token rates, if there is any: `x-ratelimit-*-tokens`.
    #[must_use]
    pub fn token_rate(&self) -> Option<RateState> {
        self.0.token_rate()
    }

    /// Charges what the request used to every meter that let it in, in the place of what was reserved. Once per request; also with a
    /// usage of zero, which counts the request. It never waits: a destructor calls it too.
    pub fn settle(&self, usage: &Usage, cost: Money, now_ms: u64) {
        self.0.settle(usage, cost, now_ms);
    }
}
