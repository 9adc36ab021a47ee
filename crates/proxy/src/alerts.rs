//! Who is told when a budget runs low: looked at now and then, beside the requests, which wait for nothing here.
//!
//! What was spent is read from the store, so that all replicas count, and what was raised is kept there, so that each alert comes
//! once. What is not written yet is seen the next time.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use portcullis_core::Money;
use portcullis_store::{Budget, BudgetAlert, Limited, MeterId, Period, StoreError};

use crate::Gateway;

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
    let budgets = budgets(gateway, now_ms);
    let store = &gateway.services.store;
    let mut alerts = Vec::new();
    for period in Period::ALL {
        if !budgets.iter().any(|(_, budget)| budget.period == period) {
            continue;
        }
        let sums = store.usage_since(period.start_ms(now_ms)).await?;
        let spent: HashMap<MeterId, Money> = sums.into_iter().map(|(meter, sum)| (meter, sum.cost)).collect();
        for (meter, budget) in budgets.iter().filter(|(_, budget)| budget.period == period) {
            let spent = spent.get(meter).copied().unwrap_or_default();
            alerts.extend(BudgetAlert::of(
                meter,
                *budget,
                spent,
                refused.contains(meter),
                now_ms,
            ));
        }
    }
    match alerts.is_empty() {
        true => Ok(alerts),
        false => store.raise_alerts(alerts).await,
    }
}

/// Every budget that holds for anybody.
fn budgets(gateway: &Gateway, now_ms: u64) -> Vec<(MeterId, Budget)> {
    let keys = gateway.services.keyring.budgets(now_ms);
    let of_keys = keys
        .iter()
        .map(|(key, budget)| (MeterId::key(key), budget.as_str()));
    let of_groups = gateway
        .limits
        .iter()
        .filter_map(|group| Some((group.meter(), group.limits.budget.as_deref()?)));
    of_keys
        .chain(of_groups)
        .filter_map(|(meter, budget)| Some((meter, budget.parse().ok()?)))
        .collect()
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
