//! What the tests share: one inspector with all of its rules, their cases written out, and what redaction would replace.

use std::sync::LazyLock;

use portcullis_core::{Channel, Finding, Span};
use portcullis_inspect::{Inspector, Rule, Selection, corpus::expand};

/// The rules are compiled once a process.
pub static INSPECTOR: LazyLock<Inspector> = LazyLock::new(|| Inspector::built_in().unwrap());

/// Every rule.
pub static ALL: LazyLock<Selection> = LazyLock::new(|| INSPECTOR.select(|_| true));

/// A case of a rule written out: the first channel that the rule reads, the text without marks, and what is marked.
pub struct Case {
    pub channel: Channel,
    pub text: String,
    pub marked: Option<Span>,
}

/// The cases of a rule: its hits, and behind them its misses.
pub fn cases(rule: &Rule) -> impl Iterator<Item = Case> {
    (1..)
        .zip(rule.hits().iter().chain(rule.misses()))
        .map(|(seed, template)| {
            let text = expand(template, seed);
            let marked = text
                .find('«')
                .zip(text.find('»'))
                .map(|(start, end)| Span::new(start, end - '«'.len_utf8()));
            Case {
                channel: rule.channels()[0],
                text: text.replace(['«', '»'], ""),
                marked,
            }
        })
}

/// What is found in a text and its views.
pub fn scan(text: &str, channel: Channel, selection: &Selection) -> Vec<Finding> {
    let mut found = Vec::new();
    INSPECTOR.scan(text, channel, selection, &mut found);
    found
}

/// What is found in a text as it stands.
pub fn scan_plain(text: &str, channel: Channel, selection: &Selection) -> Vec<Finding> {
    let mut found = Vec::new();
    INSPECTOR.scan_plain(text, channel, selection, &mut found);
    found
}

/// Overlapping spans merged: what redaction would replace.
pub fn merged(found: &[Finding]) -> Vec<Span> {
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

/// Where a text may be cut.
pub fn boundaries(text: &str) -> Vec<usize> {
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect()
}

/// One test for each part of the rules, so that they run beside each other: `$check` is told which part of how many.
macro_rules! in_parts {
    ($check:ident: $($name:ident $part:literal,)*) => {
        const PARTS: usize = [$($part),*].len();

        #[test]
        fn no_part_is_left_out() {
            assert!([$($part),*].into_iter().eq(0..PARTS));
        }

        $(
            #[test]
            fn $name() {
                $check(|number| number % PARTS == $part);
            }
        )*
    };
}
pub(crate) use in_parts;
