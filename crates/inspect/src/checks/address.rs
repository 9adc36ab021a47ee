//! Street addresses behind words for one, and by their shape.

use portcullis_core::Span;

use crate::around::{Check, Match};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] =
    &[("address", Check::Left(address)), ("street", Check::Left(street))];

/// What follows an address in a sentence or a form, in small letters.
const NEXT: &str = "tel|phone|mobile|call|email|e-mail|mail|my |please|and |meine|mein |mon |mi |meu |telefon|téléphone|teléfono|telefone|telefono|\
    bel |mobil|телефон|тел|電話|电话|전화|fax|dob|born|geboren|best regards|kind regards|thank";

/// Where the address ends that `text` begins with: at the end of its sentence, at a word for something else, or at an empty
/// line; in several lines up to the one that has a postal code.
fn end(text: &str) -> usize {
    let mut end = text.len();
    for (at, sign) in text.match_indices(['.', ',', ';', '\n', '、', '，', '。']) {
        let rest = text.get(at + sign.len()..).unwrap_or_default();
        let next = rest.trim_start_matches([' ', '\n']).to_lowercase();
        let other = NEXT.split('|').any(|word| next.starts_with(word));
        let word = text
            .get(..at)
            .and_then(|before| before.rsplit([' ', '\n']).next())
            .unwrap_or_default();
        let sentence = matches!(sign, "." | "。" | ";")
            && !rest.starts_with(|next: char| next.is_alphanumeric() || next == ',')
            && (rest.trim_start().starts_with(char::is_uppercase)
                && word.chars().count() > 3
                && !word.to_lowercase().ends_with("str")
                || word.chars().any(|letter| letter.is_ascii_digit()));
        let block = sign == "\n" && (rest.starts_with('\n') || is_coded(text.get(..at).unwrap_or_default()));
        if other || sentence || block {
            end = at;
            break;
        }
    }
    text.get(..end).map_or(0, |text| {
        text.trim_end_matches([' ', ',', ';', '\n', '.', '-', '(']).len()
    })
}

/// Whether a text has what could be a postal code: five or six digits, or the two halves of a British or Canadian one.
fn is_coded(text: &str) -> bool {
    let long = text
        .split(|character: char| !character.is_ascii_digit())
        .any(|run| (5..=6).contains(&run.len()));
    let mut words = text.split([' ', ',', '\n']).filter(|word| !word.is_empty());
    let half = |word: &str| {
        word.len() == 3
            && word.starts_with(|first: char| first.is_ascii_digit())
            && word.bytes().skip(1).all(|byte| byte.is_ascii_uppercase())
    };
    long || words.any(half)
}

/// Addresses behind a word for one: a number and words, no link, no mailbox.
fn address(found: &Match<'_>) -> Option<Span> {
    let text = found.value();
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    if digits(text) == 0 {
        return None;
    }
    let length = end(text);
    let kept = text.get(..length)?;
    let digits = digits(kept);
    let letters = kept.chars().filter(|character| character.is_alphabetic()).count();
    let words = kept
        .split([' ', ',', '\n'])
        .filter(|word| !word.is_empty())
        .count();
    let wide = kept.chars().any(|character| character >= '\u{e00}');
    let capital = kept.chars().any(char::is_uppercase) || wide;
    let right = (1..=16).contains(&digits) && letters >= 4 && (words >= 2 || wide) && capital;
    // A number alone behind words is a count: an address begins with the number, ends with it, or has a code.
    let numbered = kept.starts_with(|first: char| first.is_ascii_digit())
        || is_coded(kept)
        || wide
        || digits >= 1 && words <= 8;
    let start = found.span().start;
    (right && numbered).then(|| Span::new(start, start + length))
}

/// Addresses by their shape: the pattern has the street and its number; what follows is kept as far as it goes on as an
/// address does.
fn street(found: &Match<'_>) -> Option<Span> {
    let text = found.value();
    let length = end(text);
    let kept = text.get(..length)?;
    let digits = kept.bytes().filter(u8::is_ascii_digit).count();
    let start = found.span().start;
    (digits >= 1 && kept.chars().filter(|letter| letter.is_uppercase()).count() >= 1)
        .then(|| Span::new(start, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_where_something_else_begins() {
        for (text, address) in [
            (
                "12 Main Street, Springfield, IL 62704. Please call",
                "12 Main Street, Springfield, IL 62704",
            ),
            (
                "Hauptstr. 12, 10115 Berlin. Meine Telefonnummer",
                "Hauptstr. 12, 10115 Berlin",
            ),
            (
                "12 rue de la Paix, 75002 Paris, téléphone",
                "12 rue de la Paix, 75002 Paris",
            ),
            (
                "Flat 9\nHigh Road\nLeeds\nLS1 4AP\nmore",
                "Flat 9\nHigh Road\nLeeds\nLS1 4AP",
            ),
            (
                "ul. Polna 3/4, 00-001 Warszawa, tel. 5",
                "ul. Polna 3/4, 00-001 Warszawa",
            ),
        ] {
            assert_eq!(text.get(..end(text)), Some(address));
        }
    }
}
