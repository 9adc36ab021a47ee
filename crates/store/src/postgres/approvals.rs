//! Approvals in PostgreSQL.

use async_trait::async_trait;
use portcullis_core::KeyId;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::{Postgres, signed, text, unsigned};
use crate::approval::{COLUMNS, LISTED_MS, StoredApproval, reasons};
use crate::{Approval, ApprovalState, ApprovalStore, Decided, MOST_PENDING, StoreError};

/// The first half of the name of a lock of ours within a database (`pcap` in letters); the second is made of the key that asks.
const ASK_LOCK: i32 = 0x7063_6170;

#[async_trait]
impl ApprovalStore for Postgres {
    async fn ask_approval(&self, approval: Approval, now_ms: u64) -> Result<Approval, StoreError> {
        self.run(move |connection| Box::pin(ask(connection, approval, now_ms)))
            .await
    }

    async fn approvals(
        &self,
        state: Option<ApprovalState>,
        count: u32,
        now_ms: u64,
    ) -> Result<Vec<Approval>, StoreError> {
        self.run(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(&format!(
                    "SELECT {COLUMNS} FROM approvals WHERE $1::TEXT IS NULL OR $1 = CASE WHEN state IN \
                     ('pending', 'granted') AND expires_ms <= $2 THEN 'expired' ELSE state END \
                     ORDER BY created_ms DESC, id LIMIT $3"
                ))
                .bind(state.map(ApprovalState::name))
                .bind(signed(now_ms))
                .bind(i64::from(count))
                .fetch_all(connection)
                .await?;
                rows.iter().map(|row| stored(row)?.read(now_ms)).collect()
            })
        })
        .await
    }

    async fn approvals_pending(&self, now_ms: u64) -> Result<u64, StoreError> {
        self.run(move |connection| {
            Box::pin(async move {
                let row =
                    sqlx::query("SELECT count(*) FROM approvals WHERE state = 'pending' AND expires_ms > $1")
                        .bind(signed(now_ms))
                        .fetch_one(connection)
                        .await?;
                unsigned(row.try_get(0)?, "a count")
            })
        })
        .await
    }

    async fn approval(&self, id: &str, now_ms: u64) -> Result<Option<Approval>, StoreError> {
        let id = text(id);
        self.run(move |connection| Box::pin(async move { find(connection, &id, now_ms).await }))
            .await
    }

    async fn decide_approval(
        &self,
        id: &str,
        by: &str,
        signature: Option<[u8; 32]>,
        now_ms: u64,
    ) -> Result<Decided, StoreError> {
        let (id, by) = (text(id), text(by));
        self.run(move |connection| {
            Box::pin(async move {
                // A grant's arguments are shown until it is used; a denial's are of no more use.
                let set = match signature {
                    Some(_) => "state = 'granted'",
                    None => "state = 'denied', arguments = NULL, reasons = NULL",
                };
                let decided = sqlx::query(&format!(
                    "UPDATE approvals SET {set}, decided_by = $2, decided_ms = $3, signature = $4 \
                     WHERE id = $1 AND state = 'pending' AND expires_ms > $3 RETURNING {COLUMNS}"
                ))
                .bind(&id)
                .bind(by)
                .bind(signed(now_ms))
                .bind(signature.map(Vec::from))
                .fetch_optional(&mut *connection)
                .await?;
                if let Some(row) = decided {
                    return Ok(Decided::Now(stored(&row)?.read(now_ms)?));
                }
                let found = find(connection, &id, now_ms).await?;
                Ok(found.map_or(Decided::Unknown, Decided::Before))
            })
        })
        .await
    }

    async fn claim_approval(
        &self,
        id: &str,
        key: &KeyId,
        binding: &[u8; 32],
        now_ms: u64,
    ) -> Result<Option<Approval>, StoreError> {
        let (id, key, binding) = (text(id), text(key.as_str()), binding.to_vec());
        self.run(move |connection| {
            Box::pin(async move {
                let claimed = sqlx::query(&format!(
                    "UPDATE approvals SET state = 'used', arguments = NULL, reasons = NULL WHERE id = $1 \
                     AND key_id = $2 AND binding = $3 AND state = 'granted' AND expires_ms > $4 RETURNING {COLUMNS}"
                ))
                .bind(id)
                .bind(key)
                .bind(binding)
                .bind(signed(now_ms))
                .fetch_optional(connection)
                .await?;
                claimed.map(|row| stored(&row)?.read(now_ms)).transpose()
            })
        })
        .await
    }

    async fn release_approval(&self, id: &str, now_ms: u64) -> Result<bool, StoreError> {
        let id = text(id);
        self.run(move |connection| {
            Box::pin(async move {
                let released = sqlx::query(
                    "UPDATE approvals SET state = 'granted' WHERE id = $1 AND state = 'used' AND expires_ms > $2",
                )
                .bind(id)
                .bind(signed(now_ms))
                .execute(connection)
                .await?;
                Ok(released.rows_affected() > 0)
            })
        })
        .await
    }

    async fn sweep_approvals(&self, now_ms: u64) -> Result<(), StoreError> {
        self.run(move |connection| {
            Box::pin(async move {
                // Rows that another replica is sweeping are its affair: nobody waits for anybody.
                sqlx::query(
                    "UPDATE approvals SET arguments = NULL, reasons = NULL WHERE id IN \
                     (SELECT id FROM approvals WHERE expires_ms <= $1 \
                      AND (arguments IS NOT NULL OR reasons IS NOT NULL) FOR UPDATE SKIP LOCKED)",
                )
                .bind(signed(now_ms))
                .execute(&mut *connection)
                .await?;
                sqlx::query(
                    "DELETE FROM approvals WHERE id IN \
                     (SELECT id FROM approvals WHERE expires_ms <= $1 FOR UPDATE SKIP LOCKED)",
                )
                .bind(signed(now_ms.saturating_sub(LISTED_MS)))
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }
}

async fn ask(connection: &mut PgConnection, approval: Approval, now_ms: u64) -> Result<Approval, StoreError> {
    let key = text(approval.key.as_str());
    let mut transaction = connection.begin().await?;
    // Of two replicas that ask the same, or for the last place of a key, one waits and finds what the other did.
    sqlx::query("SELECT pg_advisory_xact_lock($1, hashtext($2))")
        .bind(ASK_LOCK)
        .bind(&key)
        .execute(&mut *transaction)
        .await?;
    let same = sqlx::query(&format!(
        "SELECT {COLUMNS} FROM approvals WHERE key_id = $1 AND binding = $2 AND state <> 'used' \
         AND expires_ms > $3 ORDER BY state = 'granted' DESC, created_ms DESC LIMIT 1"
    ))
    .bind(&key)
    .bind(approval.binding.as_slice())
    .bind(signed(now_ms))
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(row) = same {
        transaction.commit().await?;
        return stored(&row)?.read(now_ms);
    }
    let pending: i64 = sqlx::query(
        "SELECT count(*) FROM approvals WHERE key_id = $1 AND state = 'pending' AND expires_ms > $2",
    )
    .bind(&key)
    .bind(signed(now_ms))
    .fetch_one(&mut *transaction)
    .await?
    .try_get(0)?;
    if pending >= i64::from(MOST_PENDING) {
        return Err(StoreError::TooManyApprovals(key));
    }
    sqlx::query(
        "INSERT INTO approvals (id, key_id, key_name, tool, request_id, state, team, arguments, reasons, binding, \
         asked, created_ms, expires_ms) VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&approval.id)
    .bind(&key)
    .bind(text(&approval.key_name))
    .bind(text(&approval.tool))
    .bind(text(approval.request_id.as_str()))
    .bind(approval.team.as_deref().map(text))
    .bind(&approval.arguments)
    .bind(reasons(&approval.reasons)?)
    .bind(approval.binding.as_slice())
    .bind(approval.asked.as_slice())
    .bind(signed(approval.created_ms))
    .bind(signed(approval.expires_ms))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(approval)
}

async fn find(connection: &mut PgConnection, id: &str, now_ms: u64) -> Result<Option<Approval>, StoreError> {
    let found = sqlx::query(&format!("SELECT {COLUMNS} FROM approvals WHERE id = $1"))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    found.map(|row| stored(&row)?.read(now_ms)).transpose()
}

fn stored(row: &PgRow) -> Result<StoredApproval, StoreError> {
    Ok(StoredApproval {
        texts: [
            row.try_get(0)?,
            row.try_get(1)?,
            row.try_get(2)?,
            row.try_get(3)?,
            row.try_get(4)?,
            row.try_get(5)?,
        ],
        team: row.try_get(6)?,
        arguments: row.try_get(7)?,
        reasons: row.try_get(8)?,
        sums: [row.try_get(9)?, row.try_get(10)?],
        times: [row.try_get(11)?, row.try_get(12)?],
        decided_by: row.try_get(13)?,
        decided_ms: row.try_get(14)?,
        signature: row.try_get(15)?,
    })
}
