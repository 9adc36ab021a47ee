//! Pins in PostgreSQL.

use async_trait::async_trait;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::{Postgres, signed, text, unsigned};
use crate::pin::{COLUMNS, Known, StoredPin};
use crate::{MOST_PINS, Pin, PinState, PinStore, Sighting, StoreError};

/// A lock of ours within a database (`pcpn` in letters): of two replicas that see the same for the first time, one waits and finds what
/// the other did, whichever server it is, since names are taken from one by another.
const SEE_LOCK: i64 = 0x7063_706e;

#[async_trait]
impl PinStore for Postgres {
    async fn see_pins(
        &self,
        server: &str,
        seen: Vec<Sighting>,
        beside: &[String],
        now_ms: u64,
    ) -> Result<Vec<Pin>, StoreError> {
        let (server, beside) = (text(server), beside.to_vec());
        self.run(move |connection| {
            Box::pin(async move { see(connection, &server, seen, &beside, now_ms).await })
        })
        .await
    }

    async fn pins(&self, state: Option<PinState>, count: u32) -> Result<Vec<Pin>, StoreError> {
        self.run(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(&format!(
                    "SELECT {COLUMNS} FROM pins WHERE $1::TEXT IS NULL OR state = $1 \
                     ORDER BY first_ms DESC, id LIMIT $2"
                ))
                .bind(state.map(PinState::name))
                .bind(i64::from(count))
                .fetch_all(connection)
                .await?;
                rows.iter().map(|row| stored(row)?.read()).collect()
            })
        })
        .await
    }

    async fn pins_held(&self) -> Result<u64, StoreError> {
        self.run(move |connection| {
            Box::pin(async move {
                let row = sqlx::query("SELECT count(*) FROM pins WHERE state = 'held'")
                    .fetch_one(connection)
                    .await?;
                unsigned(row.try_get(0)?, "a count")
            })
        })
        .await
    }

    async fn pin(&self, id: &str) -> Result<Option<Pin>, StoreError> {
        let id = text(id);
        self.run(move |connection| {
            Box::pin(async move {
                let found = sqlx::query(&format!("SELECT {COLUMNS} FROM pins WHERE id = $1"))
                    .bind(id)
                    .fetch_optional(connection)
                    .await?;
                found.map(|row| stored(&row)?.read()).transpose()
            })
        })
        .await
    }

    async fn decide_pin(
        &self,
        id: &str,
        by: &str,
        accept: bool,
        now_ms: u64,
    ) -> Result<Option<Pin>, StoreError> {
        let (id, by) = (text(id), text(by));
        let state = if accept {
            PinState::Accepted
        } else {
            PinState::Rejected
        };
        self.run(move |connection| {
            Box::pin(async move {
                let decided = sqlx::query(&format!(
                    "UPDATE pins SET state = $2, decided_by = $3, decided_ms = $4 WHERE id = $1 RETURNING {COLUMNS}"
                ))
                .bind(id)
                .bind(state.name())
                .bind(by)
                .bind(signed(now_ms))
                .fetch_optional(connection)
                .await?;
                decided.map(|row| stored(&row)?.read()).transpose()
            })
        })
        .await
    }
}

async fn see(
    connection: &mut PgConnection,
    server: &str,
    seen: Vec<Sighting>,
    beside: &[String],
    now_ms: u64,
) -> Result<Vec<Pin>, StoreError> {
    let mut found = Vec::with_capacity(seen.len());
    for sighting in &seen {
        found.push(find(connection, server, sighting).await?);
    }
    // Most of the time everything was seen before: then nobody waits for anybody.
    if found.iter().all(Option::is_some) {
        return Ok(found.into_iter().flatten().collect());
    }
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(SEE_LOCK)
        .execute(&mut *transaction)
        .await?;
    let mut pins = Vec::with_capacity(seen.len());
    for sighting in seen {
        if let Some(known) = find(&mut transaction, server, &sighting).await? {
            pins.push(known);
            continue;
        }
        let known = known(&mut transaction, server, &sighting).await?;
        let folded = text(&sighting.folded);
        let pin = sighting.pinned(server, &known, beside, now_ms)?;
        insert(&mut transaction, &pin, folded).await?;
        pins.push(pin);
    }
    transaction.commit().await?;
    Ok(pins)
}

async fn known(
    connection: &mut PgConnection,
    server: &str,
    sighting: &Sighting,
) -> Result<Known, StoreError> {
    let count: i64 = sqlx::query("SELECT count(*) FROM pins WHERE server = $1")
        .bind(server)
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    if count >= i64::from(MOST_PINS) {
        return Err(StoreError::TooManyPins(server.to_owned()));
    }
    let before: bool =
        sqlx::query("SELECT EXISTS (SELECT FROM pins WHERE server = $1 AND kind = $2 AND name = $3)")
            .bind(server)
            .bind(sighting.kind.name())
            .bind(text(&sighting.name))
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
    let rows = sqlx::query(
        "SELECT DISTINCT server FROM pins WHERE folded = $1 AND kind = $2 AND state = 'accepted' AND server <> $3 \
         ORDER BY server",
    )
    .bind(text(&sighting.folded))
    .bind(sighting.kind.name())
    .bind(server)
    .fetch_all(connection)
    .await?;
    let others = rows.iter().map(|row| row.try_get(0));
    Ok(Known {
        before,
        others: others.collect::<Result<Vec<String>, sqlx::Error>>()?,
    })
}

async fn insert(connection: &mut PgConnection, pin: &Pin, folded: String) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO pins (id, server, kind, name, folded, state, why, other, digest, definition, first_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&pin.id)
    .bind(&pin.server)
    .bind(pin.kind.name())
    .bind(text(&pin.name))
    .bind(folded)
    .bind(pin.state.name())
    .bind(pin.why.name())
    .bind(&pin.other)
    .bind(pin.digest.as_slice())
    .bind(&pin.definition)
    .bind(signed(pin.first_ms))
    .execute(connection)
    .await?;
    Ok(())
}

async fn find(
    connection: &mut PgConnection,
    server: &str,
    sighting: &Sighting,
) -> Result<Option<Pin>, StoreError> {
    let found = sqlx::query(&format!(
        "SELECT {COLUMNS} FROM pins WHERE server = $1 AND kind = $2 AND name = $3 AND digest = $4"
    ))
    .bind(server)
    .bind(sighting.kind.name())
    .bind(text(&sighting.name))
    .bind(sighting.digest.as_slice())
    .fetch_optional(connection)
    .await?;
    found.map(|row| stored(&row)?.read()).transpose()
}

fn stored(row: &PgRow) -> Result<StoredPin, StoreError> {
    Ok(StoredPin {
        texts: [
            row.try_get(0)?,
            row.try_get(1)?,
            row.try_get(2)?,
            row.try_get(3)?,
            row.try_get(4)?,
            row.try_get(5)?,
        ],
        other: row.try_get(6)?,
        digest: row.try_get(7)?,
        definition: row.try_get(8)?,
        first_ms: row.try_get(9)?,
        decided_by: row.try_get(10)?,
        decided_ms: row.try_get(11)?,
    })
}
