//! Ownership in SQLite.

use async_trait::async_trait;
use portcullis_core::KeyId;
use rusqlite::{Connection, OptionalExtension};

use super::{Sqlite, signed, unsigned};
use crate::{Owned, OwnedStore, StoreError};

#[async_trait]
impl OwnedStore for Sqlite {
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
            kind: kind.to_owned(),
            id: id.to_owned(),
            owner: owner.clone(),
            upstream: upstream.to_owned(),
            model: model.map(str::to_owned),
            created_ms: now_ms,
        };
        self.writer
            .run(move |connection| remember(connection, &owned))
            .await
    }

    async fn owned(&self, kind: &str, id: &str) -> Result<Option<Owned>, StoreError> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.reader
            .run(move |connection| find(connection, &kind, &id))
            .await
    }

    async fn forget_owned(&self, kind: &str, id: &str, owner: &KeyId) -> Result<bool, StoreError> {
        let (kind, id, owner) = (kind.to_owned(), id.to_owned(), owner.clone());
        let forget = move |connection: &mut Connection| {
            let gone = connection
                .prepare_cached("DELETE FROM owned WHERE kind = ?1 AND id = ?2 AND owner = ?3")?
                .execute((kind, id, owner.as_str()))?;
            Ok(gone > 0)
        };
        self.writer.run(forget).await
    }
}

fn remember(connection: &Connection, owned: &Owned) -> Result<(), StoreError> {
    let inserted = connection
        .prepare_cached(
            "INSERT INTO owned (kind, id, owner, upstream, model, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT DO NOTHING",
        )?
        .execute((
            &owned.kind,
            &owned.id,
            owned.owner.as_str(),
            &owned.upstream,
            &owned.model,
            signed(owned.created_ms),
        ))?;
    let others = |found: &Owned| found.owner != owned.owner;
    if inserted == 0
        && find(connection, &owned.kind, &owned.id)?
            .as_ref()
            .is_some_and(others)
    {
        return Err(StoreError::OwnedByAnother {
            kind: owned.kind.clone(),
            id: owned.id.clone(),
        });
    }
    Ok(())
}

fn find(connection: &Connection, kind: &str, id: &str) -> Result<Option<Owned>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT owner, upstream, model, created_ms FROM owned WHERE kind = ?1 AND id = ?2")?;
    let found = statement
        .query_row((kind, id), |row| {
            let owner: String = row.get(0)?;
            Ok((owner, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((owner, upstream, model, created_ms)) = found else {
        return Ok(None);
    };
    Ok(Some(Owned {
        kind: kind.to_owned(),
        id: id.to_owned(),
        owner: KeyId::from_text(&owner),
        upstream,
        model,
        created_ms: unsigned(created_ms, "a time")?,
    }))
}
