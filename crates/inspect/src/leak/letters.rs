//! A text as nothing but its letters: what is left of it however it is cased, spaced, numbered, punctuated or quoted.
//!
//! Escapes of quoted text (`\n`, `\u00e9`) are read as what they stand for. Encodings are the views' affair.

/// A letter that counts, and how many units of text it is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) code: u16,
    /// An ideograph says as much as several letters of an alphabet.
    pub(super) units: u8,
}

/// Reads characters one by one.
#[derive(Clone, Debug, Default)]
pub(super) struct Letters {
    state: State,
}

#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Plain,
    /// Behind one or more backslashes.
    Escape,
    /// Within `\u` and four digits.
    Unicode { digits: u8, value: u32 },
}

impl Letters {
    /// The letter that a character gives, if it gives one.
    pub(super) fn next(&mut self, c: char) -> Option<Letter> {
        match std::mem::take(&mut self.state) {
            State::Plain => {}
            State::Escape => match c {
                // What was quoted twice has several.
                '\\' => {
                    self.state = State::Escape;
                    return None;
                }
                'n' | 't' | 'r' => return None,
                'u' => {
                    self.state = State::Unicode { digits: 0, value: 0 };
                    return None;
                }
                _ => {}
            },
            State::Unicode { digits, value } => {
                if let Some(digit) = c.to_digit(16) {
                    let value = value << 4 | digit;
                    if digits == 3 {
                        return char::from_u32(value).and_then(letter);
                    }
                    self.state = State::Unicode {
                        digits: digits + 1,
                        value,
                    };
                    return None;
                }
            }
        }
        if c == '\\' {
            self.state = State::Escape;
            return None;
        }
        letter(c)
    }
}

fn letter(c: char) -> Option<Letter> {
    if c.is_ascii() {
        return c.is_ascii_alphabetic().then(|| Letter {
            code: low(c.to_ascii_lowercase()),
            units: 1,
        });
    }
    c.is_alphabetic().then(|| Letter {
        code: low(c.to_lowercase().next().unwrap_or(c)),
        units: if is_ideograph(c) { 3 } else { 1 },
    })
}

/// Sixteen bits of a character. Two letters that share them are taken for one: that needs two planes of Unicode in one text.
fn low(c: char) -> u16 {
    let code = u32::from(c);
    u16::try_from((code ^ code >> 16) & 0xffff).unwrap_or(0)
}

fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(text: &str) -> String {
        let mut reader = Letters::default();
        let read = text.chars().filter_map(|c| reader.next(c));
        read.map(|letter| char::from_u32(letter.code.into()).unwrap())
            .collect()
    }

    #[test]
    fn dress_is_taken_off() {
        for text in [
            "You are Élan.\n\nBe kind: always!",
            "YOU ARE ÉLAN BE KIND ALWAYS",
            "y o u a r e é l a n - b e k i n d a l w a y s",
            "1: You are\n2: Élan.\n3:\n4: Be kind: **always**!",
            r#""You are \u00c9lan.\n\nBe kind: always!""#,
            r"You are \\u00c9lan.\\n\\nBe kind: always!",
        ] {
            if !text.is_empty() {
                assert_eq!(letters(text), "youareélanbekindalways", "{text}");
            }
        }
    }

    #[test]
    fn what_only_looks_like_an_escape_is_text() {
        assert_eq!(letters(r"\unit \u12 \x"), "nitx");
        assert_eq!(letters("漢字"), "漢字");
    }
}
