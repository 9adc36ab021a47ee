//! The argument rules as cases: `tests/corpus/arguments/<kind>*.toml`, each with rules and with what they let pass, rewrite and refuse.

#![allow(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test reads its corpus, and one that cannot go on ends here"
)]

use std::collections::BTreeMap;
use std::fs;

use portcullis_policy::arguments::{Argument, ArgumentRule, Checked};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    /// The kind of rule.
    kind: String,
    /// Rules by name.
    rules: BTreeMap<String, Value>,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rule: String,
    /// Values that pass, as they are or rewritten.
    #[serde(default)]
    pass: Vec<Value>,
    /// Values that are refused.
    #[serde(default)]
    refuse: Vec<Value>,
    /// The rule that refuses them, where it matters.
    by: Option<String>,
    /// What passes and what it becomes.
    #[serde(default)]
    rewrite: Vec<(Value, Value)>,
}

fn rule(kind: &str, written: &Value) -> Argument {
    let whole = serde_json::json!({ kind: written });
    serde_json::from_value(whole).unwrap_or_else(|why| panic!("{kind} {written}: {why}"))
}

#[test]
fn every_case() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/arguments");
    let mut wrong = Vec::new();
    let mut tried = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let corpus: Corpus = toml::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        for case in &corpus.case {
            let written = corpus
                .rules
                .get(&case.rule)
                .unwrap_or_else(|| panic!("no rule {}", case.rule));
            let rule = rule(&corpus.kind, written);
            let name = format!("{} {}", path.file_name().unwrap().display(), case.rule);
            for value in &case.pass {
                if let Err(why) = rule.check(value) {
                    wrong.push(format!("{name}: refused {value}: {why}"));
                }
            }
            for value in &case.refuse {
                match rule.check(value) {
                    Ok(what) => wrong.push(format!("{name}: passed {value} as {what:?}")),
                    Err(why) if case.by.as_ref().is_some_and(|by| by != why.rule) => {
                        wrong.push(format!("{name}: {value} was refused by {why}"));
                    }
                    Err(_) => {}
                }
            }
            for (value, expected) in &case.rewrite {
                let got = rule.check(value);
                if got != Ok(Checked::Rewritten(expected.clone())) {
                    wrong.push(format!("{name}: {value}\n  became {got:?}\n  not    {expected}"));
                }
            }
            tried += case.pass.len() + case.refuse.len() + case.rewrite.len();
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(tried > 100, "{tried}");
}
