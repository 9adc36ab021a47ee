//! Texts made from a text, and where each of their bytes comes from.
//!
//! A map is a list of runs in order of the derived text. A run says which bytes of the original made it: byte for byte (a
//! copy), at a fixed ratio (four characters of base64 for three bytes), or as a whole. It knows no view and no rule.

use portcullis_core::Span;

/// How much of the text around a change is kept before it, and behind it: what a rule needs to judge what it finds there.
const BEFORE: usize = 128;
const AFTER: usize = 96;
/// How far a cut is moved outward to the next blank, so that no word is torn.
const WORD: usize = 32;
/// What stands where text was left out. It ends every token, and no rule reads over it.
pub(crate) const CUT: &str = "\n\0\n";

/// Where the bytes of a derived text come from.
#[derive(Clone, Debug, Default)]
pub struct Map {
    runs: Vec<Run>,
    length: usize,
    /// Whether the original is read forward only.
    forward: bool,
}

/// A part of a derived text from `at` up to the next run, made of `from..to` of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    at: u32,
    from: u32,
    to: u32,
    ratio: Option<Ratio>,
}

/// So many bytes of the derived text stand for so many of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) derived: u8,
    pub(crate) original: u8,
}

impl Ratio {
    pub(crate) const fn new(derived: u8, original: u8) -> Ratio {
        Ratio { derived, original }
    }

    const COPY: Ratio = Ratio::new(1, 1);

    fn down(self, bytes: usize) -> usize {
        bytes * usize::from(self.original) / usize::from(self.derived.max(1))
    }

    fn up(self, bytes: usize) -> usize {
        (bytes * usize::from(self.original)).div_ceil(usize::from(self.derived.max(1)))
    }
}

impl Run {
    fn at(self) -> usize {
        wide(self.at)
    }

    /// What bytes `low..high` of the run were made of.
    fn original(self, low: usize, high: usize) -> Span {
        let (from, to) = (wide(self.from), wide(self.to));
        match self.ratio {
            None => Span::new(from, to),
            Some(ratio) => Span::new((from + ratio.down(low)).min(to), (from + ratio.up(high)).min(to)),
        }
    }
}

fn wide(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// Offsets are stored in 32 bits: the texts that views are made of are shorter ([`crate::views::explore`] sees to it).
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

impl Map {
    fn push(&mut self, original: Span, length: usize, ratio: Option<Ratio>) {
        if length == 0 {
            return;
        }
        let run = Run {
            at: narrow(self.length),
            from: narrow(original.start),
            to: narrow(original.end),
            ratio,
        };
        self.length += length;
        if let Some(last) = self.runs.last_mut() {
            if run.from < last.to {
                self.forward = false;
            }
            // Runs of whole units of the same ratio that follow each other are one.
            let joins = ratio.is_some_and(|ratio| {
                last.ratio == Some(ratio)
                    && last.to == run.from
                    && wide(last.to) - wide(last.from) == ratio.down(run.at() - last.at())
                    && (run.at() - last.at()).is_multiple_of(usize::from(ratio.derived.max(1)))
            });
            if joins {
                last.to = run.to;
                return;
            }
        }
        self.runs.push(run);
    }

    /// The runs that `span` touches, each with the part of it that is touched.
    fn touched(&self, span: Span) -> impl DoubleEndedIterator<Item = (Run, usize, usize)> {
        let first = self
            .runs
            .partition_point(|run| run.at() <= span.start)
            .saturating_sub(1);
        let last = self.runs.partition_point(|run| run.at() < span.end);
        let part = move |number: usize| {
            let run = *self.runs.get(number)?;
            let end = self.runs.get(number + 1).map_or(self.length, |next| next.at());
            let (low, high) = (span.start.max(run.at()), span.end.min(end));
            (low < high).then(|| (run, low - run.at(), high - run.at()))
        };
        (first..last).filter_map(part)
    }

    /// The range of the original that made `span`: from the first byte of its first unit up to the last byte of its last.
    /// What a view left out in between is within, what it left out around it is not.
    pub(crate) fn original(&self, span: Span) -> Span {
        let made = |(run, low, high): (Run, usize, usize)| {
            let span = run.original(low, high);
            (!span.is_empty()).then_some(span)
        };
        let both = |one: Span, other: Span| Span::new(one.start.min(other.start), one.end.max(other.end));
        let mut parts = self.touched(span).filter_map(made);
        let all = if self.forward {
            let first = parts.next();
            first.map(|first| parts.next_back().map_or(first, |last| both(first, last)))
        } else {
            parts.reduce(both)
        };
        all.unwrap_or_else(|| {
            let run = self
                .runs
                .partition_point(|run| run.at() <= span.start)
                .checked_sub(1);
            let run = run.and_then(|run| self.runs.get(run));
            let at = run.map_or(0, |run| {
                run.original(span.start - run.at(), span.start - run.at()).start
            });
            Span::new(at, at)
        })
    }

    /// This map, taken on through that of the text its original was derived from.
    pub(crate) fn through(&self, parent: &Map) -> Map {
        let mut whole = Map {
            forward: true,
            ..Map::default()
        };
        for (number, run) in self.runs.iter().enumerate() {
            let end = self.runs.get(number + 1).map_or(self.length, |next| next.at());
            let length = end - run.at();
            let span = Span::new(wide(run.from), wide(run.to));
            match run.ratio {
                None => whole.push(parent.original(span), length, None),
                Some(Ratio::COPY) => whole.push_copy(parent, span),
                Some(ratio) => match parent.copied(span) {
                    Some(original) => whole.push(original, length, Some(ratio)),
                    None => (0..length).for_each(|at| {
                        whole.push(parent.original(run.original(at, at + 1)), 1, None);
                    }),
                },
            }
        }
        whole
    }

    /// Adds a copy of `span` of the text that `parent` maps.
    fn push_copy(&mut self, parent: &Map, span: Span) {
        for (run, low, high) in parent.touched(span) {
            let Some(ratio) = run.ratio else {
                self.push(run.original(low, high), high - low, None);
                continue;
            };
            // A copy that begins inside a unit is taken byte by byte up to the next one.
            let unit = usize::from(ratio.derived.max(1));
            let aligned = low.next_multiple_of(unit).min(high);
            (low..aligned).for_each(|at| self.push(run.original(at, at + 1), 1, None));
            if aligned < high {
                self.push(run.original(aligned, high), high - aligned, Some(ratio));
            }
        }
    }

    /// Where `span` was copied from, if it is one copy.
    fn copied(&self, span: Span) -> Option<Span> {
        let mut parts = self.touched(span);
        let (run, low, high) = parts.next()?;
        (run.ratio == Some(Ratio::COPY) && parts.next().is_none()).then(|| run.original(low, high))
    }
}

/// A text that a view is writing.
#[derive(Debug)]
pub struct Draft {
    pub(crate) text: String,
    pub(crate) map: Map,
    /// The parts that are not copies, in order; empty where something was left out.
    pub(crate) changes: Vec<Span>,
}

impl Draft {
    pub(crate) fn new() -> Draft {
        Draft {
            text: String::new(),
            map: Map {
                forward: true,
                ..Map::default()
            },
            changes: Vec::new(),
        }
    }

    /// Adds a piece of the source as it is.
    pub(crate) fn copy(&mut self, source: &str, span: Span) {
        let piece = source.get(span.start..span.end).unwrap_or_default();
        self.text.push_str(piece);
        self.map.push(span, piece.len(), Some(Ratio::COPY));
    }

    /// Adds `text`, which stands for `span` of the source as a whole; nothing, where that is left out.
    pub(crate) fn unit(&mut self, span: Span, text: &str) {
        self.write(span, text, None);
    }

    /// Adds `text`, which stands for `span` of the source at a fixed ratio.
    pub(crate) fn scaled(&mut self, span: Span, text: &str, ratio: Ratio) {
        self.write(span, text, Some(ratio));
    }

    fn write(&mut self, span: Span, text: &str, ratio: Option<Ratio>) {
        self.spread(text, std::iter::once((span, text.len(), ratio)));
    }

    /// Adds `text`, whose bytes stand for parts of the source: which, for how many bytes, and at what ratio or as a whole.
    pub(crate) fn spread(&mut self, text: &str, parts: impl Iterator<Item = (Span, usize, Option<Ratio>)>) {
        let start = self.text.len();
        self.text.push_str(text);
        for (span, length, ratio) in parts {
            self.map.push(span, length, ratio);
        }
        let change = Span::new(start, self.text.len());
        match self.changes.last_mut().filter(|last| last.end == start) {
            Some(last) => last.end = change.end,
            None => self.changes.push(change),
        }
    }

    /// Marks that what follows does not follow what stands before.
    pub(crate) fn cut(&mut self, at: usize) {
        self.text.push_str(CUT);
        self.map.push(Span::new(at, at), CUT.len(), None);
    }
}

/// Changes in a text, from left to right, and the derived text that they make: what lies far from every change is left out.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    source: &'a str,
    draft: Draft,
    /// The source up to here is in the draft or left out.
    done: usize,
    any: bool,
}

impl<'a> Changes<'a> {
    pub(crate) fn new(source: &'a str) -> Changes<'a> {
        Changes {
            source,
            draft: Draft::new(),
            done: 0,
            any: false,
        }
    }

    /// Puts `text` in the place of `span`.
    pub(crate) fn replace(&mut self, span: Span, text: &str) {
        self.approach(span.start);
        self.draft.unit(span, text);
        self.done = span.end;
    }

    /// The source up to which all is decided.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// Copies what stands before a change at `start`, or the nearer parts of it.
    fn approach(&mut self, start: usize) {
        let kept = if self.any { AFTER + WORD } else { 0 };
        if start.saturating_sub(self.done) > kept + BEFORE + WORD {
            if self.any {
                self.leave();
            }
            let from = self.boundary(start - BEFORE, |at| at.saturating_sub(1));
            self.draft.cut(from);
            self.draft.copy(self.source, Span::new(from, start));
        } else {
            self.draft.copy(self.source, Span::new(self.done, start));
        }
        self.any = true;
    }

    /// Copies what follows the last change.
    fn leave(&mut self) {
        let to = self.boundary((self.done + AFTER).min(self.source.len()), |at| at + 1);
        self.draft.copy(self.source, Span::new(self.done, to));
    }

    /// The first place from `at` on, stepping outward, that tears neither a character nor, if one is near, a word.
    fn boundary(&self, at: usize, outward: impl Fn(usize) -> usize) -> usize {
        let bytes = self.source.as_bytes();
        let blank = |at: usize| bytes.get(at).is_none_or(u8::is_ascii_whitespace) || at == 0;
        let places = std::iter::successors(Some(at), |at| Some(outward(*at)));
        let whole = places.clone().take(WORD).find(|at| blank(*at));
        let torn = || places.take(8).find(|at| self.source.is_char_boundary(*at));
        whole.or_else(torn).unwrap_or(self.done).min(self.source.len())
    }

    /// The derived text; nothing if nothing was changed.
    pub(crate) fn finish(mut self) -> Option<Draft> {
        if !self.any {
            return None;
        }
        self.leave();
        Some(self.draft)
    }
}

/// A part of a text.
pub(crate) fn cut(text: &str, span: Span) -> &str {
    text.get(span.start..span.end).unwrap_or_default()
}

/// The parts of a derived text between which text was left out.
pub(crate) fn stretches(text: &str) -> impl Iterator<Item = Span> {
    let mut at = 0;
    let parts = text.split(CUT).map(move |part| {
        let begin = at;
        at += part.len() + CUT.len();
        Span::new(begin, begin + part.len())
    });
    parts.filter(|part| !part.is_empty())
}

/// Whether a finding in `span` may differ from what the text without `changes` would give: one lies in it, or as near as a
/// rule looks.
pub(crate) fn concerns(changes: &[Span], span: Span) -> bool {
    let (from, to) = (span.start.saturating_sub(BEFORE), span.end + crate::around::AFTER);
    let first = changes.partition_point(|change| change.end < from);
    changes.get(first).is_some_and(|change| change.start <= to)
}
