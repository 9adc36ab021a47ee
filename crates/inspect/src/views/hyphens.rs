//! Words that go on in the next line.

use portcullis_core::{Family, Span};

use super::{Source, View, census::cue};
use crate::derived::{Changes, Draft};

/// Joins what a hyphen at the end of a line sets apart.
#[derive(Debug)]
pub(super) struct Hyphens;

impl View for Hyphens {
    fn id(&self) -> &'static str {
        "hyphens"
    }

    fn about(&self) -> &'static str {
        "Words broken by a hyphen at the end of a line."
    }

    fn families(&self) -> &'static [Family] {
        &[Family::Injection]
    }

    fn cues(&self) -> u64 {
        cue::HYPHEN
    }

    fn apply(&self, source: &Source<'_>, out: &mut Vec<Draft>) {
        let bytes = source.text.as_bytes();
        let mut changes = Changes::new(source.text);
        for (from, to) in source.census.places(cue::HYPHEN) {
            let from = from.saturating_sub(2).max(changes.done());
            for at in memchr::memchr_iter(b'-', bytes.get(from..to.min(bytes.len())).unwrap_or_default()) {
                let at = from + at;
                let rest = bytes.get(at + 1..).unwrap_or_default();
                let blank = rest
                    .iter()
                    .take(32)
                    .take_while(|byte| byte.is_ascii_whitespace())
                    .count();
                let lines = rest
                    .get(..blank)
                    .unwrap_or_default()
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count();
                let letter = |at: Option<usize>| {
                    at.and_then(|at| bytes.get(at))
                        .is_some_and(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
                };
                if lines == 1
                    && letter(at.checked_sub(1))
                    && letter(Some(at + 1 + blank))
                    && at >= changes.done()
                {
                    changes.replace(Span::new(at, at + 1 + blank), "");
                }
            }
        }
        out.extend(changes.finish());
    }

    fn disguise(&self, text: &str) -> Option<String> {
        let mut written = String::new();
        let mut previous = ' ';
        for (at, c) in text.chars().enumerate() {
            if at % 3 == 2 && previous.is_ascii_alphabetic() && c.is_ascii_alphabetic() {
                written.push_str("-\n");
            }
            written.push(c);
            previous = c;
        }
        (written != text).then_some(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_words_are_joined() {
        for (text, said) in [
            ("igno-\nre all pre-\r\n   vious", "ignore all previous"),
            (
                "a list:\n- one\n- two - three\n-\n",
                "a list:\n- one\n- two - three\n-\n",
            ),
        ] {
            let mut out = Vec::new();
            Hyphens.apply(&Source::of(text), &mut out);
            assert_eq!(out.pop().map_or(text.to_owned(), |draft| draft.text), said);
        }
    }
}
