//! The law of the window, for any text, any cut and any choice of rules: what the pieces find is what the whole finds, what was called
//! final stays final, and nothing of a value was final before the value was found.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portcullis_core::{Channel, Family, Finding, Span};
use portcullis_inspect::{Inspector, Selection, Window};

static INSPECTOR: LazyLock<(Inspector, [Selection; 4])> = LazyLock::new(|| {
    let inspector = Inspector::built_in().expect("built-in rules are right");
    let selections = [
        inspector.select(|_| true),
        inspector.select(|rule| rule.family() == Family::Secret),
        inspector.select(|rule| rule.family() == Family::Pii),
        inspector.select(|rule| rule.family() != Family::Secret),
    ];
    (inspector, selections)
});

fuzz_target!(|data: &[u8]| {
    // The first byte chooses rules and channel; then come as many lengths of pieces as the second says; the rest is the text.
    let [choice, lengths, rest @ ..] = data else {
        return;
    };
    let lengths = usize::from(*lengths) % 32;
    let Some((lengths, text)) = rest.split_at_checked(lengths) else {
        return;
    };
    let text = String::from_utf8_lossy(text);
    let (inspector, selections) = &*INSPECTOR;
    let selection = &selections[usize::from(choice & 3)];
    let channel = [Channel::Assistant, Channel::Reasoning, Channel::ToolResult, Channel::Refusal]
        [usize::from(choice >> 2 & 3)];
    let mut whole = Vec::new();
    if inspector.scan_streamed(&text, channel, selection, &mut whole).is_err() {
        return;
    }

    let mut window = Window::new(channel, selection.clone());
    let (mut found, mut last, mut at) = (Vec::new(), 0, 0);
    // Pieces of no length count; all of them together must come to an end.
    let lengths = lengths.iter().map(|length| usize::from(*length) % 24);
    for length in lengths.chain(std::iter::repeat(usize::from(*choice) + 1)) {
        if at == text.len() {
            break;
        }
        let end = (at + length..text.len()).find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
        let known = found.len();
        let Ok(to) = window.push(inspector, &text[at..end], &mut found) else {
            return;
        };
        at = end;
        assert!(to >= last && to <= at && text.is_char_boundary(to), "{last} to {to} of {at}");
        for finding in found.iter().skip(known) {
            assert!(finding.span.start >= last, "{finding:?} was final up to {last}");
        }
        let inside = found.iter().find(|finding| finding.span.start < to && finding.span.end > to);
        assert!(inside.is_none(), "{to} is inside of {inside:?}");
        last = to;
    }
    let known = found.len();
    assert_eq!(window.finish(inspector, &mut found), text.len());
    for finding in found.iter().skip(known) {
        assert!(finding.span.start >= last, "{finding:?} was final up to {last}");
    }
    assert_eq!(merged(&found), merged(&whole));
});

/// Overlapping spans as one: what redaction would replace.
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
