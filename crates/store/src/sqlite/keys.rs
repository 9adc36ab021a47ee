//! API keys in SQLite.

use async_trait::async_trait;
use portcullis_core::{KeyId, Limits, Principal};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior};

use super::{Sqlite, is_taken, schema, signed, unsigned};
use crate::{KeyHash, KeyRecord, KeyStore, KeyTable, Pepper, StoreError, StoredKey};

const SELECT: &str = "SELECT id, hash, prefix, name, team, profile, models, tools, rpm, tpm, concurrency, budget, \
                      created_ms, rotated_ms, expires_ms, revoked_ms FROM api_keys";

#[async_trait]
impl KeyStore for Sqlite {
    async fn insert_key(&self, key: StoredKey) -> Result<(), StoreError> {
        self.writer.run(move |connection| insert(connection, &key)).await
    }

    async fn replace_key_hash(
        &self,
        id_or_name: &str,
        hash: KeyHash,
        prefix: &str,
        now_ms: u64,
    ) -> Result<KeyRecord, StoreError> {
        let (wanted, prefix) = (id_or_name.to_owned(), prefix.to_owned());
        let change = move |transaction: &Transaction<'_>, record: &mut KeyRecord| {
            if record.revoked_ms.is_some() {
                return Err(StoreError::KeyRevoked(record.principal.name.clone()));
            }
            transaction.execute(
                "UPDATE api_keys SET hash = ?2, prefix = ?3, rotated_ms = ?4 WHERE id = ?1",
                (record.principal.key.as_str(), hash.0, &prefix, signed(now_ms)),
            )?;
            (record.prefix, record.rotated_ms) = (prefix, Some(now_ms));
            Ok(())
        };
        self.writer
            .run(move |connection| change_one(connection, &wanted, change))
            .await
    }

    async fn revoke_key(&self, id_or_name: &str, now_ms: u64) -> Result<KeyRecord, StoreError> {
        let wanted = id_or_name.to_owned();
        let change = move |transaction: &Transaction<'_>, record: &mut KeyRecord| {
            if record.revoked_ms.is_none() {
                transaction.execute(
                    "UPDATE api_keys SET revoked_ms = ?2 WHERE id = ?1",
                    (record.principal.key.as_str(), signed(now_ms)),
                )?;
                record.revoked_ms = Some(now_ms);
            }
            Ok(())
        };
        self.writer
            .run(move |connection| change_one(connection, &wanted, change))
            .await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let stored = self.reader.run(|connection| all(connection)).await?;
        Ok(stored.into_iter().map(|key| key.record).collect())
    }

    async fn keys_version(&self) -> Result<u64, StoreError> {
        self.reader.run(|connection| version(connection)).await
    }

    async fn key_table(&self) -> Result<KeyTable, StoreError> {
        let read = |connection: &mut Connection| {
            // One transaction, so that the version is that of these very keys.
            let transaction = connection.transaction()?;
            Ok(KeyTable {
                version: version(&transaction)?,
                pepper: pepper(&transaction)?,
                keys: all(&transaction)?,
            })
        };
        self.reader.run(read).await
    }

    async fn pepper(&self) -> Result<Pepper, StoreError> {
        self.reader.run(|connection| pepper(connection)).await
    }
}

fn insert(connection: &Connection, key: &StoredKey) -> Result<(), StoreError> {
    let (record, principal) = (&key.record, &key.record.principal);
    let models = serde_json::to_string(&principal.models)
        .map_err(|error| StoreError::InvalidKey(error.to_string()))?;
    let inserted = connection.execute(
        "INSERT INTO api_keys (id, hash, prefix, name, team, profile, models, tools, rpm, tpm, concurrency, budget, \
         created_ms, rotated_ms, expires_ms, revoked_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        rusqlite::params![
            principal.key.as_str(),
            key.hash.0,
            record.prefix,
            principal.name,
            principal.team,
            principal.profile,
            models,
            principal.tools,
            principal.limits.rpm,
            principal.limits.tpm,
            principal.limits.concurrency,
            principal.limits.budget,
            signed(record.created_ms),
            record.rotated_ms.map(signed),
            record.expires_ms.map(signed),
            record.revoked_ms.map(signed),
        ],
    );
    match inserted {
        Err(error) if is_taken(&error, "api_keys.name") => Err(StoreError::NameTaken(principal.name.clone())),
        other => other.map(drop).map_err(StoreError::from),
    }
}

/// Finds a key by id, or a live one by name, or the last revoked one of that name, and changes it.
fn change_one(
    connection: &mut Connection,
    wanted: &str,
    change: impl FnOnce(&Transaction<'_>, &mut KeyRecord) -> Result<(), StoreError>,
) -> Result<KeyRecord, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = transaction
        .query_row(
            &format!(
                "{SELECT} WHERE id = ?1 OR name = ?1 \
                 ORDER BY id = ?1 DESC, revoked_ms IS NULL DESC, revoked_ms DESC LIMIT 1"
            ),
            [wanted],
            |row| Ok(read(row)),
        )
        .optional()?;
    let Some(found) = found else {
        return Err(StoreError::NoSuchKey(wanted.to_owned()));
    };
    let mut record = found?.record;
    change(&transaction, &mut record)?;
    transaction.commit()?;
    Ok(record)
}

fn all(connection: &Connection) -> Result<Vec<StoredKey>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY created_ms, id"))?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(read(row)?);
    }
    Ok(keys)
}

fn read(row: &Row<'_>) -> Result<StoredKey, StoreError> {
    let id: String = row.get(0)?;
    let time = |at: usize| -> Result<Option<u64>, StoreError> {
        row.get::<_, Option<i64>>(at)?
            .map(|value| unsigned(value, "a time of a key"))
            .transpose()
    };
    let models: String = row.get(6)?;
    let models = serde_json::from_str(&models)
        .map_err(|error| StoreError::Corrupt(format!("models of {id}: {error}")))?;
    let principal = Principal {
        key: KeyId::from_text(&id),
        name: row.get(3)?,
        team: row.get(4)?,
        profile: row.get(5)?,
        models,
        tools: row.get(7)?,
        limits: Limits {
            rpm: row.get(8)?,
            tpm: row.get(9)?,
            concurrency: row.get(10)?,
            budget: row.get(11)?,
        },
    };
    let record = KeyRecord {
        principal,
        prefix: row.get(2)?,
        created_ms: time(12)?.unwrap_or_default(),
        rotated_ms: time(13)?,
        expires_ms: time(14)?,
        revoked_ms: time(15)?,
    };
    Ok(StoredKey {
        record,
        hash: KeyHash(row.get(1)?),
    })
}

fn version(connection: &Connection) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT version FROM keys_version")?;
    unsigned(
        statement.query_row([], |row| row.get(0))?,
        "the version of the keys",
    )
}

fn pepper(connection: &Connection) -> Result<Pepper, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    let bytes: Vec<u8> = statement.query_row([schema::PEPPER], |row| row.get(0))?;
    Pepper::from_bytes(&bytes)
}
