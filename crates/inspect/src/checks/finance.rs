//! Cards and bank accounts.

use super::digits;
use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[("luhn", Check::Value(luhn)), ("iban", Check::Value(iban))];

/// Payment card numbers (ISO/IEC 7812-1, annex B). All digits the same is a placeholder, not a card.
fn luhn(text: &str) -> bool {
    let sum: u32 = digits(text)
        .rev()
        .enumerate()
        .map(|(at, digit)| match at % 2 {
            0 => digit,
            _ => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    let mut all = digits(text);
    let first = all.next();
    sum.is_multiple_of(10) && all.any(|digit| Some(digit) != first)
}

/// Lengths by country of the IBAN registry (SWIFT, release 99).
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HN", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

/// Bank account numbers (ISO 13616): the country's length, and 1 modulo 97.
fn iban(text: &str) -> bool {
    let compact = || text.chars().filter(char::is_ascii_alphanumeric);
    let length = compact().count();
    let country = |(code, wanted): &(&str, usize)| *wanted == length && text.starts_with(code);
    if !IBAN_LENGTHS.iter().any(country) {
        return false;
    }
    let rest = compact()
        .skip(4)
        .chain(compact().take(4))
        .filter_map(|character| character.to_digit(36));
    rest.fold(0, |rest, value| {
        (rest * if value < 10 { 10 } else { 100 } + value) % 97
    }) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        for (check, text, right) in [
            (luhn as fn(&str) -> bool, "4111 1111 1111 1111", true),
            (luhn, "4111111111111112", false),
            (luhn, "0000000000000000", false),
            (iban, "GB82 WEST 1234 5698 7654 32", true),
            (iban, "GB82WEST12345698765432", true),
            (iban, "GB83WEST12345698765432", false),
            (iban, "GB82WEST1234569876543", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
