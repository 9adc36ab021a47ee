//! The text of a key: how it is made, recognised and hashed.
//!
//! `pc_`, 32 characters of base62 (190 bits), then the CRC32 of those 35 characters as 6 characters of base62. The sum
//! keeps typing errors and foreign keys away from the hash, and lets scanners of repositories recognise a leaked key
//! with certainty. It proves nothing: only the keyed hash does.

use hmac::{Hmac, KeyInit, Mac};
use portcullis_core::{KeyId, Secret};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::StoreError;

const PREFIX: &str = "pc_";
const RANDOM_CHARACTERS: usize = 32;
const SUM_CHARACTERS: usize = 6;
const BODY: usize = PREFIX.len() + RANDOM_CHARACTERS;
const LENGTH: usize = BODY + SUM_CHARACTERS;
/// How much of a key is shown to tell keys apart: the prefix and four characters.
const SHOWN: usize = 7;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The largest multiple of 62 that a byte can hold: bytes from here on are thrown away, or the first characters of
/// the alphabet would come more often than the last.
const FAIR_BELOW: u8 = 248;

/// Why a credential is not let in. The text is for operators; a client learns only that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It does not look like a key of this gateway.
    #[error("malformed key")]
    Malformed,
    /// No key has this text, or no longer.
    #[error("unknown key")]
    Unknown,
    /// Its time is over.
    #[error("expired key")]
    Expired,
    /// An operator ended it.
    #[error("revoked key")]
    Revoked,
}

impl AuthError {
    /// A stable word for records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            AuthError::Malformed => "malformed",
            AuthError::Unknown => "unknown",
            AuthError::Expired => "expired",
            AuthError::Revoked => "revoked",
        }
    }
}

/// The keyed hash of a key's text. Equality takes the same time wherever two differ.
#[derive(Clone, Copy, Debug, Eq)]
pub struct KeyHash(pub [u8; 32]);

impl PartialEq for KeyHash {
    fn eq(&self, other: &KeyHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

// Equal hashes have equal bytes, as a map needs; only the comparison is made constant in time.
impl std::hash::Hash for KeyHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// The secret that keys are hashed under, so that a stolen table of hashes says nothing about a key.
#[derive(Clone)]
pub struct Pepper {
    bytes: Secret<[u8; 32]>,
    /// The state of the hash after it took the key: saves half of its work in each request.
    keyed: Hmac<Sha256>,
}

impl Pepper {
    /// Takes the secret as it was stored.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is not 32 bytes long.
    pub fn from_bytes(bytes: &[u8]) -> Result<Pepper, StoreError> {
        let wrong = || StoreError::Corrupt("the pepper is not 32 bytes long".to_owned());
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| wrong())?;
        let keyed = Hmac::<Sha256>::new_from_slice(&bytes).map_err(|_| wrong())?;
        Ok(Pepper {
            bytes: Secret::new(bytes),
            keyed,
        })
    }

    /// Makes a new one.
    ///
    /// # Errors
    /// The operating system has no random bytes.
    pub fn generate() -> Result<Pepper, StoreError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Pepper::from_bytes(&bytes)
    }

    /// The secret, for the store that keeps it.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.bytes.expose()
    }

    /// The hash of a key's text.
    #[must_use]
    pub fn hash(&self, text: &str) -> KeyHash {
        let mut keyed = self.keyed.clone();
        keyed.update(text.as_bytes());
        KeyHash(keyed.finalize().into_bytes().into())
    }
}

/// Makes the text of a new key.
pub(super) fn generate() -> Result<Secret<String>, StoreError> {
    let mut text = String::with_capacity(LENGTH);
    text.push_str(PREFIX);
    push_random(&mut text, RANDOM_CHARACTERS)?;
    let sum = checksum(text.as_bytes());
    text.extend(sum.map(char::from));
    Ok(Secret::new(text))
}

/// Makes the id of a new key: 12 characters of base62, 71 bits.
pub(super) fn generate_id() -> Result<KeyId, StoreError> {
    let mut text = String::from("key_");
    push_random(&mut text, 12)?;
    Ok(KeyId::from_text(&text))
}

/// What of a key may be shown.
pub(super) fn prefix(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

/// Whether a text has the form of a key, its sum included. Cheap, and done before anything else.
pub(super) fn is_well_formed(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != LENGTH || !bytes.starts_with(PREFIX.as_bytes()) {
        return false;
    }
    let (body, sum) = bytes.split_at(BODY);
    body.iter().skip(PREFIX.len()).all(u8::is_ascii_alphanumeric) && sum == checksum(body)
}

/// Appends so many random characters of base62.
pub(crate) fn push_random(text: &mut String, count: usize) -> Result<(), StoreError> {
    let end = text.len().saturating_add(count);
    let mut pool = Secret::new([0u8; 64]);
    while text.len() < end {
        let mut bytes = [0u8; 64];
        getrandom::fill(&mut bytes)?;
        pool = Secret::new(bytes);
        let fair = pool.expose().iter().copied().filter(|byte| *byte < FAIR_BELOW);
        let characters = fair.filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
        text.extend(
            characters
                .take(end.saturating_sub(text.len()))
                .map(|byte| char::from(*byte)),
        );
    }
    drop(pool);
    Ok(())
}

fn checksum(body: &[u8]) -> [u8; SUM_CHARACTERS] {
    let mut rest = crc32fast::hash(body);
    let mut sum = [b'0'; SUM_CHARACTERS];
    for place in sum.iter_mut().rev() {
        let digit = usize::try_from(rest % 62).unwrap_or(0);
        *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
        rest /= 62;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_well_formed_and_every_single_change_is_seen() {
        let text = generate().unwrap().expose().clone();
        assert_eq!(text.len(), 41);
        assert!(is_well_formed(&text), "{text}");
        for place in 0..text.len() {
            for with in ['0', 'a', 'Z', '_', '~'] {
                let mut other: Vec<char> = text.chars().collect();
                if other[place] == with {
                    continue;
                }
                other[place] = with;
                let other: String = other.into_iter().collect();
                assert!(!is_well_formed(&other), "{other}");
            }
        }
    }

    #[test]
    fn other_texts_are_malformed() {
        let good = generate().unwrap().expose().clone();
        for text in [
            "",
            "pc_",
            "é",
            good.strip_prefix("p").unwrap(),
            &format!("{good}0"),
            &good.to_uppercase(),
        ] {
            assert!(!is_well_formed(text), "{text}");
        }
        // Well summed, yet with characters that no key has.
        let body = format!("pc_{}", "é".repeat(16));
        let summed = format!(
            "{body}{}",
            String::from_utf8(checksum(body.as_bytes()).to_vec()).unwrap()
        );
        assert_eq!(summed.len(), 41);
        assert!(!is_well_formed(&summed));
    }

    #[test]
    fn the_checksum_is_crc32_in_base62() {
        // The check value of CRC-32/ISO-HDLC for "123456789" is 0xCBF43926 = 3421780262.
        let sum = checksum(b"123456789");
        let value = sum.iter().fold(0u64, |value, digit| {
            value * 62 + ALPHABET.iter().position(|letter| letter == digit).unwrap() as u64
        });
        assert_eq!(value, 0xCBF4_3926);
    }

    #[test]
    fn every_character_comes_about_equally_often() {
        let mut text = String::new();
        push_random(&mut text, 62 * 2000).unwrap();
        let mut counts = [0u32; 62];
        for byte in text.bytes() {
            counts[ALPHABET.iter().position(|letter| *letter == byte).unwrap()] += 1;
        }
        // Chi-squared with 61 degrees of freedom: above 130 less than once in a million runs. Taking every byte
        // modulo 62 would favour eight characters by a quarter and give about 800.
        let chi: f64 = counts
            .iter()
            .map(|count| (f64::from(*count) - 2000.0).powi(2) / 2000.0)
            .sum();
        assert!(chi < 130.0, "{chi}: {counts:?}");
    }

    #[test]
    fn the_hash_depends_on_the_pepper() {
        let text = generate().unwrap();
        let (one, other) = (Pepper::generate().unwrap(), Pepper::generate().unwrap());
        assert_eq!(one.hash(text.expose()), one.hash(text.expose()));
        assert_ne!(one.hash(text.expose()), other.hash(text.expose()));
    }
}
