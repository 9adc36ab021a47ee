//! Addresses of networks and places.

use core::net::{Ipv4Addr, Ipv6Addr};

use portcullis_core::Span;

use crate::around::{Check, Match};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("ipv4", Check::Left(ipv4)),
    ("ipv6", Check::Left(ipv6)),
    ("mac", Check::Left(mac)),
    ("coordinates", Check::Value(coordinates)),
];

/// IPv4 addresses of a host. What follows is read as far as the pattern reads (one part more, a network's length).
///
/// None are: versions (a word for one stands before), networks (`10.0.0.0/8`), masks, loopback, `0.0.0.0`, broadcast and
/// multicast: they name nobody. Private ranges name a machine of somebody's network and are found.
fn ipv4(found: &Match<'_>) -> Option<Span> {
    let address: Ipv4Addr = found.value().parse().ok()?;
    let [first, second, third, last] = address.octets();
    let after = found.after(2);
    let network = after.starts_with('/') && last == 0;
    // `7.1.1.2` is a section; four single digits are an address where that is said.
    let section = found.value().len() == 7;
    if longer(after) && (network || after.starts_with(['.', '-', '_'])) {
        return None;
    }
    let nobody = first == 0
        || first == 127
        || first >= 224
        || (third == 0 && last == 0)
        || (second == 0 && third == 0 && first < 10);
    let before = found.before(16);
    let joined =
        before.ends_with(['.', '-', '/', '\\', '_', '@', '=']) && !before.ends_with("//") && glued(before);
    let said = section && (before.ends_with("//") || before.to_ascii_lowercase().contains("ip"));
    (!nobody && !joined && (!section || said) && !versioned(before)).then(|| found.span())
}

/// Whether a digit follows the sign that a text begins with.
fn longer(text: &str) -> bool {
    text.as_bytes()
        .get(1)
        .is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// Whether what stands before makes an address a part of something else: `1.2.3.4` behind `9.`, `pkg-`, `==`.
fn glued(before: &str) -> bool {
    let mut back = before.chars().rev();
    match back.next() {
        Some('.') => back
            .next()
            .is_some_and(|character| character.is_ascii_alphanumeric()),
        Some('=') => back
            .next()
            .is_some_and(|character| matches!(character, '=' | '>' | '<' | '~' | '^')),
        Some('/' | '@') => false,
        _ => true,
    }
}

/// Whether a word for a version stands right before.
fn versioned(before: &str) -> bool {
    let word: String = before
        .trim_end_matches([' ', ':', '=', '"', '\''])
        .chars()
        .rev()
        .take_while(|character| character.is_alphabetic())
        .collect();
    let word: String = word.chars().rev().collect::<String>().to_lowercase();
    matches!(
        word.as_str(),
        "version"
            | "versions"
            | "ver"
            | "v"
            | "release"
            | "build"
            | "firmware"
            | "section"
            | "chapter"
            | "sec"
            | "clause"
            | "revision"
            | "rev"
            | "upgrade"
            | "oid"
            | "chrome"
            | "chromium"
            | "edge"
            | "edg"
            | "opr"
            | "safari"
            | "driver"
            | "fileversion"
            | "productversion"
            | "assemblyversion"
            | "clr"
            | "schema"
            | "protocol"
            | "sdk"
            | "update"
            | "patch"
    )
}

/// IPv6 addresses of a host: eight groups, or `::` with enough beside it that it is no path of a program (`a::b`).
fn ipv6(found: &Match<'_>) -> Option<Span> {
    let text = found.value();
    let before = found.before(1);
    if before.ends_with([':', '.', '<', '>']) || found.after(1).starts_with(':') {
        return None;
    }
    let address: Ipv6Addr = text.parse().ok()?;
    let groups = text.split(':').filter(|group| !group.is_empty());
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let long = groups.clone().any(|group| group.len() >= 3);
    let global = matches!(
        address.segments().first(),
        Some(0x2000..=0x3fff | 0xfc00..=0xfdff | 0xfe80..=0xfebf | 0x0064)
    );
    (groups.count() >= 2 && digits >= 2 && long && global).then(|| found.span())
}

/// Hardware addresses (IEEE 802). A chain of more than six pairs is a fingerprint; broadcast and nought name nobody.
fn mac(found: &Match<'_>) -> Option<Span> {
    let text = found.value();
    let joint = |text: &str| {
        text.starts_with([':', '-', '.'])
            && text
                .as_bytes()
                .get(1)
                .is_some_and(|byte| byte.is_ascii_hexdigit())
    };
    let before = found.before(1);
    if before.ends_with([':', '-', '.']) && behind_hex(found) || joint(found.after(2)) {
        return None;
    }
    let hex = || text.bytes().filter(u8::is_ascii_hexdigit);
    let same = hex().all(|byte| Some(byte) == hex().next());
    let lettered = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    (hex().count() == 12 && !same && (lettered || text.contains(':'))).then(|| found.span())
}

/// Whether the sign before a match ends a pair of hexadecimal digits.
fn behind_hex(found: &Match<'_>) -> bool {
    found
        .before(2)
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_hexdigit())
}

/// Latitude and longitude with at least four places behind the point: a house, not a city.
fn coordinates(text: &str) -> bool {
    let mut parts = text
        .split(|character: char| !(character.is_ascii_digit() || matches!(character, '.' | '-' | '+')))
        .filter(|part| part.contains('.'))
        .filter_map(|part| part.parse::<f64>().ok());
    let (latitude, longitude) = (parts.next(), parts.next());
    latitude.is_some_and(|value| value.abs() <= 90.0) && longitude.is_some_and(|value| value.abs() <= 180.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(check: fn(&Match<'_>) -> Option<Span>, before: &str, value: &str, after: &str) -> bool {
        let text = format!("{before}{value}{after}");
        let span = Span::new(before.len(), before.len() + value.len());
        check(&Match::new(&text, span, span)).is_some()
    }

    #[test]
    fn addresses_are_those_of_hosts() {
        for (check, before, value, after, right) in [
            (
                ipv4 as fn(&Match<'_>) -> Option<Span>,
                "from ",
                "73.62.136.95",
                ".",
                true,
            ),
            (ipv4, "ip=", "192.168.119.63", " ", true),
            (ipv4, "http://", "10.1.2.3", "/x", true),
            (ipv4, "version ", "1.2.3.4", "", false),
            (ipv4, "", "1.2.3.4", ".5", false),
            (ipv4, "", "10.0.0.0", "/8", false),
            (ipv4, "", "127.0.0.1", ":80", false),
            (ipv4, "mask ", "255.255.255.0", "", false),
            (ipv4, "Chrome/", "91.0.44.72", "", true),
            (ipv4, "pkg==", "1.2.3.4", "", false),
            (ipv4, "9.", "1.2.3.4", "", false),
            (ipv6, "", "2001:db8:5197:680d::cf3b", "", true),
            (ipv6, "", "a::b", "", false),
            (ipv6, "", "12:30:45", "", false),
            (mac, "", "63:a0:ea:74:bb:40", "", true),
            (mac, "", "63:a0:ea:74:bb:40", ":11", false),
            (mac, "11:", "63:a0:ea:74:bb:40", "", false),
            (mac, "", "00:00:00:00:00:00", "", false),
            (mac, "", "12-34-56-78-90-12", "", false),
        ] {
            assert_eq!(find(check, before, value, after), right, "{before}{value}{after}");
        }
    }

    #[test]
    fn coordinates_are_on_the_globe() {
        assert!(coordinates("48.85837, 2.29448"));
        assert!(!coordinates("148.85837, 2.29448"));
    }
}
