//! Literals met by their first bytes: one table look-up a byte of text, and a comparison where the table says so. It answers
//! where something could begin; whether it does is the automata's business.
//!
//! Most of what is looked for begins a word. Such literals are in a table of their own, which is not asked inside of words:
//! in prose that is four bytes out of five.

/// A number that its owner gives a literal a meaning by.
pub(crate) type Meaning = u32;

/// Many literals, each with a meaning.
pub(crate) struct Literals {
    table: Table,
    /// The marks of the literals that may stand anywhere; those of all of them are the table's, asked where a word begins.
    anywhere: Marks,
}

impl Literals {
    /// Prepares the search. A literal (three bytes at least, in lower case) that is not `free` stands only where a
    /// word begins.
    pub(crate) fn new(literals: &[(Vec<u8>, Meaning, bool)]) -> Literals {
        let mut anywhere = Marks::none();
        for (literal, ..) in literals.iter().filter(|(.., is_free)| *is_free) {
            anywhere.set(literal);
        }
        Literals {
            table: Table::new(
                literals
                    .iter()
                    .map(|(literal, meaning, free)| (literal.as_slice(), *meaning, *free)),
            ),
            anywhere,
        }
    }

    /// Whether some literal may stand where these four bytes are (zeros behind the end of a text). It is asked at every
    /// byte of every text.
    #[inline(always)]
    pub(crate) fn may_stand(&self, head: [u8; 4], is_start: bool) -> bool {
        if is_start {
            self.table.marks.has(head)
        } else {
            self.anywhere.has(head)
        }
    }

    /// The literals that stand at byte `at` of `text`, where these four bytes are: the meaning and the length of each.
    pub(crate) fn at(
        &self,
        text: &[u8],
        at: usize,
        head: [u8; 4],
        is_start: bool,
        met: impl FnMut(Meaning, usize),
    ) {
        let here = text.get(at..).unwrap_or_default();
        self.table.verify(here, head, is_start, met);
    }
}

/// What a byte is, for telling where words begin.
mod class {
    pub(super) const LOWER: u8 = 1;
    pub(super) const UPPER: u8 = 2;
    pub(super) const ESCAPE: u8 = 4;

    pub(super) static OF: [u8; 256] = {
        let mut classes = [0; 256];
        let mut rest: &mut [u8] = &mut classes;
        let mut byte = 0_u8;
        while let [class, behind @ ..] = rest {
            *class = match byte {
                b'a'..=b'z' => LOWER,
                b'A'..=b'Z' => UPPER,
                b'\\' => ESCAPE,
                _ => 0,
            };
            byte = byte.wrapping_add(1);
            rest = behind;
        }
        classes
    };
}

/// Tells where words begin, byte after byte: behind what is no letter, at a capital behind a small letter (`apiKey`), and
/// behind the letter of an escape (`\n`).
#[derive(Clone, Copy, Default)]
pub(crate) struct Words {
    last: u8,
    before: u8,
}

impl Words {
    /// Whether a word can begin with the next byte.
    #[inline(always)]
    pub(crate) fn begins(&mut self, byte: u8) -> bool {
        let class = class::OF.get(usize::from(byte)).copied().unwrap_or(0);
        let (last, before) = (self.last, self.before);
        (self.last, self.before) = (class, last);
        last & (class::LOWER | class::UPPER) == 0
            || before & class::ESCAPE != 0
            || (last & class::LOWER != 0 && class & class::UPPER != 0)
    }
}

const BITS: u32 = 17;
const WORDS: usize = 1 << (BITS - 6);
const BUCKET_BITS: u32 = 12;
const BUCKETS: usize = 1 << BUCKET_BITS;

/// A bit for each hash of what literals begin with.
struct Marks {
    /// Of the first three bytes: asked at every byte of a text.
    three: Box<[u64; WORDS]>,
    /// Of the first six bytes, or of the four or three where a literal has no more: asked where `three` says yes.
    six: Box<[u64; WORDS]>,
}

impl Marks {
    fn none() -> Marks {
        Marks {
            three: Box::new([0; WORDS]),
            six: Box::new([0; WORDS]),
        }
    }

    fn set(&mut self, literal: &[u8]) {
        let [a, b, c, ref rest @ ..] = *literal else {
            return;
        };
        let three = fold([a, b, c, 0]);
        set(&mut self.three, hash(three));
        let beginning = match *rest {
            [] => alone(three),
            [d, e, f, ..] => longer(fold([a, b, c, d]), fold([c, d, e, f])),
            [d, ..] => alone(fold([a, b, c, d])),
        };
        set(&mut self.six, hash(beginning));
    }

    #[inline(always)]
    fn has(&self, head: [u8; 4]) -> bool {
        has(&self.three, hash(first_three(fold(head))))
    }

    /// Whether some literal of four bytes and more begins like `here`, where `gram` stands: most of what begins like a
    /// literal goes on differently.
    fn goes_on(&self, here: &[u8], gram: u32) -> bool {
        let six = || match *here {
            [_, _, c, d, e, f, ..] => has(&self.six, hash(longer(gram, fold([c, d, e, f])))),
            _ => false,
        };
        six() || has(&self.six, hash(alone(gram)))
    }

    /// Whether these three bytes may be a literal.
    fn ends(&self, three: u32) -> bool {
        has(&self.six, hash(alone(three)))
    }
}

struct Table {
    marks: Marks,
    /// For each bucket, where its literals begin in `all`.
    buckets: Vec<u32>,
    all: Vec<Literal>,
    bytes: Vec<u8>,
}

struct Literal {
    gram: u32,
    /// The four bytes behind the gram, folded, and those of their bits that count: a literal may be shorter.
    rest: u32,
    mask: u32,
    meaning: Meaning,
    /// Where it stands in the table's bytes.
    start: u32,
    length: u8,
    is_free: bool,
}

impl Table {
    /// A table of literals, each with its meaning and whether it may stand anywhere.
    fn new<'a>(literals: impl Iterator<Item = (&'a [u8], Meaning, bool)>) -> Table {
        let mut table = Table {
            marks: Marks::none(),
            buckets: vec![0; BUCKETS + 1],
            all: Vec::new(),
            bytes: Vec::new(),
        };
        let gram = |literal: &[u8]| match *literal {
            [a, b, c] => Some(first_three(fold([a, b, c, 0]))),
            [a, b, c, d, ..] => Some(fold([a, b, c, d])),
            _ => None,
        };
        let mut placed: Vec<(usize, u32, &[u8], Meaning, bool)> = literals
            .filter_map(|(literal, meaning, free)| {
                let gram = gram(literal)?;
                Some((bucket(gram), gram, literal, meaning, free))
            })
            .collect();
        placed.sort();
        for (bucket, gram, literal, meaning, is_free) in placed {
            table.marks.set(literal);
            if let Some(count) = table.buckets.get_mut(bucket + 1) {
                *count += 1;
            }
            table.all.push(Literal {
                gram,
                rest: rest(literal),
                mask: u32::MAX
                    .checked_shr(u32::try_from(8_usize.saturating_sub(literal.len()) * 8).unwrap_or(0))
                    .unwrap_or(0),
                meaning,
                start: u32::try_from(table.bytes.len()).unwrap_or(u32::MAX),
                length: u8::try_from(literal.len()).unwrap_or(u8::MAX),
                is_free,
            });
            table.bytes.extend_from_slice(literal);
        }
        let mut before = 0;
        for place in &mut table.buckets {
            before += *place;
            *place = before;
        }
        table
    }

    /// The literals with which `here` begins.
    fn verify(&self, here: &[u8], head: [u8; 4], is_start: bool, mut met: impl FnMut(Meaning, usize)) {
        let gram = fold(head);
        if self.marks.goes_on(here, gram) {
            self.of_gram(gram, here, is_start, &mut met);
        }
        let three = first_three(gram);
        if three != gram && self.marks.ends(three) {
            self.of_gram(three, here, is_start, &mut met);
        }
    }

    /// The literals of a gram with which `here` begins. Most are told from it by the four bytes behind the gram.
    fn of_gram(&self, gram: u32, here: &[u8], is_start: bool, met: &mut impl FnMut(Meaning, usize)) {
        let rest = rest(here);
        let bucket = bucket(gram);
        let place = |at: usize| self.buckets.get(at).map_or(0, |place| *place as usize);
        let all = self.all.get(place(bucket)..place(bucket + 1)).unwrap_or_default();
        for literal in all {
            let is_alike = literal.gram == gram && (literal.rest ^ rest) & literal.mask == 0;
            if is_alike && (is_start || literal.is_free) {
                let (start, length) = (literal.start as usize, usize::from(literal.length));
                let bytes = self.bytes.get(start..start + length).unwrap_or_default();
                if here
                    .get(..length)
                    .is_some_and(|here| here.eq_ignore_ascii_case(bytes))
                {
                    met(literal.meaning, length);
                }
            }
        }
    }
}

/// The four bytes behind a gram, folded; zeros behind the end.
fn rest(here: &[u8]) -> u32 {
    let mut four = [0; 4];
    for (slot, byte) in four.iter_mut().zip(here.iter().skip(4)) {
        *slot = *byte;
    }
    fold(four)
}

/// Literals met by their last bytes: for whoever reads a text as it comes.
pub(crate) struct Endings(Table);

impl Endings {
    /// Prepares the search for literals of three bytes at least, in lower case.
    pub(crate) fn new(literals: &[(Vec<u8>, Meaning)]) -> Endings {
        let reversed: Vec<(Vec<u8>, Meaning)> = literals
            .iter()
            .map(|(literal, meaning)| (literal.iter().rev().copied().collect(), *meaning))
            .collect();
        Endings(Table::new(
            reversed
                .iter()
                .map(|(literal, meaning)| (literal.as_slice(), *meaning, true)),
        ))
    }

    /// Calls `met` with the meaning of every literal that ends at the end of `text`, case aside.
    pub(crate) fn at_end(&self, text: &[u8], mut met: impl FnMut(Meaning)) {
        let mut head = [0; 4];
        for (slot, byte) in head.iter_mut().zip(text.iter().rev()) {
            *slot = *byte;
        }
        if !self.0.marks.has(head) {
            return;
        }
        let tail = text.get(text.len().saturating_sub(LONGEST)..).unwrap_or_default();
        let reversed: Vec<u8> = tail.iter().rev().copied().collect();
        self.0.verify(&reversed, head, true, |meaning, _| met(meaning));
    }
}

/// No keyword is longer.
pub(crate) const LONGEST: usize = 64;

/// Four bytes as one number. Letters of either case are the same; so are a few signs, which the comparison tells apart.
#[inline(always)]
fn fold(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes) | 0x2020_2020
}

/// The same without the fourth.
#[inline(always)]
fn first_three(gram: u32) -> u32 {
    gram & 0x00ff_ffff | 0x2000_0000
}

/// A gram and the one two bytes on, as one number.
fn longer(gram: u32, next: u32) -> u32 {
    gram.rotate_left(5) ^ next.wrapping_mul(0x85eb_ca6b)
}

/// A gram with which a literal ends.
fn alone(gram: u32) -> u32 {
    gram.rotate_left(17) ^ 0x55aa_33cc
}

#[inline(always)]
fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9e37_79b1) >> (32 - BITS)
}

fn bucket(gram: u32) -> usize {
    (hash(gram) >> (BITS - BUCKET_BITS)) as usize
}

fn set(bits: &mut [u64; WORDS], at: u32) {
    if let Some(word) = bits.get_mut((at >> 6) as usize) {
        *word |= 1 << (at & 63);
    }
}

#[inline(always)]
fn has(bits: &[u64; WORDS], at: u32) -> bool {
    let word = bits.get((at >> 6) as usize).copied().unwrap_or(0);
    word >> (at & 63) & 1 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(literals: &Literals, text: &str, is_start: bool) -> Vec<(usize, Meaning)> {
        let bytes = text.as_bytes();
        let mut all = Vec::new();
        for at in 0..bytes.len() {
            let mut head = [0; 4];
            head.iter_mut()
                .zip(&bytes[at..])
                .for_each(|(slot, byte)| *slot = *byte);
            if literals.may_stand(head, is_start) {
                literals.at(bytes, at, head, is_start, |meaning, _| all.push((at, meaning)));
            }
        }
        all.sort_unstable();
        all
    }

    #[test]
    fn every_literal_is_met_wherever_it_stands_and_in_any_case() {
        let all = [
            ("ignore", 0, true),
            ("ign", 1, true),
            ("[inst]", 2, true),
            ("ignore", 3, false),
        ];
        let literals = Literals::new(&all.map(|(text, meaning, free)| (text.into(), meaning, free)));
        assert_eq!(met(&literals, "ign", true), [(0, 1)]);
        assert_eq!(met(&literals, "x IGNore", true), [(2, 0), (2, 1), (2, 3)]);
        assert_eq!(met(&literals, "x IGNore", false), [(2, 0), (2, 1)]);
        assert_eq!(
            met(&literals, "{INST} [INST]", false),
            [(7, 2)],
            "signs are no letters"
        );
        assert_eq!(met(&literals, "ig", true), []);
        assert_eq!(met(&literals, "ignignore", true).len(), 4);
    }

    #[test]
    fn words_begin() {
        let mut words = Words::default();
        let text = "an apiKey, 4x \\nif é";
        let begins: String = text
            .chars()
            .filter(|c| c.is_ascii())
            .filter(|c| words.begins(*c as u8))
            .collect();
        assert_eq!(begins, "aaK 4x\\ni");
    }

    #[test]
    fn endings_are_met_at_the_end_alone() {
        let endings = Endings::new(&[(b"token".to_vec(), 7), (b"ken".to_vec(), 8)]);
        let met = |text: &str| {
            let mut all = Vec::new();
            endings.at_end(text.as_bytes(), |meaning| all.push(meaning));
            all.sort_unstable();
            all
        };
        assert_eq!(met("my ToKEN"), [7, 8]);
        assert_eq!(met("ken"), [8]);
        assert!(met("token ").is_empty());
        assert!(met("en").is_empty());
    }
}
