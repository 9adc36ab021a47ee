//! The rules' own cases as streams: cut anywhere, each gives what the whole gives.

use portcullis_core::{Channel, Finding, Span};
use portcullis_inspect::Window;

use crate::samples::{ALL, Case, INSPECTOR, boundaries, cases, in_parts, merged, scan, scan_plain};

/// Texts up to this long are cut at every boundary.
const SHORT: usize = 384;
/// In longer ones, every boundary this close to the ends of the text and of what is marked,
const CLOSE: usize = 24;
/// and of the others one in so many: a prime, so that no period of a text hides behind it.
const STEP: usize = 13;

in_parts! { every_case_cut:
    cases_cut_anywhere_give_what_the_whole_gives_0 0,
    cases_cut_anywhere_give_what_the_whole_gives_1 1,
    cases_cut_anywhere_give_what_the_whole_gives_2 2,
    cases_cut_anywhere_give_what_the_whole_gives_3 3,
    cases_cut_anywhere_give_what_the_whole_gives_4 4,
    cases_cut_anywhere_give_what_the_whole_gives_5 5,
}

fn every_case_cut(is_of_part: impl Fn(usize) -> bool) {
    for (_, rule) in (0..)
        .zip(INSPECTOR.rules())
        .filter(|(number, _)| is_of_part(*number))
    {
        for case in cases(rule) {
            let (text, channel) = (case.text.as_str(), case.channel);
            let whole = merged(&stream(&[text], channel));
            assert_between(text, channel, &whole);
            for cut in cuts(&case) {
                let pieces = [&text[..cut], &text[cut..]];
                assert_eq!(merged(&stream(&pieces, channel)), whole, "{text:?} cut at {cut}");
            }
            let characters: Vec<&str> = text
                .char_indices()
                .map(|(at, character)| &text[at..at + character.len_utf8()])
                .collect();
            assert_eq!(
                merged(&stream(&characters, channel)),
                whole,
                "{text:?} cut everywhere"
            );
        }
    }
}

/// What a stream finds is all that the text shows as it stands, and nothing that its views do not show.
fn assert_between(text: &str, channel: Channel, streamed: &[Span]) {
    let within = |inner: &[Span], outer: &[Span]| {
        let holds = |span: &Span| {
            outer
                .iter()
                .any(|other| other.start <= span.start && span.end <= other.end)
        };
        inner.iter().all(holds)
    };
    let plain = merged(&scan_plain(text, channel, &ALL));
    assert!(
        within(&plain, streamed),
        "{text:?}: {plain:?}, streamed {streamed:?}"
    );
    let seen_through = merged(&scan(text, channel, &ALL));
    assert!(
        within(streamed, &seen_through),
        "{text:?}: {seen_through:?}, streamed {streamed:?}"
    );
}

/// Where a case is cut in two.
fn cuts(case: &Case) -> Vec<usize> {
    let mut cuts = boundaries(&case.text);
    if case.text.len() > SHORT {
        let marked = case.marked.map(|span| [span.start, span.end]);
        let ends = [[0, case.text.len()]].into_iter().chain(marked).flatten();
        let ends: Vec<usize> = ends.collect();
        cuts.retain(|cut| cut % STEP == 0 || ends.iter().any(|end| cut.abs_diff(*end) <= CLOSE));
    }
    cuts
}

/// What a window finds in the pieces, each pushed alone; what it says of its place is checked on the way.
fn stream(pieces: &[&str], channel: Channel) -> Vec<Finding> {
    let mut window = Window::new(channel, ALL.clone());
    let mut found: Vec<Finding> = Vec::new();
    let (mut offset, mut pushed) = (0, 0);
    for piece in pieces {
        let before = found.len();
        pushed += piece.len();
        let next = window
            .push(&INSPECTOR, piece, &mut found)
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
        let crosses = |span: Span| span.start < next && next < span.end;
        assert!(
            !found.iter().any(|finding| crosses(finding.span)),
            "nothing found crosses"
        );
        offset = next;
    }
    let before = found.len();
    assert_eq!(window.finish(&INSPECTOR, &mut found), pushed);
    assert!(
        found[before..].iter().all(|f| f.span.start >= offset),
        "nothing is found in what was final"
    );
    found
}
