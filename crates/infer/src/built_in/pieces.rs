//! Words cut into pieces so that the sum of their log-probabilities is greatest (FORMAT.md, 2).

use std::ops::ControlFlow;

use serde::Deserialize;

use super::LoadError;
use super::normalise::{Letter, letters};

/// What stands in front of every word.
const BEGIN: char = '\u{2581}';
const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;
/// Words of up to so many letters are remembered within a call.
const SHORT: usize = 15;
/// Places for words to be remembered in: a power of two.
const SLOTS: usize = 512;
/// After so many letters a caller is asked whether to go on: about a millisecond.
const ASK: usize = 32_768;

/// A piece and the bytes of the text that it was cut from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub id: u16,
    pub start: u32,
    pub end: u32,
}

/// `tokenizer.json`.
#[derive(Deserialize)]
struct Told {
    unk: u16,
    unk_score: f64,
    specials: Vec<String>,
    pieces: Vec<(String, f64)>,
}

/// One step in the tree of pieces: from a node by a code point.
#[derive(Clone, Copy)]
struct Edge {
    /// The node and the code point, never zero where there is a step.
    key: u64,
    to: u32,
    /// The piece that ends here, as a place in `scores`.
    piece: u32,
}

/// All pieces, in a tree of code points that lies in one hash table.
pub(super) struct Vocabulary {
    edges: Vec<Edge>,
    shift: u32,
    scores: Vec<f64>,
    specials: u16,
    unknown: u16,
    unknown_score: f64,
}

impl Vocabulary {
    /// Reads `tokenizer.json`, which must hold `size` ids of which the first are `specials`.
    pub fn open(raw: &[u8], size: usize, specials: usize) -> Result<Vocabulary, LoadError> {
        let told: Told =
            serde_json::from_slice(raw).map_err(|source| LoadError::json("tokenizer.json", source))?;
        let wrong = |why| Err(LoadError::Tokenizer(why));
        if told.specials.len() != specials || told.pieces.len() + specials != size {
            return wrong("it has other numbers of pieces than config.json");
        }
        let sane = |score: f64| score.is_finite() && score.abs() <= 1e6;
        if usize::from(told.unk) >= specials || !sane(told.unk_score) {
            return wrong("the unknown piece is out of bounds");
        }
        if !told
            .pieces
            .iter()
            .all(|(piece, score)| !piece.is_empty() && sane(*score))
        {
            return wrong("a piece is empty or its score out of bounds");
        }
        let steps: usize = told.pieces.iter().map(|(piece, _)| piece.chars().count()).sum();
        let slots = steps.saturating_mul(2).max(16).next_power_of_two();
        if steps >= 1 << 24 {
            return wrong("it has too many pieces");
        }
        let empty = Edge {
            key: 0,
            to: 0,
            piece: NONE,
        };
        let mut vocabulary = Vocabulary {
            edges: vec![empty; slots],
            shift: 64 - slots.trailing_zeros(),
            scores: told.pieces.iter().map(|(_, score)| *score).collect(),
            specials: u16::try_from(specials)
                .map_err(|_| LoadError::Tokenizer("it has too many specials"))?,
            unknown: told.unk,
            unknown_score: told.unk_score,
        };
        let mut nodes = ROOT;
        for (at, (piece, _)) in (0u32..).zip(&told.pieces) {
            vocabulary.add(piece, at, &mut nodes);
        }
        Ok(vocabulary)
    }

    fn add(&mut self, piece: &str, at: u32, nodes: &mut u32) {
        let mut node = ROOT;
        let mut codes = piece.chars().peekable();
        while let Some(code) = codes.next() {
            let key = key(node, code);
            let slot = self.slot(key);
            let Some(edge) = self.edges.get_mut(slot) else {
                return;
            };
            if edge.key == 0 {
                *nodes += 1;
                *edge = Edge {
                    key,
                    to: *nodes,
                    piece: NONE,
                };
            }
            if codes.peek().is_none() {
                edge.piece = at;
            }
            node = edge.to;
        }
    }

    /// Where the step is, or the empty place where it would be. There are more places than steps, so one is found.
    #[inline]
    fn slot(&self, key: u64) -> usize {
        let mut slot = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize;
        while let Some(edge) = self.edges.get(slot) {
            if edge.key == key || edge.key == 0 {
                break;
            }
            slot = (slot + 1) & (self.edges.len() - 1);
        }
        slot
    }

    #[inline]
    fn step(&self, node: u32, code: char) -> Option<&Edge> {
        self.edges
            .get(self.slot(key(node, code)))
            .filter(|edge| edge.key != 0)
    }

    /// The pieces of a text, unless the caller wants no more. The text is below 4 GiB.
    pub fn cut(&self, text: &str, go_on: &dyn Fn() -> bool) -> Option<Vec<Piece>> {
        let mut cutter = Cutter {
            vocabulary: self,
            reached: Vec::new(),
            cuts: Vec::new(),
            known: vec![Known::default(); SLOTS],
            out: Vec::with_capacity(text.len() / 4),
            go_on,
        };
        let mut word: Vec<Letter> = Vec::new();
        let mut seen = 0usize;
        let flow = letters(text, |letter| {
            seen += 1;
            if seen.is_multiple_of(ASK) && !go_on() {
                return ControlFlow::Break(());
            }
            if letter.code != ' ' {
                word.push(letter);
                return ControlFlow::Continue(());
            }
            let flow = cutter.word(&word);
            word.clear();
            flow
        });
        (flow.is_continue() && cutter.word(&word).is_continue()).then_some(cutter.out)
    }
}

#[inline]
fn key(node: u32, code: char) -> u64 {
    (u64::from(node) << 21 | u64::from(u32::from(code))) + 1
}

/// The best way to a place of a word.
#[derive(Clone, Copy)]
struct Reached {
    score: f64,
    from: u32,
    id: u16,
}

/// A piece of a word and its length in code points, the mark of the beginning included.
type Cut = (u16, u32);

/// A short word that was cut before. A later word of the same hash takes its place.
#[derive(Clone, Copy, Default)]
struct Known {
    letters: [char; SHORT],
    length: u8,
    cuts: [(u16, u8); SHORT + 1],
    count: u8,
}

struct Cutter<'a> {
    vocabulary: &'a Vocabulary,
    reached: Vec<Reached>,
    cuts: Vec<Cut>,
    known: Vec<Known>,
    out: Vec<Piece>,
    go_on: &'a dyn Fn() -> bool,
}

impl Cutter<'_> {
    /// Adds the pieces of a word. Breaks where the caller wants no more.
    fn word(&mut self, word: &[Letter]) -> ControlFlow<()> {
        if word.is_empty() {
            return ControlFlow::Continue(());
        }
        if word.len() > SHORT {
            self.search(word)?;
            place(&self.cuts, word, &mut self.out);
            return ControlFlow::Continue(());
        }
        let hash = word.iter().fold(word.len() as u32, |hash, letter| {
            (hash.rotate_left(5) ^ u32::from(letter.code)).wrapping_mul(0x9E37_79B1)
        });
        let slot = (hash >> 23) as usize;
        if let Some(known) = self.known.get(slot)
            && usize::from(known.length) == word.len()
            && word
                .iter()
                .zip(&known.letters)
                .all(|(letter, code)| letter.code == *code)
        {
            self.cuts.clear();
            let cuts = known.cuts.iter().take(usize::from(known.count));
            self.cuts.extend(cuts.map(|(id, long)| (*id, u32::from(*long))));
        } else {
            self.search(word)?;
            if let Some(known) = self.known.get_mut(slot) {
                known.length = word.len() as u8;
                known.count = self.cuts.len() as u8;
                known
                    .letters
                    .iter_mut()
                    .zip(word)
                    .for_each(|(code, letter)| *code = letter.code);
                known
                    .cuts
                    .iter_mut()
                    .zip(&self.cuts)
                    .for_each(|(to, (id, long))| *to = (*id, *long as u8));
            }
        }
        place(&self.cuts, word, &mut self.out);
        ControlFlow::Continue(())
    }

    /// Fills `cuts`. Of equal sums the one found first stays: begins from left to right, lengths from short to long.
    fn search(&mut self, word: &[Letter]) -> ControlFlow<()> {
        let v = self.vocabulary;
        let nowhere = Reached {
            score: f64::NEG_INFINITY,
            from: 0,
            id: v.unknown,
        };
        self.reached.clear();
        self.reached.resize(word.len() + 2, nowhere);
        if let Some(first) = self.reached.first_mut() {
            first.score = 0.0;
        }
        for at in 0..=word.len() {
            if (at + 1).is_multiple_of(ASK) && !(self.go_on)() {
                return ControlFlow::Break(());
            }
            let (before, after) = self.reached.split_at_mut(at + 1);
            let Some(base) = before.last().map(|reached| reached.score) else {
                break;
            };
            let begin = (at == 0).then_some(BEGIN);
            let rest = word
                .get(at.saturating_sub(1)..)
                .unwrap_or_default()
                .iter()
                .map(|letter| letter.code);
            let (mut node, mut first, mut single) = (ROOT, true, false);
            for (code, reached) in begin.into_iter().chain(rest).zip(after.iter_mut()) {
                let Some(edge) = v.step(node, code) else { break };
                if let Some(score) = v.scores.get(edge.piece as usize) {
                    single |= first;
                    if base + score > reached.score {
                        *reached = Reached {
                            score: base + score,
                            from: at as u32,
                            id: v.specials.saturating_add(edge.piece as u16),
                        };
                    }
                }
                (node, first) = (edge.to, false);
            }
            if let Some(next) = after.first_mut()
                && !single
                && base + v.unknown_score > next.score
            {
                *next = Reached {
                    score: base + v.unknown_score,
                    from: at as u32,
                    id: v.unknown,
                };
            }
        }
        self.walk_back();
        ControlFlow::Continue(())
    }

    fn walk_back(&mut self) {
        let unknown = self.vocabulary.unknown;
        self.cuts.clear();
        let mut at = self.reached.len().saturating_sub(1);
        while at > 0 {
            let Some(reached) = self.reached.get(at) else {
                break;
            };
            let from = reached.from as usize;
            let long = at.saturating_sub(from) as u32;
            match self.cuts.last_mut() {
                Some(last) if last.0 == unknown && reached.id == unknown => last.1 += long,
                _ => self.cuts.push((reached.id, long)),
            }
            at = from;
        }
        self.cuts.reverse();
    }
}

/// Gives cuts their places in the text. A mark of the beginning by itself is at the first letter and holds nothing.
fn place(cuts: &[Cut], word: &[Letter], out: &mut Vec<Piece>) {
    let mut at = 0usize;
    for (id, long) in cuts {
        let next = at + *long as usize;
        // Code point 0 is the mark; letter n of the word is code point n + 1.
        let first = word
            .get(at.max(1) - 1)
            .or(word.last())
            .map_or(0, |letter| letter.start);
        let last = next
            .checked_sub(2)
            .and_then(|last| word.get(last))
            .map_or(first, |letter| letter.end);
        out.push(Piece {
            id: *id,
            start: first,
            end: last.max(first),
        });
        at = next;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vocabulary(pieces: &[(&str, f64)]) -> Vocabulary {
        let json = serde_json::json!({ "type": "unigram", "unk": 0, "unk_score": -20.0,
            "specials": ["<unk>", "</s>"], "pieces": pieces });
        Vocabulary::open(json.to_string().as_bytes(), pieces.len() + 2, 2).unwrap()
    }

    fn cut(vocabulary: &Vocabulary, text: &str) -> Vec<(u16, usize, usize)> {
        let pieces = vocabulary.cut(text, &|| true).unwrap();
        pieces
            .iter()
            .map(|x| (x.id, x.start as usize, x.end as usize))
            .collect()
    }

    #[test]
    fn the_greatest_sum_wins() {
        let v = vocabulary(&[
            ("▁", -3.0),
            ("▁a", -2.0),
            ("b", -2.0),
            ("ab", -1.5),
            ("▁ab", -4.5),
            ("c", -1.0),
        ]);
        // ▁a + b is 4.0, ▁ + ab is 4.5, ▁ab is 4.5.
        assert_eq!(cut(&v, "AB"), [(3, 0, 1), (4, 1, 2)]);
        assert_eq!(cut(&v, " c\u{200b}c "), [(2, 1, 1), (7, 1, 2), (7, 5, 6)]);
    }

    #[test]
    fn of_equals_the_first_found_stays() {
        // All ways cost 4: the first to reach the end begins leftmost.
        let v = vocabulary(&[
            ("▁", -1.0),
            ("a", -1.5),
            ("aa", -3.0),
            ("▁aa", -4.0),
            ("▁a", -2.5),
        ]);
        assert_eq!(cut(&v, "aa"), [(5, 0, 2)]);
        let v = vocabulary(&[("▁", -1.0), ("a", -1.5), ("aa", -3.0), ("▁a", -2.5)]);
        assert_eq!(cut(&v, "aa"), [(2, 0, 0), (4, 0, 2)]);
    }

    #[test]
    fn unknown_neighbours_are_one_piece() {
        let v = vocabulary(&[("▁", -1.0), ("a", -1.0)]);
        assert_eq!(
            cut(&v, "xéya z"),
            [(2, 0, 0), (0, 0, 4), (3, 4, 5), (2, 6, 6), (0, 6, 7)]
        );
        let v = vocabulary(&[("a", -1.0)]);
        assert_eq!(cut(&v, "xa"), [(0, 0, 1), (2, 1, 2)]);
    }

    #[test]
    fn a_special_is_not_spelled() {
        let v = vocabulary(&[("▁", -1.0), ("<", -1.0), ("/", -1.0), ("s", -1.0), (">", -1.0)]);
        assert_eq!(
            cut(&v, "</s>").iter().map(|x| x.0).collect::<Vec<_>>(),
            [2, 3, 4, 5, 6]
        );
    }

    #[test]
    fn who_wants_no_more_gets_nothing() {
        let v = vocabulary(&[("▁", -1.0)]);
        assert!(v.cut(&"a ".repeat(ASK), &|| false).is_none());
        let word = "ab".repeat(ASK);
        for enough in 0..4 {
            let asked = std::cell::Cell::new(0);
            assert!(
                v.cut(&word, &|| asked.replace(asked.get() + 1) < enough)
                    .is_none()
            );
        }
        assert!(v.cut(&word, &|| true).is_some());
        assert!(v.cut("", &|| false).is_some());
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let open = |json: &str| Vocabulary::open(json.as_bytes(), 3, 2).is_err();
        assert!(open("{}"));
        assert!(!open(
            r#"{"unk":0,"unk_score":-9,"specials":["a","b"],"pieces":[["x",-1]]}"#
        ));
        assert!(open(
            r#"{"unk":2,"unk_score":-9,"specials":["a","b"],"pieces":[["x",-1]]}"#
        ));
        assert!(open(
            r#"{"unk":0,"unk_score":-1e99,"specials":["a","b"],"pieces":[["x",-1]]}"#
        ));
        assert!(open(
            r#"{"unk":0,"unk_score":-9,"specials":["a","b"],"pieces":[["",-1]]}"#
        ));
        assert!(open(
            r#"{"unk":0,"unk_score":-9,"specials":["a","b"],"pieces":[]}"#
        ));
    }

    proptest! {
        #[test]
        fn a_word_that_was_seen_is_cut_the_same(text in "[ab]{1,20}( [ab]{1,3}){0,30}") {
            let v = vocabulary(&[("▁", -3.0), ("▁a", -2.0), ("b", -2.0), ("ab", -1.5), ("a", -2.2), ("ba", -2.9)]);
            let whole = cut(&v, &text);
            let mut apart = Vec::new();
            let mut at = 0;
            for word in text.split(' ') {
                apart.extend(cut(&v, word).iter().map(|(id, start, end)| (*id, start + at, end + at)));
                at += word.len() + 1;
            }
            prop_assert_eq!(whole, apart);
        }
    }
}
