//! The audit log in SQLite.

use std::sync::Arc;

use async_trait::async_trait;
use portcullis_core::RequestId;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

use super::{Sqlite, is_taken, signed, unsigned};
use crate::audit::Chaining;
use crate::{AuditBatch, AuditPage, AuditStore, Hash, Head, SignedHead, StoreError, StoredRecord, StoredRow};

const ROWS: &str = "SELECT seq, request_id, record, hash FROM audit";
const HEADS: &str = "SELECT seq, previous, unix_ms, hash, signature FROM audit_heads";

#[async_trait]
impl AuditStore for Sqlite {
    async fn extend_audit(&self, chain: Chaining) -> Result<Arc<AuditBatch>, StoreError> {
        self.writer.run(move |connection| extend(connection, chain)).await
    }

    async fn audit_head(&self) -> Result<Option<SignedHead>, StoreError> {
        self.reader
            .run(|connection| Ok(heads(connection, "ORDER BY seq DESC LIMIT 1")?.pop()))
            .await
    }

    async fn audit_heads(&self) -> Result<Vec<SignedHead>, StoreError> {
        self.reader
            .run(|connection| heads(connection, "ORDER BY seq"))
            .await
    }

    async fn audit_page(&self, after: Option<u64>, limit: u32) -> Result<AuditPage, StoreError> {
        let after = after.map_or(i64::MIN, signed);
        let read = move |connection: &mut Connection| {
            rows(
                connection,
                &format!("{ROWS} WHERE seq > ?1 ORDER BY seq LIMIT ?2"),
                (after, limit),
            )
        };
        self.reader.run(read).await
    }

    async fn audit_record(&self, request: &RequestId) -> Result<Option<StoredRecord>, StoreError> {
        let request = request.clone();
        let read = move |connection: &mut Connection| {
            rows(
                connection,
                &format!("{ROWS} WHERE request_id = ?1"),
                [request.as_str()],
            )
        };
        self.reader
            .run(read)
            .await?
            .pop()
            .map(StoredRecord::try_from)
            .transpose()
    }

    async fn audit_tail(&self, count: u32) -> Result<Vec<StoredRecord>, StoreError> {
        let read = move |connection: &mut Connection| {
            rows(connection, &format!("{ROWS} ORDER BY seq DESC LIMIT ?1"), [count])
        };
        self.reader
            .run(read)
            .await?
            .into_iter()
            .rev()
            .map(StoredRecord::try_from)
            .collect()
    }

    async fn check_integrity(&self) -> Result<(), StoreError> {
        let check = |connection: &mut Connection| {
            let found: Option<String> = connection
                .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
                .optional()?;
            match found.as_deref() {
                Some("ok") => Ok(()),
                Some(other) => Err(StoreError::Corrupt(other.to_owned())),
                None => Err(StoreError::Corrupt("no answer to an integrity check".to_owned())),
            }
        };
        self.reader.run(check).await
    }
}

fn extend(connection: &mut Connection, chain: Chaining) -> Result<Arc<AuditBatch>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let batch = chain(heads(&transaction, "ORDER BY seq DESC LIMIT 1")?.pop())?;
    {
        let mut insert = transaction
            .prepare_cached("INSERT INTO audit (seq, request_id, record, hash) VALUES (?1, ?2, ?3, ?4)")?;
        for record in &batch.records {
            let row = (
                signed(record.seq),
                record.request_id.as_str(),
                &record.json,
                record.hash.0,
            );
            insert.execute(row).map_err(|error| {
                if is_taken(&error, "audit.request_id") {
                    StoreError::DuplicateRequest(record.request_id.to_string())
                } else if is_taken(&error, "audit.seq") {
                    StoreError::AuditConflict(record.seq)
                } else {
                    error.into()
                }
            })?;
        }
        if let Some(superseded) = batch.supersedes {
            transaction
                .prepare_cached("DELETE FROM audit_heads WHERE seq = ?1")?
                .execute([signed(superseded)])?;
        }
        let SignedHead { head, signature } = &batch.head;
        transaction
            .prepare_cached(
                "INSERT INTO audit_heads (seq, previous, unix_ms, hash, signature) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((signed(head.seq), signed(head.previous), signed(head.unix_ms), head.hash.0, signature))?;
    }
    transaction.commit()?;
    Ok(batch)
}

fn heads(connection: &Connection, order: &str) -> Result<Vec<SignedHead>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{HEADS} {order}"))?;
    let mut rows = statement.query([])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        let number = |at: usize| unsigned(row.get(at)?, "a number of an audit head");
        let head = Head {
            seq: number(0)?,
            previous: number(1)?,
            unix_ms: number(2)?,
            hash: Hash(bytes(row, 3)?),
        };
        heads.push(SignedHead {
            head,
            signature: bytes(row, 4)?,
        });
    }
    Ok(heads)
}

fn bytes<const N: usize>(row: &Row<'_>, at: usize) -> Result<[u8; N], StoreError> {
    let wrong = |_| StoreError::Corrupt("an audit head has a field of the wrong length".to_owned());
    raw(row.get_ref(at)?).try_into().map_err(wrong)
}

fn rows(
    connection: &Connection,
    query: &str,
    values: impl rusqlite::Params,
) -> Result<AuditPage, StoreError> {
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query(values)?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(StoredRow {
            seq: unsigned(row.get(0)?, "the number of an audit record")?,
            request_id: raw(row.get_ref(1)?),
            json: raw(row.get_ref(2)?),
            hash: raw(row.get_ref(3)?),
        });
    }
    Ok(page)
}

/// The bytes of a value whatever its type: a column that somebody filled with something else must still be compared.
fn raw(value: ValueRef<'_>) -> Vec<u8> {
    match value {
        ValueRef::Null => Vec::new(),
        ValueRef::Integer(number) => number.to_string().into_bytes(),
        ValueRef::Real(number) => number.to_string().into_bytes(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.to_vec(),
    }
}
