//! Literal beginnings of shapes, met by their first three bytes: one table look-up a byte of text, and a comparison where
//! the table says so. It answers where a match could begin; whether one does is the automata's business.

/// The literal beginnings of all shapes that have such.
pub(crate) struct Beginnings {
    /// A bit for each hash of three bytes with which a beginning starts; 8 KiB, so that it stays in the nearest cache.
    bits: Box<[u64; WORDS]>,
    /// The beginnings, in order of their first three bytes.
    all: Vec<Beginning>,
}

struct Beginning {
    gram: u32,
    /// In lower case.
    literal: Vec<u8>,
    /// A shape that begins so.
    shape: usize,
}

const BITS: u32 = 16;
const WORDS: usize = 1 << (BITS - 6);

impl Beginnings {
    /// None at all.
    pub(crate) fn new() -> Beginnings {
        Beginnings {
            bits: Box::new([0; WORDS]),
            all: Vec::new(),
        }
    }

    /// Adds a beginning (in lower case) of a shape. One shorter than three bytes would be met everywhere and is refused.
    pub(crate) fn add(&mut self, literal: &[u8], shape: usize) -> bool {
        let Some(gram) = literal.first_chunk::<3>().map(|first| fold(*first)) else {
            return false;
        };
        let bit = hash(gram);
        if let Some(word) = self.bits.get_mut(bit >> 6) {
            *word |= 1 << (bit & 63);
        }
        let at = self.all.partition_point(|other| other.gram <= gram);
        self.all.insert(
            at,
            Beginning {
                gram,
                literal: literal.to_vec(),
                shape,
            },
        );
        true
    }

    /// The beginnings whose first three bytes are these.
    fn of_gram(&self, gram: u32) -> impl Iterator<Item = &Beginning> {
        let bit = hash(gram);
        let word = self.bits.get(bit >> 6).copied().unwrap_or(0);
        let known = word >> (bit & 63) & 1 != 0;
        let from = match known {
            true => self.all.partition_point(|other| other.gram < gram),
            false => self.all.len(),
        };
        let rest = self.all.get(from..).unwrap_or_default();
        rest.iter().take_while(move |other| other.gram == gram)
    }

    /// Calls `met` with every shape, every place of `text` where one of the shape's beginnings stands, case aside, and
    /// the length of that beginning.
    pub(crate) fn each(&self, text: &[u8], mut met: impl FnMut(usize, usize, usize)) {
        for (start, window) in text.windows(3).enumerate() {
            let [a, b, c] = *window else { break };
            let mut same = self.of_gram(fold([a, b, c])).peekable();
            if same.peek().is_none() {
                continue;
            }
            let here = text.get(start..).unwrap_or_default();
            for beginning in same.filter(|beginning| beginning.stands(here)) {
                met(beginning.shape, start, beginning.literal.len());
            }
        }
    }
}

/// Literals met by their last three bytes: for whoever reads a text as it comes.
pub(crate) struct Endings(Beginnings);

impl Endings {
    /// None at all.
    pub(crate) fn new() -> Endings {
        Endings(Beginnings::new())
    }

    /// Adds a literal (in lower case) of a group. It has three bytes at least.
    pub(crate) fn add(&mut self, literal: &[u8], group: usize) {
        let reversed: Vec<u8> = literal.iter().rev().copied().collect();
        self.0.add(&reversed, group);
    }

    /// Calls `met` with every group one of whose literals ends at the end of `text`, case aside.
    pub(crate) fn at_end(&self, text: &[u8], mut met: impl FnMut(usize)) {
        let Some([c, b, a]) = text.last_chunk::<3>().copied() else {
            return;
        };
        let gram = fold([a, b, c]);
        for literal in self.0.of_gram(gram) {
            let length = literal.literal.len();
            let here = text.len().checked_sub(length).and_then(|from| text.get(from..));
            let same = |here: &[u8]| {
                here.iter()
                    .rev()
                    .zip(&literal.literal)
                    .all(|(one, other)| one.eq_ignore_ascii_case(other))
            };
            if here.is_some_and(same) {
                met(literal.shape);
            }
        }
    }
}

impl Beginning {
    fn stands(&self, here: &[u8]) -> bool {
        here.get(..self.literal.len())
            .is_some_and(|here| here.eq_ignore_ascii_case(&self.literal))
    }
}

/// Three bytes as one number. Letters of either case are the same; so are a few signs, which the comparison tells apart.
fn fold(bytes: [u8; 3]) -> u32 {
    let [a, b, c] = bytes;
    u32::from_le_bytes([a, b, c, 0]) | 0x0020_2020
}

/// A number below 2^[`BITS`].
fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_is_met_wherever_it_stands_and_in_any_case() {
        let mut beginnings = Beginnings::new();
        assert!(beginnings.add(b"ignore", 0) && beginnings.add(b"ign", 1) && beginnings.add(b"[inst]", 2));
        assert!(beginnings.add(b"ignore", 3) && !beginnings.add(b"ab", 4));
        let met = |text: &str| {
            let mut all = Vec::new();
            beginnings.each(text.as_bytes(), |shape, start, _| all.push((start, shape)));
            all.sort_unstable();
            all
        };
        assert_eq!(met("ign"), [(0, 1)]);
        assert_eq!(met("x IGNore"), [(2, 0), (2, 1), (2, 3)]);
        assert_eq!(met("{INST} [INST]"), [(7, 2)], "signs are no letters");
        assert_eq!(met("ig"), []);
        assert_eq!(met("ignignore").len(), 4);
    }
}
