//! Credentials that are written in base64: what is decoded says whether it is one.

use portcullis_core::Span;

use crate::around::{Check, Match};

use super::secrets::{distinct, generated, is_placeholder};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("jwt", Check::Value(jwt)),
    ("pem", Check::Value(pem)),
    ("basic_auth", Check::Value(basic_auth)),
    ("kubernetes_data", Check::Left(kubernetes_data)),
];

/// JSON web tokens: header and payload are JSON objects, and the header names an algorithm (RFC 7519).
fn jwt(text: &str) -> bool {
    let mut parts = text.split('.');
    let header = parts.next().and_then(decode).unwrap_or_default();
    let header = String::from_utf8_lossy(&header);
    let payload = parts.next().and_then(decode).unwrap_or_default();
    let object = |text: &[u8]| text.first() == Some(&b'{') && text.last() == Some(&b'}');
    // The token that jwt.io shows stands in every tutorial.
    let example = String::from_utf8_lossy(&payload).contains("\"sub\":\"1234567890\",\"name\":\"John Doe\"");
    !example
        && object(header.as_bytes())
        && header.contains("\"alg\"")
        && (object(&payload) || header.contains("\"enc\""))
}

/// Armoured keys: between the dashes stands a body, not an ellipsis.
fn pem(text: &str) -> bool {
    let mut parts = text.split("-----").skip(2);
    let body = parts.next().unwrap_or_default();
    let letters = body.bytes().filter(u8::is_ascii_alphanumeric).count();
    letters >= 40 && distinct(body) >= 12 && !body.contains("...")
}

/// What HTTP's basic authentication sends: a user, a colon, a password (RFC 7617).
fn basic_auth(text: &str) -> bool {
    let Some(decoded) = decode(text).and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return false;
    };
    let lower = decoded.to_ascii_lowercase();
    let example = [
        "aladdin:",
        "user:pass",
        "username:password",
        "admin:password",
        "foo:bar",
        "test:test",
    ];
    let weak = |user: &str, password: &str| {
        password.len() < 6 || password == user || password.bytes().all(|byte| byte.is_ascii_digit())
    };
    decoded
        .split_once(':')
        .is_some_and(|(user, password)| !weak(user, password))
        && !lower.contains("password")
        && !decoded.chars().any(char::is_control)
        && !example.iter().any(|known| lower.starts_with(known))
}

/// Values of a Kubernetes secret: base64 of text, under `data:` of `kind: Secret`. Certificates are public.
fn kubernetes_data(found: &Match<'_>) -> Option<Span> {
    let before = found.before(900);
    let kind = before.rfind("Secret")?;
    let manifest = before.get(kind..)?;
    let data = manifest
        .rfind("data\":")
        .or_else(|| manifest.rfind("\ndata:").map(|at| at + 1))?;
    let entries = manifest.get(data..)?;
    // A key of the manifest's first level ends the data.
    let ended = entries.lines().skip(1).any(|line| {
        line.starts_with("---") || line.starts_with(|character: char| character.is_ascii_alphabetic())
    });
    let decoded = decode(found.value())?;
    let text = String::from_utf8(decoded).ok()?;
    let readable = text.len() >= 4
        && !text
            .chars()
            .any(|character| character.is_control() && !character.is_whitespace());
    let public = text.contains("BEGIN CERTIFICATE") || text.contains("PUBLIC KEY") || is_setting(&text);
    (!ended && readable && !public && !is_placeholder_text(&text)).then(|| found.span())
}

/// Names, addresses and switches stand among the data of secrets too.
fn is_setting(text: &str) -> bool {
    let word = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'.' | b'_'));
    word || text.starts_with("http://") || (text.starts_with("https://") && !text.contains('@'))
}

fn is_placeholder_text(text: &str) -> bool {
    !generated(text) && text.len() >= 12 && is_placeholder(text) && text.to_ascii_lowercase().contains("your")
}

/// The bytes that a text in base64 or base64url, padded or not, stands for.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::expand;

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in [
            ("aGk=", Some(&b"hi"[..])),
            ("aGk", Some(b"hi")),
            ("", Some(b"")),
            ("a", None),
            ("a b=", None),
        ] {
            assert_eq!(decode(text).as_deref(), bytes, "{text}");
        }
        assert_eq!(decode("-_8"), decode("+/8="));
    }

    #[test]
    fn each_check_knows_right_from_wrong() {
        assert!(jwt(&expand("{jwt}", 3)));
        assert!(!jwt("eyJhIjoxfQ.eyJhIjoxfQ.c2ln") && !jwt("eyJ.eyJ.x") && !jwt(""));
        assert!(basic_auth(&expand("{basic}", 3)));
        assert!(!basic_auth("dXNlcjpwYXNz") && !basic_auth("aGVsbG8gd29ybGQ=") && !basic_auth("////"));
    }
}
