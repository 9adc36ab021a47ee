//! What only a file can show: who may read it, other processes at it, and what `open` refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use portcullis_core::KeyId;
use portcullis_store::{AuthError, Keyring, NewKey, StoreError, open};

use crate::samples::{NOW, Place, record};

async fn refusal(url: &str) -> StoreError {
    open(url).await.err().unwrap()
}

#[tokio::test]
async fn unknown_urls_are_refused_without_repeating_credentials() {
    for url in [
        "mysql://user:hunter2@host/db",
        "portcullis.db",
        "",
        "sqlite:",
        "sqlite",
    ] {
        let refused = refusal(url).await;
        assert!(matches!(refused, StoreError::UnknownUrl(_)), "{url}");
        assert!(refused.to_string().contains("sqlite:PATH"), "{refused}");
        assert!(!refused.to_string().contains("hunter2"), "{refused}");
    }
    let place = Place::new();
    let nowhere = format!("sqlite:{}", place.path("missing/folder.db").display());
    assert!(matches!(refusal(&nowhere).await, StoreError::Open { .. }));
    let other = place.path("other.db");
    fs::write(
        &other,
        "This is no database, and long enough to be seen not to be one.".repeat(20),
    )
    .unwrap();
    assert!(open(&format!("sqlite:{}", other.display())).await.is_err());
}

#[tokio::test]
async fn both_forms_of_a_url_name_the_same_file() {
    let place = Place::new();
    place
        .store()
        .await
        .create_key(NewKey::named("one"), NOW)
        .await
        .unwrap();
    let store = open(&format!("sqlite://{}", place.database().display()))
        .await
        .unwrap();
    assert_eq!(store.keys().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    let place = Place::new();
    let store = place.store().await;
    store.create_key(NewKey::named("one"), NOW).await.unwrap();
    for name in ["portcullis.db", "portcullis.db-wal", "portcullis.db-shm"] {
        let mode = fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
}

#[tokio::test]
async fn no_text_of_a_key_reaches_the_file() {
    let place = Place::new();
    let store = place.store().await;
    let (_, first) = store.create_key(NewKey::named("one"), NOW).await.unwrap();
    let (_, second) = store.rotate_key("one", 0, NOW).await.unwrap();
    drop(store);
    let bytes = fs::read(place.database()).unwrap();
    for text in [first, second] {
        // Seven characters are kept to be shown; the next eight must not be there.
        let part = &text.expose().as_bytes()[7..15];
        assert!(!bytes.windows(part.len()).any(|window| window == part));
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let place = Place::new();
    drop(place.store().await);
    place.hand().pragma_update(None, "user_version", 99).unwrap();
    let refused = refusal(&format!("sqlite:{}", place.database().display())).await;
    assert!(
        matches!(refused, StoreError::Newer { found: 99, .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_key_made_or_revoked_by_another_process_is_seen_after_a_refresh() {
    let place = Place::new();
    let (serving, command) = (place.store().await, place.store().await);
    let keyring = Keyring::load(serving).await.unwrap();
    let (_, text) = command.create_key(NewKey::named("one"), NOW).await.unwrap();
    assert!(keyring.refresh().await.unwrap());
    assert!(keyring.authenticate(text.expose(), NOW).is_ok());
    command.revoke_key("one", NOW).await.unwrap();
    assert!(keyring.refresh().await.unwrap());
    assert_eq!(keyring.authenticate(text.expose(), NOW), Err(AuthError::Revoked));
    place.hand().execute("DELETE FROM api_keys", ()).unwrap();
    assert!(
        keyring.refresh().await.unwrap(),
        "a change by hand counts as well"
    );
    assert_eq!(keyring.authenticate(text.expose(), NOW), Err(AuthError::Unknown));
}

#[tokio::test]
async fn the_log_can_be_read_by_another_process_while_it_is_written() {
    let place = Place::new();
    let (serving, command) = (place.store().await, place.store().await);
    let log = place.log(&serving).await;
    for number in 1..=20 {
        log.append(record(number)).unwrap();
        log.flush().await.unwrap();
        assert_eq!(command.audit_tail(1).await.unwrap()[0].record, record(number));
    }
    let transaction = place.hand();
    transaction
        .execute_batch("BEGIN; SELECT count(*) FROM audit;")
        .unwrap();
    log.append(record(21)).unwrap();
    log.flush().await.unwrap();
    assert_eq!(
        command.audit_tail(1).await.unwrap()[0].seq,
        21,
        "a reader holds up nobody"
    );
}

#[tokio::test]
async fn opening_to_look_does_not_wait_for_a_writer() {
    let place = Place::new();
    drop(place.store().await);
    let hand = place.hand();
    hand.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Were the lock needed, this would fail when the patience of the connection is over.
    assert!(place.store().await.keys().await.unwrap().is_empty());
    hand.execute_batch("ROLLBACK").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_open_a_new_file_at_once() {
    let place = Arc::new(Place::new());
    let openings = (0..8u64).map(|number| {
        let place = Arc::clone(&place);
        tokio::spawn(async move {
            let store = place.store().await;
            let owner = KeyId::from_text("key_a");
            store
                .remember_owned("response", &number.to_string(), &owner, "openai", None, NOW)
                .await
                .unwrap();
            *store.pepper().await.unwrap().expose()
        })
    });
    let mut peppers = Vec::new();
    for opening in openings.collect::<Vec<_>>() {
        peppers.push(opening.await.unwrap());
    }
    assert!(
        peppers.iter().all(|pepper| *pepper == peppers[0]),
        "all must hash keys alike"
    );
}
