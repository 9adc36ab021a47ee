//! Cards and bank accounts.

use super::{
    context::{OTHERS, Words},
    digits,
};
use std::sync::LazyLock;

use crate::around::{Check, Match};
use portcullis_core::Span;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("luhn", Check::Value(luhn)),
    ("card", Check::Left(card)),
    ("card_expiry", Check::Value(card_expiry)),
    ("iban", Check::Value(iban)),
    ("bic", Check::Value(bic)),
    ("aba", Check::Value(aba)),
    ("account", Check::Left(account)),
    ("clabe", Check::Value(clabe)),
];

/// Numbers with a check digit by Luhn's rule (ISO/IEC 7812-1, annex B). All digits the same is a placeholder.
pub(super) fn luhn(text: &str) -> bool {
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

/// Issuer ranges by their first six digits, and the lengths (a bit each) that their cards have.
#[rustfmt::skip]
const ISSUERS: &[(u32, u32, u32)] = &[
    (222_100, 272_099, 1 << 16),                       // Mastercard
    (220_000, 220_499, 0xf << 16),                     // Mir
    (300_000, 305_999, 1 << 14 | 1 << 16 | 1 << 19),   // Diners Club
    (309_500, 309_599, 1 << 14 | 1 << 16 | 1 << 19),
    (340_000, 349_999, 1 << 15),                       // American Express
    (352_800, 358_999, 0xf << 16),                     // JCB
    (360_000, 369_999, 0x3f << 14),                    // Diners Club
    (370_000, 379_999, 1 << 15),
    (380_000, 399_999, 0xf << 16),
    (400_000, 499_999, 1 << 13 | 1 << 16 | 1 << 19),   // Visa
    (500_000, 509_999, 0xff << 12),                    // Maestro, Elo, Verve
    (510_000, 559_999, 1 << 16),                       // Mastercard
    (560_000, 589_999, 0xff << 12),                    // Maestro
    (600_000, 699_999, 0xff << 12),                    // Discover, UnionPay, RuPay, Maestro, Troy
    (810_000, 819_999, 0xf << 16),                     // UnionPay, RuPay
    (979_200, 979_299, 1 << 16),                       // Troy
];

/// The numbers of an issuer in the digits of `text`: the first six, and how many there are in all.
fn issuer(text: &str) -> (u32, usize) {
    let head = digits(text).take(6).fold(0, |number, digit| number * 10 + digit);
    (head, digits(text).count())
}

/// How the characters of `text` are grouped: the length of each run between gaps.
fn groups(text: &str) -> impl Iterator<Item = usize> + Clone {
    text.split(|character: char| !character.is_alphanumeric())
        .filter(|group| !group.is_empty())
        .map(str::len)
}

/// Payment card numbers: an issuer range, a length it gives out, the check digit, and the groups in which people write
/// them. Groups of one or two digits are a card only where it is called one: tables of numbers look the same.
fn card(found: &Match<'_>) -> Option<Span> {
    let text = found.value();
    if !issued(text) {
        return None;
    }
    let (_, count) = issuer(text);
    let called = |near| CARD_WORDS.last_in(&found.before(near).to_lowercase()).is_some();
    let before = found.before(24).to_lowercase();
    // A group of another number right before (an IBAN's), or the name of another number.
    let behind = before.trim_end_matches([' ', '-', '\u{a0}']);
    // Or a card's, where several stand in a row.
    let other = behind
        .len()
        .checked_sub(text.len())
        .and_then(|at| behind.split_at_checked(at));
    let in_a_row = other.is_some_and(|(left, other)| {
        issued(other)
            && groups(other).eq(groups(text))
            && !left.ends_with(|last: char| last.is_ascii_alphanumeric())
    });
    let tail = behind.len() < before.len()
        && behind.ends_with(|last: char| last.is_ascii_digit())
        && groups(text).count() > 1
        && !in_a_row;
    if tail || OTHERS.last_in(&before) > CARD_WORDS.last_in(&before) {
        return None;
    }
    let mut sizes = groups(text);
    let first = sizes.next().unwrap_or(0);
    let rest: Vec<usize> = sizes.collect();
    let usual = match (first, rest.as_slice()) {
        // Bare digits of unusual lengths are ids more often than cards.
        (_, []) => (14..=16).contains(&count) || called(48),
        (4, [6, 4 | 5]) => true,
        (4, [middle @ .., last]) if count >= 14 => middle.iter().all(|size| *size == 4) && *last <= 4,
        (6, [7 | 10 | 13]) => called(48),
        (1, rest) => rest.iter().all(|size| *size == 1) && called(64),
        (2, [middle @ .., last]) => middle.iter().all(|size| *size == 2) && *last <= 2 && called(64),
        _ => false,
    };
    usual.then(|| found.span())
}

/// Whether an issuer gives out such numbers, and the check digit is right.
fn issued(text: &str) -> bool {
    let (head, count) = issuer(text);
    let known =
        |(from, to, lengths): &(u32, u32, u32)| (*from..=*to).contains(&head) && lengths >> count & 1 == 1;
    ISSUERS.iter().any(known) && luhn(text) && mixed(text)
}

/// Whether a number has more than one digit of its own: placeholders repeat one.
fn mixed(text: &str) -> bool {
    let seen = digits(text).fold(0u32, |seen, digit| seen | 1 << digit);
    seen.count_ones() >= 2
}

/// What people call a card number.
static CARD_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(WORDS_FOR_CARDS));

const WORDS_FOR_CARDS: &str = "card|credit|debit|visa|mastercard|maestro|amex|pan|cc|karte|kreditkarte|carte|tarjeta|carta|cartão|\
    cartao|kaart|kort|karta|kartı|kartu|карта|карты|カード|卡|카드|บัตร";

/// Month and year: `04/29`, `04/2029`.
fn card_expiry(text: &str) -> bool {
    let mut parts = text
        .split(|character: char| !character.is_ascii_digit())
        .filter(|part| !part.is_empty());
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok());
    let (month, year) = (number(parts.next()), number(parts.next()));
    matches!(month, Some(1..=12)) && matches!(year, Some(15..=49 | 2015..=2049)) && parts.next().is_none()
}

/// Lengths by country of the IBAN registry (SWIFT, release 99).
const IBAN_LENGTHS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 \
    DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 \
    JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 \
    PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 \
    XK20 YE30";

/// The same by the country's letters, nought where there is none.
static IBAN_LENGTH: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let mut lengths = vec![0; 26 * 26];
    for entry in IBAN_LENGTHS.split_whitespace() {
        let (country, length) = entry.split_at(2);
        let place = country_place(country.bytes());
        if let Some(slot) = place.and_then(|place| lengths.get_mut(place)) {
            *slot = length.parse().unwrap_or(0);
        }
    }
    lengths
});

/// The place of a country in [`IBAN_LENGTH`], by the two letters that something begins with.
fn country_place(mut letters: impl Iterator<Item = u8>) -> Option<usize> {
    let mut letter = || {
        let place = letters.next()?.to_ascii_uppercase().checked_sub(b'A')?;
        (place < 26).then_some(usize::from(place))
    };
    Some(letter()? * 26 + letter()?)
}

/// Bank account numbers (ISO 13616): the country's length, and 1 modulo 97. Groups of another size than four are taken
/// where no small letter stands in them: in `at 12 this is …` blanks part words.
fn iban(text: &str) -> bool {
    let compact = || text.chars().filter(char::is_ascii_alphanumeric);
    // One start has many ends, and most are of another length than the country's.
    let bytes = || text.bytes().filter(u8::is_ascii_alphanumeric);
    let wanted = country_place(bytes()).and_then(|place| IBAN_LENGTH.get(place));
    if wanted.is_none_or(|wanted| *wanted == 0) {
        return false;
    }
    let length = bytes().count();
    if wanted != Some(&length) {
        return false;
    }
    let small = text.bytes().any(|byte| byte.is_ascii_lowercase());
    let large = text.bytes().any(|byte| byte.is_ascii_uppercase());
    let whole = groups(text).count() == 1;
    let fours = in_fours(text);
    if (small && large) || (small && !whole && !fours) {
        return false;
    }
    let rest = compact()
        .skip(4)
        .chain(compact().take(4))
        .filter_map(|character| character.to_digit(36));
    let right = rest.fold(0, |rest, value| {
        (rest * if value < 10 { 10 } else { 100 } + value) % 97
    }) == 1;
    // An account has digits: upper-case words do not.
    right && (whole || fours || digits(text).count() * 2 > length)
}

/// Whether the groups of `text` have four characters each, the last one perhaps fewer.
fn in_fours(text: &str) -> bool {
    let count = groups(text).count();
    groups(text)
        .enumerate()
        .all(|(at, size)| size == 4 || (at + 1 == count && size < 4))
}

/// Two-letter codes of countries (ISO 3166-1) that have banks.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AR AT AU AW AZ BA BB BD BE BF BG BH BI BJ BM BN BO BR BS BT BW BY BZ CA CD \
    CF CG CH CI CK CL CM CN CO CR CU CV CW CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH \
    GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KR KW KY KZ LA \
    LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NG NI NL NO NP \
    NR NZ OM PA PE PF PG PH PK PL PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SI SK SL SM SN SO SR SS ST SV SX SY SZ \
    TC TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WS XK YE YT ZA ZM ZW";

/// Bank identifier codes (ISO 9362): a country stands at the fifth letter.
fn bic(text: &str) -> bool {
    let country = text.get(4..6).unwrap_or_default();
    COUNTRIES.split_whitespace().any(|known| known == country)
}

/// US routing numbers (American Bankers Association): a district in use, weights 3-7-1 modulo 10.
fn aba(text: &str) -> bool {
    let sum: u32 = digits(text)
        .zip([3, 7, 1].into_iter().cycle())
        .map(|(digit, weight)| digit * weight)
        .sum();
    let head = digits(text).take(2).fold(0, |number, digit| number * 10 + digit);
    sum.is_multiple_of(10) && sum > 0 && matches!(head, 0..=12 | 21..=32 | 61..=72 | 80) && mixed(text)
}

/// Account numbers behind the word for one: what stands between is neither another number nor a new sentence.
fn account(found: &Match<'_>) -> Option<Span> {
    let text = found.value();
    let before = found.before(64);
    let clean = before
        .rsplit(|character: char| {
            character.is_ascii_digit() || matches!(character, '.' | ';' | '\n' | '{' | '}')
        })
        .next()
        .unwrap_or_default();
    // `account no. 12`: the dot of an abbreviation parts nothing.
    let abbreviated = ["no.", "nr.", "num.", "núm.", "acct.", "a/c.", "№."]
        .iter()
        .any(|word| {
            before
                .trim_end_matches([' ', ':', '"'])
                .to_lowercase()
                .ends_with(word)
        });
    let called = clean.chars().any(char::is_alphabetic) || abbreviated;
    (called && mixed(text)).then(|| found.span())
}

/// Mexican account numbers (CLABE): weights 3-7-1, and a control digit that completes the sum of the last digits.
fn clabe(text: &str) -> bool {
    let sum: u32 = digits(text)
        .take(17)
        .zip([3, 7, 1].into_iter().cycle())
        .map(|(digit, weight)| digit * weight % 10)
        .sum();
    digits(text).count() == 18 && digits(text).next_back() == Some((10 - sum % 10) % 10) && mixed(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(check: fn(&Match<'_>) -> Option<Span>, before: &str, value: &str) -> bool {
        let text = format!("{before}{value}");
        let span = Span::new(before.len(), text.len());
        check(&Match::new(&text, span, span)).is_some()
    }

    #[test]
    fn cards_may_stand_in_a_row() {
        for (before, found) in [
            ("4111 1111 1111 1111 ", true),
            ("x 5555-5555-5555-4444 ", true),
            ("4111 1111 1111 1112 ", false),
            ("14111 1111 1111 1111 ", false),
            ("4111 1111 1111 11 11 ", false),
            ("1111 ", false),
        ] {
            assert_eq!(find(card, before, "5500 0000 0000 0004"), found, "{before}");
        }
    }

    #[test]
    fn each_check_knows_right_from_wrong() {
        for (check, text, right) in [
            (luhn as fn(&str) -> bool, "4111 1111 1111 1111", true),
            (luhn, "4111111111111112", false),
            (luhn, "0000000000000000", false),
            (iban, "GB82 WEST 1234 5698 7654 32", true),
            (iban, "GB82WEST12345698765432", true),
            (iban, "gb82west12345698765432", true),
            (iban, "gb82 west 1234 5698 7654 32", true),
            (iban, "GB82 west 1234 5698 7654 32", false),
            (iban, "GB83WEST12345698765432", false),
            (iban, "GB82WEST1234569876543", false),
            (bic, "DEUTDEFF", true),
            (bic, "PASSWORD", false),
            (aba, "021000021", true),
            (aba, "021000022", false),
            (aba, "000000000", false),
            (clabe, "032180000118359719", true),
            (clabe, "032180000118359718", false),
            (card_expiry, "04/29", true),
            (card_expiry, "13/29", false),
            (card_expiry, "04/1929", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }

    #[test]
    fn a_card_is_known_by_issuer_length_and_groups() {
        for (before, value, right) in [
            ("", "4111 1111 1111 1111", true),
            ("", "4111.1111.1111.1111", true),
            ("", "411111 1111111111", false),
            ("4 ", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", false),
            ("my card: ", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", true),
            ("", "3782 822463 10005", true),
            ("", "35 209900 176148 1", false),
            ("", "352099001761481", false),
        ] {
            assert_eq!(find(card, before, value), right, "{before}{value}");
        }
    }
}
