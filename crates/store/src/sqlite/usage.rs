//! Usage in SQLite.

use async_trait::async_trait;
use portcullis_core::{Money, Usage};
use rusqlite::{Connection, Row, TransactionBehavior};

use super::{Sqlite, signed, unsigned};
use crate::{MeterId, StoreError, UsageBatch, UsageDelta, UsageHour, UsageStore, UsageTotals};

const HOUR_MS: u64 = 3_600_000;

const ADD: &str = "INSERT INTO usage (meter, hour, requests, input, cached, output, reasoning, cost) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (meter, hour) DO UPDATE SET \
     requests = requests + excluded.requests, input = input + excluded.input, cached = cached + excluded.cached, \
     output = output + excluded.output, reasoning = reasoning + excluded.reasoning, cost = cost + excluded.cost";
/// Changes nothing where this batch was added before.
const NOTE: &str = "INSERT INTO usage_writers (writer, last) VALUES (?1, ?2) \
     ON CONFLICT (writer) DO UPDATE SET last = excluded.last WHERE last < excluded.last";
const SUMS: &str = "sum(requests), sum(input), sum(cached), sum(output), sum(reasoning), sum(cost)";

#[async_trait]
impl UsageStore for Sqlite {
    async fn add_usage(&self, batch: UsageBatch) -> Result<(), StoreError> {
        self.writer.run(move |connection| add(connection, &batch)).await
    }

    async fn usage_since(&self, since_ms: u64) -> Result<Vec<(MeterId, UsageTotals)>, StoreError> {
        let read = move |connection: &mut Connection| {
            let query = format!("SELECT meter, {SUMS} FROM usage WHERE hour >= ?1 GROUP BY meter");
            let mut statement = connection.prepare_cached(&query)?;
            let mut rows = statement.query([signed(since_ms / HOUR_MS)])?;
            let mut sums = Vec::new();
            while let Some(row) = rows.next()? {
                sums.push((MeterId::from_text(&row.get::<_, String>(0)?), totals(row)?));
            }
            Ok(sums)
        };
        self.reader.run(read).await
    }

    async fn usage_hours(&self, meter: &MeterId, since_ms: u64) -> Result<Vec<UsageHour>, StoreError> {
        let meter = meter.clone();
        let read = move |connection: &mut Connection| {
            let query = "SELECT hour, requests, input, cached, output, reasoning, cost FROM usage \
                         WHERE meter = ?1 AND hour >= ?2 ORDER BY hour";
            let mut statement = connection.prepare_cached(query)?;
            let mut rows = statement.query((meter.as_str(), signed(since_ms / HOUR_MS)))?;
            let mut hours = Vec::new();
            while let Some(row) = rows.next()? {
                hours.push(UsageHour {
                    hour: unsigned(row.get(0)?, "an hour")?,
                    totals: totals(row)?,
                });
            }
            Ok(hours)
        };
        self.reader.run(read).await
    }
}

fn add(connection: &mut Connection, batch: &UsageBatch) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let new = transaction
        .prepare_cached(NOTE)?
        .execute((batch.writer.as_slice(), signed(batch.number)))?;
    if new == 0 {
        return Ok(());
    }
    {
        let mut statement = transaction.prepare_cached(ADD)?;
        for UsageDelta {
            meter,
            hour,
            totals:
                UsageTotals {
                    requests,
                    usage,
                    cost,
                },
        } in &batch.deltas
        {
            statement.execute((
                meter.as_str(),
                signed(*hour),
                signed(*requests),
                signed(usage.input),
                signed(usage.cached),
                signed(usage.output),
                signed(usage.reasoning),
                signed(cost.0),
            ))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// The six numbers behind the first column.
fn totals(row: &Row<'_>) -> Result<UsageTotals, StoreError> {
    let number = |at: usize| unsigned(row.get(at)?, "a sum of usage");
    Ok(UsageTotals {
        requests: number(1)?,
        usage: Usage {
            input: number(2)?,
            cached: number(3)?,
            output: number(4)?,
            reasoning: number(5)?,
            // Kept in the audit records alone, and in the cost.
            cache_write: 0,
        },
        cost: Money(number(6)?),
    })
}
