//! Alerts of budgets: that half, four fifths or all of the money of a period is spent, each told once.

use async_trait::async_trait;
use portcullis_core::Money;

use crate::{Budget, MeterId, Period, StoreError};

/// The part of a budget that is spent, in hundredths, at which somebody is told.
pub const ALERT_AT: [u8; 3] = [50, 80, 100];

/// That so much of a budget is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetAlert {
    /// Whose budget.
    pub meter: MeterId,
    /// The budget.
    pub budget: Budget,
    /// When the period began, milliseconds since 1970 UTC.
    pub since_ms: u64,
    /// The threshold, in hundredths of the budget.
    pub percent: u8,
    /// What was spent by then.
    pub spent: Money,
    /// When it was seen, milliseconds since 1970 UTC.
    pub unix_ms: u64,
}

impl BudgetAlert {
    /// All that there is to tell of a meter. A budget is seldom spent to its last millionth: what is left does not cover what a
    /// request may cost. So it counts as spent, too, once it refuses a request with more than the threshold before behind it.
    #[must_use]
    pub fn of(meter: &MeterId, budget: Budget, spent: Money, refused: bool, now_ms: u64) -> Vec<BudgetAlert> {
        let behind = |percent: u8| {
            u128::from(spent.0).saturating_mul(100)
                >= u128::from(budget.amount.0).saturating_mul(u128::from(percent))
        };
        let reached = |percent: &u8| behind(*percent) || (*percent == 100 && refused && behind(80));
        ALERT_AT
            .into_iter()
            .filter(reached)
            .map(|percent| BudgetAlert {
                meter: meter.clone(),
                budget,
                since_ms: budget.period.start_ms(now_ms),
                percent,
                spent,
                unix_ms: now_ms,
            })
            .collect()
    }

    /// Takes one as it was stored: budget, beginning of the period, threshold, what was spent, and when.
    pub(crate) fn read(
        meter: &str,
        period: &str,
        [budget, since_ms, percent, spent, unix_ms]: [i64; 5],
    ) -> Result<BudgetAlert, StoreError> {
        let wrong = || StoreError::Corrupt(format!("an alert of {meter}"));
        let number = |stored: i64| u64::try_from(stored).map_err(|_| wrong());
        let period = Period::ALL
            .into_iter()
            .find(|known| known.name() == period)
            .ok_or_else(wrong)?;
        Ok(BudgetAlert {
            meter: MeterId::from_text(meter),
            budget: Budget {
                amount: Money(number(budget)?),
                period,
            },
            since_ms: number(since_ms)?,
            percent: u8::try_from(percent).map_err(|_| wrong())?,
            spent: Money(number(spent)?),
            unix_ms: number(unix_ms)?,
        })
    }
}

/// Keeps alerts, so that each is raised once, whichever process sees it first and however often it starts.
#[async_trait]
pub trait AlertStore {
    /// Keeps those that are new, and returns them. An alert is known by its meter, budget, period and threshold.
    async fn raise_alerts(&self, alerts: Vec<BudgetAlert>) -> Result<Vec<BudgetAlert>, StoreError>;

    /// The last `count` of them, newest first.
    async fn alerts(&self, count: u32) -> Result<Vec<BudgetAlert>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_reached_at_their_very_amount() {
        let budget: Budget = "1 USD/day".parse().unwrap();
        let percents = |spent, refused| -> Vec<u8> {
            BudgetAlert::of(&MeterId::team("a"), budget, Money(spent), refused, 0)
                .iter()
                .map(|alert| alert.percent)
                .collect()
        };
        for (spent, refused, told) in [
            (0, false, &[][..]),
            (499_999, true, &[]),
            (500_000, false, &[50]),
            (799_999, true, &[50]),
            (800_000, false, &[50, 80]),
            (800_000, true, &[50, 80, 100]),
            (999_999, false, &[50, 80]),
            (1_000_000, false, &[50, 80, 100]),
            (u64::MAX, false, &[50, 80, 100]),
        ] {
            assert_eq!(percents(spent, refused), told, "{spent} {refused}");
        }
    }
}
