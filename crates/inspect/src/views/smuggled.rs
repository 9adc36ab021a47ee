//! Text written in characters that nobody sees: tags and variation selectors.

use portcullis_core::{Family, Span};

use super::{
    Source, View,
    census::cue,
    characters::{Class, class},
};
use crate::derived::{Draft, Ratio};

/// Fewer hidden characters than this are an accident.
const LEAST: usize = 4;

/// Reads tag characters as the ASCII they stand for, and variation selectors as the bytes they number.
#[derive(Debug)]
pub(super) struct Smuggled;

impl View for Smuggled {
    fn id(&self) -> &'static str {
        "smuggled"
    }

    fn about(&self) -> &'static str {
        "Text in tag characters and in variation selectors, which no one sees and models read."
    }

    fn families(&self) -> &'static [Family] {
        super::READ
    }

    fn cues(&self) -> u64 {
        cue::NON_ASCII
    }

    fn is_suspicious(&self) -> bool {
        true
    }

    fn apply(&self, source: &Source<'_>, out: &mut Vec<Draft>) {
        let mut draft = Draft::new();
        for (from, to) in source.census.places(cue::NON_ASCII) {
            // All of them begin with one of two bytes; runs are read from their beginning on.
            let bytes = source
                .text
                .as_bytes()
                .get(from..to.min(source.text.len()))
                .unwrap_or_default();
            let mut done = 0;
            for at in memchr::memchr2_iter(0xf3, 0xef, bytes).map(|at| from + at) {
                if at >= done && source.text.is_char_boundary(at) {
                    done = read(source.text, at, &mut draft);
                }
            }
        }
        if !draft.text.is_empty() {
            out.push(draft);
        }
    }

    fn disguise(&self, text: &str) -> Option<String> {
        let tag = |c: char| {
            c.is_ascii()
                .then(|| char::from_u32(u32::from(c) + 0xe_0000))
                .flatten()
        };
        text.chars().map(tag).collect()
    }
}

/// What hides in a character.
enum Hidden {
    Tag(char),
    Byte(u8),
}

fn hidden(c: char) -> Option<Hidden> {
    let code = u32::from(c);
    match code {
        0xe_0000..=0xe_007f => Some(Hidden::Tag(char::from_u32(code - 0xe_0000)?)),
        0xfe00..=0xfe0f => Some(Hidden::Byte(u8::try_from(code - 0xfe00).ok()?)),
        0xe_0100..=0xe_01ef => Some(Hidden::Byte(u8::try_from(code - 0xe_0100 + 16).ok()?)),
        _ => None,
    }
}

/// Reads the run of hidden characters that begins at `start`; returns its end.
fn read(text: &str, start: usize, draft: &mut Draft) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let (mut end, mut tags, mut bytes) = (start, Vec::new(), Vec::new());
    for c in rest.chars() {
        let next = end + c.len_utf8();
        match hidden(c) {
            // The tag that begins a language and the one that cancels say nothing.
            Some(Hidden::Tag(tag)) if (' '..='~').contains(&tag) || tag == '\n' || tag == '\t' => {
                tags.push((Span::new(end, next), tag))
            }
            Some(Hidden::Tag(_)) => {}
            Some(Hidden::Byte(byte)) => bytes.push((Span::new(end, next), byte)),
            // What else cannot be seen is in between only to tear it.
            None if class(c) == Class::Gone => {}
            None => break,
        }
        end = next;
    }
    let flag = text.get(..start).unwrap_or_default().ends_with('🏴') && tags.len() <= 6;
    if tags.len() >= LEAST && !flag {
        draft.cut(start);
        let ratio = Ratio::new(1, 4);
        tags.iter()
            .for_each(|(span, tag)| draft.scaled(*span, tag.encode_utf8(&mut [0; 4]), ratio));
    }
    if bytes.len() >= LEAST {
        draft.cut(start);
        say(&bytes, draft);
    }
    end
}

/// Writes bytes as text, as far as they are.
fn say(bytes: &[(Span, u8)], draft: &mut Draft) {
    let raw: Vec<u8> = bytes.iter().map(|(_, byte)| *byte).collect();
    let mut at = 0;
    for chunk in raw.utf8_chunks() {
        for c in chunk.valid().chars() {
            let made = bytes.get(at..at + c.len_utf8()).unwrap_or_default();
            if let (Some((first, _)), Some((last, _))) = (made.first(), made.last()) {
                draft.unit(Span::new(first.start, last.end), c.encode_utf8(&mut [0; 4]));
            }
            at += c.len_utf8();
        }
        at += chunk.invalid().len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let mut out = Vec::new();
        Smuggled.apply(&Source::of(text), &mut out);
        out.pop()
            .map_or(String::new(), |draft| draft.text.replace("\n\0\n", "|"))
    }

    fn selectors(text: &str) -> String {
        let code = |byte: u8| {
            if byte < 16 {
                0xfe00 + u32::from(byte)
            } else {
                0xe_0100 + u32::from(byte) - 16
            }
        };
        text.bytes()
            .filter_map(|byte| char::from_u32(code(byte)))
            .collect()
    }

    #[test]
    fn hidden_text_is_read() {
        let tags = Smuggled.disguise("say hi").unwrap();
        assert_eq!(said(&format!("a{tags}b")), "|say hi");
        assert_eq!(said(&format!("🙂{}", selectors("héllo\n"))), "|héllo\n");
    }

    #[test]
    fn flags_and_emoji_hide_nothing() {
        assert_eq!(
            said(
                "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} ❤\u{fe0f} 葛\u{e0100} 1\u{fe0f}\u{20e3}"
            ),
            ""
        );
    }
}
