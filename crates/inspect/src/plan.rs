//! A set of rules made ready to run: one pass finds where a match could begin, the automata say whether one does.
//!
//! Shapes with literal beginnings are met by one table that holds those of all rules. Of the others, those that need a
//! keyword near them are tried near it only; some need a byte that is rare (an e-mail address its `@`): they are tried in
//! front of that byte only. The rest (card numbers) is tried where its first byte stands and nothing bars it. Nothing is
//! allocated while nothing is found.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, OnceLock},
};

use crate::{
    around::{self, LONG},
    byte_set::ByteSet,
    edge::Before,
    hit::{Hit, tidy},
    joint::{self, Joint, Shapes},
    literals::{Literals, Meaning, Words},
    machine::Reach,
    pieces::Pieces,
    shape::{self, Shape},
};

/// What is run for one set of rules.
pub(crate) struct Plan {
    literals: Literals,
    bundles: Vec<Bundle>,
    /// Made when a stream is read for the first time.
    pieces: OnceLock<Pieces>,
    met: Vec<usize>,
    anchored: Vec<Anchored>,
    /// Shapes without beginnings that need a keyword near them, by their keywords.
    keyed: Vec<Keyed>,
    open: Vec<usize>,
    /// For each byte, a bit for each open shape that can begin with it; the last bit stands for all from the 64th on.
    first: [u64; 256],
    /// For each byte, the same bits for the open shapes that may follow it, as far as one byte can tell.
    free: [u64; 256],
    /// The bits of the open shapes that can begin inside of a word.
    inside: u64,
    /// The same bits for the open shapes that can have the byte at the second, third, fourth place of a match: most of what
    /// begins like a match does not go on like one, and a look-up costs less than an automaton.
    next: [[u64; 256]; NEXT],
    /// The same for places further on.
    further: Vec<(usize, [u64; 256])>,
}

/// The places behind the first that are looked at wherever something may begin: the first of [`shape::PLACES`].
const NEXT: usize = 3;

/// A shape every match of which has `byte`.
struct Anchored {
    shape: usize,
    byte: u8,
    /// What comes before it.
    reach: Reach,
}

/// Shapes of one rule that are tried near its keywords only.
struct Keyed {
    shapes: Vec<usize>,
    rule: usize,
    /// The bytes that a match can begin with.
    first: ByteSet,
    /// How far before and how far behind a keyword a match may begin.
    reach: (usize, usize),
}

/// What one literal means: many rules have the same beginnings, and still more the same keywords.
struct Bundle {
    /// Shapes that begin so.
    shapes: Vec<usize>,
    /// The same as automata, [`joint::MOST`] shapes in each, made when the literal is met for the first time.
    joints: Vec<OnceLock<Arc<Joint>>>,
    /// Groups of keyed shapes whose keyword it is.
    groups: Vec<usize>,
    /// The bytes that a match of one of those groups can begin with, and how far from the keyword.
    first: ByteSet,
    reach: (usize, usize),
}

/// What a literal stands for, before literals are bundled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stands {
    For(usize),
    Near(usize),
}

/// What a plan is gathered in.
#[derive(Default)]
struct Draft {
    /// Shapes with literal beginnings.
    met: Vec<usize>,
    /// For each literal, what it stands for and whether it may stand anywhere.
    literals: BTreeMap<Vec<u8>, (Vec<Stands>, bool)>,
    anchored: Vec<Anchored>,
    keyed: Vec<Keyed>,
    open: Vec<usize>,
}

impl Draft {
    fn add(&mut self, number: usize, shape: &Shape) {
        if !shape.beginnings().is_empty() {
            self.met.push(number);
            for literal in shape.beginnings() {
                self.stand(literal.clone(), Stands::For(number), shape.begins_anywhere());
            }
        } else if !shape.keywords.is_empty() {
            self.add_keyed(number, shape);
        } else {
            match shape.anchor() {
                Some((byte, reach)) => self.anchored.push(Anchored {
                    shape: number,
                    byte: *byte,
                    reach: *reach,
                }),
                None => self.open.push(number),
            }
        }
    }

    fn add_keyed(&mut self, number: usize, shape: &Shape) {
        if let Some(known) = self.keyed.iter_mut().find(|keyed| keyed.rule == shape.rule) {
            known.shapes.push(number);
            known.begin_with(shape);
            return;
        }
        let group = self.keyed.len();
        for word in shape.keywords.iter() {
            let word = word.to_ascii_lowercase().into_bytes();
            // A letter begins a word only where a word can begin; what is no letter may stand behind one.
            let is_free = !word.first().is_some_and(u8::is_ascii_alphabetic);
            self.stand(word, Stands::Near(group), is_free);
        }
        let mut keyed = Keyed {
            shapes: vec![number],
            rule: shape.rule,
            first: ByteSet::default(),
            reach: (0, shape.near),
        };
        keyed.begin_with(shape);
        self.keyed.push(keyed);
    }

    fn stand(&mut self, literal: Vec<u8>, stands: Stands, is_free: bool) {
        let (all, free) = self.literals.entry(literal).or_default();
        if !all.contains(&stands) {
            all.push(stands);
        }
        *free |= is_free;
    }

    /// Literals that stand for the same are bundled.
    fn bundle(&mut self) -> (Literals, Vec<Bundle>) {
        let mut bundles: Vec<Bundle> = Vec::new();
        let mut known: HashMap<Vec<Stands>, Meaning> = HashMap::new();
        let mut literals = Vec::new();
        for (literal, (mut stands, is_free)) in std::mem::take(&mut self.literals) {
            stands.sort_unstable();
            let meaning = match known.get(&stands) {
                Some(meaning) => *meaning,
                None => {
                    let meaning = Meaning::try_from(bundles.len()).unwrap_or(Meaning::MAX);
                    bundles.push(self.bundle_of(&stands));
                    known.insert(stands, meaning);
                    meaning
                }
            };
            literals.push((literal, meaning, is_free));
        }
        (Literals::new(&literals), bundles)
    }

    fn bundle_of(&self, stands: &[Stands]) -> Bundle {
        let mut bundle = Bundle {
            shapes: Vec::new(),
            joints: Vec::new(),
            groups: Vec::new(),
            first: ByteSet::default(),
            reach: (0, 0),
        };
        for stands in stands {
            match stands {
                Stands::For(shape) => bundle.shapes.push(*shape),
                Stands::Near(group) => {
                    bundle.groups.push(*group);
                    let Some(keyed) = self.keyed.get(*group) else {
                        continue;
                    };
                    bundle.first.add_all(keyed.first);
                    bundle.reach.0 = bundle.reach.0.max(keyed.reach.0);
                    bundle.reach.1 = bundle.reach.1.max(keyed.reach.1);
                }
            }
        }
        let joints = bundle.shapes.len().div_ceil(joint::MOST);
        bundle.joints.resize_with(joints, OnceLock::new);
        bundle
    }
}

impl Keyed {
    fn begin_with(&mut self, shape: &Shape) {
        self.first.add_all(shape.first());
        if shape.near_after > 0 {
            self.reach.0 = self.reach.0.max(shape.near_after + shape.longest.min(LONG));
        }
    }
}

impl Plan {
    /// Prepares the search for the matches of some of `shapes`: those whose rule is wanted.
    pub(crate) fn new(shapes: &Shapes, wanted: impl Fn(usize) -> bool) -> Plan {
        let mut draft = Draft::default();
        for (number, shape) in shapes
            .all()
            .iter()
            .enumerate()
            .filter(|(_, shape)| wanted(shape.rule))
        {
            draft.add(number, shape);
        }
        let (literals, bundles) = draft.bundle();
        let mut plan = Plan {
            pieces: OnceLock::new(),
            met: draft.met,
            literals,
            bundles,
            anchored: draft.anchored,
            keyed: draft.keyed,
            open: draft.open,
            first: [0; 256],
            free: [0; 256],
            inside: 0,
            next: [[0; 256]; NEXT],
            further: shape::PLACES
                .iter()
                .skip(NEXT)
                .map(|place| (*place, [0; 256]))
                .collect(),
        };
        plan.fill_tables(shapes);
        plan
    }

    fn fill_tables(&mut self, shapes: &Shapes) {
        let open = self.open.iter().filter_map(|number| shapes.get(*number));
        for (at, shape) in (0usize..).zip(open) {
            if !shape.before.bars(b'a') {
                self.inside |= bit(at);
            }
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
        self.fill_further(shapes);
    }

    fn fill_further(&mut self, shapes: &Shapes) {
        let open = self.open.iter().filter_map(|number| shapes.get(*number));
        for (at, shape) in (0usize..).zip(open) {
            let further = self.further.iter_mut().map(|(_, table)| table);
            for (table, can_stand) in self.next.iter_mut().chain(further).zip(shape.places()) {
                for byte in can_stand.iter() {
                    if let Some(bits) = table.get_mut(usize::from(byte)) {
                        *bits |= bit(at);
                    }
                }
            }
        }
    }

    /// What is needed besides where a text is read as it comes.
    pub(crate) fn pieces(&self, shapes: &Shapes) -> &Pieces {
        self.pieces.get_or_init(|| {
            let anchored = self.anchored.iter().map(|anchored| anchored.shape);
            let keyed: Vec<&[usize]> = self.keyed.iter().map(|keyed| keyed.shapes.as_slice()).collect();
            Pieces::new(
                shapes,
                &self.met,
                anchored.chain(self.open.iter().copied()),
                &keyed,
            )
        })
    }

    /// The bits of the open shapes that can have these bytes, but for the first, at their first places.
    #[inline(always)]
    fn beyond(&self, head: [u8; 4]) -> u64 {
        let mut bits = u64::MAX;
        for (table, byte) in self.next.iter().zip(head.iter().skip(1)) {
            bits &= table.get(usize::from(*byte)).copied().unwrap_or(0);
        }
        bits
    }

    /// Which of the open shapes of these bits can still match at a place.
    fn sift(&self, bytes: &[u8], at: usize, mut possible: u64) -> u64 {
        if let Some(before) = at.checked_sub(1).and_then(|before| bytes.get(before)) {
            possible &= self.free.get(usize::from(*before)).copied().unwrap_or(0);
        }
        for (place, table) in &self.further {
            let Some(byte) = bytes.get(at + place) else { break };
            possible &= table.get(usize::from(*byte)).copied().unwrap_or(0);
            if possible == 0 {
                break;
            }
        }
        possible
    }

    /// Adds every match, in order of start, without those within another of the same kind.
    pub(crate) fn run(&self, shapes: &Shapes, text: &str, hits: &mut Vec<Hit>) {
        self.each_start(shapes, text, |shape, start| {
            if let Some(span) = shape.find(text, start) {
                hits.push(shape.hit(span));
            }
        });
        tidy(hits);
    }

    /// Calls `attempt` with every shape and every place where a match of it may begin.
    pub(crate) fn each_start(&self, shapes: &Shapes, text: &str, attempt: impl FnMut(&Shape, usize)) {
        let bytes = text.as_bytes();
        let mut walk = Walk {
            plan: self,
            shapes,
            bytes,
            tried: Vec::new(),
            attempt,
        };
        let mut words = Words::default();
        for (at, head) in bytes.windows(4).enumerate() {
            if let [a, b, c, d] = *head {
                walk.visit(at, [a, b, c, d], words.begins(a));
            }
        }
        for at in bytes.len().saturating_sub(3)..bytes.len() {
            let mut head = [0; 4];
            let rest = bytes.get(at..).unwrap_or_default();
            head.iter_mut().zip(rest).for_each(|(slot, byte)| *slot = *byte);
            walk.visit(at, head, words.begins(head[0]));
        }
        for anchored in &self.anchored {
            if let Some(shape) = shapes.get(anchored.shape) {
                anchored.try_before_each(shape, bytes, |start| walk.attempt(shape, start));
            }
        }
    }

    /// Whether nothing is looked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.met.is_empty() && self.anchored.is_empty() && self.keyed.is_empty() && self.open.is_empty()
    }
}

/// One pass over one text.
struct Walk<'a, F> {
    plan: &'a Plan,
    shapes: &'a Shapes,
    bytes: &'a [u8],
    /// For each group of keyed shapes, up to where it has been tried; empty until a keyword is met.
    tried: Vec<usize>,
    attempt: F,
}

impl<F: FnMut(&Shape, usize)> Walk<'_, F> {
    /// Looks at one place, where these four bytes stand.
    #[inline(always)]
    fn visit(&mut self, at: usize, head: [u8; 4], is_start: bool) {
        if self.plan.literals.may_stand(head, is_start) {
            self.meet(at, head, is_start);
        }
        let mut possible = self.plan.first.get(usize::from(head[0])).copied().unwrap_or(0);
        if !is_start {
            possible &= self.plan.inside;
        }
        if possible != 0 {
            possible &= self.plan.beyond(head);
            if possible != 0 {
                self.try_open(at, possible);
            }
        }
    }

    #[cold]
    fn meet(&mut self, at: usize, head: [u8; 4], is_start: bool) {
        let plan = self.plan;
        plan.literals
            .at(self.bytes, at, head, is_start, |bundle, length| {
                let Some(bundle) = plan.bundles.get(bundle as usize) else {
                    return;
                };
                self.try_bundle(bundle, at);
                if bundle.groups.is_empty() || !around::is_word(self.bytes, at, length) {
                    return;
                }
                // Mostly nothing stands near a keyword that a value could begin with.
                let to = (at + bundle.reach.1 + 1).min(self.bytes.len());
                let around = self
                    .bytes
                    .get(at.saturating_sub(bundle.reach.0)..to)
                    .unwrap_or_default();
                let begins = |byte: &u8| bundle.first.has(*byte);
                if bundle.groups.len() == 1 || around.iter().any(begins) {
                    for group in &bundle.groups {
                        self.try_keyed(*group, at);
                    }
                }
            });
    }

    /// Attempts the shapes of a bundle.
    fn try_bundle(&mut self, bundle: &Bundle, start: usize) {
        let (shapes, before) = (self.shapes, Before::at(self.bytes, start));
        for (numbers, joint) in bundle.shapes.chunks(joint::MOST).zip(&bundle.joints) {
            let each = || (0u32..).zip(numbers.iter().filter_map(|number| shapes.get(*number)));
            let may_follow = each().filter(|(_, shape)| shape.may_follow(before));
            let mut possible: u64 = may_follow.map(|(at, _)| 1 << at).sum();
            if possible & possible.wrapping_sub(1) != 0 {
                let joint = joint.get_or_init(|| shapes.joint(numbers));
                possible &= joint.possible(self.bytes.get(start..).unwrap_or_default());
            }
            if possible != 0 {
                let matching = each().filter(|(at, _)| possible >> at & 1 != 0);
                matching.for_each(|(_, shape)| (self.attempt)(shape, start));
            }
        }
    }

    fn attempt(&mut self, shape: &Shape, start: usize) {
        if shape.may_follow(Before::at(self.bytes, start)) {
            (self.attempt)(shape, start);
        }
    }

    /// Attempts the open shapes of these bits.
    #[inline(never)]
    fn try_open(&mut self, start: usize, mut possible: u64) {
        let (plan, shapes) = (self.plan, self.shapes);
        possible = plan.sift(self.bytes, start, possible);
        while possible != 0 {
            let at = usize::try_from(possible.trailing_zeros()).unwrap_or(0);
            possible &= possible - 1;
            let until = if at == 63 { plan.open.len() } else { at + 1 };
            let numbers = plan.open.get(at..until).into_iter().flatten();
            for shape in numbers.filter_map(|number| shapes.get(*number)) {
                if at < 63 || shape.can_begin_with(self.bytes.get(start).copied().unwrap_or(0)) {
                    self.attempt(shape, start);
                }
            }
        }
    }

    /// Attempts the keyed shapes of a group near one of its keywords, at every place once.
    #[cold]
    fn try_keyed(&mut self, group: usize, at: usize) {
        let (plan, shapes, bytes) = (self.plan, self.shapes, self.bytes);
        let Some(keyed) = plan.keyed.get(group) else {
            return;
        };
        if self.tried.is_empty() {
            self.tried = vec![0; plan.keyed.len()];
        }
        let Some(tried) = self.tried.get_mut(group) else {
            return;
        };
        let from = at.saturating_sub(keyed.reach.0).max(*tried);
        let to = (at + keyed.reach.1 + 1).min(bytes.len()).max(from);
        *tried = to;
        for (start, byte) in (from..to).zip(bytes.get(from..).unwrap_or_default()) {
            if !keyed.first.has(*byte) {
                continue;
            }
            for shape in keyed.shapes.iter().filter_map(|number| shapes.get(*number)) {
                if shape.can_begin_with(*byte) {
                    self.attempt(shape, start);
                }
            }
        }
    }
}

impl Anchored {
    /// Tries every place where the shape can begin within reach of one of its bytes.
    fn try_before_each(&self, shape: &Shape, bytes: &[u8], mut attempt: impl FnMut(usize)) {
        let mut tried = 0;
        for at in memchr::memchr_iter(self.byte, bytes) {
            let from = self.reach.begins(bytes, tried, at);
            for (start, byte) in (from..=at).zip(bytes.get(from..).unwrap_or_default()) {
                if shape.can_begin_with(*byte) {
                    attempt(start);
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
