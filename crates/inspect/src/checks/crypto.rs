//! Addresses of cryptocurrency wallets: the checksums of base58check, bech32 and bech32m, and EIP-55.

use portcullis_core::Span;
use sha2::{Digest, Sha256};

use super::keccak::keccak256;
use crate::around::{Check, Match, stands_in};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("base58check", Check::Value(base58check)),
    ("bech32", Check::Value(bech32)),
    ("ethereum", Check::Left(ethereum)),
    ("cashaddr", Check::Value(cashaddr)),
    ("solana", Check::Value(solana)),
    ("stellar", Check::Value(stellar)),
];

/// Bitcoin's alphabet; Ripple's is the same in another order.
const BITCOIN: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const RIPPLE: &[u8] = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz";

/// The bytes that a text in base 58 stands for: at most 64.
fn base58(text: &str, alphabet: &[u8]) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        let mut carry = alphabet.iter().position(|known| *known == byte)?;
        for digit in &mut bytes {
            carry += usize::from(*digit) * 58;
            *digit = u8::try_from(carry & 0xff).ok()?;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push(u8::try_from(carry & 0xff).ok()?);
            carry >>= 8;
        }
    }
    let zeros = text
        .bytes()
        .take_while(|byte| Some(byte) == alphabet.first())
        .count();
    bytes.extend(std::iter::repeat_n(0, zeros));
    bytes.reverse();
    Some(bytes)
}

/// Versions of the addresses of Bitcoin, Litecoin, Dogecoin, Dash, Tron, Ripple (its main and test networks).
const VERSIONS: &[u8] = &[0, 5, 0x30, 0x32, 0x1e, 0x16, 0x4c, 0x10, 0x41, 0x6f, 0xc4, 0x3a];

/// Addresses of 20 bytes behind a version, closed by four bytes of a double SHA-256.
fn base58check(text: &str) -> bool {
    let alphabet = if text.starts_with('r') { RIPPLE } else { BITCOIN };
    let Some(bytes) = base58(text, alphabet).filter(|bytes| bytes.len() == 25) else {
        return false;
    };
    let Some((payload, sum)) = bytes.split_last_chunk::<4>() else {
        return false;
    };
    let known = payload.first().is_some_and(|version| VERSIONS.contains(version));
    known && Sha256::digest(Sha256::digest(payload)).starts_with(sum)
}

const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The checksum of BIP 173 (BIP 350: the same with another constant) over prefix and data.
fn bech32(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let Some((prefix, data)) = text.rsplit_once('1') else {
        return false;
    };
    let step = |sum: u32, value: u32| {
        const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
        let mixed = (sum & 0x01ff_ffff) << 5 ^ value;
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| sum >> (25 + bit) & 1 == 1)
            .fold(mixed, |sum, (_, constant)| sum ^ constant)
    };
    let high = prefix.bytes().map(|byte| u32::from(byte >> 5));
    let low = prefix.bytes().map(|byte| u32::from(byte & 31));
    let values = high.chain([0]).chain(low).fold(1, step);
    let mut sum = values;
    for byte in data.bytes() {
        let Some(value) = BECH32
            .iter()
            .position(|known| *known == byte)
            .and_then(|at| u32::try_from(at).ok())
        else {
            return false;
        };
        sum = step(sum, value);
    }
    matches!(sum, 1 | 0x2bc8_30a3)
}

/// The checksum of Bitcoin Cash's addresses.
fn cashaddr(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let (prefix, data) = text.split_once(':').unwrap_or(("bitcoincash", text.as_str()));
    let step = |sum: u64, value: u64| {
        const GENERATOR: [u64; 5] = [
            0x98_f2bc_8e61,
            0x79_b76d_99e2,
            0xf3_3e5f_b3c4,
            0xae_2eab_e2a8,
            0x1e_4f43_e470,
        ];
        let mixed = (sum & 0x07_ffff_ffff) << 5 ^ value;
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| sum >> (35 + bit) & 1 == 1)
            .fold(mixed, |sum, (_, constant)| sum ^ constant)
    };
    let known = |byte: u8| {
        BECH32
            .iter()
            .position(|known| *known == byte)
            .and_then(|at| u64::try_from(at).ok())
    };
    let head = prefix
        .bytes()
        .map(|byte| u64::from(byte & 31))
        .chain([0])
        .fold(1, step);
    let sum = data
        .bytes()
        .try_fold(head, |sum, byte| known(byte).map(|value| step(sum, value)));
    sum == Some(1)
}

/// Ethereum's addresses. In mixed case they must pass EIP-55; in one case nothing proves them, so that a word for an
/// address must stand before.
fn ethereum(found: &Match<'_>) -> Option<Span> {
    const WORDS: &[&str] = &[
        "wallet",
        "address",
        "addr",
        "eth",
        "ethereum",
        "ether",
        "erc20",
        "usdt",
        "usdc",
        "metamask",
        "polygon",
        "bnb",
        "bsc",
        "crypto",
        "account",
        "recipient",
        "sender",
        "send",
        "payout",
        "billetera",
        "portefeuille",
        "portafoglio",
        "carteira",
        "кошелек",
        "кошелёк",
        "钱包",
        "地址",
        "ウォレット",
        "지갑",
    ];
    let hex = found.value().get(2..)?;
    let lower = hex.bytes().any(|byte| byte.is_ascii_lowercase());
    let upper = hex.bytes().any(|byte| byte.is_ascii_uppercase());
    let kinds = (0..=u8::MAX).filter(|byte| hex.as_bytes().contains(byte)).count();
    let right = if lower && upper {
        eip55(hex)
    } else {
        let before = found.before(64);
        kinds >= 8 && WORDS.iter().any(|word| stands_in(word, before))
    };
    right.then(|| found.span())
}

/// Whether letters are capital where the hash of the address says so.
fn eip55(hex: &str) -> bool {
    let hash = keccak256(hex.to_ascii_lowercase().as_bytes());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    hex.bytes()
        .zip(nibbles)
        .all(|(byte, nibble)| !byte.is_ascii_alphabetic() || byte.is_ascii_uppercase() == (nibble >= 8))
}

/// Solana's addresses are 32 bytes without a checksum: a rule must ask for words around them.
fn solana(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let upper = text.bytes().filter(u8::is_ascii_uppercase).count();
    digits >= 2 && upper >= 6 && base58(text, BITCOIN).is_some_and(|bytes| bytes.len() == 32)
}

/// Stellar's addresses: base 32, closed by CRC-16 (XMODEM).
fn stellar(text: &str) -> bool {
    let mut bytes = Vec::with_capacity(35);
    let (mut held, mut bits) = (0u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return false,
        };
        held = (held << 5 | u32::from(value)) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap_or_default());
        }
    }
    let Some((payload, sum)) = bytes.split_last_chunk::<2>() else {
        return false;
    };
    let crc = payload.iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => crc << 1 ^ 0x1021,
        })
    });
    crc == u16::from_le_bytes(*sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        // The examples of the specifications; the addresses of nobody.
        for (check, text, right) in [
            (
                base58check as fn(&str) -> bool,
                "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH",
                true,
            ),
            (base58check, "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMh", false),
            (base58check, "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", true),
            (bech32, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", true),
            (bech32, "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", true),
            (bech32, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", false),
            (
                bech32,
                "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
                true,
            ),
            (
                cashaddr,
                "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a",
                true,
            ),
            (
                cashaddr,
                "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6b",
                false,
            ),
            (eip55, "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", true),
            (eip55, "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", false),
            (
                stellar,
                "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ",
                true,
            ),
            (
                stellar,
                "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGA",
                false,
            ),
            (solana, "So11111111111111111111111111111111111111112", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
