//! Numbers that states give to people and firms: northern, central and eastern Europe.

use super::number::{at, date, luhn, mod_11_10, number, part, short_date, small, values, varied, weigh};
use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("se_personnummer", Check::Value(se_personnummer)),
    ("fi_hetu", Check::Value(fi_hetu)),
    ("dk_cpr", Check::Value(dk_cpr)),
    ("no_fnr", Check::Value(no_fnr)),
    ("no_orgnr", Check::Value(no_orgnr)),
    ("is_kennitala", Check::Value(is_kennitala)),
    ("ee_isikukood", Check::Value(ee_isikukood)),
    ("lv_personas_kods", Check::Value(lv_personas_kods)),
    ("pl_pesel", Check::Value(pl_pesel)),
    ("pl_nip", Check::Value(pl_nip)),
    ("pl_id_card", Check::Value(pl_id_card)),
    ("cz_rodne_cislo", Check::Value(cz_rodne_cislo)),
    ("cz_ico", Check::Value(cz_ico)),
    ("hu_tax_id", Check::Value(hu_tax_id)),
    ("hu_taj", Check::Value(hu_taj)),
    ("hu_personal_id", Check::Value(hu_personal_id)),
    ("ro_cnp", Check::Value(ro_cnp)),
    ("ro_cui", Check::Value(ro_cui)),
    ("bg_egn", Check::Value(bg_egn)),
    ("hr_oib", Check::Value(hr_oib)),
    ("si_emso", Check::Value(si_emso)),
    ("rs_jmbg", Check::Value(rs_jmbg)),
    ("si_tax_number", Check::Value(si_tax_number)),
    ("gr_afm", Check::Value(gr_afm)),
    ("gr_amka", Check::Value(gr_amka)),
    ("cy_tic", Check::Value(cy_tic)),
    ("tr_tckn", Check::Value(tr_tckn)),
    ("tr_vkn", Check::Value(tr_vkn)),
    ("ru_snils", Check::Value(ru_snils)),
    ("ru_inn", Check::Value(ru_inn)),
    ("ru_ogrn", Check::Value(ru_ogrn)),
    ("ua_rnokpp", Check::Value(ua_rnokpp)),
    ("md_idnp", Check::Value(md_idnp)),
];

/// Swedish personal numbers: a birth date (days plus 60 for coordination numbers), Luhn over the last ten digits.
fn se_personnummer(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let Some((century, n)) = n.len().checked_sub(10).and_then(|lead| n.split_at_checked(lead)) else {
        return false;
    };
    let (year, month, day) = (small(n, 0, 2), small(n, 2, 4), small(n, 4, 6));
    let day = if day > 60 { day - 60 } else { day };
    let dated = match century {
        [] => short_date(year, month, day),
        [first, second] => date(first * 1000 + second * 100 + year, month, day),
        _ => false,
    };
    dated && luhn(n)
}

/// Finnish personal identity codes: a birth date, a sign for the century, a number, a check character mod 31.
fn fi_hetu(text: &str) -> bool {
    let (Some(date_part), Some(sign), Some(tail)) = (text.get(..6), text.get(6..7), text.get(7..10)) else {
        return false;
    };
    let century = match sign {
        "+" => 1800,
        "-" | "U" | "V" | "W" | "X" | "Y" => 1900,
        _ => 2000,
    };
    let n: Vec<u32> = super::digits(date_part).chain(super::digits(tail)).collect();
    let check = "0123456789ABCDEFHJKLMNPRSTUVWXY"
        .chars()
        .nth((part(&n, 0, 9) % 31) as usize);
    n.len() == 9
        && text.len() == 11
        && date(century + small(&n, 4, 6), small(&n, 2, 4), small(&n, 0, 2))
        && small(&n, 6, 9) >= 2
        && check == text.chars().last().map(|letter| letter.to_ascii_uppercase())
}

/// Danish personal numbers: a birth date. The check digit ran out in 2007 and proves nothing since.
fn dk_cpr(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    let day = small(&n, 0, 2);
    // Substitute numbers have 60 added to the day.
    let day = if day > 60 { day - 60 } else { day };
    short_date(small(&n, 4, 6), small(&n, 2, 4), day) && part(&n, 6, 10) > 0
}

/// Norwegian birth numbers: a birth date (days plus 40: D numbers; months plus 40, 65 or 80: others), two check digits mod 11.
fn no_fnr(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    let (day, month) = (small(&n, 0, 2), small(&n, 2, 4));
    let day = if day > 40 { day - 40 } else { day };
    let month = match month {
        41..=52 => month - 40,
        66..=77 => month - 65,
        81..=92 => month - 80,
        _ => month,
    };
    let check = |weights: &[u32]| (11 - weigh(&n, weights) % 11) % 11;
    short_date(small(&n, 4, 6), month, day)
        && check(&[3, 7, 6, 1, 8, 9, 4, 5, 2]) == at(&n, 9)
        && check(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) == at(&n, 10)
}

/// Norwegian organisations: weighted mod 11; the first digit is 8 or 9.
fn no_orgnr(text: &str) -> bool {
    let Some(n) = number::<9>(text) else { return false };
    let check = (11 - weigh(&n, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    matches!(at(&n, 0), 8 | 9) && varied(&n) && check == at(&n, 8)
}

/// Icelandic identity numbers: a date (days plus 40 for firms), a check digit mod 11, a digit for the century.
fn is_kennitala(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    let day = small(&n, 0, 2);
    let century = match at(&n, 9) {
        0 => 2000,
        8 => 1800,
        9 => 1900,
        _ => return false,
    };
    date(
        century + small(&n, 4, 6),
        small(&n, 2, 4),
        if day > 40 { day - 40 } else { day },
    ) && weigh(&n, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// Estonian and Lithuanian personal codes: sex and century, a birth date, mod 11 with second weights where the first give 10.
fn ee_isikukood(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    let century = 1800 + (at(&n, 0).saturating_sub(1)) / 2 * 100;
    let check = match weigh(&n, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
        10 => weigh(&n, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        check => check,
    };
    matches!(at(&n, 0), 1..=6)
        && date(century + small(&n, 1, 3), small(&n, 3, 5), small(&n, 5, 7))
        && check == at(&n, 10)
}

/// Latvian personal codes: a birth date and a digit for the century, mod 11; since 2017 a number after 32 to 39 that tells
/// nothing.
fn lv_personas_kods(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    if matches!(small(&n, 0, 2), 32..=39) {
        return varied(n.get(2..).unwrap_or_default());
    }
    let century = 1800 + at(&n, 6) * 100;
    let check = (1101 - weigh(&n, &[1, 6, 3, 7, 9, 10, 5, 8, 4, 2])) % 11;
    at(&n, 6) <= 2 && date(century + small(&n, 4, 6), small(&n, 2, 4), small(&n, 0, 2)) && check == at(&n, 10)
}

/// A birth date whose month carries the century: plus 20 for 2000, 80 for 1800.
fn century_month(year: u32, month: u32, day: u32) -> bool {
    match month {
        81..=92 => date(1800 + year, month - 80, day),
        21..=32 => date(2000 + year, month - 20, day),
        _ => date(1900 + year, month, day),
    }
}

/// Polish personal numbers: a birth date whose month carries the century, weighted mod 10.
fn pl_pesel(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    century_month(small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6))
        && weigh(&n, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

/// Polish tax numbers: weighted mod 11.
fn pl_nip(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    small(&n, 0, 3) > 100 && varied(&n) && weigh(&n, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == at(&n, 9)
}

/// Polish identity cards: three letters, a check digit, five digits, as in ICAO 9303.
fn pl_id_card(text: &str) -> bool {
    let v = values(text);
    v.len() == 9
        && v.get(3..).is_some_and(varied)
        && weigh(&v, &[7, 3, 1, 0, 7, 3, 1, 7, 3]) % 10 == at(&v, 3)
}

/// Czech and Slovak birth numbers: a birth date (women's months plus 50, plus 20 where a day's numbers ran out), the whole a
/// multiple of 11; before 1954 nine digits without a check.
fn cz_rodne_cislo(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let (year, month, day) = (small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6));
    let month = if month > 50 { month - 50 } else { month };
    let month = if month > 20 { month - 20 } else { month };
    let checked = match n.len() {
        9 => year < 54 && part(&n, 6, 9) > 0,
        10 => part(&n, 0, 10).is_multiple_of(11) || (part(&n, 0, 9) % 11 == 10 && at(&n, 9) == 0),
        _ => false,
    };
    checked && short_date(year, month, day)
}

/// Czech and Slovak firms: weighted mod 11.
fn cz_ico(text: &str) -> bool {
    let Some(n) = number::<8>(text) else { return false };
    varied(&n) && (11 - weigh(&n, &[8, 7, 6, 5, 4, 3, 2]) % 11) % 10 == at(&n, 7)
}

/// Hungarian tax numbers of persons: 8, the days since 1867, each digit times its place mod 11.
fn hu_tax_id(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    at(&n, 0) == 8 && varied(&n) && weigh(&n, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == at(&n, 9)
}

/// Hungarian social security: weights 3 and 7, mod 10.
fn hu_taj(text: &str) -> bool {
    let Some(n) = number::<9>(text) else { return false };
    varied(&n) && weigh(&n, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == at(&n, 8)
}

/// Hungarian personal numbers: sex and century, a birth date, each digit times its place mod 11 (from 1997 on backwards).
fn hu_personal_id(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    let (year, month, day) = (small(&n, 1, 3), small(&n, 3, 5), small(&n, 5, 7));
    let forward = weigh(&n, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) % 11;
    let backward = weigh(&n, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11;
    matches!(at(&n, 0), 1..=8)
        && short_date(year, month, day)
        && (forward == at(&n, 10) || backward == at(&n, 10))
}

/// Romanian personal codes: sex and century, a birth date, a county, weighted mod 11; 10 becomes 1.
fn ro_cnp(text: &str) -> bool {
    let Some(n) = number::<13>(text) else { return false };
    let (year, month, day) = (small(&n, 1, 3), small(&n, 3, 5), small(&n, 5, 7));
    let dated = match at(&n, 0) {
        1 | 2 => date(1900 + year, month, day),
        3 | 4 => date(1800 + year, month, day),
        5 | 6 => date(2000 + year, month, day),
        7..=9 => short_date(year, month, day),
        _ => false,
    };
    let check = weigh(&n, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    dated
        && matches!(small(&n, 7, 9), 1..=52 | 70 | 80..=83)
        && (if check == 10 { 1 } else { check }) == at(&n, 12)
}

/// Romanian firms: up to ten digits, weighted mod 11.
fn ro_cui(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let padded = [vec![0; 10_usize.saturating_sub(n.len())], n.clone()].concat();
    let check = weigh(&padded, &[7, 5, 3, 2, 1, 7, 5, 3, 2]) * 10 % 11 % 10;
    (5..=10).contains(&n.len()) && varied(&n) && check == at(&padded, 9)
}

/// Bulgarian civil numbers: a birth date whose month carries the century (plus 40 for 2000), weighted mod 11.
fn bg_egn(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    let (year, month, day) = (small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6));
    let dated = match month {
        41..=52 => date(2000 + year, month - 40, day),
        21..=32 => date(1800 + year, month - 20, day),
        _ => date(1900 + year, month, day),
    };
    dated && weigh(&n, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == at(&n, 9)
}

/// Croatian personal numbers: ISO 7064 mod 11,10.
fn hr_oib(text: &str) -> bool {
    number::<11>(text).is_some_and(|n| varied(&n) && mod_11_10(&n))
}

/// The numbers of Yugoslavia and the states after it: a birth date with three digits of the year, a region, mod 11.
fn jmbg(n: &[u32; 13]) -> bool {
    let year = small(n, 4, 7);
    let year = if year < 800 { 2000 + year } else { 1000 + year };
    let check = (11 - weigh(n, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    date(year, small(n, 2, 4), small(n, 0, 2)) && check == at(n, 12)
}

/// Slovenian numbers of that kind: regions 50 to 59.
fn si_emso(text: &str) -> bool {
    number::<13>(text).is_some_and(|n| at(&n, 7) == 5 && jmbg(&n))
}

/// All others of that kind.
fn rs_jmbg(text: &str) -> bool {
    number::<13>(text).is_some_and(|n| at(&n, 7) != 5 && jmbg(&n))
}

/// Slovenian tax numbers: weighted mod 11; 10 becomes 0.
fn si_tax_number(text: &str) -> bool {
    let Some(n) = number::<8>(text) else { return false };
    let check = 11 - weigh(&n, &[8, 7, 6, 5, 4, 3, 2]) % 11;
    at(&n, 0) > 0 && varied(&n) && check < 11 && check % 10 == at(&n, 7)
}

/// Greek tax numbers: powers of two, mod 11.
fn gr_afm(text: &str) -> bool {
    let Some(n) = number::<9>(text) else { return false };
    varied(&n) && weigh(&n, &[256, 128, 64, 32, 16, 8, 4, 2]) % 11 % 10 == at(&n, 8)
}

/// Greek social security: a birth date, Luhn.
fn gr_amka(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    short_date(small(&n, 4, 6), small(&n, 2, 4), small(&n, 0, 2)) && luhn(&n)
}

/// Cypriot tax numbers: digits at odd places translated, a letter mod 26.
fn cy_tic(text: &str) -> bool {
    const ODD: [u32; 10] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21];
    let v = values(text);
    let counted = |(place, digit): (usize, &u32)| {
        if place % 2 == 0 {
            at(&ODD, *digit as usize)
        } else {
            *digit
        }
    };
    let sum: u32 = v.iter().take(8).enumerate().map(counted).sum();
    v.len() == 9
        && v.iter().take(8).all(|digit| *digit < 10)
        && varied(v.get(..8).unwrap_or_default())
        && sum % 26 + 10 == at(&v, 8)
}

/// Turkish identity numbers: two check digits mod 10.
fn tr_tckn(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    let odd = weigh(&n, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weigh(&n, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let tenth = (odd * 7 + 90 - even) % 10;
    at(&n, 0) > 0 && tenth == at(&n, 9) && n.iter().take(10).sum::<u32>() % 10 == at(&n, 10)
}

/// Turkish tax numbers.
fn tr_vkn(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    let counted = |(digit, place): (&u32, u32)| {
        let moved = (digit + 9 - place) % 10;
        let value = moved * 2_u32.pow(9 - place) % 9;
        if moved != 0 && value == 0 { 9 } else { value }
    };
    let sum: u32 = n.iter().take(9).zip(0..).map(counted).sum();
    varied(&n) && (10 - sum % 10) % 10 == at(&n, 9)
}

/// Russian pension insurance: weighted sum mod 101.
fn ru_snils(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    let check = u64::from(weigh(&n, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100);
    part(&n, 0, 9) > 1_001_998 && varied(&n) && check == part(&n, 9, 11)
}

/// Russian tax numbers: of persons twelve digits, the last two check; of firms ten, the last checks.
fn ru_inn(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let check = |weights: &[u32]| weigh(&n, weights) % 11 % 10;
    let right = match n.len() {
        10 => check(&[2, 4, 10, 3, 5, 9, 4, 6, 8]) == at(&n, 9),
        12 => {
            check(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) == at(&n, 10)
                && check(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) == at(&n, 11)
        }
        _ => false,
    };
    right && varied(&n) && small(&n, 0, 2) > 0
}

/// Russian state registration numbers: of firms mod 11, of entrepreneurs mod 13.
fn ru_ogrn(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let last = u64::from(at(&n, n.len().saturating_sub(1)));
    match n.len() {
        13 => matches!(at(&n, 0), 1 | 2 | 5) && part(&n, 0, 12) % 11 % 10 == last,
        15 => at(&n, 0) == 3 && part(&n, 0, 14) % 13 % 10 == last,
        _ => false,
    }
}

/// Ukrainian taxpayer cards: weighted mod 11; the first weight takes away.
fn ua_rnokpp(text: &str) -> bool {
    let Some(n) = number::<10>(text) else { return false };
    let sum = weigh(&n, &[10, 5, 7, 9, 4, 6, 10, 5, 7]);
    varied(&n) && sum % 11 % 10 == at(&n, 9)
}

/// Moldovan identity numbers: weights 7, 3, 1, mod 10.
fn md_idnp(text: &str) -> bool {
    let Some(n) = number::<13>(text) else { return false };
    matches!(at(&n, 0), 0..=2)
        && varied(&n)
        && weigh(&n, &[7, 3, 1, 7, 3, 1, 7, 3, 1, 7, 3, 1]) % 10 == at(&n, 12)
}

/// The value added tax numbers of these countries, without the country.
pub(super) fn vat(country: &str, rest: &str) -> bool {
    let n: Vec<u32> = super::digits(rest).collect();
    let plain = n.len() == rest.len();
    let last = at(&n, n.len().saturating_sub(1));
    match country {
        "BG" => plain && bg_vat(&n),
        "CY" => cy_tic(rest),
        "CZ" => plain && (cz_ico(rest) || cz_rodne_cislo(rest)),
        "EE" => plain && n.len() == 9 && weigh(&n, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10),
        "EL" => plain && gr_afm(rest),
        "HR" => plain && hr_oib(rest),
        "HU" => plain && n.len() == 8 && (10 - weigh(&n, &[9, 7, 3, 1, 9, 7, 3]) % 10) % 10 == last,
        "MT" => {
            plain && n.len() == 8 && (weigh(&n, &[3, 4, 6, 7, 8, 9]) + small(&n, 6, 8)).is_multiple_of(37)
        }
        "PL" => plain && pl_nip(rest),
        "RO" => plain && ro_cui(rest),
        "SI" => plain && si_tax_number(rest),
        "SK" => plain && n.len() == 10 && part(&n, 0, 10).is_multiple_of(11),
        _ => false,
    }
}

fn bg_vat(n: &[u32]) -> bool {
    let check = match weigh(n, &[1, 2, 3, 4, 5, 6, 7, 8]) % 11 {
        10 => weigh(n, &[3, 4, 5, 6, 7, 8, 9, 10]) % 11 % 10,
        check => check,
    };
    n.len() == 9 && check == at(n, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn north() {
        for (check, text, right) in [
            // Published by the registers themselves or in their descriptions of the check.
            (se_personnummer as fn(&str) -> bool, "811218-9876", true),
            (se_personnummer, "19811218-9876", true),
            (se_personnummer, "811218-9875", false),
            (se_personnummer, "811318-9876", false),
            (fi_hetu, "131052-308T", true),
            (fi_hetu, "131052-308U", false),
            (fi_hetu, "310252-308T", false),
            (dk_cpr, "211062-5629", true),
            (dk_cpr, "300262-5629", false),
            (no_fnr, "15108695088", true),
            (no_fnr, "15108695077", false),
            (no_orgnr, "988 077 917", true),
            (no_orgnr, "988 077 918", false),
            (is_kennitala, "450401-3150", true),
            (is_kennitala, "120174-3399", true),
            (is_kennitala, "530575-0299", false),
            (ee_isikukood, "36805280109", true),
            (ee_isikukood, "33309240064", true),
            (ee_isikukood, "36805280108", false),
            (lv_personas_kods, "161175-19997", true),
            (lv_personas_kods, "161375-19997", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }

    #[test]
    fn central_and_eastern() {
        for (check, text, right) in [
            (pl_pesel as fn(&str) -> bool, "44051401359", true),
            (pl_pesel, "44051401358", false),
            (pl_pesel, "02381307589", false),
            (pl_nip, "856-734-62-15", true),
            (pl_nip, "856-734-62-16", false),
            (pl_id_card, "ABA300000", true),
            (pl_id_card, "ABA400000", false),
            (cz_rodne_cislo, "710319/2745", true),
            (cz_rodne_cislo, "710319/2746", false),
            (cz_rodne_cislo, "590312/123", false),
            (cz_ico, "25123891", true),
            (cz_ico, "25123890", false),
            (hu_tax_id, "8071592153", true),
            (hu_tax_id, "8071592154", false),
            (ro_cnp, "1630615123457", true),
            (ro_cnp, "1630615993454", false),
            (ro_cui, "18547290", true),
            (ro_cui, "18547291", false),
            (bg_egn, "752316 926 3", true),
            (bg_egn, "8032056031", true),
            (bg_egn, "8032056030", false),
            (hr_oib, "33392005961", true),
            (hr_oib, "33392005962", false),
            (si_emso, "0101006500006", true),
            (si_emso, "0101006500007", false),
            (rs_jmbg, "0101006500006", false),
            (rs_jmbg, "0710003730015", true),
            (si_tax_number, "50223054", true),
            (si_tax_number, "50223055", false),
            (gr_afm, "094259216", true),
            (gr_afm, "123456781", false),
            (gr_amka, "01013099997", true),
            (gr_amka, "01013099999", false),
            (cy_tic, "10259033P", true),
            (cy_tic, "10259033Z", false),
            (tr_tckn, "17291716060", true),
            (tr_tckn, "17291716050", false),
            (tr_vkn, "4540536920", true),
            (tr_vkn, "4540536921", false),
            (ru_snils, "112-233-445 95", true),
            (ru_snils, "112-233-445 96", false),
            (ru_inn, "7707083893", true),
            (ru_inn, "500100732259", true),
            (ru_inn, "500100732258", false),
            (ru_ogrn, "1022200525819", true),
            (ru_ogrn, "1022500001325", true),
            (ru_ogrn, "1022500001328", false),
            (ua_rnokpp, "1759013776", true),
            (ua_rnokpp, "1759013770", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
