//! The scan of a whole text: one pass finds where a match could begin, the automata say whether one does.
//!
//! Shapes with literal beginnings are met by one Aho-Corasick pass over those of all rules. The few that have none
//! (card numbers, e-mail addresses) are tried where their first byte stands and nothing bars it; they are left out
//! altogether where the text lacks a byte that they need (`@`). Nothing is allocated while nothing is found.

use std::cmp::Reverse;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use portcullis_core::Span;

use crate::{edge::Before, rule::RuleError, shape::Shape};

/// A match before it is a finding: the number of its rule, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) rule: usize,
    pub(crate) span: Span,
}

impl Hit {
    /// Whether `self` says nothing that `other` does not say.
    pub(crate) fn is_within(&self, other: &Hit) -> bool {
        self.rule == other.rule && self.span.start >= other.span.start && self.span.end <= other.span.end
    }
}

/// Finds starts. Built once from all shapes.
pub(crate) struct Scan {
    literals: AhoCorasick,
    /// The shapes that begin with each literal.
    beginning: Vec<Vec<usize>>,
    /// The shapes without literal beginnings, and bytes that a text must have for them.
    open: Vec<Open>,
    /// For each byte, a bit for each open shape that can begin with it; the last bit stands for all from the 64th on.
    first: [u64; 256],
}

struct Open {
    shape: usize,
    needs: Option<u8>,
}

/// Bytes worth looking for before a shape is tried: rare in prose and code.
const RARE: &[u8] = b"@+#$~^|{}[]<>=&%/\\:_-.0123456789";

impl Scan {
    /// Prepares the search for the starts of `shapes`.
    pub(crate) fn new(shapes: &[Shape]) -> Result<Scan, RuleError> {
        let mut literals: Vec<Vec<u8>> = Vec::new();
        let mut beginning: Vec<Vec<usize>> = Vec::new();
        let mut open = Vec::new();
        let mut first = [0; 256];
        for (number, shape) in shapes.iter().enumerate() {
            let prefixes = shape.machine.prefixes();
            if prefixes.is_empty() {
                let bit = 1 << open.len().min(63);
                for (byte, bits) in (0..=u8::MAX).zip(&mut first) {
                    if !shape.machine.step(shape.machine.start(), byte).is_dead() {
                        *bits |= bit;
                    }
                }
                let needs = RARE.iter().copied().find(|byte| shape.machine.needs(*byte));
                open.push(Open { shape: number, needs });
            }
            for prefix in prefixes {
                match literals.iter().position(|known| *known == prefix) {
                    Some(at) => beginning
                        .get_mut(at)
                        .into_iter()
                        .for_each(|shapes| shapes.push(number)),
                    None => {
                        literals.push(prefix);
                        beginning.push(vec![number]);
                    }
                }
            }
        }
        let literals = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&literals)
            .map_err(|error| RuleError::Rule {
                rule: "all".into(),
                reason: error.to_string(),
            })?;
        Ok(Scan {
            literals,
            beginning,
            open,
            first,
        })
    }

    /// Adds every match of the shapes whose rule is wanted, in order of start, without those within another of the
    /// same rule.
    pub(crate) fn run(
        &self,
        shapes: &[Shape],
        text: &str,
        wanted: impl Fn(usize) -> bool,
        hits: &mut Vec<Hit>,
    ) {
        let bytes = text.as_bytes();
        let mut attempt = |shape: &Shape, start: usize| {
            if wanted(shape.rule)
                && shape.may_follow(Before::at(bytes, start))
                && let Some(end) = shape.end(text, start)
            {
                hits.push(Hit {
                    rule: shape.rule,
                    span: Span::new(start, end),
                });
            }
        };
        for met in self.literals.find_overlapping_iter(text) {
            for number in self.beginning.get(met.pattern().as_usize()).into_iter().flatten() {
                if let Some(shape) = shapes.get(*number) {
                    attempt(shape, met.start());
                }
            }
        }
        let possible = |open: &Open| {
            shapes.get(open.shape).is_some_and(|shape| wanted(shape.rule))
                && open
                    .needs
                    .is_none_or(|byte| memchr::memchr(byte, bytes).is_some())
        };
        let active = (0usize..)
            .zip(&self.open)
            .filter(|(_, open)| possible(open))
            .fold(0u64, |bits, (at, _)| bits | 1 << at.min(63));
        for (start, byte) in bytes.iter().enumerate().filter(|_| active != 0) {
            let mut bits = self.first.get(usize::from(*byte)).copied().unwrap_or(0) & active;
            while bits != 0 {
                let at = usize::try_from(bits.trailing_zeros()).unwrap_or(63);
                bits &= bits - 1;
                let until = if at == 63 { self.open.len() } else { at + 1 };
                for open in self.open.get(at..until).into_iter().flatten() {
                    if let Some(shape) = shapes.get(open.shape) {
                        attempt(shape, start);
                    }
                }
            }
        }
        tidy(hits);
    }
}

/// Sorts matches and drops those within another of the same rule.
fn tidy(hits: &mut Vec<Hit>) {
    if hits.len() < 2 {
        return;
    }
    hits.sort_by_key(|hit| (hit.rule, hit.span.start, Reverse(hit.span.end)));
    hits.dedup_by(|later, earlier| later.is_within(earlier));
    hits.sort_by_key(|hit| (hit.span.start, Reverse(hit.span.end), hit.rule));
}
