//! Keys of wallets and of file encryption, each with the checksum of its format.

use std::{collections::HashMap, sync::LazyLock};

use portcullis_core::Span;
use sha2::{Digest as _, Sha256};

use crate::around::{Check, Match};

use super::secrets::{is_placeholder, line};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("bip39", Check::Value(bip39)),
    ("wif", Check::Value(wif)),
    ("age", Check::Value(age)),
    ("private_key_word", Check::Left(private_key_word)),
];

/// The words of BIP-39 with their numbers.
static WORDS: LazyLock<HashMap<&'static str, u16>> = LazyLock::new(|| {
    let words = ::bip39::Language::English.word_list();
    words.iter().copied().zip(0..).collect()
});

/// The words for 16 bytes and their checksum: what [`bip39`] takes. For cases only.
pub(crate) fn seed_phrase(entropy: &[u8]) -> String {
    let sum = Sha256::digest(entropy);
    let bytes = entropy.iter().chain(sum.iter().take(1));
    let bits: Vec<u16> = bytes
        .flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)))
        .collect();
    let numbers = bits
        .chunks_exact(11)
        .map(|bits| bits.iter().fold(0, |number, bit| number << 1 | bit));
    let word = |number: u16| {
        WORDS
            .iter()
            .find(|(_, known)| **known == number)
            .map(|(word, _)| *word)
    };
    numbers.filter_map(word).collect::<Vec<_>>().join(" ")
}

/// Seed phrases: 12 to 24 words of the list of BIP-39, whose last bits are a checksum of the others.
fn bip39(text: &str) -> bool {
    let mut bits: Vec<bool> = Vec::with_capacity(264);
    let mut count = 0;
    for word in text
        .split(|character: char| !character.is_ascii_lowercase())
        .filter(|word| !word.is_empty())
    {
        let Some(number) = WORDS.get(word) else {
            return false;
        };
        bits.extend((0..11).rev().map(|bit| number >> bit & 1 == 1));
        count += 1;
    }
    if !matches!(count, 12 | 15 | 18 | 21 | 24) {
        return false;
    }
    let (entropy, sum) = bits.split_at(count * 32 / 3);
    let bytes: Vec<u8> = entropy
        .chunks(8)
        .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit)))
        .collect();
    let hash = Sha256::digest(&bytes);
    let expected = hash
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
    sum.iter().copied().eq(expected.take(sum.len()))
}

/// Bitcoin private keys in wallet import format: base 58 with a checksum of four bytes.
fn wif(text: &str) -> bool {
    const DIGITS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes: Vec<u8> = Vec::with_capacity(40);
    for character in text.bytes() {
        let Some(digit) = DIGITS.iter().position(|digit| *digit == character) else {
            return false;
        };
        let mut carry = digit;
        for byte in &mut bytes {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push((carry & 0xff) as u8);
        }
    }
    bytes.reverse();
    let Some((body, sum)) = bytes.len().checked_sub(4).map(|at| bytes.split_at(at)) else {
        return false;
    };
    matches!(body.len(), 33 | 34)
        && matches!(body.first(), Some(0x80 | 0xef))
        && Sha256::digest(Sha256::digest(body)).get(..4) == Some(sum)
}

/// Secret keys of age: bech32 (BIP-173) in upper case.
fn age(text: &str) -> bool {
    const DIGITS: &str = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
    let Some((label, data)) = text.rsplit_once('1') else {
        return false;
    };
    let step = |sum: u32, value: u32| {
        let top = sum >> 25;
        let next = (sum & 0x01ff_ffff) << 5 ^ value;
        let generator = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        (0u32..).zip(generator).fold(
            next,
            |sum, (bit, term)| if top >> bit & 1 == 1 { sum ^ term } else { sum },
        )
    };
    let lower = label.bytes().map(|byte| u32::from(byte.to_ascii_lowercase()));
    let sum = lower
        .clone()
        .map(|byte| byte >> 5)
        .chain([0])
        .chain(lower.map(|byte| byte & 31))
        .fold(1, step);
    let values: Option<Vec<u32>> = data
        .chars()
        .map(|character| DIGITS.find(character).and_then(|at| u32::try_from(at).ok()))
        .collect();
    values.is_some_and(|values| values.into_iter().fold(sum, step) == 1)
}

/// 32 bytes in hexadecimal digits that are called a private key: without that word they are the hash of something.
fn private_key_word(found: &Match<'_>) -> Option<Span> {
    let line = line(found, 96).to_ascii_lowercase();
    let named = [
        "private",
        "priv_key",
        "privkey",
        "priv-key",
        "secret",
        "wallet",
        "deployer",
        "signer",
        "mnemonic",
        "eth key",
        "ethereum key",
        "ethereum credential",
        "eth_key",
    ];
    let hash = [
        "hash",
        "tx",
        "transaction",
        "public",
        "address",
        "block",
        "topic",
        "root",
    ];
    let right = named.iter().any(|word| line.contains(word)) && !hash.iter().any(|word| line.contains(word));
    (right && !is_placeholder(found.value())).then(|| found.span())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::expand;

    #[test]
    fn the_list_is_whole() {
        assert_eq!(WORDS.len(), 2048);
        assert_eq!((WORDS.get("abandon"), WORDS.get("zoo")), (Some(&0), Some(&2047)));
    }

    #[test]
    fn right_sums_pass_and_wrong_ones_do_not() {
        // The first of the vectors published with BIP-39, and the example of the Bitcoin wiki for WIF.
        let zeros = "abandon ".repeat(11);
        assert!(bip39(&format!("{zeros}about")) && !bip39(&format!("{zeros}abandon")));
        assert!(!bip39("abandon ability able"));
        for seed in 1..30 {
            for (check, template) in [
                (wif as fn(&str) -> bool, "{wif}"),
                (age, "{age}"),
                (bip39, "{bip39}"),
            ] {
                let right = expand(template, seed);
                assert!(check(&right), "{right}");
                let half = right.len() / 2;
                let turned: String = right.chars().skip(half).chain(right.chars().take(half)).collect();
                assert!(!check(&turned), "{turned}");
            }
        }
    }
}
