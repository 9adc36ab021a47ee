//! The database guard: somebody's database, offered to a model as a server of the Model Context Protocol.
//!
//! Every statement goes through the rule of `policy` and is run as that wrote it, in a transaction that reads unless the rule permits more,
//! under a bound on its time, its rows and its bytes. It must not see the gateway's own state, and the state must not see it: what a model
//! may ask for is never in one place with keys and records. It reads no file but a SQLite database, and decides nothing itself.

mod answer;
mod postgres;
mod server;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use portcullis_policy::arguments::Refused;
use portcullis_policy::arguments::sql::{Dialect, SqlRule};
use serde_json::Value;

pub use answer::Answer;

/// What bounds an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Rows, at most.
    pub rows: usize,
    /// Bytes of all values, at most.
    pub bytes: usize,
    /// How long a statement may take.
    pub time: Duration,
}

/// Why there is no answer. Nothing in it tells where the database is, or how to get in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// The address names no database of a kind that is known.
    #[error("the database is postgres://USER@HOST/NAME or sqlite:FILE")]
    Address,
    /// It cannot be reached, or is no database.
    #[error("the database cannot be opened: {0}")]
    Open(String),
    /// The rule refuses the statement.
    #[error("{0}")]
    Refused(Refused),
    /// The database refuses it.
    #[error("the database says: {0}")]
    Said(String),
    /// It took too long.
    #[error("the statement took longer than {0:?}")]
    Late(Duration),
}

/// A column of a table, as it is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, in the database's words.
    pub kind: String,
    /// Whether it may be `NULL`.
    pub nullable: bool,
}

/// A database that can be asked.
#[async_trait::async_trait]
trait Database: Send + Sync {
    /// Every table and view: schema and name.
    async fn tables(&self) -> Result<Vec<(String, String)>, DatabaseError>;
    /// The columns of one.
    async fn columns(&self, schema: &str, table: &str) -> Result<Vec<Column>, DatabaseError>;
    /// Runs a statement that was judged.
    async fn run(&self, statement: String, writes: bool) -> Result<Answer, DatabaseError>;
}

/// A database under a rule.
#[derive(Clone)]
pub struct Guard {
    rule: Arc<SqlRule>,
    database: Arc<dyn Database>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

/// Whose SQL a database speaks, by its address.
///
/// # Errors
/// If it is of no kind that is known.
pub fn dialect(address: &str) -> Result<Dialect, DatabaseError> {
    match address.split_once(':') {
        Some(("postgres" | "postgresql", _)) => Ok(Dialect::Postgres),
        Some(("sqlite", _)) => Ok(Dialect::Sqlite),
        _ => Err(DatabaseError::Address),
    }
}

impl Guard {
    /// Opens a database and asks it for its tables, so that one that cannot be reached is told at once.
    ///
    /// # Errors
    /// If it cannot be opened, or the rule is of another dialect.
    pub async fn open(address: &str, rule: SqlRule, bounds: Bounds) -> Result<Guard, DatabaseError> {
        let rule = Arc::new(rule);
        let database: Arc<dyn Database> = match (dialect(address)?, address.strip_prefix("sqlite:")) {
            (Dialect::Sqlite, Some(file)) if rule.dialect() == Dialect::Sqlite => {
                Arc::new(sqlite::Sqlite::open(file, Arc::clone(&rule), bounds)?)
            }
            (Dialect::Postgres, _) if rule.dialect() == Dialect::Postgres => {
                Arc::new(postgres::Postgres::open(address, bounds)?)
            }
            _ => return Err(DatabaseError::Address),
        };
        database.tables().await?;
        Ok(Guard { rule, database })
    }

    /// Tables that the rule knows.
    ///
    /// # Errors
    /// If the database cannot tell.
    pub async fn tables(&self) -> Result<Value, DatabaseError> {
        let mut tables = Vec::new();
        for (schema, name) in self.database.tables().await? {
            let Some(rule) = self.rule.table(Some(&schema), &name) else {
                continue;
            };
            let kinds = self.rule.statements().iter().filter(|kind| rule.permits(**kind));
            let kinds: Vec<&str> = kinds.map(|kind| kind.name()).collect();
            tables.push(serde_json::json!({
                "schema": schema, "name": name, "statements": kinds, "some_rows_only": rule.is_filtered(),
            }));
        }
        Ok(serde_json::json!({ "tables": tables }))
    }

    /// The columns of a table that the rule lets be seen.
    ///
    /// # Errors
    /// If the rule knows no such table.
    pub async fn describe(&self, schema: Option<&str>, table: &str) -> Result<Value, DatabaseError> {
        let (schema, name, rule) = self.rule.resolve(schema, table).map_err(DatabaseError::Refused)?;
        let columns = self
            .database
            .columns(schema.as_deref().unwrap_or_default(), &name)
            .await?;
        let visible = |column: &&Column| rule.columns().is_none_or(|names| names.contains(&column.name));
        let columns: Vec<Value> = columns
            .iter()
            .filter(visible)
            .map(|column| {
                serde_json::json!({
                    "name": column.name, "type": column.kind, "nullable": column.nullable,
                    "masked": rule.mask(&column.name).is_some(),
                })
            })
            .collect();
        Ok(serde_json::json!({ "schema": schema, "table": name, "columns": columns }))
    }

    /// Runs a statement, if the rule lets it.
    ///
    /// # Errors
    /// Why it was not run, or what the database said.
    pub async fn run(&self, statement: &str, may_write: bool) -> Result<Answer, DatabaseError> {
        use portcullis_policy::arguments::sql::StatementKind;
        let judged = self.rule.judge(statement).map_err(DatabaseError::Refused)?;
        let writes = judged.kind != StatementKind::Select;
        if writes && !may_write {
            let why = Refused::new("sql.statement", "this tool reads; `execute` changes data");
            return Err(DatabaseError::Refused(why));
        }
        self.database.run(judged.text, writes).await
    }

    /// Whether anything may be changed.
    #[must_use]
    pub fn may_write(&self) -> bool {
        use portcullis_policy::arguments::sql::StatementKind;
        self.rule
            .statements()
            .iter()
            .any(|kind| *kind != StatementKind::Select)
    }

    /// Serves one client over standard input and output, until it goes.
    ///
    /// # Errors
    /// If the client does not speak the protocol.
    pub async fn serve_stdio(self) -> Result<(), DatabaseError> {
        server::stdio(self).await
    }
}
