//! SQLite: one connection on a thread of its own work, opened for reading, with the library's authorizer as a second wall.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use portcullis_policy::arguments::sql::{SqlRule, StatementKind};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::{Answer, Bounds, Column, Database, DatabaseError};

/// Steps of the engine between two looks at the clock.
const STEPS: i32 = 1000;

/// Functions that reach out of the database. The rule names those that may be called; these are refused even where it names them.
const NEVER: &[&str] = &[
    "load_extension",
    "readfile",
    "writefile",
    "edit",
    "fts3_tokenizer",
];

pub(crate) struct Sqlite {
    connection: Arc<Mutex<Connection>>,
    rule: Arc<SqlRule>,
    bounds: Bounds,
}

impl Sqlite {
    pub fn open(file: &str, rule: Arc<SqlRule>, bounds: Bounds) -> Result<Sqlite, DatabaseError> {
        let file = file.strip_prefix("//").unwrap_or(file);
        let writes = rule
            .statements()
            .iter()
            .any(|kind| *kind != StatementKind::Select);
        let access = match writes {
            true => OpenFlags::SQLITE_OPEN_READ_WRITE,
            false => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = Connection::open_with_flags(Path::new(file), flags)
            .map_err(|_| DatabaseError::Open("there is no such file, or it may not be read".to_owned()))?;
        opened
            .busy_timeout(bounds.time)
            .map_err(|error| said(&error, bounds))?;
        Ok(Sqlite {
            connection: Arc::new(Mutex::new(opened)),
            rule,
            bounds,
        })
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection, Bounds) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, DatabaseError> {
        let (connection, bounds) = (Arc::clone(&self.connection), self.bounds);
        let done = tokio::task::spawn_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let end = Instant::now().checked_add(bounds.time);
            connection.progress_handler(STEPS, Some(move || end.is_some_and(|end| Instant::now() > end)))?;
            let done = work(&connection, bounds);
            connection.progress_handler(STEPS, None::<fn() -> bool>)?;
            done
        });
        match done.await {
            Ok(done) => done.map_err(|error| said(&error, bounds)),
            Err(_) => Err(DatabaseError::Said("the work was given up".to_owned())),
        }
    }
}

fn said(error: &rusqlite::Error, bounds: Bounds) -> DatabaseError {
    match error {
        rusqlite::Error::SqliteFailure(failure, _)
            if failure.code == rusqlite::ErrorCode::OperationInterrupted =>
        {
            DatabaseError::Late(bounds.time)
        }
        rusqlite::Error::SqliteFailure(failure, _) if failure.code == rusqlite::ErrorCode::NotADatabase => {
            DatabaseError::Open("the file is no database".to_owned())
        }
        rusqlite::Error::SqliteFailure(_, Some(why)) => DatabaseError::Said(why.chars().take(500).collect()),
        rusqlite::Error::SqlInputError { msg, .. } => DatabaseError::Said(msg.chars().take(500).collect()),
        other => DatabaseError::Said(other.to_string().chars().take(500).collect()),
    }
}

#[async_trait]
impl Database for Sqlite {
    async fn tables(&self) -> Result<Vec<(String, String)>, DatabaseError> {
        self.work(|connection, _| {
            let mut statement = connection
                .prepare("SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY 1")?;
            let names = statement.query_map([], |row| row.get::<_, String>(0))?;
            names.map(|name| Ok(("main".to_owned(), name?))).collect()
        })
        .await
    }

    async fn columns(&self, _schema: &str, table: &str) -> Result<Vec<Column>, DatabaseError> {
        let table = table.to_owned();
        self.work(move |connection, _| {
            let mut statement =
                connection.prepare("SELECT name, type, \"notnull\" FROM pragma_table_info(?1)")?;
            let columns = statement.query_map([table], |row| {
                let required: bool = row.get(2)?;
                Ok(Column {
                    name: row.get(0)?,
                    kind: row.get(1)?,
                    nullable: !required,
                })
            })?;
            columns.collect()
        })
        .await
    }

    async fn run(&self, text: String, writes: bool) -> Result<Answer, DatabaseError> {
        let rule = Arc::clone(&self.rule);
        self.work(move |connection, bounds| {
            connection.pragma_update(None, "query_only", !writes)?;
            connection.authorizer(Some(move |context: AuthContext<'_>| {
                judge(&rule, writes, &context)
            }))?;
            let done = answer(connection, &text, bounds);
            connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>)?;
            done
        })
        .await
    }
}

/// What a statement may do while it is prepared. A view reads tables in its own name: it was made by whoever owns the database.
fn judge(rule: &SqlRule, writes: bool, context: &AuthContext<'_>) -> Authorization {
    let known = |table: &str| rule.table(Some("main"), table).is_some();
    let in_database = context.database_name.is_none_or(|name| name == "main");
    let allowed = match &context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => {
            !NEVER.iter().any(|name| name.eq_ignore_ascii_case(function_name))
        }
        AuthAction::Read { table_name, .. } => {
            // A common table has the judge's own name, and no database. A table of which no column is read comes without a database as well.
            let common = context.database_name.is_none() && table_name.starts_with("pc_common_");
            common || (in_database && (known(table_name) || context.accessor.is_some()))
        }
        AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. } => {
            writes && in_database && (known(table_name) || context.accessor.is_some())
        }
        _ => false,
    };
    match allowed {
        true => Authorization::Allow,
        false => Authorization::Deny,
    }
}

fn answer(connection: &Connection, text: &str, bounds: Bounds) -> Result<Answer, rusqlite::Error> {
    let mut statement = connection.prepare(text)?;
    let mut answer = Answer {
        columns: statement.column_names().into_iter().map(str::to_owned).collect(),
        ..Answer::default()
    };
    if statement.column_count() == 0 {
        answer.changed = u64::try_from(statement.execute([])?).unwrap_or(u64::MAX);
        return Ok(answer);
    }
    let count = statement.column_count();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..count)
            .map(|at| row.get_ref(at).map(value))
            .collect::<Result<_, _>>()?;
        // A write that returns rows must come to its end.
        answer.take(values, bounds);
    }
    Ok(answer)
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        ValueRef::Blob(bytes) => format!("<{} bytes>", bytes.len()).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn sqlite(folder: &Path, statements: &[&str]) -> Sqlite {
        let file = folder.join("a.db");
        let database = Connection::open(&file).unwrap();
        database
            .execute_batch("CREATE TABLE IF NOT EXISTS a (id int); CREATE TABLE IF NOT EXISTS secrets (k text); CREATE VIEW IF NOT EXISTS v AS SELECT k FROM secrets;")
            .unwrap();
        let written = json!({"dialect": "sqlite", "tables": {"a": {"columns": ["id"]}, "v": {}}, "statements": statements, "functions": ["load_extension"]});
        let rule: SqlRule = serde_json::from_value(written).unwrap();
        let bounds = Bounds {
            rows: 5,
            bytes: 1000,
            time: Duration::from_millis(200),
        };
        Sqlite::open(&file.display().to_string(), Arc::new(rule), bounds).unwrap()
    }

    /// What the rule refuses, given to the database all the same.
    #[tokio::test]
    async fn the_second_wall_holds_without_the_first() {
        let folder = tempfile::tempdir().unwrap();
        for statements in [vec!["select"], vec!["select", "insert", "update", "delete"]] {
            let sqlite = sqlite(folder.path(), &statements);
            let writes = statements.len() > 1;
            for fine in [
                "SELECT id FROM a",
                "SELECT count(*) FROM (SELECT * FROM a) AS a",
                "WITH pc_common_1 AS (SELECT id FROM a) SELECT count(*) FROM pc_common_1 AS x",
                "SELECT * FROM v",
            ] {
                sqlite.run(fine.to_owned(), false).await.unwrap();
            }
            for refused in [
                "SELECT * FROM secrets",
                "SELECT count(*) FROM secrets",
                "SELECT id FROM a WHERE EXISTS (SELECT 1 FROM secrets)",
                "SELECT * FROM sqlite_schema",
                "SELECT * FROM pragma_table_info('a')",
                "PRAGMA table_info(a)",
                "PRAGMA query_only = 0",
                "ATTACH ':memory:' AS x",
                "CREATE TABLE x (a)",
                "CREATE TEMP TABLE x (a)",
                "DROP TABLE a",
                "DELETE FROM secrets",
                "INSERT INTO secrets VALUES ('x')",
                "UPDATE secrets SET k = 1",
                "VACUUM",
                "SELECT load_extension('x')",
                "BEGIN",
            ] {
                let came = sqlite.run(refused.to_owned(), writes).await;
                assert!(came.is_err(), "{refused}: {came:?}");
            }
            let written = sqlite.run("INSERT INTO a VALUES (1)".to_owned(), writes).await;
            assert_eq!(written.is_ok(), writes);
            if writes {
                assert!(
                    sqlite
                        .run("INSERT INTO a VALUES (1)".to_owned(), false)
                        .await
                        .is_err(),
                    "a reading call wrote"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_statement_ends_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = sqlite(folder.path(), &["select"]);
        let endless = "WITH RECURSIVE pc_common_1(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM pc_common_1) SELECT count(*) FROM pc_common_1";
        let came = sqlite.run(endless.to_owned(), false).await;
        assert_eq!(came, Err(DatabaseError::Late(Duration::from_millis(200))));
        assert!(
            sqlite.run("SELECT id FROM a".to_owned(), false).await.is_ok(),
            "the next one runs"
        );
    }
}
