//! Whether a value is labelled by one of its rule's words: before it, behind it, or at the head of its column.
//!
//! A keyword that merely stands near would also claim the next number on the line: in `NPI 1234567893, phone (201)
//! 555-0188` it is the telephone's turn. A label belongs to the value that follows it.

use std::sync::LazyLock;

use crate::{
    around::{AFTER, BEFORE, Match, is_word},
    keywords::Keywords,
};

/// Words that label numbers of other kinds. What follows one of them, and no word of the rule's own, is not the rule's.
static FOREIGN: LazyLock<Keywords> =
    LazyLock::new(|| FOREIGN_WORDS.iter().map(|word| (*word).to_owned()).collect());

const FOREIGN_WORDS: &[&str] = &[
    "phone",
    "telephone",
    "tel",
    "mobile",
    "fax",
    "telefon",
    "telefono",
    "teléfono",
    "telefone",
    "téléphone",
    "handy",
    "celular",
    "móvil",
    "whatsapp",
    "телефон",
    "тел.",
    "电话",
    "手机",
    "電話",
    "전화",
    "โทร",
    "order",
    "invoice",
    "tracking",
    "rechnung",
    "factura",
    "facture",
    "timestamp",
    "isbn",
    "issn",
    "iban",
    "credit card",
    "visa",
    "mastercard",
    "imei",
];

/// So many digits in one token are a number that a label can belong to.
const NUMBER: usize = 6;

/// Whether one of `words` labels the match: within `near` bytes before it, within `near_after` bytes behind it, or in the
/// head of its column as far as a check may look back.
pub(crate) fn is_labelled(found: &Match<'_>, words: &Keywords, near: usize, near_after: usize) -> bool {
    let any = |text: &str| words.any_in(text.as_bytes(), |word, at| stands(word, text, at));
    let before = found.words_before(near);
    !is_piece(found, near_after)
        && ((any(before) && any(own(before, found.value())))
            || (near_after > 0 && behind(found, near_after).is_some_and(any))
            || header(found).is_some_and(any))
}

/// Whether a number goes on beside the match: `203.162.20/8230` in `209.203.162.20/8230`. A comma may part cells.
fn is_piece(found: &Match<'_>, near_after: usize) -> bool {
    let value = found.value().as_bytes();
    let left = match (found.before(2).as_bytes(), value.first()) {
        ([first, second], Some(next)) => goes_on(*first, *second, *next),
        _ => false,
    };
    let right = match (value.last(), found.after(2).as_bytes()) {
        (Some(last), [first, second]) if near_after > 0 => goes_on(*last, *first, *second),
        _ => false,
    };
    left || right
}

/// Whether a number that began before goes on at a place of a text.
pub(crate) fn is_continued(text: &[u8], at: usize) -> bool {
    let around = at.checked_sub(2).and_then(|from| text.get(from..=at));
    matches!(around, Some([first, second, next]) if goes_on(*first, *second, *next))
}

fn goes_on(last: u8, joint: u8, next: u8) -> bool {
    matches!(joint, b'.' | b'-' | b'/') && last.is_ascii_digit() && next.is_ascii_digit()
}

/// Whether `word`, which stands at `at` of `text`, is a word of its own there. An abbreviation in capitals of up to four
/// letters is often an everyday word otherwise (`SIN`, `DNI`, `PAN`): written small it counts as the name of a field only.
fn stands(word: &str, text: &str, at: usize) -> bool {
    let (wanted, bytes) = (word.as_bytes(), text.as_bytes());
    let end = at + wanted.len();
    let strict = wanted.len() <= 4 && wanted.iter().all(u8::is_ascii_uppercase);
    is_word(bytes, at, wanted.len())
        && is_apart(text, at, end)
        && (!strict || bytes.get(at..end) == Some(wanted) || is_field(bytes, at, end))
}

/// Whether no letter with cases continues the word between those places beyond ASCII: `инн` does not stand in `старинный`,
/// but `身份证` does in `居民身份证号`.
fn is_apart(text: &str, start: usize, end: usize) -> bool {
    let cased = |character: char| character.is_lowercase() || character.is_uppercase();
    let (before, word, after) = (text.get(..start), text.get(start..end), text.get(end..));
    let (Some(before), Some(word), Some(after)) = (before, word, after) else {
        return false;
    };
    let begins = before
        .chars()
        .next_back()
        .is_some_and(|letter| !letter.is_ascii() && cased(letter))
        || (before.chars().next_back().is_some_and(cased)
            && word.starts_with(|letter: char| !letter.is_ascii() && letter.is_lowercase()));
    let ends = after
        .chars()
        .next()
        .is_some_and(|letter| !letter.is_ascii() && letter.is_lowercase())
        || (after.chars().next().is_some_and(char::is_lowercase)
            && word.ends_with(|letter: char| !letter.is_ascii() && cased(letter)));
    !(ends || begins && word.starts_with(cased))
}

/// Whether the word between those places is the name of a field: `"sin":`, `sin=`, `| sin |`.
fn is_field(bytes: &[u8], start: usize, end: usize) -> bool {
    let named = |byte: &u8| {
        matches!(
            byte,
            b'"' | b'\'' | b'`' | b'_' | b':' | b'=' | b'|' | b',' | b';' | b'\t'
        )
    };
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    bytes.get(end).is_some_and(named) || before.is_some_and(|byte| matches!(byte, b'_' | b'"'))
}

/// What of the text before a value can label it: what follows the last number of another form and the last word that labels
/// something else. Numbers of the same form are a list (`SSNs: …, …`), and dates take no label away.
fn own<'a>(before: &'a str, value: &str) -> &'a str {
    let mut from = 0;
    for (start, token) in tokens(before) {
        if digits(token) >= NUMBER && form(token) != form(value) && !is_date(token) {
            from = start + token.len();
        }
    }
    if let Some(end) = last_foreign(before.as_bytes().get(from..).unwrap_or_default()) {
        from += end;
    }
    before.get(from..).unwrap_or_default()
}

/// Where the last of the words ends that label numbers of other kinds.
fn last_foreign(bytes: &[u8]) -> Option<usize> {
    // Words begin where letters do; those of other scripts anywhere.
    let begins = |start: &usize| {
        let before = start
            .checked_sub(1)
            .and_then(|at| bytes.get(at))
            .copied()
            .unwrap_or(b' ');
        let here = bytes.get(*start).copied().unwrap_or(b' ');
        !here.is_ascii()
            || (here.is_ascii_alphabetic() && (!before.is_ascii_alphabetic() || here.is_ascii_uppercase()))
    };
    let ends_at = |start: usize| {
        FOREIGN
            .at(bytes, start)
            .filter(|word| is_word(bytes, start, word.len()))
            .map(|word| start + word.len())
            .max()
    };
    FOREIGN.places(bytes).rev().filter(begins).find_map(ends_at)
}

/// The runs of letters and digits of a text, with their places; digits may be grouped by a blank, a dash, a dot or a slash.
fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let start = at + rest.find(|c: char| c.is_ascii_alphanumeric())?;
        let (mut end, mut last) = (start, ' ');
        for (place, character) in text.get(start..)?.char_indices() {
            let joins =
                matches!(character, ' ' | '-' | '.' | '/' | '\u{a0}' | '\u{202f}') && last.is_ascii_digit();
            let groups = !joins && !last.is_ascii_alphanumeric() && place > 0 && !character.is_ascii_digit();
            if groups || !(joins || character.is_ascii_alphanumeric()) {
                break;
            }
            if character.is_ascii_alphanumeric() {
                end = start + place + 1;
            }
            last = character;
        }
        at = end;
        Some((start, text.get(start..end)?))
    })
}

fn digits(token: &str) -> usize {
    token.bytes().filter(u8::is_ascii_digit).count()
}

/// The form of a number: its digits all alike, its letters all alike.
fn form(token: &str) -> impl Iterator<Item = char> + PartialEq + use<'_> {
    Form(token.chars())
}

struct Form<'a>(std::str::Chars<'a>);

impl Iterator for Form<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        self.0.next().map(|character| match character {
            '0'..='9' => '0',
            'A'..='Z' => 'A',
            'a'..='z' => 'a',
            other => other,
        })
    }
}

impl PartialEq for Form<'_> {
    fn eq(&self, other: &Self) -> bool {
        Form(self.0.clone()).eq(Form(other.0.clone()))
    }
}

fn is_date(token: &str) -> bool {
    [
        "00/00/0000",
        "00.00.0000",
        "00-00-0000",
        "0000-00-00",
        "0000/00/00",
        "0000.00.00",
    ]
    .iter()
    .any(|date| form(token) == form(date))
}

/// What behind a value may label it (`536-90-4399 is my SSN`): on the same line, in the same sentence, and with no number
/// behind that it would rather belong to.
fn behind<'a>(found: &Match<'a>, near_after: usize) -> Option<&'a str> {
    let after = found.after(AFTER);
    let ends = |pair: &[u8]| matches!(pair, b"\\n" | b". " | [b'\n', _]);
    let last = after.len().checked_sub(1).filter(|_| after.ends_with('\n'));
    let end = after.as_bytes().windows(2).position(ends).or(last);
    let sentence = end.map_or(after, |end| after.get(..end).unwrap_or_default());
    if tokens(sentence).any(|(_, token)| digits(token) >= 4) {
        return None;
    }
    let near = (0..=near_after.min(sentence.len()))
        .rev()
        .find(|at| sentence.is_char_boundary(*at))?;
    sentence.get(..near)
}

/// The head of the column that a match stands in: the cell at its place in the topmost line of the table, where that is no
/// further away than a check may look.
pub(crate) fn header<'a>(found: &Match<'a>) -> Option<&'a str> {
    let before = found.before(BEFORE);
    let end = memchr::memrchr(b'\n', before.as_bytes())?;
    let (line, above) = (before.get(end + 1..)?, before.get(..end)?);
    let lines = above.rsplit('\n');
    let (separator, column) = [b'|', b'\t', b';', b',']
        .into_iter()
        .map(|separator| (separator, parted(line, separator)))
        .find(|(separator, column)| *column > 0 || (*separator == b',' && line.len() < 3))?;
    let mut head = None;
    // The line that the reach cuts through is not whole: its cells cannot be counted.
    let whole = before.len() + 4 < BEFORE;
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        if (lines.peek().is_none() && !whole) || parted(line, separator) < column.max(1) {
            break;
        }
        head = Some(line);
    }
    cells(head?, separator).nth(column)
}

/// The cells of a line; a separator within double quotes separates nothing.
fn cells(line: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |character| {
        quoted ^= character == '"';
        character == char::from(separator) && !quoted
    })
}

/// How many separators part the cells of a line.
fn parted(line: &str, separator: u8) -> usize {
    if memchr::memchr(separator, line.as_bytes()).is_none() {
        return 0;
    }
    let mut quoted = false;
    let mut count = 0;
    for byte in line.bytes() {
        quoted ^= byte == b'"';
        count += usize::from(byte == separator && !quoted);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_core::Span;

    fn labelled(text: &str, words: &[&str]) -> bool {
        let start = text.find('«').unwrap();
        let end = text.find('»').unwrap() - 2;
        let text = text.replace(['«', '»'], "");
        let span = Span::new(start, end);
        let words: Keywords = words.iter().map(|word| (*word).to_owned()).collect();
        is_labelled(&Match::new(&text, span, span), &words, 64, 48)
    }

    #[test]
    fn a_label_belongs_to_one_value() {
        for (text, right) in [
            ("NPI: «1234567893»", true),
            ("NPI 1234567893, phone «2012517878»", false),
            ("NPI 1234567893, (201) «251-7878»", false),
            ("NPIs 12, NPI: 1234567893, «1234567893»", true),
            ("NPI (since 12.03.2004): «1234567893»", true),
            ("NPI or phone: «1234567893»", false),
            ("phone 1, NPI «1234567893»", true),
            ("the customer gave «1234567893» as their NPI.", true),
            ("call «1234567893», NPI 1234567893", false),
            ("«1234567893»\nNPI", false),
            ("«1234567893». NPI", false),
            ("the npi is «1234567893»", false),
            ("\"npi\": \"«1234567893»\"", true),
            ("npi_number=«1234567893»", true),
            ("NPI http://209.«1234567893»/", false),
            ("NPI «1234567893»-22", false),
            ("NPI 2,«1234567893»,3", true),
            ("NPI «1234567893».", true),
        ] {
            assert_eq!(labelled(text, &["NPI"]), right, "{text}");
        }
    }

    #[test]
    fn a_label_is_a_word_of_its_own() {
        for (word, text, right) in [
            ("инн", "старинный ", false),
            ("инн", "(инн: ", true),
            ("ИНН", "мой ИНН ", true),
            ("身份证", "居民身份证号 ", true),
            ("cpf", "meuCpf: ", true),
            ("número", "número: ", true),
            ("cédula", "cédulas: ", false),
            ("ЕГН", "ЕГНа ", false),
        ] {
            let words = Keywords::from_iter([word.to_owned()]);
            let found = words.any_in(text.as_bytes(), |word, at| stands(word, text, at));
            assert_eq!(found, right, "{word} in {text}");
        }
    }

    #[test]
    fn a_column_is_labelled_by_its_head() {
        let filler = "Jane Doe, somewhere in a long street of a long town far away,".repeat(2);
        for (text, right) in [
            (
                format!("name,NPI,note\n\"{filler}\",1,x\nDoe,«1234567893»,"),
                true,
            ),
            (
                format!("name,NPI,note\n\"{filler}\",1,x\nDoe,1,«1234567893»"),
                false,
            ),
            (format!("name\tNPI\n{filler}\t1\nDoe\t«1234567893»"), true),
            (
                format!("| name | NPI |\n|---|---|\n| {filler} | 1 |\n| Doe | «1234567893» |"),
                true,
            ),
            (format!("NPI,name\n2,\"{filler}\"\n«1234567893»,Doe"), true),
            (format!("name,NPI\n\n{filler}\nDoe,«1234567893»,"), false),
        ] {
            assert_eq!(labelled(&text, &["NPI"]), right, "{text}");
        }
    }
}
