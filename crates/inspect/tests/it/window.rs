//! The window's law on random texts and cuts, what it holds back, and where it fails closed.

use portcullis_core::{Channel, Family, Span};
use portcullis_inspect::{Overgrown, Selection, Window, corpus::expand};
use proptest::prelude::*;

use crate::samples::{ALL, INSPECTOR, boundaries, merged, scan_plain};

/// Values in output. Names and addresses stand behind words of prose (`my name is …`), which are held while they may go on:
/// what is held of plain text is asked without them.
fn output() -> Selection {
    INSPECTOR.select(|rule| {
        let prose = matches!(rule.id().as_str(), "PERSON" | "ADDRESS" | "DATE_OF_BIRTH");
        matches!(rule.family(), Family::Secret | Family::Pii) && !prose
    })
}

/// Pieces of hits and near-hits, and what may stand between them.
fn fragments() -> Vec<String> {
    let mut fragments: Vec<String> = [
        " ",
        "  ",
        "\n",
        "\\n",
        ".",
        ",",
        "-",
        "@",
        "+",
        "_",
        "é",
        "ß",
        "漢",
        "🙂",
        "\u{a0}",
        "a",
        "Z",
        "4",
        "12",
        "sk-",
        "ghp_",
        "eyJ",
        "-----",
        "BEGIN PRIVATE KEY",
        "END PRIVATE KEY",
        "example.com",
        "jane",
        "ignore ",
        "all ",
        "previous ",
        "instructions",
        "your ",
        "system prompt",
        "repeat the text above",
        "<|im_start|>",
        "<|im_",
        "[INST]",
        "DE89 ",
        "3704 ",
        "4111 ",
        "1111 ",
        "4111111111111111",
        "+1 415 555 2671",
        "536-90-4399",
    ]
    .map(str::to_owned)
    .to_vec();
    for rule in INSPECTOR.rules() {
        for (seed, case) in (1..).zip(rule.hits().iter().chain(rule.misses())) {
            let text = expand(case, seed).replace(['«', '»'], "");
            let half = (0..=text.len() / 2)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0);
            fragments.push(text[half..].to_owned());
            fragments.push(text[..half].to_owned());
            fragments.push(text);
        }
    }
    fragments
}

/// A text made of fragments, and the character boundaries at which it is cut.
fn cut_text() -> impl Strategy<Value = (String, Vec<usize>)> {
    let pieces = prop::collection::vec(prop::sample::select(fragments()), 0..9);
    (pieces, prop::collection::vec(any::<prop::sample::Index>(), 0..12)).prop_map(|(pieces, cuts)| {
        let text = pieces.concat();
        let boundaries = boundaries(&text);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&boundaries)).collect();
        cuts.push(text.len());
        cuts.sort_unstable();
        (text, cuts)
    })
}

/// What a window says of a text that comes in one piece.
fn at_once(text: &str, selection: &Selection) -> Vec<Span> {
    let mut found = Vec::new();
    INSPECTOR
        .scan_streamed(text, Channel::User, selection, &mut found)
        .unwrap();
    merged(&found)
}

/// What scanning `text` as it stands says.
fn whole(text: &str, selection: &Selection) -> Vec<Span> {
    merged(&scan_plain(text, Channel::User, selection))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_gives_what_the_whole_gives((text, cuts) in cut_text()) {
        let selection = ALL.clone();
        let expected = at_once(&text, &selection);
        let plain = whole(&text, &selection);
        prop_assert!(plain.iter().all(|span| expected.iter().any(|other| other.start <= span.start && span.end <= other.end)));
        let mut window = Window::new(Channel::User, selection);
        let (mut found, mut from, mut offset) = (Vec::new(), 0, 0);
        for cut in cuts {
            let next = window.push(&INSPECTOR, &text[from..cut], &mut found).unwrap();
            prop_assert!(offset <= next && next <= cut && text.is_char_boundary(next));
            // What is final is final: the text to come is known here, and changes nothing about it.
            let known: Vec<Span> = merged(&found).into_iter().filter(|span| span.end <= next).collect();
            let due: Vec<Span> = expected.iter().copied().filter(|span| span.start < next).collect();
            prop_assert_eq!(known, due);
            (from, offset) = (cut, next);
        }
        prop_assert_eq!(window.finish(&INSPECTOR, &mut found), text.len());
        prop_assert_eq!(merged(&found), expected);
    }

    /// What is held could still become a match: for some text to follow, the verdict about the first held byte differs
    /// from the verdict for another.
    #[test]
    fn nothing_is_held_that_no_text_could_change(text in "[a-z ,.]{0,40}") {
        let mut window = Window::new(Channel::Assistant, output());
        let offset = window.push(&INSPECTOR, &text, &mut Vec::new()).unwrap();
        if offset < text.len() {
            // Three characters and `8Q~` begin a client secret of Azure.
            let secret = expand("8Q~{base62:34} ", 1);
            let more = ["@example.com ", "x@example.com ", &secret, &format!("a{secret}"), &format!("aa{secret}")];
            let reached = more.iter().any(|more| {
                whole(&format!("{text}{more}"), &output()).iter().any(|span| span.start == offset)
            });
            let prefix = ["sk-", "ghp_", "glpat-", "hf_", "npm_", "r8_", "whsec_", "dop_v1_", "api_org_", "xai-"]
                .iter().any(|prefix| text[offset..].starts_with(&prefix[..1]));
            // A label belongs to the match, though not to what is found: what follows it is a secret for its sake alone.
            let secret = expand("«Q{base62:11}7!» ", 1).replace(['«', '»'], "");
            let label = ["=", "d=", "ord="].iter().any(|more| {
                let found = |before: &str| !whole(&format!("{before}{more}{secret}"), &output()).is_empty();
                found(&text[offset..]) && !found("")
            });
            prop_assert!(reached || prefix || label, "{:?} held of {text:?}", &text[offset..]);
        }
    }
}

fn pushed(selection: Selection, text: &str) -> Window {
    let mut window = Window::new(Channel::Assistant, selection);
    window.push(&INSPECTOR, text, &mut Vec::new()).unwrap();
    window
}

#[test]
fn plain_text_passes_up_to_the_word_in_progress() {
    for (text, held) in [
        ("Hello, how are you? I think ", ""),
        ("Hello, how are you? I think", "think"),
        ("The year was 1987. ", ""),
        ("It costs 12 dollars and ", ""),
        ("naïve café ", ""),
        ("漢字かな", ""),
        ("Ask jane.doe@exam", "jane.doe@exam"),
        ("mail jane@example.com ", ""),
        ("mail jane@example.com", "jane@example.com"),
        ("card 4111 1111 ", "4111 1111 "),
        ("```rust\nfn main() {\n", ""),
        ("see <|im_st", "im_st"),
        ("50% and R&D and a\\", "a\\"),
        ("50% and R&D and a%", "a%"),
        ("AT&amp", "AT&amp"),
        ("to &amp", "&amp"),
        ("AT&T & co. – “don’t”, 漢字。 ", ""),
        ("<b>bold</b> and **bold** ", ""),
        ("card ４１１１ １", "４１１１ １"),
        ("card 4\u{200b}1\u{200b}1", "4\u{200b}1\u{200b}1"),
        ("card &#52;&#49;", "&#52;&#49;"),
        ("Было время. ", ""),
    ] {
        assert_eq!(pushed(output(), text).held(), held.len(), "{text:?}");
    }
    assert_eq!(pushed(ALL.clone(), "see <|im_st").held(), "<|im_st".len());
    let injections = INSPECTOR.select(|rule| rule.family() == Family::Injection);
    assert_eq!(
        pushed(injections, "see <|im_start|>").held(),
        0,
        "a match that nothing can change is not held"
    );
    assert_eq!(
        pushed(Selection::default(), "jane@example").held(),
        0,
        "nothing selected, nothing held"
    );
}

#[test]
fn a_word_that_is_too_long_for_what_it_could_become_is_let_go() {
    // A letter with which no name of a secret begins: those are looked for within words too.
    assert_eq!(pushed(output(), &"q".repeat(76)).held(), 76);
    assert_eq!(pushed(output(), &"q".repeat(77)).held(), 0);
}

#[test]
fn a_match_that_outgrows_the_window_fails_closed_and_stays_so() {
    let mut window = Window::new(Channel::Assistant, output());
    let mut found = Vec::new();
    let begin = expand("x sk-proj-{base62:40}", 1);
    assert_eq!(window.push(&INSPECTOR, &begin, &mut found), Ok(2));
    let more = "A1b2".repeat(1024);
    for _ in 0..3 {
        assert_eq!(window.push(&INSPECTOR, &more, &mut found), Ok(2));
    }
    assert_eq!(window.push(&INSPECTOR, &more, &mut found), Err(Overgrown));
    assert_eq!(window.push(&INSPECTOR, " ", &mut found), Err(Overgrown));
    assert!(found.is_empty());
}

#[test]
fn a_finding_that_what_follows_may_overlap_is_held_whole() {
    // The number in dashes is found for good, but its last four digits may still begin a card's number.
    // Rules with keywords would look behind it as well.
    let without_words = INSPECTOR.select(|rule| rule.keywords().is_empty());
    let mut window = Window::new(Channel::Assistant, without_words);
    let mut found = Vec::new();
    assert_eq!(window.push(&INSPECTOR, "x 536-90-4399 ", &mut found), Ok(2));
    // What may overlap it may also be the better name for it: it is reported when that is known.
    assert!(found.is_empty());
    let mut other = window.clone();
    assert_eq!(other.push(&INSPECTOR, ", ", &mut found), Ok(16));
    assert_eq!(merged(&found), [Span::new(2, 13)]);
    found.clear();
    assert_eq!(window.push(&INSPECTOR, "1111 ", &mut found), Ok(2));
    assert_eq!(window.push(&INSPECTOR, "apples", &mut found), Ok(19));
    assert_eq!(merged(&found), [Span::new(2, 13)]);
}
