//! The rules' own cases: every `hit` is found where it is marked, every `miss` is not, whole and cut anywhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test"
)]

use portcullis_core::{Channel, Finding, Span};
use portcullis_inspect::{Inspector, Rule, Selection, Window, corpus::expand};

/// A case written out: its text without marks, and what is marked.
fn case(template: &str, seed: u64) -> (String, Option<Span>) {
    let text = expand(template, seed);
    let marked = text
        .find('«')
        .zip(text.find('»'))
        .map(|(start, end)| Span::new(start, end - '«'.len_utf8()));
    (text.replace(['«', '»'], ""), marked)
}

fn scan(inspector: &Inspector, text: &str, channel: Channel, selection: &Selection) -> Vec<Finding> {
    let mut found = Vec::new();
    inspector.scan(text, channel, selection, &mut found);
    found
}

fn scan_plain(inspector: &Inspector, text: &str, channel: Channel, selection: &Selection) -> Vec<Finding> {
    let mut found = Vec::new();
    inspector.scan_plain(text, channel, selection, &mut found);
    found
}

fn stream(inspector: &Inspector, pieces: &[&str], channel: Channel, selection: &Selection) -> Vec<Finding> {
    let mut window = Window::new(channel, selection.clone());
    let mut found = Vec::new();
    let (mut offset, mut pushed) = (0, 0);
    for piece in pieces {
        let before = found.len();
        pushed += piece.len();
        let next = window
            .push(inspector, piece, &mut found)
            .expect("cases are short");
        assert!(
            offset <= next && next <= pushed,
            "the offset goes forward and never past the text"
        );
        assert!(
            found[before..].iter().all(|f| f.span.start >= offset),
            "nothing is found in what was final"
        );
        assert_eq!(window.held(), pushed - next);
        assert!(
            found.iter().all(|f| f.span.end <= next || f.span.start >= next),
            "nothing found crosses"
        );
        offset = next;
    }
    let before = found.len();
    assert_eq!(window.finish(inspector, &mut found), pushed);
    assert!(
        found[before..].iter().all(|f| f.span.start >= offset),
        "nothing is found in what was final"
    );
    found
}

/// Overlapping spans merged: what redaction would replace.
fn merged(found: &[Finding]) -> Vec<Span> {
    let mut spans: Vec<Span> = found.iter().map(|finding| finding.span).collect();
    spans.sort();
    let mut merged: Vec<Span> = Vec::new();
    for span in spans {
        match merged.last_mut().filter(|last| last.overlaps(span)) {
            Some(last) => last.end = last.end.max(span.end),
            None => merged.push(span),
        }
    }
    merged
}

fn each_case(inspector: &Inspector, mut check: impl FnMut(&Rule, Channel, &str, Option<Span>)) {
    for rule in inspector.rules() {
        for (seed, template) in (1..).zip(rule.hits().iter().chain(rule.misses())) {
            let (text, marked) = case(template, seed);
            check(rule, rule.channels()[0], &text, marked);
        }
    }
}

#[test]
fn every_rule_has_cases_and_a_description() {
    for rule in Inspector::built_in().unwrap().rules() {
        assert!(
            (rule.hits().len() >= 3 || rule.id().as_str() == "injection.bomb") && rule.misses().len() >= 3,
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
    let inspector = Inspector::built_in().unwrap();
    let mut wrong = Vec::new();
    each_case(&inspector, |rule, channel, text, marked| {
        let only = inspector.select(|other| other.id() == rule.id());
        let found = scan(&inspector, text, channel, &only);
        let spans: Vec<Span> = found.iter().map(|finding| finding.span).collect();
        if spans != marked.into_iter().collect::<Vec<_>>() {
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
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_case_cut_at_every_boundary_gives_what_the_whole_gives() {
    let inspector = Inspector::built_in().unwrap();
    let all = inspector.select(|_| true);
    each_case(&inspector, |_, channel, text, _| {
        let whole = merged(&scan_plain(&inspector, text, channel, &all));
        for cut in (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            let pieces = [&text[..cut], &text[cut..]];
            assert_eq!(
                merged(&stream(&inspector, &pieces, channel, &all)),
                whole,
                "{text:?} cut at {cut}"
            );
        }
        let characters: Vec<&str> = text
            .char_indices()
            .map(|(at, character)| &text[at..at + character.len_utf8()])
            .collect();
        assert_eq!(
            merged(&stream(&inspector, &characters, channel, &all)),
            whole,
            "{text:?} cut everywhere"
        );
    });
}
