//! Usage in PostgreSQL.

use async_trait::async_trait;
use portcullis_core::{Money, Usage};
use sqlx::postgres::PgRow;
use sqlx::{Connection, Row};

use super::{Postgres, signed, text, unsigned};
use crate::{MeterId, StoreError, UsageBatch, UsageDelta, UsageHour, UsageStore, UsageTotals};

const HOUR_MS: u64 = 3_600_000;

/// In one statement, whatever the number of meters; in order, so that two replicas never wait for each other's rows.
const ADD: &str = "INSERT INTO usage AS kept (meter, hour, requests, input, cached, output, reasoning, cost) \
     SELECT meter, hour, sum(requests)::bigint, sum(input)::bigint, sum(cached)::bigint, sum(output)::bigint, \
            sum(reasoning)::bigint, sum(cost)::bigint \
     FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[]) \
          AS delta (meter, hour, requests, input, cached, output, reasoning, cost) \
     GROUP BY meter, hour ORDER BY meter COLLATE \"C\", hour \
     ON CONFLICT (meter, hour) DO UPDATE SET \
     requests = kept.requests + excluded.requests, input = kept.input + excluded.input, \
     cached = kept.cached + excluded.cached, output = kept.output + excluded.output, \
     reasoning = kept.reasoning + excluded.reasoning, cost = kept.cost + excluded.cost";
/// Changes nothing where this batch was added before.
const NOTE: &str = "INSERT INTO usage_writers AS known (writer, last) VALUES ($1, $2) \
     ON CONFLICT (writer) DO UPDATE SET last = excluded.last WHERE known.last < excluded.last";
const SUMS: &str = "sum(requests)::bigint, sum(input)::bigint, sum(cached)::bigint, sum(output)::bigint, \
                    sum(reasoning)::bigint, sum(cost)::bigint";

#[async_trait]
impl UsageStore for Postgres {
    async fn add_usage(&self, batch: UsageBatch) -> Result<(), StoreError> {
        let UsageBatch {
            writer,
            number,
            deltas,
        } = batch;
        let column = |read: fn(&UsageDelta) -> u64| -> Vec<i64> {
            deltas.iter().map(|delta| signed(read(delta))).collect()
        };
        let numbers = [
            column(|delta| delta.hour),
            column(|delta| delta.totals.requests),
            column(|delta| delta.totals.usage.input),
            column(|delta| delta.totals.usage.cached),
            column(|delta| delta.totals.usage.output),
            column(|delta| delta.totals.usage.reasoning),
            column(|delta| delta.totals.cost.0),
        ];
        let meters: Vec<String> = deltas.iter().map(|delta| text(delta.meter.as_str())).collect();
        self.run(move |connection| {
            Box::pin(async move {
                let mut transaction = connection.begin().await?;
                let new = sqlx::query(NOTE)
                    .bind(writer.as_slice())
                    .bind(signed(number))
                    .execute(&mut *transaction)
                    .await?;
                if new.rows_affected() > 0 {
                    let add = sqlx::query(ADD).bind(meters);
                    let add = numbers.into_iter().fold(add, |add, numbers| add.bind(numbers));
                    add.execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                Ok(())
            })
        })
        .await
    }

    async fn usage_since(&self, since_ms: u64) -> Result<Vec<(MeterId, UsageTotals)>, StoreError> {
        self.run(move |connection| {
            Box::pin(async move {
                let query = format!("SELECT meter, {SUMS} FROM usage WHERE hour >= $1 GROUP BY meter");
                let rows = sqlx::query(&query)
                    .bind(signed(since_ms / HOUR_MS))
                    .fetch_all(connection)
                    .await?;
                let one = |row: &PgRow| Ok((MeterId::from_text(&row.try_get::<String, _>(0)?), totals(row)?));
                rows.iter().map(one).collect()
            })
        })
        .await
    }

    async fn usage_hours(&self, meter: &MeterId, since_ms: u64) -> Result<Vec<UsageHour>, StoreError> {
        let meter = text(meter.as_str());
        self.run(move |connection| {
            Box::pin(async move {
                let query = "SELECT hour, requests, input, cached, output, reasoning, cost FROM usage \
                             WHERE meter = $1 AND hour >= $2 ORDER BY hour";
                let rows = sqlx::query(query)
                    .bind(meter)
                    .bind(signed(since_ms / HOUR_MS))
                    .fetch_all(connection)
                    .await?;
                let one = |row: &PgRow| {
                    Ok(UsageHour {
                        hour: unsigned(row.try_get(0)?, "an hour")?,
                        totals: totals(row)?,
                    })
                };
                rows.iter().map(one).collect()
            })
        })
        .await
    }
}

/// The six numbers behind the first column.
fn totals(row: &PgRow) -> Result<UsageTotals, StoreError> {
    let number = |at: usize| unsigned(row.try_get(at)?, "a sum of usage");
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
