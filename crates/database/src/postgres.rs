//! PostgreSQL: each statement in a transaction of its own, whose bounds are the server's as well as ours.

use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{Column as _, ConnectOptions, Either, Executor, Row, TypeInfo, ValueRef};

use crate::{Answer, Bounds, Column, Database, DatabaseError};

/// Connections: a model asks one thing after the other, and now and then two.
const CONNECTIONS: u32 = 4;
const CONNECT: Duration = Duration::from_secs(5);

pub(crate) struct Postgres {
    pool: PgPool,
    bounds: Bounds,
}

impl Postgres {
    pub fn open(address: &str, bounds: Bounds) -> Result<Postgres, DatabaseError> {
        // The parser's own words may quote the password.
        let options = PgConnectOptions::from_str(address)
            .map_err(|_| DatabaseError::Address)?
            .application_name("portcullis mcp-sql")
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT)
            .connect_lazy_with(options);
        Ok(Postgres { pool, bounds })
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, DatabaseError> {
        // The server ends a statement in time; this is for one that cannot answer any more.
        let most = self
            .bounds
            .time
            .saturating_add(CONNECT)
            .saturating_add(Duration::from_secs(1));
        match tokio::time::timeout(most, work).await {
            Ok(done) => done.map_err(|error| self.told(&error)),
            Err(_) => Err(DatabaseError::Late(self.bounds.time)),
        }
    }

    /// What of an error is the client's business: what the server says of a statement, and nothing of addresses and passwords.
    fn told(&self, error: &sqlx::Error) -> DatabaseError {
        match error {
            // query_canceled, which here is the time that is over.
            sqlx::Error::Database(said) if said.code().as_deref() == Some("57014") => {
                DatabaseError::Late(self.bounds.time)
            }
            // Class 28 is about logging in, 3D about the database's name.
            sqlx::Error::Database(said)
                if said
                    .code()
                    .is_none_or(|code| code.starts_with("28") || code.starts_with("3D")) =>
            {
                DatabaseError::Open("it does not let this user in".to_owned())
            }
            sqlx::Error::Database(said) => DatabaseError::Said(said.message().chars().take(500).collect()),
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => {
                DatabaseError::Open("it does not answer".to_owned())
            }
            sqlx::Error::Tls(_) => DatabaseError::Open("the encrypted connection failed".to_owned()),
            _ => DatabaseError::Said("the answer cannot be read".to_owned()),
        }
    }

    async fn rows(
        &self,
        statement: &str,
        schema: &str,
        table: &str,
    ) -> Result<Vec<Vec<String>>, DatabaseError> {
        let work = async {
            let rows = sqlx::query(statement)
                .bind(schema)
                .bind(table)
                .fetch_all(&self.pool)
                .await?;
            rows.iter()
                .map(|row| (0..row.len()).map(|at| row.try_get(at)).collect())
                .collect()
        };
        self.within(work).await
    }
}

#[async_trait]
impl Database for Postgres {
    async fn tables(&self) -> Result<Vec<(String, String)>, DatabaseError> {
        let rows = self
            .rows(
                "SELECT table_schema::text, table_name::text FROM information_schema.tables WHERE $1 = $2 ORDER BY 1, 2",
                "",
                "",
            )
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| <[String; 2]>::try_from(row).ok())
            .map(|[schema, name]| (schema, name))
            .collect())
    }

    async fn columns(&self, schema: &str, table: &str) -> Result<Vec<Column>, DatabaseError> {
        let rows = self
            .rows(
                "SELECT column_name::text, data_type::text, is_nullable::text FROM information_schema.columns \
                 WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
                schema,
                table,
            )
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| <[String; 3]>::try_from(row).ok())
            .map(|[name, kind, nullable]| Column {
                name,
                kind,
                nullable: nullable == "YES",
            })
            .collect())
    }

    async fn run(&self, statement: String, writes: bool) -> Result<Answer, DatabaseError> {
        let bounds = self.bounds;
        let work = async {
            let mut transaction = self.pool.begin().await?;
            let connection: &mut PgConnection = &mut transaction;
            let begin = format!(
                "SET TRANSACTION {}; SET LOCAL statement_timeout = {millis}; SET LOCAL lock_timeout = {millis}; \
                 SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL standard_conforming_strings = on",
                if writes { "READ WRITE" } else { "READ ONLY" },
                millis = bounds.time.as_millis(),
            );
            connection.execute(sqlx::raw_sql(&begin)).await?;
            // Only one command can be prepared: a second wall against a second statement.
            connection.prepare(&statement).await?;
            let answer = answer(connection, &statement, bounds).await?;
            match writes {
                true => transaction.commit().await?,
                false => transaction.rollback().await?,
            }
            Ok(answer)
        };
        self.within(work).await
    }
}

/// The rows of a statement, as texts of the simple protocol: the server's own writing of every type there is.
async fn answer(
    connection: &mut PgConnection,
    statement: &str,
    bounds: Bounds,
) -> Result<Answer, sqlx::Error> {
    let mut answer = Answer::default();
    let mut stream = sqlx::raw_sql(statement).fetch_many(connection);
    while let Some(step) = stream.try_next().await? {
        match step {
            Either::Left(done) => answer.changed = answer.changed.saturating_add(done.rows_affected()),
            Either::Right(row) => {
                if answer.columns.is_empty() {
                    answer.columns = row
                        .columns()
                        .iter()
                        .map(|column| column.name().to_owned())
                        .collect();
                }
                let values = (0..row.len())
                    .map(|at| value(&row, at))
                    .collect::<Result<_, _>>()?;
                // The rest is read and thrown away: it is bounded by the rule's limit, and a write must come to its end.
                answer.take(values, bounds);
            }
        }
    }
    drop(stream);
    // A query's rows count as affected.
    if !answer.rows.is_empty() {
        answer.changed = 0;
    }
    Ok(answer)
}

fn value(row: &PgRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let text = String::from_utf8_lossy(raw.as_bytes().map_err(sqlx::Error::Decode)?).into_owned();
    Ok(match kind.as_str() {
        "INT2" | "INT4" | "INT8" | "FLOAT4" | "FLOAT8" | "JSON" | "JSONB" => {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        "BOOL" => Value::Bool(text == "t"),
        // Numbers with many digits stay texts: a reader would round them.
        _ => Value::String(text),
    })
}
