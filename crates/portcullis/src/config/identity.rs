//! TLS and who comes without an API key: what is wrong with it, and what is built of it.

use std::path::Path;

use portcullis_core::Network;
use portcullis_proxy::{Algorithm, CertificatePattern, CertificateRule, JwtIssuer, Mapping, Terms, is_safe};

use super::forms::Duration;
use super::problem::Problem;
use super::raw::Raw;
use super::raw_identity::{RawAlgorithm, RawAudience, RawClientAuth, RawJwt, RawTls, RawUnmapped};
use super::text::{Form as _, Text};
use super::tree::{Node, Value};
use crate::tls::TlsFiles;

/// How far clocks may be apart, in seconds, unless said otherwise; and at most.
pub(super) const LEEWAY: u64 = 30;
const MOST_LEEWAY: u64 = 300;

/// Clients may speak either.
const CLIENTS: &[&str] = &["h2", "http/1.1"];

/// The operators' side speaks one.
const OPERATORS: &[&str] = &["http/1.1"];

/// The files of both listeners.
pub fn listeners(raw: &Raw, folder: &Path) -> (Option<TlsFiles>, Option<TlsFiles>) {
    let data = raw.tls.as_ref().map(|tls| files(tls, folder, CLIENTS));
    let admin = raw.admin.tls.as_ref().map(|tls| files(tls, folder, OPERATORS));
    (data, admin)
}

fn files(raw: &RawTls, folder: &Path, protocols: &'static [&'static str]) -> TlsFiles {
    let path = |file: &super::text::Text<super::forms::PemFile>| folder.join(&file.meaning().0);
    TlsFiles {
        cert: path(&raw.cert),
        key: path(&raw.key),
        client_ca: raw.client_ca.as_ref().map(path),
        required: raw.client_auth != Some(RawClientAuth::Request),
        crl: raw.crl.as_ref().map(path),
        protocols,
    }
}

/// Whose certificates are.
pub fn certificates(raw: &Raw) -> Vec<CertificateRule> {
    let built = raw.identity.certificates.iter().map(|rule| {
        let pattern: &CertificatePattern = &rule.pattern.meaning().0;
        CertificateRule {
            pattern: pattern.clone(),
            team: rule.team.clone(),
            user: rule.user.clone(),
            roles: rule.roles.clone(),
            profile: rule.profile.clone(),
            tools: rule.tools.clone(),
            models: rule
                .models
                .iter()
                .map(|model| model.meaning().0.clone())
                .collect(),
        }
    });
    built.collect()
}

/// Teams that something is said of: those of `teams`, and those that limits name.
fn teams(raw: &Raw) -> Vec<String> {
    let limited = raw.limits.iter().filter_map(|limit| limit.group.team.as_ref());
    // A pattern names nobody.
    let named = limited.map(Text::written).filter(|team| !team.contains('*'));
    raw.teams
        .keys()
        .map(String::as_str)
        .chain(named)
        .map(str::to_owned)
        .collect()
}

/// Proxies whose word is taken.
pub fn trusted_proxies(raw: &Raw) -> Vec<Network> {
    let blocks = raw.identity.trusted_proxies.iter();
    blocks.map(|block| block.meaning().0).collect()
}

/// Issuers of tokens.
pub fn issuers(raw: &Raw) -> Vec<JwtIssuer> {
    let teams: Vec<String> = teams(raw);
    raw.identity.jwt.iter().map(|jwt| issuer(jwt, &teams)).collect()
}

fn issuer(raw: &RawJwt, teams: &[String]) -> JwtIssuer {
    let seconds = |duration: &Text<Duration>| duration.meaning().0.as_secs();
    JwtIssuer {
        terms: Terms {
            issuer: raw.issuer.written().to_owned(),
            audiences: match &raw.audience {
                RawAudience::One(audience) => vec![audience.clone()],
                RawAudience::Many(audiences) => audiences.clone(),
            },
            algorithms: raw
                .algorithms
                .iter()
                .map(|algorithm| built_algorithm(*algorithm))
                .collect(),
            leeway: raw.leeway.as_ref().map_or(LEEWAY, seconds).min(MOST_LEEWAY),
            max_age: raw.max_age.as_ref().map(seconds),
        },
        jwks_url: raw.jwks_url.as_ref().map(|address| address.written().to_owned()),
        mapping: Mapping {
            team: raw.team.clone(),
            org: raw.org.clone(),
            user: raw.user.clone(),
            roles: raw.roles.clone(),
            teams: teams.to_vec(),
            strict: raw.unmapped == RawUnmapped::Refuse,
            profile: raw.profile.clone(),
            tools: raw.tools.clone(),
            models: raw.models.iter().map(|model| model.meaning().0.clone()).collect(),
        },
    }
}

fn built_algorithm(raw: RawAlgorithm) -> Algorithm {
    match raw {
        RawAlgorithm::Rs256 => Algorithm::Rs256,
        RawAlgorithm::Rs384 => Algorithm::Rs384,
        RawAlgorithm::Rs512 => Algorithm::Rs512,
        RawAlgorithm::Ps256 => Algorithm::Ps256,
        RawAlgorithm::Ps384 => Algorithm::Ps384,
        RawAlgorithm::Ps512 => Algorithm::Ps512,
        RawAlgorithm::Es256 => Algorithm::Es256,
        RawAlgorithm::Es384 => Algorithm::Es384,
        RawAlgorithm::EdDsa => Algorithm::EdDsa,
    }
}

/// What is wrong with how the settings stand together. Files are looked at only with `fetch`.
#[must_use]
pub fn check(root: &Node, folder: &Path, fetch: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, tls) in [
        ("tls", root.child("tls")),
        (
            "admin.tls",
            root.child("admin").and_then(|admin| admin.child("tls")),
        ),
    ] {
        if let Some(tls) = tls {
            listener(tls, path, folder, fetch, &mut problems);
        }
    }
    let rules = root
        .child("identity")
        .and_then(|identity| identity.child("certificates"));
    if let Some(rules) = rules.filter(|rules| !rules.items().is_empty()) {
        let asks = root
            .child("tls")
            .is_some_and(|tls| tls.child("client_ca").is_some());
        if !asks {
            let message = "does nothing: clients are not asked for certificates; give `tls` a `client_ca`";
            problems.push(Problem::new(rules.at, "identity.certificates", message));
        }
    }
    let known = |section| root.child(section).map(Node::entries).unwrap_or_default();
    let (profiles, tools) = (known("profiles"), known("tools"));
    for section in ["certificates", "jwt"] {
        let items = root
            .child("identity")
            .and_then(|identity| identity.child(section));
        for (index, item) in items.map(Node::items).unwrap_or_default().iter().enumerate() {
            let path = format!("identity.{section}[{index}]");
            for (member, what, known, own) in [
                ("profile", "profile", profiles, Some("default")),
                ("tools", "tool policy", tools, None),
            ] {
                let named = item.child(member).and_then(|node| Some((node, node.text()?)));
                let is_known = |name: &str| own == Some(name) || known.iter().any(|entry| entry.key == name);
                if let Some((node, name)) = named.filter(|(_, name)| !is_known(name)) {
                    let message = format!("there is no {what} `{name}`");
                    problems.push(Problem::new(node.at, format!("{path}.{member}"), message));
                }
            }
            if section == "jwt" {
                issuer_problems(item, &path, &mut problems);
            }
        }
    }
    let issuers = root.child("identity").and_then(|identity| identity.child("jwt"));
    let issuers = issuers.map(Node::items).unwrap_or_default();
    for (index, item) in issuers.iter().enumerate() {
        let name = |item: &Node| item.child("issuer").and_then(Node::text).map(str::to_owned);
        let twice = issuers
            .iter()
            .take(index)
            .any(|other| name(other).is_some() && name(other) == name(item));
        if twice {
            let message = "is there already: tokens of an issuer are judged by one item; give several audiences as a list";
            problems.push(Problem::new(
                item.at,
                format!("identity.jwt[{index}].issuer"),
                message,
            ));
        }
    }
    if let Some(node) = root
        .child("identity")
        .and_then(|identity| identity.child("resource"))
        && issuers.is_empty()
    {
        let message = "says nothing: nobody issues tokens for it; add `jwt`";
        problems.push(Problem::new(node.at, "identity.resource", message));
    }
    problems
}

fn issuer_problems(item: &Node, path: &str, problems: &mut Vec<Problem>) {
    for setting in ["issuer", "jwks_url"] {
        let Some((node, address)) = item.child(setting).and_then(|node| Some((node, node.text()?))) else {
            continue;
        };
        // What is not even an address is told by the schema's checker.
        if address.parse().is_ok_and(|address| !is_safe(&address)) {
            let message = "must begin with https://: whoever is between could put in keys of their own";
            problems.push(Problem::new(node.at, format!("{path}.{setting}"), message));
        }
    }
    if let Some(node) = item.child("audience")
        && matches!(&node.value, Value::List(items) if items.is_empty())
    {
        let message = "must name somebody: tokens for others are no proof of anything here";
        problems.push(Problem::new(node.at, format!("{path}.audience"), message));
    }
    if let Some(node) = item.child("leeway")
        && node.text().is_some_and(is_too_lenient)
    {
        problems.push(Problem::new(
            node.at,
            format!("{path}.leeway"),
            "must be 5m at most",
        ));
    }
    let refuses = item.child("unmapped").and_then(Node::text) == Some("refuse");
    if refuses && item.child("team").is_none() {
        let message = "refuses every token: `team` does not say which claim has the team";
        problems.push(Problem::new(item.at, format!("{path}.unmapped"), message));
    }
}

/// Whether clocks would be let go too far apart.
pub(super) fn is_too_lenient(leeway: &str) -> bool {
    Duration::read(leeway).is_ok_and(|leeway| leeway.0.as_secs() > MOST_LEEWAY)
}

fn listener(tls: &Node, path: &str, folder: &Path, fetch: bool, problems: &mut Vec<Problem>) {
    let mut wrong = |setting: &str, message: String| {
        let at = tls.child(setting).map_or(tls.at, |node| node.at);
        problems.push(Problem::new(at, format!("{path}.{setting}"), message));
    };
    let asks = tls.child("client_auth").and_then(Node::text);
    match (tls.child("client_ca").is_some(), asks) {
        (true, Some("off")) => {
            return wrong(
                "client_ca",
                "does nothing while `client_auth` is `off`".to_owned(),
            );
        }
        (false, Some("request" | "require")) => {
            return wrong(
                "client_auth",
                "needs `client_ca`: the authorities whose certificates are accepted".to_owned(),
            );
        }
        (false, _) if tls.child("crl").is_some() => {
            return wrong("crl", "does nothing without `client_ca`".to_owned());
        }
        _ => {}
    }
    // What is not even such a setting is told by the schema's checker.
    if let (true, Ok(raw)) = (fetch, serde_json::from_value::<RawTls>(tls.to_json()))
        && let Err(error) = files(&raw, folder, CLIENTS).load()
    {
        wrong(error.setting, error.what);
    }
}

/// Which listeners can be heard by others and do not encrypt. Behind an ingress that ends TLS that is as it should be, so
/// it is said and no more.
#[must_use]
pub fn warnings(config: &super::Config) -> Vec<String> {
    [
        ("listen", config.listen, config.tls.is_none()),
        ("admin.listen", config.admin.listen, config.admin.tls.is_none()),
    ]
    .into_iter()
    .filter(|(_, address, plain)| *plain && !address.ip().is_loopback())
    .map(|(setting, address, _)| {
        let section = setting.trim_end_matches("listen");
        format!(
            "{setting}: {address} can be reached from other machines, and keys and texts go over it unencrypted: \
             give it `{section}tls`, or put something that ends TLS before it"
        )
    })
    .collect()
}
