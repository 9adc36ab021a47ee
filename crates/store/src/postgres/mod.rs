//! The store of many machines: a PostgreSQL database that every replica of the gateway opens.
//!
//! A few connections in a pool. Every piece of work is a task of its own, so that it is done to its end even if whoever
//! asked has gone away, and every wait is bounded: a server that is away, or that takes a connection and never answers,
//! is an error after seconds and never a request that hangs. A connection that gave no answer is thrown away.
//!
//! What it deliberately does not do: retry. Whoever asked knows whether asking twice is safe.

mod address;
mod alerts;
mod approvals;
mod audit;
mod kept;
mod keys;
mod owned;
mod pins;
mod schema;
mod usage;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor};

use crate::StoreError;
use address::Address;

/// The most connections that one process has. Writes of a replica come one after the other, so this is for reads.
const CONNECTIONS: u32 = 8;
/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// How long to wait for an answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long to wait for another replica that brings the schema up to date, and for that work itself.
const MIGRATE: Duration = Duration::from_secs(60);
/// How long to wait where a whole table is read.
const WHOLE_TABLE: Duration = Duration::from_secs(3600);

/// The server ends by itself what this process has given up or what it left behind when it was cut off. A transaction
/// that a lost replica holds open must not keep the others from the audit log.
const SESSION: &str = "SELECT set_config('statement_timeout', '5000', false), set_config('lock_timeout', '4000', false), \
     set_config('idle_in_transaction_session_timeout', '5000', false), \
     set_config('timezone', 'UTC', false), set_config('client_min_messages', 'warning', false)";

/// What one piece of work comes to; it borrows the connection.
type Work<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// An open PostgreSQL database.
pub(crate) struct Postgres {
    pool: PgPool,
    /// Host, port and database: all of the address that may be told.
    place: Arc<str>,
}

impl Postgres {
    /// Opens what a URL names and brings its schema up to date.
    pub(crate) async fn open(url: &str) -> Result<Postgres, StoreError> {
        let Address { options, place } = Address::read(url)?;
        let place: Arc<str> = place.into();
        // Not through the pool: it tries again and again, and then says that it was too late, but not why.
        let mut first = within(CONNECT, &place, PgConnection::connect_with(&options)).await?;
        within(MIGRATE, &place, schema::migrate(&mut first)).await?;
        // The work is done; how the server takes the farewell matters to nobody.
        let _ = tokio::time::timeout(CONNECT, first.close()).await;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(SESSION).await.map(drop) })
            })
            .connect_lazy_with(options);
        Ok(Postgres { pool, place })
    }

    /// Does a piece of work on a connection and waits for its result.
    async fn run<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut PgConnection) -> Work<'c, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_within(ANSWER, work).await
    }

    async fn run_within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl for<'c> FnOnce(&'c mut PgConnection) -> Work<'c, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (pool, place) = (self.pool.clone(), Arc::clone(&self.place));
        let task = async move {
            let mut connection = pool
                .acquire()
                .await
                .map_err(|error| told(StoreError::from(error), &place))?;
            let result = within(limit, &place, work(&mut connection)).await;
            if matches!(result, Err(StoreError::Unreachable { .. })) {
                // Not back into the pool: what is left of the answer would be taken for that of the next question.
                drop(connection.detach());
            }
            result
        };
        tokio::spawn(task).await.map_err(|_| StoreError::Closed)?
    }
}

/// Waits so long and no longer.
async fn within<T, E>(
    limit: Duration,
    place: &Arc<str>,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError>
where
    StoreError: From<E>,
{
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(|error| told(StoreError::from(error), place)),
        Err(_) => Err(StoreError::Unreachable {
            place: place.to_string(),
            reason: format!("no answer within {} s", limit.as_secs()),
        }),
    }
}

/// Tells a server that is away from one that refused.
fn told(error: StoreError, place: &str) -> StoreError {
    let reason = match error {
        StoreError::Postgres(sqlx::Error::PoolTimedOut) => {
            format!("no connection within {} s", CONNECT.as_secs())
        }
        StoreError::Postgres(sqlx::Error::Io(error)) => error.to_string(),
        StoreError::Postgres(sqlx::Error::Tls(error)) => format!("TLS: {error}"),
        StoreError::Postgres(error @ (sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed)) => {
            error.to_string()
        }
        // 08: connection; 57P0x: the server is shutting down, has crashed, or is starting up.
        StoreError::Postgres(sqlx::Error::Database(error))
            if error
                .code()
                .is_some_and(|code| code.starts_with("08") || code.starts_with("57P0")) =>
        {
            error.message().to_owned()
        }
        other => return other,
    };
    StoreError::Unreachable {
        place: place.to_owned(),
        reason,
    }
}

/// PostgreSQL has no unsigned numbers. Times and counts never come near the limit; what does stays at it.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64, what: &str) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Corrupt(format!("{what} is {value}")))
}

/// PostgreSQL's texts cannot hold a zero byte. A name with one was never kept, so it is looked up under one that no
/// name has either.
fn text(value: &str) -> String {
    value.replace('\0', "\u{fffd}")
}

/// Whether an insertion failed because a row with that key is there already.
fn is_taken(error: &sqlx::Error, constraint: &str) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation() && error.constraint() == Some(constraint))
}
