//! Whatever a text holds: nothing panics, every finding is a piece of the text, a stream of it is judged as the whole is, and
//! what the views make of it stays within bounds.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portcullis_core::{Channel, Finding, Span};
use portcullis_inspect::{Inspector, Selection, Window, views};

static INSPECTOR: LazyLock<(Inspector, Selection)> = LazyLock::new(|| {
    let inspector = Inspector::built_in().expect("built-in rules are right");
    let all = inspector.select(|_| true);
    (inspector, all)
});

fuzz_target!(|data: &[u8]| {
    // The first byte says how long the pieces of the stream are; the rest is the text.
    let Some((step, rest)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    let (inspector, all) = &*INSPECTOR;
    for channel in [Channel::User, Channel::ToolResult, Channel::Assistant] {
        let mut found = Vec::new();
        inspector.scan(&text, channel, all, &mut found);
        for finding in &found {
            assert!(
                text.get(finding.span.start..finding.span.end).is_some_and(|piece| !piece.is_empty()),
                "{finding:?}"
            );
        }
    }
    let mut whole = Vec::new();
    let at_once = inspector.scan_streamed(&text, Channel::Assistant, all, &mut whole);
    if let Some(streamed) = streamed(&text, usize::from(*step) % 16 + 1).filter(|_| at_once.is_ok()) {
        assert_eq!(merged(&streamed), merged(&whole), "in pieces");
    }
    let mut bytes = 0;
    views::explore(&text, &mut |derived| {
        bytes += derived.text.len();
        let original = derived.original(Span::new(0, derived.text.len()));
        assert!(text.get(original.start..original.end).is_some(), "{:?}", derived.trail);
    });
    assert!(bytes <= 4 * text.len() + (64 << 10), "{bytes} bytes of {}", text.len());
});

/// What a window finds; nothing where the text outgrows it.
fn streamed(text: &str, step: usize) -> Option<Vec<Finding>> {
    let (inspector, all) = &*INSPECTOR;
    let mut window = Window::new(Channel::Assistant, all.clone());
    let mut found = Vec::new();
    let characters: Vec<char> = text.chars().collect();
    for piece in characters.chunks(step) {
        let piece: String = piece.iter().collect();
        window.push(inspector, &piece, &mut found).ok()?;
    }
    window.finish(inspector, &mut found);
    Some(found)
}

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
