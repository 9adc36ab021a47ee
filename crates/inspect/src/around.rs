//! A match together with what stands around it, as far as a check may look.
//!
//! Both reaches are bounds of the law of streams: whoever reads a text in pieces keeps [`BEFORE`] bytes of what it has let
//! go, and waits for [`AFTER`] bytes where a check looks behind a match.

use portcullis_core::Span;

use crate::keywords::Keywords;

/// How many bytes before a match a check may look at.
pub(crate) const BEFORE: usize = 1024;
/// How many bytes behind a match a check may look at.
pub(crate) const AFTER: usize = 64;

/// The longest match that words behind it can make a finding.
pub(crate) const LONG: usize = 128;

/// What a match must pass besides its shape.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Check {
    /// Depends on the value alone.
    Value(fn(&str) -> bool),
    /// Depends on the value and on what stands before it; may narrow the span.
    Left(fn(&Match<'_>) -> Option<Span>),
    /// Depends on what stands on both sides; may narrow the span.
    Around(fn(&Match<'_>) -> Option<Span>),
    /// Two in one: the first is asked about the first character alone, before more is read; the second is as `Left`.
    Begun(fn(&Match<'_>) -> bool, fn(&Match<'_>) -> Option<Span>),
}

/// A value that a pattern matched, in its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match<'a> {
    text: &'a str,
    /// What the whole pattern matched.
    whole: Span,
    /// The group `value` of the pattern; the whole match where it has none.
    span: Span,
}

impl<'a> Match<'a> {
    /// A match of a pattern in `text`, and its value.
    pub(crate) fn new(text: &'a str, whole: Span, span: Span) -> Match<'a> {
        Match { text, whole, span }
    }

    /// Where the value stands.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Where all that the pattern matched stands.
    pub(crate) fn whole_span(&self) -> Span {
        self.whole
    }

    /// The value.
    pub(crate) fn value(&self) -> &'a str {
        self.text.get(self.span.start..self.span.end).unwrap_or_default()
    }

    /// All that the pattern matched.
    pub(crate) fn whole(&self) -> &'a str {
        self.text
            .get(self.whole.start..self.whole.end)
            .unwrap_or_default()
    }

    /// At most `length` bytes (and no more than [`BEFORE`] bytes before the match) that stand before the value.
    pub(crate) fn before(&self, length: usize) -> &'a str {
        let least = self
            .whole
            .start
            .saturating_sub(BEFORE)
            .max(self.span.start.saturating_sub(length));
        let from = (least..=self.span.start).find(|at| self.text.is_char_boundary(*at));
        from.and_then(|from| self.text.get(from..self.span.start))
            .unwrap_or_default()
    }

    /// The same without the word that it cuts: its end is no word.
    pub(crate) fn words_before(&self, length: usize) -> &'a str {
        const WIDEST: usize = 4;
        let cased = |character: char| character.is_lowercase() || character.is_uppercase();
        let (words, wider) = (self.before(length), self.before(length.saturating_add(WIDEST)));
        let left = wider
            .strip_suffix(words)
            .and_then(|left| left.chars().next_back());
        match left.is_some_and(cased) {
            true => words.trim_start_matches(cased),
            false => words,
        }
    }

    /// At most `length` bytes (and no more than [`AFTER`] bytes behind the match) that stand behind the value.
    pub(crate) fn after(&self, length: usize) -> &'a str {
        let most = (self.whole.end + AFTER)
            .min(self.span.end.saturating_add(length))
            .min(self.text.len());
        let to = (self.span.end..=most)
            .rev()
            .find(|at| self.text.is_char_boundary(*at));
        to.and_then(|to| self.text.get(self.span.end..to))
            .unwrap_or_default()
    }

    /// Whether one of `keywords` stands wholly within `near` bytes before the match or within `near_after` bytes behind it.
    /// Behind a match of more than [`LONG`] bytes nothing counts.
    pub(crate) fn is_near(&self, keywords: &Keywords, near: usize, near_after: usize) -> bool {
        let whole = Match::new(self.text, self.whole, self.whole);
        let near_after = if self.whole.len() > LONG { 0 } else { near_after };
        let any = |text: &str| {
            let text = text.as_bytes();
            keywords.any_in(text, |word, at| is_word(text, at, word.len()))
        };
        any(whole.words_before(near)) || (near_after > 0 && any(whole.after(near_after)))
    }
}

/// Whether `word` stands in `text` as a word of its own, ASCII case aside: what touches it on the left is no letter (or
/// begins a new word as in `myApiKey`), and what follows is no lower-case letter.
pub(crate) fn stands_in(word: &str, text: &str) -> bool {
    let (word, text) = (word.as_bytes(), text.as_bytes());
    let Some(first) = word.first() else { return false };
    let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
    memchr::memchr2_iter(lower, upper, text).any(|at| {
        text.get(at..at + word.len())
            .is_some_and(|here| here.eq_ignore_ascii_case(word))
            && is_word(text, at, word.len())
    })
}

/// Whether the `length` bytes at `at` of `text` are a word of their own.
pub(crate) fn is_word(text: &[u8], at: usize, length: usize) -> bool {
    let first = text.get(at).copied().unwrap_or_default();
    let last = text.get(at + length - 1).copied().unwrap_or_default();
    let before = at
        .checked_sub(1)
        .and_then(|at| text.get(at))
        .copied()
        .unwrap_or_default();
    let next = text.get(at + length).copied().unwrap_or_default();
    let begins = !first.is_ascii_alphabetic()
        || !before.is_ascii_alphabetic()
        || (before.is_ascii_lowercase() && first.is_ascii_uppercase());
    let ends = !last.is_ascii_alphabetic() || !next.is_ascii_lowercase();
    begins && ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_is_a_word_of_its_own() {
        for (word, text, stands) in [
            ("sin", "using it", false),
            ("sin", "my SIN: ", true),
            ("sin", "since", false),
            ("datadog", "DATADOG_API_KEY=", true),
            ("datadog", "datadogApiKey:", true),
            ("api key", "the api key is", true),
            ("key", "apiKey", true),
            ("key", "monkey", false),
            ("身份证", "我的身份证是", true),
        ] {
            assert_eq!(stands_in(word, text), stands, "{word} in {text}");
        }
    }

    #[test]
    fn a_word_that_is_cut_is_none() {
        let text = "xnational id: 7 éta 8";
        let words = |value: &str, length| {
            let at = text.find(value).unwrap();
            let span = Span::new(at, at + value.len());
            Match::new(text, span, span).words_before(length)
        };
        assert_eq!(words("7", 13), " id: ");
        assert_eq!(words("7", 14), "xnational id: ");
        assert_eq!(
            (words("7", 5), words("8", 3), words("8", 5)),
            (" id: ", " ", "éta ")
        );
    }

    #[test]
    fn what_stands_around_is_cut_at_characters() {
        let text = "éé 123 éé";
        let span = Span::new(5, 8);
        let found = Match::new(text, span, span);
        assert_eq!(
            (found.value(), found.before(2), found.before(3)),
            ("123", " ", "é ")
        );
        assert_eq!((found.after(2), found.after(3)), (" ", " é"));
    }
}
