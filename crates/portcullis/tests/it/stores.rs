//! Encrypted stores: a real Redis and a real PostgreSQL that speak TLS, with certificates of an authority of the test's own.

use std::time::{Duration, Instant};

use portcullis::standin::Standin;

use crate::commands::Folder;
use crate::gateway::Gateway;
use crate::idp::exchange;
use crate::redis::Redis;
use crate::serve::Service;
use crate::server::Server;
use crate::standin::in_background;
use crate::tls::Authority;

const UPSTREAM_KEY: &str = "upstream-key-of-the-tests";

#[test]
fn a_gateway_counts_in_redis_and_keeps_in_postgresql_over_tls() {
    let (_runtime, model) = in_background(Standin::new().expecting_key(UPSTREAM_KEY));
    let authority = Authority::new("an authority of the tests");
    let pair = authority.server();
    let (redis, postgres) = (
        Redis::encrypted(&pair.cert, &pair.key),
        Server::encrypted(&pair.cert, &pair.key),
    );
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, &authority.pem).unwrap();
    let state = postgres.tls_url(&format!("sslmode=verify-full&sslrootcert={}", ca.display()));
    let more = format!("shared: {}\nshared_ca: file:{}\n", redis.url(), ca.display());
    let gateway = Gateway::with(&state, None, model, UPSTREAM_KEY, &more, "");
    let key = gateway.key("twice", &["--rpm", "60"]);
    gateway.until("it serves", |gateway| gateway.ask(&key) == 200);
    assert_eq!(gateway.get("/readyz", ""), 200);
    let (status, listed) = gateway.command(&["key", "list"]);
    assert!(status == 0 && listed.contains("twice"), "{listed}");
}

/// None of them, for five seconds.
fn never_ready(services: &[Service]) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        for service in services {
            assert_eq!(exchange(&service.data, "GET", "/readyz", "", "").status, 503);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_redis_that_does_not_prove_who_it_is_is_not_asked() {
    let (authority, other) = (Authority::new("one"), Authority::new("other"));
    let pair = authority.server();
    let redis = Redis::encrypted(&pair.cert, &pair.key);
    let settings = |more: &str| {
        format!("listen: 127.0.0.1:0\nadmin: {{ listen: 127.0.0.1:0, token: env:ADMIN_TOKEN }}\n{more}")
    };
    let service = |ca: Option<&str>, url: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut more = format!("shared: {url}\n");
        if let Some(ca) = ca {
            std::fs::write(folder.path().join("ca.pem"), ca).unwrap();
            more.push_str("shared_ca: file:ca.pem\n");
        }
        Service::with(folder, &settings(&more))
    };
    // By another authority; by the system's; another name than its certificate has; not encrypted at all.
    let url = redis.url();
    let elsewhere = url.replace("localhost", "127.0.0.1");
    let plain = url.replace("rediss://", "redis://");
    let wrong = [
        service(Some(&other.pem), &url),
        service(None, &url),
        service(Some(&authority.pem), &elsewhere),
        service(None, &plain),
    ];
    never_ready(&wrong);
    let right = service(Some(&authority.pem), &url);
    let begun = Instant::now();
    while exchange(&right.data, "GET", "/readyz", "", "").status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never became ready");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_postgresql_that_does_not_prove_who_it_is_is_not_asked() {
    let (authority, other) = (Authority::new("one"), Authority::new("other"));
    let pair = authority.server();
    let postgres = Server::encrypted(&pair.cert, &pair.key);
    let folder = Folder::new();
    folder.write("portcullis.yaml", "state: file:state.url\n");
    for (name, pem) in [("one.pem", &authority.pem), ("other.pem", &other.pem)] {
        folder.write(name, pem);
    }
    let place = |name: &str| folder.path().join(name).display().to_string();
    let with = |parameters: &str| postgres.tls_url(parameters);
    for (url, code) in [
        (
            with(&format!("sslmode=verify-full&sslrootcert={}", place("one.pem"))),
            0,
        ),
        (
            with(&format!("sslmode=verify-full&sslrootcert={}", place("other.pem"))),
            1,
        ),
        (with("sslmode=verify-full"), 1),
        (
            with(&format!("sslmode=verify-full&sslrootcert={}", place("one.pem")))
                .replace("localhost", "127.0.0.1"),
            1,
        ),
    ] {
        folder.write("state.url", &url);
        let ran = folder.run(&["key", "list"]).code(code);
        assert!(!ran.err().contains("opensesame"), "{}", ran.err());
    }
}

#[test]
fn authorities_that_cannot_be_read_are_told() {
    let folder = Folder::new();
    folder.write(
        "portcullis.yaml",
        "shared: rediss://cache.internal:6380\nshared_ca: file:ca.pem\n",
    );
    let ran = folder.run(&["check"]).code(1);
    assert!(
        ran.err().contains("portcullis.yaml:2:12: shared_ca: cannot read"),
        "{}",
        ran.err()
    );
    folder.write("ca.pem", "no certificate");
    let ran = folder.run(&["check"]).code(1);
    assert!(ran.err().contains("no certificate in PEM"), "{}", ran.err());
}
