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
    /// Two hexadecimal digits, a separator and two more.
    pub(crate) const GROUPS: u64 = 1 << 14 | 1 << 34;
    /// Fifteen characters of base64 in a row.
    pub(crate) const LONG: u64 = 1 << 29;
    /// What begins a tag or a comment.
    pub(crate) const TAG: u64 = 1 << 36;
    /// A sign of emphasis within a word.
    pub(crate) const EMPHASIS: u64 = 1 << 39;
    /// A hyphen at the end of a line.
    pub(crate) const HYPHEN: u64 = 1 << 42;
    /// What may stand for a letter among letters, or begins a word.
    pub(crate) const LEET: u64 = 1 << 45 | 1 << 48;
    /// Two letters that stand apart.
    pub(crate) const SPACED: u64 = 1 << 53 | 1 << 62;
    /// Points and dashes apart.
    pub(crate) const MORSE: u64 = 1 << 58;
    /// A character that is not ASCII.
    pub(crate) const NON_ASCII: u64 = 1 << 63;

    pub(super) const FINAL: u64 = ESCAPE
        | PERCENT
        | ENTITY
        | QUOTED
        | GROUPS
        | LONG
        | TAG
        | EMPHASIS
        | HYPHEN
        | LEET
        | SPACED
        | MORSE
        | NON_ASCII;

    // The bits of places within sequences are free for what is told in other ways.

    /// A common word backward.
    pub(crate) const BACKWARD: u64 = 1 << 0;
    /// Signs that set one or two letters apart.
    pub(crate) const PIECES: u64 = 1 << 2;
    /// Letters as no language has them, or hardly any letters where there should be.
    pub(crate) const STRANGE: u64 = 1 << 3;
    /// Many signs and few blanks.
    pub(crate) const DENSE: u64 = 1 << 5;
}

const HEX: &str = "0123456789abcdefABCDEF";
const SEPARATOR: &str = " ,:-;\n\t";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
const LETTER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ANY_LETTER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const MARK: &str = "*`~|^";
const APART: &str = " .-_*/|,~+:;\n\t";
const LEET: &str = "0134578@$!|+";
const CODE: &str = ".-_";

/// The sequences: for each place the bytes that may stand there. `*` after a class of ASCII adds every other byte.
const SEQUENCES: &[&[&str]] = &[
    &["\\", "nrtbfvae0123456789uUx\"'\\/\n\r"],
    &["%", HEX, HEX],
    &["&", "#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"],
    &["=", "0123456789ABCDEF", "0123456789ABCDEF"],
    &[HEX, HEX, SEPARATOR, HEX, HEX],
    &[BASE64; 15],
    &[HEX, HEX, ",;", " ", HEX],
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
    &[CODE, CODE, " ", CODE, CODE],
    &[" ", LETTER, " ", "*/|-.,~+_:"],
];

/// Sequences of the second state: words backward, then pieces of words.
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
    &[".-_*|~^/", LETTER, LETTER, ".-_*|~^/"],
];

/// The kinds of bytes that are counted, eight bits each, above sixteen for how common letters are.
mod count {
    pub(super) const LETTERS: u32 = 16;
    pub(super) const INSIDE: u32 = 24;
    pub(super) const BLANKS: u32 = 32;
    pub(super) const SIGNS: u32 = 40;

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
    pieces: u64,
    backward: u64,
}

static TABLES: Tables = tables();

#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
const fn tables() -> Tables {
    let (mut first, begin_first, _) = sequences(SEQUENCES);
    let (second, begin_second, final_second) = sequences(BACKWARD);
    let pieces = 1 << (63 - final_second.leading_zeros());
    let mut counts = [0; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let c = byte as u8;
        if c >= 0x80 {
            first[byte] |= cue::NON_ASCII;
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
        begin_first: begin_first | cue::NON_ASCII,
        begin_second,
        pieces,
        backward: final_second & !pieces,
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
        let mut blocks = Vec::with_capacity(text.len() / BLOCK + 1);
        let (mut first, mut second, mut all) = (0u64, 0u64, 0);
        let tables = &TABLES;
        let look = |table: &[u64; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or(0);
        for block in text.chunks(BLOCK) {
            let (mut met_first, mut met_second, mut counts) = (0, 0, 0);
            for byte in block {
                first = ((first << 1) | tables.begin_first) & look(&tables.first, *byte);
                second = ((second << 1) | tables.begin_second) & look(&tables.second, *byte);
                counts += look(&tables.counts, *byte);
                met_first |= first;
                met_second |= second;
            }
            let mut met = met_first & cue::FINAL;
            if met_second & tables.backward != 0 {
                met |= cue::BACKWARD;
            }
            if met_second & tables.pieces != 0 {
                met |= cue::PIECES;
            }
            met |= judge(counts, block.len());
            all |= met;
            blocks.push(met);
        }
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
}
