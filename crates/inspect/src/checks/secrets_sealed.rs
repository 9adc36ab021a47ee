//! Tokens that carry a checksum of themselves: what does not add up was mistyped or made up.

use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("github", Check::Value(github)),
    ("gitlab_routable", Check::Value(gitlab_routable)),
    ("grafana", Check::Value(grafana)),
    ("atlassian", Check::Value(atlassian)),
];

const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// GitHub and npm: after the prefix, the last six characters are the CRC32 of those before them, in base 62
/// (<https://github.blog/engineering/behind-githubs-new-authentication-token-formats/>).
fn github(text: &str) -> bool {
    let parts = text.split_once('_').and_then(|(_, rest)| tail(rest, 6));
    parts.is_some_and(|(body, sum)| number(sum, BASE62) == Some(crc32(body)))
}

/// GitLab's routable tokens: the last seven characters are the CRC32 of all before them, in base 36
/// (<https://docs.gitlab.com/security/tokens/>).
fn gitlab_routable(text: &str) -> bool {
    tail(text, 7).is_some_and(|(body, sum)| {
        let digits = "0123456789abcdefghijklmnopqrstuvwxyz";
        number(sum, digits) == Some(crc32(body))
    })
}

/// Grafana's service account tokens: `glsa_`, a secret, `_`, and the secret's CRC32 in hexadecimal digits.
fn grafana(text: &str) -> bool {
    let secret = text.strip_prefix("glsa_").and_then(|rest| rest.split_once('_'));
    secret.is_some_and(|(body, sum)| u32::from_str_radix(sum, 16).ok() == Some(crc32(body)))
}

/// Atlassian's tokens: all before `=`, and its CRC32 in hexadecimal digits.
fn atlassian(text: &str) -> bool {
    let parts = text.rsplit_once('=');
    parts.is_some_and(|(body, sum)| u32::from_str_radix(sum, 16).ok() == Some(crc32(body)))
}

fn crc32(text: &str) -> u32 {
    crc32fast::hash(text.as_bytes())
}

/// A text without its last `length` bytes, and those.
fn tail(text: &str, length: usize) -> Option<(&str, &str)> {
    text.split_at_checked(text.len().checked_sub(length)?)
}

/// A number written in `digits`.
fn number(text: &str, digits: &str) -> Option<u32> {
    let base = u32::try_from(digits.len()).ok()?;
    text.chars().try_fold(0u32, |number, character| {
        let digit = u32::try_from(digits.find(character)?).ok()?;
        number.checked_mul(base)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::expand;

    #[test]
    fn right_sums_pass_and_wrong_ones_do_not() {
        for (check, template) in [
            (github as fn(&str) -> bool, "ghp_{crc62:30}"),
            (github, "ghr_{crc62:70}"),
            (gitlab_routable, "glpat-{crc36:glpat-:27:.01.0r}"),
            (grafana, "glsa_{crc16:32}"),
            (atlassian, "{crcHEX:ATATT3xFfGF0:171}"),
        ] {
            for seed in 1..50 {
                let right = expand(template, seed);
                assert!(check(&right), "{right}");
                let last = if right.ends_with('1') { '2' } else { '1' };
                let wrong: String = right.chars().take(right.len() - 1).chain([last]).collect();
                assert!(!check(&wrong), "{wrong}");
            }
        }
    }

    #[test]
    fn what_is_too_short_is_no_token() {
        assert!(
            !github("ghp_")
                && !github("ghp")
                && !gitlab_routable("a")
                && !grafana("glsa_x")
                && !atlassian("x")
        );
    }
}
