//! API keys in PostgreSQL.

use std::collections::BTreeMap;

use async_trait::async_trait;
use portcullis_core::{KeyId, Limits, Principal, PrincipalKind};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::{Postgres, is_taken, schema, signed, text, unsigned};
use crate::{KeyHash, KeyRecord, KeyStore, KeyTable, Pepper, StoreError, StoredKey};

const SELECT: &str = "SELECT id, hash, prefix, name, kind, org, team, user_name, roles, profile, models, endpoints, \
                      tools, networks, rpm, tpm, concurrency, budget, created_ms, rotated_ms, expires_ms, revoked_ms, \
                      prior_hash, prior_until_ms, used_ms FROM api_keys LEFT JOIN key_uses USING (id)";

#[async_trait]
impl KeyStore for Postgres {
    async fn insert_key(&self, key: StoredKey) -> Result<(), StoreError> {
        self.run(move |connection| Box::pin(async move { insert(connection, &key).await }))
            .await
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
        self.run(move |connection| {
            Box::pin(async move {
                let mut transaction = connection.begin().await?;
                let mut record = locked(&mut transaction, &wanted).await?;
                if record.revoked_ms.is_some() {
                    return Err(StoreError::KeyRevoked(record.principal.name));
                }
                sqlx::query(
                    "UPDATE api_keys SET prior_hash = CASE WHEN $5::bigint IS NULL THEN NULL ELSE hash END, \
                     prior_until_ms = $5, hash = $2, prefix = $3, rotated_ms = $4 WHERE id = $1",
                )
                .bind(record.principal.key.as_str())
                .bind(hash.0.as_slice())
                .bind(&prefix)
                .bind(signed(now_ms))
                .bind(prior_until_ms.map(signed))
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await?;
                (record.prefix, record.rotated_ms, record.prior_until_ms) =
                    (prefix, Some(now_ms), prior_until_ms);
                Ok(record)
            })
        })
        .await
    }

    async fn revoke_key(&self, id_or_name: &str, now_ms: u64) -> Result<KeyRecord, StoreError> {
        let wanted = id_or_name.to_owned();
        self.run(move |connection| {
            Box::pin(async move {
                let mut transaction = connection.begin().await?;
                let mut record = locked(&mut transaction, &wanted).await?;
                if record.revoked_ms.is_none() {
                    sqlx::query("UPDATE api_keys SET revoked_ms = $2, prior_hash = NULL, prior_until_ms = NULL WHERE id = $1")
                        .bind(record.principal.key.as_str())
                        .bind(signed(now_ms))
                        .execute(&mut *transaction)
                        .await?;
                    (record.revoked_ms, record.prior_until_ms) = (Some(now_ms), None);
                }
                transaction.commit().await?;
                Ok(record)
            })
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let stored = self.run(|connection| Box::pin(all(connection))).await?;
        Ok(stored.into_iter().map(|key| key.record).collect())
    }

    async fn keys_version(&self) -> Result<u64, StoreError> {
        self.run(|connection| Box::pin(version(connection))).await
    }

    async fn key_table(&self) -> Result<KeyTable, StoreError> {
        self.run(|connection| {
            Box::pin(async move {
                // One moment, so that the version is that of these very keys.
                let mut transaction = connection
                    .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?;
                let table = KeyTable {
                    version: version(&mut transaction).await?,
                    pepper: pepper(&mut transaction).await?,
                    keys: all(&mut transaction).await?,
                };
                transaction.commit().await?;
                Ok(table)
            })
        })
        .await
    }

    async fn note_key_uses(&self, uses: Vec<(KeyId, u64)>) -> Result<(), StoreError> {
        // In order, so that two replicas never wait for each other's rows; each key once, as one statement must have it.
        let latest = uses
            .into_iter()
            .fold(BTreeMap::new(), |mut latest, (key, used_ms)| {
                let known = latest.entry(text(key.as_str())).or_insert(0);
                *known = signed(used_ms).max(*known);
                latest
            });
        let (keys, times): (Vec<String>, Vec<i64>) = latest.into_iter().unzip();
        self.run(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO key_uses AS known (id, used_ms) SELECT * FROM unnest($1::text[], $2::bigint[]) \
                     ON CONFLICT (id) DO UPDATE SET used_ms = GREATEST(known.used_ms, excluded.used_ms)",
                )
                .bind(keys)
                .bind(times)
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    async fn pepper(&self) -> Result<Pepper, StoreError> {
        self.run(|connection| Box::pin(pepper(connection))).await
    }
}

/// A list as it is stored.
fn list<T: serde::Serialize>(items: &[T]) -> Result<String, StoreError> {
    serde_json::to_string(items).map_err(|error| StoreError::InvalidKey(error.to_string()))
}

async fn insert(connection: &mut PgConnection, key: &StoredKey) -> Result<(), StoreError> {
    let (record, principal) = (&key.record, &key.record.principal);
    let inserted = sqlx::query(
        "INSERT INTO api_keys (id, hash, prefix, name, kind, org, team, user_name, roles, profile, models, endpoints, \
         tools, networks, rpm, tpm, concurrency, budget, created_ms, rotated_ms, expires_ms, revoked_ms, prior_hash, \
         prior_until_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
         $23, $24)",
    )
    .bind(principal.key.as_str())
    .bind(key.hash.0.as_slice())
    .bind(&record.prefix)
    .bind(&principal.name)
    .bind(principal.kind.name())
    .bind(&principal.org)
    .bind(&principal.team)
    .bind(&principal.user)
    .bind(list(&principal.roles)?)
    .bind(&principal.profile)
    .bind(list(&principal.models)?)
    .bind(list(&principal.endpoints)?)
    .bind(&principal.tools)
    .bind(list(&principal.networks)?)
    .bind(principal.limits.rpm.map(i64::from))
    .bind(principal.limits.tpm.map(i64::from))
    .bind(principal.limits.concurrency.map(i64::from))
    .bind(&principal.limits.budget)
    .bind(signed(record.created_ms))
    .bind(record.rotated_ms.map(signed))
    .bind(record.expires_ms.map(signed))
    .bind(record.revoked_ms.map(signed))
    .bind(key.prior_hash.map(|hash| hash.0.to_vec()))
    .bind(record.prior_until_ms.map(signed))
    .execute(connection)
    .await;
    match inserted {
        Err(error) if is_taken(&error, "live_key_names") => {
            Err(StoreError::NameTaken(principal.name.clone()))
        }
        other => other.map(drop).map_err(StoreError::from),
    }
}

/// Finds a key by id, or a live one by name, or the last revoked one of that name, and keeps others from changing it.
async fn locked(connection: &mut PgConnection, wanted: &str) -> Result<KeyRecord, StoreError> {
    let query = format!(
        "{SELECT} WHERE id = $1 OR name = $1 \
         ORDER BY id = $1 DESC, revoked_ms IS NULL DESC, revoked_ms DESC LIMIT 1 FOR UPDATE OF api_keys"
    );
    let found = sqlx::query(&query)
        .bind(text(wanted))
        .fetch_optional(connection)
        .await?;
    match found {
        Some(row) => Ok(read(&row)?.record),
        None => Err(StoreError::NoSuchKey(wanted.to_owned())),
    }
}

async fn all(connection: &mut PgConnection) -> Result<Vec<StoredKey>, StoreError> {
    let rows = sqlx::query(&format!("{SELECT} ORDER BY created_ms, id"))
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<StoredKey, StoreError> {
    let id: String = row.try_get("id")?;
    let time = |column: &str| -> Result<Option<u64>, StoreError> {
        row.try_get::<Option<i64>, _>(column)?
            .map(|value| unsigned(value, "a time of a key"))
            .transpose()
    };
    let limit = |column: &str| -> Result<Option<u32>, StoreError> {
        let wrong = |_| StoreError::Corrupt(format!("{column} of {id} is out of range"));
        row.try_get::<Option<i64>, _>(column)?
            .map(|value| u32::try_from(value).map_err(wrong))
            .transpose()
    };
    let hash = |bytes: Vec<u8>| -> Result<KeyHash, StoreError> {
        let wrong = |_| StoreError::Corrupt(format!("a hash of {id} is not 32 bytes long"));
        bytes.try_into().map(KeyHash).map_err(wrong)
    };
    let principal = Principal {
        key: KeyId::from_text(&id),
        name: row.try_get("name")?,
        kind: kind(&row.try_get::<String, _>("kind")?, &id)?,
        org: row.try_get("org")?,
        team: row.try_get("team")?,
        user: row.try_get("user_name")?,
        roles: listed(row, "roles", &id)?,
        profile: row.try_get("profile")?,
        models: listed(row, "models", &id)?,
        endpoints: listed(row, "endpoints", &id)?,
        tools: row.try_get("tools")?,
        networks: listed(row, "networks", &id)?,
        limits: Limits {
            rpm: limit("rpm")?,
            tpm: limit("tpm")?,
            concurrency: limit("concurrency")?,
            budget: row.try_get("budget")?,
        },
    };
    let record = KeyRecord {
        principal,
        prefix: row.try_get("prefix")?,
        created_ms: time("created_ms")?.unwrap_or_default(),
        rotated_ms: time("rotated_ms")?,
        expires_ms: time("expires_ms")?,
        revoked_ms: time("revoked_ms")?,
        prior_until_ms: time("prior_until_ms")?,
        used_ms: time("used_ms")?,
    };
    Ok(StoredKey {
        record,
        hash: hash(row.try_get("hash")?)?,
        prior_hash: row
            .try_get::<Option<Vec<u8>>, _>("prior_hash")?
            .map(hash)
            .transpose()?,
    })
}

fn kind(text: &str, id: &str) -> Result<PrincipalKind, StoreError> {
    let kinds = [PrincipalKind::Key, PrincipalKind::Service, PrincipalKind::Token];
    let known = kinds.into_iter().find(|kind| kind.name() == text);
    known.ok_or_else(|| StoreError::Corrupt(format!("kind of {id}: {text:?}")))
}

fn listed<T: serde::de::DeserializeOwned>(row: &PgRow, column: &str, id: &str) -> Result<Vec<T>, StoreError> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|error| StoreError::Corrupt(format!("{column} of {id}: {error}")))
}

async fn version(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT version FROM keys_version")
        .fetch_one(connection)
        .await?;
    unsigned(row.try_get(0)?, "the version of the keys")
}

async fn pepper(connection: &mut PgConnection) -> Result<Pepper, StoreError> {
    let row = sqlx::query("SELECT value FROM meta WHERE name = $1")
        .bind(schema::PEPPER)
        .fetch_one(connection)
        .await?;
    let bytes: Vec<u8> = row.try_get(0)?;
    Pepper::from_bytes(&bytes)
}
