//! A hostile hand at the database: whatever it does to the log, `verify` says so, and says where.
//!
//! Each case works on a real file through a connection of its own, or on the bytes of the file.

use std::fs;

use ed25519_dalek::SigningKey;
use portcullis_store::{Hash, StoreError, Tampered, Verified, open, verify};
use rusqlite::Connection;
use sha2::{Digest, Sha256};

use crate::samples::{Place, record};

/// More than one page of the reader is too slow for a case; more than one checkpoint is not.
const RECORDS: u64 = 2500;

async fn check(place: &Place) -> Result<Verified, Tampered> {
    verify(
        &*place.store().await,
        &place.key.verifying_key(),
        Some(&place.head_file()),
    )
    .await
}

async fn check_without_head_file(place: &Place) -> Result<Verified, Tampered> {
    verify(&*place.store().await, &place.key.verifying_key(), None).await
}

/// Ten records in batches of three.
async fn small() -> Place {
    let place = Place::new();
    place.write(1, 10, 3).await;
    check(&place).await.unwrap();
    place
}

/// Enough records for two checkpoints, at 1000 and 2000.
async fn large() -> Place {
    let place = Place::new();
    place.write(1, RECORDS, 500).await;
    assert!(check(&place).await.unwrap().heads >= 3);
    place
}

/// SQLite has no unsigned numbers.
fn sql(number: u64) -> i64 {
    number.try_into().unwrap()
}

fn number(row: &rusqlite::Row<'_>) -> rusqlite::Result<u64> {
    row.get::<_, i64>(0).map(|number| number.try_into().unwrap())
}

fn change(place: &Place, sql: &str) {
    place.hand().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn one_byte_changed_in_any_column_of_any_record() {
    let place = small().await;
    for seq in 1..=10u64 {
        for column in ["request_id", "record", "hash"] {
            let hand = place.hand();
            let query = format!("SELECT CAST({column} AS BLOB) FROM audit WHERE seq = ?1");
            let before: Vec<u8> = hand.query_row(&query, [sql(seq)], |row| row.get(0)).unwrap();
            for at in [0, before.len() / 2, before.len() - 1] {
                let mut after = before.clone();
                after[at] ^= 0x40;
                put(&hand, column, seq, &after);
                let found = check(&place).await;
                assert!(
                    matches!(found, Err(Tampered::Edited { seq: bad }) if bad == seq),
                    "{column} of {seq}, byte {at}: {found:?}"
                );
            }
            put(&hand, column, seq, &before);
        }
    }
    check(&place).await.unwrap();
}

fn put(hand: &Connection, column: &str, seq: u64, bytes: &[u8]) {
    let form = if column == "hash" {
        "?2"
    } else {
        "CAST(?2 AS TEXT)"
    };
    hand.execute(
        &format!("UPDATE audit SET {column} = {form} WHERE seq = ?1"),
        (sql(seq), bytes),
    )
    .unwrap();
}

#[tokio::test]
async fn any_number_changed() {
    for seq in 1..=10u64 {
        let place = small().await;
        change(&place, &format!("UPDATE audit SET seq = 1000 WHERE seq = {seq}"));
        let found = check(&place).await;
        match found {
            Err(Tampered::Missing { seq: bad }) => assert_eq!(bad, seq),
            other => panic!("{seq}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn any_record_removed() {
    for seq in 1..=10u64 {
        let place = small().await;
        change(&place, &format!("DELETE FROM audit WHERE seq = {seq}"));
        let found = check(&place).await;
        match found {
            Err(Tampered::Missing { seq: bad }) => assert_eq!(bad, seq),
            Err(Tampered::CutTail { last: 9, signed: 10 }) => assert_eq!(seq, 10),
            other => panic!("{seq}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn all_records_removed() {
    let place = small().await;
    change(&place, "DELETE FROM audit");
    assert!(matches!(
        check(&place).await,
        Err(Tampered::CutTail { last: 0, signed: 10 })
    ));
    change(&place, "DELETE FROM audit_heads");
    assert!(matches!(
        check(&place).await,
        Err(Tampered::CutTail { last: 0, signed: 10 })
    ));
}

#[tokio::test]
async fn two_records_swapped() {
    for columns in [
        &["record", "request_id", "hash"][..],
        &["record", "request_id"],
        &["record"],
    ] {
        let place = small().await;
        let hand = place.hand();
        let row = |seq: u64| -> Vec<rusqlite::types::Value> {
            let query = format!("SELECT {} FROM audit WHERE seq = {seq}", columns.join(", "));
            hand.query_row(&query, [], |row| {
                (0..columns.len()).map(|at| row.get(at)).collect()
            })
            .unwrap()
        };
        let (one, other) = (row(3), row(7));
        hand.execute(
            "UPDATE audit SET request_id = request_id || '-' WHERE seq IN (3, 7)",
            (),
        )
        .unwrap();
        for (seq, values) in [(7, one), (3, other)] {
            for (column, value) in columns.iter().zip(values) {
                hand.execute(
                    &format!("UPDATE audit SET {column} = ?2 WHERE seq = ?1"),
                    (sql(seq), value),
                )
                .unwrap();
            }
        }
        let found = check(&place).await;
        assert!(
            matches!(found, Err(Tampered::Reordered { seq: 3, found_at: 7 })),
            "{columns:?}: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_cut_tail_with_its_head_left() {
    let place = small().await;
    change(&place, "DELETE FROM audit WHERE seq > 6");
    assert!(matches!(
        check(&place).await,
        Err(Tampered::CutTail { last: 6, signed: 10 })
    ));
    assert!(matches!(
        check_without_head_file(&place).await,
        Err(Tampered::CutTail { last: 6, signed: 10 })
    ));
}

#[tokio::test]
async fn a_cut_tail_with_its_heads() {
    let place = large().await;
    let kept: u64 = place
        .hand()
        .query_row(
            "SELECT max(seq) FROM audit_heads WHERE seq < ?1",
            [sql(RECORDS)],
            number,
        )
        .unwrap();
    change(
        &place,
        &format!("DELETE FROM audit WHERE seq > {kept}; DELETE FROM audit_heads WHERE seq > {kept}"),
    );
    // The database alone is now what it once was, signature and all: only the second copy of the head knows better.
    assert_eq!(check_without_head_file(&place).await.unwrap().records, kept);
    let found = check(&place).await;
    assert!(
        matches!(found, Err(Tampered::CutTail { last, signed: RECORDS }) if last == kept),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_cut_tail_with_the_head_rolled_back() {
    let place = Place::new();
    place.write(1, 5, 5).await;
    let copy = place.path("old.db");
    fs::copy(place.database(), &copy).unwrap();
    place.write(6, 10, 5).await;
    let attach = format!("ATTACH '{}' AS old; ", copy.display());
    change(
        &place,
        &[
            &attach,
            "DELETE FROM audit WHERE seq > 5; DELETE FROM audit_heads; ",
            "INSERT INTO audit_heads SELECT * FROM old.audit_heads",
        ]
        .concat(),
    );
    assert_eq!(check_without_head_file(&place).await.unwrap().records, 5);
    assert!(matches!(
        check(&place).await,
        Err(Tampered::CutTail { last: 5, signed: 10 })
    ));
}

#[tokio::test]
async fn the_head_alone_removed() {
    let place = small().await;
    change(&place, "DELETE FROM audit_heads");
    assert!(matches!(check(&place).await, Err(Tampered::Unsigned { seq: 1 })));
    assert!(matches!(
        check_without_head_file(&place).await,
        Err(Tampered::Unsigned { seq: 1 })
    ));
}

#[tokio::test]
async fn a_checkpoint_removed() {
    let place = large().await;
    let checkpoint: u64 = place
        .hand()
        .query_row("SELECT min(seq) FROM audit_heads", [], number)
        .unwrap();
    change(
        &place,
        &format!("DELETE FROM audit_heads WHERE seq = {checkpoint}"),
    );
    let found = check(&place).await;
    assert!(
        matches!(found, Err(Tampered::CheckpointMissing { seq }) if seq == checkpoint),
        "{found:?}"
    );
}

#[tokio::test]
async fn one_byte_changed_in_any_column_of_a_head() {
    let place = large().await;
    let hand = place.hand();
    hand.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM audit_heads")
        .unwrap();
    let mut statement = hand.prepare("SELECT seq FROM kept ORDER BY seq").unwrap();
    let heads: Vec<u64> = statement
        .query_map([], number)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for seq in heads {
        for (column, edit) in [
            ("seq", "seq + 1"),
            ("seq", "seq - 1"),
            ("previous", "previous + 1"),
            ("unix_ms", "unix_ms - 1"),
            ("hash", "zeroblob(32)"),
            ("hash", "zeroblob(31)"),
            ("signature", "zeroblob(64)"),
            ("signature", "zeroblob(0)"),
        ] {
            hand.execute(
                &format!("UPDATE audit_heads SET {column} = {edit} WHERE seq = ?1"),
                [sql(seq)],
            )
            .unwrap();
            let found = check(&place).await;
            assert!(
                matches!(found, Err(Tampered::BadSignature { .. } | Tampered::Damaged(_))),
                "{column} = {edit} of head {seq}: {found:?}"
            );
            hand.execute_batch("DELETE FROM audit_heads; INSERT INTO audit_heads SELECT * FROM kept")
                .unwrap();
        }
    }
    check(&place).await.unwrap();
}

#[tokio::test]
async fn a_record_added_with_a_right_hash_but_no_signature() {
    let place = small().await;
    forge(&place, 11);
    assert!(matches!(check(&place).await, Err(Tampered::Unsigned { seq: 11 })));
}

#[tokio::test]
async fn records_put_before_the_first() {
    let place = small().await;
    change(
        &place,
        "PRAGMA ignore_check_constraints = 1; INSERT INTO audit VALUES (0, 'req_x', '{}', zeroblob(32))",
    );
    assert!(matches!(check(&place).await, Err(Tampered::Unsigned { seq: 0 })));
    change(
        &place,
        "PRAGMA ignore_check_constraints = 1; UPDATE audit SET seq = -5 WHERE seq = 0",
    );
    assert!(matches!(check(&place).await, Err(Tampered::Damaged(_))));
}

#[tokio::test]
async fn the_whole_chain_made_anew_without_the_signing_key() {
    let place = small().await;
    for seq in 4..=10 {
        forge(&place, seq);
    }
    assert!(matches!(
        check(&place).await,
        Err(Tampered::OtherHistory { seq: 10 })
    ));
}

/// Writes a made-up record with the hash that it would have.
fn forge(place: &Place, seq: u64) {
    let hand = place.hand();
    let before: [u8; 32] = hand
        .query_row("SELECT hash FROM audit WHERE seq = ?1", [sql(seq - 1)], |row| {
            row.get(0)
        })
        .unwrap();
    let forged = portcullis_store::canonical_json(&record(1000 + seq)).unwrap();
    let hash = Hash(before).next(seq, &forged);
    hand.execute(
        "INSERT OR REPLACE INTO audit VALUES (?1, ?2, ?3, ?4)",
        (
            sql(seq),
            record(1000 + seq).request_id.as_str(),
            String::from_utf8(forged).unwrap(),
            hash.0,
        ),
    )
    .unwrap();
}

#[tokio::test]
async fn heads_signed_by_another_key() {
    let place = small().await;
    let stranger = SigningKey::from_bytes(&[8; 32]).verifying_key();
    let found = verify(&*place.store().await, &stranger, Some(&place.head_file())).await;
    assert!(
        matches!(found, Err(Tampered::BadSignature { seq: 10 })),
        "{found:?}"
    );
}

#[tokio::test]
async fn any_byte_of_the_head_file_changed() {
    let place = small().await;
    let before = fs::read(place.head_file()).unwrap();
    for at in 0..before.len() {
        let mut after = before.clone();
        after[at] ^= 1;
        fs::write(place.head_file(), &after).unwrap();
        let found = check(&place).await;
        // The line break at the end is not part of the head.
        assert!(found.is_err() || at + 1 == before.len(), "byte {at}: {found:?}");
    }
    fs::write(place.head_file(), "").unwrap();
    assert!(matches!(check(&place).await, Err(Tampered::HeadFile(_))));
}

#[tokio::test]
async fn bytes_of_the_file_changed_where_records_lie() {
    let place = small().await;
    let before = fs::read(place.database()).unwrap();
    // Every place in the file where a request's id stands: in the row, and in the index over the rows.
    let id = record(5).request_id;
    let places: Vec<usize> = before
        .windows(id.as_str().len())
        .enumerate()
        .filter(|(_, window)| *window == id.as_str().as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(
        places.len() >= 3,
        "the column, the record and the index: {places:?}"
    );
    for at in places {
        let mut after = before.clone();
        after[at + 20] ^= 1;
        fs::write(place.database(), &after).unwrap();
        let found = check(&place).await;
        assert!(
            matches!(found, Err(Tampered::Edited { seq: 5 } | Tampered::Damaged(_))),
            "byte {}: {found:?}",
            at + 20
        );
    }
    fs::write(place.database(), &before).unwrap();
    check(&place).await.unwrap();
}

#[tokio::test]
async fn a_byte_changed_anywhere_in_the_file_is_told_or_changes_nothing() {
    let place = small().await;
    let before = fs::read(place.database()).unwrap();
    let said = contents(&place).await.unwrap();
    let mut told = 0;
    // Every byte would take a minute; a stride that shares no factor with the size of a page visits all parts of one.
    for at in (0..before.len()).step_by(197) {
        let mut after = before.clone();
        after[at] ^= 0x15;
        fs::write(place.database(), &after).unwrap();
        if judge(&place).await.is_some() {
            told += 1;
        } else {
            assert_eq!(contents(&place).await, Some(said.clone()), "byte {at}");
        }
    }
    assert!(told > 20, "{told} of {}", before.len() / 197);
}

type Contents = (
    Vec<portcullis_store::StoredRow>,
    Vec<portcullis_store::SignedHead>,
);

/// Everything that the log says, if it can be read at all.
async fn contents(place: &Place) -> Option<Contents> {
    let store = open(&format!("sqlite:{}", place.database().display()))
        .await
        .ok()?;
    Some((
        store.audit_page(None, 100).await.ok()?,
        store.audit_heads().await.ok()?,
    ))
}

/// What is wrong, if anything; a database that does not even open is not one that holds.
async fn judge(place: &Place) -> Option<String> {
    let store = match open(&format!("sqlite:{}", place.database().display())).await {
        Ok(store) => store,
        Err(error) => return Some(error.to_string()),
    };
    let found = verify(&*store, &place.key.verifying_key(), Some(&place.head_file())).await;
    found.err().map(|tampered| tampered.to_string())
}

#[tokio::test]
async fn the_hash_is_what_the_documentation_says() {
    let place = small().await;
    let hand = place.hand();
    let mut before = [0u8; 32];
    for seq in 1..=10u64 {
        let (json, hash): (String, [u8; 32]) = hand
            .query_row(
                "SELECT record, hash FROM audit WHERE seq = ?1",
                [sql(seq)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        let text = [&before[..], &seq.to_be_bytes(), json.as_bytes()].concat();
        assert_eq!(hash, <[u8; 32]>::from(Sha256::digest(text)));
        before = hash;
    }
}

#[tokio::test]
async fn first_bad_and_messages() {
    let place = small().await;
    change(&place, "DELETE FROM audit WHERE seq > 6");
    let found = check(&place).await.err().unwrap();
    assert_eq!(found.first_bad(), Some(7));
    assert_eq!(
        found.to_string(),
        "the log ends at record 6, but record 10 was written and signed: the tail was cut off"
    );
    let unreadable = Tampered::from(StoreError::Closed);
    assert_eq!(unreadable.first_bad(), None);
}
