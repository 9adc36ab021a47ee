//! Backslash escapes, as JSON, JavaScript, Python and C write them in the source of a string.

use portcullis_core::{Family, Span};

use super::{Source, View, census::cue};
use crate::derived::{Changes, Draft};

/// Undoes escapes; those of a string in a string come off one layer at a time.
#[derive(Debug)]
pub(super) struct Escapes;

impl View for Escapes {
    fn id(&self) -> &'static str {
        "escapes"
    }

    fn about(&self) -> &'static str {
        "Backslash escapes of JSON, JavaScript, Python and C: `\\n`, `\\\"`, `\\u0041`, `\\x41`, `\\u{41}`, `\\101`."
    }

    fn families(&self) -> &'static [Family] {
        super::READ
    }

    fn cues(&self) -> u64 {
        cue::ESCAPE
    }

    fn is_layered(&self) -> bool {
        true
    }

    fn apply(&self, source: &Source<'_>, out: &mut Vec<Draft>) {
        let bytes = source.text.as_bytes();
        let mut changes = Changes::new(source.text);
        let mut buffer = [0; 4];
        for at in memchr::memchr_iter(b'\\', bytes) {
            if at < changes.done() {
                continue;
            }
            let rest = bytes.get(at + 1..).unwrap_or_default();
            // What ends a line at the end of a string parts nothing, and code is full of it.
            if let [b'n', quote @ (b'"' | b'\''), ..] = rest
                && rest.get(2) != Some(quote)
            {
                continue;
            }
            if let Some((length, said)) = undo(bytes.get(at..).unwrap_or_default()) {
                let said = said.map(|c| c.encode_utf8(&mut buffer) as &str);
                changes.replace(Span::new(at, at + length), said.unwrap_or_default());
            }
        }
        out.extend(changes.finish());
    }

    fn disguise(&self, text: &str) -> Option<String> {
        let mut units = [0; 2];
        let escape = |unit: &u16| format!("\\u{unit:04x}");
        let written = text
            .chars()
            .map(|c| c.encode_utf16(&mut units).iter().map(escape).collect::<String>());
        Some(written.collect())
    }
}

/// The escape at the beginning of `text`: its length, and the character, if it says one.
pub(super) fn undo(text: &[u8]) -> Option<(usize, Option<char>)> {
    let rest = text.strip_prefix(b"\\")?;
    if let Some((length, said)) = simple(rest) {
        return Some((length + 1, said));
    }
    let number = coded(rest).map(|(length, said)| (length + 1, said));
    number
        .or_else(|| encoded(text))
        .map(|(length, said)| (length, Some(said)))
}

/// Whether what follows may change the escape at the beginning of `text`.
pub(super) fn is_open(text: &[u8]) -> bool {
    let digits = |text: &[u8], most: usize| text.len() < most && text.iter().all(u8::is_ascii_hexdigit);
    match text {
        [b'\\'] | [b'\\', b'\r'] => true,
        [b'\\', b'u', b'{', more @ ..] => digits(more, 9),
        [b'\\', b'u', high @ ..] => {
            let pair = |high: &[u8]| hex(high).is_some_and(|high| (0xd800..0xdc00).contains(&high));
            let low = high.get(4..).unwrap_or_default();
            digits(high, 4)
                || high.get(..4).is_some_and(pair)
                    && match low {
                        [] | [b'\\'] => true,
                        [b'\\', b'u', low @ ..] => digits(low, 4),
                        _ => false,
                    }
        }
        [b'\\', b'U', more @ ..] => digits(more, 8),
        [b'\\', b'x' | b'0'..=b'7', ..] => {
            let (mut rest, mut more) = (text, 1);
            while more > 0 {
                match byte(rest) {
                    Some((length, first)) => {
                        let begins = rest.len() == text.len();
                        more = if begins { behind(first) } else { more - 1 };
                        rest = rest.get(length..).unwrap_or_default();
                    }
                    None => {
                        return matches!(rest, [] | [b'\\'] | [b'\\', b'x'])
                            || matches!(rest, [b'\\', b'x', digit] if digit.is_ascii_hexdigit())
                            || matches!(rest, [b'\\', b'0'..=b'7'] | [b'\\', b'0'..=b'7', b'0'..=b'7']);
                    }
                }
            }
            false
        }
        _ => false,
    }
}

/// How many bytes follow the first one of a character that is not ASCII.
fn behind(first: u8) -> usize {
    match first {
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        _ => 0,
    }
}

/// An escape of one letter behind the backslash: its length and what it says.
fn simple(rest: &[u8]) -> Option<(usize, Option<char>)> {
    let said = match rest {
        [b'n', ..] => '\n',
        [b't', ..] => '\t',
        [b'r', ..] => '\r',
        [b'b', ..] => '\u{8}',
        [b'f', ..] => '\u{c}',
        [b'v', ..] => '\u{b}',
        [b'a', ..] => '\u{7}',
        [b'e', ..] => '\u{1b}',
        [b'"', ..] => '"',
        [b'\'', ..] => '\'',
        [b'/', ..] => '/',
        [b'\\', ..] => '\\',
        // A line that goes on.
        [b'\n', ..] => return Some((1, None)),
        [b'\r', b'\n', ..] => return Some((2, None)),
        _ => return None,
    };
    Some((1, Some(said)))
}

/// An escape by the number of the character.
fn coded(rest: &[u8]) -> Option<(usize, char)> {
    let (length, code) = match rest {
        [b'u', b'{', digits @ ..] => {
            let count = digits.iter().take(9).position(|byte| *byte == b'}')?;
            (count + 3, hex(digits.get(..count)?)?)
        }
        [b'u', digits @ ..] => unit(digits)?,
        [b'U', digits @ ..] => (9, hex(digits.get(..8)?)?),
        _ => return None,
    };
    Some((length, char::from_u32(code)?))
}

/// Four hexadecimal digits behind `\u`, or two such that make a pair: the length with the `u`, and the code.
fn unit(digits: &[u8]) -> Option<(usize, u32)> {
    let high = hex(digits.get(..4)?)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((5, high));
    }
    let [b'\\', b'u', low @ ..] = digits.get(4..)? else {
        return None;
    };
    let low = hex(low.get(..4)?)?
        .checked_sub(0xdc00)
        .filter(|low| *low < 0x400)?;
    Some((11, 0x10000 + ((high - 0xd800) << 10) + low))
}

/// A character written as the escapes of its bytes (`\xc3\xa9`, `\303\251`), or of its number where that is no UTF-8.
/// The length counts the first backslash.
fn encoded(text: &[u8]) -> Option<(usize, char)> {
    let (length, first) = byte(text)?;
    let more = behind(first);
    let (mut bytes, mut end) = (vec![first], length);
    for _ in 0..more {
        let Some((length, byte)) = text.get(end..).and_then(byte) else {
            break;
        };
        bytes.push(byte);
        end += length;
    }
    match std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.chars().next())
    {
        Some(said) => Some((end, said)),
        None => Some((length, char::from(first))),
    }
}

/// `\xHH` or `\ooo`.
fn byte(text: &[u8]) -> Option<(usize, u8)> {
    match text {
        [b'\\', b'x', digits @ ..] => Some((4, u8::try_from(hex(digits.get(..2)?)?).ok()?)),
        [b'\\', digits @ ..] => {
            let digits = digits.get(..3)?;
            let octal = |sum: u32, digit: &u8| Some(sum * 8 + char::from(*digit).to_digit(8)?);
            Some((4, u8::try_from(digits.iter().try_fold(0, octal)?).ok()?))
        }
        _ => None,
    }
}

/// The number that hexadecimal digits write.
pub(super) fn hex(digits: &[u8]) -> Option<u32> {
    let digit = |sum: u32, digit: &u8| Some((sum << 4) | char::from(*digit).to_digit(16)?);
    (!digits.is_empty() && digits.len() <= 8).then(|| digits.iter().try_fold(0, digit))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(text: &str) -> String {
        let mut out = Vec::new();
        Escapes.apply(&Source::of(text), &mut out);
        out.pop().map_or(text.to_owned(), |draft| draft.text)
    }

    #[test]
    fn each_way_of_escaping() {
        for (text, said) in [
            (r#"{"a":"b\nc"}"#, "{\"a\":\"b\nc\"}"),
            (r"say \u0041\u{42}\U00000043\x44\105 \/", "say ABCDE /"),
            (r"\ud83d\ude42 \ud83d \ude42", "🙂 \\ud83d \\ude42"),
            (r"\xc3\xa9 \303\251 \xe9", "é é é"),
            (r#"\\n \\\" \q \d+ \."#, "\\n \\\" \\q \\d+ \\."),
            ("one \\\ntwo", "one two"),
            (r"C:\Users\new", "C:\\Users\new"),
            ("nothing", "nothing"),
            ("\\", "\\"),
            (r"\u12 \x4 \u{} \u{110000}", r"\u12 \x4 \u{} \u{110000}"),
        ] {
            assert_eq!(undone(text), said, "{text}");
        }
    }

    #[test]
    fn layers_come_off_one_at_a_time() {
        assert_eq!(undone(r#"{\"a\":\"b\\nc\"}"#), r#"{"a":"b\nc"}"#);
    }
}
