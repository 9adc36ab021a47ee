//! `portcullis mcp-sql`, by the protocol's official Python client, on a real PostgreSQL and on SQLite.

use std::fs;
use std::path::Path;
use std::process::Command;

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use crate::sdk::{python, root};
use crate::server::Server;

const TABLES: &str = "CREATE TABLE customers (id int PRIMARY KEY, name text, email text, ssn text, gone int);
    INSERT INTO customers VALUES (1, 'Ann', 'MARKann@example.com', 'MARK1', 0), (2, 'Bob', NULL, 'MARK2', 0), (3, 'MARKgone', NULL, 'MARK3', 1);
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total int, note text);
    INSERT INTO orders VALUES (1, 1, 10, 'NOTE'), (2, 1, 20, 'NOTE'), (3, 2, 5, 'NOTE');
    CREATE TABLE secrets (k text); INSERT INTO secrets VALUES ('MARKTAB');";

fn policy(folder: &Path, writes: bool) -> String {
    let statements = if writes {
        "[select, insert, update, delete]"
    } else {
        "[select]"
    };
    let path = folder.join("policy.yaml");
    let text = format!(
        "rows: 10\nbytes: 1 KiB\ntimeout: 500ms\nstatements: {statements}\nfunctions: [slow]\ntables:\n  customers:\n    columns: [id, name, email]\n    filter: gone = 0\n    mask: {{ email: stars }}\n    write: [id, name]\n  orders:\n    columns: [id, customer_id, total, note]\n    statements: [select]\n"
    );
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

async fn client(database: String, policy: String, writes: bool) {
    let script = root().join("tests/sdk/mcp_sql_client.py");
    let output = tokio::task::spawn_blocking(move || {
        Command::new(python())
            .arg("-B")
            .arg(script)
            .args([env!("CARGO_BIN_EXE_portcullis"), &database, &policy])
            .arg(if writes { "writes" } else { "reads" })
            .env_clear()
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains("all cases hold"),
        "{told}"
    );
}

#[tokio::test]
async fn postgres() {
    let server = Server::start();
    let mut root = PgConnection::connect(&server.url()).await.unwrap();
    let note = "x".repeat(600);
    root.execute(sqlx::raw_sql(&TABLES.replace("NOTE", &note)))
        .await
        .unwrap();
    let slow =
        "CREATE FUNCTION slow(int) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT pg_sleep(2)::text $$";
    root.execute(slow).await.unwrap();
    for writes in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        client(server.url(), policy(folder.path(), writes), writes).await;
    }
    let kept: String =
        sqlx::query_scalar("SELECT string_agg(concat(id, name, ssn, gone), ',' ORDER BY id) FROM customers")
            .fetch_one(&mut root)
            .await
            .unwrap();
    assert_eq!(kept, "1ANNMARK10,2BobMARK20,3MARKgoneMARK31,7Eve0");
}

#[tokio::test]
async fn sqlite() {
    for writes in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        let database = rusqlite::Connection::open(&file).unwrap();
        database
            .execute_batch(&TABLES.replace("NOTE", &"x".repeat(600)))
            .unwrap();
        drop(database);
        let before = fs::read(&file).unwrap();
        client(
            format!("sqlite:{}", file.display()),
            policy(folder.path(), writes),
            writes,
        )
        .await;
        assert_eq!(fs::read(&file).unwrap() == before, !writes);
    }
}

#[test]
fn mistakes_are_told_and_no_password_is() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.yaml");
    fs::write(&wrong, "tables:\n  a: { colums: [id] }\nrows: many\n").unwrap();
    let right = policy(folder.path(), false);
    let tried = |database: &str, policy: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["mcp-sql", "--check", "--database", database, "--policy", policy])
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let told = tried("sqlite:nowhere.db", &wrong.display().to_string());
    assert!(
        told.contains("wrong.yaml:2:") && told.contains("wrong.yaml:3:"),
        "{told}"
    );
    for address in [
        "postgres://gate:opensesame@127.0.0.1:1/x",
        "postgres://gate:opensesame@127.0.0.1:notaport/x",
        "mysql://gate:opensesame@127.0.0.1/x",
        "sqlite:nowhere.db",
        "env:PORTCULLIS_TEST_NOTHING",
    ] {
        let told = tried(address, &right);
        assert!(!told.contains("opensesame") && !told.is_empty(), "{told}");
    }
}
