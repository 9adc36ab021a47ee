//! Identifiers as types, so that one is never taken for another.

use serde::{Deserialize, Serialize};

/// Identifies one request: `req_` and 26 characters of Crockford base32 (48 bits of milliseconds, 80 random bits).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(String);

impl RequestId {
    /// Builds an id from a time and random bits, both given by the caller: this crate has neither clock nor dice.
    #[must_use]
    pub fn from_parts(unix_ms: u64, random: u128) -> RequestId {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let bits = (u128::from(unix_ms & 0xffff_ffff_ffff) << 80) | (random & ((1 << 80) - 1));
        let mut text = String::with_capacity(30);
        text.push_str("req_");
        for position in (0..26u32).rev() {
            let digit = usize::try_from((bits >> (position * 5)) & 31).unwrap_or(0);
            text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
        }
        RequestId(text)
    }

    /// Takes an id as it was printed.
    #[must_use]
    pub fn from_text(text: &str) -> RequestId {
        RequestId(text.to_owned())
    }

    /// The printed form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identifies an API key without revealing it: `key_` and 12 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// Takes an id as it was printed.
    #[must_use]
    pub fn from_text(text: &str) -> KeyId {
        KeyId(text.to_owned())
    }

    /// The printed form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_sort_by_time_and_have_a_fixed_length() {
        let early = RequestId::from_parts(1, u128::MAX);
        let late = RequestId::from_parts(2, 0);
        assert!(early < late);
        assert_eq!(early.as_str().len(), 30);
        assert_eq!(RequestId::from_text(late.as_str()), late);
    }
}
