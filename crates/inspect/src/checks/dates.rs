//! Dates, and who was born on them.

use std::{collections::HashMap, sync::LazyLock};

use portcullis_core::Span;

use crate::{
    around::{Check, Match},
    label::header,
};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("date", Check::Value(date)),
    ("record_date", Check::Left(record_date)),
];

/// Beginnings of the names of months in small letters; the longest that fits counts.
const MONTHS: [&str; 12] = [
    "jan ene gen stycz led tammi oca ian янв січ ιαν มกรา ม.ค gener sij siječ janu",
    "feb fév fev lut úno helmi şub фев лют φεβ กุมภา ก.พ velj",
    "mar mär mrz maa bře мар бер μαρ มีนา มี.ค már ožu",
    "apr abr avr kwie dub huhti nis апр кві απρ เมษา เม.ย ápr tra.",
    "may mai maj mag mei kvě touko мая май тра μαι μάι พฤษภา พ.ค máj svib maio",
    "jun juin giu czerw červ kesä haz iun июн чер ιουν มิถุนา มิ.ย jún lip.",
    "jul juil lug lip července červenec heinä tem iul июл лип ιουλ กรกฎา ก.ค júl srp.",
    "aug ago aoû aou sier srp elo ağu авг сер αυγ สิงหา ส.ค agu kolo",
    "sep set wrz zář syys eyl сен вер σεπ กันยา ก.ย sept szept ruj",
    "oct okt ott out paź říj loka eki окт жов οκτ ตุลา ต.ค",
    "nov lis marras kas ноя лис νοε νοέ พฤศจิกา พ.ย noi stud",
    "dec dez dic déc gru pro joulu ara дек гру δεκ ธันวา ธ.ค des",
];

/// The beginnings with the numbers of their months, by their first characters.
static STEMS: LazyLock<HashMap<char, Vec<(&str, u32)>>> = LazyLock::new(|| {
    let mut stems: HashMap<char, Vec<(&str, u32)>> = HashMap::new();
    for (number, month) in (1..).zip(MONTHS) {
        for stem in month.split(' ') {
            let first = stem.chars().next().unwrap_or_default();
            stems.entry(first).or_default().push((stem, number));
        }
    }
    stems
});

/// The month that a word names.
fn month(word: &str) -> Option<u32> {
    if !word.starts_with(char::is_alphabetic) {
        return None;
    }
    let lower = || word.chars().flat_map(char::to_lowercase);
    let stems = STEMS.get(&lower().next()?)?;
    let begins = |stem: &str| {
        let mut letters = lower();
        stem.chars().all(|letter| letters.next() == Some(letter))
    };
    let fits = stems.iter().filter(|(stem, _)| begins(stem));
    fits.map(|(stem, number)| (stem.len(), *number))
        .max()
        .map(|(_, number)| number)
}

/// Years before the first of an era, as Japan and Taiwan count them.
const ERAS: &[(&str, u32)] = &[
    ("令和", 2018),
    ("平成", 1988),
    ("昭和", 1925),
    ("大正", 1911),
    ("明治", 1867),
    ("民國", 1911),
    ("民国", 1911),
];

/// Whether day, month and year are those of the calendar.
fn is_real(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day) && (1880..=2035).contains(&year)
}

/// Days of the calendar on which somebody may have been born, in the orders of all countries.
fn date(text: &str) -> bool {
    let mut all = text
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|run| run.parse::<u32>().ok());
    let mut read = [0; 3];
    let mut count = 0;
    for (slot, number) in read.iter_mut().zip(&mut all) {
        *slot = number;
        count += 1;
    }
    if all.next().is_some() {
        return false;
    }
    let numbers = read.get(..count).unwrap_or_default();
    // Two digits of a year: of this century or the last, which is the same for the calendar but for leap days.
    let full = |year: u32| match year {
        0..=29 => 2000 + year,
        30..=99 => 1900 + year,
        // Buddhist era.
        2423..=2578 => year - 543,
        year => year,
    };
    let in_era = |(name, _): &&(&str, u32)| !text.is_ascii() && text.contains(name);
    let era = ERAS.iter().find(in_era).map(|(_, years)| *years);
    let word = text
        .split(|character: char| character.is_ascii_digit() || matches!(character, ' ' | '-' | '/' | ','))
        .filter_map(month)
        .next();
    match (numbers, word, era) {
        (&[year, month, day], _, Some(before)) => is_real(year + before, month, day),
        (&[day, year], Some(month), _) if year > 31 || day <= 31 => {
            is_real(full(year), month, day) || is_real(full(day), month, year)
        }
        (&[year, month, day], None, _) if year > 31 => is_real(full(year), month, day),
        (&[first, second, year], None, _) => {
            is_real(full(year), second, first) || is_real(full(year), first, second)
        }
        (&[compact], None, _) if text.len() == 8 => {
            is_real(compact / 10000, compact / 100 % 100, compact % 100)
                || is_real(compact % 10000, compact / 10000 % 100, compact / 1_000_000)
        }
        _ => false,
    }
}

/// Dates in a column named after birth, and those behind a name at the beginning of a record (`Jane Doe, 12/03/1980, …`).
fn record_date(found: &Match<'_>) -> Option<Span> {
    let before = found.before(1024);
    // The end of a line tells whether a name could stand in it: most lines end here.
    let field = before.strip_suffix([' ', '\t', ',', '|', ';']);
    let field = field.filter(|field| field.trim_end().ends_with([',', ';', '|']));
    let below = || memchr::memchr(b'\n', before.as_bytes()).is_some();
    if (field.is_none() && !below()) || !date(found.value()) {
        return None;
    }
    let line = |field: &str| {
        let begins = memchr::memrchr2(b'\n', b'"', field.as_bytes()).map_or(0, |at| at + 1);
        is_name_field(field.get(begins..).unwrap_or_default())
    };
    let named = field.is_some_and(line);
    (named || header(found).is_some_and(is_birth)).then(|| found.span())
}

/// Whether the name of a column says birth.
fn is_birth(name: &str) -> bool {
    const STEMS: &str = "birth|dob|born|geburt|geb.|naissance|nacimiento|nascita|nascimento|geboorte|född|fødsel|syntym|urodz|\
        narozen|doğum|рожд|народж|出生|生年月日|생년월일|생일|เกิด|lahir|naster";
    let name = name.to_lowercase();
    STEMS.split('|').any(|stem| name.contains(stem))
}

/// Beginnings of words that stand before dates and are no names.
#[rustfmt::skip]
const DAYS: &[&str] = &[
    "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "On", "Am", "Le", "Den", "Date", "Updated", "Published", "Posted", "Sent",
    "Effective", "New", "San", "Los", "United",
];

/// Whether a line so far is a name and a comma: two to five words, each beginning with a capital or of a script without
/// them, and nothing else.
fn is_name_field(text: &str) -> bool {
    let Some(name) = text.trim_end().strip_suffix([',', ';', '|']) else {
        return false;
    };
    let name = name.trim_start_matches(|character: char| !character.is_alphanumeric());
    // A degree behind the name: `Dewi Pertiwi, M.Farm,`.
    let name = match name.rsplit_once(", ") {
        Some((name, degree)) if degree.contains('.') && degree.len() <= 10 => name,
        _ => name,
    };
    let words = name.split_whitespace();
    let fits = |word: &str| {
        let first = word.chars().next().unwrap_or_default();
        (first.is_uppercase() || (first.is_alphabetic() && !first.is_ascii() && !first.is_lowercase()))
            && word.chars().all(|character| {
                character.is_alphabetic()
                    || matches!(character, '.' | '-' | '\'' | '’')
                    || !character.is_ascii()
            })
            || matches!(
                word,
                "de" | "da"
                    | "do"
                    | "dos"
                    | "das"
                    | "del"
                    | "della"
                    | "di"
                    | "du"
                    | "la"
                    | "le"
                    | "van"
                    | "von"
                    | "der"
                    | "den"
                    | "y"
                    | "e"
                    | "zu"
                    | "bin"
                    | "al"
                    | "el"
                    | "ter"
                    | "ten"
                    | "drg."
                    | "пан"
                    | "пані"
            )
    };
    // `On Mon, 12 Aug 2002 …` introduces a quotation.
    let calendar = |word: &str| DAYS.contains(&word.trim_end_matches("day"));
    if name.len() > 80 || !words.clone().all(fits) || words.clone().any(calendar) {
        return false;
    }
    let count = words.clone().count();
    let unparted = count == 1
        && (2..=6).contains(&name.chars().count())
        && name
            .chars()
            .all(|character| character >= '\u{2e80}' && character.is_alphabetic());
    (2..=6).contains(&count) || unparted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, right) in [
            ("1990-03-12", true),
            ("12/03/1990", true),
            ("03/31/1990", true),
            ("31.02.1990", false),
            ("29.02.2000", true),
            ("29.02.1900", false),
            ("06-05-44", true),
            ("March 20, 1961", true),
            ("27 Sep 1980", true),
            ("3. Juni 1990", true),
            ("1 de agosto de 1953", true),
            ("12 września 1975", true),
            ("5. července 1980", true),
            ("1972年12月17日", true),
            ("1985년 12월 23일", true),
            ("昭和55年3月12日", true),
            ("12 มกราคม 2530", true),
            ("12 января 1980", true),
            ("19800312", true),
            ("19801312", false),
            ("1234-56-78", false),
            ("12 apples 1980", false),
        ] {
            assert_eq!(date(text), right, "{text}");
        }
    }

    #[test]
    fn a_record_begins_with_a_name() {
        for (text, right) in [
            ("Jane Doe,", true),
            ("María de la Cruz,", true),
            ("佐藤 翔太,", true),
            ("김수민,", true),
            ("Dewi Pertiwi, M.Farm,", true),
            ("Updated on Monday,", false),
            ("Paris,", false),
            ("On Mon,", false),
            ("Jane Doe", false),
        ] {
            assert_eq!(is_name_field(text), right, "{text}");
        }
    }
}
