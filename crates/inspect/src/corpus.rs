//! The small language in which rules write their cases, so that no secret-shaped value stands in the repository.
//!
//! `{base62:48}` becomes 48 characters drawn from the alphabet, `{luhn:16:4}` a number of 16 digits that begins with 4
//! and has a right check digit, `{luhn:16:4: }` the same in groups of four, `{iban:DE:22}` an account number of that
//! country, `{valid:pl_pesel:###########}` digits (and capital letters for `?`) that the check of that name passes,
//! `{wrong:pl_pesel:###########}` such that it does not. What is drawn follows from the seed alone. Values are random: they belong to nobody, or to somebody by chance
//! as any random number does. `«` and `»` mark what a rule is to find and are left to the caller.

use crate::{around::Check, checks};

mod credentials;

/// Writes a template out. Everything outside braces stands for itself; braces that name nothing do so too.
#[must_use]
pub fn expand(template: &str, seed: u64) -> String {
    // Mixed with a constant, since the generator stands still at zero.
    let mut dice = Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x9e37_79b9_7f4a_7c15);
    let mut text = String::new();
    let mut rest = template;
    while let Some((plain, after)) = rest.split_once('{') {
        text.push_str(plain);
        match after
            .split_once('}')
            .and_then(|(inner, after)| Some((value(inner, &mut dice)?, after)))
        {
            Some((value, after)) => {
                text.push_str(&value);
                rest = after;
            }
            None => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

/// The alphabets by name.
const ALPHABETS: &[(&str, &str)] = &[
    ("digit", "0123456789"),
    ("hex", "0123456789abcdef"),
    ("HEX", "0123456789ABCDEF"),
    ("lower", "abcdefghijklmnopqrstuvwxyz"),
    ("base32", "abcdefghijklmnopqrstuvwxyz234567"),
    ("base36", "0123456789abcdefghijklmnopqrstuvwxyz"),
    ("upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    ("alpha", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
    (
        "base62",
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    ),
    (
        "base64",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    ),
    (
        "base64url",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    ),
];

fn value(inner: &str, dice: &mut Dice) -> Option<String> {
    let mut fields = inner.split(':');
    let name = fields.next()?;
    if name == "luhn" {
        let (length, prefix) = (fields.next()?.parse().ok()?, fields.next()?);
        return Some(grouped(&luhn(length, prefix, dice), fields.next().unwrap_or("")));
    }
    if name == "iban" {
        let (country, length) = (fields.next()?, fields.next()?.parse().ok()?);
        return Some(grouped(&iban(country, length, dice), fields.next().unwrap_or("")));
    }
    if matches!(name, "valid" | "wrong") {
        let (check, template) = inner.split_once(':')?.1.split_once(':')?;
        return judged(check, template, name == "valid", dice);
    }
    if let Some(value) = credentials::value(name, &mut fields, dice) {
        return Some(value);
    }
    Some(dice.draw(alphabet(name)?, fields.next()?.parse().ok()?))
}

/// The alphabet of that name.
fn alphabet(name: &str) -> Option<&'static str> {
    let known = ALPHABETS.iter().find(|(known, _)| *known == name);
    known.map(|(_, alphabet)| *alphabet)
}

/// Draws a digit for each `#` and a capital letter for each `?` of a template until the named check says what it shall.
fn judged(check: &str, template: &str, right: bool, dice: &mut Dice) -> Option<String> {
    let Some(Check::Value(check)) = checks::named(check) else {
        return None;
    };
    let mut text = String::new();
    // Two check digits and a date let one number in some thousands pass.
    for _ in 0..1_000_000 {
        text.clear();
        text.extend(template.chars().map(|character| match character {
            '#' => char::from(b'0' + dice.below(10)),
            '?' => char::from(b'A' + dice.below(26)),
            other => other,
        }));
        if check(&text) == right {
            return Some(text);
        }
    }
    None
}

fn luhn(length: usize, prefix: &str, dice: &mut Dice) -> String {
    let mut digits = prefix.to_owned();
    digits.push_str(&dice.draw("0123456789", length.saturating_sub(prefix.len() + 1)));
    let doubled = |(at, digit): (usize, u32)| {
        if at % 2 == 0 {
            digit * 2 / 10 + digit * 2 % 10
        } else {
            digit
        }
    };
    let sum: u32 = digits
        .chars()
        .rev()
        .filter_map(|digit| digit.to_digit(10))
        .enumerate()
        .map(doubled)
        .sum();
    digits.extend(char::from_digit((10 - sum % 10) % 10, 10));
    digits
}

fn iban(country: &str, length: usize, dice: &mut Dice) -> String {
    let account = dice.draw("0123456789", length.saturating_sub(4));
    let value = |rest: u32, digit: u32| (rest * if digit < 10 { 10 } else { 100 } + digit) % 97;
    let checked = account.chars().chain(country.chars()).chain("00".chars());
    let rest = checked
        .filter_map(|character| character.to_digit(36))
        .fold(0, value);
    format!("{country}{:02}{account}", 98 - rest)
}

fn grouped(value: &str, separator: &str) -> String {
    let mut text = String::new();
    for (at, character) in value.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push_str(separator);
        }
        text.push(character);
    }
    text
}

/// Marsaglia's xorshift64: repeatable, and random enough for cases.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 33
    }

    fn below(&mut self, bound: u8) -> u8 {
        u8::try_from(self.next() % u64::from(bound.max(1))).unwrap_or(0)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let byte = |pair: &[u8]| {
            std::str::from_utf8(pair)
                .ok()
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        };
        let digits = self.draw("0123456789abcdef", count * 2);
        digits.as_bytes().chunks(2).filter_map(byte).collect()
    }

    fn draw(&mut self, alphabet: &str, count: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        let mut draw = || usize::try_from(self.next()).unwrap_or(0) % letters.len().max(1);
        (0..count).filter_map(|_| letters.get(draw()).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        assert_eq!(
            expand("plain {braces} {digit} {digit:x} { and }", 1),
            "plain {braces} {digit} {digit:x} { and }"
        );
        let text = expand("a-{hex:8}-{digit:3}", 7);
        assert_eq!(text.len(), 14);
        assert_eq!(text, expand("a-{hex:8}-{digit:3}", 7), "the seed decides");
        assert_ne!(text, expand("a-{hex:8}-{digit:3}", 8));
        assert_eq!(expand("{luhn:16:4: }", 3).len(), 19);
        assert!(expand("{iban:DE:22}", 3).starts_with("DE"));
        assert_ne!(expand("{base62:20}", 0), "0".repeat(20));
        assert_eq!(expand("{valid:nl_bsn:#########}", 3).len(), 9);
        assert_eq!(expand("{valid:nothing:###}", 3), "{valid:nothing:###}");
    }
}
