//! Numbers that states give to people and firms: Latin America.

use super::number::{
    at, compact, luhn, number, part, short_date, small, values, varied, weigh, weigh_across,
};
use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("br_cpf", Check::Value(br_cpf)),
    ("br_cnpj", Check::Value(br_cnpj)),
    ("br_pis", Check::Value(br_pis)),
    ("br_cnh", Check::Value(br_cnh)),
    ("mx_curp", Check::Value(mx_curp)),
    ("mx_rfc", Check::Value(mx_rfc)),
    ("mx_nss", Check::Value(mx_nss)),
    ("ar_cuit", Check::Value(ar_cuit)),
    ("cl_rut", Check::Value(cl_rut)),
    ("co_nit", Check::Value(co_nit)),
    ("ec_cedula", Check::Value(ec_cedula)),
    ("pe_ruc", Check::Value(pe_ruc)),
    ("uy_ci", Check::Value(uy_ci)),
    ("ve_rif", Check::Value(ve_rif)),
    ("do_cedula", Check::Value(do_cedula)),
];

/// Brazilian persons: two check digits mod 11.
fn br_cpf(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    let first = weigh(&n, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) * 10 % 11 % 10;
    let second = weigh(&n, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) * 10 % 11 % 10;
    varied(&n) && part(&n, 0, 9) != 123_456_789 && first == at(&n, 9) && second == at(&n, 10)
}

/// Brazilian firms: two check digits mod 11; since 2026 letters too, which count what their code less 48 is.
fn br_cnpj(text: &str) -> bool {
    let text = compact(text);
    let v: Vec<u32> = text
        .bytes()
        .map(|byte| u32::from(byte.saturating_sub(b'0')))
        .collect();
    let check = |weights: &[u32]| weigh(&v, weights) * 10 % 11 % 10;
    v.len() == 14
        && varied(&v)
        && check(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == at(&v, 12)
        && check(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == at(&v, 13)
}

/// Brazilian social programmes (PIS, PASEP, NIS, NIT): weighted mod 11.
fn br_pis(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    varied(&n) && weigh(&n, &[3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) * 10 % 11 % 10 == at(&n, 10)
}

/// Brazilian driving licences: two check digits mod 11; where the first would be 10, the second loses two.
fn br_cnh(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    let first = weigh(&n, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11;
    let second = weigh(&n, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11;
    let (first, second) = match first {
        10 => (0, if second >= 10 { 0 } else { (second + 9) % 11 }),
        first => (first, if second >= 10 { 0 } else { second }),
    };
    varied(&n) && first == at(&n, 9) && second % 10 == at(&n, 10)
}

/// The states of Mexico, `NE` for those born abroad.
const MX_STATES: &str =
    "AS BC BS CC CL CM CS CH DF CX DG GT GR HG JC MC MN MS NT NL OC PL QT QR SP SL SR TC TS TL VZ YN ZS NE";

/// Mexican population codes: a birth date, sex, state, a check digit over an alphabet of 37.
fn mx_curp(text: &str) -> bool {
    let text = compact(text);
    let counted = |character: char| {
        "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
            .chars()
            .position(|known| known == character)
    };
    let values = text
        .chars()
        .take(17)
        .map(|character| counted(character).unwrap_or_default());
    let sum: usize = values
        .zip((2..=18).rev())
        .map(|(value, weight)| value * weight)
        .sum();
    let n: Vec<u32> = super::digits(text.get(4..10).unwrap_or_default()).collect();
    let state = text.get(11..13).unwrap_or_default();
    text.len() == 18
        && n.len() == 6
        && short_date(small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6))
        && MX_STATES.split(' ').any(|known| known == state)
        && text.chars().last().and_then(|last| last.to_digit(10)) == u32::try_from((10 - sum % 10) % 10).ok()
}

/// Mexican tax codes: a date and a check character mod 11 over an alphabet of 39; firms have a letter less.
fn mx_rfc(text: &str) -> bool {
    let text: String = text
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '&')
        .collect::<String>()
        .to_uppercase();
    let padded = if text.chars().count() == 12 {
        format!(" {text}")
    } else {
        text
    };
    let alphabet = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ";
    let counted = |character: char| {
        alphabet
            .chars()
            .position(|known| known == character)
            .unwrap_or_default()
    };
    let sum: usize = padded
        .chars()
        .take(12)
        .map(counted)
        .zip((2..=13).rev())
        .map(|(value, weight)| value * weight)
        .sum();
    let check = match (11 - sum % 11) % 11 {
        10 => Some('A'),
        check => u32::try_from(check)
            .ok()
            .and_then(|check| char::from_digit(check, 10)),
    };
    let n: Vec<u32> = padded
        .chars()
        .skip(4)
        .take(6)
        .filter_map(|character| character.to_digit(10))
        .collect();
    let generic = padded.starts_with("XAXX") || padded.starts_with("XEXX");
    padded.chars().count() == 13
        && n.len() == 6
        && !generic
        && short_date(small(&n, 0, 2), small(&n, 2, 4), small(&n, 4, 6))
        && padded.chars().last() == check
}

/// Mexican social security: Luhn.
fn mx_nss(text: &str) -> bool {
    number::<11>(text).is_some_and(|n| luhn(&n) && varied(&n))
}

/// Argentinian tax and labour numbers: a kind, weighted mod 11; where the check would be 10 it is 9 under another kind.
fn ar_cuit(text: &str) -> bool {
    let Some(n) = number::<11>(text) else {
        return false;
    };
    let check = match 11 - weigh(&n, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 0,
        10 => 9,
        check => check,
    };
    matches!(small(&n, 0, 2), 20 | 23..=27 | 30 | 33 | 34 | 50 | 51 | 55)
        && n.get(2..10).is_some_and(varied)
        && check == at(&n, 10)
}

/// Chilean tax numbers: weights 2 to 7 from the right, mod 11; `K` is 10.
fn cl_rut(text: &str) -> bool {
    let v = values(text);
    let Some((check, n)) = v.split_last() else {
        return false;
    };
    let sum: u32 = n
        .iter()
        .rev()
        .zip([2, 3, 4, 5, 6, 7].into_iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .sum();
    let wanted = match (11 - sum % 11) % 11 {
        10 => 20,
        wanted => wanted,
    };
    matches!(n.len(), 7 | 8)
        && varied(n)
        && n.iter().all(|digit| *digit < 10)
        && part(n, 0, n.len()) >= 1_000_000
        && *check == wanted
}

/// Colombian tax numbers: primes from the right, mod 11.
fn co_nit(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let Some((check, body)) = n.split_last() else {
        return false;
    };
    let weights = [3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71];
    let sum: u32 = body
        .iter()
        .rev()
        .zip(weights)
        .map(|(digit, weight)| digit * weight)
        .sum();
    let rest = sum % 11;
    (9..=11).contains(&n.len()) && varied(body) && *check == if rest > 1 { 11 - rest } else { rest }
}

/// Ecuadorian identity cards, and the tax numbers that add 001 to them: a province, weights 2 and 1, mod 10.
fn ec_cedula(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let body = n.get(..10).unwrap_or_default();
    let tail = n.len() == 10 || (n.len() == 13 && small(&n, 10, 13) > 0 && small(&n, 10, 13) < 10);
    tail && matches!(small(&n, 0, 2), 1..=24 | 30)
        && at(&n, 2) < 6
        && varied(body)
        && weigh_across(body, &[2, 1, 2, 1, 2, 1, 2, 1, 2, 1]).is_multiple_of(10)
}

/// Peruvian tax numbers: a kind, weighted mod 11.
fn pe_ruc(text: &str) -> bool {
    let Some(n) = number::<11>(text) else { return false };
    let check = (11 - weigh(&n, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 10;
    matches!(small(&n, 0, 2), 10 | 15..=17 | 20) && varied(&n) && check == at(&n, 10)
}

/// Uruguayan identity cards: weighted mod 10.
fn uy_ci(text: &str) -> bool {
    let n: Vec<u32> = super::digits(text).collect();
    let padded = [vec![0; 8_usize.saturating_sub(n.len())], n.clone()].concat();
    let check = (10 - weigh(&padded, &[2, 9, 8, 7, 6, 3, 4]) % 10) % 10;
    matches!(n.len(), 7 | 8) && varied(&n) && check == at(&padded, 7)
}

/// Venezuelan tax numbers: a letter for the kind, weighted mod 11.
fn ve_rif(text: &str) -> bool {
    let text = compact(text);
    let kind = match text.chars().next() {
        Some('V') => 4,
        Some('E') => 8,
        Some('J' | 'C') => 12,
        Some('P') => 16,
        Some('G') => 20,
        _ => return false,
    };
    let Some(n) = number::<9>(text.get(1..).unwrap_or_default()) else {
        return false;
    };
    let rest = (kind + weigh(&n, &[3, 2, 7, 6, 5, 4, 3, 2])) % 11;
    varied(&n) && at(&n, 8) == if rest < 2 { 0 } else { 11 - rest }
}

/// Dominican identity cards: Luhn.
fn do_cedula(text: &str) -> bool {
    number::<11>(text).is_some_and(|n| luhn(&n) && varied(&n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        for (check, text, right) in [
            (br_cpf as fn(&str) -> bool, "390.533.447-05", true),
            (br_cpf, "231.002.999-00", false),
            (br_cpf, "111.111.111-11", false),
            (br_cnpj, "16.727.230/0001-97", true),
            (br_cnpj, "16.727.230.0001-98", false),
            // The example of the revenue service's note on letters in the number.
            (br_cnpj, "12.ABC.345/01DE-35", true),
            (br_cnpj, "12.ABC.345/01DE-36", false),
            (br_pis, "120.56874.10-7", true),
            (br_pis, "120.56874.10-8", false),
            (mx_curp, "BOXW310820HNERXN09", true),
            (mx_curp, "BOXW310820HNERXN08", false),
            (mx_curp, "BOXW310832HNERXN09", false),
            (mx_rfc, "GODE561231GR8", true),
            (mx_rfc, "GODE561231GR9", false),
            (mx_rfc, "XAXX010101000", false),
            (ar_cuit, "20-05536168-2", true),
            (ar_cuit, "20-05536168-3", false),
            (cl_rut, "76.086.428-5", true),
            (cl_rut, "12531909-2", true),
            (cl_rut, "12531909-3", false),
            (co_nit, "213.123.432-1", true),
            (co_nit, "2131234325", false),
            (ec_cedula, "171430710-3", true),
            (ec_cedula, "171430710-4", false),
            (pe_ruc, "20512333797", true),
            (pe_ruc, "20512333798", false),
            (uy_ci, "1.234.567-2", true),
            (uy_ci, "1.234.567-3", false),
            (ve_rif, "V-11470283-4", true),
            (ve_rif, "V-11470283-3", false),
            (do_cedula, "001-1391820-5", true),
            (do_cedula, "001-1391821-5", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
