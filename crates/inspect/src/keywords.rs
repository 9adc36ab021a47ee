//! The keywords of a rule, made ready to be looked for: in one pass over a text for all of them.

use std::ops::Deref;

use serde::{Deserialize, Deserializer};

/// Words one of which must stand near a match. None is shorter than two bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Keywords {
    words: Box<[String]>,
    /// A bit for each pair of bytes that a word begins with. Of each byte the low five bits count, so that small and
    /// capital letters are the same: most places of a text are passed over by a look at two bytes.
    pairs: [u64; 16],
}

impl Keywords {
    /// Whether one of the words stands in `text`, ASCII case aside, at a place that `fits` says yes to; it is told the word
    /// and where it begins.
    #[inline]
    pub(crate) fn any_in(&self, text: &[u8], fits: impl Fn(&str, usize) -> bool) -> bool {
        self.places(text)
            .any(|at| self.at(text, at).any(|word| fits(word, at)))
    }

    /// The words that stand at a place of `text`, ASCII case aside.
    pub(crate) fn at(&self, text: &[u8], at: usize) -> impl Iterator<Item = &str> {
        let rest = text.get(at..).unwrap_or_default();
        let first = rest.first().map(u8::to_ascii_lowercase);
        let is_here = move |word: &&str| {
            let word = word.as_bytes();
            let stands = |here: &[u8]| here.eq_ignore_ascii_case(word);
            word.first().map(u8::to_ascii_lowercase) == first && rest.get(..word.len()).is_some_and(stands)
        };
        self.words.iter().map(String::as_str).filter(is_here)
    }

    /// The places of `text` where one of the words could begin, from left to right or from right to left.
    #[inline]
    pub(crate) fn places(&self, text: &[u8]) -> impl DoubleEndedIterator<Item = usize> {
        let begins = |(at, pair): (usize, &[u8])| match *pair {
            [first, second] => self.begin_with(first, second).then_some(at),
            _ => None,
        };
        text.windows(2).enumerate().filter_map(begins)
    }

    #[inline]
    fn begin_with(&self, first: u8, second: u8) -> bool {
        let bits = self.pairs.get(usize::from(first & 31) / 2).copied().unwrap_or(0);
        bits >> (u32::from(first & 1) * 32 + u32::from(second & 31)) & 1 == 1
    }
}

impl FromIterator<String> for Keywords {
    fn from_iter<I: IntoIterator<Item = String>>(words: I) -> Keywords {
        let words: Box<[String]> = words.into_iter().collect();
        let mut pairs = [0; 16];
        for word in &words {
            if let [first, second, ..] = *word.as_bytes()
                && let Some(bits) = pairs.get_mut(usize::from(first & 31) / 2)
            {
                *bits |= 1 << (u32::from(first & 1) * 32 + u32::from(second & 31));
            }
        }
        Keywords { words, pairs }
    }
}

impl Deref for Keywords {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.words
    }
}

impl<'de> Deserialize<'de> for Keywords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keywords, D::Error> {
        Vec::deserialize(deserializer).map(Keywords::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_are_found_where_they_begin() {
        let words: Keywords = ["NPI", "tax id", "налог"].map(String::from).into_iter().collect();
        let text = "npi, nap, TAX ID; налог 1";
        let all: Vec<(usize, &str)> = words
            .places(text.as_bytes())
            .flat_map(|at| words.at(text.as_bytes(), at).map(move |word| (at, word)))
            .collect();
        assert_eq!(all, [(0, "NPI"), (10, "tax id"), (18, "налог")]);
        assert!(words.any_in(text.as_bytes(), |word, at| word == "NPI" && at == 0));
        assert!(!words.any_in(text.as_bytes(), |_, at| at == 5));
        assert!(!Keywords::default().any_in(text.as_bytes(), |_, _| true));
    }
}
