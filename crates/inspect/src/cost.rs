//! Whether a pattern can be made to cost the square of a text: where a match can begin again and again in a text through
//! which every one of them goes on without end.
//!
//! Such a text repeats a word, so words are tried: pairs of characters, what the pattern is made of, what it finds. That is no
//! proof, but what people write by mistake (`[a-z ]+key`, `https://host/[!-~]+`) is caught.

use crate::{corpus::expand, edge::Before, rule::Source, shape::Shape};

/// A match that goes on through so many bytes is taken to go on for ever.
const FAR: usize = 1024;

/// A character of each sort that patterns tell apart.
const SORTS: &[&str] = &[
    "a", "f", "Z", "0", " ", "\n", ".", "_", "-", "/", "@", ":", "=", "\"", "'", "%", "+", "é",
];

/// A word that makes the shape costly when it is repeated, if one is found.
pub(crate) fn costly_word(shape: &Shape, source: &Source) -> Option<String> {
    words(source).find(|word| is_costly(shape, word))
}

fn words(source: &Source) -> impl Iterator<Item = String> {
    let pairs = SORTS
        .iter()
        .flat_map(|one| SORTS.iter().map(move |other| format!("{one}{other}")));
    let parts = source
        .pattern
        .iter()
        .flat_map(|pattern| pattern.split(|c: char| !c.is_ascii_alphabetic()))
        .filter(|part| part.len() > 2)
        .map(str::to_owned);
    let found = source.hit.iter().flat_map(|hit| {
        let hit = expand(hit, 1);
        let value = hit.split(['«', '»']).nth(1).unwrap_or_default().to_owned();
        let lengths = [3, 5, 8, 11, 16, 24, 32, 48, 64];
        lengths.map(|length| value.chars().take(length).collect::<String>())
    });
    let longer = parts
        .chain(found)
        .flat_map(|word| ["", " ", "."].map(|between| format!("{word}{between}")));
    pairs.chain(longer).filter(|word| !word.is_empty())
}

/// Whether a match that begins in the second `word` of many goes on to their end: then so does one in each of them.
fn is_costly(shape: &Shape, word: &str) -> bool {
    let text = word.repeat(FAR / word.len() + 3);
    let bytes = text.as_bytes();
    let Some(machine) = shape.machine() else {
        return false;
    };
    let goes_on = |start: usize| {
        let mut read = 0;
        let rest = bytes.iter().skip(start).copied();
        machine.walk(machine.start(), rest, |_| read += 1);
        start + read == bytes.len()
    };
    let begins = |start: usize| {
        let byte = bytes.get(start).copied().unwrap_or(0);
        shape.can_begin_with(byte) && shape.may_follow(Before::at(bytes, start))
    };
    (word.len()..word.len() * 2).any(|start| begins(start) && goes_on(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Inspector, inspector::built_in_rules};

    fn costly(block: &str) -> Option<String> {
        let text = format!("[[rule]]\nid = 'X'\nseverity = 'low'\n{block}");
        let source = Source::read_file(&text).unwrap().remove(0);
        let shape = Shape::new(0, 0, &source, &source.pattern[0]).unwrap();
        costly_word(&shape, &source)
    }

    #[test]
    fn what_can_begin_anywhere_and_never_ends_is_costly() {
        for block in [
            "pattern = '[a-z ]+key'",
            "pattern = '(?:[a-z]+ )+key'",
            "pattern = '[a-z]+key'\nbefore = 'free'",
            "pattern = '[0-9 ]+'",
            r"pattern = 'https://acme[.]example/[!-~]+'
              hit = ['«https://acme.example/x»']",
            "pattern = 'begin[ -~]*end'",
        ] {
            assert!(costly(block).is_some(), "{block}");
        }
        for block in [
            "pattern = '[a-z]+key'",
            "pattern = '[a-z ]{1,200}key'",
            "pattern = 'acme_[a-z0-9]+'\nbefore = 'word'",
            r"pattern = 'https://acme[.]example/[!-~]{1,300}'
              hit = ['«https://acme.example/x»']",
        ] {
            assert_eq!(costly(block), None, "{block}");
        }
    }

    #[test]
    fn no_built_in_rule_is() {
        let rules = built_in_rules().unwrap();
        let inspector = Inspector::new(rules.clone()).unwrap();
        let mut number = 0;
        while let Some(shape) = inspector.shape(number) {
            let rule = &rules[shape.rule];
            assert_eq!(costly_word(shape, &rule.source), None, "{}", rule.id);
            number += 1;
        }
    }
}
