//! The streaming window: holds back exactly what could still become a match, and nothing else.
//!
//! A text is read as it stands ([`plain`]), and beside it, from where a disguise of single characters begins until it no longer
//! matters, through that disguise ([`beside`]). What may be a match only so is held until the views have been asked about
//! the text around it ([`AROUND`], [`BEHIND`]): they say what is found, so a stream finds nothing that a whole text would not show.
//!
//! THE LAW: for every way of cutting a text into pieces, the findings, overlapping ones merged, are the same: those of the scan of
//! the whole text as it stands, and those of its views of characters. The final offset never passes text whose
//! verdict could still change. The window decides nothing about what it finds.

mod beside;
mod plain;

use portcullis_core::{Channel, Finding, Span};

use crate::{
    Inspector, Selection,
    hit::{Hit, tidy},
    selection::Readers,
    views::{
        self,
        flow::{self, Dress},
    },
};
use beside::Beside;
use plain::Plain;

/// How many bytes a window holds back at most: more than a private key of 8192 bits takes in PEM.
const BOUND: usize = 16 << 10;

/// What the views are shown of the text before what may be a match, and behind it: no less than they themselves keep around
/// what they change.
const AROUND: usize = 320;
const BEHIND: usize = 128;
/// How far before a disguise in several layers the reading through all of them begins.
const APPROACH: usize = 160;
/// The same where the layers show one after the other: at the earliest.
const TOGETHER: usize = 1024;

/// Reads one streamed lane piece by piece. Every call takes the same inspector.
#[derive(Clone)]
pub struct Window {
    channel: Channel,
    selection: Selection,
    plain: Plain,
    /// The last character that was read.
    last: char,
    beside: Vec<Beside>,
    /// What may be a match, as some reading beside has it.
    maybe: Vec<Hit>,
    /// What was found and reaches beyond `base`: it is held, and not reported, with what may yet overlap it.
    recent: Vec<Hit>,
    /// What was reported lately.
    reported: Vec<Hit>,
    /// Lane offset up to which everything is final.
    base: usize,
    overgrown: bool,
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
            plain: Plain::new(channel, selection.clone(), Readers::All),
            selection,
            last: ' ',
            beside: Vec::new(),
            maybe: Vec::new(),
            recent: Vec::new(),
            reported: Vec::new(),
            base: 0,
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
        let plan = inspector.plan_for(Readers::Views, self.channel, &self.selection);
        if self.overgrown || plan.is_none() {
            return Err(Overgrown);
        }
        match plan.is_some_and(|plan| plan.is_empty()) {
            true => self.plain.read(inspector, text),
            false => self.read(inspector, text),
        }
        self.release(inspector, found);
        if self.held() > BOUND || self.beside.iter().any(|beside| beside.held() > BOUND) {
            self.overgrown = true;
            return Err(Overgrown);
        }
        Ok(self.base)
    }

    /// Ends the text: everything is final. Adds what is left to find and returns the length of the lane.
    pub fn finish(&mut self, inspector: &Inspector, found: &mut Vec<Finding>) -> usize {
        self.plain.finish(inspector, &mut self.recent);
        let mut maybe = Vec::new();
        for beside in &mut self.beside {
            beside.finish(inspector, &mut maybe);
        }
        self.beside.clear();
        self.consider(inspector, maybe);
        self.ask(inspector, true);
        self.base = self.plain.end();
        self.report(inspector, found);
        self.base
    }

    /// Bytes that are held back now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.plain.end() - self.base
    }

    /// Reads text as it stands and through every dress that it wears.
    fn read(&mut self, inspector: &Inspector, text: &str) {
        let base = self.plain.end();
        let (mut at, mut read) = (0, 0);
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            if self.beside.is_empty() {
                let quiet = flow::quiet(rest);
                if let Some(last) = rest.get(..quiet).and_then(|quiet| quiet.chars().next_back()) {
                    self.last = last;
                    at += quiet;
                    continue;
                }
            }
            let Some(c) = rest.chars().next() else { break };
            let span = Span::new(base + at, base + at + c.len_utf8());
            let before = self.beside.len();
            if !c.is_ascii_alphanumeric() {
                self.plain.read(inspector, text.get(read..at).unwrap_or_default());
                read = at;
                let live = self.plain.is_live() || self.beside.iter().any(Beside::is_live);
                for dress in Dress::EACH {
                    if self.is_new(*dress) && dress.is_cued(self.last, c, live) {
                        self.beside.push(Beside::of(&self.plain, self.last, *dress));
                    }
                }
            }
            let dressed = self.beside.iter().skip(before).any(|new| new.dress.is_layer());
            for beside in &mut self.beside {
                beside.push(inspector, c, span);
            }
            self.last = c;
            at += c.len_utf8();
            if let Some(from) = self.layers(dressed) {
                self.plain.read(inspector, text.get(read..at).unwrap_or_default());
                read = at;
                let from = from.max(span.start.saturating_sub(TOGETHER));
                for dress in Dress::LAYERED {
                    self.set_out(inspector, *dress, from, span);
                }
            }
            let mut maybe = Vec::new();
            self.beside.retain_mut(|beside| {
                let is_done = beside.is_done();
                if is_done {
                    beside.hold(&mut maybe);
                }
                !is_done
            });
            self.consider(inspector, maybe);
        }
        self.plain.read(inspector, text.get(read..).unwrap_or_default());
    }

    fn is_new(&self, dress: Dress) -> bool {
        self.beside.iter().all(|beside| beside.dress != dress)
    }

    /// Where reading through several dresses begins, if a second one shows while one is worn.
    fn layers(&self, new: bool) -> Option<usize> {
        if self.beside.is_empty() || !Dress::LAYERED.iter().all(|dress| self.is_new(*dress)) {
            return None;
        }
        let worn = self.beside.iter().filter(|beside| beside.dress.is_layer());
        let from = worn.clone().map(|beside| beside.from).min()?;
        let layered = new && worn.clone().count() > 1 || worn.clone().any(|beside| beside.layered);
        layered.then_some(from.saturating_sub(APPROACH))
    }

    /// Begins to read through a dress that shows at `shown`, from `from` on.
    fn set_out(&mut self, inspector: &Inspector, dress: Dress, from: usize, shown: Span) {
        let from = self.boundary(from);
        let text = self.plain.text(from, shown.end);
        let mut beside = Beside::at((from, shown.start), dress, self.channel, &self.selection);
        for (at, c) in text.char_indices() {
            let start = from + at;
            beside.push(inspector, c, Span::new(start, start + c.len_utf8()));
        }
        self.beside.push(beside);
    }

    /// The first boundary of characters from `at` on that is still kept.
    fn boundary(&self, at: usize) -> usize {
        let at = at.max(self.plain.from());
        let end = self.plain.end();
        (at..at + 4)
            .find(|at| *at >= end || !self.plain.text(*at, end).is_empty())
            .unwrap_or(end)
    }

    /// Notes what may be a match, once.
    fn consider(&mut self, inspector: &Inspector, maybe: Vec<Hit>) {
        for hit in maybe {
            let family = inspector.rules().get(hit.rule).map(|rule| rule.family());
            if hit.span.end > self.base
                && family.is_some_and(|family| views::READ.contains(&family))
                && !self.maybe.iter().any(|other| hit.is_within(other))
                && !self.knows(&hit)
            {
                self.maybe.push(hit);
            }
        }
    }

    /// Whether what a match says is known.
    fn knows(&self, hit: &Hit) -> bool {
        let all = self.recent.iter().chain(&self.reported);
        all.into_iter().any(|other| hit.is_within(other)) || self.plain.knows(hit)
    }

    /// Asks the views about what may be a match, once enough has come behind it.
    fn ask(&mut self, inspector: &Inspector, ended: bool) {
        if self.maybe.is_empty() {
            return;
        }
        let end = self.plain.end();
        let mut maybe = std::mem::take(&mut self.maybe);
        maybe.sort_by_key(|hit| (hit.span, hit.rule));
        for hit in maybe {
            if self.knows(&hit) {
                continue;
            }
            if !ended && end < hit.span.end + BEHIND {
                self.maybe.push(hit);
                continue;
            }
            let from = self.boundary(hit.span.start.saturating_sub(AROUND));
            let to = self.boundary((hit.span.end + BEHIND).min(end));
            let mut shown = Vec::new();
            let text = self.plain.text(from, to);
            inspector.hits(text, self.channel, &self.selection, &mut shown);
            for mut other in shown {
                other.span = Span::new(from + other.span.start, from + other.span.end);
                let overlaps = other.span.overlaps(hit.span);
                other.span.start = other.span.start.max(self.base);
                let family = inspector.rules().get(other.rule).map(|rule| rule.family());
                if overlaps
                    && !other.span.is_empty()
                    && family.is_some_and(|family| views::READ.contains(&family))
                    && !self.knows(&other)
                {
                    self.recent.push(other);
                }
            }
        }
    }

    /// Reports what ends at or before the offset up to which everything is final. Nothing that overlaps it can come any more, so
    /// that what is reported of findings that claim the same text is what a scan of the whole reports.
    fn report(&mut self, inspector: &Inspector, found: &mut Vec<Finding>) {
        if self.recent.is_empty() {
            return;
        }
        let base = self.base;
        let mut hits: Vec<Hit> = self.recent.extract_if(.., |hit| hit.span.end <= base).collect();
        tidy(&mut hits);
        inspector.resolve(&mut hits);
        found.extend(hits.iter().filter_map(|hit| {
            let matched = self.plain.text(hit.span.start, hit.span.end);
            inspector.finding(hit.rule, hit.span, matched)
        }));
        self.reported.append(&mut hits);
    }

    /// Lets go of everything that is final by every reading.
    fn release(&mut self, inspector: &Inspector, found: &mut Vec<Finding>) {
        let floor = self.base.saturating_sub(TOGETHER);
        let mut hold = self.plain.release(floor, &mut self.recent);
        let mut maybe = Vec::new();
        let beside = self
            .beside
            .iter_mut()
            .filter_map(|beside| beside.hold(&mut maybe));
        hold = beside.fold(hold, usize::min);
        self.consider(inspector, maybe);
        self.ask(inspector, false);
        hold = self.maybe.iter().map(|hit| hit.span.start).fold(hold, usize::min);
        while let Some(hit) = self
            .recent
            .iter()
            .find(|hit| hit.span.start < hold && hold < hit.span.end)
        {
            hold = hit.span.start;
        }
        self.base = hold.max(self.base);
        self.report(inspector, found);
        let base = self.base;
        self.reported.retain(|hit| hit.span.end + AROUND > base);
    }
}

impl Inspector {
    /// Adds what a stream shows of a text, in whatever pieces it comes: what the text shows as it stands, and what is under
    /// disguises of single characters.
    ///
    /// # Errors
    /// [`Overgrown`] when more than 16 KiB of its end could still become a match.
    pub fn scan_streamed(
        &self,
        text: &str,
        channel: Channel,
        selection: &Selection,
        found: &mut Vec<Finding>,
    ) -> Result<(), Overgrown> {
        let mut window = Window::new(channel, selection.clone());
        window.push(self, text, found)?;
        window.finish(self, found);
        Ok(())
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
