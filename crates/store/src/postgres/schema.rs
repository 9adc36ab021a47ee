//! The schema and how an older one becomes this one.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor, Row};

use super::unsigned;
use crate::{Pepper, StoreError};

/// Applied in order, each once; `portcullis_schema` counts them. One that was released never changes.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/postgres/0001.sql"),
    include_str!("../../migrations/postgres/0002.sql"),
    include_str!("../../migrations/postgres/0003.sql"),
    include_str!("../../migrations/postgres/0004.sql"),
    include_str!("../../migrations/postgres/0005.sql"),
];

pub(super) const PEPPER: &str = "pepper";

/// Names of our locks within a database: `portclls` in letters, and a number.
const MIGRATION_LOCK: i64 = 0x706f_7274_636c_6c00;
pub(super) const AUDIT_LOCK: i64 = 0x706f_7274_636c_6c01;

pub(super) async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    check_encoding(connection).await?;
    // A command that only looks must not have to wait for anybody.
    if version(connection).await? == Some(known()) {
        return Ok(());
    }
    let mut transaction = connection.begin().await?;
    // The lock is taken before the version is read: of two replicas that open a new database, one waits and finds it done.
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATION_LOCK)
        .execute(&mut *transaction)
        .await?;
    let (found, known) = (version(&mut transaction).await?, known());
    let done = usize::try_from(found.unwrap_or(0))
        .ok()
        .filter(|done| *done <= MIGRATIONS.len());
    let Some(done) = done else {
        return Err(StoreError::Newer {
            found: found.unwrap_or(0),
            known,
        });
    };
    if found.is_none() {
        transaction
            .execute(
                "CREATE TABLE portcullis_schema (version BIGINT NOT NULL); INSERT INTO portcullis_schema VALUES (0)",
            )
            .await?;
    }
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute(*migration).await?;
    }
    sqlx::query("UPDATE portcullis_schema SET version = $1")
        .bind(known)
        .execute(&mut *transaction)
        .await?;
    let pepper = Pepper::generate()?;
    sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(PEPPER)
        .bind(pepper.expose().as_slice())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// None where there is nothing of ours yet.
async fn version(connection: &mut PgConnection) -> Result<Option<i64>, StoreError> {
    // Read from the catalogue itself: `to_regclass` may answer from what the session knew before it waited for the lock.
    let ours = sqlx::query(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'portcullis_schema' AND relkind = 'r' \
         AND pg_catalog.pg_table_is_visible(oid))",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !ours.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    let row = sqlx::query("SELECT version FROM portcullis_schema")
        .fetch_one(connection)
        .await?;
    let version: i64 = row.try_get(0)?;
    unsigned(version, "the version of the schema")?;
    Ok(Some(version))
}

/// Records are UTF-8 and are compared by the byte, so the server must keep them as they are.
async fn check_encoding(connection: &mut PgConnection) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT current_setting('server_encoding')")
        .fetch_one(connection)
        .await?;
    let encoding: String = row.try_get(0)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(StoreError::Open {
        place: "PostgreSQL".to_owned(),
        reason: format!("the database's encoding is {encoding}; make one with ENCODING 'UTF8'"),
    })
}
