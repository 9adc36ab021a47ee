//! What was used, at rest: requests, tokens and money of each meter in hours of UTC.
//!
//! An hour is the finest grain; days and months are sums. Limits are kept by [`crate::Meters`] in memory, which
//! loads from here at its start and writes here now and then.

use async_trait::async_trait;
use portcullis_core::{Money, Usage};

use crate::{MeterId, StoreError};

/// Sums over some span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageTotals {
    /// Requests that were settled.
    pub requests: u64,
    /// Tokens.
    pub usage: Usage,
    /// Money.
    pub cost: Money,
}

impl UsageTotals {
    /// Adds another sum to this one; what would overflow stays at the largest number.
    pub fn add(&mut self, other: &UsageTotals) {
        self.requests = self.requests.saturating_add(other.requests);
        self.usage.input = self.usage.input.saturating_add(other.usage.input);
        self.usage.cached = self.usage.cached.saturating_add(other.usage.cached);
        self.usage.output = self.usage.output.saturating_add(other.usage.output);
        self.usage.cache_write = self.usage.cache_write.saturating_add(other.usage.cache_write);
        self.usage.reasoning = self.usage.reasoning.saturating_add(other.usage.reasoning);
        self.cost = Money(self.cost.0.saturating_add(other.cost.0));
    }
}

/// What is to be added to one meter in one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageDelta {
    /// The meter.
    pub meter: MeterId,
    /// Hours since 1970 UTC.
    pub hour: u64,
    /// What to add.
    pub totals: UsageTotals,
}

/// What is to be added together, once, however often it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageBatch {
    /// Who adds: random, anew in each process.
    pub writer: [u8; 16],
    /// The number among the batches of this writer; each is greater than the one before.
    pub number: u64,
    /// What to add.
    pub deltas: Vec<UsageDelta>,
}

/// What one meter used in one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageHour {
    /// Hours since 1970 UTC.
    pub hour: u64,
    /// The sums.
    pub totals: UsageTotals,
}

/// Keeps usage.
#[async_trait]
pub trait UsageStore {
    /// Adds all of it or nothing; nothing where this batch of this writer, or a later one, has been added already. So a batch
    /// may be handed over again when nobody knows whether it arrived.
    async fn add_usage(&self, batch: UsageBatch) -> Result<(), StoreError>;

    /// Sums of every meter from the hour that holds `since_ms` on.
    async fn usage_since(&self, since_ms: u64) -> Result<Vec<(MeterId, UsageTotals)>, StoreError>;

    /// One meter hour by hour, oldest first, from the hour that holds `since_ms` on.
    async fn usage_hours(&self, meter: &MeterId, since_ms: u64) -> Result<Vec<UsageHour>, StoreError>;
}
