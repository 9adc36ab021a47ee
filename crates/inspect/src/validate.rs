//! Checks that a match must pass besides its shape: checksums and number rules. Pure functions of the matched text.

/// A check by its name in the rules.
pub(crate) type Check = fn(&str) -> bool;

/// Every check.
pub(crate) static CHECKS: &[(&str, Check)] = &[
    ("luhn", luhn),
    ("iban", iban),
    ("us_ssn", us_ssn),
    ("e164", e164),
    ("mailbox", mailbox),
    ("random", random),
];

fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.chars().filter_map(|character| character.to_digit(10))
}

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

/// US social security numbers: areas, groups and serials that were never given out fail, as do the numbers that
/// became famous on a printed card and in an advertisement.
fn us_ssn(text: &str) -> bool {
    let number = digits(text).fold(0, |number, digit| number * 10 + digit);
    let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    let void = area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0;
    !void && number != 78_051_120 && number != 219_099_999
}

/// Country calling codes of one and two digits (ITU-T E.164); all others have three.
const SHORT_CODES: &[u32] = &[
    1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57,
    58, 60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];

/// International phone numbers: a country code in use and a plausible length; what reads as a date (`+2024-01-31`, an
/// added line of a diff) is none.
fn e164(text: &str) -> bool {
    let count = digits(text).count();
    let head = |length: usize| {
        digits(text)
            .take(length)
            .fold(0, |number, digit| number * 10 + digit)
    };
    let code = (1..=2)
        .find(|length| SHORT_CODES.contains(&head(*length)))
        .unwrap_or(3);
    let date = matches!(head(4), 1900..=2099) && text.as_bytes().get(5) == Some(&b'-');
    let national = count.saturating_sub(code);
    let fits = match head(code) {
        1 | 7 => national == 10,
        _ if code == 3 => {
            matches!(head(3), 210..=299 | 350..=389 | 420..=423 | 500..=509 | 590..=599 | 670..=692 | 800..=899 | 960..=998)
                && (6..=12).contains(&national)
        }
        _ => (7..=12).contains(&national),
    };
    fits && count <= 15 && !date
}

/// E-mail addresses: the user of a repository's address (`git@host:path`) has no mailbox.
fn mailbox(text: &str) -> bool {
    !text.starts_with("git@")
}

/// Generated values: a placeholder repeats itself or says what it is. A generated token has eight different characters
/// all but surely (20 hexadecimal digits miss it once in 10,000,000).
fn random(text: &str) -> bool {
    let kinds = |byte: &u8| text.as_bytes().contains(byte);
    !text.ends_with("EXAMPLE") && (0..=u8::MAX).filter(kinds).count() >= 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        // Published test numbers: no real card, account or subscriber stands behind them.
        for (check, text, right) in [
            (luhn as Check, "4111 1111 1111 1111", true),
            (luhn, "4111111111111112", false),
            (luhn, "0000000000000000", false),
            (iban, "GB82 WEST 1234 5698 7654 32", true),
            (iban, "GB82WEST12345698765432", true),
            (iban, "GB83WEST12345698765432", false),
            (iban, "GB82WEST1234569876543", false),
            (us_ssn, "536-90-4399", true),
            (us_ssn, "000-12-3456", false),
            (us_ssn, "666-12-3456", false),
            (us_ssn, "912-12-3456", false),
            (us_ssn, "536-00-4399", false),
            (us_ssn, "078-05-1120", false),
            (e164, "+1 415 555 2671", true),
            (e164, "+1 415 555 267", false),
            (e164, "+442071838750", true),
            (e164, "+2024-01-31 12", false),
            (e164, "+999123456789", false),
            (mailbox, "git@example.com", false),
            (mailbox, "digit@example.com", true),
            (random, "ghp_xxxxxxxxxxxx", false),
            (random, "ABCDEFGHEXAMPLE", false),
            (random, "0123456789abcdef", true),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
