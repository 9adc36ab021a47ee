//! Where a link leads. It reads an address as a browser does, and where other programs would read it otherwise it says so
//! by naming no host: what is not certain is on no list of allowed hosts. It fetches nothing and follows no redirect.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

pub(crate) mod entity;
mod punycode;

/// What an address leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A place of the page or site that it stands in.
    Own,
    /// Code that the reader's program runs.
    Script,
    /// A host, in lower case and ASCII.
    Host(String),
    /// Another host or program, and it is not certain which.
    Unknown,
}

/// Schemes whose addresses browsers read as `http`: any number of slashes and backslashes before the host.
const SPECIAL: &[&str] = &["http", "https", "ws", "wss", "ftp"];
/// Schemes whose addresses are run.
const SCRIPTS: &[&str] = &["javascript", "vbscript", "livescript"];
/// Kinds of `data:` that are pictures and sounds without code in them.
const INERT: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/jpg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
    "audio/",
    "video/",
    "font/",
];

/// Where what a rule for links matched leads: `(url "title")`, `name="url"`, `url(…)`, `<url>` or an address alone.
pub(crate) fn target(matched: &str) -> Target {
    let (url, many) = address(matched);
    if !many {
        return read(url);
    }
    let mut targets = url
        .split(|c: char| c == ',' || c.is_ascii_whitespace())
        .filter(|url| looks_like_one(url))
        .map(read);
    let Some(first) = targets.next() else {
        return Target::Own;
    };
    if targets.all(|other| other == first) {
        first
    } else {
        Target::Unknown
    }
}

/// The host that what a rule for links matched leads to, if it is one host and certain.
pub(crate) fn host_of(matched: &str) -> Option<Arc<str>> {
    match target(matched) {
        Target::Host(host) => Some(Arc::from(host)),
        Target::Own | Target::Script | Target::Unknown => None,
    }
}

/// Whether a word of a list of addresses is an address and not the width or density of a picture.
fn looks_like_one(word: &str) -> bool {
    word.contains(['/', '\\', ':', '&'])
}

/// The address in what a rule matched, and whether it is a list of several.
fn address(matched: &str) -> (&str, bool) {
    let matched = matched.trim();
    let lower = |prefix: &str| {
        matched
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if let Some(inner) = matched.strip_prefix('(') {
        let inner = inner.trim_start();
        return match inner.strip_prefix('<') {
            Some(inner) => (inner.split('>').next().unwrap_or(inner), false),
            None => {
                let url = inner.split([' ', '\t', '\n', '\r']).next().unwrap_or(inner);
                (url.strip_suffix(')').unwrap_or(url), false)
            }
        };
    }
    if lower("url(") {
        let inner = matched.get(4..).unwrap_or_default();
        return (unquoted(inner.strip_suffix(')').unwrap_or(inner)), false);
    }
    if lower("@import") {
        let inner = matched.get(7..).unwrap_or_default().trim();
        return (unquoted(inner.strip_suffix(';').unwrap_or(inner)), false);
    }
    let name = matched
        .find(|c: char| !c.is_ascii_alphabetic() && c != '-' && c != ':')
        .unwrap_or(matched.len());
    let (name, rest) = matched.split_at_checked(name).unwrap_or((matched, ""));
    if let Some(value) = rest.trim_start().strip_prefix('=') {
        let many = ["srcset", "imagesrcset", "ping"]
            .iter()
            .any(|list| name.eq_ignore_ascii_case(list));
        return (unquoted(value), many);
    }
    let url = matched.strip_prefix('<').unwrap_or(matched);
    (url.strip_suffix('>').unwrap_or(url), false)
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}

/// Where an address leads.
pub(crate) fn read(url: &str) -> Target {
    let raw = parse(url);
    if !url.contains(['&', '\\']) {
        return raw;
    }
    // Who shows the reply decides whether references are replaced and backslashes taken off: both readings count.
    let unescaped = url.replace('\\', "");
    let decoded = entity::decode(url);
    let others = [
        parse(&decoded),
        parse(&unescaped),
        parse(&entity::decode(&unescaped)),
    ];
    if others.contains(&Target::Script) || raw == Target::Script {
        return Target::Script;
    }
    if others.iter().all(|other| *other == raw) {
        raw
    } else {
        Target::Unknown
    }
}

fn parse(url: &str) -> Target {
    // As browsers do: blanks around go, and tabs and line ends within.
    let url: String = url
        .trim_matches(|c: char| c <= ' ' || c.is_whitespace())
        .chars()
        .filter(|c| !matches!(c, '\t' | '\n' | '\r'))
        .collect();
    let Some((scheme, rest)) = scheme(&url) else {
        let slashes = |text: &str| text.starts_with(['/', '\\']);
        return if slashes(&url) && url.get(1..).is_some_and(slashes) {
            authority(url.trim_start_matches(['/', '\\']))
        } else if url
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("www."))
        {
            authority(&url)
        } else {
            Target::Own
        };
    };
    match scheme.as_str() {
        "data" => data(rest),
        "mailto" => mail(rest),
        "tel" | "cid" => Target::Own,
        _ if SCRIPTS.contains(&scheme.as_str()) => Target::Script,
        _ if SPECIAL.contains(&scheme.as_str()) => authority(rest.trim_start_matches(['/', '\\'])),
        _ => Target::Unknown,
    }
}

/// The scheme in lower case, and what follows its colon.
fn scheme(url: &str) -> Option<(String, &str)> {
    let (scheme, rest) = url.split_once(':')?;
    let fine = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    fine.then(|| (scheme.to_ascii_lowercase(), rest))
}

fn data(rest: &str) -> Target {
    let kind = rest.trim_start().to_ascii_lowercase();
    if INERT.iter().any(|inert| kind.starts_with(inert)) {
        Target::Own
    } else {
        Target::Script
    }
}

fn mail(rest: &str) -> Target {
    let addresses = rest.split('?').next().unwrap_or(rest);
    match addresses.split_once('@') {
        Some((_, domain)) if !rest.contains(['%', ',', ';', '&']) => {
            host(domain).map_or(Target::Unknown, Target::Host)
        }
        _ => Target::Unknown,
    }
}

/// The host of what follows the slashes.
fn authority(rest: &str) -> Target {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or(rest);
    // A backslash ends the host for a browser and belongs to it for others.
    if authority.contains('\\') {
        return Target::Unknown;
    }
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = host.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    let host = match port {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return Target::Unknown,
        None => host,
    };
    self::host(host).map_or(Target::Unknown, Target::Host)
}

/// A host name in the form in which it is compared: lower case, international names in ASCII, addresses in their usual
/// notation, no dot at the end. `None` where it is none, or none that every program reads alike.
#[must_use]
pub fn host(written: &str) -> Option<String> {
    if let Some(address) = written.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(format!("[{address}]"));
    }
    let decoded = percent_decoded(written)?;
    let name = decoded.strip_suffix('.').unwrap_or(&decoded);
    let mut labels = Vec::new();
    for label in name.split(['.', '。']) {
        labels.push(punycode::label(label)?);
    }
    let name = labels.join(".");
    let last = labels.last()?;
    if last.bytes().all(|byte| byte.is_ascii_digit()) || number(last).is_some() {
        return address_of(&labels).map(|address| address.to_string());
    }
    (name.len() <= 253).then_some(name)
}

/// Whether a label may stand in a host name as it is.
fn is_plain(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after.get(2..)?;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A number as an address of four bytes may be written: decimal, `0x…`, or octal with a leading zero.
fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x") {
        Some("") => return Some(0),
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// The address that one to four numbers are, the last of them filling what is left.
fn address_of(labels: &[String]) -> Option<Ipv4Addr> {
    let (last, first) = labels.split_last()?;
    if first.len() > 3 {
        return None;
    }
    let mut address = 0u64;
    for (place, label) in first.iter().enumerate() {
        let byte = number(label).filter(|byte| *byte < 256)?;
        address |= byte << (24 - 8 * place);
    }
    let room = 1u64 << (32 - 8 * first.len());
    let last = number(last).filter(|last| *last < room)?;
    u32::try_from(address | last).ok().map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(url: &str) -> String {
        match read(url) {
            Target::Own => "own".into(),
            Target::Script => "script".into(),
            Target::Host(host) => host,
            Target::Unknown => "?".into(),
        }
    }

    #[test]
    fn hosts_as_browsers_read_them() {
        for (url, host) in [
            ("https://docs.example.com/a?b#c", "docs.example.com"),
            ("HTTPS://Docs.EXAMPLE.com.:8443/", "docs.example.com"),
            ("https://good.example@evil.example/", "evil.example"),
            ("https://good.example:x@evil.example", "evil.example"),
            ("https:evil.example", "evil.example"),
            ("https:\\\\evil.example/", "evil.example"),
            ("https:///evil.example", "evil.example"),
            ("//evil.example/x", "evil.example"),
            ("\\\\evil.example", "?"),
            ("/\\evil.example", "?"),
            ("https://good.example\\@evil.example", "?"),
            ("ht\ntps://evil\t.example", "evil.example"),
            (" \u{1}https://evil.example", "evil.example"),
            ("https://e%76il.example", "evil.example"),
            ("https://evil%2eexample", "evil.example"),
            ("https://good.example%2f@evil.example", "evil.example"),
            ("&#104;ttps://evil.example", "?"),
            ("https://docs.example.com/?a=1&amp;b=2", "docs.example.com"),
            ("https://docs.example.com/a\\_b", "docs.example.com"),
            ("http://2130706433/", "127.0.0.1"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://0177.0.0.01", "127.0.0.1"),
            ("http://127.0.0.1:80", "127.0.0.1"),
            ("http://256.1.1.1", "?"),
            ("http://[0:0::1]:80/", "[::1]"),
            ("http://[::1%25eth0]/", "?"),
            ("https://münchen.example/", "xn--mnchen-3ya.example"),
            ("https://MÜNCHEN.example/", "xn--mnchen-3ya.example"),
            ("https://ｅｖｉｌ.example/", "?"),
            ("https://a b.example", "?"),
            ("https://a..example", "?"),
            ("https://", "?"),
            ("www.evil.example/x", "evil-is-www"),
            ("mailto:a@evil.example?subject=x", "evil.example"),
            ("mailto:a@good.example,b@evil.example", "?"),
            ("ms-word:ofe|u|https://evil.example", "?"),
            ("file:///etc/passwd", "?"),
            ("docs/page.html", "own"),
            ("#part", "own"),
            ("/a/b", "own"),
            ("?q=1", "own"),
            ("tel:+491234", "own"),
            ("data:image/png;base64,AAAA", "own"),
            ("javascript:alert(1)", "script"),
            (" JaVa\tScRiPt:alert(1)", "script"),
            ("java&#115;cript&colon;alert(1)", "script"),
            ("&#x6A;avascript:alert(1)", "script"),
            ("vbscript:x", "script"),
            ("data:text/html,<script>", "script"),
            ("data:image/svg+xml,x", "script"),
            ("data:,x", "script"),
        ] {
            let host = if host == "evil-is-www" {
                "www.evil.example"
            } else {
                host
            };
            assert_eq!(reads(url), host, "{url}");
        }
    }

    #[test]
    fn the_address_in_what_a_rule_matched() {
        for (matched, url) in [
            ("(https://a.example/x \"t\")", "https://a.example/x"),
            ("( <https://a.example/x y> 't')", "https://a.example/x y"),
            ("(https://a.example/x_(y))", "https://a.example/x_(y)"),
            ("href = \"https://a.example\"", "https://a.example"),
            ("xlink:href='//a.example'", "//a.example"),
            ("src=https://a.example/?b=c", "https://a.example/?b=c"),
            ("url( 'https://a.example' )", "https://a.example"),
            ("@import \"https://a.example\";", "https://a.example"),
            ("<https://a.example>", "https://a.example"),
            ("https://a.example/?b=c", "https://a.example/?b=c"),
        ] {
            assert_eq!(address(matched).0, url, "{matched}");
        }
    }

    #[test]
    fn a_list_of_addresses_leads_somewhere_only_if_all_lead_there() {
        let of = |list: &str| target(&format!("srcset=\"{list}\""));
        let host = |host: &str| Target::Host(host.to_owned());
        assert_eq!(
            of("https://a.example/1 1x, https://a.example/2 2x"),
            host("a.example")
        );
        assert_eq!(
            of("https://a.example/1 1x, https://b.example/2 2x"),
            Target::Unknown
        );
        assert_eq!(of("small.png 1x, large.png 2x"), Target::Own);
    }
}
