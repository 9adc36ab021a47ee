//! The arithmetic that check digits are made of.

use super::digits;

/// The digits of a text that has exactly so many.
pub(super) fn number<const N: usize>(text: &str) -> Option<[u32; N]> {
    let mut all = digits(text);
    let mut number = [0; N];
    for slot in &mut number {
        *slot = all.next()?;
    }
    all.next().is_none().then_some(number)
}

/// The letters and digits of a text as numbers, `A` and `a` as 10.
pub(super) fn values(text: &str) -> Vec<u32> {
    text.chars()
        .filter_map(|character| character.to_digit(36))
        .collect()
}

/// The letters and digits of a text, letters in capitals.
pub(super) fn compact(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_uppercase())
        .collect()
}

/// The digit at that place.
pub(super) fn at(digits: &[u32], place: usize) -> u32 {
    digits.get(place).copied().unwrap_or_default()
}

/// The number that the digits from one place up to another make.
pub(super) fn part(digits: &[u32], from: usize, to: usize) -> u64 {
    let part = digits.get(from..to).unwrap_or_default();
    part.iter()
        .fold(0, |number, digit| number * 10 + u64::from(*digit))
}

/// The same as a small number.
pub(super) fn small(digits: &[u32], from: usize, to: usize) -> u32 {
    u32::try_from(part(digits, from, to)).unwrap_or(u32::MAX)
}

/// The sum of the digits, each times its weight.
pub(super) fn weigh(digits: &[u32], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum()
}

/// The sum of the digits of the products of the digits and their weights.
pub(super) fn weigh_across(digits: &[u32], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .map(|n| n / 10 + n % 10)
        .sum()
}

/// Whether not all digits are the same.
pub(super) fn varied(digits: &[u32]) -> bool {
    digits.iter().any(|digit| Some(digit) != digits.first())
}

/// Luhn's sum (ISO/IEC 7812-1, annex B).
pub(super) fn luhn(digits: &[u32]) -> bool {
    let doubled = |(at, digit): (usize, &u32)| {
        if at % 2 == 0 {
            *digit
        } else {
            digit * 2 / 10 + digit * 2 % 10
        }
    };
    digits
        .iter()
        .rev()
        .enumerate()
        .map(doubled)
        .sum::<u32>()
        .is_multiple_of(10)
}

/// ISO/IEC 7064, mod 11,10.
pub(super) fn mod_11_10(digits: &[u32]) -> bool {
    let Some((check, rest)) = digits.split_last() else {
        return false;
    };
    let product = rest.iter().fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == *check
}

const VERHOEFF_PRODUCT: [[u32; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];
const VERHOEFF_TURN: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/// Verhoeff's check over a dihedral group.
pub(super) fn verhoeff(digits: &[u32]) -> bool {
    let turned = |(place, digit): (usize, &u32)| {
        (0..place % 8).fold(*digit, |digit, _| at(&VERHOEFF_TURN, digit as usize))
    };
    let product = |sum: u32, digit: u32| {
        VERHOEFF_PRODUCT
            .get(sum as usize)
            .map_or(0, |row| at(row, digit as usize))
    };
    digits.iter().rev().enumerate().map(turned).fold(0, product) == 0
}

/// Whether that is a day of the calendar in the years that living people were born in.
pub(super) fn date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day) && (1850..2100).contains(&year)
}

/// The same with two digits of the year.
pub(super) fn short_date(year: u32, month: u32, day: u32) -> bool {
    date(1900 + year, month, day) || date(2000 + year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums() {
        assert!(luhn(&[7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 3]) && !luhn(&[7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 4]));
        // Wikipedia's examples of each.
        assert!(verhoeff(&[2, 3, 6, 3]) && !verhoeff(&[2, 3, 6, 4]));
        assert!(mod_11_10(&[0, 7, 9, 4, 5]) && !mod_11_10(&[0, 7, 9, 4, 6]));
        assert_eq!(number::<3>("1-2 3"), Some([1, 2, 3]));
        assert_eq!((number::<3>("12"), number::<3>("1234")), (None, None));
        assert_eq!(part(&[1, 2, 3, 4], 1, 3), 23);
    }

    #[test]
    fn days_are_of_the_calendar() {
        for (year, month, day, right) in [
            (2000, 2, 29, true),
            (1900, 2, 29, false),
            (2023, 2, 29, false),
            (1999, 4, 31, false),
            (1999, 12, 31, true),
            (1999, 13, 1, false),
            (1999, 0, 1, false),
            (1999, 1, 0, false),
        ] {
            assert_eq!(date(year, month, day), right, "{year}-{month}-{day}");
        }
        assert!(short_date(0, 2, 29) && !short_date(1, 2, 29));
    }
}
