//! What may stand beside a match. Single bytes only: whoever cuts a text anywhere needs no more than a byte of context
//! to the right and two to the left.

use serde::Deserialize;

/// A class of bytes that may not touch a match. Bytes of non-ASCII characters belong to none: `é` ends a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Edge {
    /// No byte: the match may touch anything.
    Free,
    /// Digits.
    Digit,
    /// Letters and digits.
    #[default]
    Alnum,
    /// Letters, digits, `_`.
    Word,
    /// Letters, digits, `_`, `-`.
    Token,
    /// What may continue the local part of an e-mail address to the left, the dot left out: dots before an address
    /// are far more often an ellipsis.
    Local,
    /// What a dotted number may not follow: [`Edge::Token`]'s bytes, a backslash, and a dot that follows a letter or a digit.
    Dotted,
    /// What a telephone number may not follow: [`Edge::Token`]'s bytes, signs of currencies and the like, and a digit with
    /// a sign behind it that groups digits. Another number goes on there, and every place in it would be tried.
    Figure,
    /// All but what ends an unquoted value: white space, quotes, `\\`, `<>`, `,;`, closing brackets, `&|`, and what is
    /// not ASCII. `password = decrypt(…)` is a call, not a value.
    Bound,
}

impl Edge {
    /// Whether these two bytes before a match bar it, though the nearer one alone does not.
    fn bars_pair(self, first: u8, second: u8) -> bool {
        match self {
            Edge::Dotted => second == b'.' && first.is_ascii_alphanumeric(),
            Edge::Figure => first.is_ascii_digit() && matches!(second, b'.' | b',' | b'/' | b' ' | b'\''),
            _ => false,
        }
    }

    /// Whether a match may not touch `byte`.
    pub(crate) fn bars(self, byte: u8) -> bool {
        match self {
            Edge::Free => false,
            Edge::Digit => byte.is_ascii_digit(),
            Edge::Alnum => byte.is_ascii_alphanumeric(),
            Edge::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Edge::Token => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Edge::Bound => !matches!(
                byte,
                0..=b' ' | b'"' | b'\'' | b'`' | b'\\' | b'<' | b'>' | b',' | b';' | b')' | b']' | b'}' | b'&' | b'|' | 127..
            ),
            Edge::Dotted => Edge::Token.bars(byte) || byte == b'\\',
            Edge::Figure => Edge::Token.bars(byte) || matches!(byte, b'+' | b'$' | b'#' | b'@' | b'%' | b'*'),
            Edge::Local => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'%'),
        }
    }
}

/// The two bytes before a place, the nearer one last; zeros at the beginning of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before(u8, u8);

impl Before {
    /// What stands before byte `at` of `text`.
    pub(crate) fn at(text: &[u8], at: usize) -> Before {
        let byte = |back: usize| {
            at.checked_sub(back)
                .and_then(|at| text.get(at))
                .copied()
                .unwrap_or(0)
        };
        Before(byte(2), byte(1))
    }

    /// One byte further on.
    pub(crate) fn then(self, byte: u8) -> Before {
        Before(self.1, byte)
    }

    /// Whether a word can begin here: false only where every edge but the loosest bars a match.
    pub(crate) fn begins_word(self) -> bool {
        !self.1.is_ascii_alphanumeric() || self.0 == b'\\'
    }

    /// Whether a match may begin here. The letter of an escape (`\n` written as two characters, as in the source of a
    /// string) is no part of what follows it: `"\nghp_…"` holds a token.
    pub(crate) fn allows(self, edge: Edge) -> bool {
        let escaped = || self.0 == b'\\' && matches!(self.1, b'n' | b't' | b'r');
        (!edge.bars(self.1) || escaped()) && !edge.bars_pair(self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_of_an_escape_does_not_bar_a_match() {
        for (text, at, allowed) in [
            ("x", 0, true),
            ("ax", 1, false),
            (" x", 1, true),
            ("\\nx", 2, true),
            ("\\ax", 2, false),
            ("éx", 2, true),
            ("nx", 1, false),
        ] {
            assert_eq!(
                Before::at(text.as_bytes(), at).allows(Edge::Alnum),
                allowed,
                "{text}"
            );
            let walked = text.bytes().take(at).fold(Before::default(), Before::then);
            assert_eq!(walked, Before::at(text.as_bytes(), at), "{text}");
        }
    }
}
