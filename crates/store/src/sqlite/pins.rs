//! Pins in SQLite.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior};

use super::{Sqlite, signed, unsigned};
use crate::pin::{COLUMNS, Known, StoredPin};
use crate::{MOST_PINS, Pin, PinState, PinStore, Sighting, StoreError};

#[async_trait]
impl PinStore for Sqlite {
    async fn see_pins(
        &self,
        server: &str,
        seen: Vec<Sighting>,
        beside: &[String],
        now_ms: u64,
    ) -> Result<Vec<Pin>, StoreError> {
        let (server, beside) = (server.to_owned(), beside.to_vec());
        // Most of the time everything was seen before: then nobody waits for a writer.
        let (place, sought) = (server.clone(), seen);
        let (found, seen) = self
            .reader
            .run(move |connection| {
                let all = sought.iter().map(|one| find(connection, &place, one));
                let found = all.collect::<Result<Vec<_>, StoreError>>()?;
                Ok((found, sought))
            })
            .await?;
        if found.iter().all(Option::is_some) {
            return Ok(found.into_iter().flatten().collect());
        }
        self.writer
            .run(move |connection| see(connection, &server, seen, &beside, now_ms))
            .await
    }

    async fn pins(&self, state: Option<PinState>, count: u32) -> Result<Vec<Pin>, StoreError> {
        let last = move |connection: &mut Connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM pins WHERE ?1 IS NULL OR state = ?1 ORDER BY first_ms DESC, id LIMIT ?2"
            ))?;
            let mut rows = statement.query((state.map(PinState::name), count))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(stored(row)?.read()?);
            }
            Ok(found)
        };
        self.reader.run(last).await
    }

    async fn pins_held(&self) -> Result<u64, StoreError> {
        let count = |connection: &mut Connection| {
            let count = connection
                .prepare_cached("SELECT count(*) FROM pins WHERE state = 'held'")?
                .query_row([], |row| row.get(0))?;
            unsigned(count, "a count")
        };
        self.reader.run(count).await
    }

    async fn pin(&self, id: &str) -> Result<Option<Pin>, StoreError> {
        let id = id.to_owned();
        let one = move |connection: &mut Connection| {
            let mut statement =
                connection.prepare_cached(&format!("SELECT {COLUMNS} FROM pins WHERE id = ?1"))?;
            let found = statement.query_row([id], stored).optional()?;
            found.map(StoredPin::read).transpose()
        };
        self.reader.run(one).await
    }

    async fn decide_pin(
        &self,
        id: &str,
        by: &str,
        accept: bool,
        now_ms: u64,
    ) -> Result<Option<Pin>, StoreError> {
        let (id, by) = (id.to_owned(), by.to_owned());
        let state = if accept {
            PinState::Accepted
        } else {
            PinState::Rejected
        };
        let decide = move |connection: &mut Connection| {
            let mut statement = connection.prepare_cached(&format!(
                "UPDATE pins SET state = ?2, decided_by = ?3, decided_ms = ?4 WHERE id = ?1 RETURNING {COLUMNS}"
            ))?;
            let decided = statement
                .query_row((id, state.name(), by, signed(now_ms)), stored)
                .optional()?;
            decided.map(StoredPin::read).transpose()
        };
        self.writer.run(decide).await
    }
}

fn see(
    connection: &mut Connection,
    server: &str,
    seen: Vec<Sighting>,
    beside: &[String],
    now_ms: u64,
) -> Result<Vec<Pin>, StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut pins = Vec::with_capacity(seen.len());
    for sighting in seen {
        if let Some(known) = find(&transaction, server, &sighting)? {
            pins.push(known);
            continue;
        }
        let known = known(&transaction, server, &sighting)?;
        let folded = sighting.folded.clone();
        let pin = sighting.pinned(server, &known, beside, now_ms)?;
        insert(&transaction, &pin, &folded)?;
        pins.push(pin);
    }
    transaction.commit()?;
    Ok(pins)
}

fn known(transaction: &Transaction<'_>, server: &str, sighting: &Sighting) -> Result<Known, StoreError> {
    let count: u32 = transaction
        .prepare_cached("SELECT count(*) FROM pins WHERE server = ?1")?
        .query_row([server], |row| row.get(0))?;
    if count >= MOST_PINS {
        return Err(StoreError::TooManyPins(server.to_owned()));
    }
    let before = transaction
        .prepare_cached("SELECT 1 FROM pins WHERE server = ?1 AND kind = ?2 AND name = ?3")?
        .exists((server, sighting.kind.name(), &sighting.name))?;
    let mut others = transaction.prepare_cached(
        "SELECT DISTINCT server FROM pins WHERE folded = ?1 AND kind = ?2 AND state = 'accepted' AND server <> ?3 \
         ORDER BY server",
    )?;
    let others = others
        .query_map((&sighting.folded, sighting.kind.name(), server), |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    Ok(Known { before, others })
}

fn insert(transaction: &Transaction<'_>, pin: &Pin, folded: &str) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "INSERT INTO pins (id, server, kind, name, folded, state, why, other, digest, definition, first_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute((
            &pin.id,
            &pin.server,
            pin.kind.name(),
            &pin.name,
            folded,
            pin.state.name(),
            pin.why.name(),
            &pin.other,
            pin.digest,
            &pin.definition,
            signed(pin.first_ms),
        ))?;
    Ok(())
}

fn find(connection: &Connection, server: &str, sighting: &Sighting) -> Result<Option<Pin>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM pins WHERE server = ?1 AND kind = ?2 AND name = ?3 AND digest = ?4"
    ))?;
    let found = statement
        .query_row(
            (server, sighting.kind.name(), &sighting.name, sighting.digest),
            stored,
        )
        .optional()?;
    found.map(StoredPin::read).transpose()
}

fn stored(row: &Row<'_>) -> Result<StoredPin, rusqlite::Error> {
    Ok(StoredPin {
        texts: [
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
        ],
        other: row.get(6)?,
        digest: row.get(7)?,
        definition: row.get(8)?,
        first_ms: row.get(9)?,
        decided_by: row.get(10)?,
        decided_ms: row.get(11)?,
    })
}
