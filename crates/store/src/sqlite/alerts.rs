//! Alerts of budgets in SQLite.

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior};

use super::{Sqlite, signed};
use crate::{AlertStore, BudgetAlert, StoreError};

#[async_trait]
impl AlertStore for Sqlite {
    async fn raise_alerts(&self, alerts: Vec<BudgetAlert>) -> Result<Vec<BudgetAlert>, StoreError> {
        self.writer.run(move |connection| raise(connection, alerts)).await
    }

    async fn alerts(&self, count: u32) -> Result<Vec<BudgetAlert>, StoreError> {
        let last = move |connection: &mut Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT meter, period, budget, since_ms, percent, spent, unix_ms FROM budget_alerts \
                 ORDER BY unix_ms DESC, meter, percent DESC LIMIT ?1",
            )?;
            let mut rows = statement.query([count])?;
            let mut alerts = Vec::new();
            while let Some(row) = rows.next()? {
                let numbers = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?];
                alerts.push(BudgetAlert::read(
                    &row.get::<_, String>(0)?,
                    &row.get::<_, String>(1)?,
                    numbers,
                )?);
            }
            Ok(alerts)
        };
        self.reader.run(last).await
    }
}

fn raise(connection: &mut Connection, alerts: Vec<BudgetAlert>) -> Result<Vec<BudgetAlert>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut new = Vec::new();
    for alert in alerts {
        let inserted = transaction
            .prepare_cached(
                "INSERT INTO budget_alerts (meter, period, budget, since_ms, percent, spent, unix_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            )?
            .execute((
                alert.meter.as_str(),
                alert.budget.period.name(),
                signed(alert.budget.amount.0),
                signed(alert.since_ms),
                alert.percent,
                signed(alert.spent.0),
                signed(alert.unix_ms),
            ))?;
        if inserted > 0 {
            new.push(alert);
        }
    }
    transaction.commit()?;
    Ok(new)
}
