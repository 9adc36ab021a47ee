//! Literal beginnings of shapes, met by their first three bytes: one table look-up a byte of text, and a comparison where
//! the table says so. It answers where a match could begin; whether one does is the automata's business.

use std::collections::HashMap;

/// The literal beginnings of all shapes that have such.
pub(crate) struct Beginnings {
    /// A bit for each hash of three bytes with which a beginning starts; 8 KiB, so that it stays in the nearest cache.
    bits: Vec<u64>,
    /// The beginnings by those three bytes.
    by_gram: HashMap<u32, Vec<Beginning>>,
}

struct Beginning {
    /// In lower case, at least three bytes.
    literal: Vec<u8>,
    /// Numbers of the shapes that begin so.
    shapes: Vec<usize>,
}

const BITS: u32 = 16;

impl Beginnings {
    /// None at all.
    pub(crate) fn new() -> Beginnings {
        Beginnings {
            bits: vec![0; 1 << (BITS - 6)],
            by_gram: HashMap::new(),
        }
    }

    /// Adds a beginning (in lower case) of a shape. One shorter than three bytes cannot be met and is refused.
    pub(crate) fn add(&mut self, literal: &[u8], shape: usize) -> bool {
        let Some(gram) = literal.first_chunk::<3>().map(|first| gram(*first)) else {
            return false;
        };
        let bit = hash(gram);
        if let Some(word) = self.bits.get_mut(bit >> 6) {
            *word |= 1 << (bit & 63);
        }
        let known = self.by_gram.entry(gram).or_default();
        match known.iter_mut().find(|beginning| beginning.literal == literal) {
            Some(beginning) => beginning.shapes.push(shape),
            None => known.push(Beginning {
                literal: literal.to_vec(),
                shapes: vec![shape],
            }),
        }
        true
    }

    /// Calls `met` with every shape and every place of `text` where one of the shape's beginnings stands, case aside.
    pub(crate) fn each(&self, text: &[u8], mut met: impl FnMut(usize, usize)) {
        let mut rest = text;
        let mut offset = 0usize;
        // In stretches of a fixed length the compiler knows the bounds; the last two bytes are looked at again.
        while let Some(at) = self.next(rest) {
            let start = offset.saturating_add(at);
            let here = text.get(start..).unwrap_or_default();
            if let Some(first) = here.first_chunk::<3>() {
                for beginning in self.by_gram.get(&gram(*first)).into_iter().flatten() {
                    let stands = here
                        .get(..beginning.literal.len())
                        .is_some_and(|here| here.eq_ignore_ascii_case(&beginning.literal));
                    if stands {
                        beginning.shapes.iter().for_each(|shape| met(*shape, start));
                    }
                }
            }
            offset = start.saturating_add(1);
            rest = text.get(offset..).unwrap_or_default();
        }
    }

    /// The first place at which the table says that a beginning could stand.
    fn next(&self, text: &[u8]) -> Option<usize> {
        let bits: &[u64; 1 << (BITS - 6)] = self.bits.as_slice().try_into().ok()?;
        text.windows(3).position(|window| {
            let [a, b, c] = *window else { return false };
            let bit = hash(gram([a, b, c]));
            // The mask keeps the index in bounds, which spares the check.
            bits.get((bit >> 6) & ((1 << (BITS - 6)) - 1))
                .is_some_and(|word| word >> (bit & 63) & 1 == 1)
        })
    }
}

/// Three bytes as one number. Letters of either case are the same; so are a few signs, which the comparison tells apart.
fn gram(bytes: [u8; 3]) -> u32 {
    let [a, b, c] = bytes;
    u32::from_le_bytes([a, b, c, 0]) | 0x0020_2020
}

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
            beginnings.each(text.as_bytes(), |shape, start| all.push((start, shape)));
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
