//! Numbers that states give to people and firms: Asia, the Middle East and Africa.

use super::number::{
    at, compact, date, luhn, number, part, short_date, small, values, varied, verhoeff, weigh,
};
use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("in_aadhaar", Check::Value(in_aadhaar)),
    ("in_pan", Check::Value(in_pan)),
    ("in_voter_id", Check::Value(in_voter_id)),
    ("in_gstin", Check::Value(in_gstin)),
    ("cn_resident_id", Check::Value(cn_resident_id)),
    ("cn_uscc", Check::Value(cn_uscc)),
    ("tw_id", Check::Value(tw_id)),
    ("hk_hkid", Check::Value(hk_hkid)),
    ("kr_rrn", Check::Value(kr_rrn)),
    ("kr_rrn_date", Check::Value(kr_rrn_date)),
    ("kr_brn", Check::Value(kr_brn)),
    ("jp_my_number", Check::Value(jp_my_number)),
    ("jp_corporate_number", Check::Value(jp_corporate_number)),
    ("sg_nric", Check::Value(sg_nric)),
    ("my_nric", Check::Value(my_nric)),
    ("th_tnin", Check::Value(th_tnin)),
    ("id_nik", Check::Value(id_nik)),
    ("vn_cccd", Check::Value(vn_cccd)),
    ("pk_cnic", Check::Value(pk_cnic)),
    ("bd_nid", Check::Value(bd_nid)),
    ("lk_nic", Check::Value(lk_nic)),
    ("kz_iin", Check::Value(kz_iin)),
    ("il_id", Check::Value(il_id)),
    ("ir_national_id", Check::Value(ir_national_id)),
    ("ae_emirates_id", Check::Value(ae_emirates_id)),
    ("sa_national_id", Check::Value(sa_national_id)),
    ("kw_civil_id", Check::Value(kw_civil_id)),
    ("eg_national_id", Check::Value(eg_national_id)),
];

/// Indian residents: Verhoeff; the first digit is 2 at least, and a number that reads the same backwards is none.
fn in_aadhaar(text: &str) -> bool {
    let Some(n) = number::<12>(text) else { return false };
    at(&n, 0) >= 2 && verhoeff(&n) && varied(&n) && !n.iter().eq(n.iter().rev())
}

/// Indian taxpayers: the fourth letter says what kind of holder, the digits are not all zero.
fn in_pan(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let n: Vec<u32> = super::digits(&text).collect();
    let kind = text
        .chars()
        .nth(3)
        .is_some_and(|letter| "ABCFGHJLPT".contains(letter));
    kind && part(&n, 0, 4) > 0 && text != "ABCPE1234F" && !text.starts_with("ABCDE1234")
}

/// Indian voters: three letters, seven digits, Luhn over the digits.
fn in_voter_id(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    n.len() == 7 && varied(&n) && luhn(&n)
}

/// Indian goods and services tax: a state, a taxpayer's number, a count, `Z`, a check character mod 36.
fn in_gstin(text: &str) -> bool {
    let v = values(text);
    let Some((check, body)) = v.split_last() else {
        return false;
    };
    let counted = |(place, value): (usize, &u32)| {
        let product = value * if place % 2 == 0 { 1 } else { 2 };
        product / 36 + product % 36
    };
    let sum: u32 = body.iter().enumerate().map(counted).sum();
    v.len() == 15 && matches!(small(&v, 0, 2), 1..=38 | 96..=99) && (36 - sum % 36) % 36 == *check
}

/// Chinese residents: a province, a birth date, ISO 7064 mod 11-2, of which `X` is 10.
fn cn_resident_id(text: &str) -> bool {
    let v = values(text);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let rest = (12 - weigh(&v, &weights) % 11) % 11;
    let province =
        matches!(small(&v, 0, 2), 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83);
    v.len() == 18
        && province
        && date(small(&v, 6, 10), small(&v, 10, 12), small(&v, 12, 14))
        && at(&v, 17) == if rest == 10 { 33 } else { rest }
}

/// Chinese organisations: an alphabet of 31 and a check character.
fn cn_uscc(text: &str) -> bool {
    let counted = |character: char| {
        "0123456789ABCDEFGHJKLMNPQRTUWXY"
            .chars()
            .position(|known| known == character)
            .and_then(|at| u32::try_from(at).ok())
    };
    let Some(v) = compact(text).chars().map(counted).collect::<Option<Vec<u32>>>() else {
        return false;
    };
    let sum = weigh(
        &v,
        &[1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28],
    );
    v.len() == 18 && varied(&v) && (31 - sum % 31) % 31 == at(&v, 17)
}

/// Taiwanese persons: a letter as two digits, sex (8 and 9 for foreigners), mod 10.
fn tw_id(text: &str) -> bool {
    let text = compact(text);
    let place = text.chars().next().and_then(|letter| {
        "ABCDEFGHJKLMNPQRSTUVXYWZIO"
            .chars()
            .position(|known| known == letter)
    });
    let Some(letter) = place.and_then(|place| u32::try_from(place + 10).ok()) else {
        return false;
    };
    let Some(n) = number::<9>(text.get(1..).unwrap_or_default()) else {
        return false;
    };
    let sum = letter / 10 + letter % 10 * 9 + weigh(&n, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    matches!(at(&n, 0), 1 | 2 | 8 | 9)
        && sum.is_multiple_of(10)
        && part(&n, 0, 8) != 12_345_678
        && n.get(1..).is_some_and(varied)
}

/// Hong Kong identity cards: one letter or two, six digits, mod 11, of which `A` is 10.
fn hk_hkid(text: &str) -> bool {
    let v = values(text);
    let padded = if v.len() == 8 { [&[36][..], &v].concat() } else { v };
    let check = (11 - weigh(&padded, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    padded.len() == 9
        && padded.get(2..8).is_some_and(varied)
        && part(&padded, 2, 8) != 123_456
        && check == at(&padded, 8)
}

/// Korean residents' birth dates: the seventh digit says century, sex and citizenship.
fn kr_rrn_date(text: &str) -> bool {
    let Some(n) = number::<13>(text) else { return false };
    let century = match at(&n, 6) {
        1 | 2 | 5 | 6 => 1900,
        3 | 4 | 7 | 8 => 2000,
        _ => 1800,
    };
    date(century + small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6)) && n.get(7..).is_some_and(varied)
}

/// Korean residents with the check digit that was given out until October 2020.
fn kr_rrn(text: &str) -> bool {
    let Some(n) = number::<13>(text) else { return false };
    let rest = weigh(&n, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11;
    let base = if matches!(at(&n, 6), 5..=8) { 13 } else { 11 };
    kr_rrn_date(text) && (base - rest) % 10 == at(&n, 12)
}

/// Korean businesses: weighted mod 10.
fn kr_brn(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    let sum = weigh(&n, &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + at(&n, 8) * 5 / 10;
    small(&n, 0, 3) > 100 && varied(&n) && (10 - sum % 10) % 10 == at(&n, 9)
}

/// Japanese persons: weighted mod 11.
fn jp_my_number(text: &str) -> bool {
    let Some(n) = number::<12>(text) else { return false };
    let rest = weigh(&n, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    varied(&n) && at(&n, 11) == if rest <= 1 { 0 } else { 11 - rest }
}

/// Japanese corporations: the first digit is 9 less the rest mod 9 of the weighted others.
fn jp_corporate_number(text: &str) -> bool {
    let Some([check, rest @ ..]) = number::<13>(text) else {
        return false;
    };
    check == 9 - weigh(&rest, &[2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]) % 9 && varied(&rest)
}

/// Singaporean residents and foreigners: weighted mod 11, a letter of the series.
fn sg_nric(text: &str) -> bool {
    let text = compact(text);
    let n: Vec<u32> = super::digits(&text).collect();
    let (Some(series), Some(check)) = (text.chars().next(), text.chars().last()) else {
        return false;
    };
    let sum = weigh(&n, &[2, 7, 6, 5, 4, 3, 2]);
    let (sum, letters) = match series {
        'S' => (sum, "JZIHGFEDCBA"),
        'T' => (sum + 4, "JZIHGFEDCBA"),
        'F' => (sum, "XWUTRQPNMLK"),
        'G' => (sum + 4, "XWUTRQPNMLK"),
        _ => (sum + 3, "XWUTRQPNJLK"),
    };
    let place = if series == 'M' { 10 - sum % 11 } else { sum % 11 };
    let right = if series == 'M' { "KLJNPQRTUWX" } else { letters };
    n.len() == 7
        && varied(&n)
        && right.chars().nth(place as usize) == Some(check)
        && part(&n, 0, 7) != 1_234_567
}

/// Malaysian identity cards: a birth date and a state or country.
fn my_nric(text: &str) -> bool {
    let Some(n) = number::<12>(text) else { return false };
    let place = small(&n, 6, 8);
    let unused = matches!(place, 0 | 17..=20 | 69 | 70 | 73 | 80 | 81 | 94..=97);
    short_date(small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6)) && !unused && part(&n, 8, 12) > 0
}

/// Thai persons: weighted mod 11.
fn th_tnin(text: &str) -> bool {
    let Some(n) = number::<13>(text) else { return false };
    let check = (11 - weigh(&n, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10;
    at(&n, 0) > 0 && varied(&n) && check == at(&n, 12)
}

/// Indonesian persons: a province, a birth date (women's days plus 40), a serial.
fn id_nik(text: &str) -> bool {
    let Some(n) = number::<16>(text) else { return false };
    let province =
        matches!(small(&n, 0, 2), 11..=19 | 21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97);
    let day = small(&n, 6, 8);
    let day = if day > 40 { day - 40 } else { day };
    province
        && small(&n, 2, 4) > 0
        && small(&n, 4, 6) > 0
        && short_date(small(&n, 10, 12), small(&n, 8, 10), day)
        && part(&n, 12, 16) > 0
}

/// Vietnamese citizens: a province, century and sex, a year.
fn vn_cccd(text: &str) -> bool {
    let Some(n) = number::<12>(text) else { return false };
    matches!(small(&n, 0, 3), 1..=96) && at(&n, 3) <= 3 && n.get(6..).is_some_and(varied)
}

/// Pakistani citizens: a province, digits without a check.
fn pk_cnic(text: &str) -> bool {
    let Some(n) = number::<13>(text) else { return false };
    matches!(at(&n, 0), 1..=7)
        && varied(&n)
        && n.get(5..12).is_some_and(varied)
        && part(&n, 5, 12) != 1_234_567
}

/// Bangladeshi citizens: ten, thirteen or seventeen digits, the last after a year.
fn bd_nid(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    varied(&n)
        && match n.len() {
            10 | 13 => true,
            17 => matches!(small(&n, 0, 4), 1900..=2030),
            _ => false,
        }
}

/// Sri Lankan citizens: a year and a day of the year (women's plus 500), nine digits with a letter or twelve.
fn lk_nic(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let (year, day) = match n.len() {
        9 => (1900 + small(&n, 0, 2), small(&n, 2, 5)),
        12 => (small(&n, 0, 4), small(&n, 4, 7)),
        _ => return false,
    };
    (1900..=2030).contains(&year) && matches!(day, 1..=366 | 501..=866)
}

/// Kazakh persons and firms: a date, mod 11 with second weights where the first give 10.
fn kz_iin(text: &str) -> bool {
    let Some(n) = number::<12>(text) else { return false };
    let check = match weigh(&n, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11 {
        10 => weigh(&n, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11,
        check => check,
    };
    let firm = matches!(at(&n, 4), 4..=6) && matches!(small(&n, 2, 4), 1..=12);
    let person = matches!(at(&n, 6), 0..=6) && short_date(small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6));
    (firm || person) && check == at(&n, 11)
}

/// Israeli persons: Luhn over nine digits.
fn il_id(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    matches!(n.len(), 8 | 9) && luhn(&n) && varied(&n)
}

/// Iranian persons: weighted mod 11.
fn ir_national_id(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    let rest = weigh(&n, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    varied(&n) && at(&n, 9) == if rest < 2 { rest } else { 11 - rest }
}

/// Residents of the United Arab Emirates: 784, a year, a serial, Luhn.
fn ae_emirates_id(text: &str) -> bool {
    let Some(n) = number::<15>(text) else { return false };
    small(&n, 0, 3) == 784
        && matches!(small(&n, 3, 7), 1900..=2035)
        && luhn(&n)
        && part(&n, 7, 14) != 1_234_567
}

/// Saudi citizens (1) and residents (2): Luhn.
fn sa_national_id(text: &str) -> bool {
    number::<10>(text)
        .is_some_and(|n| matches!(at(&n, 0), 1 | 2) && luhn(&n) && n.get(1..).is_some_and(varied))
}

/// Kuwaiti residents: a century, a birth date, weighted mod 11.
fn kw_civil_id(text: &str) -> bool {
    let Some(n) = number::<12>(text) else { return false };
    let check = 11 - weigh(&n, &[2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11;
    let century = match at(&n, 0) {
        2 => 1900,
        3 => 2000,
        _ => return false,
    };
    date(century + small(&n, 1, 3), small(&n, 3, 5), small(&n, 5, 7)) && check == at(&n, 11)
}

/// Egyptian citizens: a century, a birth date, a governorate; how the last digit checks is not published.
fn eg_national_id(text: &str) -> bool {
    let Some(n) = number::<14>(text) else { return false };
    let century = match at(&n, 0) {
        2 => 1900,
        3 => 2000,
        _ => return false,
    };
    let governorate = matches!(small(&n, 7, 9), 1..=4 | 11..=19 | 21..=29 | 31..=35 | 88);
    governorate && date(century + small(&n, 1, 3), small(&n, 3, 5), small(&n, 5, 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn south_and_east_asia() {
        for (check, text, right) in [
            (in_aadhaar as fn(&str) -> bool, "2341 2341 2346", true),
            (in_aadhaar, "2341 2341 2347", false),
            (in_aadhaar, "1234 1234 1234", false),
            (in_pan, "ACUPA7085R", true),
            (in_pan, "ACUXA7085R", false),
            (in_pan, "ABCDE1234F", false),
            (in_voter_id, "WKH1186253", true),
            (in_voter_id, "WKH1186254", false),
            (in_gstin, "27AAPFU0939F1ZV", true),
            (in_gstin, "27AAPFU0939F1ZW", false),
            (cn_resident_id, "11010519491231002X", true),
            (cn_resident_id, "110105194912310029", false),
            (cn_resident_id, "11010519491331002X", false),
            (cn_uscc, "91110000600037341L", true),
            (cn_uscc, "91110000600037341N", false),
            (tw_id, "A800000014", true),
            (tw_id, "A123456789", false),
            (tw_id, "A123456788", false),
            (hk_hkid, "G123456(A)", false),
            (hk_hkid, "C668668(E)", false),
            (hk_hkid, "AB987654(3)", true),
            (kr_rrn, "971013-9019902", true),
            (kr_rrn, "971013-9019903", false),
            (kr_rrn, "971313-9019902", false),
            (kr_brn, "116-82-00276", true),
            (kr_brn, "116-82-00273", false),
            (jp_my_number, "1234 5678 9018", true),
            (jp_my_number, "1234 5678 9019", false),
            (jp_corporate_number, "5-8356-7825-6246", true),
            (jp_corporate_number, "2-8356-7825-6246", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }

    #[test]
    fn the_rest_of_asia_and_africa() {
        for (check, text, right) in [
            (sg_nric as fn(&str) -> bool, "S0000001I", true),
            (sg_nric, "T0000001E", true),
            (sg_nric, "F5284647K", true),
            (sg_nric, "S0000001A", false),
            (my_nric, "770305-02-1234", true),
            (my_nric, "771305-02-1234", false),
            (my_nric, "770305-17-1234", false),
            (th_tnin, "1-2345-45678-78-1", true),
            (th_tnin, "1-2345-45678-78-9", false),
            (id_nik, "3171011708450001", true),
            (id_nik, "3171013208450001", false),
            (id_nik, "2071011708450001", false),
            (vn_cccd, "001099012345", true),
            (vn_cccd, "100099012345", false),
            (pk_cnic, "34201-0891231-8", true),
            (pk_cnic, "84201-0891231-8", false),
            (lk_nic, "853400937V", true),
            (lk_nic, "854000937V", false),
            (lk_nic, "198534000937", true),
            (kz_iin, "061211600012", true),
            (kz_iin, "061211600013", false),
            (il_id, "39337423", true),
            (il_id, "3933742-2", false),
            (ir_national_id, "0084575948", true),
            (ir_national_id, "0084575949", false),
            (ae_emirates_id, "784-1980-1234567-9", false),
            (sa_national_id, "1111111111", false),
            (eg_national_id, "29001011234567", true),
            (eg_national_id, "29013011234567", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
