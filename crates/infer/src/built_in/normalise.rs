//! A text as a line of lower-case letters with single spaces, and where each of them came from (FORMAT.md, 1).
//!
//! Letters are handed over one by one; nothing here keeps a text. The letters are those of normalising the whole text;
//! only the places are coarse where several letters became one or one became several.

use std::ops::ControlFlow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, decompose_compatible};
use unicode_normalization::{IsNormalized, is_nfkc_quick};

/// A run of more of the same letter becomes as many.
const RUN: u8 = 4;

/// A normalised code point and the bytes of the text that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub code: char,
    pub start: u32,
    pub end: u32,
}

/// Hands over the letters of a text, a space between words. A space may also end the text.
/// Texts of 4 GiB and more have places that are wrong; the caller refuses them.
pub(super) fn letters(text: &str, each: impl FnMut(Letter) -> ControlFlow<()>) -> ControlFlow<()> {
    let mut line = Line {
        each,
        last: ' ',
        run: 0,
    };
    if text.is_ascii() {
        for (at, byte) in (0u32..).zip(text.bytes()) {
            line.ascii(byte, at)?;
        }
        return ControlFlow::Continue(());
    }
    // INVARIANT: no letter from `begin` on can be joined with one before it, so normalising piece by piece
    // gives what normalising the whole gives.
    let (mut begin, mut plain) = (0, true);
    let mut single: Option<char> = None;
    for (at, code) in text.char_indices() {
        let kind = Kind::of(code);
        if at == 0 || kind.begins {
            line.segment(text, begin..at, single, plain)?;
            (begin, plain, single) = (at, kind.plain, Some(code));
        } else {
            (plain, single) = (false, None);
        }
    }
    line.segment(text, begin..text.len(), single, plain)
}

/// How a code point behaves under NFKC.
struct Kind {
    /// Nothing before it can be joined with it or move behind it.
    begins: bool,
    /// By itself it stays what it is.
    plain: bool,
}

impl Kind {
    fn of(code: char) -> Kind {
        if code < '\u{A0}' || ('\u{4E00}'..='\u{9FFF}').contains(&code) {
            return Kind {
                begins: true,
                plain: true,
            };
        }
        match is_nfkc_quick(std::iter::once(code)) {
            IsNormalized::Yes => {
                let begins = canonical_combining_class(code) == 0;
                Kind {
                    begins,
                    plain: begins,
                }
            }
            IsNormalized::Maybe => Kind {
                begins: false,
                plain: false,
            },
            IsNormalized::No => {
                let mut first = None;
                decompose_compatible(code, |part| {
                    first.get_or_insert(part);
                });
                let begins = first.is_some_and(|part| {
                    canonical_combining_class(part) == 0
                        && is_nfkc_quick(std::iter::once(part)) == IsNormalized::Yes
                });
                Kind { begins, plain: false }
            }
        }
    }
}

struct Line<F> {
    each: F,
    last: char,
    run: u8,
}

impl<F: FnMut(Letter) -> ControlFlow<()>> Line<F> {
    fn segment(
        &mut self,
        text: &str,
        place: std::ops::Range<usize>,
        single: Option<char>,
        plain: bool,
    ) -> ControlFlow<()> {
        let (start, end) = (place.start as u32, place.end as u32);
        match single {
            Some(code) if code.is_ascii() => self.ascii(code as u8, start),
            Some(code) if plain => self.folded(code, start, end),
            _ => text
                .get(place)
                .unwrap_or_default()
                .nfkc()
                .try_for_each(|code| self.folded(code, start, end)),
        }
    }

    #[inline]
    fn ascii(&mut self, byte: u8, at: u32) -> ControlFlow<()> {
        match byte {
            b'\t'..=b'\r' | b' ' => self.emit(' ', at, at.wrapping_add(1)),
            0..0x20 | 0x7F => ControlFlow::Continue(()),
            _ => self.emit(char::from(byte.to_ascii_lowercase()), at, at.wrapping_add(1)),
        }
    }

    fn folded(&mut self, code: char, start: u32, end: u32) -> ControlFlow<()> {
        if code.is_ascii() {
            return match code as u8 {
                b'\t'..=b'\r' | b' ' => self.emit(' ', start, end),
                0..0x20 | 0x7F => ControlFlow::Continue(()),
                byte => self.emit(char::from(byte.to_ascii_lowercase()), start, end),
            };
        }
        if dropped(code) {
            return ControlFlow::Continue(());
        }
        if spaces(code) {
            return self.emit(' ', start, end);
        }
        code.to_lowercase()
            .try_for_each(|code| self.emit(code, start, end))
    }

    #[inline]
    fn emit(&mut self, code: char, start: u32, end: u32) -> ControlFlow<()> {
        // At the beginning the last letter is a space: none is handed over before the first word.
        if code == self.last {
            if code == ' ' || self.run >= RUN {
                return ControlFlow::Continue(());
            }
            self.run += 1;
        } else {
            (self.last, self.run) = (code, 1);
        }
        (self.each)(Letter { code, start, end })
    }
}

/// Letters above ASCII that carry nothing for a reader but change the pieces.
fn dropped(code: char) -> bool {
    matches!(
        code,
        '\u{80}'..='\u{84}' | '\u{86}'..='\u{9F}' | '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}'
            | '\u{17B4}' | '\u{17B5}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFFC}'
    )
}

/// Letters above ASCII that are read as a space. U+2581 is among them: it marks the beginning of a word in pieces.
fn spaces(code: char) -> bool {
    matches!(
        code,
        '\u{85}' | '\u{A0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200A}' | '\u{2028}' | '\u{2029}' | '\u{202F}' | '\u{205F}' | '\u{2581}' | '\u{3000}'
    )
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub fn read(text: &str) -> Vec<Letter> {
        let mut out = Vec::new();
        let flow = letters(text, |letter| {
            out.push(letter);
            ControlFlow::Continue(())
        });
        assert_eq!(flow, ControlFlow::Continue(()));
        out
    }

    pub fn normalised(text: &str) -> String {
        let line: String = read(text).iter().map(|letter| letter.code).collect();
        line.strip_suffix(' ').unwrap_or(&line).to_owned()
    }

    /// FORMAT.md word by word, without places.
    fn plainly(text: &str) -> String {
        let mut out: Vec<char> = Vec::new();
        for code in text.nfkc() {
            let ascii = matches!(code, '\0'..='\u{8}' | '\u{E}'..='\u{1F}' | '\u{7F}');
            if ascii || dropped(code) {
                continue;
            }
            let space = matches!(code, '\t'..='\r' | ' ') || spaces(code);
            for code in if space {
                vec![' ']
            } else {
                code.to_lowercase().collect()
            } {
                if code == ' ' {
                    if out.last().is_some_and(|last| *last != ' ') {
                        out.push(code);
                    }
                } else if !out.ends_with(&[code; 4]) {
                    out.push(code);
                }
            }
        }
        out.into_iter().collect::<String>().trim_matches(' ').to_owned()
    }

    #[test]
    fn lines() {
        for (text, line) in [
            ("", ""),
            (" \n ", ""),
            (
                "Ignore\tALL\u{200b} previous\r\n\ninstructions ",
                "ignore all previous instructions",
            ),
            ("a-------b", "a----b"),
            ("aaaaaAAA b", "aaaa b"),
            ("a\u{ad}b\0c", "abc"),
            ("Straße İ ΣΑΣ", "straße i\u{307} σασ"),
            ("ﬁne ① ｆｕｌｌ", "fine 1 full"),
            ("\u{2581}x\u{2581}\u{2581}y", "x y"),
            ("¨", "\u{308}"),
            ("e\u{301}\u{323}", "ẹ\u{301}"),
            ("\u{1100}\u{1161}\u{11a8}", "각"),
            ("ｶﾞ", "ガ"),
        ] {
            assert_eq!(normalised(text), line, "{text:?}");
        }
    }

    #[test]
    fn places() {
        let text = "É ﬁx";
        let places: Vec<_> = read(text).iter().map(|x| (x.code, x.start, x.end)).collect();
        assert_eq!(
            places,
            [('é', 0, 2), (' ', 2, 3), ('f', 3, 6), ('i', 3, 6), ('x', 6, 7)]
        );
        let joined = read("e\u{301}x");
        assert_eq!(
            (joined[0].code, joined[0].start, joined[0].end, joined[1].start),
            ('é', 0, 3, 3)
        );
    }

    proptest! {
        #[test]
        fn piece_by_piece_is_as_at_once(text in "\\PC*|[\u{0}-\u{3ff}\u{1100}-\u{11ff}\u{ac00}-\u{ac1f}\u{2000}-\u{206f}\u{3040}-\u{30ff}\u{fb00}-\u{ffff}\u{1d165}\u{16d60}-\u{16d70}]*") {
            prop_assert_eq!(normalised(&text), plainly(&text));
            let mut last = (0, 0);
            for letter in read(&text) {
                let (start, end) = (letter.start as usize, letter.end as usize);
                prop_assert!(text.get(start..end).is_some_and(|at| !at.is_empty()));
                prop_assert!((letter.start, letter.end) >= last);
                last = (letter.start, letter.end);
            }
        }
    }

    #[test]
    fn every_code_point_alone_and_behind_a_letter() {
        for code in ('\0'..=char::MAX).filter(|code| *code as u32 % 7 < 3 || (*code as u32) < 0x3_0000) {
            for text in [
                format!("{code}"),
                format!("e{code}"),
                format!("が{code}\u{327}가{code}"),
            ] {
                assert_eq!(normalised(&text), plainly(&text), "{text:?}");
            }
        }
    }
}
