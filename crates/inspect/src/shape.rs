//! One way in which a rule's match can look: an automaton, what may not touch it, and the check it must pass.
//!
//! **The verdict about a start is a function of the text from [`BEFORE`](crate::around::BEFORE) bytes before it up to the
//! byte where its automaton dies**, or [`AFTER`](crate::around::AFTER) bytes further where the shape looks behind a match.
//! It does not depend on any other match. That is why a text may be cut anywhere and read in pieces.

use portcullis_core::Span;
use regex_automata::{Anchored, Input, nfa::thompson::pikevm::PikeVM};

use crate::{
    around::{Check, Match},
    edge::{Before, Edge},
    machine::{self, Machine},
    rule::{RuleError, Source},
};

/// Of the places where an automaton accepts, so many are tried, the longest first: each costs a check.
const TRIED: usize = 16;

/// A compiled shape.
pub(crate) struct Shape {
    /// The number of the rule it belongs to.
    pub(crate) rule: usize,
    /// The number of the kind of that rule's findings.
    pub(crate) kind: usize,
    pub(crate) machine: Machine,
    pub(crate) before: Edge,
    pub(crate) after: Edge,
    check: Option<Check>,
    entropy: f32,
    pub(crate) keywords: Vec<String>,
    pub(crate) near: usize,
    pub(crate) near_after: usize,
    /// Finds the group `value` in a match; `None` where the pattern has none.
    value: Option<PikeVM>,
    /// For each byte, whether a match can begin with it.
    first: [bool; 256],
}

impl Shape {
    /// Compiles one of the patterns of a rule.
    pub(crate) fn new(rule: usize, kind: usize, source: &Source, pattern: &str) -> Result<Shape, RuleError> {
        let wrong = |reason| source.wrong(format!("`{pattern}`: {reason}"));
        let machine = Machine::new(pattern).map_err(wrong)?;
        let value = match pattern.contains("(?<value>") {
            true => Some(machine::capturing(pattern).map_err(wrong)?),
            false => None,
        };
        let mut first = [false; 256];
        for (byte, first) in (0..=u8::MAX).zip(&mut first) {
            *first = !machine.step(machine.start(), byte).is_dead();
        }
        if let Some(short) = source.keywords.iter().find(|word| word.len() < 3) {
            return Err(source.wrong(format!("the keyword `{short}` is shorter than three bytes")));
        }
        Ok(Shape {
            rule,
            kind,
            machine,
            before: source.before,
            after: source.after,
            check: source.find_check()?,
            entropy: source.entropy,
            keywords: source.keywords.clone(),
            near: source.near,
            near_after: source.near_after,
            value,
            first,
        })
    }

    /// Whether a match can begin with `byte`.
    pub(crate) fn can_begin_with(&self, byte: u8) -> bool {
        self.first.get(usize::from(byte)).copied().unwrap_or(false)
    }

    /// Whether the verdict depends on what stands behind a match.
    pub(crate) fn looks_behind(&self) -> bool {
        matches!(self.check, Some(Check::Around(_))) || (!self.keywords.is_empty() && self.near_after > 0)
    }

    /// What is found at a match that begins at byte `start`, if anything.
    ///
    /// Of all places where the automaton accepts, the last one counts that nothing bars and that passes the check:
    /// a card number followed by another number is still a card number.
    pub(crate) fn find(&self, text: &str, start: usize) -> Option<Span> {
        let mut state = self.machine.start();
        let mut ends = [0; TRIED];
        let mut accepted = 0;
        let bytes = text.as_bytes();
        for (end, byte) in (start + 1..).zip(bytes.get(start..)?) {
            state = self.machine.step(state, *byte);
            if state.is_dead() {
                break;
            }
            if state.accepts() && !bytes.get(end).is_some_and(|next| self.after.bars(*next)) {
                if let Some(slot) = ends.get_mut(accepted % TRIED) {
                    *slot = end;
                }
                accepted += 1;
            }
        }
        let last = (0..accepted).rev().take(TRIED);
        last.filter_map(|at| ends.get(at % TRIED))
            .find_map(|end| self.judge(text, Span::new(start, *end)))
    }

    fn judge(&self, text: &str, whole: Span) -> Option<Span> {
        let span = match &self.value {
            None => whole,
            Some(regex) => value(regex, text, whole)?,
        };
        let found = Match::new(text, whole, span);
        if self.entropy > 0.0 && entropy(found.value()) < self.entropy {
            return None;
        }
        if !self.keywords.is_empty() && !found.is_near(&self.keywords, self.near, self.near_after) {
            return None;
        }
        match self.check {
            None => Some(span),
            Some(Check::Value(check)) => check(found.value()).then_some(span),
            Some(Check::Left(check) | Check::Around(check)) => check(&found),
        }
    }

    /// Whether a match may begin after `before`.
    pub(crate) fn may_follow(&self, before: Before) -> bool {
        before.allows(self.before)
    }
}

/// Where the group `value` stands in a match.
fn value(regex: &PikeVM, text: &str, whole: Span) -> Option<Span> {
    let matched = text.get(whole.start..whole.end)?;
    let mut cache = regex.create_cache();
    let mut slots = [None; 4];
    let input = Input::new(matched).anchored(Anchored::Yes);
    regex.search_slots(&mut cache, &input, &mut slots)?;
    let [_, _, Some(start), Some(end)] = slots else {
        return None;
    };
    Some(Span::new(whole.start + start.get(), whole.start + end.get()))
}

/// Shannon's entropy of the bytes of `text`, in bits a byte.
#[allow(clippy::cast_precision_loss, reason = "lengths of values are small")]
pub(crate) fn entropy(text: &str) -> f32 {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count += 1;
        }
    }
    let total = text.len() as f32;
    let bits = |count: &u32| {
        let share = *count as f32 / total;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_in_bits_a_byte() {
        for (text, bits) in [("aaaa", 0.0), ("abab", 1.0), ("abcd", 2.0), ("", 0.0)] {
            assert!((entropy(text) - bits).abs() < 1e-6, "{text}");
        }
    }
}
