//! Ways to reach a person.

use super::digits;
use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] =
    &[("e164", Check::Value(e164)), ("mailbox", Check::Value(mailbox))];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        for (check, text, right) in [
            (e164 as fn(&str) -> bool, "+1 415 555 2671", true),
            (e164, "+1 415 555 267", false),
            (e164, "+442071838750", true),
            (e164, "+2024-01-31 12", false),
            (e164, "+999123456789", false),
            (mailbox, "git@example.com", false),
            (mailbox, "digit@example.com", true),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
