//! Cases of tool policies: conversations with the calls that a model makes at their end. Every rule of a verdict that is documented has a case.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use portcullis_core::{KeyId, Principal};
use portcullis_policy::tools::{Conversation, Evidence, Offered, ToolPolicy, Turn, judge};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    policy: String,
    #[serde(default)]
    offered: Vec<Tool>,
    talks: BTreeMap<String, Talk>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    name: String,
    schema: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Talk {
    turns: Vec<Turn>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    call: Call,
    #[serde(default)]
    beside: Vec<String>,
    expect: String,
    #[serde(default)]
    because: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    tool: String,
    arguments: serde_json::Value,
}

fn who() -> Principal {
    Principal::new(KeyId::from_text("key_1"), "agent")
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the crate reads no files, its cases do")]
fn calls_are_judged_as_the_cases_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/tools");
    let (mut count, mut rules, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let file: File = toml::from_str(&text).unwrap();
        let policy: ToolPolicy = serde_json::from_str(&file.policy).unwrap();
        let policy = Arc::new(policy);
        let offered = |tool: &Tool| Offered {
            name: tool.name.clone(),
            about: String::new(),
            schema: serde_json::from_str(&tool.schema).unwrap(),
        };
        for (talk, Talk { turns, cases }) in file.talks {
            let conversation = Conversation {
                turns,
                offered: file.offered.iter().map(offered).collect(),
                tainted: false,
            };
            let evidence = Evidence::new(Arc::clone(&policy), conversation);
            for case in cases {
                count += 1;
                let verdict = judge(
                    &evidence,
                    &who(),
                    &case.call.tool,
                    &case.call.arguments,
                    &case.beside,
                );
                let because: Vec<&str> = verdict.reasons.iter().map(|reason| reason.rule).collect();
                rules.extend(because.iter().map(|rule| (*rule).to_owned()));
                if verdict.answer.name() != case.expect || because != case.because {
                    wrong.push(format!(
                        "{talk}: {}: {} because of {because:?}: {:#?}",
                        case.name,
                        verdict.answer.name(),
                        verdict.reasons
                    ));
                }
                for reason in &verdict.reasons {
                    assert!(!reason.briefly().contains("evil"), "{}", reason.briefly());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 30, "{count}");
    for rule in [
        "flow.origin",
        "flow.known",
        "flow.source",
        "flow.mentioned",
        "flow.redirected",
        "flow.unnamed",
        "flow.intent",
        "flow.content",
        "flow.trifecta",
        "tool.answer",
        "tool.principal",
        "tool.quota",
        "tool.sequence",
    ] {
        assert!(rules.contains(rule), "{rule} has no case");
    }
}
