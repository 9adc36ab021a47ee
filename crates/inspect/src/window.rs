//! The streaming window: holds back exactly what could still become a match, and nothing else.
//!
//! THE LAW: for every way of cutting a text into pushes, the findings of the window, overlapping ones merged, are those
//! of the scan of the whole text; and the final offset never passes text whose verdict could still change.
//!
//! How it holds: whether a match begins at a byte, and where it ends, depends on nothing but the text from there on
//! ([`crate::shape`]). So every possible start is followed by its rule's own automaton, one byte at a time, until the
//! automaton dies (no match, or the match ended before) or no longer match is possible. A start whose automaton is
//! alive is held; one whose automaton is dead is final, whatever follows. Nothing is ever read twice except a match.
//! The window decides nothing about what it finds.

use portcullis_core::{Channel, Finding, Span};

use crate::{
    Inspector, Selection,
    around::{AFTER, BEFORE},
    edge::{Before, Edge},
    machine::State,
    scan::Hit,
    shape::Shape,
};

/// How many bytes a window holds back at most: more than a private key of 8192 bits takes in PEM.
const BOUND: usize = 16 << 10;

/// Reads one streamed lane piece by piece. Every call takes the same inspector.
#[derive(Clone, Debug)]
pub struct Window {
    channel: Channel,
    selection: Selection,
    /// What is not final, and before it what a check may still look back at.
    text: String,
    /// Lane offset of the first byte of `text`.
    from: usize,
    /// Lane offset up to which everything is final.
    base: usize,
    before: Before,
    starts: Vec<Start>,
    /// Shapes that are tried near keywords only, and the lane offset where such a keyword ended last.
    keywords: Vec<(usize, usize)>,
    /// What was found and reaches beyond `base`: it is held as a whole with what may yet overlap it.
    recent: Vec<Hit>,
    overgrown: bool,
}

/// A place where a match may have begun.
#[derive(Clone, Copy, Debug)]
struct Start {
    shape: usize,
    /// Lane offset.
    at: usize,
    state: State,
    /// Whether the automaton has accepted on the way.
    accepted: bool,
    /// Where the automaton is dead and what stands behind the match still counts: the lane offset up to which it does.
    waits: Option<usize>,
}

/// A match outgrew what the window may hold. The text held back can be neither released nor judged: fail closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a possible match outgrew the window")]
pub struct Overgrown;

impl Window {
    /// A window over one lane.
    #[must_use]
    pub fn new(channel: Channel, selection: Selection) -> Window {
        Window {
            channel,
            selection,
            text: String::new(),
            from: 0,
            base: 0,
            before: Before::default(),
            starts: Vec::new(),
            keywords: Vec::new(),
            recent: Vec::new(),
            overgrown: false,
        }
    }

    /// Appends text; adds the findings that have become final, with spans in bytes of the lane; returns the lane
    /// offset up to which the verdict is final: every finding that ends at or before it has been reported, none will
    /// ever start before it or cross it. The offset is on a character boundary and never goes back.
    ///
    /// # Errors
    /// [`Overgrown`] when more than 16 KiB could still become a match; so do all later calls.
    pub fn push(
        &mut self,
        inspector: &Inspector,
        text: &str,
        found: &mut Vec<Finding>,
    ) -> Result<usize, Overgrown> {
        if self.overgrown {
            return Err(Overgrown);
        }
        let end = self.end();
        self.text.push_str(text);
        for (at, byte) in (end..).zip(text.bytes()) {
            self.follow(inspector, byte, at, found);
            self.begin(inspector, byte, at, found);
            self.before = self.before.then(byte);
            self.note_keywords(inspector, at + 1);
        }
        self.release();
        if self.held() > BOUND {
            self.overgrown = true;
            return Err(Overgrown);
        }
        Ok(self.base)
    }

    /// Ends the text: everything is final. Adds what is left to find and returns the length of the lane.
    pub fn finish(&mut self, inspector: &Inspector, found: &mut Vec<Finding>) -> usize {
        for start in std::mem::take(&mut self.starts) {
            self.settle(inspector, start, found);
        }
        self.recent.clear();
        self.base = self.end();
        self.from = self.base;
        self.text.clear();
        self.base
    }

    /// Bytes that are held back now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.end() - self.base
    }

    fn end(&self) -> usize {
        self.from + self.text.len()
    }

    /// Steps every automaton over the byte at lane offset `at`.
    fn follow(&mut self, inspector: &Inspector, byte: u8, at: usize, found: &mut Vec<Finding>) {
        let mut starts = std::mem::take(&mut self.starts);
        starts.retain_mut(|start| match start.waits {
            Some(until) if at < until => true,
            Some(_) => {
                self.settle(inspector, *start, found);
                false
            }
            None => step(inspector, start, byte) || self.die(inspector, start, at, found),
        });
        self.starts = starts;
    }

    /// Settles a start whose automaton died at lane offset `at`; true where it must still wait for what stands behind.
    fn die(&mut self, inspector: &Inspector, start: &mut Start, at: usize, found: &mut Vec<Finding>) -> bool {
        let waits = start.accepted && inspector.shape(start.shape).is_some_and(Shape::looks_behind);
        if waits {
            start.waits = Some(at + AFTER);
        } else {
            self.settle(inspector, *start, found);
        }
        waits
    }

    /// Notes the keywords that end at lane offset `end`.
    fn note_keywords(&mut self, inspector: &Inspector, end: usize) {
        let known = end.saturating_sub(self.from);
        let Some(text) = self.text.as_bytes().get(..known) else {
            return;
        };
        let keywords = &mut self.keywords;
        inspector.scanner().keyed_at_end(text, |shape| {
            match keywords.iter_mut().find(|(known, _)| *known == shape) {
                Some((_, last)) => *last = end,
                None => keywords.push((shape, end)),
            }
        });
    }

    /// Whether the shape may begin at lane offset `at`, as far as keywords before it say.
    fn is_keyed(&self, number: usize, shape: &Shape, at: usize) -> bool {
        let near = |(known, end): &(usize, usize)| *known == number && at.saturating_sub(*end) <= shape.near;
        shape.near_after > 0 || self.keywords.iter().any(near)
    }

    /// Sets out from every shape that can begin with this byte.
    fn begin(&mut self, inspector: &Inspector, byte: u8, at: usize, found: &mut Vec<Finding>) {
        for (number, shape) in inspector.starting(byte) {
            if shape.may_follow(self.before)
                && inspector.wanted(self.channel, &self.selection, shape.rule)
                && (!inspector.is_keyed(number) || self.is_keyed(number, shape, at))
            {
                let mut start = Start {
                    shape: number,
                    at,
                    state: shape.machine.start(),
                    accepted: false,
                    waits: None,
                };
                if step(inspector, &mut start, byte) || self.die(inspector, &mut start, at + 1, found) {
                    self.starts.push(start);
                }
            }
        }
    }

    /// Reports the match of a start about which nothing can change any more, if there is one.
    fn settle(&mut self, inspector: &Inspector, start: Start, found: &mut Vec<Finding>) {
        let Some(shape) = inspector.shape(start.shape).filter(|_| start.accepted) else {
            return;
        };
        if let Some(span) = shape.find(&self.text, start.at - self.from) {
            let hit = Hit {
                rule: shape.rule,
                kind: shape.kind,
                span: Span::new(self.from + span.start, self.from + span.end),
            };
            if !self.recent.iter().any(|other| hit.is_within(other)) {
                self.recent.push(hit);
                found.extend(inspector.finding(hit.rule, hit.span));
            }
        }
    }

    /// Lets go of everything before the first start that is alive, and before every finding that reaches beyond it.
    fn release(&mut self) {
        let end = self.end();
        let mut hold = self.starts.iter().map(|start| start.at).min().unwrap_or(end);
        // A finding that is held may itself overlap an earlier one: go on until nothing crosses.
        while let Some(hit) = self
            .recent
            .iter()
            .find(|hit| hit.span.start < hold && hold < hit.span.end)
        {
            hold = hit.span.start;
        }
        self.recent.retain(|hit| hit.span.end > hold);
        self.base = hold;
        // What is kept to look back at is let go in large pieces: moving the text is what costs.
        if self.base - self.from > 4 * BEFORE {
            let least = self.base - BEFORE - self.from;
            let cut = (0..=least)
                .rev()
                .find(|at| self.text.is_char_boundary(*at))
                .unwrap_or(0);
            self.text.drain(..cut);
            self.from += cut;
        }
    }
}

/// Steps a start over a byte; false when nothing can change about it any more.
fn step(inspector: &Inspector, start: &mut Start, byte: u8) -> bool {
    let Some(shape) = inspector.shape(start.shape) else {
        return false;
    };
    start.state = shape.machine.step(start.state, byte);
    start.accepted |= start.state.accepts();
    let certain = start.state.is_last() && shape.after == Edge::Free && !shape.looks_behind();
    !start.state.is_dead() && !certain
}
