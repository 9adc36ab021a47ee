//! The embedded store: one SQLite file, or a database in memory.
//!
//! Two connections, each owned by a thread of its own: one writes, one reads, and in WAL mode neither waits for the
//! other, nor for another process that looks at the file. A database in memory has one connection that does both.
//!
//! Commits are durable (`synchronous=FULL`): the audit log's head file may only name what a power cut cannot take
//! back. Since the log commits by the batch, this costs one sync of the disk per batch, not per request.

mod alerts;
mod approvals;
mod audit;
mod kept;
mod keys;
mod owned;
mod pins;
mod schema;
mod usage;
mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use crate::StoreError;
use worker::Worker;

/// How long a connection waits for another process that is writing.
const BUSY: Duration = Duration::from_secs(10);

/// An open SQLite database.
pub(crate) struct Sqlite {
    writer: Worker,
    reader: Worker,
}

impl Sqlite {
    /// Opens what follows `sqlite:` in a URL.
    pub(crate) async fn open(place: &str) -> Result<Sqlite, StoreError> {
        let place = place.strip_prefix("//").unwrap_or(place).to_owned();
        tokio::task::spawn_blocking(move || match place.as_str() {
            ":memory:" => Sqlite::in_memory(),
            "" => Err(StoreError::UnknownUrl("sqlite: without a path".to_owned())),
            path => Sqlite::in_file(&PathBuf::from(path)),
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    fn in_memory() -> Result<Sqlite, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        schema::migrate(&mut connection)?;
        let writer = Worker::start("store", connection)?;
        Ok(Sqlite {
            reader: writer.clone(),
            writer,
        })
    }

    fn in_file(path: &Path) -> Result<Sqlite, StoreError> {
        let failed = |reason: String| StoreError::Open {
            place: path.display().to_string(),
            reason,
        };
        create_private(path).map_err(|error| failed(error.to_string()))?;
        let mut writer = connect(path).map_err(|error| failed(error.to_string()))?;
        schema::migrate(&mut writer)?;
        let reader = connect(path).map_err(|error| failed(error.to_string()))?;
        reader.pragma_update(None, "query_only", true)?;
        Ok(Sqlite {
            writer: Worker::start("store-write", writer)?,
            reader: Worker::start("store-read", reader)?,
        })
    }
}

/// Makes the file if it is missing, for its owner alone: it holds the pepper. SQLite gives its side files the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// SQLite has no unsigned numbers. Times and counts never come near the limit; what does stays at it.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64, what: &str) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Corrupt(format!("{what} is {value}")))
}

/// Whether an insertion failed because a row with that key is there already.
fn is_taken(error: &rusqlite::Error, column: &str) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, Some(message)) => {
            failure.code == rusqlite::ErrorCode::ConstraintViolation && message.ends_with(column)
        }
        _ => false,
    }
}
