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
    edge::{Before, Edge},
    machine::State,
    scan::Hit,
};

/// How many bytes a window holds back at most: more than a private key of 8192 bits takes in PEM.
const BOUND: usize = 16 << 10;

/// Reads one streamed lane piece by piece. Every call takes the same inspector.
#[derive(Clone, Debug)]
pub struct Window {
    channel: Channel,
    selection: Selection,
    /// The text from `base` on: what is not final.
    text: String,
    /// Lane offset up to which everything is final.
    base: usize,
    before: Before,
    starts: Vec<Start>,
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
            base: 0,
            before: Before::default(),
            starts: Vec::new(),
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
            self.follow(inspector, byte, found);
            self.begin(inspector, byte, at, found);
            self.before = self.before.then(byte);
        }
        self.release();
        if self.text.len() > BOUND {
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
        self.text.clear();
        self.base
    }

    /// Bytes that are held back now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.text.len()
    }

    fn end(&self) -> usize {
        self.base + self.text.len()
    }

    /// Steps every automaton over one byte.
    fn follow(&mut self, inspector: &Inspector, byte: u8, found: &mut Vec<Finding>) {
        let mut starts = std::mem::take(&mut self.starts);
        starts.retain_mut(|start| {
            let stepped = step(inspector, start, byte);
            if !stepped {
                self.settle(inspector, *start, found);
            }
            stepped
        });
        self.starts = starts;
    }

    /// Sets out from every shape that can begin with this byte.
    fn begin(&mut self, inspector: &Inspector, byte: u8, at: usize, found: &mut Vec<Finding>) {
        for (number, shape) in inspector.starting(byte) {
            if shape.may_follow(self.before) && inspector.wanted(self.channel, &self.selection, shape.rule) {
                let mut start = Start {
                    shape: number,
                    at,
                    state: shape.machine.start(),
                    accepted: false,
                };
                match step(inspector, &mut start, byte) {
                    true => self.starts.push(start),
                    false => self.settle(inspector, start, found),
                }
            }
        }
    }

    /// Reports the match of a start about which nothing can change any more, if there is one.
    fn settle(&mut self, inspector: &Inspector, start: Start, found: &mut Vec<Finding>) {
        let Some(shape) = inspector.shape(start.shape).filter(|_| start.accepted) else {
            return;
        };
        if let Some(end) = shape.end(&self.text, start.at - self.base) {
            let hit = Hit {
                rule: shape.rule,
                span: Span::new(start.at, self.base + end),
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
        self.text.drain(..hold - self.base);
        self.base = hold;
    }
}

/// Steps a start over a byte; false when nothing can change about it any more.
fn step(inspector: &Inspector, start: &mut Start, byte: u8) -> bool {
    let Some(shape) = inspector.shape(start.shape) else {
        return false;
    };
    start.state = shape.machine.step(start.state, byte);
    start.accepted |= start.state.accepts();
    let certain = start.state.is_last() && shape.after == Edge::Free;
    !start.state.is_dead() && !certain
}
