//! One way in which a rule's match can look: an automaton, what may not touch it, and the check it must pass.
//!
//! **The verdict about a start is a function of the text from [`BEFORE`](crate::around::BEFORE) bytes before it up to the
//! byte where its automaton dies**, or [`AFTER`](crate::around::AFTER) bytes further where the shape looks behind a match.
//! It does not depend on any other match. That is why a text may be cut anywhere and read in pieces.

use std::sync::{Arc, OnceLock};

use crate::{
    around::{BEFORE, Check, Match},
    byte_set::ByteSet,
    capturing::Capturing,
    edge::{Before, Edge},
    hit::Hit,
    keywords::Keywords,
    label::{is_continued, is_labelled},
    literals::LONGEST,
    machine::{Machine, Reach},
    prefix::Pattern,
    rule::{RuleError, Source},
    value::{Begins, Lead},
};
use portcullis_core::Span;

/// Of the places where an automaton accepts, so many are tried, the longest first: each costs a check.
const TRIED: usize = 16;
/// The same where what is tried costs more: a group must be found in each, or what stands around is looked at.
const TRIED_AT_A_COST: usize = 4;

/// A compiled shape.
pub(crate) struct Shape {
    /// The number of the rule it belongs to.
    pub(crate) rule: usize,
    /// The number of the kind of that rule's findings.
    pub(crate) kind: usize,
    /// How sure the rule is, in thousandths.
    rank: u16,
    pattern: String,
    has_value: bool,
    /// Compiled when a beginning is met for the first time: most shapes never are.
    machine: OnceLock<Option<Box<Machine>>>,
    beginnings: Vec<Vec<u8>>,
    pub(crate) before: Edge,
    pub(crate) after: Edge,
    check: Option<Check>,
    entropy: f32,
    pub(crate) keywords: Arc<Keywords>,
    /// How far before a match a keyword may stand.
    pub(crate) near: usize,
    pub(crate) near_after: usize,
    /// How far before a match a keyword labels it; `None` where keywords need not be labels.
    label: Option<usize>,
    /// Finds the group `value` in a match; `None` where the pattern has none.
    value: OnceLock<Option<Box<Capturing>>>,
    /// Tells most of the same at less cost; `None` where it cannot.
    lead: OnceLock<Option<Box<Lead>>>,
    /// The bytes that a match can begin with.
    first: ByteSet,
    /// No match has more bytes.
    pub(crate) longest: usize,
    /// Bytes that stand in every match.
    required: Vec<u8>,
    anchor: OnceLock<Option<(u8, Reach)>>,
    places: OnceLock<Vec<ByteSet>>,
}

/// The places of a match that are looked at before its automaton is set off.
pub(crate) const PLACES: &[usize] = &[1, 2, 3, 5, 8, 11, 15];

/// Bytes that are rare in prose and code.
const RARE: &[u8] = b"@+#$~^|{}[]<>%&\\=/_:-Z";

impl Shape {
    /// Compiles one of the patterns of a rule.
    pub(crate) fn new(rule: usize, kind: usize, source: &Source, pattern: &str) -> Result<Shape, RuleError> {
        let wrong = |reason| source.wrong(format!("`{pattern}`: {reason}"));
        let parsed = Pattern::parse(pattern).map_err(wrong)?;
        if let Some(short) = source.keywords.iter().find(|word| word.len() < 3) {
            return Err(source.wrong_at(
                "keywords",
                format!("the keyword `{short}` is shorter than three bytes"),
            ));
        }
        if let Some(long) = source.keywords.iter().find(|word| word.len() > LONGEST) {
            return Err(source.wrong_at(
                "keywords",
                format!("the keyword `{long}` is longer than {LONGEST} bytes"),
            ));
        }
        Ok(Shape {
            rule,
            kind,
            rank: thousandths(source.score),
            pattern: pattern.to_owned(),
            has_value: pattern.contains("(?<value>"),
            machine: OnceLock::new(),
            beginnings: parsed.beginnings(),
            before: source.before,
            after: source.after,
            check: source.find_check()?,
            entropy: source.entropy,
            keywords: Arc::clone(&source.keywords),
            near: if source.label { BEFORE } else { source.near },
            near_after: source.near_after,
            value: OnceLock::new(),
            lead: OnceLock::new(),
            first: parsed.first(),
            longest: parsed.longest().unwrap_or(usize::MAX),
            required: parsed.required(),
            anchor: OnceLock::new(),
            places: OnceLock::new(),
            label: source.label.then_some(source.near),
        })
    }

    /// What it matches, as it is written.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Makes the whole automaton, which is otherwise made as texts need it.
    pub(crate) fn compile(&self) -> Result<(), String> {
        match self.machine() {
            Some(machine) => machine.complete()?,
            None => Machine::new(&self.pattern)?.complete()?,
        }
        if self.has_value {
            let value = Capturing::new(&self.pattern)?;
            self.value.get_or_init(|| Some(Box::new(value)));
        }
        Ok(())
    }

    /// The automaton. INVARIANT: there is one; a pattern too large to compile is refused before an inspector is used.
    pub(crate) fn machine(&self) -> Option<&Machine> {
        self.machine
            .get_or_init(|| Machine::new(&self.pattern).ok().map(Box::new))
            .as_deref()
    }

    /// A byte that is rare and that every match has, and what can come before it.
    pub(crate) fn anchor(&self) -> Option<&(u8, Reach)> {
        let reach = |byte: &u8| Some((*byte, self.machine()?.reach(*byte)?));
        let first = || {
            RARE.iter()
                .filter(|byte| self.required.contains(byte))
                .find_map(reach)
        };
        self.anchor.get_or_init(first).as_ref()
    }

    /// For each of [`PLACES`], the bytes that can stand there in a match.
    pub(crate) fn places(&self) -> &[ByteSet] {
        self.places.get_or_init(|| {
            let depth = PLACES.last().map_or(0, |place| place + 1);
            let all = self.machine().map(|machine| machine.places(depth));
            let all = all.unwrap_or_default();
            PLACES
                .iter()
                .map(|place| all.get(*place).copied().unwrap_or(ByteSet::ALL))
                .collect()
        })
    }

    /// Whether a match may begin inside of a word.
    pub(crate) fn begins_anywhere(&self) -> bool {
        matches!(self.before, Edge::Free | Edge::Digit)
    }

    /// Literal beginnings, in lower case, one of which every match begins with; none where there are no such.
    pub(crate) fn beginnings(&self) -> &[Vec<u8>] {
        &self.beginnings
    }

    /// The bytes that a match can begin with.
    pub(crate) fn first(&self) -> ByteSet {
        self.first
    }

    /// Whether a match can begin with `byte`.
    pub(crate) fn can_begin_with(&self, byte: u8) -> bool {
        self.first.has(byte)
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
        if !self.may_begin(text, start) {
            return None;
        }
        let machine = self.machine()?;
        let mut ends = [0; TRIED];
        let mut accepted = 0;
        let bytes = text.as_bytes();
        let mut end = start;
        machine.walk(machine.start(), bytes.get(start..)?.iter().copied(), |state| {
            end += 1;
            if state.accepts() && !bytes.get(end).is_some_and(|next| self.after.bars(*next)) {
                if let Some(slot) = ends.get_mut(accepted % TRIED) {
                    *slot = end;
                }
                accepted += 1;
            }
        });
        let costs = self.has_value || !matches!(self.check, None | Some(Check::Value(_)));
        let tried = if costs { TRIED_AT_A_COST } else { TRIED };
        let longest = ends.get(accepted.checked_sub(1)? % TRIED)?;
        let begins = match self.has_value {
            false => None,
            true => self.begins(text.get(start..*longest)?),
        };
        let last = (0..accepted).rev().take(tried);
        last.filter_map(|at| ends.get(at % TRIED))
            .find_map(|end| self.judge(text, Span::new(start, *end), begins.as_ref()))
    }

    /// Whether what stands before `start` and the first character leave a match to be found: what would be refused at every
    /// end is refused before the automaton reads on.
    fn may_begin(&self, text: &str, start: usize) -> bool {
        // What a label belongs to is tried wherever it could begin, in the turn of many rules: most of it goes on like none.
        // With a group, what a label stands before is not known yet.
        if self.label.is_some() {
            let bytes = text.as_bytes();
            let cannot = |(place, can_stand): (&usize, &ByteSet)| {
                let byte = bytes.get(start + place);
                byte.is_some_and(|byte| !can_stand.has(*byte))
            };
            let continued = !self.has_value && is_continued(bytes, start);
            if continued || PLACES.iter().zip(self.places()).any(cannot) {
                return false;
            }
        }
        let Some(Check::Begun(begins, _)) = self.check else {
            return true;
        };
        let first = text.get(start..).and_then(|rest| rest.chars().next());
        first.is_some_and(|first| {
            let first = Span::new(start, start + first.len_utf8());
            begins(&Match::new(text, first, first))
        })
    }

    /// How many bytes the automaton reads from `start` on.
    pub(crate) fn reads(&self, bytes: &[u8], start: usize) -> usize {
        let Some(machine) = self.machine() else { return 0 };
        let mut read = 1;
        let rest = bytes.get(start..).unwrap_or_default().iter().copied();
        machine.walk(machine.start(), rest, |_| read += 1);
        read
    }

    /// Where the group `value` can begin in a match and in the shorter ones that begin where it does.
    fn begins<'a>(&'a self, longest: &'a str) -> Option<Begins<'a>> {
        let lead = self
            .lead
            .get_or_init(|| Lead::of(&self.pattern).map(Box::new))
            .as_ref();
        lead?.begins(longest)
    }

    /// Where the group `value` stands in a match.
    fn value(&self, text: &str, whole: Span, begins: Option<&Begins<'_>>) -> Option<Span> {
        if let Some(start) = begins.and_then(|begins| begins.of(whole.len())) {
            return Some(Span::new(whole.start + start, whole.end));
        }
        let capturing = || Capturing::new(&self.pattern).ok().map(Box::new);
        let capturing = self.value.get_or_init(capturing).as_ref()?;
        let (start, end) = capturing.value(text.get(whole.start..whole.end)?)?;
        Some(Span::new(whole.start + start, whole.start + end))
    }

    fn judge(&self, text: &str, whole: Span, begins: Option<&Begins<'_>>) -> Option<Span> {
        let span = match self.has_value {
            false => whole,
            true => self.value(text, whole, begins)?,
        };
        let found = Match::new(text, whole, span);
        if self.entropy > 0.0 && entropy(found.value()) < self.entropy {
            return None;
        }
        let passed = match self.check {
            None => Some(span),
            Some(Check::Value(check)) => check(found.value()).then_some(span),
            Some(Check::Left(check) | Check::Around(check) | Check::Begun(_, check)) => check(&found),
        };
        passed.filter(|_| self.is_named(&found))
    }

    /// Whether a keyword stands where the rule wants one.
    fn is_named(&self, found: &Match<'_>) -> bool {
        match self.label {
            _ if self.keywords.is_empty() => true,
            Some(near) => is_labelled(found, &self.keywords, near, self.near_after),
            None => found.is_near(&self.keywords, self.near, self.near_after),
        }
    }

    /// A match of this shape.
    pub(crate) fn hit(&self, span: Span) -> Hit {
        Hit {
            rule: self.rule,
            kind: self.kind,
            rank: self.rank,
            span,
        }
    }

    /// Whether a match may begin after `before`.
    pub(crate) fn may_follow(&self, before: Before) -> bool {
        before.allows(self.before)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what fits"
)]
fn thousandths(score: f32) -> u16 {
    (score.clamp(0.0, 1.0) * 1000.0) as u16
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
