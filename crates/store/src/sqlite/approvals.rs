//! Approvals in SQLite.

use async_trait::async_trait;
use portcullis_core::KeyId;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior};

use super::{Sqlite, signed, unsigned};
use crate::approval::{COLUMNS, LISTED_MS, StoredApproval, reasons};
use crate::{Approval, ApprovalState, ApprovalStore, Decided, MOST_PENDING, StoreError};

#[async_trait]
impl ApprovalStore for Sqlite {
    async fn ask_approval(&self, approval: Approval, now_ms: u64) -> Result<Approval, StoreError> {
        self.writer
            .run(move |connection| ask(connection, approval, now_ms))
            .await
    }

    async fn approvals(
        &self,
        state: Option<ApprovalState>,
        count: u32,
        now_ms: u64,
    ) -> Result<Vec<Approval>, StoreError> {
        let last = move |connection: &mut Connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM approvals WHERE ?1 IS NULL OR ?1 = CASE WHEN state IN ('pending', 'granted') \
                 AND expires_ms <= ?2 THEN 'expired' ELSE state END ORDER BY created_ms DESC, id LIMIT ?3"
            ))?;
            let mut rows = statement.query((state.map(ApprovalState::name), signed(now_ms), count))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(stored(row)?.read(now_ms)?);
            }
            Ok(found)
        };
        self.reader.run(last).await
    }

    async fn approvals_pending(&self, now_ms: u64) -> Result<u64, StoreError> {
        let count = move |connection: &mut Connection| {
            let count = connection
                .prepare_cached("SELECT count(*) FROM approvals WHERE state = 'pending' AND expires_ms > ?1")?
                .query_row([signed(now_ms)], |row| row.get(0))?;
            unsigned(count, "a count")
        };
        self.reader.run(count).await
    }

    async fn approval(&self, id: &str, now_ms: u64) -> Result<Option<Approval>, StoreError> {
        let id = id.to_owned();
        self.reader
            .run(move |connection| find(connection, &id, now_ms))
            .await
    }

    async fn decide_approval(
        &self,
        id: &str,
        by: &str,
        signature: Option<[u8; 32]>,
        now_ms: u64,
    ) -> Result<Decided, StoreError> {
        let (id, by) = (id.to_owned(), by.to_owned());
        let decide = move |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // A grant's arguments are shown until it is used; a denial's are of no more use.
            let set = match signature {
                Some(_) => "state = 'granted'",
                None => "state = 'denied', arguments = NULL, reasons = NULL",
            };
            let decided = transaction
                .prepare_cached(&format!(
                    "UPDATE approvals SET {set}, decided_by = ?2, decided_ms = ?3, signature = ?4 \
                     WHERE id = ?1 AND state = 'pending' AND expires_ms > ?3"
                ))?
                .execute((&id, &by, signed(now_ms), signature))?;
            let found = find(&transaction, &id, now_ms)?;
            transaction.commit()?;
            Ok(match found {
                None => Decided::Unknown,
                Some(approval) if decided == 0 => Decided::Before(approval),
                Some(approval) => Decided::Now(approval),
            })
        };
        self.writer.run(decide).await
    }

    async fn claim_approval(
        &self,
        id: &str,
        key: &KeyId,
        binding: &[u8; 32],
        now_ms: u64,
    ) -> Result<Option<Approval>, StoreError> {
        let (id, key, binding) = (id.to_owned(), key.clone(), *binding);
        let claim = move |connection: &mut Connection| {
            let mut statement = connection.prepare_cached(&format!(
                "UPDATE approvals SET state = 'used', arguments = NULL, reasons = NULL WHERE id = ?1 \
                 AND key_id = ?2 AND binding = ?3 AND state = 'granted' AND expires_ms > ?4 RETURNING {COLUMNS}"
            ))?;
            let claimed = statement
                .query_row((&id, key.as_str(), binding, signed(now_ms)), stored)
                .optional()?;
            claimed.map(|stored| stored.read(now_ms)).transpose()
        };
        self.writer.run(claim).await
    }

    async fn release_approval(&self, id: &str, now_ms: u64) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let release = move |connection: &mut Connection| {
            let released = connection
                .prepare_cached(
                    "UPDATE approvals SET state = 'granted' WHERE id = ?1 AND state = 'used' AND expires_ms > ?2",
                )?
                .execute((&id, signed(now_ms)))?;
            Ok(released > 0)
        };
        self.writer.run(release).await
    }

    async fn sweep_approvals(&self, now_ms: u64) -> Result<(), StoreError> {
        let sweep = move |connection: &mut Connection| {
            connection
                .prepare_cached(
                    "UPDATE approvals SET arguments = NULL, reasons = NULL WHERE expires_ms <= ?1 \
                     AND (arguments IS NOT NULL OR reasons IS NOT NULL)",
                )?
                .execute([signed(now_ms)])?;
            connection
                .prepare_cached("DELETE FROM approvals WHERE expires_ms <= ?1")?
                .execute([signed(now_ms.saturating_sub(LISTED_MS))])?;
            Ok(())
        };
        self.writer.run(sweep).await
    }
}

fn ask(connection: &mut Connection, approval: Approval, now_ms: u64) -> Result<Approval, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let same = transaction
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM approvals WHERE key_id = ?1 AND binding = ?2 AND state <> 'used' \
             AND expires_ms > ?3 ORDER BY state = 'granted' DESC, created_ms DESC LIMIT 1"
        ))?
        .query_row((approval.key.as_str(), approval.binding, signed(now_ms)), stored)
        .optional()?;
    if let Some(same) = same {
        return same.read(now_ms);
    }
    let pending: u32 = transaction
        .prepare_cached(
            "SELECT count(*) FROM approvals WHERE key_id = ?1 AND state = 'pending' AND expires_ms > ?2",
        )?
        .query_row((approval.key.as_str(), signed(now_ms)), |row| row.get(0))?;
    if pending >= MOST_PENDING {
        return Err(StoreError::TooManyApprovals(approval.key.as_str().to_owned()));
    }
    transaction
        .prepare_cached(
            "INSERT INTO approvals (id, key_id, key_name, tool, request_id, state, team, arguments, reasons, \
             binding, asked, created_ms, expires_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute((
            &approval.id,
            approval.key.as_str(),
            &approval.key_name,
            &approval.tool,
            approval.request_id.as_str(),
            &approval.team,
            &approval.arguments,
            reasons(&approval.reasons)?,
            approval.binding,
            approval.asked,
            signed(approval.created_ms),
            signed(approval.expires_ms),
        ))?;
    transaction.commit()?;
    Ok(approval)
}

fn find(connection: &Connection, id: &str, now_ms: u64) -> Result<Option<Approval>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM approvals WHERE id = ?1"))?;
    let found = statement.query_row([id], stored).optional()?;
    found.map(|stored| stored.read(now_ms)).transpose()
}

fn stored(row: &Row<'_>) -> Result<StoredApproval, rusqlite::Error> {
    Ok(StoredApproval {
        texts: [
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
        ],
        team: row.get(6)?,
        arguments: row.get(7)?,
        reasons: row.get(8)?,
        sums: [row.get(9)?, row.get(10)?],
        times: [row.get(11)?, row.get(12)?],
        decided_by: row.get(13)?,
        decided_ms: row.get(14)?,
        signature: row.get(15)?,
    })
}
