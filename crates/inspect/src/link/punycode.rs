//! Labels of international host names in their ASCII form (RFC 3492). A label with characters that resolvers would first
//! map to others (full width, ligatures, invisible ones) has none here: who is to be compared must be certain.

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;

/// The ASCII form of a label, in lower case.
pub(super) fn label(label: &str) -> Option<String> {
    let lower: String = label.chars().flat_map(char::to_lowercase).collect();
    let ascii = if lower.is_ascii() {
        lower
    } else {
        if !lower.chars().all(stays) || label.chars().any(|c| !c.is_ascii() && !stays(c)) {
            return None;
        }
        format!("xn--{}", encode(&lower)?)
    };
    super::is_plain(&ascii).then_some(ascii)
}

/// Whether a character is a letter that no mapping of host names changes, as far as we can be sure.
fn stays(c: char) -> bool {
    c.is_ascii()
        || matches!(u32::from(c),
            0xe0..=0xf6 | 0xf8..=0x131 | 0x134..=0x13e | 0x141..=0x148 | 0x14a..=0x17e | 0x3ac..=0x3c1 | 0x3c3..=0x3ce
            | 0x430..=0x45f | 0xc0..=0xd6 | 0xd8..=0xde | 0x391..=0x3a9 | 0x400..=0x42f | 0x5d0..=0x5ea | 0x621..=0x64a
            | 0xe01..=0xe3a | 0xe40..=0xe4e | 0x3041..=0x3094 | 0x30a1..=0x30fa | 0x30fc | 0x4e00..=0x9fff | 0xac00..=0xd7a3)
}

fn encode(label: &str) -> Option<String> {
    let mut encoded: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(encoded.len()).ok()?;
    if basic > 0 {
        encoded.push('-');
    }
    let total = u32::try_from(label.chars().count()).ok()?;
    let (mut next, mut delta, mut bias, mut done) = (128u32, 0u32, 72u32, basic);
    while done < total {
        let least = label.chars().map(u32::from).filter(|code| *code >= next).min()?;
        delta = delta.checked_add((least - next).checked_mul(done + 1)?)?;
        next = least;
        for code in label.chars().map(u32::from) {
            if code < next {
                delta = delta.checked_add(1)?;
            }
            if code == next {
                write_number(delta, bias, &mut encoded);
                bias = adapted(delta, done + 1, done == basic);
                delta = 0;
                done += 1;
            }
        }
        delta = delta.checked_add(1)?;
        next += 1;
    }
    Some(encoded)
}

fn write_number(number: u32, bias: u32, encoded: &mut String) {
    let mut rest = number;
    let mut position = BASE;
    loop {
        let threshold = position.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if rest < threshold {
            encoded.push(digit(rest));
            return;
        }
        encoded.push(digit(threshold + (rest - threshold) % (BASE - threshold)));
        rest = (rest - threshold) / (BASE - threshold);
        position += BASE;
    }
}

fn digit(value: u32) -> char {
    let code = if value < 26 { value + 97 } else { value + 22 };
    char::from_u32(code).unwrap_or('a')
}

fn adapted(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut steps = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        steps += BASE;
    }
    steps + (BASE - T_MIN + 1) * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for (written, ascii) in [
            ("Example", Some("example")),
            ("bücher", Some("xn--bcher-kva")),
            ("例え", Some("xn--r8jz45g")),
            ("россия", Some("xn--h1alffa9f")),
            ("中国", Some("xn--fiqs8s")),
            ("a\u{200d}b", None),
            ("ａ", None),
            ("ﬁ", None),
            ("straße", None),
            ("", None),
            ("a b", None),
        ] {
            assert_eq!(label(written).as_deref(), ascii, "{written}");
        }
    }
}
