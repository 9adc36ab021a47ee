//! Rules of a user's own, from the file to what they find.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::Arc;

use portcullis::config::{Config, Credentials, Source, load};
use portcullis::wiring::Running;
use serde_json::Value;

use crate::commands::Folder;

const RULES: &str = "\
listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
state: sqlite:state.db
audit: { signing_key: file:audit.key }
rules_files: [acme.toml]
rules:
  - id: ACME_BADGE
    family: pii
    severity: high
    about: Badges of the Acme company.
    pattern: 'AB-[0-9]{6}'
    hit: ['badge «AB-{digit:6}».']
    miss: ['AB-{digit:5}']
profiles:
  default:
    pii: { types: [EMAIL_ADDRESS, ACME_BADGE] }
";

const FILE: &str = "\
[[rule]]
id = 'ACME_KEY'
severity = 'critical'
about = 'Keys of the Acme company.'
pattern = ['acme_[a-z0-9]{20}']
hit = ['«acme_{hex:20}»']
";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("portcullis.yaml", RULES);
    folder.write("acme.toml", FILE);
    folder
}

#[test]
fn every_command_knows_them() {
    let folder = folder();
    let told = folder.run(&["check"]).code(0).out();
    assert!(told.contains("2 rules of its own"), "{told}");
    let listed = folder.run(&["detectors", "--json"]).code(0).out();
    let of = |id: &str| {
        let lines = listed
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.into_iter().find(|kind| kind["type"] == id).unwrap()["family"].clone()
    };
    assert_eq!(
        (of("ACME_BADGE"), of("ACME_KEY")),
        ("pii".into(), "secret".into())
    );
    let key = format!("acme_{}", "a1b2c3d4e5".repeat(2));
    let text = format!("badge AB-123456, key {key}");
    let told = folder.feed(&["scan", "--json"], &text).code(3).out();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["redacted"], "badge [ACME_BADGE], key [ACME_KEY]");
}

#[test]
fn a_bad_rule_is_an_error_with_its_line() {
    let folder = folder();
    folder.write(
        "bad.yaml",
        "rules:\n  - id: A\n    severity: hihg\n    pattern: { a: b }\n  - id: B\n    severity: low\n    pattern: 'a('\n    \
         channels: [usr]\n  - id: C\n    severity: low\n    pattern: abcd\n    miss: [abcd]\n",
    );
    let told = folder.run(&["check", "bad.yaml"]).code(1).err();
    for (line, begins) in told.lines().zip([
        "bad.yaml:3:15: rules[0].severity: ",
        "bad.yaml:4:14: rules[0].pattern: expected a text (put a number or true/false in quotes) or a list",
        "bad.yaml:8:16: rules[1].channels[0]: there is no channel `usr`",
        "bad.yaml:12:12: rules[2].miss[0]: is found: `abcd`",
    ]) {
        assert!(line.starts_with(begins), "{begins}\n{told}");
    }
    assert_eq!(told.lines().count(), 4, "{told}");
}

fn config(folder: &Folder) -> Config {
    load(
        &Source::File(folder.path().join("portcullis.yaml")),
        Credentials::Leave,
    )
    .unwrap()
}

#[tokio::test]
async fn a_reload_with_other_rules_has_another_inspector_and_one_with_the_same_keeps_it() {
    let folder = folder();
    let running = Running::start(config(&folder)).await.unwrap();
    let first = running.inspector();
    running.reload(config(&folder)).unwrap();
    assert!(Arc::ptr_eq(&first, &running.inspector()));
    folder.write(
        "acme.toml",
        &FILE.replace("{20}", "{24}").replace("hex:20", "hex:24"),
    );
    running.reload(config(&folder)).unwrap();
    let second = running.inspector();
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(first.rules().len(), second.rules().len());
    running.drain().await;
}

#[test]
fn a_program_that_asks_line_by_line_is_answered_line_by_line() {
    let folder = folder();
    let mut child = folder
        .command()
        .args(["scan", "--jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut asked = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    for (id, text) in [(1, "fine"), (2, "AB-123456"), (3, "fine")] {
        writeln!(asked, "{}", serde_json::json!({"id": id, "text": text})).unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], id);
    }
    drop(asked);
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
