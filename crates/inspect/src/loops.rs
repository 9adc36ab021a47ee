//! Text that goes round in circles: the same word, line or block over and over, as a model writes that is stuck.
//!
//! It looks for exact repetition only, with a period of up to [`PERIOD`] bytes, as the text comes: a few kilobytes of memory
//! and a few steps a byte, whatever the text. A loop with a counter in it is not one.

/// Periods that are seen, in bytes.
pub const PERIOD: usize = 2048;

/// Bytes that must stand somewhere for the second time before a repetition is followed.
const GRAM: usize = 16;

/// What is repeated in it is not looked for: a text of this length is no loop, and most are shorter.
const PASSED: usize = 512;

/// Rulers, tables, matrices, embedded data and generated code repeat themselves for good reasons. They may do so this many times as long.
const PATIENCE: usize = 4;

/// Times that a period must have come again, however long it is.
const TIMES: usize = 3;

const RING: usize = 2 * PERIOD;
const SLOTS: usize = 4096;
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Follows one text.
#[derive(Clone, Debug)]
pub struct Loops {
    /// Characters of repetition that pass.
    most: usize,
    /// Bytes read so far.
    at: usize,
    /// The last bytes. Empty while nothing is looked for.
    ring: Vec<u8>,
    /// By a hash of [`GRAM`] bytes, the end of the place where they stood last, modulo 2^16.
    last: Vec<u16>,
    hash: u64,
    /// `FACTOR` to the power of [`GRAM`].
    leaving: u64,
    /// The period that is followed; 0 for none.
    period: usize,
    /// For how many bytes and characters it has held.
    held: usize,
    chars: usize,
    /// Whether what is repeated is words; asked once a period.
    is_prose: Option<bool>,
}

impl Loops {
    /// Lets `most` characters of the same pass, behind the first time that it is said.
    #[must_use]
    pub fn new(most: usize) -> Loops {
        Loops {
            most,
            at: 0,
            ring: Vec::new(),
            last: Vec::new(),
            hash: 0,
            leaving: (0..GRAM).fold(1, |power: u64, _| power.wrapping_mul(FACTOR)),
            period: 0,
            held: 0,
            chars: 0,
            is_prose: None,
        }
    }

    /// Reads on. The length of the beginning of `text` with which more was repeated than passes; the verdict is the same for every
    /// way of cutting a text.
    pub fn push(&mut self, text: &str) -> Option<usize> {
        let mut from = 0;
        if self.ring.is_empty() {
            from = PASSED.saturating_sub(self.at).min(text.len());
            self.at = self.at.saturating_add(from);
            if from == text.len() {
                return None;
            }
            self.ring = vec![0; RING];
            self.last = vec![0; SLOTS];
        }
        let mut found = None;
        for (number, byte) in text.bytes().enumerate().skip(from) {
            if self.step(byte) {
                found = Some(number.saturating_add(1));
                break;
            }
        }
        // A character that is begun is part of what was said.
        found.map(|at| {
            (at..text.len())
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(text.len())
        })
    }

    /// Reads one byte; whether the text is a loop with it.
    fn step(&mut self, byte: u8) -> bool {
        if self.period > 0 && self.back(self.period) == byte {
            self.held = self.held.saturating_add(1);
            self.chars = self.chars.saturating_add(usize::from(byte & 0xc0 != 0x80));
        } else {
            self.period = 0;
        }
        let gone = u64::from(self.back(GRAM));
        // INVARIANT: the hash is that of the bytes in the ring, which begins with zeros as the hash does.
        self.hash = self
            .hash
            .wrapping_mul(FACTOR)
            .wrapping_add(u64::from(byte))
            .wrapping_sub(gone.wrapping_mul(self.leaving));
        if let Some(slot) = self.ring.get_mut(self.at % RING) {
            *slot = byte;
        }
        self.at = self.at.wrapping_add(1);
        #[allow(
            clippy::cast_possible_truncation,
            reason = "meant: the place modulo 2^16, and 12 bits of a hash"
        )]
        let (here, slot) = (self.at as u16, (self.hash >> 52) as usize);
        if let Some(last) = self.last.get_mut(slot) {
            let period = usize::from(here.wrapping_sub(*last));
            *last = here;
            if self.period == 0 && (1..=PERIOD).contains(&period) {
                (self.period, self.held, self.chars, self.is_prose) = (period, 0, 0, None);
            }
        }
        self.period > 0
            && self.chars >= self.most
            && self.held >= self.period.saturating_mul(TIMES)
            && self.is_loop()
    }

    /// The byte that stands that many bytes before the next one.
    fn back(&self, bytes: usize) -> u8 {
        let at = self.at.wrapping_sub(bytes) % RING;
        self.ring.get(at).copied().unwrap_or(0)
    }

    /// Whether as much was repeated as what is repeated may be.
    fn is_loop(&mut self) -> bool {
        if self.chars >= self.most.saturating_mul(PATIENCE) {
            return true;
        }
        if let Some(is_prose) = self.is_prose {
            return is_prose;
        }
        let bytes: Vec<u8> = (1..=self.period).rev().map(|bytes| self.back(bytes)).collect();
        let is_prose = is_prose(&String::from_utf8_lossy(&bytes));
        self.is_prose = Some(is_prose);
        is_prose
    }
}

/// Whether a text is words: mostly letters, with nothing between them but what stands between words.
fn is_prose(text: &str) -> bool {
    let (mut letters, mut others, mut gaps) = (0usize, 0usize, false);
    for c in text.chars() {
        if c.is_alphabetic() || c == char::REPLACEMENT_CHARACTER {
            letters = letters.saturating_add(1);
            // Scripts without spaces.
            gaps |= !c.is_ascii();
        } else if c.is_whitespace()
            || c.is_ascii_digit()
            || ".,;:!?'\"()-*\u{2019}\u{3001}\u{3002}".contains(c)
        {
            others = others.saturating_add(1);
            gaps |= c.is_whitespace();
        } else {
            return false;
        }
    }
    gaps && letters >= others
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loops_at(text: &str, most: usize) -> Option<usize> {
        Loops::new(most).push(text)
    }

    const SAID: &str = "The gateway reads what the model writes, and lets pass what may pass.";

    #[test]
    fn the_same_word_line_or_block_over_and_over_is_found() {
        let lines: Vec<String> = (0..30).map(|n| format!("{n}. {SAID}")).collect();
        let block = lines.join("\n").get(..1800).unwrap().to_owned();
        for unit in [
            "the ",
            "no, no. ",
            &format!("{SAID}\n"),
            &format!("{block}\n"),
            "\u{4f60}\u{597d}",
            "\u{e9}t\u{e9} ",
        ] {
            let text = format!("{}{}", lines.join(" "), unit.repeat(40_000 / unit.len()));
            let at = loops_at(&text, 4096).unwrap_or_else(|| panic!("{unit}"));
            assert!(text.is_char_boundary(at), "{unit}");
            let repeated = text.get(lines.join(" ").len()..at).unwrap().chars().count();
            let most = 4096.max(TIMES * unit.len()) + 2 * unit.len() + 600;
            assert!((4096..=most).contains(&repeated), "{unit}: {repeated}");
        }
    }

    #[test]
    fn the_verdict_does_not_depend_on_how_a_text_is_cut() {
        let text = format!("{SAID} {}", "Encore \u{e9}t\u{e9}. ".repeat(100));
        let whole = loops_at(&text, 300);
        assert!(whole.is_some());
        for size in [1, 2, 3, 7, 64, 511, 513] {
            let (mut loops, mut at, mut found) = (Loops::new(300), 0, None);
            while at < text.len() && found.is_none() {
                let end = (at + size..=text.len())
                    .find(|end| text.is_char_boundary(*end))
                    .unwrap_or(text.len());
                found = loops.push(text.get(at..end).unwrap()).map(|more| at + more);
                at = end;
            }
            assert_eq!(found, whole, "pieces of {size}");
        }
    }

    #[test]
    fn what_repeats_itself_for_good_reasons_is_none() {
        let row = |n: u32| format!("| {n} | Anna | 0 | 0 | 0 | 0 |\n");
        let table: String = (0..2000).map(row).collect();
        let refrain = format!("{}\n{}\n\n", "La la la, la la la.\n".repeat(8), SAID);
        let song: String = (0..40)
            .map(|n| format!("Verse {n}: {}\n{refrain}", n * 7919))
            .collect();
        let call: String = (0..500)
            .map(|n| format!("    assert_eq!(parse({n}), Some({n}));\n"))
            .collect();
        let random =
            |n: u32| char::from(b'A' + u8::try_from(n.wrapping_mul(2_654_435_761) >> 16 & 15).unwrap());
        let base64: String = (0..20_000u32).map(|n| random(n * n + n)).collect();
        let zeros = format!("[{}]", "0, ".repeat(64 * 64));
        let icon = format!("iVBORw0KGgo{}ElFTkSuQmCC", "A".repeat(9_000));
        let board = "<div class=\"cell\"></div>\n".repeat(400);
        for (name, text) in [
            ("table", table),
            ("rule", format!("|{}|", "-".repeat(3_000))),
            ("ruler", "=".repeat(20_000)),
            ("song", song),
            ("code", call),
            ("base64", base64),
            ("zeros", zeros),
            ("icon", icon),
            ("board", board),
            ("lines to learn", "I must not talk in class.\n".repeat(300)),
        ] {
            assert_eq!(loops_at(&text, 8192), None, "{name}");
        }
    }

    #[test]
    fn what_has_no_words_is_a_loop_as_well_in_the_end() {
        for unit in ["-", "0, ", "<td></td>\n", "A"] {
            assert!(loops_at(&unit.repeat(40_000), 8192).is_some(), "{unit}");
        }
    }

    #[test]
    fn a_block_that_comes_back_once_is_no_loop_however_little_passes() {
        let block: String = (0..60).map(|n| format!("{n}: {SAID}")).collect();
        let block = block.get(..1500).unwrap();
        assert_eq!(loops_at(&format!("{block}{block}"), 50), None);
    }
}
