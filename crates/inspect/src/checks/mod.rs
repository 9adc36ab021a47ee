//! Checks that a match must pass besides its shape: checksums, number rules, and what must stand around it.
//!
//! Pure functions; a rule names its check in `checksum`. One file a subject, each with a table of its own.

use crate::around::Check;

mod address;
mod contact;
mod context;
mod crypto;
mod dates;
mod device;
mod finance;
mod government;
mod government_asia;
mod government_east;
mod government_latin;
mod government_west;
mod injection;
mod keccak;
mod medical;
mod network;
mod number;
mod numbering;
mod output;
mod person;
mod secrets;
mod secrets_assigned;
mod secrets_encoded;
mod secrets_sealed;
mod secrets_wallet;

/// Every check by its name in the rules.
static CHECKS: &[&[(&str, Check)]] = &[
    address::CHECKS,
    contact::CHECKS,
    crypto::CHECKS,
    dates::CHECKS,
    device::CHECKS,
    finance::CHECKS,
    government::CHECKS,
    government_asia::CHECKS,
    government_east::CHECKS,
    government_latin::CHECKS,
    government_west::CHECKS,
    medical::CHECKS,
    injection::CHECKS,
    network::CHECKS,
    output::CHECKS,
    person::CHECKS,
    secrets::CHECKS,
    secrets_assigned::CHECKS,
    secrets_encoded::CHECKS,
    secrets_sealed::CHECKS,
    secrets_wallet::CHECKS,
];

pub(crate) use secrets_wallet::seed_phrase;

/// The check of that name.
pub(crate) fn named(name: &str) -> Option<Check> {
    let mut all = CHECKS.iter().flat_map(|table| table.iter());
    all.find(|(known, _)| *known == name).map(|(_, check)| *check)
}

/// The decimal digits of a text, whatever stands between them.
pub(crate) fn digits(text: &str) -> impl DoubleEndedIterator<Item = u32> + Clone {
    text.chars().filter_map(|character| character.to_digit(10))
}

/// Asks about a word in small letters. Most words are short and ASCII, and nothing is allocated for them.
fn in_small_letters<T>(word: &str, ask: impl FnOnce(&str) -> T) -> T {
    let mut small = [0; 24];
    match small.get_mut(..word.len()) {
        Some(small) if word.is_ascii() => {
            small.copy_from_slice(word.as_bytes());
            small.make_ascii_lowercase();
            ask(std::str::from_utf8(small).unwrap_or_default())
        }
        _ => ask(&word.to_lowercase()),
    }
}
