//! One pattern as a small anchored automaton that can be stepped a byte at a time.
//!
//! A table of our own, made from the dense automaton of `regex-automata`, because two questions must be answered at
//! every byte that a search does not answer: *does a match end here, whatever follows?* and *could more text still make
//! a match?* Both the scan and the streaming window ask the same table, so they cannot disagree. It knows no rules.

use std::collections::{HashMap, HashSet};

use regex_automata::{
    Anchored, Input, MatchKind,
    dfa::{Automaton, StartKind, dense},
    nfa::thompson::{self, pikevm::PikeVM},
    util::{primitives::StateID, syntax},
};

/// The most memory that one pattern may take while it is compiled; the table itself is several times smaller.
const COMPILE_LIMIT: usize = 32 << 20;
/// How far before a byte that it needs a match may begin to be looked for around that byte.
const MAX_REACH: usize = 200;

/// A place in the table: where its row begins, and what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State(u32);

impl State {
    const DEAD: State = State(0);
    const ACCEPTS: u32 = 1;
    const LAST: u32 = 2;

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

    fn row(self) -> usize {
        usize::try_from(self.0 >> 2).unwrap_or(usize::MAX)
    }
}

/// A compiled pattern.
pub(crate) struct Machine {
    classes: [u8; 256],
    /// A byte of each class.
    representatives: Vec<u8>,
    table: Vec<State>,
    start: State,
}

impl Machine {
    /// Compiles a pattern: bytes are ASCII unless it says `(?u)`, no look-around, no empty match.
    pub(crate) fn new(pattern: &str) -> Result<Machine, String> {
        let nfa = thompson::Compiler::new()
            .syntax(syntax::Config::new().unicode(false).utf8(true))
            .configure(thompson::Config::new().which_captures(thompson::WhichCaptures::None))
            .build(pattern)
            .map_err(|error| format!("{error}: {}", cause(&error)))?;
        if !nfa.look_set_any().is_empty() {
            return Err(
                "look-around is not supported: say what may not touch with `before` and `after`".into(),
            );
        }
        if nfa.has_empty() {
            return Err("the pattern matches the empty text".into());
        }
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(COMPILE_LIMIT))
            .determinize_size_limit(Some(COMPILE_LIMIT));
        let dfa = dense::Builder::new()
            .configure(config)
            .build_from_nfa(&nfa)
            .map_err(|error| error.to_string())?;
        Draft::of(&dfa)?.finish(&dfa)
    }

    /// The state before any byte.
    pub(crate) fn start(&self) -> State {
        self.start
    }

    /// The state after one more byte. Nothing follows a dead state.
    pub(crate) fn step(&self, state: State, byte: u8) -> State {
        let class = self.classes.get(usize::from(byte)).copied().unwrap_or(0);
        self.table
            .get(state.row() + usize::from(class))
            .copied()
            .unwrap_or(State::DEAD)
    }

    /// For each of the first `depth` places of a match, the bytes that can stand there; all where a match may be shorter.
    pub(crate) fn places(&self, depth: usize) -> Vec<[bool; 256]> {
        let mut level = HashSet::from([self.start]);
        let mut places = Vec::with_capacity(depth);
        while places.len() < depth && !level.iter().any(|state| state.accepts()) {
            let mut place = [false; 256];
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
            for (flag, class) in place.iter_mut().zip(&self.classes) {
                *flag = can_stand.get(usize::from(*class)).copied().unwrap_or(false);
            }
            places.push(place);
            level = next;
        }
        places.resize(depth, [true; 256]);
        places
    }

    /// How many bytes of a match can come before its first `byte`; `None` where a match needs no such byte, or where there
    /// is no bound.
    pub(crate) fn reach(&self, byte: u8) -> Option<usize> {
        let class = |byte: u8| self.classes.get(usize::from(byte));
        if (0..=u8::MAX).any(|other| other != byte && class(other) == class(byte)) {
            return None; // wherever it does, another byte does as well
        }
        let mut level = HashSet::from([self.start]);
        for length in 0..=MAX_REACH {
            let mut next = HashSet::new();
            for state in level {
                for other in self
                    .representatives
                    .iter()
                    .copied()
                    .filter(|other| *other != byte)
                {
                    let after = self.step(state, other);
                    if after.accepts() {
                        return None;
                    }
                    if !after.is_dead() {
                        next.insert(after);
                    }
                }
            }
            if next.is_empty() {
                return Some(length);
            }
            level = next;
        }
        None
    }
}

/// The states of the dense automaton that are reached, before those that lead nowhere are dropped.
struct Draft {
    ids: Vec<StateID>,
    next: Vec<Vec<usize>>,
    representatives: Vec<u8>,
}

impl Draft {
    fn of(dfa: &dense::DFA<Vec<u32>>) -> Result<Draft, String> {
        let mut representatives: Vec<u8> = Vec::new();
        for byte in 0..=u8::MAX {
            if usize::from(dfa.byte_classes().get(byte)) == representatives.len() {
                representatives.push(byte);
            }
        }
        let start = dfa
            .start_state_forward(&Input::new("").anchored(Anchored::Yes))
            .map_err(|error| error.to_string())?;
        let mut numbers = HashMap::from([(start, 0)]);
        let mut draft = Draft {
            ids: vec![start],
            next: Vec::new(),
            representatives,
        };
        while let Some(id) = draft.ids.get(draft.next.len()).copied() {
            let mut row = Vec::with_capacity(draft.representatives.len());
            for byte in &draft.representatives {
                let next = dfa.next_state(id, *byte);
                let fresh = draft.ids.len();
                let number = *numbers.entry(next).or_insert(fresh);
                if number == fresh {
                    draft.ids.push(next);
                }
                row.push(number);
            }
            draft.next.push(row);
        }
        Ok(draft)
    }

    /// Drops what cannot lead to a match and lays the rest out as a table whose first row is the dead state.
    fn finish(self, dfa: &dense::DFA<Vec<u32>>) -> Result<Machine, String> {
        let accepts: Vec<bool> = self
            .ids
            .iter()
            .map(|id| dfa.is_match_state(dfa.next_eoi_state(*id)))
            .collect();
        let alive = self.leading_to(&accepts);
        let leads = |number: usize| alive.get(number).copied().unwrap_or(false);
        let mut states = Vec::with_capacity(self.ids.len());
        let mut rows = 1usize;
        for (number, next) in self.next.iter().enumerate() {
            if !leads(number) {
                states.push(State::DEAD);
                continue;
            }
            let row = u32::try_from(rows * self.representatives.len())
                .ok()
                .filter(|row| row >> 30 == 0);
            let row = row.ok_or("the pattern has too many states")?;
            let accepts = accepts.get(number).copied().unwrap_or(false);
            let last = accepts && !next.iter().any(|next| leads(*next));
            states.push(State(
                row << 2 | if accepts { State::ACCEPTS } else { 0 } | if last { State::LAST } else { 0 },
            ));
            rows += 1;
        }
        let state = |number: usize| states.get(number).copied().unwrap_or(State::DEAD);
        let mut table = vec![State::DEAD; self.representatives.len()];
        for (_, next) in self.next.iter().enumerate().filter(|(number, _)| leads(*number)) {
            table.extend(next.iter().map(|next| state(*next)));
        }
        let mut classes = [0; 256];
        for (class, byte) in classes.iter_mut().zip(0..=u8::MAX) {
            *class = dfa.byte_classes().get(byte);
        }
        if state(0).is_dead() {
            return Err("the pattern matches nothing".into());
        }
        Ok(Machine {
            classes,
            representatives: self.representatives,
            table,
            start: state(0),
        })
    }

    /// Which states are matches or lead to one.
    fn leading_to(&self, accepts: &[bool]) -> Vec<bool> {
        let mut into = vec![Vec::new(); self.next.len()];
        for (from, next) in self.next.iter().enumerate() {
            for to in next {
                if let Some(into) = into.get_mut(*to) {
                    into.push(from);
                }
            }
        }
        let mut alive = accepts.to_vec();
        let mut queue: Vec<usize> = accepts
            .iter()
            .enumerate()
            .filter(|(_, accepts)| **accepts)
            .map(|(number, _)| number)
            .collect();
        while let Some(number) = queue.pop() {
            for from in into.get(number).into_iter().flatten() {
                if let Some(flag) = alive.get_mut(*from).filter(|flag| !**flag) {
                    *flag = true;
                    queue.push(*from);
                }
            }
        }
        alive
    }
}

/// A matcher of the same pattern that also says where its group `value` stands. It is asked about whole matches only.
pub(crate) fn capturing(pattern: &str) -> Result<PikeVM, String> {
    PikeVM::builder()
        .syntax(syntax::Config::new().unicode(false).utf8(true))
        .build(&format!("(?:{pattern})\\z"))
        .map_err(|error| format!("{error}: {}", cause(&error)))
}

fn cause(error: &dyn std::error::Error) -> String {
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
    fn what_can_stand_at_the_first_places() {
        let places = Machine::new("[ab]c|ade").unwrap().places(4);
        let at = |place: usize| {
            (0..=255u8)
                .filter(|byte| places[place][usize::from(*byte)])
                .count()
        };
        assert_eq!((at(0), at(1)), (2, 2));
        assert_eq!(at(2), 256, "a match may end before");
        assert_eq!(at(3), 256);
    }

    #[test]
    fn a_match_reaches_so_far_before_a_byte_that_it_needs() {
        let machine = Machine::new("[a-z]{1,9}@[a-z]+(?:[.]com)?").unwrap();
        assert_eq!(machine.reach(b'@'), Some(9));
        assert_eq!(machine.reach(b'.'), None, "not needed");
        assert_eq!(machine.reach(b'a'), None, "not needed");
        assert_eq!(Machine::new("[a-z]+@").unwrap().reach(b'@'), None, "no bound");
        assert_eq!(Machine::new("[+][0-9]{7}").unwrap().reach(b'+'), Some(0));
    }

    #[test]
    fn what_cannot_be_cut_anywhere_is_refused() {
        for pattern in ["a|", "(?-u:\\b)a", "^a", "a$", "(", "[^a]", "[a&&b]"] {
            assert!(Machine::new(pattern).is_err(), "{pattern}");
        }
        assert!(Machine::new("(?iu:é)a").is_ok());
    }
}
