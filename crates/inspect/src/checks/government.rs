//! Numbers that states give to people and firms: the English-speaking countries, passports, driving licences.

use super::number::{at, compact, date, luhn, number, part, short_date, small, values, varied, weigh};
use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("us_ssn", Check::Value(us_ssn)),
    ("us_itin", Check::Value(us_itin)),
    ("us_ein", Check::Value(us_ein)),
    ("ca_sin", Check::Value(ca_sin)),
    ("ca_business_number", Check::Value(ca_business_number)),
    ("uk_nino", Check::Value(uk_nino)),
    ("uk_utr", Check::Value(uk_utr)),
    ("uk_driving_licence", Check::Value(uk_driving_licence)),
    ("ie_ppsn", Check::Value(ie_ppsn)),
    ("au_tfn", Check::Value(au_tfn)),
    ("au_abn", Check::Value(au_abn)),
    ("au_acn", Check::Value(au_acn)),
    ("nz_ird", Check::Value(nz_ird)),
    ("za_id_number", Check::Value(za_id_number)),
    ("passport_mrz", Check::Value(passport_mrz)),
    ("passport", Check::Value(passport)),
    ("licence", Check::Value(licence)),
    ("serial", Check::Value(serial)),
];

/// US social security numbers: areas, groups and serials that were never given out fail, as do the numbers that became
/// famous on a printed card and in advertisements, and the placeholders of forms.
fn us_ssn(text: &str) -> bool {
    let Some(n) = number::<9>(text) else { return false };
    let (area, group, serial) = (small(&n, 0, 3), small(&n, 3, 5), small(&n, 5, 9));
    let void = area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0;
    let famous = matches!(
        part(&n, 0, 9),
        78_051_120 | 219_099_999 | 457_555_462 | 123_456_789
    );
    !void && !famous && varied(&n)
}

/// US individual taxpayer numbers: area 9, groups 50-65, 70-88, 90-92, 94-99.
fn us_itin(text: &str) -> bool {
    let Some(n) = number::<9>(text) else { return false };
    at(&n, 0) == 9 && matches!(small(&n, 3, 5), 50..=65 | 70..=88 | 90..=92 | 94..=99) && varied(&n)
}

/// US employer numbers: the prefixes that the revenue service's campuses give out.
fn us_ein(text: &str) -> bool {
    let Some(n) = number::<9>(text) else { return false };
    let prefix = small(&n, 0, 2);
    let unused = matches!(prefix, 0 | 7..=9 | 17..=19 | 28 | 29 | 49 | 69 | 70 | 78 | 79 | 89 | 96 | 97);
    !unused && varied(&n) && part(&n, 0, 9) != 123_456_789
}

/// Canadian social insurance numbers: Luhn; 0 and 8 are not given to people.
fn ca_sin(text: &str) -> bool {
    number::<9>(text).is_some_and(|n| luhn(&n) && varied(&n) && !matches!(at(&n, 0), 0 | 8))
}

/// Canadian business numbers: Luhn over the first nine digits; a programme account may follow (`RT0001`).
fn ca_business_number(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).take(9).collect();
    n.len() == 9 && luhn(&n) && varied(&n)
}

/// UK national insurance numbers: prefixes that were never given out fail.
fn uk_nino(text: &str) -> bool {
    let text = compact(text);
    let mut letters = text.chars();
    let (Some(first), Some(second)) = (letters.next(), letters.next()) else {
        return false;
    };
    let never = ["BG", "GB", "KN", "NK", "NT", "TN", "ZZ"]
        .iter()
        .any(|prefix| text.starts_with(prefix));
    let digits: Vec<u32> = super::digits(&text).collect();
    !never
        && !"DFIQUV".contains(first)
        && !"DFIOQUV".contains(second)
        && varied(&digits)
        && !text.contains("123456")
}

/// UK unique taxpayer references: the first digit checks the others.
fn uk_utr(text: &str) -> bool {
    let Some([check, rest @ ..]) = number::<10>(text) else {
        return false;
    };
    let rest_of = weigh(&rest, &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
    at(&[2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1], rest_of as usize) == check
}

/// Driving licence numbers of Great Britain: five characters of the surname, the birth date split up (women's months plus
/// 50), two initials, a digit or letter, two check letters whose rule is not published.
fn uk_driving_licence(text: &str) -> bool {
    let text = compact(text);
    let surname = text.get(..5).unwrap_or_default().trim_end_matches('9');
    let n: Vec<u32> = super::digits(text.get(5..11).unwrap_or_default()).collect();
    let [decade, m1, m2, d1, d2, year] = n.as_slice() else {
        return false;
    };
    let month = m1 * 10 + m2;
    let initials = text.get(11..13).unwrap_or_default().trim_end_matches('9');
    !surname.is_empty()
        && surname.chars().all(|letter| letter.is_ascii_alphabetic())
        && initials.chars().all(|letter| letter.is_ascii_alphabetic())
        && short_date(
            decade * 10 + year,
            if month > 50 { month - 50 } else { month },
            d1 * 10 + d2,
        )
}

/// Irish personal public service numbers: a letter mod 23; a second letter counts nine times.
fn ie_ppsn(text: &str) -> bool {
    let values = values(text);
    let (Some(n), Some(check)) = (values.get(..7), values.get(7)) else {
        return false;
    };
    let second = match values.get(8) {
        None => 0,
        // `W` once marked a wife, and weighs nothing.
        Some(32) => 0,
        Some(letter @ 10..) => letter - 9,
        Some(_) => return false,
    };
    let sum = (weigh(n, &[8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23;
    let wanted = if sum == 0 { 32 } else { sum + 9 };
    *check == wanted && varied(n)
}

/// Australian tax file numbers: weighted mod 11, of nine digits or (the old ones) eight.
fn au_tfn(text: &str) -> bool {
    let nine = number::<9>(text)
        .is_some_and(|n| varied(&n) && weigh(&n, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11));
    let eight = || {
        number::<8>(text)
            .is_some_and(|n| varied(&n) && weigh(&n, &[10, 7, 8, 4, 6, 3, 5, 1]).is_multiple_of(11))
    };
    nine || eight()
}

/// Australian business numbers: the first digit less one, weighted mod 89.
fn au_abn(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    at(&n, 0) > 0
        && varied(&n)
        && (weigh(&n, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10).is_multiple_of(89)
}

/// Australian company numbers: weighted mod 10.
fn au_acn(text: &str) -> bool {
    let Some(n) = number::<9>(text) else { return false };
    varied(&n) && (10 - weigh(&n, &[8, 7, 6, 5, 4, 3, 2, 1]) % 10) % 10 == at(&n, 8)
}

/// New Zealand inland revenue numbers: weighted mod 11, with second weights where the first give 10.
fn nz_ird(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let all = part(&n, 0, n.len());
    let padded = [vec![0; 9_usize.saturating_sub(n.len())], n].concat();
    let check = |weights: &[u32]| (11 - weigh(&padded, weights) % 11) % 11;
    let check = match check(&[3, 2, 7, 6, 5, 4, 3, 2]) {
        10 => check(&[7, 4, 3, 2, 5, 2, 7, 6]),
        check => check,
    };
    (10_000_000..=150_000_000).contains(&all) && check == at(&padded, 8) && varied(&padded)
}

/// South African identity numbers: a date of birth, citizenship 0, 1 or 2, Luhn.
fn za_id_number(text: &str) -> bool {
    let Some(n) = number::<13>(text) else { return false };
    short_date(small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6)) && at(&n, 10) <= 2 && luhn(&n)
}

/// The sum of ICAO 9303: weights 7, 3, 1; `<` is nothing.
fn icao(field: &str) -> u32 {
    let value = |character: char| character.to_digit(36).unwrap_or_default();
    field
        .chars()
        .map(value)
        .zip([7, 3, 1].into_iter().cycle())
        .map(|(value, weight)| value * weight)
        .sum::<u32>()
        % 10
}

/// The second line of a passport's machine-readable zone: number, birth date and expiry each with a check digit.
fn passport_mrz(text: &str) -> bool {
    let field = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let checked = |from: usize, to: usize| field(to, to + 1).parse() == Ok(icao(field(from, to)));
    let n: Vec<u32> = super::digits(field(13, 19)).collect();
    checked(0, 9)
        && checked(13, 19)
        && checked(21, 27)
        && short_date(small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6))
}

/// Numbers without a rule of their own: enough digits, not all the same, no date, no year.
fn serial(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    n.len() >= 3 && varied(&n) && !is_date(text, &n) && !counts_up(&n)
}

/// Passport numbers: six characters at least, two of them digits.
fn passport(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    (6..=10).contains(&compact(text).len()) && n.len() >= 2 && varied(&n) && !counts_up(&n)
}

/// Driving licence numbers: six to eighteen characters; where hardly any are digits it must be a long one, or one of
/// Washington, which begin with `WDL`.
fn licence(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let length = text
        .chars()
        .filter(|character| character.is_alphanumeric())
        .count();
    let washington = length == 12 && text.starts_with("WDL") && !n.is_empty();
    let dense = n.len() >= 4 || (n.len() >= 2 && length >= 9 && !text.contains(' '));
    (6..=18).contains(&length)
        && (washington || (dense && varied(&n)))
        && !counts_up(&n)
        && !is_date(text, &n)
}

/// Whether the digits are those of a placeholder: 1, 2, 3 and so on.
fn counts_up(n: &[u32]) -> bool {
    n.len() > 5 && n.iter().zip(1..).all(|(digit, place)| *digit == place % 10)
}

fn is_date(text: &str, n: &[u32]) -> bool {
    text.len() == 10
        && n.len() == 8
        && (date(small(n, 0, 4), small(n, 4, 6), small(n, 6, 8))
            || date(small(n, 4, 8), small(n, 2, 4), small(n, 0, 2))
            || date(small(n, 4, 8), small(n, 0, 2), small(n, 2, 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        for (check, text, right) in [
            (us_ssn as fn(&str) -> bool, "536-90-4399", true),
            (us_ssn, "000-12-3456", false),
            (us_ssn, "666-12-3456", false),
            (us_ssn, "912-12-3456", false),
            (us_ssn, "536-00-4399", false),
            (us_ssn, "078-05-1120", false),
            (us_ssn, "123-45-6789", false),
            (us_ssn, "111-11-1111", false),
            (us_itin, "912-90-3456", true),
            (us_itin, "912-93-3456", false),
            (us_ein, "91-1144442", true),
            (us_ein, "07-1144442", false),
            // The example of the Canadian government's own documentation of the algorithm.
            (ca_sin, "193-456-787", true),
            (ca_sin, "046 454 286", false),
            (uk_nino, "AB 12 34 57 C", true),
            (uk_nino, "BG123457C", false),
            (uk_nino, "QQ 12 34 57 C", false),
            (uk_utr, "1955839661", true),
            (uk_utr, "2955839661", false),
            (uk_driving_licence, "MORGA657054SM9IJ", true),
            (uk_driving_licence, "MORGA667314SM9IJ", false),
            (ie_ppsn, "1234567T", true),
            (ie_ppsn, "1234567TW", true),
            (ie_ppsn, "1234567FA", true),
            (ie_ppsn, "1234567A", false),
            // Published by the Australian tax office and business register.
            (au_tfn, "648 188 480", true),
            (au_tfn, "648 188 481", false),
            (au_abn, "51 824 753 556", true),
            (au_abn, "51 824 753 557", false),
            (au_acn, "004 085 616", true),
            (au_acn, "004 085 617", false),
            // Published by Inland Revenue.
            (nz_ird, "49-091-850", true),
            (nz_ird, "136-410-132", true),
            (nz_ird, "136-410-133", false),
            (nz_ird, "9-125-568", false),
            (za_id_number, "8001015009087", true),
            (za_id_number, "8013015009087", false),
            (za_id_number, "8001015009086", false),
            // ICAO 9303, part 4, appendix A.
            (passport_mrz, "L898902C36UTO7408122F1204159ZE184226B<<<<<10", true),
            (
                passport_mrz,
                "L898902C35UTO7408122F1204159ZE184226B<<<<<10",
                false,
            ),
            (passport, "C01X0006H", true),
            (passport, "ABCDEFGH1", false),
            (passport, "AB1234568", true),
            (passport, "AB1234567", false),
            (licence, "WDLABCD12EFG", true),
            (licence, "WDLABCDE1EFG", true),
            (licence, "ABCABCDE1EFG", false),
            (licence, "A1-234", false),
            (licence, "REQUIRED", false),
            (serial, "K8837261", true),
            (serial, "2024-01-31", false),
            (serial, "31.01.2024", false),
            (serial, "0000000", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
