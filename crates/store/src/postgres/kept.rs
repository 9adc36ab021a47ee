//! Sealed texts in PostgreSQL.

use async_trait::async_trait;
use sqlx::{Connection as _, Row};

use super::{Postgres, signed};
use crate::{KeptStore, Sealed, StoreError};

#[async_trait]
impl KeptStore for Postgres {
    async fn keep_sealed(&self, sealed: Sealed, now_ms: u64) -> Result<(), StoreError> {
        self.run(move |connection| {
            Box::pin(async move {
                let mut transaction = connection.begin().await?;
                // Rows that another replica is dropping are its affair: nobody waits for anybody.
                sqlx::query(
                    "DELETE FROM kept WHERE name IN \
                     (SELECT name FROM kept WHERE until_ms <= $1 FOR UPDATE SKIP LOCKED)",
                )
                .bind(signed(now_ms))
                .execute(&mut *transaction)
                .await?;
                sqlx::query(
                    "INSERT INTO kept (name, sealed, until_ms) VALUES ($1, $2, $3) \
                     ON CONFLICT (name) DO UPDATE SET sealed = EXCLUDED.sealed, until_ms = EXCLUDED.until_ms",
                )
                .bind(sealed.name.as_slice())
                .bind(sealed.bytes)
                .bind(signed(sealed.until_ms))
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                Ok(())
            })
        })
        .await
    }

    async fn sealed(&self, name: &[u8; 32], now_ms: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let name = name.to_vec();
        self.run(move |connection| {
            Box::pin(async move {
                let found = sqlx::query("SELECT sealed FROM kept WHERE name = $1 AND until_ms > $2")
                    .bind(name)
                    .bind(signed(now_ms))
                    .fetch_optional(connection)
                    .await?;
                Ok(match found {
                    Some(row) => Some(row.try_get(0)?),
                    None => None,
                })
            })
        })
        .await
    }
}
