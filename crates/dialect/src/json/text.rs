//! Texts on the wire and decoded: escapes both ways, and where in one a place of the other is.

/// Length of the first escape or character on the wire, and of what it stands for in UTF-8.
pub fn unit(wire: &[u8]) -> (usize, usize) {
    match wire {
        [b'\\', b'u', rest @ ..] => {
            let code = hex4(rest).unwrap_or(0);
            if (0xd800..0xdc00).contains(&code) {
                (12, 4)
            } else {
                (6, char::from_u32(code).map_or(3, char::len_utf8))
            }
        }
        [b'\\', ..] => (2, 1),
        [first, ..] => {
            let length = match first {
                0xf0.. => 4,
                0xe0.. => 3,
                0xc0.. => 2,
                _ => 1,
            };
            (length, length)
        }
        [] => (1, 1),
    }
}

pub fn hex4(bytes: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(bytes.get(..4)?).ok()?;
    // `from_str_radix` takes a sign, JSON does not.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

/// Wire bytes between two marks: what a search for a place walks at most.
const MARK: usize = 512;

/// A string that has escapes: its text, and marks of which place of it stands where on the wire.
#[derive(Clone, Debug)]
pub struct Decoded {
    pub text: Box<str>,
    /// Offsets in the text and on the wire, both rising.
    marks: Vec<(u32, u32)>,
}

impl Decoded {
    /// Decodes the inside of a string whose escapes were checked, and which is under 4 GiB.
    pub fn read(wire: &[u8]) -> Decoded {
        let mut text = Vec::with_capacity(wire.len());
        let mut marks = Vec::new();
        let mut at = 0usize;
        let mut marked = 0usize;
        while let Some(rest) = wire.get(at..).filter(|rest| !rest.is_empty()) {
            if at.saturating_sub(marked) >= MARK {
                marks.extend(u32::try_from(text.len()).ok().zip(u32::try_from(at).ok()));
                marked = at;
            }
            let near = rest.get(..MARK).unwrap_or(rest);
            let plain = memchr::memchr(b'\\', near).unwrap_or(near.len());
            text.extend_from_slice(rest.get(..plain).unwrap_or(&[]));
            let rest = rest.get(plain..).unwrap_or(&[]);
            at = at.saturating_add(plain);
            if rest.first() == Some(&b'\\') {
                at = at.saturating_add(unit(rest).0);
                push_escape(&mut text, rest);
            }
        }
        Decoded {
            text: String::from_utf8(text).unwrap_or_default().into_boxed_str(),
            marks,
        }
    }

    /// Where on the wire the character at `offset` of the text begins; the end where there is none.
    pub fn on_wire(&self, wire: &[u8], offset: usize) -> usize {
        let before = self.marks.partition_point(|(text, _)| *text as usize <= offset);
        let mark = before.checked_sub(1).and_then(|number| self.marks.get(number));
        let (mut text, mut at) = mark.map_or((0, 0), |(text, at)| (*text as usize, *at as usize));
        while text < offset && at < wire.len() {
            let rest = wire.get(at..).unwrap_or(&[]);
            let near = rest.get(..offset.saturating_sub(text)).unwrap_or(rest);
            let plain = memchr::memchr(b'\\', near).unwrap_or(near.len());
            let (step, length) = match plain {
                0 => unit(rest),
                // Between escapes, wire and text are the same bytes.
                plain => (plain, plain),
            };
            at = at.saturating_add(step);
            text = text.saturating_add(length);
        }
        at.min(wire.len())
    }
}

/// Appends what the escape at the start of `wire` stands for.
fn push_escape(text: &mut Vec<u8>, wire: &[u8]) {
    match wire {
        [b'\\', b'u', code @ ..] => {
            let high = hex4(code).unwrap_or(0);
            let scalar = if (0xd800..0xdc00).contains(&high) {
                let low = code.get(6..).and_then(hex4).unwrap_or(0xdc00);
                0x10000 + ((high - 0xd800) << 10) + low.saturating_sub(0xdc00)
            } else {
                high
            };
            let mut buffer = [0; 4];
            let character = char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER);
            text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        }
        [b'\\', letter, ..] => text.push(match letter {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            other => *other,
        }),
        _ => {}
    }
}

/// Appends `text` as the inside of a JSON string.
pub fn escape_into(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
}

/// `text` as a JSON string, quotes included.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape_into(&mut out, text);
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_a_long_text_is_found_where_it_stands() {
        let units = [
            ("a", "a"),
            ("é", "é"),
            ("\\n", "\n"),
            ("\\u00e9", "é"),
            ("\\ud83d\\ude00", "😀"),
            ("😀", "😀"),
        ];
        let (mut wire, mut text, mut places, mut state) = (String::new(), String::new(), Vec::new(), 7u64);
        for _ in 0..4000 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let number = (state >> 33) as usize;
            // Runs without an escape, longer than the distance of marks.
            let times = if number.is_multiple_of(211) { 900 } else { 1 };
            let (written, meant) = units[if times > 1 {
                number % 2
            } else {
                number % units.len()
            }];
            for _ in 0..times {
                places.push((text.len(), wire.len()));
                wire.push_str(written);
                text.push_str(meant);
            }
        }
        places.push((text.len(), wire.len()));
        let decoded = Decoded::read(wire.as_bytes());
        assert_eq!(&*decoded.text, text);
        assert!(decoded.marks.len() > 10);
        for (offset, place) in places {
            assert_eq!(decoded.on_wire(wire.as_bytes(), offset), place, "at {offset}");
        }
    }
}
