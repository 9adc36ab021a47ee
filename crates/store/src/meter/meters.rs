//! The meters of all keys and groups, wherever they are kept, and what a request holds of them while it is under way.
//!
//! Where they are kept is decided once, when they are opened. Callers do not see the difference, but that asking may take time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::{KeyId, Limits, Money, Usage};

use super::Period;
use super::gcra::RateState;
use super::local::{Held, Local};
use super::shared::{Lease, Reach, Settings, Shared, SharedError};
use super::wanted::wanted;
use crate::{Store, StoreError, UsageDelta};

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

/// Under which all keys of shared meters lie: a hash tag, so that a cluster has them on one node.
const PREFIX: &str = "{portcullis}";
/// How long what is to be told to Redis is waited for at the end.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// How a meter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Requests under way.
    pub in_flight: u64,
    /// What they may still cost, where a budget applies.
    pub reserved: Money,
    /// Spent in the present hour, day and month.
    pub spent: [Money; 3],
}

/// All meters that this process knows.
#[derive(Default)]
pub struct Meters {
    local: Arc<Local>,
    shared: Option<Shared>,
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
            local: Arc::new(Local::load(store, now_ms).await?),
            shared: None,
        })
    }

    /// Meters that several replicas share. They are reached for in the background, and are out of reach until then.
    ///
    /// # Errors
    /// The address is not one.
    pub fn shared(settings: Settings, store: Arc<dyn Store>) -> Result<Meters, SharedError> {
        let local = Arc::new(Local::default());
        let shared = Shared::open(settings, PREFIX, Arc::clone(&local), store)?;
        Ok(Meters {
            local,
            shared: Some(shared),
        })
    }

    /// Whether they can be asked; `None` where they are this process's own.
    #[must_use]
    pub fn reach(&self) -> Option<Reach> {
        self.shared.as_ref().map(|shared| shared.core.reach())
    }

    /// Whether this process lets requests in by itself while they cannot be asked.
    #[must_use]
    pub fn falls_back(&self) -> bool {
        self.shared
            .as_ref()
            .is_some_and(|shared| shared.core.falls_back())
    }

    /// Lets a request in if every one of these meters does. If one refuses, the others take nothing.
    ///
    /// A meter may stand here more than once, with several limits: all of them apply, and it takes the request once.
    /// A budget refuses once it is spent. Whether what is left of it covers this request is for [`Admission::reserve`], once it is
    /// known what the request may cost.
    ///
    /// # Errors
    /// The first limit that is reached, in the order given. [`Limited::OutOfReach`].
    pub async fn admit(&self, limits: &[(MeterId, &Limits)], now_ms: u64) -> Result<Admission, Limited> {
        match &self.shared {
            None => self.local.admit(limits, now_ms).map(Place::Here).map(Admission),
            Some(shared) => {
                let wanted = wanted(limits).collect::<Result<Vec<_>, _>>()?;
                let lease = shared.core.admit(wanted, now_ms).await?;
                Ok(Admission(Place::There(lease)))
            }
        }
    }

    /// How a meter stands; `None` where it is out of reach.
    pub async fn standing(&self, id: &MeterId, now_ms: u64) -> Option<Standing> {
        match &self.shared {
            None => Some(Standing {
                in_flight: self.local.in_flight(id).into(),
                reserved: self.local.reserved(id),
                spent: Period::ALL.map(|period| self.local.spent(id, period, now_ms)),
            }),
            Some(shared) => {
                let (in_flight, reserved, spent) = shared.core.look(id.as_str()).await?;
                Some(Standing {
                    in_flight,
                    reserved,
                    spent,
                })
            }
        }
    }

    /// Money that a meter of this process's own has spent in the period that holds `now_ms`.
    #[must_use]
    pub fn spent(&self, id: &MeterId, period: Period, now_ms: u64) -> Money {
        self.local.spent(id, period, now_ms)
    }

    /// Money that requests under way at a meter of this process's own may still cost.
    #[must_use]
    pub fn reserved(&self, id: &MeterId) -> Money {
        self.local.reserved(id)
    }

    /// Hands what was used since the last time to the store; call it every second. What is not yet handed over is lost in a
    /// crash, so a budget in memory may then allow that much more.
    ///
    /// # Errors
    /// The store failed; what was to be handed over is kept for the next time.
    pub async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        if self
            .shared
            .as_ref()
            .is_some_and(|shared| shared.core.holds_back())
        {
            return Ok(());
        }
        self.hand_over(store).await
    }

    async fn hand_over(&self, store: &dyn Store) -> Result<(), StoreError> {
        let arrived = |deltas: &[UsageDelta]| {
            if let Some(shared) = &self.shared {
                shared.core.saved(deltas);
            }
        };
        let unsaved = self.local.take_unsaved();
        self.local.hand_over(store, unsaved, arrived).await
    }

    /// Waits until Redis has heard all.
    #[cfg(test)]
    pub(super) async fn quiet(&self) {
        if let Some(shared) = &self.shared {
            shared.core.quiet().await;
        }
    }

    /// As if the process had been killed.
    #[cfg(test)]
    pub(super) fn kill(&self) {
        if let Some(shared) = &self.shared {
            shared.kill();
        }
    }

    /// Hands over all that there is, at the end: to Redis what it has yet to hear, as far as it can be reached in three seconds, and
    /// to the store.
    ///
    /// # Errors
    /// The store failed.
    pub async fn close(&self, store: &dyn Store) -> Result<(), StoreError> {
        // The store first: what it has, no other replica need write.
        let handed = self.hand_over(store).await;
        if let Some(shared) = &self.shared {
            shared.close(LAST_WORDS, handed.is_ok()).await;
        }
        handed
    }
}

/// A request that was let in. Dropping it frees its places; a stream therefore keeps it until its end.
#[must_use = "a request counts as under way only while its admission is held"]
pub struct Admission(Place);

enum Place {
    Here(Held),
    There(Lease),
}

impl Admission {
    /// The least that is left in any budget that applies, less what requests under way may still cost; `None` without a budget.
    ///
    /// # Errors
    /// [`Limited::OutOfReach`].
    pub async fn left(&self, now_ms: u64) -> Result<Option<Money>, Limited> {
        match &self.0 {
            Place::Here(held) => Ok(held.left(now_ms)),
            Place::There(lease) => lease.left(now_ms).await,
        }
    }

    /// Sets aside what the request can cost at most, in every budget that applies or in none. What is reserved counts as spent for
    /// all other requests until [`Admission::settle`], or until the admission goes: budgets are never exceeded as long as no
    /// request costs more than was reserved for it.
    ///
    /// # Errors
    /// [`Limited::Short`]: it is more than is left somewhere. [`Limited::OutOfReach`].
    pub async fn reserve(&self, worst: Money, now_ms: u64) -> Result<(), Limited> {
        match &self.0 {
            Place::Here(held) => held.reserve(worst, now_ms),
            Place::There(lease) => lease.reserve(worst, now_ms).await,
        }
    }

    /// The tightest of the request rates, if there is any: `x-ratelimit-*-requests`.
    #[must_use]
    pub fn rate(&self) -> Option<RateState> {
        match &self.0 {
            Place::Here(held) => held.rate(),
            Place::There(lease) => lease.rate(),
        }
    }

    /// The tightest of the token rates, if there is any: `x-ratelimit-*-tokens`.
    #[must_use]
    pub fn token_rate(&self) -> Option<RateState> {
        match &self.0 {
            Place::Here(held) => held.token_rate(),
            Place::There(lease) => lease.token_rate(),
        }
    }

    /// Whether it was let in by this replica alone, because the shared meters were out of reach.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        match &self.0 {
            Place::Here(_) => false,
            Place::There(lease) => lease.is_alone(),
        }
    }

    /// Charges what the request used to every meter that let it in, in the place of what was reserved. Once per request; also with a
    /// usage of zero, which counts the request. It never waits: a destructor calls it too.
    pub fn settle(&self, usage: &Usage, cost: Money, now_ms: u64) {
        match &self.0 {
            Place::Here(held) => held.settle(usage, cost, now_ms),
            Place::There(lease) => lease.settle(usage, cost, now_ms),
        }
    }
}
