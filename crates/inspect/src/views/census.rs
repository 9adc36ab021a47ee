//! One cheap pass over a text that says which views could change anything, and where.
//!
//! A cue is a short sequence of classes of bytes, as a backslash and the letter of an escape. All cues are looked for at
//! once by the shift-and method: bit `n` of the state says that the byte just read is the one that bit stands for and the
//! bytes before it were its predecessors. Beside that it counts kinds of bytes. The text is cut into blocks, and each block
//! remembers what it met, so that a view looks closer only where it must.

/// Bytes of a block.
const BLOCK: usize = 64;

/// Cues, each the last bit of its sequence in [`SEQUENCES`].
pub(crate) mod cue {
    /// A backslash and what makes an escape of it.
    pub(crate) const ESCAPE: u64 = 1 << 1;
    /// A percent sign and two hexadecimal digits.
    pub(crate) const PERCENT: u64 = 1 << 4;
    /// An ampersand and what begins the name of an entity.
    pub(crate) const ENTITY: u64 = 1 << 6;
    /// An equals sign and two hexadecimal digits.
    pub(crate) const QUOTED: u64 = 1 << 9;
    /// Two hexadecimal digits, a separator and two more, or one after a blank.
    pub(crate) const GROUPS: u64 = 1 << 14;
    /// What begins a tag or a comment.
    pub(crate) const TAG: u64 = 1 << 16;
    /// A sign of emphasis within a word.
    pub(crate) const EMPHASIS: u64 = 1 << 19;
    /// A hyphen at the end of a line.
    pub(crate) const HYPHEN: u64 = 1 << 22;
    /// What may stand for a letter among letters, or begins a word.
    pub(crate) const LEET: u64 = 1 << 25 | 1 << 28;
    /// Two letters that stand apart.
    pub(crate) const SPACED: u64 = 1 << 33 | 1 << 40;
    /// Points and dashes apart.
    pub(crate) const MORSE: u64 = 1 << 36;
    /// Signs that set one or two letters apart.
    pub(crate) const PIECES: u64 = 1 << 44;
    pub(super) const FINAL: u64 = ESCAPE
        | PERCENT
        | ENTITY
        | QUOTED
        | GROUPS
        | TAG
        | EMPHASIS
        | HYPHEN
        | LEET
        | SPACED
        | MORSE
        | PIECES;

    /// What may be a word backward.
    pub(super) const MAYBE_BACKWARD: u64 = 1 << 47 | 1 << 51 | 1 << 55 | 1 << 59 | 1 << 63;

    // The bits of places within sequences are free for what is told in other ways.

    /// A common word backward.
    pub(crate) const BACKWARD: u64 = 1 << 0;
    /// Fifteen characters of base64 in a row.
    pub(crate) const LONG: u64 = 1 << 2;
    /// Letters as no language has them, or hardly any letters where there should be.
    pub(crate) const STRANGE: u64 = 1 << 3;
    /// Many signs and few blanks.
    pub(crate) const DENSE: u64 = 1 << 5;
    /// Characters as they stand for letters under ROT47.
    pub(crate) const PRINTABLE: u64 = 1 << 7;
    /// A character that is not ASCII.
    pub(crate) const NON_ASCII: u64 = 1 << 8;
}

const HEX: &str = "0123456789abcdefABCDEF";
const SEPARATOR: &str = " ,:-;\n\t";
const LETTER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ANY_LETTER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const MARK: &str = "*`~|^";
const APART: &str = " .-_*/|,~+:;\n\t";
const LEET: &str = "0134578@$!|+";
const CODE: &str = ".-_";

/// The sequences: for each place the bytes that may stand there.
const SEQUENCES: &[&[&str]] = &[
    &["\\", "nrtbfvae0123456789uUx\"'\\/\n\r"],
    &["%", HEX, HEX],
    &["&", "#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"],
    &["=", "0123456789ABCDEF", "0123456789ABCDEF"],
    &[HEX, HEX, SEPARATOR, "0123456789abcdefABCDEF ", HEX],
    &["<", "!/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"],
    &[
        ANY_LETTER,
        MARK,
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*`~|^",
    ],
    &[LETTER, "-", "\r\n"],
    &[
        LETTER,
        LEET,
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0134578@$!|+",
    ],
    &[
        " \n\t\"'(<[{_-*>",
        "0134578@$!",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz1",
    ],
    &[APART, LETTER, APART, LETTER, APART],
    &[CODE, " ", CODE],
    &[" ", LETTER, " ", "*/|-.,~+_:"],
    &[".-_*|~^/", LETTER, LETTER, ".-_*|~^/"],
    // What words backward look like, several in one: where one may stand, [`BACKWARD`] tells.
    &[" \n\"'(.", "dDtTgGlL", "nNtT"],
    &[" \n.", "eElL", "hHlL", "tTaA"],
    &["nN", "oO", "iI", "tTcC"],
    &["tTmMsS", "pPeE", "mMtTgGlL", "oOsSrRuU"],
    &["eElLrR", "rRaAuUgG", "oOeEnN", "nNvVyYuU"],
];

/// Words backward, or enough of them.
const BACKWARD: &[&[&str]] = &[
    &[" \n.", "eE", "hH", "tT"],
    &[" \n\"'(.", "dDtTgGlL", "nNtT"],
    &[" \n", "lL", "lL", "aA"],
    &["nN", "oO", "iI", "tT"],
    &["tT", "pP", "mM", "oO", "rR"],
    &["mM", "eE", "tT", "sS", "yY"],
    &["eE", "rR", "oO", "nN", "gG"],
    &["lL", "aA", "eE", "vV", "eE"],
    &["tT", "eE", "gG", "rR", "oO"],
    &["sS", "eE", "lL", "uU", "rR"],
    &["rR", "uU", "oO", "yY"],
    &["nN", "eE", "gG", "nN", "uU"],
    &["nN", "oO", "iI", "cC", "cC"],
];
/// No sequence is longer.
const LONGEST: usize = 5;

/// The kinds of bytes that are counted, eight bits each, above sixteen for how common letters are.
mod count {
    pub(super) const LETTERS: u32 = 16;
    pub(super) const INSIDE: u32 = 24;
    pub(super) const BLANKS: u32 = 32;
    pub(super) const SIGNS: u32 = 40;
    pub(super) const NON_ASCII: u32 = 48;

    pub(super) fn of(counts: u64, kind: u32) -> u64 {
        counts >> kind & 0xff
    }
}

/// How common a letter is in the languages that use the Latin alphabet most, in sixteenths of a bit above a thousandth.
const COMMON: [u8; 26] = [
    110, 71, 85, 91, 119, 71, 79, 95, 100, 41, 57, 93, 80, 106, 103, 79, 61, 98, 101, 104, 96, 64, 73, 32,
    69, 55,
];
/// Letters that are less common than this on average are none of a language that is known.
const STRANGE: u64 = 92;
/// The same of a block, part of which may be of a language.
const MIXED: u64 = 95;

/// What a text holds.
#[derive(Debug)]
pub(crate) struct Census {
    blocks: Vec<u64>,
    all: u64,
}

struct Tables {
    first: [u64; 256],
    second: [u64; 256],
    counts: [u64; 256],
    begin_first: u64,
    begin_second: u64,
    backward: u64,
}

static TABLES: Tables = tables();

#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn tables() -> Tables {
    let (first, begin_first, _) = sequences(SEQUENCES);
    let (second, begin_second, final_second) = sequences(BACKWARD);
    let mut counts = [0; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let c = byte as u8;
        if c >= 0x80 {
            counts[byte] += 1 << count::NON_ASCII;
        }
        if c.is_ascii_alphabetic() {
            counts[byte] += (1 << count::LETTERS) + COMMON[(c.to_ascii_lowercase() - b'a') as usize] as u64;
        }
        if c >= b'2' && c <= b'K' {
            counts[byte] += 1 << count::INSIDE;
        }
        if c.is_ascii_whitespace() {
            counts[byte] += 1 << count::BLANKS;
        }
        if c.is_ascii_punctuation() {
            counts[byte] += 1 << count::SIGNS;
        }
        byte += 1;
    }
    Tables {
        first,
        second,
        counts,
        begin_first,
        begin_second,
        backward: final_second,
    }
}

/// The bits of each byte, those that begin a sequence, and those that end one.
#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn sequences(sequences: &[&[&str]]) -> ([u64; 256], u64, u64) {
    let (mut bytes, mut begin, mut end) = ([0; 256], 0, 0);
    let (mut bit, mut sequence) = (0, 0);
    while sequence < sequences.len() {
        begin |= 1 << bit;
        let mut at = 0;
        while at < sequences[sequence].len() {
            let class = sequences[sequence][at].as_bytes();
            let mut byte = 0;
            while byte < class.len() {
                bytes[class[byte] as usize] |= 1 << bit;
                byte += 1;
            }
            bit += 1;
            at += 1;
        }
        end |= 1 << (bit - 1);
        sequence += 1;
    }
    (bytes, begin, end)
}

impl Census {
    pub(crate) fn of(text: &[u8]) -> Census {
        let (whole, last) = text.as_chunks::<BLOCK>();
        let mut blocks = vec![0; whole.len() + usize::from(!last.is_empty())];
        // Each byte waits for the one before it: two halves are read at once, so that neither waits alone.
        let half = whole.len() / 2;
        let (early, late) = whole.split_at(half);
        let (met_early, met_late) = blocks.split_at_mut(half);
        let (mut state, mut late_state) = (0, state_before(text, half * BLOCK));
        let both = early
            .iter()
            .zip(late)
            .zip(met_early.iter_mut().zip(met_late.iter_mut()));
        for ((one, other), (met_one, met_other)) in both {
            let (mut one_met, mut other_met) = (Met::default(), Met::default());
            for (byte, other_byte) in one.iter().zip(other) {
                state = one_met.add(state, *byte);
                late_state = other_met.add(late_state, *other_byte);
            }
            (*met_one, *met_other) = (one_met.cues(BLOCK), other_met.cues(BLOCK));
        }
        let odd = late
            .get(half..)
            .unwrap_or_default()
            .iter()
            .map(<[u8; BLOCK]>::as_slice);
        let rest = odd.chain([last]).zip(met_late.iter_mut().skip(half));
        for (block, slot) in rest {
            let mut met = Met::default();
            late_state = block.iter().fold(late_state, |state, byte| met.add(state, *byte));
            *slot = met.cues(block.len());
        }
        let (mut before, mut maybe_before) = (0, 0);
        for (at, met) in blocks.iter_mut().enumerate() {
            let start = at * BLOCK;
            // What tells that a word may stand there may end a byte before it does.
            let maybe = *met & cue::MAYBE_BACKWARD;
            *met ^= maybe;
            if maybe | maybe_before != 0 {
                *met |= backward(text, start);
            }
            maybe_before = maybe;
            let held = whole.get(at).map_or_else(|| in_base64(&padded(last)), in_base64);
            if has_long(before, held) {
                *met |= cue::LONG;
            }
            before = held;
        }
        let all = blocks.iter().fold(0, |all, met| all | met);
        Census { blocks, all }
    }

    /// Whether one of the cues stands anywhere.
    pub(crate) fn any(&self, cues: u64) -> bool {
        self.all & cues != 0
    }

    /// The ranges of the text in which one of the cues ends. What leads to it may stand before the range.
    pub(crate) fn places(&self, cues: u64) -> impl Iterator<Item = (usize, usize)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = self.blocks.get(at..)?;
            let start = at + rest.iter().position(|met| met & cues != 0)?;
            let met = self.blocks.get(start..)?;
            at = start + met.iter().take_while(|met| **met & cues != 0).count();
            Some((start * BLOCK, at * BLOCK))
        })
    }
}

/// What is met in a block.
#[derive(Default)]
struct Met {
    bits: u64,
    counts: u64,
}

impl Met {
    /// Adds a byte; the state that it leaves. No count comes near its bound within a block.
    #[inline]
    fn add(&mut self, state: u64, byte: u8) -> u64 {
        let look = |table: &[u64; 256]| table.get(usize::from(byte)).copied().unwrap_or(0);
        let state = ((state << 1) | TABLES.begin_first) & look(&TABLES.first);
        self.bits |= state;
        self.counts = self.counts.wrapping_add(look(&TABLES.counts));
        state
    }

    /// The cues, when all of a block of so many bytes was added.
    fn cues(&self, length: usize) -> u64 {
        self.bits & (cue::FINAL | cue::MAYBE_BACKWARD) | judge(self.counts, length)
    }
}

/// The state that what stands before `at` leaves.
fn state_before(text: &[u8], at: usize) -> u64 {
    let before = text.get(at.saturating_sub(LONGEST)..at).unwrap_or_default();
    let mut met = Met::default();
    before.iter().fold(0, |state, byte| met.add(state, *byte))
}

/// Whether a word backward ends in the block that begins at `start`.
fn backward(text: &[u8], start: usize) -> u64 {
    let from = start.saturating_sub(LONGEST - 1);
    let block = text.get(from..).unwrap_or_default();
    let (mut state, mut met) = (0u64, 0);
    for (at, byte) in (from..).zip(block.iter().take(start - from + BLOCK)) {
        let bits = TABLES.second.get(usize::from(*byte)).copied().unwrap_or(0);
        state = ((state << 1) | TABLES.begin_second) & bits;
        met |= if at < start { 0 } else { state };
    }
    if met & TABLES.backward == 0 {
        0
    } else {
        cue::BACKWARD
    }
}

/// A block, filled up.
fn padded(last: &[u8]) -> [u8; BLOCK] {
    let mut block = [b' '; BLOCK];
    block.iter_mut().zip(last).for_each(|(slot, byte)| *slot = *byte);
    block
}

/// A bit for each byte of a block, the first one lowest, that may stand in base64.
fn in_base64(block: &[u8; BLOCK]) -> u64 {
    let held = block.map(|byte| {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        // From the slash to the nine.
        let other = byte.wrapping_sub(b'/') < 11;
        u8::from(letter | other | (byte == b'+') | (byte == b'-') | (byte == b'_'))
    });
    let (eights, _) = held.as_chunks::<8>();
    // The lowest bits of eight bytes, moved beside each other by one multiplication.
    eights.iter().rev().fold(0, |all, eight| {
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        all << 8 | bits
    })
}

/// Whether fifteen bits in a row end among the later ones.
fn has_long(before: u64, bits: u64) -> bool {
    let all = u128::from(bits) << 64 | u128::from(before);
    let two = all & all >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    // Where such a run begins; it ends fourteen bits on.
    (eight & eight >> 7) >> 50 != 0
}

/// How common a letter is, in the units of [`is_strange`]; zero of what is none.
pub(crate) fn common(byte: u8) -> u32 {
    COMMONNESS.get(usize::from(byte)).copied().map_or(0, u32::from)
}

static COMMONNESS: [u8; 256] = commonness();

#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn commonness() -> [u8; 256] {
    let mut all = [0; 256];
    let mut letter = 0;
    while letter < 26 {
        all[b'a' as usize + letter] = COMMON[letter];
        all[b'A' as usize + letter] = COMMON[letter];
        letter += 1;
    }
    all
}

/// Whether a word of so many letters, which are so common together, is spelled as none of a language that is known is
/// likely to be.
pub(crate) fn is_strange(letters: usize, common: u32) -> bool {
    u64::from(common) < STRANGE * u64::try_from(letters).unwrap_or(0)
}

/// What the counts of a block of so many bytes say.
fn judge(counts: u64, length: usize) -> u64 {
    let (letters, signs) = (count::of(counts, count::LETTERS), count::of(counts, count::SIGNS));
    let length = u64::try_from(length).unwrap_or(0);
    let blanks = count::of(counts, count::BLANKS);
    let common = counts & 0xffff;
    let rotated = letters * 4 > length && common < MIXED * letters;
    // Lower-case letters under ROT47 are the characters from `2` to `K`.
    let inside = count::of(counts, count::INSIDE) * 3 > length && signs * 10 > length;
    let dense = blanks * 8 <= length && signs * 12 >= length;
    let mut met = 0;
    if rotated || inside {
        met |= cue::STRANGE;
    }
    if inside {
        met |= cue::PRINTABLE;
    }
    if count::of(counts, count::NON_ASCII) > 0 {
        met |= cue::NON_ASCII;
    }
    if dense {
        met |= cue::DENSE;
    }
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cue_is_met_where_it_stands() {
        let filler = "some quite plain words which say little, and more of them here. ";
        for (text, expected) in [
            ("a\\nb", cue::ESCAPE),
            ("%41", cue::PERCENT),
            ("&amp;", cue::ENTITY),
            ("=3D", cue::QUOTED),
            ("69 6e", cue::GROUPS),
            ("105, 103", cue::GROUPS),
            ("aWdub3JlIGFsbCBy", cue::LONG),
            ("<b>", cue::TAG),
            ("ig**nore", cue::EMPHASIS),
            ("ig-\nnore", cue::HYPHEN),
            ("1gnore", cue::LEET),
            ("ign0re", cue::LEET),
            (" i g n", cue::SPACED),
            ("-. --. -.", cue::MORSE),
            ("é", cue::NON_ASCII),
            ("erongi", cue::BACKWARD),
            ("ig.no.re", cue::PIECES),
            ("zkvbq xjqz kvwq zxjk qvzb xkjq zvqx jkzq vxbz qkjx", cue::STRANGE),
            (
                "X=iS4a%CW4Y-}KKa%FaDZ*_AZa&>HFa{X=iS4a%CW4Y-}KKa%FaDZ*_AZa&>HFa{",
                cue::DENSE,
            ),
        ] {
            let text = format!("{filler}{filler} {text} {filler}{filler}");
            let census = Census::of(text.as_bytes());
            assert!(census.any(expected), "{text}");
            let places: Vec<_> = census.places(expected).collect();
            assert!(
                places.iter().all(|(from, to)| *from >= 64 && *to <= 320),
                "{text}: {places:?}"
            );
        }
        assert_eq!(Census::of(filler.repeat(20).as_bytes()).all, 0);
    }

    #[test]
    fn cues_are_met_wherever_blocks_begin() {
        let long = "A".repeat(15);
        let backward = BACKWARD.iter().map(|word| {
            let first = |class: &&str| class.chars().next_back();
            (word.iter().filter_map(first).collect::<String>(), cue::BACKWARD)
        });
        let others = [(long, cue::LONG), ("%41".to_owned(), cue::PERCENT)];
        for (text, expected) in backward.chain(others) {
            for at in 0..300 {
                let around = format!("{}{text}{}", ",".repeat(at), ",".repeat(320 - at));
                let block = (at + text.len() - 1) / BLOCK * BLOCK;
                let places: Vec<_> = Census::of(around.as_bytes()).places(expected).collect();
                assert_eq!(places, [(block, block + BLOCK)], "{text} at {at}");
            }
        }
    }
}
