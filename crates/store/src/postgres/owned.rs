//! Ownership in PostgreSQL.

use async_trait::async_trait;
use portcullis_core::KeyId;
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::{Postgres, signed, text, unsigned};
use crate::{Owned, OwnedStore, StoreError};

#[async_trait]
impl OwnedStore for Postgres {
    async fn remember_owned(
        &self,
        kind: &str,
        id: &str,
        owner: &KeyId,
        upstream: &str,
        model: Option<&str>,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let owned = Owned {
            kind: text(kind),
            id: text(id),
            owner: owner.clone(),
            upstream: text(upstream),
            model: model.map(text),
            created_ms: now_ms,
        };
        self.run(move |connection| Box::pin(async move { remember(connection, owned).await }))
            .await
    }

    async fn owned(&self, kind: &str, id: &str) -> Result<Option<Owned>, StoreError> {
        let (kind, id) = (text(kind), text(id));
        self.run(move |connection| Box::pin(async move { find(connection, &kind, &id).await }))
            .await
    }

    async fn forget_owned(&self, kind: &str, id: &str, owner: &KeyId) -> Result<bool, StoreError> {
        let (kind, id, owner) = (text(kind), text(id), text(owner.as_str()));
        self.run(move |connection| {
            Box::pin(async move {
                let gone = sqlx::query("DELETE FROM owned WHERE kind = $1 AND id = $2 AND owner = $3")
                    .bind(kind)
                    .bind(id)
                    .bind(owner)
                    .execute(connection)
                    .await?;
                Ok(gone.rows_affected() > 0)
            })
        })
        .await
    }
}

async fn remember(connection: &mut PgConnection, owned: Owned) -> Result<(), StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO owned (kind, id, owner, upstream, model, created_ms) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT DO NOTHING",
    )
    .bind(&owned.kind)
    .bind(&owned.id)
    .bind(owned.owner.as_str())
    .bind(&owned.upstream)
    .bind(&owned.model)
    .bind(signed(owned.created_ms))
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let others = |found: &Owned| found.owner != owned.owner;
    if inserted == 0
        && find(connection, &owned.kind, &owned.id)
            .await?
            .as_ref()
            .is_some_and(others)
    {
        return Err(StoreError::OwnedByAnother {
            kind: owned.kind,
            id: owned.id,
        });
    }
    Ok(())
}

async fn find(connection: &mut PgConnection, kind: &str, id: &str) -> Result<Option<Owned>, StoreError> {
    let found =
        sqlx::query("SELECT owner, upstream, model, created_ms FROM owned WHERE kind = $1 AND id = $2")
            .bind(kind)
            .bind(id)
            .fetch_optional(connection)
            .await?;
    let Some(row) = found else {
        return Ok(None);
    };
    let owner: String = row.try_get(0)?;
    Ok(Some(Owned {
        kind: kind.to_owned(),
        id: id.to_owned(),
        owner: KeyId::from_text(&owner),
        upstream: row.try_get(1)?,
        model: row.try_get(2)?,
        created_ms: unsigned(row.try_get(3)?, "a time")?,
    }))
}
