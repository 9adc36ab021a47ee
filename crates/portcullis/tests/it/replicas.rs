//! Two gateways, the real program, on one PostgreSQL database that is stopped and comes back.

use portcullis::standin::Standin;

use crate::gateway::Gateway;
use crate::server::Server;
use crate::standin::started;

const UPSTREAM_KEY: &str = "upstream-key-of-the-tests";

#[test]
fn two_gateways_share_keys_and_one_audit_log_and_outlive_their_database() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let model = runtime.block_on(started(Standin::new().expecting_key(UPSTREAM_KEY)));
    let mut server = Server::start();
    let one = Gateway::on(&server.url(), None, model, UPSTREAM_KEY);
    let signing_key = one.signing_key();
    let other = Gateway::on(&server.url(), Some(&signing_key), model, UPSTREAM_KEY);
    let replicas = [&one, &other];

    let (key, brief) = (one.key("ann", &[]), one.key("brief", &[]));
    for replica in replicas {
        replica.until("a key is known everywhere", |replica| replica.ask(&key) == 200);
        replica.until("a key is known everywhere", |replica| replica.ask(&brief) == 200);
    }
    assert_eq!(other.command(&["key", "revoke", "brief"]).0, 0);
    for replica in replicas {
        replica.until("a key is revoked everywhere", |replica| {
            replica.ask(&brief) == 401
        });
    }

    server.stop();
    for replica in replicas {
        // The first of these may still be answered; its record is kept until the database is back.
        replica.until("without evidence, nothing is served", |replica| {
            replica.ask(&key) == 503
        });
        replica.until("and it is said", |replica| replica.get("/readyz", "") == 503);
        assert_eq!(replica.get("/healthz", ""), 200, "a restart would not help");
        let (status, told) = replica.command(&["audit", "verify"]);
        assert!(
            status == 1 && told.contains("cannot be reached"),
            "{status} {told}"
        );
        assert!(!told.contains("opensesame"), "{told}");
    }

    server.resume();
    for replica in replicas {
        replica.until("it recovers by itself", |replica| {
            replica.get("/readyz", "") == 200
        });
        replica.until("it serves", |replica| replica.ask(&key) == 200);
        assert!(!replica.log().contains("opensesame"), "{}", replica.log());
    }
    for replica in replicas {
        replica.until("every record is in the chain", |replica| {
            let (status, told) = replica.command(&["audit", "verify"]);
            assert_eq!(status, 0, "{told}");
            let (_, tail) = replica.command(&["audit", "tail", "--json", "--count", "1000"]);
            tail.lines()
                .filter(|line| line.contains("\"status\":200"))
                .count()
                >= 6
        });
    }
    let (_, keys) = one.command(&["key", "list"]);
    assert!(keys.contains("ann") && keys.contains("brief"), "{keys}");
}
