//! Numbers of devices and vehicles.

use portcullis_core::Span;

use super::{digits, finance::luhn};
use crate::around::{Check, Match};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("imei", Check::Value(imei)),
    ("iccid", Check::Value(iccid)),
    ("imsi", Check::Value(imsi)),
    ("vin", Check::Value(vin)),
    ("vin_shape", Check::Value(vin_shape)),
    ("plate", Check::Left(plate)),
];

/// Mobile devices (3GPP TS 23.003): 15 digits, a reporting body in use, Luhn's check digit.
fn imei(text: &str) -> bool {
    let body = digits(text).take(2).fold(0, |number, digit| number * 10 + digit);
    digits(text).count() == 15
        && matches!(
            body,
            1 | 10 | 30 | 33 | 35 | 44 | 45 | 49..=54 | 86 | 91 | 98 | 99
        )
        && luhn(text)
}

/// SIM cards (ITU-T E.118): 19 or 20 digits that begin with 89, Luhn's check digit over 19 of them.
fn iccid(text: &str) -> bool {
    let checked: String = digits(text)
        .take(19)
        .filter_map(|digit| char::from_digit(digit, 10))
        .collect();
    luhn(&checked) || (digits(text).count() == 20 && luhn(text))
}

/// Subscribers (3GPP TS 23.003): a mobile country code (2xx to 7xx) and ten to twelve digits more.
fn imsi(text: &str) -> bool {
    let country = digits(text).take(3).fold(0, |number, digit| number * 10 + digit);
    (201..=750).contains(&country)
}

/// What a character of a vehicle number counts (49 CFR 565.15).
fn worth(character: char) -> Option<u32> {
    Some(match character.to_ascii_uppercase() {
        letter @ 'A'..='H' => u32::from(letter) - u32::from('A') + 1,
        letter @ 'J'..='N' => u32::from(letter) - u32::from('J') + 1,
        'P' => 7,
        'R' => 9,
        letter @ 'S'..='Z' => u32::from(letter) - u32::from('S') + 2,
        digit => digit.to_digit(10)?,
    })
}

/// Vehicle numbers that prove themselves: the check digit of North America at the ninth place, a serial of digits, and
/// letters and digits mixed.
fn vin(text: &str) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum: u32 = text
        .chars()
        .zip(WEIGHTS)
        .filter_map(|(character, weight)| worth(character).map(|worth| worth * weight))
        .sum();
    let control = text.chars().nth(8);
    let right = control == Some('X') && sum % 11 == 10
        || control.and_then(|digit| digit.to_digit(10)) == Some(sum % 11);
    right && text.bytes().skip(13).all(|byte| byte.is_ascii_digit()) && vin_shape(text)
}

/// Letters and digits mixed, a few of each.
fn vin_shape(text: &str) -> bool {
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    (3..=14).contains(&letters)
}

/// Number plates behind the word for one: four to nine letters and digits, both of them, and no word written in small
/// letters.
fn plate(found: &Match<'_>) -> Option<Span> {
    let text = found.value();
    let letters = text.chars().filter(|character| character.is_alphabetic()).count();
    let count = digits(text).count();
    let small = text.chars().any(char::is_lowercase);
    let fits = (1..=6).contains(&letters) && count >= 1 && (4..=9).contains(&(letters + count));
    (fits && !small).then(|| found.span())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        for (check, text, right) in [
            (imei as fn(&str) -> bool, "35-209900-176148-1", true),
            (imei, "352099001761482", false),
            (imei, "222099001761481", false),
            (vin, "1M8GDM9AXKP042788", true),
            (vin, "1M8GDM9A1KP042788", false),
            (vin, "11111111111111111", false),
            (vin_shape, "WVWZZZ1JZ3W386752", true),
            (vin_shape, "12345678901234567", false),
            (imsi, "310150123456789", true),
            (imsi, "110150123456789", false),
            (iccid, "8991101200003204514", true),
            (iccid, "8991101200003204515", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
