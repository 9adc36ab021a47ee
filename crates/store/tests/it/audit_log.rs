//! The log as a process uses it: slots, batches, restarts, crashes between two writes, a database that fails.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use portcullis_core::AuditRecord;
use portcullis_store::{
    AuditError, AuditLog, AuditUnavailable, Tampered, accept_head, load_or_create_signing_key,
    load_signing_key, public_key_from_text, public_key_text, verify,
};

use crate::samples::{Place, record, request};

async fn reopen(place: &Place) -> Result<AuditLog, AuditError> {
    AuditLog::open(place.store().await, place.key.clone(), Some(place.head_file())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_tasks_write_is_all_there_and_holds() {
    let place = Place::new();
    let store = place.store().await;
    let log = Arc::new(place.log(&store).await);
    let tasks = (0..8u64).map(|task| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            for number in 0..600 {
                log.reserve().unwrap().write(record(task * 600 + number));
                if number % 50 == 0 {
                    log.flush().await.unwrap();
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    log.flush().await.unwrap();
    let status = log.status();
    assert_eq!(
        (status.committed, status.rejected, status.failing),
        (4800, 0, None)
    );
    let key = place.key.verifying_key();
    let verified = verify(&*store, &key, Some(&place.head_file())).await.unwrap();
    assert_eq!(verified.records, 4800);
    assert!(
        (4..=6).contains(&verified.heads),
        "a checkpoint about every thousand: {}",
        verified.heads
    );
    assert_eq!(
        store.audit_record(&request(1234)).await.unwrap().unwrap().record,
        record(1234)
    );
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart() {
    let place = Place::new();
    place.write(1, 3, 2).await;
    place.write(4, 5, 9).await;
    let store = place.store().await;
    let log = place.log(&store).await;
    log.flush().await.unwrap();
    let verified = verify(&*store, &place.key.verifying_key(), Some(&place.head_file()))
        .await
        .unwrap();
    assert_eq!(verified.records, 5);
}

#[tokio::test]
async fn dropping_the_log_writes_what_is_left() {
    let place = Place::new();
    let store = place.store().await;
    let log = place.log(&store).await;
    let slot = log.reserve().unwrap();
    log.append(record(1)).unwrap();
    drop(log);
    slot.write(record(2));
    // The writer ends once nothing can come any more; the last record is the sign of it.
    while store.audit_record(&request(2)).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.audit_tail(9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_second_record_for_a_request_is_dropped_and_counted() {
    let place = Place::new();
    let store = place.store().await;
    let log = place.log(&store).await;
    for number in [1, 2] {
        log.append(record(number)).unwrap();
    }
    let second = AuditRecord {
        status: 500,
        ..record(1)
    };
    log.append(second).unwrap();
    log.append(record(3)).unwrap();
    log.flush().await.unwrap();
    log.append(record(2)).unwrap();
    log.append(record(4)).unwrap();
    log.flush().await.unwrap();
    let status = log.status();
    assert_eq!((status.committed, status.rejected, status.failing), (4, 2, None));
    let kept = store.audit_record(&request(1)).await.unwrap().unwrap();
    assert_eq!(kept.record.status, 200, "the first is the true one");
    assert_eq!(
        verify(&*store, &place.key.verifying_key(), Some(&place.head_file()))
            .await
            .unwrap()
            .records,
        4
    );
}

#[tokio::test]
async fn slots_run_out_and_come_back() {
    let place = Place::new();
    let store = place.store().await;
    let log = place.log(&store).await;
    let mut slots = Vec::new();
    let refused = loop {
        match log.reserve() {
            Ok(slot) => slots.push(slot),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused, AuditUnavailable::Full);
    assert!(!log.healthy());
    slots.pop();
    assert!(log.healthy());
    drop(slots);
    log.reserve().unwrap().write(record(1));
    log.flush().await.unwrap();
}

#[tokio::test]
async fn while_the_database_fails_no_slot_is_given_and_nothing_is_lost() {
    let place = Place::new();
    let store = place.store().await;
    let log = place.log(&store).await;
    log.append(record(1)).unwrap();
    log.flush().await.unwrap();
    let hand = place.hand();
    hand.execute_batch(
        "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk full, say'); END",
    )
    .unwrap();
    let held = log.reserve().unwrap();
    log.append(record(2)).unwrap();
    let failed = log.flush().await;
    assert!(
        matches!(&failed, Err(AuditUnavailable::Failing(why)) if why.contains("disk full")),
        "{failed:?}"
    );
    assert!(!log.healthy());
    assert!(matches!(log.reserve(), Err(AuditUnavailable::Failing(_))));
    held.write(record(3));
    hand.execute_batch("DROP TRIGGER full").unwrap();
    let recovery = async {
        while !log.healthy() {
            tokio::task::yield_now().await;
        }
    };
    // Long enough for any machine; a log that never recovers must fail the test and not hang it.
    tokio::time::timeout(Duration::from_secs(60), recovery)
        .await
        .unwrap();
    log.flush().await.unwrap();
    assert_eq!(log.status().committed, 3);
    assert_eq!(
        verify(&*store, &place.key.verifying_key(), Some(&place.head_file()))
            .await
            .unwrap()
            .records,
        3
    );
}

#[tokio::test]
async fn two_processes_cannot_both_write() {
    let place = Place::new();
    let (one, other) = (place.store().await, place.store().await);
    let (first, second) = (place.log(&one).await, place.log(&other).await);
    first.append(record(1)).unwrap();
    first.flush().await.unwrap();
    second.append(record(2)).unwrap();
    let failed = second.flush().await;
    assert!(matches!(failed, Err(AuditUnavailable::Failing(why)) if why.contains("another process")));
    first.append(record(3)).unwrap();
    first.flush().await.unwrap();
    assert_eq!(
        verify(&*one, &place.key.verifying_key(), Some(&place.head_file()))
            .await
            .unwrap()
            .records,
        2
    );
}

#[tokio::test]
async fn a_crash_before_the_head_file_is_written_is_no_tampering() {
    let place = Place::new();
    place.write(1, 2, 1).await;
    let before = fs::read(place.head_file()).unwrap();
    place.write(3, 4, 1).await;
    fs::write(place.head_file(), before).unwrap();
    let store = place.store().await;
    let key = place.key.verifying_key();
    assert_eq!(
        verify(&*store, &key, Some(&place.head_file()))
            .await
            .unwrap()
            .records,
        4
    );
    reopen(&place).await.unwrap().close().await.unwrap();
    assert!(
        fs::read_to_string(place.head_file())
            .unwrap()
            .contains("\"seq\":4"),
        "brought up to date"
    );
}

#[tokio::test]
async fn an_old_copy_of_the_database_is_refused() {
    let place = Place::new();
    place.write(1, 2, 1).await;
    let old = fs::read(place.database()).unwrap();
    place.write(3, 4, 1).await;
    fs::write(place.database(), old).unwrap();
    let refused = reopen(&place).await.err().unwrap();
    assert!(
        matches!(
            refused,
            AuditError::Behind {
                database: 2,
                head_file: 4
            }
        ),
        "{refused}"
    );
    assert!(refused.to_string().contains("audit verify"));
    let found = verify(
        &*place.store().await,
        &place.key.verifying_key(),
        Some(&place.head_file()),
    )
    .await;
    assert!(
        matches!(found, Err(Tampered::CutTail { last: 2, signed: 4 })),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_new_empty_database_beside_an_old_head_file_is_refused() {
    let place = Place::new();
    place.write(1, 2, 1).await;
    fs::remove_file(place.database()).unwrap();
    let refused = reopen(&place).await.err().unwrap();
    assert!(
        matches!(
            refused,
            AuditError::Behind {
                database: 0,
                head_file: 2
            }
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn a_lost_head_file_is_refused_until_an_operator_accepts_the_head() {
    let place = Place::new();
    place.write(1, 2, 1).await;
    fs::remove_file(place.head_file()).unwrap();
    assert!(matches!(
        reopen(&place).await,
        Err(AuditError::HeadFileMissing(2))
    ));
    let (store, key) = (place.store().await, place.key.verifying_key());
    let found = verify(&*store, &key, Some(&place.head_file())).await;
    assert!(matches!(found, Err(Tampered::HeadFileMissing)));
    verify(&*store, &key, None).await.unwrap();
    let stranger = SigningKey::from_bytes(&[8; 32]).verifying_key();
    assert!(matches!(
        accept_head(&*store, &stranger, &place.head_file()).await,
        Err(AuditError::NotSigned)
    ));
    accept_head(&*store, &key, &place.head_file()).await.unwrap();
    reopen(&place).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn another_signing_key_is_refused() {
    let mut place = Place::new();
    place.write(1, 1, 1).await;
    place.key = SigningKey::from_bytes(&[8; 32]);
    assert!(matches!(reopen(&place).await, Err(AuditError::NotSigned)));
}

#[tokio::test]
async fn a_log_that_was_never_written_holds() {
    let place = Place::new();
    let store = place.store().await;
    let key = place.key.verifying_key();
    let verified = verify(&*store, &key, Some(&place.head_file())).await.unwrap();
    assert_eq!((verified.records, verified.head), (0, None));
    place.log(&store).await.close().await.unwrap();
    let verified = verify(&*store, &key, Some(&place.head_file())).await.unwrap();
    assert_eq!((verified.records, verified.heads), (0, 1));
}

#[test]
fn a_signing_key_is_made_once_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let path = place.path("audit.key");
    assert!(load_signing_key(&path).is_err());
    let made = load_or_create_signing_key(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(load_or_create_signing_key(&path).unwrap(), made);
    let public = public_key_text(&made.verifying_key());
    assert_eq!(
        public_key_from_text(&format!("{public}\n")),
        Some(made.verifying_key())
    );
    assert_eq!(public_key_from_text("nonsense"), None);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = load_signing_key(&path).err().unwrap().to_string();
    assert!(
        exposed.contains("644") && exposed.contains("chmod 600"),
        "{exposed}"
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "not a key").unwrap();
    assert!(
        load_or_create_signing_key(&path).is_err(),
        "never over something else"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "not a key");
}
