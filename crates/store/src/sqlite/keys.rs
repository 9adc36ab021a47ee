//! API keys in SQLite.

use async_trait::async_trait;
use portcullis_core::{KeyId, Limits, Principal, PrincipalKind};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior};

use super::{Sqlite, is_taken, schema, signed, unsigned};
use crate::{KeyHash, KeyRecord, KeyStore, KeyTable, Pepper, StoreError, StoredKey};

const SELECT: &str = "SELECT id, hash, prefix, name, kind, org, team, user_name, roles, profile, models, endpoints, \
                      tools, networks, rpm, tpm, concurrency, budget, created_ms, rotated_ms, expires_ms, revoked_ms, \
                      prior_hash, prior_until_ms, used_ms FROM api_keys LEFT JOIN key_uses USING (id)";

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
        prior_until_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<KeyRecord, StoreError> {
        let (wanted, prefix) = (id_or_name.to_owned(), prefix.to_owned());
        let change = move |transaction: &Transaction<'_>, record: &mut KeyRecord| {
            if record.revoked_ms.is_some() {
                return Err(StoreError::KeyRevoked(record.principal.name.clone()));
            }
            transaction.execute(
                "UPDATE api_keys SET prior_hash = CASE WHEN ?5 IS NULL THEN NULL ELSE hash END, prior_until_ms = ?5, \
                 hash = ?2, prefix = ?3, rotated_ms = ?4 WHERE id = ?1",
                (
                    record.principal.key.as_str(),
                    hash.0,
                    &prefix,
                    signed(now_ms),
                    prior_until_ms.map(signed),
                ),
            )?;
            (record.prefix, record.rotated_ms, record.prior_until_ms) =
                (prefix, Some(now_ms), prior_until_ms);
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
                    "UPDATE api_keys SET revoked_ms = ?2, prior_hash = NULL, prior_until_ms = NULL WHERE id = ?1",
                    (record.principal.key.as_str(), signed(now_ms)),
                )?;
                (record.revoked_ms, record.prior_until_ms) = (Some(now_ms), None);
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

    async fn note_key_uses(&self, uses: Vec<(KeyId, u64)>) -> Result<(), StoreError> {
        let write = move |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            {
                let mut statement = transaction.prepare_cached(
                    "INSERT INTO key_uses (id, used_ms) VALUES (?1, ?2) \
                     ON CONFLICT (id) DO UPDATE SET used_ms = MAX(used_ms, excluded.used_ms)",
                )?;
                for (key, used_ms) in &uses {
                    statement.execute((key.as_str(), signed(*used_ms)))?;
                }
            }
            transaction.commit()?;
            Ok(())
        };
        self.writer.run(write).await
    }

    async fn pepper(&self) -> Result<Pepper, StoreError> {
        self.reader.run(|connection| pepper(connection)).await
    }
}

/// A list as it is stored.
fn list<T: serde::Serialize>(items: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(items).map_err(|error| StoreError::InvalidKey(error.to_string()))
}

fn insert(connection: &Connection, key: &StoredKey) -> Result<(), StoreError> {
    let (record, principal) = (&key.record, &key.record.principal);
    let inserted = connection.execute(
        "INSERT INTO api_keys (id, hash, prefix, name, kind, org, team, user_name, roles, profile, models, endpoints, \
         tools, networks, rpm, tpm, concurrency, budget, created_ms, rotated_ms, expires_ms, revoked_ms, prior_hash, \
         prior_until_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
         ?23, ?24)",
        rusqlite::params![
            principal.key.as_str(),
            key.hash.0,
            record.prefix,
            principal.name,
            principal.kind.name(),
            principal.org,
            principal.team,
            principal.user,
            list(&principal.roles)?,
            principal.profile,
            list(&principal.models)?,
            list(&principal.endpoints)?,
            principal.tools,
            list(&principal.networks)?,
            principal.limits.rpm,
            principal.limits.tpm,
            principal.limits.concurrency,
            principal.limits.budget,
            signed(record.created_ms),
            record.rotated_ms.map(signed),
            record.expires_ms.map(signed),
            record.revoked_ms.map(signed),
            key.prior_hash.map(|hash| hash.0),
            record.prior_until_ms.map(signed),
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

pub(super) fn all(connection: &Connection) -> Result<Vec<StoredKey>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY created_ms, id"))?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(read(row)?);
    }
    Ok(keys)
}

fn read(row: &Row<'_>) -> Result<StoredKey, StoreError> {
    let id: String = row.get("id")?;
    let time = |column: &str| -> Result<Option<u64>, StoreError> {
        row.get::<_, Option<i64>>(column)?
            .map(|value| unsigned(value, "a time of a key"))
            .transpose()
    };
    let principal = Principal {
        key: KeyId::from_text(&id),
        name: row.get("name")?,
        kind: kind(&row.get::<_, String>("kind")?, &id)?,
        org: row.get("org")?,
        team: row.get("team")?,
        user: row.get("user_name")?,
        roles: listed(row, "roles", &id)?,
        profile: row.get("profile")?,
        models: listed(row, "models", &id)?,
        endpoints: listed(row, "endpoints", &id)?,
        tools: row.get("tools")?,
        networks: listed(row, "networks", &id)?,
        limits: Limits {
            rpm: row.get("rpm")?,
            tpm: row.get("tpm")?,
            concurrency: row.get("concurrency")?,
            budget: row.get("budget")?,
        },
    };
    let record = KeyRecord {
        principal,
        prefix: row.get("prefix")?,
        created_ms: time("created_ms")?.unwrap_or_default(),
        rotated_ms: time("rotated_ms")?,
        expires_ms: time("expires_ms")?,
        revoked_ms: time("revoked_ms")?,
        prior_until_ms: time("prior_until_ms")?,
        used_ms: time("used_ms")?,
    };
    Ok(StoredKey {
        record,
        hash: KeyHash(row.get("hash")?),
        prior_hash: row.get::<_, Option<[u8; 32]>>("prior_hash")?.map(KeyHash),
    })
}

fn kind(text: &str, id: &str) -> Result<PrincipalKind, StoreError> {
    let kinds = [PrincipalKind::Key, PrincipalKind::Service, PrincipalKind::Token];
    let known = kinds.into_iter().find(|kind| kind.name() == text);
    known.ok_or_else(|| StoreError::Corrupt(format!("kind of {id}: {text:?}")))
}

fn listed<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
    id: &str,
) -> Result<Vec<T>, StoreError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| StoreError::Corrupt(format!("{column} of {id}: {error}")))
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
