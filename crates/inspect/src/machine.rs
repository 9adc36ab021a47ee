//! One pattern as a small anchored automaton that can be stepped a byte at a time.
//!
//! A table of our own, because two questions must be answered at every byte that a search does not answer: *does a match end
//! here, whatever follows?* and *could more text still make a match?* Both the scan and the streaming window ask the same
//! table, so they cannot disagree. It knows no rules.
//!
//! A row of the table is a set of places in the pattern (the subset construction). Rows are made when a text first leads
//! there: whole tables of all rules would take seconds to make and tens of megabytes to keep, and texts reach little of them.
//! A row that was made stays, and so does its number: whoever reads needs no lock.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use regex_automata::{
    nfa::thompson::{self, NFA, State as Place},
    util::{primitives::StateID, syntax},
};

use crate::byte_set::ByteSet;

/// The most memory that the places of one pattern may take.
pub(crate) const COMPILE_LIMIT: usize = 8 << 20;
/// The most rows that one table may have. What a pattern would need more for is not matched, so a pattern that could need
/// more is refused where it can be known: when the whole table is made ([`Machine::complete`]).
const MAX_ROWS: usize = 1 << 17;
/// How far before a byte that it needs a match may begin to be looked for around that byte.
const MAX_REACH: usize = 200;

/// A row of the table, and what is known about it: two bits for that, five for the chunk it is in, the rest for the place
/// where it begins there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State(u32);

impl State {
    const DEAD: State = State(0);
    /// Nobody has been there yet.
    const UNKNOWN: State = State(u32::MAX);
    const ACCEPTS: u32 = 1;
    const LAST: u32 = 2;
    const CHUNK: u32 = 31;

    /// No text can make a match any more.
    pub(crate) fn is_dead(self) -> bool {
        self == State::DEAD
    }

    /// A match ends here.
    pub(crate) fn accepts(self) -> bool {
        self.0 & State::ACCEPTS != 0
    }

    /// A match ends here and no longer one is possible.
    pub(crate) fn is_last(self) -> bool {
        self.0 & State::LAST != 0
    }

    fn chunk(self) -> usize {
        (self.0 >> 2 & State::CHUNK) as usize
    }

    fn place(self) -> usize {
        (self.0 >> 7) as usize
    }
}

/// What can come before a byte that every match has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// So many bytes.
    pub(crate) length: usize,
    /// Which bytes.
    pub(crate) within: ByteSet,
}

impl Reach {
    /// The first place from which nothing but such bytes lead up to `at`, no further back than `from`.
    pub(crate) fn begins(&self, bytes: &[u8], from: usize, at: usize) -> usize {
        let from = at.saturating_sub(self.length).max(from);
        let before = bytes.get(from..at).unwrap_or_default().iter().rev();
        let leads = |byte: &&u8| self.within.has(**byte);
        at - before.take_while(leads).count()
    }
}

/// A compiled pattern.
pub(crate) struct Machine {
    nfa: NFA,
    classes: [u8; 256],
    /// A byte of each class.
    representatives: Vec<u8>,
    rows: Rows,
    /// What the rows stand for; needed where one is made.
    made: Mutex<Made>,
    start: State,
}

/// Where each row leads by each class. Rows are in chunks, each twice the size of the one before, that never move.
struct Rows {
    chunks: [OnceLock<Box<[AtomicU32]>>; CHUNKS],
    width: usize,
}

/// The rows of the first chunk.
const FIRST: usize = 8;
/// So many chunks hold [`MAX_ROWS`].
const CHUNKS: usize = 15;

/// The rows that were made.
#[derive(Default)]
struct Made {
    /// The places of each row: those that read a byte, in order.
    sets: Vec<Box<[StateID]>>,
    /// For each row, a bit for each pattern of which a match ends there.
    accepts: Vec<u64>,
    /// Rows that read the same differ by which matches end in them.
    known: HashMap<(u64, Box<[StateID]>), State>,
    /// No more rows are made.
    most: usize,
}

impl Rows {
    fn new(width: usize) -> Rows {
        Rows {
            chunks: [const { OnceLock::new() }; CHUNKS],
            width,
        }
    }

    /// Where a row leads by a class.
    #[inline(always)]
    fn next(&self, state: State, class: u8) -> State {
        match self.cell(state, class) {
            Some(cell) => State(cell.load(Ordering::Acquire)),
            None => State::DEAD,
        }
    }

    #[inline(always)]
    fn cell(&self, state: State, class: u8) -> Option<&AtomicU32> {
        let chunk = self.chunks.get(state.chunk())?.get()?;
        chunk.get(state.place() + usize::from(class))
    }

    fn set(&self, state: State, class: u8, next: State) {
        if let Some(cell) = self.cell(state, class) {
            cell.store(next.0, Ordering::Release);
        }
    }

    /// The row of that number, without what is known about it. It leads nowhere yet, or to `beyond` by every class.
    fn add(&self, row: usize, beyond: State) -> Option<State> {
        let state = self.state(row)?;
        let chunk = self.chunks.get(state.chunk())?.get_or_init(|| {
            let cells = (FIRST << state.chunk()) * self.width;
            (0..cells).map(|_| AtomicU32::new(State::UNKNOWN.0)).collect()
        });
        for cell in chunk.get(state.place()..state.place() + self.width)? {
            cell.store(beyond.0, Ordering::Relaxed);
        }
        Some(state)
    }

    /// The state of a row, without what is known about it.
    fn state(&self, row: usize) -> Option<State> {
        let chunk = (row / FIRST + 1).checked_ilog2()?;
        let first = FIRST * ((1 << chunk) - 1);
        let place = u32::try_from((row - first) * self.width).ok()?;
        Some(State(place << 7 | chunk << 2))
    }

    /// The number of a row.
    fn row(&self, state: State) -> usize {
        FIRST * ((1 << state.chunk()) - 1) + state.place() / self.width.max(1)
    }
}

impl Machine {
    /// Compiles a pattern: bytes are ASCII unless it says `(?u)`, no look-around, no empty match.
    pub(crate) fn new(pattern: &str) -> Result<Machine, String> {
        Machine::of(&[pattern], MAX_ROWS)
    }

    /// Compiles several patterns, at most 64, into one automaton that knows which of them match. It has no more than
    /// `most` rows.
    pub(crate) fn of(patterns: &[&str], most: usize) -> Result<Machine, String> {
        let nfa = thompson::Compiler::new()
            .syntax(syntax::Config::new().unicode(false).utf8(true))
            .configure(
                thompson::Config::new()
                    .which_captures(thompson::WhichCaptures::None)
                    .nfa_size_limit(Some(COMPILE_LIMIT)),
            )
            .build_many(patterns)
            .map_err(|error| format!("{error}: {}", cause(&error)))?;
        if !nfa.look_set_any().is_empty() {
            return Err(
                "look-around is not supported: say what may not touch with `before` and `after`".into(),
            );
        }
        if nfa.has_empty() {
            return Err("the pattern matches the empty text".into());
        }
        let mut classes = [0; 256];
        let mut representatives: Vec<u8> = Vec::new();
        for (class, byte) in classes.iter_mut().zip(0..=u8::MAX) {
            *class = nfa.byte_classes().get(byte);
            if usize::from(*class) == representatives.len() {
                representatives.push(byte);
            }
        }
        let rows = Rows::new(representatives.len());
        let mut made = Made {
            most,
            ..Made::default()
        };
        made.add(Box::default(), 0, &rows);
        let mut closure = Closure::of(&nfa);
        closure.enter(&nfa, nfa.start_anchored());
        let start = made.add_closure(&mut closure, &rows);
        let start = start.filter(|start| !start.is_dead());
        let Some(start) = start else {
            return Err("the pattern matches nothing".into());
        };
        Ok(Machine {
            nfa,
            classes,
            representatives,
            rows,
            made: Mutex::new(made),
            start,
        })
    }

    /// The state before any byte.
    pub(crate) fn start(&self) -> State {
        self.start
    }

    /// The state after one more byte. Nothing follows a dead state.
    pub(crate) fn step(&self, state: State, byte: u8) -> State {
        let class = self.classes.get(usize::from(byte)).copied().unwrap_or(0);
        match self.rows.next(state, class) {
            State::UNKNOWN => self.explore(state, class).unwrap_or(State::DEAD),
            next => next,
        }
    }

    /// Walks over the first `most` bytes: a bit for each pattern that matches a beginning of them. `None` where that is not
    /// known: something could match yet, or there is no room for another row.
    pub(crate) fn matching(&self, bytes: &[u8], most: usize) -> Option<u64> {
        let (mut state, mut matching) = (self.start, 0);
        let mut rest = bytes.iter();
        for byte in rest.by_ref().take(most) {
            let class = self.classes.get(usize::from(*byte)).copied().unwrap_or(0);
            state = match self.rows.next(state, class) {
                State::UNKNOWN => self.explore(state, class)?,
                next => next,
            };
            if state.is_dead() {
                return Some(matching);
            }
            if state.accepts() {
                let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
                matching |= made.accepts.get(self.rows.row(state)).copied().unwrap_or(0);
            }
        }
        rest.as_slice().is_empty().then_some(matching)
    }

    /// Walks over bytes until nothing can match any more; `each` is told every state that is not dead.
    #[inline]
    pub(crate) fn walk(&self, from: State, bytes: impl Iterator<Item = u8>, mut each: impl FnMut(State)) {
        let mut state = from;
        for byte in bytes {
            state = self.step(state, byte);
            if state.is_dead() {
                return;
            }
            each(state);
        }
    }

    /// Makes the row to which a row leads by a class; `None` where there is no room.
    #[cold]
    fn explore(&self, state: State, class: u8) -> Option<State> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been here in between.
        let known = self.rows.next(state, class);
        if known != State::UNKNOWN {
            return Some(known);
        }
        let byte = self.representatives.get(usize::from(class)).copied().unwrap_or(0);
        let mut closure = Closure::of(&self.nfa);
        for id in made.sets.get(self.rows.row(state)).into_iter().flatten() {
            if let Some(next) = follow(self.nfa.state(*id), byte) {
                closure.enter(&self.nfa, next);
            }
        }
        let next = made.add_closure(&mut closure, &self.rows)?;
        self.rows.set(state, class, next);
        Some(next)
    }

    /// Makes the whole table.
    ///
    /// # Errors
    /// It would have too many rows.
    pub(crate) fn complete(&self) -> Result<(), String> {
        let mut row = 0;
        loop {
            let rows = {
                let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
                made.sets.len()
            };
            if rows >= MAX_ROWS || rows.saturating_mul(self.representatives.len()) > MAX_CELLS {
                return Err("the pattern has too many states".into());
            }
            if row >= rows {
                return Ok(());
            }
            if let Some(state) = self.rows.state(row) {
                for class in 0..self.representatives.len() {
                    self.explore(state, u8::try_from(class).unwrap_or(0));
                }
            }
            row += 1;
        }
    }

    /// For each of the first `depth` places of a match, the bytes that can stand there; all where a match may be shorter.
    pub(crate) fn places(&self, depth: usize) -> Vec<ByteSet> {
        let mut level = HashSet::from([self.start]);
        let mut places = Vec::with_capacity(depth);
        while places.len() < depth && level.len() < WIDE && !level.iter().any(|state| state.accepts()) {
            let mut next = HashSet::new();
            let mut can_stand = vec![false; self.representatives.len()];
            for state in level {
                for (flag, byte) in can_stand.iter_mut().zip(&self.representatives) {
                    let after = self.step(state, *byte);
                    if !after.is_dead() {
                        *flag = true;
                        next.insert(after);
                    }
                }
            }
            places.push(self.of_classes(&can_stand));
            level = next;
        }
        places.resize(depth, ByteSet::ALL);
        places
    }

    /// The bytes of the classes that are marked.
    fn of_classes(&self, marked: &[bool]) -> ByteSet {
        let classes = (0..=u8::MAX).zip(&self.classes);
        let in_marked = |class: &u8| marked.get(usize::from(*class)).copied().unwrap_or(false);
        classes
            .filter(|(_, class)| in_marked(class))
            .map(|(byte, _)| byte)
            .collect()
    }

    /// What of a match can come before its first `byte`; `None` where a match needs no such byte, or where there is no bound.
    pub(crate) fn reach(&self, byte: u8) -> Option<Reach> {
        let class = |byte: u8| self.classes.get(usize::from(byte));
        if (0..=u8::MAX).any(|other| other != byte && class(other) == class(byte)) {
            return None; // wherever it does, another byte does as well
        }
        let mut level = HashSet::from([self.start]);
        let mut can_stand = vec![false; self.representatives.len()];
        for length in 0..=MAX_REACH {
            if level.len() > WIDE {
                return None;
            }
            let mut next = HashSet::new();
            for state in level {
                let others = self.representatives.iter().zip(&mut can_stand);
                for (other, can_stand) in others.filter(|(other, _)| **other != byte) {
                    let after = self.step(state, *other);
                    if after.accepts() {
                        return None;
                    }
                    if !after.is_dead() {
                        *can_stand = true;
                        next.insert(after);
                    }
                }
            }
            if next.is_empty() {
                let within = self.of_classes(&can_stand);
                return Some(Reach { length, within });
            }
            level = next;
        }
        None
    }
}

/// A table of more cells is refused.
const MAX_CELLS: usize = 8 << 20;
/// Where a match can be in more states than that at one place, it is not looked at closer.
const WIDE: usize = 512;

impl Made {
    /// The row of what a closure reached, which is the dead row where that is nothing; `None` where there is no room for it.
    /// The closure is empty afterwards.
    fn add_closure(&mut self, closure: &mut Closure, rows: &Rows) -> Option<State> {
        let (set, accepts) = closure.take();
        if set.is_empty() && accepts == 0 {
            return Some(State::DEAD);
        }
        let key = (accepts, set);
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        if self.sets.len() >= self.most {
            return None;
        }
        let state = self.add(key.1.clone(), accepts, rows)?;
        self.known.insert(key, state);
        Some(state)
    }

    fn add(&mut self, set: Box<[StateID]>, accepts: u64, rows: &Rows) -> Option<State> {
        // From a row that reads nothing, nothing follows; the first row is the dead one.
        let (beyond, last) = match set.is_empty() {
            true => (State::DEAD, State::LAST),
            false => (State::UNKNOWN, 0),
        };
        let State(row) = rows.add(self.sets.len(), beyond)?;
        self.sets.push(set);
        self.accepts.push(accepts);
        let flags = if accepts == 0 { 0 } else { State::ACCEPTS | last };
        Some(State(row | flags))
    }
}

/// The places that can be reached without reading a byte.
struct Closure {
    seen: Vec<bool>,
    reading: Vec<StateID>,
    accepts: u64,
    open: Vec<StateID>,
}

impl Closure {
    fn of(nfa: &NFA) -> Closure {
        Closure {
            seen: vec![false; nfa.states().len()],
            reading: Vec::new(),
            accepts: 0,
            open: Vec::new(),
        }
    }

    fn enter(&mut self, nfa: &NFA, id: StateID) {
        self.open.push(id);
        while let Some(id) = self.open.pop() {
            match self.seen.get_mut(id.as_usize()) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            match nfa.state(id) {
                Place::ByteRange { .. } | Place::Sparse(_) | Place::Dense(_) => self.reading.push(id),
                Place::Look { .. } | Place::Fail => {}
                Place::Union { alternates } => self.open.extend(alternates.iter()),
                Place::BinaryUnion { alt1, alt2 } => self.open.extend([*alt1, *alt2]),
                Place::Capture { next, .. } => self.open.push(*next),
                Place::Match { pattern_id } => self.accepts |= 1 << pattern_id.as_usize().min(63),
            }
        }
    }

    fn take(&mut self) -> (Box<[StateID]>, u64) {
        self.reading.sort_unstable();
        let set = std::mem::take(&mut self.reading).into_boxed_slice();
        (set, std::mem::take(&mut self.accepts))
    }
}

/// Where a place leads by a byte.
fn follow(place: &Place, byte: u8) -> Option<StateID> {
    match place {
        Place::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        Place::Sparse(transitions) => transitions.matches_byte(byte),
        Place::Dense(transitions) => transitions.matches_byte(byte),
        _ => None,
    }
}

/// What lies under an error of the compiler.
pub(crate) fn cause(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(machine: &Machine, text: &str) -> State {
        text.bytes()
            .fold(machine.start(), |state, byte| machine.step(state, byte))
    }

    #[test]
    fn a_match_is_known_at_its_last_byte_and_death_at_the_first_wrong_one() {
        let machine = Machine::new("ab{2,3}c?").unwrap();
        for (text, accepts, last, dead) in [
            ("a", false, false, false),
            ("ab", false, false, false),
            ("abb", true, false, false),
            ("abbb", true, false, false),
            ("abbc", true, true, false),
            ("abbbb", false, false, true),
            ("b", false, false, true),
            ("abbcb", false, false, true),
            ("ac", false, false, true),
        ] {
            let state = after(&machine, text);
            assert_eq!(
                (state.accepts(), state.is_last(), state.is_dead()),
                (accepts, last, dead),
                "{text}"
            );
        }
    }

    #[test]
    fn several_patterns_tell_which_of_them_match() {
        let machine = Machine::of(&["ab", "abc?d", "x{2,}"], 100).unwrap();
        for (text, matching) in [
            ("abd.", Some(0b11)),
            ("ab", Some(0b1)),
            ("abcd", Some(0b11)),
            ("abc.", Some(0b1)),
            ("xxxx", Some(0b100)),
            ("xxxxx", None),
            ("y", Some(0)),
        ] {
            assert_eq!(machine.matching(text.as_bytes(), 4), matching, "{text}");
        }
        let narrow = Machine::of(&["abcdef", "ab"], 4).unwrap();
        assert_eq!(narrow.matching(b"abcdef", 9), None, "no room");
        assert_eq!(narrow.matching(b"b", 9), Some(0));
    }

    #[test]
    fn what_can_stand_at_the_first_places() {
        let places = Machine::new("[ab]c|ade").unwrap().places(4);
        let at = |place: usize| places[place].iter().count();
        assert_eq!((at(0), at(1)), (2, 2));
        assert_eq!(at(2), 256, "a match may end before");
        assert_eq!(at(3), 256);
    }

    #[test]
    fn a_match_reaches_so_far_before_a_byte_that_it_needs() {
        let machine = Machine::new("[a-z]{1,9}@[a-z]+(?:[.]com)?").unwrap();
        let reach = machine.reach(b'@').unwrap();
        assert_eq!(reach.length, 9);
        assert_eq!(reach.begins(b"a, bc@", 0, 5), 3);
        assert_eq!((reach.begins(b"abc@", 1, 3), reach.begins(b"@", 0, 0)), (1, 0));
        let length = |pattern: &str, byte| {
            Machine::new(pattern)
                .unwrap()
                .reach(byte)
                .map(|reach| reach.length)
        };
        assert_eq!(machine.reach(b'.').map(|_| ()), None, "not needed");
        assert_eq!(machine.reach(b'a').map(|_| ()), None, "not needed");
        assert_eq!(length("[a-z]+@", b'@'), None, "no bound");
        assert_eq!(length("[+][0-9]{7}", b'+'), Some(0));
    }

    #[test]
    fn what_cannot_be_cut_anywhere_is_refused() {
        for pattern in ["a|", "(?-u:\\b)a", "^a", "a$", "(", "[^a]", "[a&&b]"] {
            assert!(Machine::new(pattern).is_err(), "{pattern}");
        }
        assert!(Machine::new("(?iu:é)a").is_ok());
    }
}
