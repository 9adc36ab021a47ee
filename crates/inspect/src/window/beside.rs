//! A reading of a text through one dress, beside the plain one: what the text says from a little before the dress begins until
//! nothing of it can matter any more.
//!
//! It finds what may be a match and where, and what must wait for that to be known. Whether it is one, the views say.

use std::collections::VecDeque;

use portcullis_core::{Channel, Span};

use super::plain::Plain;
use crate::{
    Inspector, Selection,
    hit::Hit,
    selection::Readers,
    views::flow::{self, Dress, Step, Unit},
};

#[derive(Clone)]
pub(super) struct Beside {
    pub(super) dress: Dress,
    /// Offset in the text at which it began to read.
    pub(super) from: usize,
    /// Offset in the text at which its dress shows: what ends before is for other readings to find.
    since: usize,
    steps: Vec<Step>,
    plain: Plain,
    /// Where the bytes that it read come from, in order; what nobody will ask for again is gone.
    map: VecDeque<Run>,
    /// Offset in what it read behind the last change.
    changed: Option<usize>,
    /// Whether what it read wears another dress.
    pub(super) layered: bool,
    units: Vec<Unit>,
    spare: Vec<Unit>,
    text: String,
}

/// A part of what was read, from `at` on: a copy of `span`, or made of all of it.
#[derive(Clone, Copy, Debug)]
struct Run {
    at: usize,
    span: Span,
    copied: bool,
}

impl Beside {
    /// A reading through a dress that shows at `since` and may matter from `from` on.
    pub(super) fn at(
        (from, since): (usize, usize),
        dress: Dress,
        channel: Channel,
        selection: &Selection,
    ) -> Beside {
        let plain = Plain::new(channel, selection.clone(), Readers::Views);
        Beside {
            from,
            since,
            ..Beside::of(&plain, ' ', dress)
        }
    }

    /// A reading through a dress that begins where `plain` has come to, behind `before`: as what it read, so far, is what the text says.
    pub(super) fn of(plain: &Plain, before: char, dress: Dress) -> Beside {
        let read = Span::new(plain.from(), plain.end());
        let map = (!read.is_empty()).then_some(Run {
            at: read.start,
            span: read,
            copied: true,
        });
        Beside {
            dress,
            from: read.end,
            since: read.end,
            steps: dress.steps(before),
            plain: plain.clone(),
            map: map.into_iter().collect(),
            changed: None,
            layered: false,
            units: Vec::new(),
            spare: Vec::new(),
            text: String::new(),
        }
    }

    /// Reads a character of the text.
    pub(super) fn push(&mut self, inspector: &Inspector, c: char, span: Span) {
        let unit = Unit {
            c,
            span,
            changed: false,
        };
        self.units.push(unit);
        flow::send(&mut self.steps, &mut self.units, &mut self.spare);
        self.layered |= self.dress.is_layer() && flow::is_layered(&self.units);
        if self.units.is_empty() && !self.steps.iter().any(|step| step.keeps(span)) {
            // What is left out is a change too.
            self.changed = Some(self.plain.end());
        }
        self.read(inspector);
    }

    /// Ends the text. Adds what is left to find, with spans in the text.
    pub(super) fn finish(&mut self, inspector: &Inspector, hits: &mut Vec<Hit>) {
        flow::end(&mut self.steps, &mut self.units, &mut self.spare);
        self.read(inspector);
        let mut made = Vec::new();
        self.plain.finish(inspector, &mut made);
        self.report(made, hits);
    }

    /// Whether something that was read could still become a match, or part of one.
    pub(super) fn is_live(&self) -> bool {
        self.plain.is_live()
    }

    /// Whether from here on it reads what the plain one reads.
    pub(super) fn is_done(&mut self) -> bool {
        let end = self.plain.end();
        let keeps = |step: &Step| step.is_open() || step.pending().is_some();
        let is_far = self
            .changed
            .is_none_or(|changed| end >= changed + self.dress.reach());
        is_far && !self.plain.is_live() && !self.steps.iter().any(keeps)
    }

    /// Offset in the text from which on it may not go. Adds what was found before, with spans in the text.
    pub(super) fn hold(&mut self, hits: &mut Vec<Hit>) -> Option<usize> {
        let mut made = Vec::new();
        let base = self.plain.release(usize::MAX, &mut made);
        self.report(made, hits);
        while self.map.get(1).is_some_and(|next| next.at <= base) {
            self.map.pop_front();
        }
        if base < self.plain.end() {
            return self.original(Span::new(base, base + 1)).map(|span| span.start);
        }
        self.steps.iter().filter_map(Step::pending).min()
    }

    /// Whether it follows more than it may.
    pub(super) fn held(&self) -> usize {
        self.plain.end() - self.plain.base()
    }

    fn read(&mut self, inspector: &Inspector) {
        if self.units.is_empty() {
            return;
        }
        let mut at = self.plain.end();
        for unit in self.units.drain(..) {
            self.text.push(unit.c);
            let copied = !unit.changed;
            let joins = |last: &&mut Run| {
                copied && last.copied && last.span.end == unit.span.start && last.at + last.span.len() == at
            };
            match self.map.back_mut().filter(joins) {
                Some(last) => last.span.end = unit.span.end,
                None => self.map.push_back(Run {
                    at,
                    span: unit.span,
                    copied,
                }),
            }
            at += unit.c.len_utf8();
            if unit.changed {
                self.changed = Some(at);
            }
        }
        self.plain.read(inspector, &self.text);
        self.text.clear();
    }

    fn report(&self, made: Vec<Hit>, hits: &mut Vec<Hit>) {
        let moved = |hit: Hit| {
            let span = self.original(hit.span)?;
            (span.end > self.since).then_some(Hit { span, ..hit })
        };
        hits.extend(made.into_iter().filter_map(moved));
    }

    /// The part of the text that made a part of what was read.
    fn original(&self, span: Span) -> Option<Span> {
        let run_at = |at: usize| {
            let next = self.map.partition_point(|run| run.at <= at);
            self.map.get(next.checked_sub(1)?)
        };
        let first = run_at(span.start)?;
        let last = run_at(span.end.max(span.start + 1) - 1)?;
        let start = match first.copied {
            true => first.span.start + (span.start - first.at),
            false => first.span.start,
        };
        let end = match last.copied {
            true => last.span.start + (span.end - last.at),
            false => last.span.end,
        };
        Some(Span::new(start, end.max(start)))
    }
}
