//! Credentials with checksums and structure, drawn for cases.

use sha2::{Digest as _, Sha256};

use super::{Dice, alphabet};
use crate::checks;

const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The value of a template whose name is `name`, if it is one of this file's.
pub(super) fn value<'a>(
    name: &str,
    fields: &mut impl Iterator<Item = &'a str>,
    dice: &mut Dice,
) -> Option<String> {
    match name {
        "crc62" => {
            let body = dice.draw(BASE62, fields.next()?.parse().ok()?);
            Some(format!(
                "{body}{}",
                number(crc32fast::hash(body.as_bytes()), BASE62, 6)
            ))
        }
        "crc16" => {
            let body = dice.draw(BASE62, fields.next()?.parse().ok()?);
            Some(format!("{body}_{:08x}", crc32fast::hash(body.as_bytes())))
        }
        // The sum covers a prefix that stands before the template, and what joins body and sum.
        "crc36" => {
            let (prefix, length) = (fields.next()?, fields.next()?.parse().ok()?);
            let body = format!("{}{}", dice.draw(BASE62, length), fields.next()?);
            let sum = crc32fast::hash(format!("{prefix}{body}").as_bytes());
            Some(format!("{body}{}", number(sum, alphabet("base36")?, 7)))
        }
        "crcHEX" => {
            let (prefix, length) = (fields.next()?, fields.next()?.parse().ok()?);
            let body = format!("{prefix}{}", dice.draw(BASE62, length));
            Some(format!("{body}={:08X}", crc32fast::hash(body.as_bytes())))
        }
        "wif" => Some(wif(dice)),
        "age" => Some(age(dice)),
        "bip39" => Some(checks::seed_phrase(&dice.bytes(16))),
        "jwt" => {
            let header = encode(br#"{"alg":"HS256","typ":"JWT"}"#, false);
            let subject = dice.draw("0123456789", 9);
            let payload = encode(
                format!("{{\"sub\":\"{subject}\",\"iat\":1700000000}}").as_bytes(),
                false,
            );
            Some(format!(
                "{header}.{payload}.{}",
                dice.draw(alphabet("base62")?, 43)
            ))
        }
        "basic" => Some(encode(
            format!("ci-bot:{}", dice.draw(BASE62, 17)).as_bytes(),
            true,
        )),
        "b64" => Some(encode(
            dice.draw(BASE62, fields.next()?.parse().ok()?).as_bytes(),
            true,
        )),
        _ => None,
    }
}

/// A number in `digits`, at least `width` of them.
fn number(mut number: u32, digits: &str, width: usize) -> String {
    let base = u32::try_from(digits.len()).unwrap_or(u32::MAX);
    let mut written = Vec::new();
    while number > 0 || written.len() < width {
        let digit = usize::try_from(number % base).unwrap_or(0);
        written.extend(digits.chars().nth(digit));
        number /= base;
    }
    written.iter().rev().collect()
}

/// A compressed key of the main network.
fn wif(dice: &mut Dice) -> String {
    let mut bytes = vec![0x80];
    bytes.extend(dice.bytes(32));
    bytes.push(1);
    let sum = Sha256::digest(Sha256::digest(&bytes));
    bytes.extend(sum.iter().take(4));
    const DIGITS: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits: Vec<u32> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let letter = |digit: &u32| DIGITS.chars().nth(usize::try_from(*digit).unwrap_or(0));
    digits.iter().rev().filter_map(letter).collect()
}

fn age(dice: &mut Dice) -> String {
    const DIGITS: &str = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    let label = "age-secret-key-";
    let step = |sum: u32, value: u32| {
        let generator = [0x3b6a_57b2u32, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let next = (sum & 0x01ff_ffff) << 5 ^ value;
        let set = |(bit, _): &(u32, u32)| sum >> (25 + bit) & 1 == 1;
        (0u32..)
            .zip(generator)
            .filter(set)
            .fold(next, |next, (_, term)| next ^ term)
    };
    // 32 bytes are 51 groups of five bits and one bit, which is padded.
    let mut values: Vec<u32> = dice.bytes(52).iter().map(|byte| u32::from(byte & 31)).collect();
    if let Some(last) = values.last_mut() {
        *last &= 0b1_0000;
    }
    let high = label.bytes().map(|byte| u32::from(byte >> 5));
    let low = label.bytes().map(|byte| u32::from(byte & 31));
    let all = high
        .chain([0])
        .chain(low)
        .chain(values.iter().copied())
        .chain([0; 6]);
    let sum = all.fold(1, step) ^ 1;
    values.extend((0..6).rev().map(|group| sum >> (5 * group) & 31));
    let letter = |value: &u32| DIGITS.chars().nth(usize::try_from(*value).unwrap_or(0));
    format!(
        "{}1{}",
        label.to_ascii_uppercase(),
        values.iter().filter_map(letter).collect::<String>()
    )
}

/// Base64, with padding, or base64url without.
fn encode(bytes: &[u8], padded: bool) -> String {
    let digits = alphabet(if padded { "base64" } else { "base64url" }).unwrap_or_default();
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| {
            bits << 8 | u32::from(group.get(at).copied().unwrap_or(0))
        });
        let letters = (0..=group.len()).map(|at| usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or(0));
        text.extend(letters.filter_map(|at| digits.chars().nth(at)));
        if padded {
            text.extend(std::iter::repeat_n('=', 3 - group.len()));
        }
    }
    text
}
