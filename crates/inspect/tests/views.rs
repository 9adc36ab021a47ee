//! What views show: maps are exact, and what a rule finds it also finds in disguise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test"
)]

use std::sync::LazyLock;

use portcullis_core::{Channel, Finding, Span};
use portcullis_inspect::{
    Inspector, Rule,
    corpus::expand,
    views::{VIEWS, explore},
};

static INSPECTOR: LazyLock<Inspector> = LazyLock::new(|| Inspector::built_in().unwrap());

fn scan(rule: &Rule, text: &str) -> Vec<Finding> {
    let only = INSPECTOR.select(|other| other.id() == rule.id());
    let mut found = Vec::new();
    INSPECTOR.scan(text, rule.channels()[0], &only, &mut found);
    found
}

/// The hits of a rule: what stands before the marked part, the part, and what stands behind it.
fn hits(rule: &Rule) -> impl Iterator<Item = [String; 3]> {
    (1..).zip(rule.hits()).map(|(seed, hit)| {
        let text = expand(hit, seed);
        let (before, rest) = text.split_once('«').unwrap();
        let (marked, after) = rest.split_once('»').unwrap();
        [before, marked, after].map(str::to_owned)
    })
}

#[test]
fn every_hit_is_found_in_every_disguise() {
    let mut wrong = Vec::new();
    for view in VIEWS {
        for rule in INSPECTOR
            .rules()
            .iter()
            .filter(|rule| view.families().contains(&rule.family()))
        {
            for [before, marked, after] in hits(rule) {
                let Some(disguised) = view.disguise(&marked) else {
                    continue;
                };
                let text = format!("{before}{disguised}{after}");
                let span = Span::new(before.len(), before.len() + disguised.len());
                let found = scan(rule, &text);
                // Views that read a value out of its place lose what stood around it: where that counts, all is disguised.
                let needs = !scan(rule, &marked)
                    .iter()
                    .any(|finding| finding.span == Span::new(0, marked.len()));
                let all = view.disguise(&format!("{before}{marked}{after}"));
                let in_all = needs && all.is_none_or(|all| !scan(rule, &all).is_empty());
                if !in_all && !found.iter().any(|finding| finding.span == span) {
                    wrong.push(format!(
                        "{} {}: {text:?}: {span:?}, found {found:?}",
                        view.id(),
                        rule.id()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn json_in_json_is_read_with_exact_spans() {
    let token = expand("ghp_{crc62:30}", 3);
    let mut text = format!("TOKEN=\"{token}\"\nMAIL=jane@example.com");
    for _ in 0..3 {
        text = serde_json::to_string(&[text]).unwrap();
        let mut found = Vec::new();
        INSPECTOR.scan(
            &text,
            Channel::ToolResult,
            &INSPECTOR.select(|_| true),
            &mut found,
        );
        let mail = found
            .iter()
            .find(|finding| finding.kind.as_str() == "EMAIL_ADDRESS")
            .unwrap();
        assert_eq!(
            &text[mail.span.start..mail.span.end],
            "jane@example.com",
            "{text}"
        );
        assert_eq!(
            found.iter().filter(|finding| finding.kind == mail.kind).count(),
            1
        );
    }
    let mut deepest = 0;
    explore(&text, &mut |derived| deepest = deepest.max(derived.trail.len()));
    assert_eq!(deepest, 3);
}
