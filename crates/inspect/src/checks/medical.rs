//! Numbers of patients, insured persons and those who treat them.

use super::number::{at, compact, luhn, number, short_date, small, values, varied, weigh, weigh_across};
use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("us_npi", Check::Value(us_npi)),
    ("us_mbi", Check::Value(us_mbi)),
    ("us_dea", Check::Value(us_dea)),
    ("ca_health_number", Check::Value(ca_health_number)),
    ("uk_nhs", Check::Value(uk_nhs)),
    ("au_medicare", Check::Value(au_medicare)),
    ("nz_nhi", Check::Value(nz_nhi)),
    ("de_health_insurance", Check::Value(de_health_insurance)),
    ("br_cns", Check::Value(br_cns)),
];

/// US national provider identifiers: Luhn with 80840 before it, which adds 24.
fn us_npi(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    let prefixed = [&[8, 0, 8, 4, 0][..], &n].concat();
    matches!(at(&n, 0), 1 | 2) && luhn(&prefixed)
}

/// US Medicare beneficiary identifiers: which of digits and letters stands at each of eleven places; six letters that
/// look like digits are not used.
fn us_mbi(text: &str) -> bool {
    let text = compact(text);
    let allowed = |(place, character): (char, char)| {
        let letter = character.is_ascii_alphabetic() && !"SLOIBZ".contains(character);
        match place {
            'C' => matches!(character, '1'..='9'),
            'N' => character.is_ascii_digit(),
            'A' => letter,
            _ => letter || character.is_ascii_digit(),
        }
    };
    // CMS prints 1EG4-TE5-MK72 and 1EG4-TE5-MK73 on its specimen cards.
    let specimen = text.starts_with("1EG4TE5MK7");
    text.len() == 11 && !specimen && "CAXNAXNAANN".chars().zip(text.chars()).all(allowed)
}

/// US drug enforcement registrations: two letters (or a letter and 9), six digits, a check digit.
fn us_dea(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text.get(2..).unwrap_or_default()).collect();
    n.len() == 7 && varied(&n) && weigh(&n, &[1, 2, 1, 2, 1, 2]) % 10 == at(&n, 6)
}

/// Canadian health numbers: Ontario (Luhn, a version of two letters may follow), British Columbia (9, mod 11), Quebec
/// (four letters and a date, women's months plus 50).
fn ca_health_number(text: &str) -> bool {
    let Some(n) = number::<10>(text) else {
        return quebec(text);
    };
    let columbia = || {
        let rest = 11 - weigh(n.get(1..).unwrap_or_default(), &[2, 4, 8, 5, 10, 9, 7, 3]) % 11;
        at(&n, 0) == 9 && rest == at(&n, 9)
    };
    varied(&n) && at(&n, 0) > 0 && (luhn(&n) || columbia())
}

fn quebec(text: &str) -> bool {
    let Some(n) = number::<8>(text) else { return false };
    let month = small(&n, 2, 4);
    let month = if month > 50 { month - 50 } else { month };
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && short_date(small(&n, 0, 2), month, small(&n, 4, 6))
}

/// UK national health service numbers: mod 11; 10 is never given out.
fn uk_nhs(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    let check = 11 - weigh(&n, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    varied(&n) && check % 11 == at(&n, 9) && check != 10
}

/// Australian Medicare cards: the first digit 2 to 6, weighted mod 10, an issue number, perhaps the person's number.
fn au_medicare(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    matches!(n.len(), 10 | 11)
        && matches!(at(&n, 0), 2..=6)
        && weigh(&n, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == at(&n, 8)
        && at(&n, 9) > 0
}

/// New Zealand national health indices: three letters without I and O; four digits, mod 11, or (since 2022) two digits, a
/// letter and a check letter, mod 23.
fn nz_nhi(text: &str) -> bool {
    const LETTERS: &str = "ABCDEFGHJKLMNPQRSTUVWXYZ";
    let text = compact(text);
    let value = |character: char| {
        let letter = || {
            LETTERS
                .chars()
                .position(|known| known == character)
                .and_then(|at| u32::try_from(at + 1).ok())
        };
        character.to_digit(10).or_else(letter)
    };
    let Some(v) = text.chars().map(value).collect::<Option<Vec<u32>>>() else {
        return false;
    };
    let sum = weigh(&v, &[7, 6, 5, 4, 3, 2]);
    match text.chars().last() {
        _ if v.len() != 7 => false,
        Some('0'..='9') => !sum.is_multiple_of(11) && (11 - sum % 11) % 10 == at(&v, 6),
        _ => 23 - sum % 23 == at(&v, 6),
    }
}

/// German health insurance numbers: a letter, eight digits, a check digit over the letter's place in the alphabet and them.
fn de_health_insurance(text: &str) -> bool {
    let v = values(text);
    let Some((letter, n)) = v.split_first().filter(|(letter, _)| **letter >= 10) else {
        return false;
    };
    let letter = letter - 9;
    let expanded: Vec<u32> = [letter / 10, letter % 10].iter().chain(n).copied().collect();
    n.len() == 9 && varied(n) && weigh_across(&expanded, &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]) % 10 == at(n, 8)
}

/// Brazilian health cards: fifteen digits, weighted mod 11.
fn br_cns(text: &str) -> bool {
    let Some(n) = number::<15>(text) else { return false };
    let weights = [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    matches!(at(&n, 0), 1 | 2 | 7 | 8 | 9) && varied(&n) && weigh(&n, &weights).is_multiple_of(11)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        for (check, text, right) in [
            // Examples of the registers' own documentation of their numbers.
            (us_npi as fn(&str) -> bool, "1234567893", true),
            (us_npi, "1234567894", false),
            (us_npi, "3234567893", false),
            (us_mbi, "1AC2-HJ3-RT45", true),
            (us_mbi, "1EG4-TE5-MK73", false),
            (us_mbi, "1SC2-HJ3-RT45", false),
            (us_mbi, "0AC2-HJ3-RT45", false),
            (us_dea, "F91234563", true),
            (us_dea, "AP5836727", true),
            (us_dea, "AP5836728", false),
            (ca_health_number, "9876543217", true),
            (ca_health_number, "9876543216", false),
            (ca_health_number, "9698 658 215", true),
            (ca_health_number, "DOEJ 5651 1299", true),
            (ca_health_number, "DOEJ 5663 1299", false),
            (ca_health_number, "TREM 8856 1012", true),
            (uk_nhs, "943 476 5919", true),
            (uk_nhs, "943 476 5918", false),
            (au_medicare, "2123 45670 1", true),
            (au_medicare, "2123 45671 1", false),
            (nz_nhi, "ZZZ0016", true),
            (nz_nhi, "ZZZ0017", false),
            (nz_nhi, "ZBN77VL", true),
            (nz_nhi, "ZBN77VM", false),
            (de_health_insurance, "A123456780", true),
            (de_health_insurance, "A123456781", false),
            (br_cns, "898 0000 0004 3208", true),
            (br_cns, "898 0000 0004 3209", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
