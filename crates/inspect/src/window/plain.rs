//! Reads a text as it stands, piece by piece: holds back exactly what could still become a match, and nothing else.
//!
//! THE LAW: for every way of cutting a text into pieces, the findings, overlapping ones merged, are those of the scan of
//! the whole text as it stands; and the final offset never passes text whose verdict could still change.
//!
//! How it holds: whether a match begins at a byte, and where it ends, depends on nothing but the text from there on
//! ([`crate::shape`]). So every possible start is followed by its rule's own automaton, one byte at a time, until the
//! automaton dies (no match, or the match ended before) or no longer match is possible. A start whose automaton is
//! alive is held; one whose automaton is dead is final, whatever follows. Nothing is ever read twice except a match.
//! It decides nothing about what it finds.

use std::cmp::Reverse;
use std::sync::Arc;

use portcullis_core::{Channel, Span};

use crate::{
    Inspector, Selection,
    around::{AFTER, BEFORE},
    edge::{Before, Edge},
    hit::Hit,
    machine::State,
    pieces::Pieces,
    plan::Plan,
    selection::Readers,
    shape::Shape,
    trie::{Node, Trie},
};

/// Reads one text piece by piece. Every call takes the same inspector.
#[derive(Clone)]
pub(super) struct Plain {
    channel: Channel,
    selection: Selection,
    readers: Readers,
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

impl Plain {
    pub(super) fn new(channel: Channel, selection: Selection, readers: Readers) -> Plain {
        Plain {
            channel,
            selection,
            readers,
            plan: None,
            text: String::new(),
            from: 0,
            base: 0,
            before: Before::default(),
            starts: Vec::new(),
            keywords: Vec::new(),
            recent: Vec::new(),
        }
    }

    /// Reads on.
    pub(super) fn read(&mut self, inspector: &Inspector, text: &str) {
        if self.plan.is_none() {
            self.plan = inspector
                .plan_for(self.readers, self.channel, &self.selection)
                .cloned();
        }
        let Some(plan) = self.plan.take() else { return };
        let end = self.end();
        self.text.push_str(text);
        for (at, byte) in (end..).zip(text.bytes()) {
            self.follow(inspector, &plan, byte, at);
            self.begin(inspector, &plan, byte, at);
            self.before = self.before.then(byte);
            self.note_keywords(inspector.pieces(&plan), at + 1);
        }
        self.plan = Some(plan);
    }

    /// Ends the text: adds what is left to find.
    pub(super) fn finish(&mut self, inspector: &Inspector, hits: &mut Vec<Hit>) {
        for start in std::mem::take(&mut self.starts) {
            match start.stage {
                Stage::Beginning { .. } => {}
                Stage::Running(run) => self.settle(inspector, start.at, run.shape, run.accepted),
                Stage::Waiting { shape, .. } => self.settle(inspector, start.at, shape, true),
            }
        }
        hits.append(&mut self.recent);
        self.base = self.end();
    }

    /// Whether a match is known that holds this one.
    pub(super) fn knows(&self, hit: &Hit) -> bool {
        self.recent.iter().any(|other| hit.is_within(other))
    }

    /// Whether something that was read could still become a match, or part of one.
    pub(super) fn is_live(&self) -> bool {
        !self.starts.is_empty()
    }

    /// Offset up to which everything is final, as of the last release.
    pub(super) fn base(&self) -> usize {
        self.base
    }

    /// Bytes read.
    pub(super) fn end(&self) -> usize {
        self.from + self.text.len()
    }

    /// Offset of the first byte that is kept.
    pub(super) fn from(&self) -> usize {
        self.from
    }

    /// What is kept of the text between two offsets, which are on character boundaries.
    pub(super) fn text(&self, from: usize, to: usize) -> &str {
        let local = |at: usize| at.saturating_sub(self.from);
        self.text.get(local(from)..local(to)).unwrap_or_default()
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

    /// Lets go of everything before the first start that is alive, and before every match that reaches beyond it; adds the
    /// matches that are let go, which nothing can overlap any more. What is kept of the text reaches back from `floor`, where
    /// that is earlier.
    pub(super) fn release(&mut self, floor: usize, hits: &mut Vec<Hit>) -> usize {
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
        hits.extend(self.recent.extract_if(.., |hit| hit.span.end <= hold));
        let floor = floor.min(hold);
        // What is kept to look back at is let go in large pieces: moving the text is what costs.
        if floor.saturating_sub(self.from) > 4 * BEFORE {
            let least = floor - BEFORE - self.from;
            let cut = (0..=least)
                .rev()
                .find(|at| self.text.is_char_boundary(*at))
                .unwrap_or(0);
            self.text.drain(..cut);
            self.from += cut;
        }
        hold
    }
}

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plain")
            .field("base", &self.base)
            .field("end", &self.end())
            .finish_non_exhaustive()
    }
}
