//! Alerts of budgets in PostgreSQL.

use async_trait::async_trait;
use sqlx::{Connection, Row};

use super::{Postgres, signed, text};
use crate::{AlertStore, BudgetAlert, StoreError};

#[async_trait]
impl AlertStore for Postgres {
    async fn raise_alerts(&self, mut alerts: Vec<BudgetAlert>) -> Result<Vec<BudgetAlert>, StoreError> {
        // In one order everywhere, so that two replicas never wait for each other's rows.
        alerts.sort_by(|one, other| {
            (one.meter.as_str(), one.percent).cmp(&(other.meter.as_str(), other.percent))
        });
        self.run(move |connection| {
            Box::pin(async move {
                let mut transaction = connection.begin().await?;
                let mut new = Vec::new();
                for alert in alerts {
                    let inserted = sqlx::query(
                        "INSERT INTO budget_alerts (meter, period, budget, since_ms, percent, spent, unix_ms) \
                         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                    )
                    .bind(text(alert.meter.as_str()))
                    .bind(alert.budget.period.name())
                    .bind(signed(alert.budget.amount.0))
                    .bind(signed(alert.since_ms))
                    .bind(i64::from(alert.percent))
                    .bind(signed(alert.spent.0))
                    .bind(signed(alert.unix_ms))
                    .execute(&mut *transaction)
                    .await?;
                    if inserted.rows_affected() > 0 {
                        new.push(alert);
                    }
                }
                transaction.commit().await?;
                Ok(new)
            })
        })
        .await
    }

    async fn alerts(&self, count: u32) -> Result<Vec<BudgetAlert>, StoreError> {
        self.run(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(
                    "SELECT meter, period, budget, since_ms, percent, spent, unix_ms FROM budget_alerts \
                     ORDER BY unix_ms DESC, meter, percent DESC LIMIT $1",
                )
                .bind(i64::from(count))
                .fetch_all(connection)
                .await?;
                let mut alerts = Vec::new();
                for row in rows {
                    let numbers = [
                        row.try_get(2)?,
                        row.try_get(3)?,
                        row.try_get(4)?,
                        row.try_get(5)?,
                        row.try_get(6)?,
                    ];
                    let (meter, period): (String, String) = (row.try_get(0)?, row.try_get(1)?);
                    alerts.push(BudgetAlert::read(&meter, &period, numbers)?);
                }
                Ok(alerts)
            })
        })
        .await
    }
}
