//! The scan of a whole text: one pass finds where a match could begin, the automata say whether one does.
//!
//! Shapes with literal beginnings are met by one pass that looks for those of all rules. Of the few that have none, some
//! need a byte that is rare (an e-mail address its `@`): they are tried in front of that byte only. The rest (card numbers)
//! is tried where its first byte stands and nothing bars it. Nothing is allocated while nothing is found.

use std::cmp::Reverse;

use portcullis_core::Span;

use crate::{
    around::{self, LONG},
    beginnings::{Beginnings, Endings},
    edge::Before,
    shape::Shape,
};

/// A match before it is a finding: the number of its rule, that of its kind, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) rule: usize,
    pub(crate) kind: usize,
    pub(crate) span: Span,
}

impl Hit {
    /// Whether `self` says nothing that `other` does not say.
    pub(crate) fn is_within(&self, other: &Hit) -> bool {
        self.kind == other.kind && self.span.start >= other.span.start && self.span.end <= other.span.end
    }
}

/// Finds starts. Built once from all shapes.
pub(crate) struct Scan {
    beginnings: Beginnings,
    anchored: Vec<Anchored>,
    /// Shapes without beginnings that need a keyword near them, by their keywords.
    keyed: Vec<Keyed>,
    /// The keywords of [`Scan::keyed`].
    keywords: Beginnings,
    endings: Endings,
    open: Vec<usize>,
    /// For each byte, a bit for each open shape that can begin with it; the last bit stands for all from the 64th on.
    first: [u64; 256],
    /// For each byte, the same bits for the open shapes that may follow it, as far as one byte can tell.
    free: [u64; 256],
}

/// A shape every match of which has `byte` within `reach` bytes of its start.
struct Anchored {
    shape: usize,
    byte: u8,
    reach: usize,
}

/// Shapes of one rule that are tried near its keywords only.
struct Keyed {
    shapes: Vec<usize>,
    rule: usize,
    /// How far before and how far behind a keyword a match may begin.
    reach: (usize, usize),
}

/// Bytes that are rare in prose and code.
const RARE: &[u8] = b"@+#$~^|{}[]<>%&\\=/_:-";

impl Scan {
    /// Prepares the search for the starts of `shapes`.
    pub(crate) fn new(shapes: &[Shape]) -> Scan {
        let mut beginnings = Beginnings::new();
        let (mut anchored, mut open) = (Vec::new(), Vec::new());
        let (mut keyed, mut keywords, mut endings) = (Vec::<Keyed>::new(), Beginnings::new(), Endings::new());
        for (number, shape) in shapes.iter().enumerate() {
            let prefixes = shape.machine.prefixes();
            let nearest = |byte: &u8| {
                Some(Anchored {
                    shape: number,
                    byte: *byte,
                    reach: shape.machine.reach(*byte)?,
                })
            };
            // A beginning that cannot be looked for makes the shape one without beginnings.
            let met = !prefixes.is_empty() && prefixes.iter().all(|prefix| beginnings.add(prefix, number));
            if !met && !shape.keywords.is_empty() {
                let known = keyed.iter_mut().find(|keyed| keyed.rule == shape.rule);
                match known {
                    Some(known) => known.shapes.push(number),
                    None => {
                        for word in &shape.keywords {
                            keywords.add(word.to_ascii_lowercase().as_bytes(), keyed.len());
                            endings.add(word.to_ascii_lowercase().as_bytes(), keyed.len());
                        }
                        let before = match shape.near_after {
                            0 => 0,
                            near => near + LONG,
                        };
                        keyed.push(Keyed {
                            shapes: vec![number],
                            rule: shape.rule,
                            reach: (before, shape.near),
                        });
                    }
                }
            } else if !met {
                match RARE.iter().find_map(nearest) {
                    Some(found) => anchored.push(found),
                    None => open.push(number),
                }
            }
        }
        let mut scan = Scan {
            beginnings,
            anchored,
            keyed,
            keywords,
            endings,
            open,
            first: [0; 256],
            free: [0; 256],
        };
        scan.fill_tables(shapes);
        scan
    }

    fn fill_tables(&mut self, shapes: &[Shape]) {
        let open = self.open.iter().filter_map(|number| shapes.get(*number));
        for (at, shape) in (0usize..).zip(open) {
            for (byte, (first, free)) in (0..=u8::MAX).zip(self.first.iter_mut().zip(&mut self.free)) {
                if shape.can_begin_with(byte) {
                    *first |= bit(at);
                }
                // `n`, `r`, `t` may be the letter of an escape: the shape looks closer.
                if !shape.before.bars(byte) || matches!(byte, b'n' | b'r' | b't') {
                    *free |= bit(at);
                }
            }
        }
    }

    /// Adds every match of the shapes whose rule is wanted, in order of start, without those within another of the
    /// same kind.
    pub(crate) fn run(
        &self,
        shapes: &[Shape],
        text: &str,
        wanted: impl Fn(usize) -> bool,
        hits: &mut Vec<Hit>,
    ) {
        let bytes = text.as_bytes();
        let mut attempt = |shape: &Shape, start: usize| {
            if shape.may_follow(Before::at(bytes, start))
                && wanted(shape.rule)
                && let Some(span) = shape.find(text, start)
            {
                hits.push(Hit {
                    rule: shape.rule,
                    kind: shape.kind,
                    span,
                });
            }
        };
        self.beginnings.each(bytes, |number, start, _| {
            if let Some(shape) = shapes.get(number) {
                attempt(shape, start);
            }
        });
        let is_wanted = |number: &usize| shapes.get(*number).filter(|shape| wanted(shape.rule));
        for anchored in &self.anchored {
            if let Some(shape) = is_wanted(&anchored.shape) {
                anchored.try_before_each(shape, bytes, &mut attempt);
            }
        }
        self.try_keyed(shapes, bytes, &wanted, &mut attempt);
        let active = (0usize..)
            .zip(&self.open)
            .filter(|(_, number)| is_wanted(number).is_some());
        let active = active.fold(0, |bits, (at, _)| bits | bit(at));
        if active != 0 {
            self.try_open(shapes, bytes, active, &mut attempt);
        }
        tidy(hits);
    }

    /// Attempts the keyed shapes near their keywords, at every place once.
    fn try_keyed(
        &self,
        shapes: &[Shape],
        bytes: &[u8],
        wanted: impl Fn(usize) -> bool,
        attempt: &mut impl FnMut(&Shape, usize),
    ) {
        let mut tried: Vec<usize> = Vec::new();
        self.keywords.each(bytes, |group, at, length| {
            let Some(keyed) = self.keyed.get(group).filter(|keyed| wanted(keyed.rule)) else {
                return;
            };
            if !around::is_word(bytes, at, length) {
                return;
            }
            if tried.is_empty() {
                tried = vec![0; self.keyed.len()];
            }
            let Some(tried) = tried.get_mut(group) else { return };
            let from = at.saturating_sub(keyed.reach.0).max(*tried);
            let to = (at + keyed.reach.1 + 1).min(bytes.len()).max(from);
            let shapes = keyed.shapes.iter().filter_map(|number| shapes.get(*number));
            for (start, byte) in (from..to).zip(bytes.get(from..).unwrap_or_default()) {
                for shape in shapes.clone().filter(|shape| shape.can_begin_with(*byte)) {
                    attempt(shape, start);
                }
            }
            *tried = to;
        });
    }

    /// The keyed shapes one of whose keywords ends at the end of `text`.
    pub(crate) fn keyed_at_end(&self, text: &[u8], mut met: impl FnMut(usize)) {
        self.endings.at_end(text, |group| {
            self.keyed
                .get(group)
                .into_iter()
                .flat_map(|keyed| &keyed.shapes)
                .for_each(|shape| met(*shape));
        });
    }

    /// The shapes that are tried near their keywords only.
    pub(crate) fn keyed(&self) -> impl Iterator<Item = usize> {
        self.keyed.iter().flat_map(|keyed| keyed.shapes.iter().copied())
    }

    /// Attempts the active open shapes wherever one can begin.
    fn try_open(&self, shapes: &[Shape], bytes: &[u8], active: u64, attempt: &mut impl FnMut(&Shape, usize)) {
        let bits = |table: &[u64; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(0);
        for (start, byte) in bytes.iter().enumerate() {
            let mut possible = bits(&self.first, *byte) & active;
            if possible == 0 {
                continue;
            }
            if let Some(before) = start.checked_sub(1).and_then(|at| bytes.get(at)) {
                possible &= bits(&self.free, *before);
            }
            while possible != 0 {
                let at = usize::try_from(possible.trailing_zeros()).unwrap_or(0);
                possible &= possible - 1;
                let until = if bit(at + 1) == bit(at) {
                    self.open.len()
                } else {
                    at + 1
                };
                let numbers = self.open.get(at..until).into_iter().flatten();
                numbers
                    .filter_map(|number| shapes.get(*number))
                    .for_each(|shape| attempt(shape, start));
            }
        }
    }
}

impl Anchored {
    /// Attempts the shape wherever it can begin within reach of one of its bytes.
    fn try_before_each(&self, shape: &Shape, bytes: &[u8], attempt: &mut impl FnMut(&Shape, usize)) {
        let mut tried = 0;
        for at in memchr::memchr_iter(self.byte, bytes) {
            let from = at.saturating_sub(self.reach).max(tried);
            for (start, byte) in (from..=at).zip(bytes.get(from..).unwrap_or_default()) {
                if shape.can_begin_with(*byte) {
                    attempt(shape, start);
                }
            }
            tried = at + 1;
        }
    }
}

/// The bit of the open shape at that place; all from the 64th on share the last.
fn bit(at: usize) -> u64 {
    1 << at.min(63)
}

/// Sorts matches and drops those within another of the same kind.
pub(crate) fn tidy(hits: &mut Vec<Hit>) {
    if hits.len() < 2 {
        return;
    }
    hits.sort_by_key(|hit| (hit.kind, hit.span.start, Reverse(hit.span.end)));
    hits.dedup_by(|later, earlier| later.is_within(earlier));
    hits.sort_by_key(|hit| (hit.span.start, Reverse(hit.span.end), hit.rule));
}
