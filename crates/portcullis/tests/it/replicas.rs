//! Two gateways, the real program, on one PostgreSQL database that is stopped and comes back; and a conversation that goes from one
//! to the other.

use portcullis::standin::Standin;
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::idp::exchange;
use crate::redis::Redis;
use crate::server::Server;
use crate::standin::in_background;

const UPSTREAM_KEY: &str = "upstream-key-of-the-tests";

#[test]
fn two_gateways_share_keys_and_one_audit_log_and_outlive_their_database() {
    let (_runtime, model) = in_background(Standin::new().expecting_key(UPSTREAM_KEY));
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

const MAIL: &str = "ann.lee@corp.example.org";

/// A turn of a conversation that the provider stores: what came back.
fn turn(gateway: &Gateway, key: &str, input: &str, previous: Option<&str>) -> Value {
    let mut body = json!({ "model": "gpt-4o", "input": input });
    if let Some(previous) = previous {
        body["previous_response_id"] = previous.into();
    }
    let headers = format!("authorization: Bearer {key}\r\ncontent-type: application/json\r\n");
    let host = gateway.url.strip_prefix("http://").unwrap();
    let answer = exchange(host, "POST", "/v1/responses", &headers, &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    // It may have come in chunks.
    let begin = answer
        .body
        .find('{')
        .and_then(|at| answer.body.get(at..))
        .unwrap();
    let mut values = serde_json::Deserializer::from_str(begin).into_iter::<Value>();
    values.next().unwrap().unwrap()
}

fn said(reply: &Value) -> &str {
    reply["output"][0]["content"][0]["text"].as_str().unwrap()
}

/// The second turn sends nothing of the first, and comes to a process that has never seen it.
#[test]
fn a_conversation_goes_from_one_gateway_to_the_other() {
    let model = Standin::new().expecting_key(UPSTREAM_KEY);
    let (_runtime, address) = in_background(model.clone());
    let (postgres, redis) = (Server::start(), Redis::start(false));
    let more = format!(
        "shared: {}\nprofiles: {{ default: {{ pii: {{ input: mask, output: redact, types: [EMAIL_ADDRESS] }} }} }}\n",
        redis.url()
    );
    let start =
        |key: Option<&std::path::Path>| Gateway::with(&postgres.url(), key, address, UPSTREAM_KEY, &more, "");
    let one = start(None);
    let other = start(Some(&one.signing_key()));
    let (key, strangers) = (one.key("ann", &[]), one.key("eve", &[]));
    for key in [&key, &strangers] {
        other.until("a key is known everywhere", |other| {
            other.get("/v1/models", key) == 200
        });
    }

    let first = turn(&one, &key, &format!("Remember {MAIL}"), None);
    assert!(said(&first).contains(MAIL), "{first}");
    let sent = model.received().last().unwrap().body.clone();
    let sent = String::from_utf8(sent.to_vec()).unwrap();
    let placeholder = format!("[{}]", sent.split('[').nth(1).unwrap().split(']').next().unwrap());
    assert!(
        placeholder.starts_with("[EMAIL_ADDRESS_1_") && !sent.contains(MAIL),
        "{sent}"
    );

    let mut previous = first["id"].as_str().unwrap().to_owned();
    let ask = format!("Please repeat: {placeholder}");
    for gateway in [&other, &one, &other] {
        let next = turn(gateway, &key, &ask, Some(&previous));
        assert_eq!(said(&next), MAIL, "{next}");
        next["id"].as_str().unwrap().clone_into(&mut previous);
        assert!(
            !model
                .received()
                .last()
                .unwrap()
                .body
                .windows(MAIL.len())
                .any(|part| part == MAIL.as_bytes())
        );
    }
    // Outside the conversation it is nothing, and whoever did not make it has no part in it.
    assert_eq!(said(&turn(&other, &key, &ask, None)), placeholder);
    assert_eq!(said(&turn(&other, &strangers, &ask, None)), placeholder);
    let headers = format!("authorization: Bearer {strangers}\r\ncontent-type: application/json\r\n");
    let body = json!({ "model": "gpt-4o", "input": ask, "previous_response_id": previous }).to_string();
    let host = other.url.strip_prefix("http://").unwrap();
    assert_eq!(
        exchange(host, "POST", "/v1/responses", &headers, &body).status,
        403
    );
}
