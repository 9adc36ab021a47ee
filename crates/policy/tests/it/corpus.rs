//! Runs `tests/corpus/<rule>.toml`. Every rule has cases, and every file of cases has a rule.

use std::{path::Path, sync::Arc};

use portcullis_core::{
    Action, Channel, Decision, Direction, Family, Finding, Glob, Kind, Located, Origin, PartId, Severity,
    Span, Uninspectable, UninspectableKind,
};
use portcullis_policy::{Denial, Facts, Profile, decide, rules::RULES};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Corpus {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    profile: Profile,
    direction: Direction,
    #[serde(default)]
    models: Vec<Glob>,
    /// Lists of the groups that the key belongs to.
    #[serde(default)]
    group_models: Vec<Vec<Glob>>,
    model: Option<String>,
    #[serde(default)]
    system_prompt_from_client: bool,
    #[serde(default)]
    found: Vec<Found>,
    #[serde(default)]
    uninspectable: Vec<UninspectableKind>,
    decision: Decision,
    refusal: Option<Denial>,
    refused_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    channel: Channel,
    origin: Option<Origin>,
    family: Family,
    kind: String,
    target: Option<String>,
    action: Action,
    rule: Option<String>,
}

/// A finding at some place; where exactly in the text does not matter to a decision.
pub fn located(
    channel: Channel,
    origin: Origin,
    family: Family,
    kind: &str,
    target: Option<&str>,
) -> Located {
    Located {
        part: PartId(0),
        channel,
        origin,
        piece: 0,
        finding: Finding {
            kind: Kind::new(kind),
            family,
            span: Span::new(0, 1),
            severity: Severity::High,
            score: 1.0,
            target: target.map(Arc::from),
        },
    }
}

fn run(rule: &str, case: &Case) {
    let findings: Vec<Located> = case
        .found
        .iter()
        .map(|found| {
            let origin = found.origin.unwrap_or(found.channel.origin());
            located(
                found.channel,
                origin,
                found.family,
                &found.kind,
                found.target.as_deref(),
            )
        })
        .collect();
    let uninspectable: Vec<Uninspectable> = case
        .uninspectable
        .iter()
        .map(|kind| Uninspectable {
            kind: *kind,
            path: "messages[0].content[0]".to_owned(),
            bytes: 1,
        })
        .collect();
    let lists = std::iter::once(&case.models).chain(&case.group_models);
    let lists: Vec<&[Glob]> = lists.map(Vec::as_slice).filter(|list| !list.is_empty()).collect();
    let verdict = decide(
        &case.profile,
        &Facts {
            direction: case.direction,
            principal_models: &lists,
            model: case.model.as_deref(),
            system_prompt_from_client: case.system_prompt_from_client,
            findings: &findings,
            uninspectable: &uninspectable,
        },
    );
    let title = format!("{rule}: {}", case.name);
    assert_eq!(verdict.decision, case.decision, "{title}");
    assert_eq!(verdict.refusal, case.refusal, "{title}");
    assert_eq!(verdict.uninspectable.len(), uninspectable.len(), "{title}");
    assert_eq!(verdict.rulings.len(), findings.len(), "{title}");
    if let Some(by) = &case.refused_by {
        assert_eq!(
            verdict.refused_by.map(|rule| rule.to_string()).as_ref(),
            Some(by),
            "{title}"
        );
    }
    for (found, ruling) in case.found.iter().zip(&verdict.rulings) {
        assert_eq!(ruling.action, found.action, "{title}: {}", found.kind);
        if let Some(rule) = &found.rule {
            assert_eq!(&ruling.rule.to_string(), rule, "{title}: {}", found.kind);
        }
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the crate reads no files, its cases do")]
fn every_case_of_every_rule() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut files: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // Tools and arguments have harnesses of their own.
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut rules: Vec<&str> = RULES.iter().map(|rule| rule.id()).collect();
    rules.sort_unstable();
    assert_eq!(files, rules, "the registry and the corpus name the same rules");

    for rule in rules {
        let text = std::fs::read_to_string(folder.join(format!("{rule}.toml"))).unwrap();
        let corpus: Corpus = toml::from_str(&text).unwrap_or_else(|error| panic!("{rule}.toml: {error}"));
        assert!(corpus.case.len() >= 3, "{rule}.toml has too few cases");
        for case in &corpus.case {
            run(rule, case);
        }
    }
}
