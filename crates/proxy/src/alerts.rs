//! Who is told when a budget runs low: looked at now and then, beside the requests, which wait for nothing here.
//!
//! What was spent is read from the store, so that all replicas count, and what was raised is kept there, so that each alert comes
//! once. What is not written yet is seen the next time.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_core::{KeyId, Principal};
use portcullis_store::{Budget, BudgetAlert, Limited, MeterId, Period, StoreError};

use crate::{Gateway, GroupLimit};

/// Budgets that refused a request since they were last looked at.
#[derive(Default)]
pub(crate) struct Refused(Mutex<HashSet<MeterId>>);

impl Refused {
    /// Notes which budget it was, if it was one.
    pub(crate) fn note(&self, limited: &Limited) {
        if let Limited::Budget { meter, .. } | Limited::Short { meter, .. } = limited {
            // INVARIANT: meters exist for known keys and configured groups only, so this is bounded by their number.
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(meter.clone());
        }
    }

    fn take(&self) -> HashSet<MeterId> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn give_back(&self, meters: HashSet<MeterId>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(meters);
    }
}

/// Raises the alerts of all budgets that nobody has raised before: in the log, in the metrics, and kept in the store.
///
/// # Errors
/// The store failed; nothing is lost, the next look sees the same.
pub async fn raise_alerts(gateway: &Gateway, now_ms: u64) -> Result<Vec<BudgetAlert>, StoreError> {
    let refused = gateway.services.metrics.refused.take();
    let raised = raise(gateway, &refused, now_ms).await;
    match &raised {
        Ok(raised) => {
            for alert in raised {
                tell(gateway, alert);
            }
        }
        Err(_) => gateway.services.metrics.refused.give_back(refused),
    }
    raised
}

async fn raise(
    gateway: &Gateway,
    refused: &HashSet<MeterId>,
    now_ms: u64,
) -> Result<Vec<BudgetAlert>, StoreError> {
    let budgets = Budgets::new(gateway, now_ms);
    let store = &gateway.services.store;
    let mut alerts = Vec::new();
    for period in Period::ALL {
        if !budgets.have(period) {
            continue;
        }
        for (meter, sum) in store.usage_since(period.start_ms(now_ms)).await? {
            for budget in budgets.of(&meter).filter(|budget| budget.period == period) {
                let refused = refused.contains(&meter);
                alerts.extend(BudgetAlert::of(&meter, budget, sum.cost, refused, now_ms));
            }
        }
    }
    match alerts.is_empty() {
        true => Ok(alerts),
        false => store.raise_alerts(alerts).await,
    }
}

/// Every budget that holds for anybody.
struct Budgets<'g> {
    /// By the names of their meters.
    keys: HashMap<MeterId, Arc<Principal>>,
    of_groups: Vec<(&'g GroupLimit, Budget)>,
}

impl<'g> Budgets<'g> {
    fn new(gateway: &'g Gateway, now_ms: u64) -> Budgets<'g> {
        let keys = gateway.services.keyring.live(now_ms).into_iter();
        let groups = gateway.limits.iter();
        let of_groups = groups.filter_map(|group| {
            let budget = group.limits.budget.as_deref()?;
            Some((group, budget.parse().ok()?))
        });
        Budgets {
            keys: keys.map(|key| (MeterId::key(&key.key), key)).collect(),
            of_groups: of_groups.collect(),
        }
    }

    fn have(&self, period: Period) -> bool {
        let own = self.keys.values().filter_map(|key| own_budget(key));
        let of_groups = self.of_groups.iter().map(|(_, budget)| *budget);
        own.chain(of_groups).any(|budget| budget.period == period)
    }

    /// The budgets that are counted at a meter.
    fn of(&self, meter: &MeterId) -> impl Iterator<Item = Budget> {
        let name_of = |key: &KeyId| self.keys.get(&MeterId::key(key)).map(|key| key.name.clone());
        let groups = self.of_groups.iter();
        let of_groups = groups.filter(move |(group, _)| group.counts_at(meter, name_of));
        let own = self.keys.get(meter).and_then(|key| own_budget(key));
        own.into_iter().chain(of_groups.map(|(_, budget)| *budget))
    }
}

fn own_budget(key: &Principal) -> Option<Budget> {
    key.limits.budget.as_deref()?.parse().ok()
}

fn tell(gateway: &Gateway, alert: &BudgetAlert) {
    tracing::warn!(
        meter = %alert.meter,
        percent = alert.percent,
        period = alert.budget.period.name(),
        spent = %alert.spent,
        budget = %alert.budget.amount,
        "a budget alert: so much of it is spent"
    );
    gateway.services.metrics.alert(alert);
}
