//! What every match of a pattern begins with, read from the pattern itself: literal beginnings, and the set of first bytes.
//!
//! Nothing is compiled for it, so rules that are never met cost a parse and no automaton.

use crate::byte_set::ByteSet;
use regex_syntax::{
    ParserBuilder,
    hir::{Class, Hir, HirKind},
};

/// How long literal beginnings grow, and how many there may be of that length: the longest that are few enough are taken.
const SIZES: &[(usize, usize)] = &[(8, 128), (6, 256), (5, 512), (4, 2048)];
/// No beginning is shorter.
const MIN_PREFIX_LEN: usize = 3;
/// In so many ways one may go on to be grown further.
const FEW: usize = 8;
/// In so many it may where it is still short.
const MANY: usize = 64;

/// A parsed pattern. Bytes are ASCII unless it says `(?u)`, no look-around, no empty match.
pub(crate) struct Pattern {
    hir: Hir,
}

impl Pattern {
    /// Parses.
    pub(crate) fn parse(pattern: &str) -> Result<Pattern, String> {
        let hir = ParserBuilder::new()
            .unicode(false)
            .utf8(true)
            .build()
            .parse(pattern)
            .map_err(|error| error.to_string())?;
        if !hir.properties().look_set().is_empty() {
            return Err(
                "look-around is not supported: say what may not touch with `before` and `after`".into(),
            );
        }
        match hir.properties().minimum_len() {
            Some(0) => Err("the pattern matches the empty text".into()),
            None => Err("the pattern matches nothing".into()),
            Some(_) => Ok(Pattern { hir }),
        }
    }

    /// How many bytes a match may have; `None` where there is no bound.
    pub(crate) fn longest(&self) -> Option<usize> {
        self.hir.properties().maximum_len()
    }

    /// The bytes that a match can begin with.
    pub(crate) fn first(&self) -> ByteSet {
        let mut first = ByteSet::default();
        first_of(&self.hir, &mut first);
        first
    }

    /// The bytes that stand in every match.
    pub(crate) fn required(&self) -> Vec<u8> {
        required_by(&self.hir)
    }

    /// Literal beginnings, in lower case, one of which every match begins with (case aside); none where the pattern has
    /// no such beginnings. None of them begins another.
    pub(crate) fn beginnings(&self) -> Vec<Vec<u8>> {
        let all = SIZES
            .iter()
            .find_map(|(length, count)| self.grown(*length, *count));
        let mut all = all.unwrap_or_default();
        all.sort();
        all.dedup_by(|longer, shorter| longer.starts_with(shorter));
        all
    }

    /// The beginnings of at most that length, if they are no more than `count` and none is too short.
    fn grown(&self, length: usize, count: usize) -> Option<Vec<Vec<u8>>> {
        let mut grown = Grown {
            all: vec![(Vec::new(), true)],
            length,
            count,
        };
        grown.then(&self.hir);
        let all: Vec<Vec<u8>> = grown.all.into_iter().map(|(literal, _)| literal).collect();
        all.iter()
            .all(|literal| literal.len() >= MIN_PREFIX_LEN)
            .then_some(all)
    }
}

fn required_by(hir: &Hir) -> Vec<u8> {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.to_vec(),
        HirKind::Repetition(repetition) if repetition.min > 0 => required_by(&repetition.sub),
        HirKind::Capture(capture) => required_by(&capture.sub),
        HirKind::Concat(parts) => parts.iter().flat_map(required_by).collect(),
        HirKind::Alternation(parts) => {
            let mut all = parts.iter().map(required_by);
            let first = all.next().unwrap_or_default();
            all.fold(first, |both, other| {
                both.into_iter().filter(|byte| other.contains(byte)).collect()
            })
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) | HirKind::Repetition(_) => Vec::new(),
    }
}

/// Marks the first bytes; says whether the expression can be empty.
fn first_of(hir: &Hir, first: &mut ByteSet) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(literal) => {
            literal
                .0
                .first()
                .copied()
                .into_iter()
                .for_each(|byte| first.add(byte));
            false
        }
        HirKind::Class(class) => {
            each_first_byte(class, &mut |byte| first.add(byte));
            false
        }
        HirKind::Repetition(repetition) => first_of(&repetition.sub, first) || repetition.min == 0,
        HirKind::Capture(capture) => first_of(&capture.sub, first),
        HirKind::Concat(parts) => parts.iter().all(|part| first_of(part, first)),
        // Every branch is read: none may be skipped because another can be empty.
        HirKind::Alternation(parts) => {
            let mut empty = false;
            for part in parts {
                empty |= first_of(part, first);
            }
            empty
        }
    }
}

fn each_first_byte(class: &Class, mark: &mut impl FnMut(u8)) {
    match class {
        Class::Bytes(class) => {
            for range in class.ranges() {
                (range.start()..=range.end()).for_each(&mut *mark);
            }
        }
        Class::Unicode(class) => {
            for range in class.ranges() {
                let byte = |character: char| {
                    let mut buffer = [0; 4];
                    character.encode_utf8(&mut buffer).bytes().next().unwrap_or(0)
                };
                (byte(range.start())..=byte(range.end())).for_each(&mut *mark);
            }
        }
    }
}

/// Beginnings as they grow: a literal, and whether what is still to come may be appended to it.
struct Grown {
    all: Vec<(Vec<u8>, bool)>,
    /// They grow no longer than that.
    length: usize,
    /// There may be no more than that.
    count: usize,
}

impl Grown {
    /// Appends an expression to every beginning that still grows.
    fn then(&mut self, hir: &Hir) {
        if !self.all.iter().any(|(_, grows)| *grows) {
            return;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => {
                for byte in &literal.0 {
                    self.product(&[vec![byte.to_ascii_lowercase()]]);
                }
            }
            HirKind::Class(class) => match few(class) {
                Some(ways) => self.product(&ways),
                None => self.stop(),
            },
            HirKind::Capture(capture) => self.then(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.then(part)),
            HirKind::Alternation(parts) => self.one_of(parts.iter()),
            HirKind::Repetition(repetition) => {
                if repetition.min == 0 {
                    let without = self.all.clone();
                    self.then(&repetition.sub);
                    if repetition.max != Some(1) {
                        self.stop();
                    }
                    self.add(without);
                } else {
                    // More rounds are more than a beginning holds.
                    let rounds = u32::try_from(self.length).unwrap_or(u32::MAX);
                    for _ in 0..repetition.min.min(rounds) {
                        self.then(&repetition.sub);
                    }
                    if repetition.max != Some(repetition.min) || repetition.min > rounds {
                        self.stop();
                    }
                }
            }
        }
    }

    fn one_of<'a>(&mut self, parts: impl Iterator<Item = &'a Hir>) {
        let before = std::mem::take(&mut self.all);
        for part in parts {
            let mut branch = Grown {
                all: before.clone(),
                ..*self
            };
            branch.then(part);
            self.add(branch.all);
        }
        if self.all.len() > self.count {
            self.all = before;
            self.stop();
        }
    }

    fn add(&mut self, more: Vec<(Vec<u8>, bool)>) {
        self.all.extend(more);
        self.all.sort();
        self.all.dedup();
    }

    /// Every beginning that grows goes on in each of these ways, a short one also where they are many; where that would
    /// make too many, none grows any more.
    fn product(&mut self, ways: &[Vec<u8>]) {
        let mut next = Vec::with_capacity(self.all.len());
        for (literal, grows) in &self.all {
            let goes_on = ways.len() <= FEW || literal.len() <= MIN_PREFIX_LEN;
            if *grows && goes_on && literal.len() < self.length {
                next.extend(ways.iter().map(|way| ([&literal[..], &way[..]].concat(), true)));
            } else {
                next.push((literal.clone(), false));
            }
            if next.len() > self.count {
                return self.stop();
            }
        }
        self.all = next;
        self.all.sort();
        self.all.dedup();
    }

    fn stop(&mut self) {
        self.all.iter_mut().for_each(|(_, grows)| *grows = false);
    }
}

/// The members of a class, in lower case, where they are not too many. Digits alone are: numbers are found otherwise.
fn few(class: &Class) -> Option<Vec<Vec<u8>>> {
    let mut ways: Vec<Vec<u8>> = Vec::new();
    let mut add = |way: Vec<u8>| {
        if !ways.contains(&way) {
            ways.push(way);
        }
        ways.len() <= MANY
    };
    if class_is_digits(class) {
        return None;
    }
    match class {
        Class::Bytes(class) => {
            for range in class.ranges() {
                for byte in range.start()..=range.end() {
                    add(vec![byte.to_ascii_lowercase()]).then_some(())?;
                }
            }
        }
        Class::Unicode(class) => {
            for range in class.ranges() {
                for character in range.start()..=range.end() {
                    let mut buffer = [0; 4];
                    let written = character
                        .to_ascii_lowercase()
                        .encode_utf8(&mut buffer)
                        .as_bytes()
                        .to_vec();
                    add(written).then_some(())?;
                }
            }
        }
    }
    Some(ways)
}

fn class_is_digits(class: &Class) -> bool {
    match class {
        Class::Bytes(class) => {
            let digits =
                |range: &regex_syntax::hir::ClassBytesRange| range.start() >= b'0' && range.end() <= b'9';
            class.ranges().iter().all(digits)
        }
        Class::Unicode(class) => {
            let digits =
                |range: &regex_syntax::hir::ClassUnicodeRange| range.start() >= '0' && range.end() <= '9';
            class.ranges().iter().all(digits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Vec<String> {
        let beginnings = Pattern::parse(pattern).unwrap().beginnings();
        let text = |literal: Vec<u8>| String::from_utf8_lossy(&literal).into_owned();
        beginnings.into_iter().map(text).collect()
    }

    #[test]
    fn beginnings_of_every_match() {
        assert_eq!(of("sk-proj-[a-z]{9}"), ["sk-proj-"]);
        assert_eq!(
            of("gh[pousr]_[0-9a-z]{36}"),
            ["gho_", "ghp_", "ghr_", "ghs_", "ghu_"]
        );
        assert!(of("4[0-9]{3}").is_empty(), "ten ways are not few");
        assert_eq!(of("(?i)ignore[ ]it"), ["ignore i"]);
        assert_eq!(
            of("abc|abcdef"),
            ["abc"],
            "a match may be no longer than its beginning"
        );
        assert_eq!(
            of("(?:all )?(?:the )?rules"),
            ["all rule", "all the ", "rules", "the rule"]
        );
        assert_eq!(of("(?:ab){2,}c"), ["abab"]);
        assert_eq!(of("do[ _]+not"), ["do ", "do_"]);
        assert_eq!(
            of("say[ _,.:;!?-]+not"),
            [
                "say ", "say!", "say,", "say-", "say.", "say:", "say;", "say?", "say_"
            ]
        );
        assert!(of("[a-z]{3}@x").is_empty());
        assert!(of("ab").is_empty(), "too short to look for");
        assert_eq!(of("hf_[0-9A-Za-z]{9}").len(), 36);
        assert!(of("a?b?c?d").is_empty());
        assert_eq!(of("(?iu:élan)"), ["Élan", "élan"]);
    }

    #[test]
    fn required_bytes() {
        let required = |pattern: &str| Pattern::parse(pattern).unwrap().required();
        assert_eq!(required("[a-z]+@[a-z]+(?:[.]x)?"), b"@");
        assert_eq!(required("(?:a-b|-c)+_"), b"-_");
    }

    #[test]
    fn first_bytes() {
        let first = |pattern: &str| {
            let first = Pattern::parse(pattern).unwrap().first();
            first.iter().map(char::from).collect::<String>()
        };
        assert_eq!(first("a?[b-d]x"), "abcd");
        assert_eq!(first("(?:a|b?c)|d+"), "abcd");
        assert_eq!(first("(?i)ab"), "Aa");
    }
}
