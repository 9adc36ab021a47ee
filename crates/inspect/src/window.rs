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

use std::cmp::Reverse;
use std::sync::Arc;

use portcullis_core::{Channel, Finding, Span};

use crate::{
    Inspector, Selection,
    around::{AFTER, BEFORE},
    edge::{Before, Edge},
    hit::{Hit, tidy},
    machine::State,
    pieces::Pieces,
    plan::Plan,
    shape::Shape,
    trie::{Node, Trie},
};

/// How many bytes a window holds back at most: more than a private key of 8192 bits takes in PEM.
const BOUND: usize = 16 << 10;

/// Reads one streamed lane piece by piece. Every call takes the same inspector.
#[derive(Clone)]
pub struct Window {
    channel: Channel,
    selection: Selection,
    plan: Option<Arc<Plan>>,
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
    /// What was found and reaches beyond `base`: it is held, and not reported, with what may yet overlap it.
    recent: Vec<Hit>,
    overgrown: bool,
}

/// A place where a match may have begun.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// Lane offset.
    at: usize,
    stage: Stage,
}

/// What is known of a start.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Some literal beginning is on its way; which shape it is of is not known yet.
    Beginning { node: Node, before: Before },
    /// A shape's automaton is on its way.
    Running(Run),
    /// The automaton is dead, and what stands behind the match still counts: up to that lane offset.
    Waiting { shape: usize, until: usize },
}

/// An automaton on its way.
#[derive(Clone, Copy, Debug)]
struct Run {
    shape: usize,
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
            plan: None,
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
        if self.plan.is_none() {
            self.plan = inspector.plan(self.channel, &self.selection).cloned();
        }
        let Some(plan) = self.plan.take() else {
            return Err(Overgrown);
        };
        let end = self.end();
        self.text.push_str(text);
        for (at, byte) in (end..).zip(text.bytes()) {
            self.follow(inspector, &plan, byte, at);
            self.begin(inspector, &plan, byte, at);
            self.before = self.before.then(byte);
            self.note_keywords(inspector.pieces(&plan), at + 1);
        }
        self.plan = Some(plan);
        self.release(inspector, found);
        if self.held() > BOUND {
            self.overgrown = true;
            return Err(Overgrown);
        }
        Ok(self.base)
    }

    /// Ends the text: everything is final. Adds what is left to find and returns the length of the lane.
    pub fn finish(&mut self, inspector: &Inspector, found: &mut Vec<Finding>) -> usize {
        for start in std::mem::take(&mut self.starts) {
            match start.stage {
                Stage::Beginning { .. } => {}
                Stage::Running(run) => self.settle(inspector, start.at, run.shape, run.accepted),
                Stage::Waiting { shape, .. } => self.settle(inspector, start.at, shape, true),
            }
        }
        self.base = self.end();
        self.report(inspector, found);
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

    /// Takes every start over the byte at lane offset `at`.
    fn follow(&mut self, inspector: &Inspector, plan: &Plan, byte: u8, at: usize) {
        if self.starts.is_empty() {
            return;
        }
        let trie = inspector.pieces(plan).trie();
        let mut starts = std::mem::take(&mut self.starts);
        let mut set_off = Vec::new();
        starts.retain_mut(|start| match &mut start.stage {
            Stage::Beginning { node, before } => {
                let Some(next) = trie.step(*node, byte) else {
                    return false;
                };
                *node = next;
                let (before, begun) = (*before, start.at);
                for shape in trie.complete(next) {
                    set_off.extend(self.set_off(inspector, *shape, before, begun, at + 1));
                }
                trie.goes_on(next)
            }
            Stage::Running(run) => match self.step(inspector, *run, start.at, byte, at) {
                Some(stage) => {
                    start.stage = stage;
                    true
                }
                None => false,
            },
            Stage::Waiting { until, .. } if at < *until => true,
            Stage::Waiting { shape, .. } => {
                self.settle(inspector, start.at, *shape, true);
                false
            }
        });
        starts.append(&mut set_off);
        self.starts = starts;
    }

    /// Sets off the automaton of a shape whose literal beginning is complete: it reads what stands from `at` up to `end`.
    fn set_off(
        &mut self,
        inspector: &Inspector,
        number: usize,
        before: Before,
        at: usize,
        end: usize,
    ) -> Option<Start> {
        let shape = inspector.shape(number)?;
        if !shape.may_follow(before) {
            return None;
        }
        let read: Vec<u8> = self
            .text
            .as_bytes()
            .get(at - self.from..end - self.from)?
            .to_vec();
        let mut run = Run {
            shape: number,
            state: shape.machine()?.start(),
            accepted: false,
        };
        for (place, byte) in (at..).zip(read) {
            match self.step(inspector, run, at, byte, place)? {
                Stage::Running(next) => run = next,
                stage => return Some(Start { at, stage }),
            }
        }
        Some(Start {
            at,
            stage: Stage::Running(run),
        })
    }

    /// Steps an automaton over the byte at lane offset `place`; `None` when nothing can change about it any more, and
    /// what it found is noted.
    fn step(
        &mut self,
        inspector: &Inspector,
        mut run: Run,
        at: usize,
        byte: u8,
        place: usize,
    ) -> Option<Stage> {
        let shape = inspector.shape(run.shape)?;
        run.state = shape.machine()?.step(run.state, byte);
        run.accepted |= run.state.accepts();
        let certain = run.state.is_last() && shape.after == Edge::Free && !shape.looks_behind();
        if !run.state.is_dead() && !certain {
            return Some(Stage::Running(run));
        }
        if run.accepted && shape.looks_behind() {
            return Some(Stage::Waiting {
                shape: run.shape,
                until: place + AFTER,
            });
        }
        self.settle(inspector, at, run.shape, run.accepted);
        None
    }

    /// Notes the keywords that end at lane offset `end`.
    fn note_keywords(&mut self, pieces: &Pieces, end: usize) {
        let known = end.saturating_sub(self.from);
        let Some(text) = self.text.as_bytes().get(..known) else {
            return;
        };
        let keywords = &mut self.keywords;
        pieces.keyed_at_end(text, |shape| {
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
    fn begin(&mut self, inspector: &Inspector, plan: &Plan, byte: u8, at: usize) {
        let before = self.before;
        let pieces = inspector.pieces(plan);
        if let Some(node) = pieces.trie().step(Trie::root(before.begins_word()), byte) {
            self.starts.push(Start {
                at,
                stage: Stage::Beginning { node, before },
            });
        }
        for starting in pieces.starting(byte) {
            let number = starting.shape();
            let Some(shape) = inspector.shape(number) else {
                continue;
            };
            if shape.may_follow(before) && (!starting.is_keyed || self.is_keyed(number, shape, at)) {
                let start = self.set_off(inspector, number, before, at, at + 1);
                self.starts.extend(start);
            }
        }
    }

    /// Notes the match of a shape at a start about which nothing can change any more, if there is one.
    fn settle(&mut self, inspector: &Inspector, at: usize, shape: usize, accepted: bool) {
        let Some(shape) = inspector.shape(shape).filter(|_| accepted) else {
            return;
        };
        if let Some(span) = shape.find(&self.text, at - self.from) {
            let hit = shape.hit(Span::new(self.from + span.start, self.from + span.end));
            let is_better = |other: &Hit| {
                hit.span == other.span && (hit.rank, Reverse(hit.rule)) > (other.rank, Reverse(other.rule))
            };
            if !self
                .recent
                .iter()
                .any(|other| hit.is_within(other) && !is_better(other))
            {
                self.recent.push(hit);
            }
        }
    }

    /// Reports what ends at or before the offset up to which everything is final. Nothing that overlaps it can come any more, so
    /// that what is reported of findings that claim the same text is what a scan of the whole reports.
    fn report(&mut self, inspector: &Inspector, found: &mut Vec<Finding>) {
        let base = self.base;
        let mut hits: Vec<Hit> = self.recent.extract_if(.., |hit| hit.span.end <= base).collect();
        tidy(&mut hits);
        inspector.resolve(&mut hits);
        found.extend(hits.iter().filter_map(|hit| {
            let matched = self
                .text
                .get(hit.span.start - self.from..hit.span.end - self.from);
            inspector.finding(hit.rule, hit.span, matched.unwrap_or_default())
        }));
    }

    /// Lets go of everything before the first start that is alive, and before every finding that reaches beyond it.
    fn release(&mut self, inspector: &Inspector, found: &mut Vec<Finding>) {
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
        self.base = hold;
        if !self.recent.is_empty() {
            self.report(inspector, found);
        }
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

impl std::fmt::Debug for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Window")
            .field("base", &self.base)
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}
