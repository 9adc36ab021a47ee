//! Several gateways on one PostgreSQL database, and a server that goes away: a real one, stopped, frozen and cut off.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ed25519_dalek::SigningKey;
use portcullis_core::{KeyId, Limits, Money, Usage};
use portcullis_store::{
    AuditError, AuditLog, AuthError, Keyring, MeterId, Meters, NewKey, Store, StoreError, Tampered,
    UsageBatch, UsageDelta, UsageTotals, open, verify,
};
use sqlx::{Connection, Executor, PgConnection, Row};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::samples::{NOW, record, request};
use crate::server::Server;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

async fn replica(server: &Server) -> Arc<dyn Store> {
    open(&server.url()).await.unwrap()
}

/// A connection of its own, as a hostile hand would have.
async fn hand(server: &Server) -> PgConnection {
    PgConnection::connect(&server.url()).await.unwrap()
}

async fn change(server: &Server, sql: &str) {
    hand(server).await.execute(sql).await.unwrap();
}

async fn log(store: &Arc<dyn Store>, head: &Path) -> AuditLog {
    AuditLog::open(Arc::clone(store), key(), Some(head.to_owned()))
        .await
        .unwrap()
}

struct Heads(TempDir);

impl Heads {
    fn new() -> Heads {
        Heads(TempDir::new().unwrap())
    }

    fn of(&self, replica: &str) -> PathBuf {
        self.0.path().join(replica)
    }
}

#[tokio::test]
async fn a_key_of_one_replica_is_known_and_revoked_in_the_other() {
    let server = Server::start();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let keyring = Keyring::load(Arc::clone(&other)).await.unwrap();
    let (_, text) = one.create_key(NewKey::named("ann"), NOW).await.unwrap();
    assert!(keyring.refresh().await.unwrap());
    assert!(keyring.authenticate(text.expose(), NOW).is_ok());
    one.revoke_key("ann", NOW + 1).await.unwrap();
    assert!(keyring.refresh().await.unwrap());
    assert_eq!(keyring.authenticate(text.expose(), NOW), Err(AuthError::Revoked));
    change(&server, "TRUNCATE api_keys").await;
    assert!(
        keyring.refresh().await.unwrap(),
        "a change by hand counts as well"
    );
    assert_eq!(keyring.authenticate(text.expose(), NOW), Err(AuthError::Unknown));
}

#[tokio::test]
async fn many_open_a_new_database_at_once() {
    let server = Server::start();
    let openings = (0..6).map(|_| {
        let url = server.url();
        tokio::spawn(async move { *open(&url).await.unwrap().pepper().await.unwrap().expose() })
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

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let server = Server::start();
    drop(replica(&server).await);
    change(&server, "UPDATE portcullis_schema SET version = 99").await;
    let refused = open(&server.url()).await.err().unwrap();
    assert!(
        matches!(refused, StoreError::Newer { found: 99, .. }),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_of_all_replicas_adds_up() {
    let server = Server::start();
    let meters = [MeterId::team("a"), MeterId::team("b"), MeterId::team("a")];
    let adding = (0..4u64).map(|number| {
        let (url, meters) = (server.url(), meters.clone());
        tokio::spawn(async move {
            let store = open(&url).await.unwrap();
            for at in 0..20 {
                // In another order in each replica: nobody may wait for whoever waits for him.
                let mut deltas: Vec<UsageDelta> = meters
                    .iter()
                    .map(|meter| UsageDelta {
                        meter: meter.clone(),
                        hour: 5,
                        totals: UsageTotals {
                            requests: 1,
                            cost: Money(3),
                            ..UsageTotals::default()
                        },
                    })
                    .collect();
                if number % 2 == 1 {
                    deltas.rotate_left(1);
                }
                let writer = [u8::try_from(number).unwrap(); 16];
                store
                    .add_usage(UsageBatch {
                        writer,
                        number: at,
                        deltas,
                    })
                    .await
                    .unwrap();
            }
        })
    });
    for adding in adding.collect::<Vec<_>>() {
        adding.await.unwrap();
    }
    let mut sums = replica(&server).await.usage_since(0).await.unwrap();
    sums.sort_by(|one, other| one.0.cmp(&other.0));
    let short: Vec<_> = sums
        .iter()
        .map(|(id, sum)| (id.as_str(), sum.requests, sum.cost.0))
        .collect();
    assert_eq!(short, [("team:a", 160, 480), ("team:b", 80, 240)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_write_one_chain() {
    const EACH: u64 = 400;
    let (server, heads) = (Server::start(), Heads::new());
    let writing = (0..3u64).map(|number| {
        let (url, head) = (server.url(), heads.of(&number.to_string()));
        tokio::spawn(async move {
            // All begin at once: the first of them begins the log.
            let store = open(&url).await.unwrap();
            let log = log(&store, &head).await;
            for at in 0..EACH {
                log.append(record(number * EACH + at)).unwrap();
                if at % 40 == 0 {
                    log.flush().await.unwrap();
                }
            }
            log.close().await.unwrap();
        })
    });
    for writing in writing.collect::<Vec<_>>() {
        writing.await.unwrap();
    }
    let store = replica(&server).await;
    for number in 0..3u64 {
        let head = heads.of(&number.to_string());
        let verified = verify(&*store, &key().verifying_key(), Some(&head))
            .await
            .unwrap();
        assert_eq!(verified.records, 3 * EACH, "each record once");
    }
    for number in 0..3 * EACH {
        assert!(
            store.audit_record(&request(number)).await.unwrap().is_some(),
            "{number}"
        );
    }
}

#[tokio::test]
async fn a_replica_with_another_signing_key_does_not_start() {
    let (server, heads) = (Server::start(), Heads::new());
    let store = replica(&server).await;
    drop(log(&store, &heads.of("one")).await);
    let other = SigningKey::from_bytes(&[8; 32]);
    let refused = AuditLog::open(store, other, Some(heads.of("other")))
        .await
        .err()
        .unwrap();
    assert!(matches!(refused, AuditError::NotSigned), "{refused}");
}

/// Ten records by two replicas, and the head file of each.
async fn written(server: &Server, heads: &Heads) {
    let store = replica(server).await;
    let (one, other) = (
        log(&store, &heads.of("one")).await,
        log(&store, &heads.of("other")).await,
    );
    for number in 1..=10 {
        let log = if number % 2 == 0 { &one } else { &other };
        log.append(record(number)).unwrap();
        log.flush().await.unwrap();
    }
    one.close().await.unwrap();
    other.close().await.unwrap();
}

async fn check(server: &Server, head: &Path) -> Result<u64, Tampered> {
    let store = replica(server).await;
    verify(&*store, &key().verifying_key(), Some(head))
        .await
        .map(|verified| verified.records)
}

#[tokio::test]
async fn whatever_a_hostile_hand_does_is_found() {
    let (server, heads) = (Server::start(), Heads::new());
    written(&server, &heads).await;
    let head = heads.of("one");
    assert_eq!(check(&server, &head).await.unwrap(), 10);
    change(
        &server,
        "CREATE TABLE old_audit AS SELECT * FROM audit; CREATE TABLE kept_heads AS SELECT * FROM audit_heads",
    )
    .await;
    for seq in 1..=10 {
        for deed in [
            format!("UPDATE audit SET record = replace(record, '200', '201') WHERE seq = {seq}"),
            format!("UPDATE audit SET request_id = request_id || 'x' WHERE seq = {seq}"),
            format!("UPDATE audit SET hash = set_byte(hash, 31, 255 - get_byte(hash, 31)) WHERE seq = {seq}"),
            format!("DELETE FROM audit WHERE seq = {seq}"),
            format!("DELETE FROM audit WHERE seq >= {seq}"),
            format!("UPDATE audit SET seq = 1000 WHERE seq = {seq}"),
            format!("DELETE FROM audit WHERE seq >= {seq}; DELETE FROM audit_heads"),
            format!("INSERT INTO audit SELECT 11, 'other', record, hash FROM audit WHERE seq = {seq}"),
        ] {
            change(&server, &deed).await;
            assert!(check(&server, &head).await.is_err(), "{deed}");
            change(
                &server,
                "TRUNCATE audit, audit_heads; INSERT INTO audit SELECT * FROM old_audit; INSERT INTO audit_heads SELECT * FROM kept_heads",
            )
            .await;
        }
    }
    for deed in [
        "DELETE FROM audit_heads",
        "UPDATE audit_heads SET signature = set_byte(signature, 0, 255 - get_byte(signature, 0))",
        "UPDATE audit_heads SET unix_ms = unix_ms + 1",
        "UPDATE audit_heads SET seq = 9",
    ] {
        change(&server, deed).await;
        assert!(check(&server, &head).await.is_err(), "{deed}");
        change(
            &server,
            "TRUNCATE audit_heads; INSERT INTO audit_heads SELECT * FROM kept_heads",
        )
        .await;
    }
    assert_eq!(check(&server, &head).await.unwrap(), 10);
}

#[tokio::test]
async fn an_old_copy_put_back_is_found_by_every_replica_that_wrote_later() {
    let (server, heads) = (Server::start(), Heads::new());
    let store = replica(&server).await;
    let (one, other) = (
        log(&store, &heads.of("one")).await,
        log(&store, &heads.of("other")).await,
    );
    one.append(record(1)).unwrap();
    one.flush().await.unwrap();
    change(&server, "CREATE TABLE old_heads AS SELECT * FROM audit_heads").await;
    other.append(record(2)).unwrap();
    other.flush().await.unwrap();
    change(
        &server,
        "DELETE FROM audit WHERE seq > 1; TRUNCATE audit_heads; INSERT INTO audit_heads SELECT * FROM old_heads",
    )
    .await;
    let found = check(&server, &heads.of("other")).await;
    assert!(
        matches!(found, Err(Tampered::CutTail { last: 1, signed: 2 })),
        "{found:?}"
    );
    // Whoever runs sees it at once and serves no more.
    other.append(record(3)).unwrap();
    let refused = other.flush().await.unwrap_err().to_string();
    assert!(refused.contains("records were removed"), "{refused}");
    assert!(!other.healthy() && other.reserve().is_err());
    drop(other);
    let refused = AuditLog::open(Arc::clone(&store), key(), Some(heads.of("other")))
        .await
        .err()
        .unwrap();
    assert!(
        matches!(
            refused,
            AuditError::Behind {
                database: 1,
                head_file: 2
            }
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn a_server_that_was_stopped_loses_nothing_and_doubles_nothing() {
    let (mut server, heads) = (Server::start(), Heads::new());
    let store = replica(&server).await;
    let log = log(&store, &heads.of("one")).await;
    log.append(record(1)).unwrap();
    log.flush().await.unwrap();
    let slot = log.reserve().unwrap();
    server.stop();
    log.append(record(2)).unwrap();
    let refused = log.flush().await.unwrap_err().to_string();
    assert!(
        refused.contains("cannot be reached") || refused.contains("PostgreSQL"),
        "{refused}"
    );
    assert!(!refused.contains("opensesame"), "{refused}");
    assert!(
        log.reserve().is_err() && !log.healthy(),
        "a request without evidence is refused"
    );
    slot.write(record(3));
    let away = store.keys_version().await.unwrap_err();
    assert!(matches!(away, StoreError::Unreachable { .. }), "{away}");
    let away = open(&server.url()).await.err().unwrap();
    assert!(matches!(away, StoreError::Unreachable { .. }), "{away}");

    server.resume();
    while !log.healthy() || log.flush().await.is_err() {
        tokio::task::yield_now().await;
    }
    log.append(record(4)).unwrap();
    log.flush().await.unwrap();
    assert_eq!((log.status().committed, log.status().rejected), (4, 0));
    assert_eq!(check(&server, &heads.of("one")).await.unwrap(), 4);
}

#[tokio::test]
async fn a_server_that_gives_no_answer_is_an_error_and_no_hang() {
    let server = Server::start();
    let store = replica(&server).await;
    store.keys_version().await.unwrap();
    server.freeze();
    let away = store.keys_version().await.unwrap_err();
    assert!(matches!(away, StoreError::Unreachable { .. }), "{away}");
    server.thaw();
    store.keys_version().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let server = Server::start();
    let refused = open(&server.url().replace("opensesame", "hunter2"))
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        refused.contains("password authentication failed") && !refused.contains("hunter2"),
        "{refused}"
    );
}

/// Stands between a store and its server, and cuts the connection when an answer to `COMMIT` comes.
struct Cut {
    folder: TempDir,
    armed: Arc<AtomicBool>,
}

impl Cut {
    fn before(server: &Server) -> Cut {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let armed = Arc::new(AtomicBool::new(false));
        let (behind, armed_now) = (server.socket(), Arc::clone(&armed));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&behind).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&armed_now)));
            }
        });
        Cut { folder, armed }
    }

    fn url(&self, server: &Server) -> String {
        let (address, _) = server
            .url()
            .split_once('?')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        format!("{address}?host={}", self.folder.path().display())
    }
}

async fn pass(mut client: UnixStream, mut server: UnixStream, armed: Arc<AtomicBool>) {
    let (mut asked, mut answered) = ([0; 65536], [0; 65536]);
    let mut committing = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let bytes = &asked[..read];
                committing |= bytes.windows(6).any(|window| window == b"COMMIT");
                if server.write_all(bytes).await.is_err() { return }
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if committing && armed.swap(false, Ordering::SeqCst) {
                    return;
                }
                committing = false;
                if client.write_all(&answered[..read]).await.is_err() { return }
            }
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_done_twice() {
    let (server, heads) = (Server::start(), Heads::new());
    let cut = Cut::before(&server);
    let store = open(&cut.url(&server)).await.unwrap();
    let log = log(&store, &heads.of("one")).await;
    for number in 1..=5 {
        cut.armed.store(true, Ordering::SeqCst);
        log.append(record(2 * number)).unwrap();
        log.append(record(2 * number + 1)).unwrap();
        // An error meanwhile is no wonder; that everything is there once in the end is the point.
        while log.flush().await.is_err() {
            tokio::task::yield_now().await;
        }
        assert!(!cut.armed.load(Ordering::SeqCst), "the connection was cut");
    }
    assert_eq!((log.status().committed, log.status().rejected), (10, 0));
    assert_eq!(check(&server, &heads.of("one")).await.unwrap(), 10);

    let meters = Meters::load(&*store, NOW).await.unwrap();
    let id = MeterId::team("a");
    for _ in 0..3 {
        let limits = Limits::default();
        let admission = meters.admit(&[(id.clone(), &limits)], NOW).await.unwrap();
        admission.settle(
            &Usage {
                input: 5,
                ..Usage::default()
            },
            Money(10),
            NOW,
        );
        cut.armed.store(true, Ordering::SeqCst);
        assert!(meters.flush(&*store).await.is_err(), "the answer was lost");
    }
    meters.flush(&*store).await.unwrap();
    let (_, sum) = store.usage_since(0).await.unwrap().remove(0);
    assert_eq!((sum.requests, sum.usage.input, sum.cost), (3, 15, Money(30)));

    let (_, text) = store.create_key(NewKey::named("ann"), NOW).await.unwrap();
    let keyring = Keyring::load(Arc::clone(&store)).await.unwrap();
    assert_eq!(keyring.authenticate(text.expose(), NOW).unwrap().name, "ann");
    let owner = KeyId::from_text("key_a");
    store
        .remember_owned("response", "r", &owner, "openai", None, NOW)
        .await
        .unwrap();
    let row = hand(&server)
        .await
        .fetch_one("SELECT count(*) FROM owned")
        .await
        .unwrap();
    assert_eq!(row.get::<i64, _>(0), 1);
}
