//! The schema and how an older one becomes this one.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Pepper, StoreError};

/// Applied in order, each once; `PRAGMA user_version` counts them. One that was released never changes.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/sqlite/0001.sql"),
    include_str!("../../migrations/sqlite/0002.sql"),
    include_str!("../../migrations/sqlite/0003.sql"),
    include_str!("../../migrations/sqlite/0004.sql"),
    include_str!("../../migrations/sqlite/0005.sql"),
    include_str!("../../migrations/sqlite/0006.sql"),
];

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
                known
            }) if known == self::known()
        ));
    }

    #[test]
    fn keys_of_the_first_schema_stay() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(MIGRATIONS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        let insert = "INSERT INTO api_keys VALUES (?1, ?2, 'pc_abcd', ?1, 'free', ?3, '[\"gpt-*\"]', NULL, 5, NULL, NULL, \
                      NULL, 7, NULL, NULL, ?4)";
        for (name, hash, profile, revoked) in [
            ("one", [1; 32], "default", None),
            ("two", [2; 32], "strict", Some(9)),
        ] {
            connection
                .execute(insert, (name, hash, profile, revoked))
                .unwrap();
        }
        let version = |connection: &Connection| -> i64 {
            let read = "SELECT version FROM keys_version";
            connection.query_row(read, [], |row| row.get(0)).unwrap()
        };
        let before = version(&connection);
        migrate(&mut connection).unwrap();
        assert!(version(&connection) > before);
        let keys = super::super::keys::all(&connection).unwrap();
        let seen: Vec<_> = keys
            .iter()
            .map(|key| {
                let record = &key.record;
                let who = &record.principal;
                (
                    who.name.as_str(),
                    who.profile.as_deref(),
                    who.limits.rpm,
                    record.created_ms,
                    record.revoked_ms,
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("one", None, Some(5), 7, None),
                ("two", Some("strict"), Some(5), 7, Some(9))
            ]
        );
        connection.execute("DELETE FROM api_keys", []).unwrap();
        assert!(version(&connection) > before + 1, "changes are still counted");
    }
}
