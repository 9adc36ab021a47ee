//! Texts as values are looked for in them: without case, without invisible characters, in Unicode's compatibility form, with single
//! spaces. A value is found as a token or not at all: `13` is not in `2013`, `a.com` is not in `evil-a.com`.

use memchr::memmem::find_iter;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// A text in the form in which texts are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folded(String);

/// The same, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldedText<'t>(&'t str);

impl Folded {
    /// Folds a text.
    #[must_use]
    pub fn of(text: &str) -> Folded {
        let mut out = Vec::with_capacity(text.len());
        fold_into(text, &mut out);
        // INVARIANT: it was put together from characters.
        Folded(String::from_utf8(out).unwrap_or_default())
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// It, borrowed.
    #[must_use]
    pub fn text(&self) -> FoldedText<'_> {
        FoldedText(&self.0)
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its words: runs of letters and digits.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.text().words()
    }
}

impl<'t> FoldedText<'t> {
    /// The folded text.
    #[must_use]
    pub fn as_str(self) -> &'t str {
        self.0
    }

    /// Whether `needle` stands in it as a token: no letter or digit touches it.
    #[must_use]
    pub fn holds(self, needle: FoldedText<'_>) -> bool {
        self.any(needle.0, |before, after| {
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
    }

    /// Whether some place of `needle` in it has such characters before and behind it.
    pub(super) fn any(self, needle: &str, touches: impl Fn(Option<char>, Option<char>) -> bool) -> bool {
        self.any_between(needle, |before, after| {
            touches(before.chars().next_back(), after.chars().next())
        })
    }

    /// Whether some place of `needle` in it stands between such texts.
    pub(super) fn any_between(self, needle: &str, fits: impl Fn(&str, &str) -> bool) -> bool {
        !needle.is_empty()
            && needle.len() <= self.0.len()
            && find_iter(self.0.as_bytes(), needle.as_bytes()).any(|at| {
                let before = self.0.get(..at).unwrap_or("");
                let after = self.0.get(at.saturating_add(needle.len())..).unwrap_or("");
                fits(before, after)
            })
    }

    /// Its sentences. A full stop ends one where a space follows: the others are in addresses and numbers.
    pub(super) fn sentences(self) -> impl Iterator<Item = FoldedText<'t>> {
        self.0
            .split_inclusive(' ')
            .scan(0usize, |end, word| {
                *end = end.saturating_add(word.len());
                Some((*end, word))
            })
            .filter(|(end, word)| {
                *end == self.0.len() || word.trim_end().ends_with(['.', '!', '?', ';', '。', '！', '？'])
            })
            .scan(0usize, move |from, (end, _)| {
                let sentence = self.0.get(*from..end).unwrap_or("");
                *from = end;
                Some(FoldedText(sentence))
            })
    }

    /// Its words: runs of letters and digits.
    pub fn words(self) -> impl Iterator<Item = &'t str> {
        self.0
            .split(|char: char| !char.is_alphanumeric())
            .filter(|word| !word.is_empty())
    }
}

/// Folds a text behind what is there. Nothing of it is a line break, so one may stand between texts.
pub(super) fn fold_into(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    if text.is_ascii() {
        fold_ascii(text, out);
    } else if is_nfkc_quick(text.chars()) == IsNormalized::Yes && !text.chars().any(is_invisible) {
        fold_chars(text, out);
    } else {
        let plain: String = text.nfkc().filter(|char| !is_invisible(*char)).collect();
        fold_chars(&plain, out);
    }
    if out.len() > start && out.last() == Some(&b' ') {
        out.pop();
    }
}

/// Most texts are of this sort, and most of the time of a decision goes by here: what is between control characters is copied at once
/// wherever nothing in it asks for more.
fn fold_ascii(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len());
    let start = out.len();
    let bytes = text.as_bytes();
    let mut at = 0usize;
    for piece in bytes.split(|byte| byte.is_ascii_control()) {
        let begins = at;
        at = at.saturating_add(piece.len()).saturating_add(1);
        let spaced = out.len() == start || out.last() == Some(&b' ');
        let trimmed = piece.trim_ascii();
        if trimmed.is_empty() {
            continue;
        }
        if !spaced {
            out.push(b' ');
        }
        if is_plain(trimmed) {
            let from = out.len();
            out.extend_from_slice(trimmed);
            if let Some(copied) = out.get_mut(from..) {
                copied.make_ascii_lowercase();
            }
        } else {
            fold_bytes(text, begins, piece, out);
        }
    }
}

/// Whether nothing in a piece changes but its capitals: no two spaces, no full stop before a capital.
fn is_plain(piece: &[u8]) -> bool {
    let next = piece.iter().skip(1);
    // Without a way out of the loop, many bytes are looked at in one step.
    !piece.iter().zip(next).fold(false, |found, (one, next)| {
        found | ((*one == b' ') & (*next == b' ')) | ((*one == b'.') & next.is_ascii_uppercase())
    })
}

/// Folds a piece of a text in which there are no control characters, byte by byte.
fn fold_bytes(text: &str, begins: usize, piece: &[u8], out: &mut Vec<u8>) {
    let (mut spaced, mut before) = (true, b' ');
    for (at, byte) in piece.iter().enumerate() {
        if *byte == b' ' {
            if !spaced {
                out.push(b' ');
                spaced = true;
            }
        } else {
            out.push(byte.to_ascii_lowercase());
            spaced = false;
            // People forget the space behind a full stop: "www.example.com.They say".
            if *byte == b'.'
                && before.is_ascii_lowercase()
                && begins_sentence(rest(text, begins.saturating_add(at)))
            {
                out.push(b' ');
                spaced = true;
            }
        }
        before = *byte;
    }
}

fn fold_chars(text: &str, out: &mut Vec<u8>) {
    let (mut spaced, mut before) = (true, ' ');
    let mut buffer = [0u8; 4];
    for (at, char) in text.char_indices() {
        if char.is_whitespace() || char.is_control() {
            if !spaced {
                out.push(b' ');
                spaced = true;
            }
        } else {
            spaced = false;
            for lower in char.to_lowercase() {
                out.extend_from_slice(lower.encode_utf8(&mut buffer).as_bytes());
            }
            if char == '.' && before.is_ascii_lowercase() && begins_sentence(rest(text, at)) {
                out.push(b' ');
                spaced = true;
            }
        }
        before = char;
    }
}

fn rest(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or("")
}

/// Whether a full stop is glued to a sentence: a capital, then small letters to the end of a word. Not in an address.
fn begins_sentence(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    if !chars.next().is_some_and(|char| char.is_ascii_uppercase()) {
        return false;
    }
    let mut small = 0usize;
    for char in chars {
        match char {
            'a'..='z' => small = small.saturating_add(1),
            _ => return small > 0 && (char.is_whitespace() || matches!(char, ',' | '\'' | ';' | ':')),
        }
    }
    false
}

/// Characters that nobody sees: they are put into values so that these look alike and are not.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_as_people_read_them() {
        let folded = |text| Folded::of(text).as_str().to_owned();
        assert_eq!(folded("  Ａlice\u{200b}\n\tBob "), "alice bob");
        assert_eq!(folded("see www.a.com.They sent"), "see www.a.com. they sent");
        assert_eq!(folded("John.Smith@a.com wrote"), "john.smith@a.com wrote");
        assert_eq!(folded("ÄRGER"), "ärger");
        assert_eq!(folded(" \t\n a.\r\n\r\n  b.  C\u{7f}d "), "a. b. c d");
        assert_eq!(folded("a.B c.De\n f"), "a.b c. de f");
        assert_eq!(folded(" \n"), "");
    }

    #[test]
    fn a_value_is_a_token_or_not_there() {
        let holds = |text, value| Folded::of(text).text().holds(Folded::of(value).text());
        assert!(holds("Send it to Alice, please", "alice"));
        assert!(!holds("Alicenta", "Alice"));
        assert!(!holds("in 2013", "13"));
        assert!(!holds("anything", ""));
        assert!(holds("тест Ёлка", "ёлка"));
    }
}
