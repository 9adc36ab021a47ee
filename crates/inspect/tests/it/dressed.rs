//! Disguised hits as streams: what the views of characters show of a whole text, a window finds at every cut, and lets nothing
//! of it go before.

use std::collections::BTreeMap;

use portcullis_core::{Channel, Family, Finding, Span};
use portcullis_inspect::{Rule, Selection, Window, corpus::expand, views::VIEWS};

use crate::samples::{INSPECTOR, in_parts, merged, scan};

/// The views whose disguises are taken off in streams.
const STREAMED: &[&str] = &["fold", "escapes", "percent", "entities", "markup"];

/// Writes a text in a disguise, where it can carry it.
type Disguise = Box<dyn Fn(&str) -> Option<String>>;
/// A disguise with its name.
type Other = (&'static str, fn(&str) -> String);

/// Ways of writing a text that no view's own disguise is.
const OTHERS: &[Other] = &[
    ("zero width", |text| between(text, "\u{200b}")),
    ("soft hyphens", |text| between(text, "\u{ad}")),
    ("full width", |text| each(text, |c| shifted(c, '!'..='~', 0xfee0))),
    ("marks", |text| {
        text.chars().flat_map(|c| [c, '\u{336}']).collect()
    }),
    ("bold", |text| {
        each(text, |c| match c {
            'A'..='Z' => shifted(c, 'A'..='Z', 0x1d400 - 0x41),
            'a'..='z' => shifted(c, 'a'..='z', 0x1d41a - 0x61),
            '0'..='9' => shifted(c, '0'..='9', 0x1d7ce - 0x30),
            c => c,
        })
    }),
    ("look-alikes", |text| {
        let pairs: Vec<char> = "aаcсeеoоpрxхyуAАBВEЕHНKКMМOОPРCСTТXХ".chars().collect();
        each(text, |c| {
            pairs
                .chunks(2)
                .find(|pair| pair[0] == c)
                .map_or(c, |pair| pair[1])
        })
    }),
    ("emphasis", |text| {
        let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let next = text.chars().skip(1).map(Some).chain([None]);
        let pairs = text.chars().zip(next);
        let written = pairs.map(|(c, next)| match is_letter(Some(c)) && is_letter(next) {
            true => format!("{c}**"),
            false => c.to_string(),
        });
        written.collect()
    }),
    ("blanks", |text| text.replace(' ', "\u{a0}")),
    ("hexadecimal entities", |text| {
        text.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect()
    }),
    ("escaped bytes", |text| {
        text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()
    }),
    ("escaped zero width", |text| between(text, "\\u200b")),
    ("named zero width", |text| between(text, "&zwnj;")),
    ("percent in entities", |text| {
        let percent: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        percent.replace('%', "&#37;")
    }),
];

fn each(text: &str, to: impl Fn(char) -> char) -> String {
    text.chars().map(to).collect()
}

fn shifted(c: char, of: std::ops::RangeInclusive<char>, by: u32) -> char {
    if of.contains(&c) {
        char::from_u32(u32::from(c) + by).unwrap()
    } else {
        c
    }
}

fn between(text: &str, what: &str) -> String {
    let all: Vec<String> = text.chars().map(String::from).collect();
    all.join(what)
}

in_parts! { every_disguise_cut:
    disguises_cut_anywhere_give_what_the_whole_gives_0 0,
    disguises_cut_anywhere_give_what_the_whole_gives_1 1,
    disguises_cut_anywhere_give_what_the_whole_gives_2 2,
    disguises_cut_anywhere_give_what_the_whole_gives_3 3,
    disguises_cut_anywhere_give_what_the_whole_gives_4 4,
    disguises_cut_anywhere_give_what_the_whole_gives_5 5,
}

fn disguises() -> Vec<(&'static str, Disguise)> {
    let views = VIEWS.iter().filter(|view| STREAMED.contains(&view.id()));
    let views = views.map(|view| {
        let view = *view;
        let disguise: Disguise = Box::new(move |text| view.disguise(text));
        (view.id(), disguise)
    });
    let others = OTHERS.iter().map(|(name, disguise)| {
        let disguise: Disguise = Box::new(move |text| Some(disguise(text)));
        (*name, disguise)
    });
    views.chain(others).collect()
}

fn every_disguise_cut(is_of_part: impl Fn(usize) -> bool) {
    let mut missed: BTreeMap<&str, (usize, usize, Vec<String>)> = BTreeMap::new();
    let disguises = disguises();
    let read = |rule: &&Rule| matches!(rule.family(), Family::Secret | Family::Pii);
    for (_, rule) in (0..)
        .zip(INSPECTOR.rules().iter().filter(read))
        .filter(|(number, _)| is_of_part(*number))
    {
        let only = INSPECTOR.select(|other| other.id() == rule.id());
        for (seed, hit) in (1..).zip(rule.hits()) {
            let hit = expand(hit, seed);
            let (before, rest) = hit.split_once('«').unwrap();
            let (marked, after) = rest.split_once('»').unwrap();
            for (name, disguise) in &disguises {
                let Some(disguised) = disguise(marked).filter(|disguised| disguised != marked) else {
                    continue;
                };
                let text = format!("{before}{disguised}{after}");
                let (all, seen, misses) = missed.entry(name).or_default();
                let whole = merged(&scan(&text, rule.channels()[0], &only));
                if whole.is_empty() {
                    continue;
                }
                *all += 1;
                let streamed = check_cuts(&text, rule.channels()[0], &only);
                if whole.iter().all(|span| {
                    streamed
                        .iter()
                        .any(|other| other.start <= span.start && span.end <= other.end)
                }) {
                    *seen += 1;
                } else {
                    misses.push(format!(
                        "{}: {text:?} whole {whole:?} streamed {streamed:?}",
                        rule.id()
                    ));
                }
            }
        }
    }
    let report = |(name, (all, seen, misses)): (&&str, &(usize, usize, Vec<String>))| {
        let some = misses.iter().take(3).cloned().collect::<Vec<_>>().join("\n  ");
        format!("{name}: {seen} of {all}\n  {some}\n")
    };
    let report: String = missed.iter().map(report).collect();
    assert!(missed.values().all(|(all, seen, _)| all == seen), "{report}");
    assert!(
        missed.values().map(|(all, ..)| all).sum::<usize>() > 500,
        "{report}"
    );
}

/// What a window finds in a text; the same at every cut.
fn check_cuts(text: &str, channel: Channel, only: &Selection) -> Vec<Span> {
    let at_once = merged(&stream(&[text], channel, only));
    let characters: Vec<&str> = text
        .char_indices()
        .map(|(at, c)| &text[at..at + c.len_utf8()])
        .collect();
    assert_eq!(
        merged(&stream(&characters, channel, only)),
        at_once,
        "{text:?} cut everywhere"
    );
    for size in [2, 3, 7, 16] {
        let pieces: Vec<String> = characters.chunks(size).map(<[&str]>::concat).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        assert_eq!(
            merged(&stream(&pieces, channel, only)),
            at_once,
            "{text:?} cut by {size}"
        );
    }
    at_once
}

fn stream(pieces: &[&str], channel: Channel, only: &Selection) -> Vec<Finding> {
    let mut window = Window::new(channel, only.clone());
    let mut found: Vec<Finding> = Vec::new();
    let (mut offset, mut pushed) = (0, 0);
    for piece in pieces {
        let before = found.len();
        pushed += piece.len();
        let next = window.push(&INSPECTOR, piece, &mut found).unwrap();
        assert!(offset <= next && next <= pushed);
        assert!(
            found[before..].iter().all(|found| found.span.start >= offset),
            "nothing is found in what was final: {pieces:?}"
        );
        let crosses = |span: Span| span.start < next && next < span.end;
        assert!(
            !found.iter().any(|found| crosses(found.span)),
            "nothing found crosses"
        );
        offset = next;
    }
    let before = found.len();
    assert_eq!(window.finish(&INSPECTOR, &mut found), pushed);
    assert!(found[before..].iter().all(|found| found.span.start >= offset));
    found
}
