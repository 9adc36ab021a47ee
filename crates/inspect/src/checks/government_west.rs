//! Numbers that states give to people and firms: western and southern Europe.

use super::number::{
    at, compact, date, luhn, mod_11_10, number, part, short_date, small, values, varied, verhoeff, weigh,
    weigh_across,
};
use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("es_nif", Check::Value(es_nif)),
    ("es_cif", Check::Value(es_cif)),
    ("es_nss", Check::Value(es_nss)),
    ("fr_nir", Check::Value(fr_nir)),
    ("fr_spi", Check::Value(fr_spi)),
    ("fr_siren", Check::Value(fr_siren)),
    ("de_tax_id", Check::Value(de_tax_id)),
    ("de_id_card", Check::Value(de_id_card)),
    ("de_social_security", Check::Value(de_social_security)),
    ("it_fiscal_code", Check::Value(it_fiscal_code)),
    ("it_partita_iva", Check::Value(it_partita_iva)),
    ("nl_bsn", Check::Value(nl_bsn)),
    ("be_national_number", Check::Value(be_national_number)),
    ("lu_national_id", Check::Value(lu_national_id)),
    ("at_svnr", Check::Value(at_svnr)),
    ("ch_ahv", Check::Value(ch_ahv)),
    ("ch_uid", Check::Value(ch_uid)),
    ("pt_nif", Check::Value(pt_nif)),
    ("pt_niss", Check::Value(pt_niss)),
    ("pt_cc", Check::Value(pt_cc)),
    ("eu_vat", Check::Value(eu_vat)),
];

/// Spanish identity numbers of citizens (DNI; `K`, `L`, `M` for those without) and foreigners (NIE; `X`, `Y`, `Z` stand for
/// 0, 1, 2): a letter mod 23.
fn es_nif(text: &str) -> bool {
    let text = compact(text);
    let Some(letter) = text.chars().last() else {
        return false;
    };
    let body = text.get(..text.len() - 1).unwrap_or_default();
    let lead = match text.chars().next() {
        Some('Y') => 10_000_000,
        Some('Z') => 20_000_000,
        _ => 0,
    };
    let n: Vec<u32> = super::digits(body).collect();
    let rest = (lead + part(&n, 0, n.len())) % 23;
    let wanted = usize::try_from(rest)
        .ok()
        .and_then(|rest| "TRWAGMYFPDXBNJZSQVHLCKE".chars().nth(rest));
    wanted == Some(letter) && varied(&n) && part(&n, 0, n.len()) != 12_345_678
}

/// Spanish firms: a letter, seven digits, a check digit or (some kinds) its letter.
fn es_cif(text: &str) -> bool {
    let text = compact(text);
    let n: Vec<u32> = super::digits(text.get(1..8).unwrap_or_default()).collect();
    let check = (10 - weigh_across(&n, &[2, 1, 2, 1, 2, 1, 2]) % 10) % 10;
    let letter = "JABCDEFGHI".chars().nth(check as usize);
    let last = text.chars().last();
    n.len() == 7 && varied(&n) && (last.and_then(|last| last.to_digit(10)) == Some(check) || last == letter)
}

/// Spanish social security: province, number, and the rest mod 97.
fn es_nss(text: &str) -> bool {
    let Some(n) = number::<12>(text) else { return false };
    let (province, serial, check) = (part(&n, 0, 2), part(&n, 2, 10), part(&n, 10, 12));
    let whole = if serial < 10_000_000 {
        province * 10_000_000 + serial
    } else {
        part(&n, 0, 10)
    };
    (matches!(province, 1..=53 | 66)) && whole % 97 == check && varied(&n)
}

/// French social security: sex, year, month, department (Corsica's letters stand for 19 and 18), commune, order, and 97 less
/// the rest mod 97.
fn fr_nir(text: &str) -> bool {
    let text = compact(text);
    let corsica = text.get(6..7).unwrap_or_default();
    let lowered = match corsica {
        "A" => 1_000_000,
        "B" => 2_000_000,
        _ => 0,
    };
    let Some(n) = number::<15>(&text.replace(['A', 'B'], "0")) else {
        return false;
    };
    let month = small(&n, 3, 5);
    let place = part(&n, 5, 13);
    matches!(at(&n, 0), 1..=4 | 7 | 8)
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && place > 0
        && varied(&n)
        && 97 - (part(&n, 0, 13) - lowered) % 97 == part(&n, 13, 15)
}

/// French tax numbers: ten digits and their rest mod 511.
fn fr_spi(text: &str) -> bool {
    let Some(n) = number::<13>(text) else { return false };
    at(&n, 0) <= 3 && varied(&n) && part(&n, 0, 10) % 511 == part(&n, 10, 13)
}

/// French firms (SIREN) and their places (SIRET): Luhn; those of the post add up to a multiple of 5.
fn fr_siren(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let siren = n.get(..9).unwrap_or_default();
    let post = part(siren, 0, 9) == 356_000_000 && n.iter().sum::<u32>().is_multiple_of(5);
    varied(siren) && luhn(siren) && (n.len() == 9 || (n.len() == 14 && (luhn(&n) || post)))
}

/// German tax numbers of persons: among the first ten digits one stands twice or three times and the others once at most;
/// ISO 7064 mod 11,10.
fn de_tax_id(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    let first = n.get(..10).unwrap_or_default();
    let times = |digit: u32| first.iter().filter(|other| **other == digit).count();
    let mut counts: Vec<usize> = (0..10).map(times).filter(|count| *count > 1).collect();
    counts.sort_unstable();
    at(&n, 0) > 0 && matches!(counts.as_slice(), [2 | 3]) && mod_11_10(&n)
}

/// German identity cards and passports: nine characters and the check digit of ICAO 9303.
fn de_id_card(text: &str) -> bool {
    let v = values(text);
    let digits = super::digits(text).count();
    let sum = weigh(&v, &[7, 3, 1, 7, 3, 1, 7, 3, 1]);
    v.len() == 10 && digits >= 2 && varied(&v) && sum % 10 == at(&v, 9)
}

/// German pension insurance: area, birth date, letter, serial, check digit over the digits of weighted digits.
fn de_social_security(text: &str) -> bool {
    let v = values(text);
    let letter = at(&v, 8).saturating_sub(9);
    let expanded: Vec<u32> = v
        .iter()
        .take(8)
        .copied()
        .chain([letter / 10, letter % 10])
        .chain(v.iter().skip(9).copied())
        .collect();
    let (area, day) = (small(&v, 0, 2), small(&v, 2, 4));
    v.len() == 12
        && letter > 0
        && area >= 2
        && short_date(small(&v, 6, 8), small(&v, 4, 6), day)
        && weigh_across(&expanded, &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]) % 10 == at(&v, 11)
}

/// What a character at an odd place of an Italian fiscal code counts.
const ODD: [u32; 36] = [
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14,
    16, 10, 22, 25, 24, 23,
];

/// Italian fiscal codes: a birth date (women's days plus 40), letters in place of digits where two persons would have the
/// same code, a check letter mod 26.
fn it_fiscal_code(text: &str) -> bool {
    let text = compact(text);
    let v = values(&text);
    let even = |value: u32| if value >= 10 { value - 10 } else { value };
    let sum: u32 = v
        .iter()
        .take(15)
        .enumerate()
        .map(|(place, value)| {
            if place % 2 == 0 {
                at(&ODD, *value as usize)
            } else {
                even(*value)
            }
        })
        .sum();
    let digit = |place: usize| {
        let character = text.chars().nth(place)?;
        let swapped = || "LMNPQRSTUV".chars().position(|letter| letter == character);
        character
            .to_digit(10)
            .or_else(|| swapped().and_then(|digit| u32::try_from(digit).ok()))
    };
    let number = |from: usize| Some(digit(from)? * 10 + digit(from + 1)?);
    let month = text
        .chars()
        .nth(8)
        .and_then(|letter| "ABCDEHLMPRST".chars().position(|month| month == letter));
    let (Some(year), Some(month), Some(day)) = (number(6), month, number(9)) else {
        return false;
    };
    let month = u32::try_from(month).unwrap_or_default() + 1;
    let day = if day > 40 { day - 40 } else { day };
    v.len() == 16 && sum % 26 + 10 == at(&v, 15) && short_date(year, month, day)
}

/// Italian value added tax numbers: Luhn, a province's office.
fn it_partita_iva(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    luhn(&n) && small(&n, 0, 7) > 0 && matches!(small(&n, 7, 10), 1..=100 | 120 | 121 | 888 | 999)
}

/// Dutch citizen service numbers: the proof by eleven, the last digit taken off; old ones have eight digits.
fn nl_bsn(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let padded = [vec![0; 9_usize.saturating_sub(n.len())], n].concat();
    let sum = weigh(&padded, &[9, 8, 7, 6, 5, 4, 3, 2]);
    padded.len() == 9 && varied(&padded) && small(&padded, 0, 3) > 0 && sum % 11 == at(&padded, 8)
}

/// Belgian national numbers: a birth date (months plus 20 or 40 for those outside the register), 97 less the rest mod 97, from
/// 2000 on with a 2 before it.
fn be_national_number(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    let (year, month, day) = (small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6));
    let month = month % 20;
    let unknown = month == 0 || day == 0;
    let (whole, check) = (part(&n, 0, 9), part(&n, 9, 11));
    let right = |whole: u64| 97 - whole % 97 == check;
    varied(&n)
        && small(&n, 2, 4) < 53
        && ((unknown && day <= 31) || short_date(year, month, day))
        && (right(whole) || right(2_000_000_000 + whole))
}

/// Luxembourg's identification numbers: a birth date, a serial, Luhn, Verhoeff.
fn lu_national_id(text: &str) -> bool {
    let Some(n) = number::<13>(text) else { return false };
    let (body, check) = (n.get(..11).unwrap_or_default(), at(&n, 12));
    date(small(&n, 0, 4), small(&n, 4, 6), small(&n, 6, 8))
        && n.get(..12).is_some_and(luhn)
        && verhoeff(&[body, &[check]].concat())
}

/// Austrian social insurance: the fourth digit is the rest mod 11 of the others; a birth date, in which months from 13 on
/// stand for more persons on one day.
fn at_svnr(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    let (day, month, year) = (small(&n, 4, 6), small(&n, 6, 8), small(&n, 8, 10));
    let sum = weigh(&n, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    let dated = short_date(year, month, day) || (matches!(month, 13..=16) && (1..=31).contains(&day));
    at(&n, 0) > 0 && dated && sum % 11 == at(&n, 3)
}

/// Swiss social insurance: 756 and a check digit as on goods (EAN-13).
fn ch_ahv(text: &str) -> bool {
    let Some(n) = number::<13>(text) else { return false };
    let sum = weigh(&n, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]);
    small(&n, 0, 3) == 756
        && (10 - sum % 10) % 10 == at(&n, 12)
        && n.get(3..).is_some_and(varied)
        && part(&n, 3, 12) != 123_456_789
}

/// Swiss firms: weighted mod 11.
fn ch_uid(text: &str) -> bool {
    let Some(n) = number::<9>(text) else { return false };
    varied(&n) && (11 - weigh(&n, &[5, 4, 3, 2, 7, 6, 5, 4]) % 11) % 11 == at(&n, 8)
}

/// Portuguese tax numbers: mod 11; 10 becomes 0.
fn pt_nif(text: &str) -> bool {
    let Some(n) = number::<9>(text) else { return false };
    let check = 11 - weigh(&n, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let first = matches!(at(&n, 0), 1 | 2 | 3 | 5 | 6 | 8)
        || matches!(small(&n, 0, 2), 45 | 70..=72 | 74 | 75 | 77..=79 | 90 | 91 | 98 | 99);
    first && varied(&n) && part(&n, 0, 9) != 123_456_789 && at(&n, 8) == if check > 9 { 0 } else { check }
}

/// Portuguese social security: weighted with primes.
fn pt_niss(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    matches!(at(&n, 0), 1 | 2)
        && varied(&n)
        && 9 - weigh(&n, &[29, 23, 19, 17, 13, 11, 7, 5, 3, 2]) % 10 == at(&n, 10)
}

/// Portuguese citizen cards: Luhn over letters and digits.
fn pt_cc(text: &str) -> bool {
    let v = values(text);
    let doubled = |(place, value): (usize, &u32)| match place % 2 {
        0 => *value,
        _ if *value >= 5 => value * 2 - 9,
        _ => value * 2,
    };
    v.len() == 12
        && varied(&v)
        && v.iter()
            .rev()
            .enumerate()
            .map(doubled)
            .sum::<u32>()
            .is_multiple_of(10)
}

/// Value added tax numbers of the European Union and its neighbours, by the rule of the country they begin with; countries whose
/// numbers have no public check fail.
fn eu_vat(text: &str) -> bool {
    let text = compact(text);
    let (country, rest) = (
        text.get(..2).unwrap_or_default(),
        text.get(2..).unwrap_or_default(),
    );
    let n: Vec<u32> = super::digits(rest).collect();
    let plain = n.len() == rest.len();
    let mod_11 = |weights: &[u32]| (11 - weigh(&n, weights) % 11) % 11;
    let last = at(&n, n.len().saturating_sub(1));
    let valid = match country {
        "AT" => {
            rest.starts_with('U')
                && n.len() == 8
                && (10 - (weigh_across(&n, &[1, 2, 1, 2, 1, 2, 1]) + 4) % 10) % 10 == last
        }
        "BE" => plain && n.len() == 10 && at(&n, 0) <= 1 && 97 - part(&n, 0, 8) % 97 == part(&n, 8, 10),
        "DE" => plain && n.len() == 9 && mod_11_10(&n),
        "DK" => plain && n.len() == 8 && weigh(&n, &[2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11),
        "ES" => es_nif(rest) || es_cif(rest),
        "FI" => plain && n.len() == 8 && mod_11(&[7, 9, 10, 5, 8, 4, 2]) == last,
        "FR" => {
            plain
                && n.len() == 11
                && luhn(n.get(2..).unwrap_or_default())
                && (12 + 3 * (part(&n, 2, 11) % 97)) % 97 == part(&n, 0, 2)
        }
        "GB" | "XI" => {
            plain && matches!(n.len(), 9 | 12) && {
                let sum = weigh(&n, &[8, 7, 6, 5, 4, 3, 2]) + small(&n, 7, 9);
                sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97)
            }
        }
        "IE" => ie_vat(rest),
        "IT" => plain && it_partita_iva(rest),
        "LU" => plain && n.len() == 8 && part(&n, 0, 6) % 89 == part(&n, 6, 8),
        "NL" => {
            rest.len() == 12
                && rest.get(9..10) == Some("B")
                && (nl_bsn(rest.get(..9).unwrap_or_default()) || mod_97(&text))
        }
        "PT" => plain && pt_nif(rest),
        "SE" => plain && n.len() == 12 && luhn(n.get(..10).unwrap_or_default()),
        _ => super::government_east::vat(country, rest),
    };
    valid && varied(&n)
}

fn ie_vat(rest: &str) -> bool {
    let v = values(rest);
    let n = v.get(..7).unwrap_or_default();
    let second = v.get(8).map_or(0, |letter| letter.saturating_sub(9));
    let sum = (weigh(n, &[8, 7, 6, 5, 4, 3, 2]) + second * 9) % 23;
    n.iter().all(|digit| *digit < 10)
        && matches!(v.len(), 8 | 9)
        && at(&v, 7) == if sum == 0 { 32 } else { sum + 9 }
}

/// 1 modulo 97, letters as two digits.
fn mod_97(text: &str) -> bool {
    values(text).iter().fold(0, |rest, value| {
        (rest * if *value < 10 { 10 } else { 100 } + value) % 97
    }) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        for (check, text, right) in [
            (es_nif as fn(&str) -> bool, "54362315K", true),
            (es_nif, "54362315-Z", false),
            (es_nif, "X-2482300W", true),
            (es_nif, "X2482300A", false),
            (es_nif, "12345678Z", false),
            (es_cif, "J99216582", true),
            (es_cif, "J99216583", false),
            (es_nss, "281234567840", true),
            (es_nss, "281234567841", false),
            (fr_nir, "2 95 10 99 126 111 93", true),
            (fr_nir, "2 95 10 99 126 111 94", false),
            (fr_nir, "2 95 13 99 126 111 93", false),
            (fr_spi, "30 23 217 600 053", true),
            (fr_spi, "30 23 217 600 054", false),
            (fr_siren, "552 008 443", true),
            (fr_siren, "73282932000074", true),
            (fr_siren, "73282932000075", false),
            (de_tax_id, "36 574 261 809", true),
            (de_tax_id, "36574261890", false),
            (de_tax_id, "36554266806", false),
            (de_id_card, "L01X00T471", true),
            (de_id_card, "T220001293", true),
            (de_id_card, "T220001294", false),
            (de_social_security, "15070649C103", true),
            (de_social_security, "15070649C102", false),
            (de_social_security, "15370649C103", false),
            (it_fiscal_code, "RCCMNL83S18D969H", true),
            (it_fiscal_code, "RCCMNL83S18D969", false),
            (it_fiscal_code, "RCCMNL83S18D969I", false),
            (it_partita_iva, "00743110157", true),
            (it_partita_iva, "00743110158", false),
            (nl_bsn, "1112.22.333", true),
            (nl_bsn, "1112.52.333", false),
            (be_national_number, "85.07.30-033 28", true),
            (be_national_number, "17.07.30-033 84", true),
            (be_national_number, "12.34.56-789 01", false),
            (lu_national_id, "1893120105732", true),
            (lu_national_id, "1893120105733", false),
            (at_svnr, "1237 010180", true),
            (at_svnr, "2237 010180", false),
            (ch_ahv, "756.9217.0769.85", true),
            (ch_ahv, "756.9217.0769.84", false),
            (ch_uid, "CHE-100.155.212", true),
            (ch_uid, "CHE-100.155.213", false),
            (pt_nif, "501 964 843", true),
            (pt_nif, "501 964 842", false),
            (pt_cc, "00000000 0 ZZ4", true),
            (pt_cc, "00000000 0 ZZ3", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }

    #[test]
    fn value_added_tax_numbers_follow_their_country() {
        for (text, right) in [
            ("ATU13585627", true),
            ("BE0428759497", true),
            ("DE136695976", true),
            ("DK13585628", true),
            ("FI20774740", true),
            ("FR40303265045", true),
            ("GB980780684", true),
            ("IE6433435F", true),
            ("IT00743110157", true),
            ("LU15027442", true),
            ("NL004495445B01", true),
            ("PT501964843", true),
            ("SE123456789701", true),
            ("PL8567346215", true),
            ("HR33392005961", true),
            ("DE136695977", false),
            ("FR41303265045", false),
            ("GB802311781", false),
            ("XX123456789", false),
        ] {
            assert_eq!(eu_vat(text), right, "{text}");
        }
    }
}
