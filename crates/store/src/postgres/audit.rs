//! The audit log in PostgreSQL: one chain that all replicas append to, one after the other.
//!
//! Whoever appends holds a lock of the database from before the head is read until the new head is durable, so no two
//! batches follow the same head. The lock ends with the transaction, and the server ends a transaction whose replica
//! was cut off.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use portcullis_core::RequestId;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::{Postgres, WHOLE_TABLE, is_taken, schema, signed, text, unsigned};
use crate::audit::Chaining;
use crate::{AuditBatch, AuditPage, AuditStore, Hash, Head, SignedHead, StoreError, StoredRecord, StoredRow};

const ROWS: &str = "SELECT seq, request_id, record, hash FROM audit";
const HEADS: &str = "SELECT seq, previous, unix_ms, hash, signature FROM audit_heads";
/// The lock, and a commit that waits for the disk whatever the server's default is.
const BEGIN: &str = "SELECT pg_advisory_xact_lock($1), set_config('synchronous_commit', \
     CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)";

#[async_trait]
impl AuditStore for Postgres {
    fn audit_is_shared(&self) -> bool {
        true
    }

    async fn extend_audit(&self, chain: Chaining) -> Result<Arc<AuditBatch>, StoreError> {
        self.run(move |connection| Box::pin(async move { extend(connection, chain).await }))
            .await
    }

    async fn audit_head(&self) -> Result<Option<SignedHead>, StoreError> {
        self.run(|connection| Box::pin(last_head(connection))).await
    }

    async fn audit_heads(&self) -> Result<Vec<SignedHead>, StoreError> {
        self.run(|connection| {
            Box::pin(async move {
                let rows = sqlx::query(&format!("{HEADS} ORDER BY seq"))
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(head).collect()
            })
        })
        .await
    }

    async fn audit_page(&self, after: Option<u64>, limit: u32) -> Result<AuditPage, StoreError> {
        let after = after.map_or(i64::MIN, signed);
        self.run(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(&format!("{ROWS} WHERE seq > $1 ORDER BY seq LIMIT $2"))
                    .bind(after)
                    .bind(i64::from(limit))
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(stored).collect()
            })
        })
        .await
    }

    async fn audit_record(&self, request: &RequestId) -> Result<Option<StoredRecord>, StoreError> {
        let request = text(request.as_str());
        let found = self
            .run(move |connection| {
                Box::pin(async move {
                    let row = sqlx::query(&format!("{ROWS} WHERE request_id = $1"))
                        .bind(request)
                        .fetch_optional(connection)
                        .await?;
                    row.as_ref().map(stored).transpose()
                })
            })
            .await?;
        found.map(StoredRecord::try_from).transpose()
    }

    async fn audit_tail(&self, count: u32) -> Result<Vec<StoredRecord>, StoreError> {
        let rows: AuditPage = self
            .run(move |connection| {
                Box::pin(async move {
                    let rows = sqlx::query(&format!("{ROWS} ORDER BY seq DESC LIMIT $1"))
                        .bind(i64::from(count))
                        .fetch_all(connection)
                        .await?;
                    rows.iter().map(stored).collect()
                })
            })
            .await?;
        rows.into_iter().rev().map(StoredRecord::try_from).collect()
    }

    /// The rows that a reader of the table finds are those that its index finds: a row that one of them does not know
    /// would be hidden from `verify` or from `explain`. The pages themselves are the server's to check (`initdb --data-checksums`).
    async fn check_integrity(&self) -> Result<(), StoreError> {
        self.run_within(WHOLE_TABLE, |connection| Box::pin(compare_index(connection)))
            .await
    }
}

async fn extend(connection: &mut PgConnection, chain: Chaining) -> Result<Arc<AuditBatch>, StoreError> {
    let mut transaction = connection.begin().await?;
    sqlx::query(BEGIN)
        .bind(schema::AUDIT_LOCK)
        .execute(&mut *transaction)
        .await?;
    let behind = last_head(&mut transaction).await?;
    // Hashing thousands of records would hold up the requests that share the runtime's threads.
    let batch = tokio::task::spawn_blocking(move || chain(behind))
        .await
        .map_err(|_| StoreError::Closed)??;
    let mut seen = HashSet::new();
    if let Some(twice) = batch
        .records
        .iter()
        .find(|record| !seen.insert(record.request_id.as_str()))
    {
        return Err(StoreError::DuplicateRequest(twice.request_id.to_string()));
    }
    match insert(&mut transaction, &batch).await {
        Ok(()) => {}
        Err(StoreError::Postgres(error)) if is_taken(&error, "audit_seq") => {
            return Err(StoreError::AuditConflict(
                batch
                    .records
                    .first()
                    .map_or(batch.head.head.seq, |record| record.seq),
            ));
        }
        Err(StoreError::Postgres(error)) if is_taken(&error, "audit_heads_pkey") => {
            return Err(StoreError::AuditConflict(batch.head.head.seq));
        }
        Err(StoreError::Postgres(error)) if is_taken(&error, "audit_request") => {
            transaction.rollback().await?;
            return Err(duplicate(connection, &batch)
                .await?
                .unwrap_or_else(|| error.into()));
        }
        Err(other) => return Err(other),
    }
    transaction.commit().await?;
    Ok(batch)
}

async fn insert(transaction: &mut PgConnection, batch: &AuditBatch) -> Result<(), StoreError> {
    if !batch.records.is_empty() {
        let numbers: Vec<i64> = batch.records.iter().map(|record| signed(record.seq)).collect();
        let requests: Vec<&str> = batch
            .records
            .iter()
            .map(|record| record.request_id.as_str())
            .collect();
        let texts: Vec<&str> = batch.records.iter().map(|record| record.json.as_str()).collect();
        let hashes: Vec<&[u8]> = batch
            .records
            .iter()
            .map(|record| record.hash.0.as_slice())
            .collect();
        sqlx::query(
            "INSERT INTO audit (seq, request_id, record, hash) \
             SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[])",
        )
        .bind(numbers)
        .bind(requests)
        .bind(texts)
        .bind(hashes)
        .execute(&mut *transaction)
        .await?;
    }
    if let Some(superseded) = batch.supersedes {
        sqlx::query("DELETE FROM audit_heads WHERE seq = $1")
            .bind(signed(superseded))
            .execute(&mut *transaction)
            .await?;
    }
    let SignedHead { head, signature } = &batch.head;
    sqlx::query(
        "INSERT INTO audit_heads (seq, previous, unix_ms, hash, signature) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(signed(head.seq))
    .bind(signed(head.previous))
    .bind(signed(head.unix_ms))
    .bind(head.hash.0.as_slice())
    .bind(signature.as_slice())
    .execute(transaction)
    .await?;
    Ok(())
}

/// Which request of the batch has a record already.
async fn duplicate(
    connection: &mut PgConnection,
    batch: &AuditBatch,
) -> Result<Option<StoreError>, StoreError> {
    let requests: Vec<&str> = batch
        .records
        .iter()
        .map(|record| record.request_id.as_str())
        .collect();
    let row = sqlx::query("SELECT request_id FROM audit WHERE request_id = ANY($1) LIMIT 1")
        .bind(requests)
        .fetch_optional(connection)
        .await?;
    let id = row.map(|row| row.try_get(0)).transpose()?;
    Ok(id.map(StoreError::DuplicateRequest))
}

async fn compare_index(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut transaction = connection
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let table = count(&mut transaction, "on", "off").await?;
    let index = count(&mut transaction, "off", "on").await?;
    transaction.commit().await?;
    if table == index {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!(
        "the audit table has {table} rows and its index {index}"
    )))
}

/// How many records are found the one way or the other.
async fn count(connection: &mut PgConnection, table: &str, index: &str) -> Result<i64, StoreError> {
    sqlx::query(
        "SELECT set_config('statement_timeout', '0', true), set_config('enable_bitmapscan', 'off', true), \
         set_config('enable_seqscan', $1, true), set_config('enable_indexscan', $2, true), \
         set_config('enable_indexonlyscan', $2, true)",
    )
    .bind(table)
    .bind(index)
    .execute(&mut *connection)
    .await?;
    // Not kept as a prepared statement, whose plan would be that of the first time.
    let row = sqlx::query("SELECT count(*) FROM audit WHERE seq > -9223372036854775808")
        .persistent(false)
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}

async fn last_head(connection: &mut PgConnection) -> Result<Option<SignedHead>, StoreError> {
    let row = sqlx::query(&format!("{HEADS} ORDER BY seq DESC LIMIT 1"))
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(head).transpose()
}

fn head(row: &PgRow) -> Result<SignedHead, StoreError> {
    let number = |at: usize| unsigned(row.try_get(at)?, "a number of an audit head");
    let head = Head {
        seq: number(0)?,
        previous: number(1)?,
        unix_ms: number(2)?,
        hash: Hash(bytes(row, 3)?),
    };
    Ok(SignedHead {
        head,
        signature: bytes(row, 4)?,
    })
}

fn bytes<const N: usize>(row: &PgRow, at: usize) -> Result<[u8; N], StoreError> {
    let wrong = |_| StoreError::Corrupt("an audit head has a field of the wrong length".to_owned());
    row.try_get::<Vec<u8>, _>(at)?.try_into().map_err(wrong)
}

fn stored(row: &PgRow) -> Result<StoredRow, StoreError> {
    Ok(StoredRow {
        seq: unsigned(row.try_get(0)?, "the number of an audit record")?,
        request_id: row.try_get::<String, _>(1)?.into_bytes(),
        json: row.try_get::<String, _>(2)?.into_bytes(),
        hash: row.try_get(3)?,
    })
}
