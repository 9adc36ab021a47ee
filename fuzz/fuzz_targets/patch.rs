//! Any edits of any texts: the body stays JSON, what was edited reads as edited, and everything else is what it was.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use portcullis_core::{Channel, PartId, Span};
use portcullis_dialect::{Document, Label, Malformed, Reading, apply};

const REPLACEMENTS: [&str; 8] = [
    "",
    "x",
    "[EMAIL_ADDRESS_1]",
    "\"},{\"a\":\"",
    "\\",
    "\n\u{0}\u{1f}",
    "é😀",
    "\\u0041",
];

fuzz_target!(|data: &[u8]| {
    // The body, and behind a zero byte, four bytes for each edit.
    let mut halves = data.splitn(2, |byte| *byte == 0);
    let (body, script) = (halves.next().unwrap_or(&[]), halves.next().unwrap_or(data));
    let script = script.get(..48).unwrap_or(script);
    let Ok(document) = Document::read(Bytes::copy_from_slice(body)) else {
        return;
    };
    for content in [Label::text(Channel::User), Label::json(Channel::ToolCall)] {
        check(Reading::of(document.clone(), |_| content), script);
    }
});

fn check(reading: Reading, script: &[u8]) {
    let count = reading.parts().count();
    if count == 0 {
        return;
    }
    let mut expected: Vec<String> = reading.parts().map(|part| part.text.to_owned()).collect();
    let mut edited = vec![false; count];
    let mut edits = Vec::new();
    for step in script.chunks_exact(4) {
        let number = usize::from(step[0]) % count;
        let part = PartId(number as u32);
        let text = reading.text(part);
        let place = |byte: u8| {
            let wanted = usize::from(byte) * (text.len() + 1) / 256;
            (0..=wanted)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0)
        };
        let (a, b) = (place(step[1]), place(step[2]));
        let replacement = REPLACEMENTS[usize::from(step[3]) % REPLACEMENTS.len()];
        // One edit for a text: that several of one text do not overlap is the enforcer's part.
        if std::mem::replace(&mut edited[number], true) {
            continue;
        }
        let span = Span::new(a.min(b), a.max(b));
        edits.push(reading.edit(part, span, replacement));
        expected[number] = match kind(&reading, part) {
            Kind::Number => replacement.to_owned(),
            Kind::Key if replacement.is_empty() => format!("{}{}", &text[..span.start], &text[span.end..]),
            Kind::Key => format!(
                "{}{replacement}#{number}{}",
                &text[..span.start],
                &text[span.end..]
            ),
            Kind::String => format!("{}{replacement}{}", &text[..span.start], &text[span.end..]),
        };
    }
    let patched = apply(reading.document().bytes(), edits);
    match Document::read(patched) {
        Ok(patched) => compare(&reading, &patched, expected),
        Err(error) => {
            let keys = reading
                .parts()
                .zip(&edited)
                .any(|(part, edited)| *edited && matches!(kind(&reading, part.id), Kind::Key));
            assert!(keys && matches!(error, Malformed::DuplicateKey(_)), "{error}");
        }
    }
}

enum Kind {
    Number,
    Key,
    String,
}

/// What a part is, told by the byte at which its edit begins.
fn kind(reading: &Reading, part: PartId) -> Kind {
    if reading.is_key(part) {
        return Kind::Key;
    }
    let whole = reading.edit(part, Span::new(0, 0), "");
    // Only an edit of a number brings quotes of its own (escaped once more where the number stands in JSON in a string).
    match whole.text.is_empty() {
        true => Kind::String,
        false => Kind::Number,
    }
}

/// All texts of the patched body, as a list that does not depend on labels: each expected text is among them, as often.
fn compare(reading: &Reading, patched: &Document, expected: Vec<String>) {
    let mut found = Vec::new();
    texts(patched, &mut found, reading);
    found.sort_unstable();
    for text in expected {
        let at = found.binary_search(&text);
        assert!(at.is_ok(), "{text:?} is not in {:?}", patched.bytes());
    }
}

/// Every key, string and number of a document, and of the JSON that stands in its strings.
fn texts(document: &Document, found: &mut Vec<String>, reading: &Reading) {
    let mut waiting = vec![document.root()];
    while let Some(node) = waiting.pop() {
        for (key, value) in document.members(node) {
            found.push(document.text(key).to_owned());
            waiting.push(value);
        }
        waiting.extend(document.items(node));
        let text = document.text(node);
        found.push(text.to_owned());
        if document.as_str(node).is_some()
            && reading.document().bytes().len() > text.len()
            && let Ok(inner) = Document::read(Bytes::copy_from_slice(text.as_bytes()))
        {
            texts(&inner, found, reading);
        }
    }
}
