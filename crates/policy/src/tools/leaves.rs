//! The values of a result with their paths, and how a value is looked for in all of them. How a result is read is its neighbour's
//! affair.

use memchr::memchr_iter;
use memchr::memmem::Finder;

use super::folded::{Folded, fold_into};

/// One value of a result.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'l> {
    /// Where it stands, as `[].sender` or `participants[]`; empty for a text that has no structure.
    pub path: &'l str,
    /// The value as it is written.
    pub text: &'l str,
    /// The object that it is a member of: values of one number are of one object.
    pub record: u32,
}

impl Leaf<'_> {
    /// The value, folded.
    pub fn folded(&self) -> Folded {
        Folded::of(self.text)
    }
}

/// How many paths are looked through for one that is known. What is not found among them is written down once more.
const REMEMBERED_PATHS: usize = 32;

/// The values of a result, in their order. Their texts stand one behind the other in one text, so that a value is looked for in all of
/// them at once: folding each of them for each result would be most of the time of a decision.
#[derive(Debug, Default)]
pub struct Leaves {
    /// Each text so that whatever its folded form has in it between spaces, it has: in small letters, or, where more is to be done
    /// about it than that, folded.
    low: Vec<u8>,
    written: String,
    paths: Vec<String>,
    /// The path of the value before.
    last: usize,
    all: Vec<Slot>,
}

/// Where the parts of a leaf are.
#[derive(Debug)]
struct Slot {
    path: usize,
    low: usize,
    written: (usize, usize),
    record: u32,
}

/// What is looked for.
pub enum Needle<'n> {
    /// What every text that is meant has in it.
    At(Box<Finder<'n>>),
    /// Letters and digits of ASCII that every text that is meant has in this order, with nothing between them that is one.
    Spread(&'n [u8]),
    /// Every text may be meant.
    Everywhere,
    /// None is.
    Nowhere,
}

impl<'n> Needle<'n> {
    /// Looks for letters and digits, whatever else stands between them.
    pub fn spread(letters: &'n str) -> Needle<'n> {
        match letters.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            true if letters.is_empty() => Needle::Nowhere,
            true => Needle::Spread(letters.as_bytes()),
            false => Needle::Everywhere,
        }
    }

    /// Looks for a folded text, in which no letter or digit may touch it.
    pub fn of(folded: &'n str) -> Needle<'n> {
        // What is between spaces: how many these are, and of which sort, is not the same in a text that is not folded.
        match folded.split(' ').max_by_key(|piece| piece.len()) {
            None | Some("") => Needle::Nowhere,
            Some(piece) => Needle::At(Box::new(Finder::new(piece))),
        }
    }
}

impl Leaves {
    /// None yet, with room for those of a text of that length.
    pub fn with_room(length: usize) -> Leaves {
        Leaves {
            low: Vec::with_capacity(length),
            written: String::with_capacity(length),
            all: Vec::with_capacity(length.div_euclid(32)),
            ..Leaves::default()
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Adds one.
    pub fn push(&mut self, path: &str, text: &str, record: u32) {
        let path = self.path(path);
        let (low, from) = (self.low.len(), self.written.len());
        if text.is_ascii() {
            self.low.extend_from_slice(text.as_bytes());
            if let Some(copied) = self.low.get_mut(low..) {
                copied.make_ascii_lowercase();
            }
        } else {
            fold_into(text, &mut self.low);
        }
        // No piece of a value has a line break in it, so none is found across two texts.
        self.low.push(b'\n');
        self.written.push_str(text);
        self.all.push(Slot {
            path,
            low,
            written: (from, self.written.len()),
            record,
        });
    }

    /// The place of a path. Objects of a list have the same ones in the same order.
    fn path(&mut self, path: &str) -> usize {
        let is = |at: usize| self.paths.get(at).is_some_and(|known| known == path);
        let (count, next) = (self.paths.len(), self.last.saturating_add(1));
        let known = match next {
            next if is(next) => Some(next),
            _ if is(self.last) => Some(self.last),
            _ => (0..count.min(REMEMBERED_PATHS)).find(|at| is(*at)),
        };
        self.last = known.unwrap_or_else(|| {
            self.paths.push(path.to_owned());
            count
        });
        self.last
    }

    /// Those that are of one object.
    pub fn of_record(&self, record: u32) -> impl Iterator<Item = Leaf<'_>> {
        let of = self.all.iter().filter(move |slot| slot.record == record);
        of.map(|slot| self.leaf(slot))
    }

    /// Those that may name what is looked for, and perhaps some more.
    pub fn with<'l>(&'l self, needle: &'l Needle<'l>) -> impl Iterator<Item = Leaf<'l>> {
        let (mut next, mut from) = (0usize, 0usize);
        std::iter::from_fn(move || {
            let at = match needle {
                Needle::Nowhere => return None,
                Needle::Everywhere => next,
                Needle::At(finder) => self.slot_at(self.found(finder, from)?)?,
                Needle::Spread(letters) => self.slot_at(self.spread(letters, from)?)?,
            };
            let slot = self.all.get(at)?;
            next = at.saturating_add(1);
            from = self.all.get(next).map_or(self.low.len(), |slot| slot.low);
            Some(self.leaf(slot))
        })
    }

    /// The leaf that has a place in it.
    fn slot_at(&self, place: usize) -> Option<usize> {
        self.all.partition_point(|slot| slot.low <= place).checked_sub(1)
    }

    /// Where letters begin to stand in their order.
    fn spread(&self, letters: &[u8], from: usize) -> Option<usize> {
        let (first, rest) = letters.split_first()?;
        let text = self.low.get(from..)?;
        let place = memchr_iter(*first, text).find(|at| {
            let behind = text.get(at.saturating_add(1)..).unwrap_or_default();
            let mut behind = behind.iter().filter(|byte| byte.is_ascii_alphanumeric());
            rest.iter().all(|letter| behind.next() == Some(letter))
        })?;
        Some(from.saturating_add(place))
    }

    /// Where a piece of a value stands next, and no letter or digit touches it. Letters beyond ASCII are looked at by whoever asks.
    fn found(&self, finder: &Finder<'_>, mut from: usize) -> Option<usize> {
        loop {
            let place = from.saturating_add(finder.find(self.low.get(from..)?)?);
            let behind = place.saturating_add(finder.needle().len());
            let touches = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let before = place.checked_sub(1).and_then(|before| self.low.get(before));
            if !touches(before) && !touches(self.low.get(behind)) {
                return Some(place);
            }
            from = place.saturating_add(1);
        }
    }

    fn leaf(&self, slot: &Slot) -> Leaf<'_> {
        Leaf {
            path: self.paths.get(slot.path).map_or("", String::as_str),
            text: self.written.get(slot.written.0..slot.written.1).unwrap_or(""),
            record: slot.record,
        }
    }
}
