//! The keywords of a rule, made ready to be looked for: in one pass over a text for all of them.

use std::ops::Deref;

use serde::{Deserialize, Deserializer};

/// Words one of which must stand near a match. None is shorter than two bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Keywords {
    words: Box<[String]>,
    /// The words by their first two bytes: those bytes, as [`pair`] makes one number of them, and the place of the word.
    by_pair: Box<[(u16, u16)]>,
    /// A bit for each pair of bytes that a word begins with. Of each byte the low five bits count, so that small and
    /// capital letters are the same: most places of a text are passed over by a look at two bytes.
    pairs: [u64; 16],
}

impl Keywords {
    /// Whether one of the words stands in `text`, ASCII case aside, at a place that `fits` says yes to; it is told the word
    /// and where it begins.
    #[inline]
    pub(crate) fn any_in(&self, text: &[u8], fits: impl Fn(&str, usize) -> bool) -> bool {
        // A label mostly stands right before its value.
        self.places(text)
            .rev()
            .any(|at| self.at(text, at).any(|word| fits(word, at)))
    }

    /// Those words.
    pub(crate) fn of(words: &[&str]) -> Keywords {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Whether `text` begins with one of the words as it is written.
    pub(crate) fn begin(&self, text: &str) -> bool {
        self.at(text.as_bytes(), 0).any(|word| text.starts_with(word))
    }

    /// The words that stand at a place of `text`, ASCII case aside.
    pub(crate) fn at(&self, text: &[u8], at: usize) -> impl Iterator<Item = &str> {
        let rest = text.get(at..).unwrap_or_default();
        let here = match *rest {
            [first, second, ..] => pair(first, second),
            _ => 0,
        };
        let from = self.by_pair.partition_point(|(begins, _)| *begins < here);
        let alike = self
            .by_pair
            .iter()
            .skip(from)
            .take_while(move |(begins, _)| *begins == here);
        alike
            .filter_map(|(_, place)| self.words.get(usize::from(*place)))
            .map(String::as_str)
            .filter(|word| {
                let here = rest.get(..word.len());
                here.is_some_and(|here| here.eq_ignore_ascii_case(word.as_bytes()))
            })
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

/// Two bytes as one number, ASCII case aside.
fn pair(first: u8, second: u8) -> u16 {
    u16::from_be_bytes([first.to_ascii_lowercase(), second.to_ascii_lowercase()])
}

impl FromIterator<String> for Keywords {
    fn from_iter<I: IntoIterator<Item = String>>(words: I) -> Keywords {
        let words: Box<[String]> = words.into_iter().collect();
        let mut pairs = [0; 16];
        let mut by_pair = Vec::with_capacity(words.len());
        for (place, word) in (0..=u16::MAX).zip(&words) {
            let [first, second, ..] = *word.as_bytes() else {
                continue;
            };
            by_pair.push((pair(first, second), place));
            if let Some(bits) = pairs.get_mut(usize::from(first & 31) / 2) {
                *bits |= 1 << (u32::from(first & 1) * 32 + u32::from(second & 31));
            }
        }
        by_pair.sort_unstable();
        Keywords {
            words,
            by_pair: by_pair.into_boxed_slice(),
            pairs,
        }
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
