//! Whole messages: parts alone, parts of a lane joined, and who is asked about what.

use portcullis_core::{Channel, Lane, Located, Origin, Part, PartId, Span};
use portcullis_inspect::{Selection, corpus::expand};

use crate::samples::{ALL, INSPECTOR};

/// Parts numbered in order: a lane, or none, and a text.
fn parts<'a>(texts: &'a [(Option<u64>, &'a str)]) -> impl Iterator<Item = Part<'a>> {
    (0..).zip(texts).map(|(number, (lane, text))| Part {
        id: PartId(number),
        channel: Channel::User,
        origin: Origin::User,
        lane: lane.map(Lane),
        text,
    })
}

fn inspect(texts: &[(Option<u64>, &str)], selection: &Selection) -> Vec<(u32, u16, String, Span)> {
    let brief = |located: Located| {
        (
            located.part.0,
            located.piece,
            located.finding.kind.as_str().to_owned(),
            located.finding.span,
        )
    };
    INSPECTOR
        .inspect(parts(texts), |_| selection)
        .into_iter()
        .map(brief)
        .collect()
}

fn email(part: u32, piece: u16, start: usize, end: usize) -> (u32, u16, String, Span) {
    (part, piece, "EMAIL_ADDRESS".into(), Span::new(start, end))
}

#[test]
fn parts_without_a_lane_are_read_alone() {
    assert_eq!(
        inspect(&[(None, "a@b.example.com"), (None, "x a@b.example.com")], &ALL),
        [email(0, 0, 0, 15), email(1, 0, 2, 17)]
    );
    assert_eq!(inspect(&[(None, "jane@exa"), (None, "mple.com")], &ALL), []);
}

#[test]
fn a_match_over_parts_of_a_lane_comes_in_pieces() {
    let texts = [
        (Some(1), "hi ja"),
        (None, "zzz"),
        (Some(1), "ne@e"),
        (Some(1), ""),
        (Some(1), "xample.com bye"),
    ];
    assert_eq!(
        inspect(&texts, &ALL),
        [email(0, 0, 3, 5), email(2, 1, 0, 4), email(4, 2, 0, 10)]
    );
}

#[test]
fn lanes_are_not_mixed() {
    let texts = [
        (Some(1), "jane@ex"),
        (Some(2), "john@ex"),
        (Some(1), "ample.com"),
        (Some(2), "ample.org "),
    ];
    let found = inspect(&texts, &ALL);
    assert_eq!(
        found,
        [
            email(0, 0, 0, 7),
            email(2, 1, 0, 9),
            email(1, 0, 0, 7),
            email(3, 1, 0, 9)
        ]
    );
}

#[test]
fn what_is_found_in_a_part_alone_stays_and_gives_way_only_to_a_longer_match() {
    // Alone the first part ends in a whole address; joined, the address goes on.
    let texts = [
        (Some(1), "x@y.example.com, jane@example.co"),
        (Some(1), "m and a@b.example.com"),
    ];
    assert_eq!(
        inspect(&texts, &ALL),
        [
            email(0, 0, 0, 15),
            email(1, 0, 6, 21),
            email(0, 0, 17, 32),
            email(1, 1, 0, 1)
        ]
    );
}

#[test]
fn each_part_has_its_own_selection() {
    let (pii, none) = (
        INSPECTOR.select(|rule| rule.id().as_str() == "EMAIL_ADDRESS"),
        Selection::default(),
    );
    let texts = [
        (Some(1), "a@b.example.com jane@exa"),
        (Some(1), "mple.com a@b.example.com"),
    ];
    let of = |part: &Part<'_>| if part.id == PartId(1) { &pii } else { &none };
    let found = INSPECTOR.inspect(parts(&texts), of);
    // The second part alone, and what crosses into it; the first part alone is not read.
    let spans: Vec<_> = found
        .iter()
        .map(|located| (located.part.0, located.piece, located.finding.span))
        .collect();
    assert_eq!(
        spans,
        [
            (1, 0, Span::new(9, 24)),
            (0, 0, Span::new(16, 24)),
            (1, 1, Span::new(0, 8))
        ]
    );
    assert!(INSPECTOR.inspect(parts(&texts), |_| &none).is_empty());
}

#[test]
fn findings_carry_the_part_and_the_facts_of_the_rule() {
    let key = expand("{luhn:16:4}", 5);
    let texts = [(None, key.as_str())];
    let found = INSPECTOR.inspect(parts(&texts), |_| &ALL);
    let rule = INSPECTOR
        .rules()
        .iter()
        .find(|rule| rule.id().as_str() == "CREDIT_CARD")
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].channel, found[0].origin), (Channel::User, Origin::User));
    assert_eq!(found[0].finding.severity, rule.severity());
    assert_eq!(rule.checksum(), Some("card"));
    assert_eq!(rule.channels(), Channel::ALL);
}
