//! One cheap pass over a text that says which views could change anything, and where.
//!
//! A cue is a short sequence of classes of bytes, as a backslash and the letter of an escape. All cues are looked for at
//! once by the shift-and method: bit `n` of the state says that the byte just read is the one that bit stands for and the
//! bytes before it were its predecessors. The text is cut into blocks, and each block remembers what it met, so that a view
//! looks closer only where it must.

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
    /// A character that is not ASCII.
    pub(crate) const NON_ASCII: u64 = 1 << 63;
}

const HEX: &str = "0123456789abcdefABCDEF";
const SEPARATOR: &str = " ,:-;\n\t";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";

/// The sequences: for each place the bytes that may stand there.
const SEQUENCES: &[&[&str]] = &[
    &["\\", "nrtbfvae0123456789uUx\"'\\/\n\r"],
    &["%", HEX, HEX],
    &["&", "#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"],
    &["=", HEX, HEX],
    &[HEX, HEX, SEPARATOR, HEX, HEX],
    &[BASE64; 15],
    &[HEX, HEX, ",;", " ", HEX],
];

/// What a text holds.
#[derive(Debug)]
pub(crate) struct Census {
    blocks: Vec<u64>,
    all: u64,
}

struct Tables {
    bytes: [u64; 256],
    begin: u64,
}

static TABLES: Tables = tables();

const fn tables() -> Tables {
    let mut tables = Tables {
        bytes: [0; 256],
        begin: 0,
    };
    tables.begin |= 1 << 63;
    let mut high = 0x80;
    while high < 0x100 {
        tables.bytes[high] |= 1 << 63;
        high += 1;
    }
    let (mut bit, mut sequence) = (0, 0);
    while sequence < SEQUENCES.len() {
        tables.begin |= 1 << bit;
        let mut at = 0;
        while at < SEQUENCES[sequence].len() {
            let class = SEQUENCES[sequence][at].as_bytes();
            let mut byte = 0;
            while byte < class.len() {
                tables.bytes[class[byte] as usize] |= 1 << bit;
                byte += 1;
            }
            bit += 1;
            at += 1;
        }
        sequence += 1;
    }
    tables
}

impl Census {
    pub(crate) fn of(text: &[u8]) -> Census {
        let mut blocks = Vec::with_capacity(text.len() / BLOCK + 1);
        let (mut state, mut all) = (0u64, 0);
        for block in text.chunks(BLOCK) {
            let mut met = 0;
            for byte in block {
                let bits = TABLES.bytes.get(usize::from(*byte)).copied().unwrap_or(0);
                state = ((state << 1) | TABLES.begin) & bits;
                met |= state;
            }
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
            let length = self
                .blocks
                .get(start..)?
                .iter()
                .take_while(|met| **met & cues != 0)
                .count();
            at = start + length;
            Some((start * BLOCK, at * BLOCK))
        })
    }
}
