//! URLs, by the parser that browsers share, and only where it changes nothing of the host that was written.
//!
//! A name is not looked up: where it leads is the tool server's business, and that it does not follow redirects to elsewhere. What is refused
//! here is what no look-up is needed for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portcullis_core::Glob;
use serde::Deserialize;
use serde_json::Value;
use url::{Host, Url};

use super::{ArgumentRule, Checked, Refused, WrongRule, text};

/// Which URLs may be used.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct UrlRule(Written);

/// The keys of a rule.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `hosts` | `docs.example.com`, `*.example.com` (what is below it, not itself), `*` (any public name) | |
/// | `schemes` | | `[https]` |
/// | `ports` | besides the scheme's own | none |
/// | `paths` | patterns of paths, `*` standing for anything | any |
/// | `query`, `fragment` | whether there may be one | `true` |
/// | `max_query` | bytes of query and fragment: what could be carried out in them | 256 |
/// | `private` | whether addresses and names of private networks may be used where `hosts` lists them | `false` |
/// | `max_bytes` | length | 2048 |
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    hosts: Vec<String>,
    #[serde(default = "https")]
    schemes: Vec<String>,
    #[serde(default)]
    ports: Vec<u16>,
    #[serde(default)]
    paths: Vec<Glob>,
    #[serde(default = "yes")]
    query: bool,
    #[serde(default = "yes")]
    fragment: bool,
    #[serde(default = "short")]
    max_query: usize,
    #[serde(default)]
    private: bool,
    #[serde(default = "long")]
    max_bytes: usize,
}

fn https() -> Vec<String> {
    vec!["https".to_owned()]
}

const fn yes() -> bool {
    true
}

const fn short() -> usize {
    256
}

const fn long() -> usize {
    2048
}

impl TryFrom<Written> for UrlRule {
    type Error = WrongRule;

    fn try_from(mut written: Written) -> Result<UrlRule, WrongRule> {
        for host in &mut written.hosts {
            *host = host.to_ascii_lowercase();
            let rest = host.strip_prefix("*.").unwrap_or(host);
            if rest != "*"
                && (rest.contains('*') || rest.is_empty() || !rest.is_ascii() || rest.contains(['/', '@']))
            {
                return Err(WrongRule(format!(
                    "hosts: {host:?} is neither a host, *.HOST nor * (IDN in its ASCII form)"
                )));
            }
        }
        Ok(UrlRule(written))
    }
}

impl ArgumentRule for UrlRule {
    fn check(&self, value: &Value) -> Result<Checked, Refused> {
        self.judge(text(value, "url.type")?)?;
        Ok(Checked::Passed)
    }
}

impl UrlRule {
    fn judge(&self, written: &str) -> Result<(), Refused> {
        let rule = &self.0;
        let malformed = |why: &str| Refused::new("url.syntax", why);
        if written.is_empty() || written.len() > rule.max_bytes {
            return Err(malformed("the URL is empty or too long"));
        }
        // What parsers differ on: letters beyond ASCII, what they skip, what they take for a slash.
        if !written.bytes().all(|byte| byte.is_ascii_graphic())
            || written.contains(['\\', '"', '<', '>', '`', '{', '}', '|', '^'])
        {
            return Err(malformed(
                "a URL has plain ASCII characters, others percent-encoded",
            ));
        }
        let (scheme, rest) = written
            .split_once("://")
            .ok_or_else(|| malformed("a URL begins with a scheme and ://"))?;
        if !rule
            .schemes
            .iter()
            .any(|known| known.eq_ignore_ascii_case(scheme))
        {
            return Err(Refused::new(
                "url.scheme",
                format!("the scheme must be {}", rule.schemes.join(" or ")),
            ));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let url = Url::parse(written).map_err(|_| malformed("this is no URL"))?;
        let host = url.host().ok_or_else(|| malformed("a URL has a host"))?;
        if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::new(
                "url.user",
                "a URL may not hold a user or a password",
            ));
        }
        let port = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let default = url.port_or_known_default().map(|port| format!("{host}:{port}"));
        if !authority.eq_ignore_ascii_case(&port)
            && !default.is_some_and(|whole| authority.eq_ignore_ascii_case(&whole))
        {
            return Err(Refused::new(
                "url.host",
                "the host must be written plainly: no other notations of addresses, no encoding",
            ));
        }
        if url.port().is_some_and(|port| !rule.ports.contains(&port)) {
            return Err(Refused::new("url.port", "this port is not allowed"));
        }
        self.host(&host)?;
        self.rest(&url, rest)
    }

    fn host(&self, host: &Host<&str>) -> Result<(), Refused> {
        let rule = &self.0;
        if let Host::Domain(name) = host
            && !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        {
            return Err(Refused::new(
                "url.host",
                "the host has characters that no name has",
            ));
        }
        let private = match host {
            Host::Ipv4(address) => is_private(IpAddr::V4(*address)),
            Host::Ipv6(address) => is_private(IpAddr::V6(*address)),
            Host::Domain(name) => is_local(name),
        };
        let listed = rule.hosts.iter().any(|known| known == &host.to_string());
        // A pattern means names below a public one, and never an address.
        let by_pattern = match host {
            Host::Domain(name) => {
                rule.hosts.iter().any(|pattern| below(pattern, name))
                    && !name.split('.').any(|label| label.starts_with("xn--"))
            }
            Host::Ipv4(_) | Host::Ipv6(_) => false,
        };
        match () {
            () if private && !(rule.private && listed) => Err(Refused::new(
                "url.private",
                "private, local and special addresses and names are not allowed",
            )),
            () if listed || by_pattern => Ok(()),
            () => Err(Refused::new(
                "url.host",
                format!("the host must be one of: {}", rule.hosts.join(", ")),
            )),
        }
    }

    fn rest(&self, url: &Url, written: &str) -> Result<(), Refused> {
        let rule = &self.0;
        let (query, fragment) = (url.query(), url.fragment());
        if (query.is_some() && !rule.query) || (fragment.is_some() && !rule.fragment) {
            return Err(Refused::new(
                "url.query",
                "a query or fragment is not allowed here",
            ));
        }
        let carried = query
            .map_or(0, str::len)
            .saturating_add(fragment.map_or(0, str::len));
        if carried > rule.max_query {
            return Err(Refused::new(
                "url.query",
                format!("query and fragment are longer than {} bytes", rule.max_query),
            ));
        }
        let path = written
            .find(['/', '?', '#'])
            .and_then(|at| written.get(at..))
            .unwrap_or_default();
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let lower = path.to_ascii_lowercase();
        let dots = lower.replace("%2e", ".");
        if dots.split(['/', ';']).any(|part| matches!(part, "." | ".."))
            || ["%2f", "%5c", "%00", "%0a", "%0d", "%25"]
                .iter()
                .any(|code| lower.contains(code))
        {
            return Err(Refused::new(
                "url.path",
                "the path must be written plainly: no dots as parts, no encoded slashes",
            ));
        }
        let path = if path.is_empty() { "/" } else { path };
        match rule.paths.is_empty() || rule.paths.iter().any(|pattern| pattern.matches(path)) {
            true => Ok(()),
            false => Err(Refused::new("url.path", "this path is not allowed")),
        }
    }
}

/// Whether a name is any, or below that of a pattern.
fn below(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(end) => name.strip_suffix(end).is_some_and(|start| !start.is_empty()),
        None => false,
    }
}

/// Names that mean something else in every network, or can be made to mean any address.
fn is_local(name: &str) -> bool {
    const ENDS: &[&str] = &[
        "local",
        "localhost",
        "internal",
        "intranet",
        "lan",
        "home",
        "corp",
        "private",
        "localdomain",
        "home.arpa",
        "in-addr.arpa",
        "ip6.arpa",
        "test",
        "invalid",
        "onion",
        "nip.io",
        "sslip.io",
        "xip.io",
        "lvh.me",
        "localtest.me",
        "vcap.me",
        "lacolhost.com",
        "cluster",
    ];
    let ends = |end: &&str| name == *end || name.strip_suffix(*end).is_some_and(|start| start.ends_with('.'));
    !name.contains('.') || name.ends_with('.') || name.starts_with('.') || ENDS.iter().any(ends)
}

/// Whether an address is of no public network: private, local, shared, reserved, multicast, or one that holds such an address.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    matches!(a, 0 | 10 | 127 | 224..=255)
        || matches!((a, b), (100, 64..=127) | (169, 254) | (172, 16..=31) | (192, 168) | (198, 18..=19))
        || matches!((a, b, c), (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113))
        // A cloud's own, of public ranges: Azure's and Alibaba's metadata.
        || matches!(address.octets(), [168, 63, 129, 16] | [100, 100, 100, 200])
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let last = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Unspecified, loopback, mapped, compatible: whatever holds an IPv4 address in a disguise.
        [0, 0, 0, 0, ..] => true,
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => last(high, low),
        [0x64, 0xff9b, ..] => true,
        [0x2002, high, low, ..] => last(high, low),
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x100, 0, 0, 0, ..] | [0x3fff, ..] => true,
        // Only what is given out for the public network.
        [first, ..] => !(0x2000..=0x3fff).contains(&first),
    }
}
