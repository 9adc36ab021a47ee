//! Words that tell text from what only looks like it: common ones, and those that rules look for.
//!
//! Where a disguise can be undone in several ways, or may be none at all, the way counts that gives these words.

use std::{collections::HashSet, sync::LazyLock};

static WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("words.txt").split_whitespace().collect());

/// The longest word in characters.
const LONGEST: usize = 20;

/// Whether a word, in lower case, is known.
pub(super) fn is_known(word: &str) -> bool {
    WORDS.contains(word)
}

/// Where words end in a text without blanks, in characters: the longest known word wherever one begins, the rest as it is.
pub(super) fn split(letters: &[char]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while at < letters.len() {
        let known = |length: &usize| {
            let word: Option<String> = letters
                .get(at..at + length)
                .map(|word| word.iter().flat_map(|c| c.to_lowercase()).collect());
            word.is_some_and(|word| is_known(&word))
        };
        let most = LONGEST.min(letters.len() - at);
        match (2..=most).rev().find(known) {
            Some(length) => {
                // What is unknown before a word ends there.
                if at > 0 && ends.last() != Some(&at) {
                    ends.push(at);
                }
                at += length;
                ends.push(at);
            }
            None => at += 1,
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart() {
        let letters: Vec<char> = "ignoreallpreviousxyinstructions".chars().collect();
        assert_eq!(split(&letters), [6, 9, 17, 19, 31]);
        assert_eq!(split(&[]), []);
    }
}
