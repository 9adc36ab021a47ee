//! The schema and how an older one becomes this one.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Pepper, StoreError};

/// Applied in order, each once; `PRAGMA user_version` counts them. One that was released never changes.
const MIGRATIONS: &[&str] = &[include_str!("../../migrations/sqlite/0001.sql")];

pub(super) const PEPPER: &str = "pepper";

pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    // A command that only looks must not have to wait for the gateway's writes.
    if version(connection)? == known() && has_pepper(connection)? {
        return Ok(());
    }
    // The lock is taken before the version is read: of two processes that open a new file, one waits and finds it done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (found, known) = (version(&transaction)?, known());
    let done = usize::try_from(found)
        .ok()
        .filter(|done| *done <= MIGRATIONS.len());
    let Some(done) = done else {
        return Err(StoreError::Newer { found, known });
    };
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    if found != known {
        transaction.pragma_update(None, "user_version", known)?;
    }
    let pepper = Pepper::generate()?;
    transaction.execute(
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        (PEPPER, pepper.expose().as_slice()),
    )?;
    transaction.commit()?;
    Ok(())
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn has_pepper(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection
        .prepare("SELECT 1 FROM meta WHERE name = ?1")?
        .exists([PEPPER])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let pepper = |connection: &Connection| -> Vec<u8> {
            connection
                .query_row("SELECT value FROM meta WHERE name = 'pepper'", [], |row| {
                    row.get(0)
                })
                .unwrap()
        };
        let before = pepper(&connection);
        migrate(&mut connection).unwrap();
        assert_eq!(pepper(&connection), before);
        assert_eq!(before.len(), 32);
    }

    #[test]
    fn a_later_schema_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 1000).unwrap();
        assert!(matches!(
            migrate(&mut connection),
            Err(StoreError::Newer {
                found: 1000,
                known: 1
            })
        ));
    }
}
