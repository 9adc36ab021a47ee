//! The rules' own cases: every `hit` is found where it is marked, every `miss` is not.

use portcullis_core::Span;

use crate::samples::{INSPECTOR, cases, scan};

/// What no text alone shows: that there was too much of it, and what a classifier says.
const WITHOUT: [&str; 5] = [
    "injection.bomb",
    "injection.classified",
    "injection.classified_jailbreak",
    "injection.classified_extraction",
    "injection.unclassified",
];

#[test]
fn every_rule_has_cases_and_a_description() {
    for rule in INSPECTOR.rules() {
        assert!(
            (rule.hits().len() >= 3 || WITHOUT.contains(&rule.id().as_str())) && rule.misses().len() >= 3,
            "{}",
            rule.id()
        );
        assert!(
            rule.hits().iter().all(|hit| hit.contains('«')),
            "{}: a hit is marked",
            rule.id()
        );
        assert!(
            !rule.misses().iter().any(|miss| miss.contains('«')),
            "{}: a miss is not marked",
            rule.id()
        );
        assert!(
            rule.about().ends_with('.') && (0.0..=1.0).contains(&rule.score()),
            "{}",
            rule.id()
        );
    }
}

#[test]
fn hits_are_found_where_they_are_marked_and_misses_are_not() {
    let mut wrong = Vec::new();
    for rule in INSPECTOR.rules() {
        let only = INSPECTOR.select(|other| other.id() == rule.id());
        for case in cases(rule) {
            let found = scan(&case.text, case.channel, &only);
            let spans: Vec<Span> = found.iter().map(|finding| finding.span).collect();
            if spans != case.marked.into_iter().collect::<Vec<_>>() {
                let (text, marked) = (&case.text, case.marked);
                wrong.push(format!(
                    "{}: {text:?}: marked {marked:?}, found {spans:?}",
                    rule.id()
                ));
            }
            assert!(
                found
                    .iter()
                    .all(|finding| finding.kind == *rule.id() && finding.family == rule.family())
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
