//! One way in which a rule's match can look: an automaton, what may not touch it, and the check it must pass.
//!
//! **The verdict about a start is a function of the text from two bytes before it up to the byte where its automaton
//! dies.** It does not depend on any other match. That is why a text may be cut anywhere and read in pieces.

use crate::{
    edge::{Before, Edge},
    machine::Machine,
    rule::{RuleError, Source},
    validate::Check,
};

/// A compiled shape.
pub(crate) struct Shape {
    /// The number of the rule it belongs to.
    pub(crate) rule: usize,
    pub(crate) machine: Machine,
    pub(crate) before: Edge,
    pub(crate) after: Edge,
    check: Option<Check>,
    /// For each byte, whether a match can begin with it.
    first: [bool; 256],
}

impl Shape {
    /// Compiles one of the shapes of a rule.
    pub(crate) fn new(rule: usize, source: &Source, pattern: &str) -> Result<Shape, RuleError> {
        let machine =
            Machine::new(pattern).map_err(|reason| source.wrong(format!("`{pattern}`: {reason}")))?;
        let mut first = [false; 256];
        for (byte, first) in (0..=u8::MAX).zip(&mut first) {
            *first = !machine.step(machine.start(), byte).is_dead();
        }
        let (before, after, check) = (source.before, source.after, source.find_check()?);
        Ok(Shape {
            rule,
            machine,
            before,
            after,
            check,
            first,
        })
    }

    /// Whether a match can begin with `byte`.
    pub(crate) fn can_begin_with(&self, byte: u8) -> bool {
        self.first.get(usize::from(byte)).copied().unwrap_or(false)
    }

    /// The end of the longest match that begins at byte `start`, if there is one.
    ///
    /// Of all places where the automaton accepts, the last one counts that nothing bars and that passes the check:
    /// a card number followed by another number is still a card number.
    pub(crate) fn end(&self, text: &str, start: usize) -> Option<usize> {
        let mut state = self.machine.start();
        let mut found = None;
        let bytes = text.as_bytes();
        for (end, byte) in (start + 1..).zip(bytes.get(start..)?) {
            state = self.machine.step(state, *byte);
            if state.is_dead() {
                break;
            }
            let barred = || bytes.get(end).is_some_and(|next| self.after.bars(*next));
            if state.accepts() && !barred() && self.passes(text, start, end) {
                found = Some(end);
            }
        }
        found
    }

    fn passes(&self, text: &str, start: usize, end: usize) -> bool {
        self.check
            .is_none_or(|check| text.get(start..end).is_some_and(check))
    }

    /// Whether a match may begin after `before`.
    pub(crate) fn may_follow(&self, before: Before) -> bool {
        before.allows(self.before)
    }
}
