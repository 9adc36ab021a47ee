//! What a plan needs besides for a text that is read as it comes: a byte at a time, whatever is cut.

use std::collections::{BTreeMap, HashMap};

use crate::{
    joint::Shapes,
    literals::{Endings, Meaning},
    trie::Trie,
};

/// Made for a plan when it first reads a stream.
pub(crate) struct Pieces {
    trie: Trie,
    endings: Endings,
    /// What each meaning of an ending stands for: the shapes whose keyword it is.
    keyed: Vec<Box<[u32]>>,
    /// For each byte, the shapes without literal beginnings that can begin with it, and whether each is keyed.
    starting: Vec<Box<[Starting]>>,
}

/// A shape without literal beginnings.
#[derive(Clone, Copy)]
pub(crate) struct Starting {
    shape: u32,
    /// Whether it needs a keyword near it.
    pub(crate) is_keyed: bool,
}

impl Starting {
    /// The number of the shape.
    pub(crate) fn shape(self) -> usize {
        self.shape as usize
    }
}

impl Pieces {
    /// For shapes with literal beginnings, shapes without, and groups of shapes that need a keyword.
    pub(crate) fn new(
        shapes: &Shapes,
        met: &[usize],
        open: impl Iterator<Item = usize>,
        keyed: &[&[usize]],
    ) -> Pieces {
        let beginning = |number: &usize| {
            let shape = shapes.get(*number)?;
            Some((*number, shape.beginnings(), shape.begins_anywhere()))
        };
        let (endings, meanings) = endings(shapes, keyed);
        let keyed = keyed
            .iter()
            .copied()
            .flatten()
            .map(|number| starting(*number, true));
        let all: Vec<Starting> = open.map(|number| starting(number, false)).chain(keyed).collect();
        let with = |byte: u8| {
            let begins = |starting: &&Starting| {
                let shape = shapes.get(starting.shape());
                shape.is_some_and(|shape| shape.can_begin_with(byte))
            };
            all.iter().filter(begins).copied().collect()
        };
        Pieces {
            trie: Trie::new(met.iter().filter_map(beginning)),
            endings,
            keyed: meanings,
            starting: (0..=u8::MAX).map(with).collect(),
        }
    }

    /// The literal beginnings as a tree.
    pub(crate) fn trie(&self) -> &Trie {
        &self.trie
    }

    /// The shapes without literal beginnings that can begin with `byte`.
    pub(crate) fn starting(&self, byte: u8) -> &[Starting] {
        self.starting.get(usize::from(byte)).map_or(&[], |all| all)
    }

    /// The keyed shapes one of whose keywords ends at the end of `text`.
    pub(crate) fn keyed_at_end(&self, text: &[u8], mut met: impl FnMut(usize)) {
        self.endings.at_end(text, |meaning| {
            let shapes = self.keyed.get(meaning as usize).into_iter().flatten();
            shapes.for_each(|shape| met(*shape as usize));
        });
    }
}

fn starting(number: usize, is_keyed: bool) -> Starting {
    Starting {
        shape: u32::try_from(number).unwrap_or(u32::MAX),
        is_keyed,
    }
}

/// The keywords of groups of shapes. Many groups have the same ones.
fn endings(shapes: &Shapes, keyed: &[&[usize]]) -> (Endings, Vec<Box<[u32]>>) {
    let mut words: BTreeMap<Vec<u8>, Vec<u32>> = BTreeMap::new();
    for number in keyed.iter().copied().flatten() {
        let keywords = shapes.get(*number).map(|shape| &shape.keywords);
        for word in keywords.into_iter().flat_map(|keywords| keywords.iter()) {
            let all = words.entry(word.to_ascii_lowercase().into_bytes()).or_default();
            all.push(u32::try_from(*number).unwrap_or(u32::MAX));
        }
    }
    let mut known: HashMap<Box<[u32]>, Meaning> = HashMap::new();
    let mut meanings = Vec::new();
    let mut literals = Vec::new();
    for (word, mut all) in words {
        all.sort_unstable();
        all.dedup();
        let all = all.into_boxed_slice();
        let meaning = *known.entry(all).or_insert_with_key(|all| {
            meanings.push(all.clone());
            Meaning::try_from(meanings.len() - 1).unwrap_or(Meaning::MAX)
        });
        literals.push((word, meaning));
    }
    (Endings::new(&literals), meanings)
}
