//! TLS and who comes without an API key: what is wrong with it, and what is built of it.

use std::path::Path;

use portcullis_proxy::{CertificatePattern, CertificateRule};

use super::problem::Problem;
use super::raw::Raw;
use super::raw_identity::{RawClientAuth, RawTls};
use super::tree::Node;
use crate::tls::TlsFiles;

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
            models: rule
                .models
                .iter()
                .map(|model| model.meaning().0.clone())
                .collect(),
        }
    });
    built.collect()
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
    let known = root.child("profiles").map(Node::entries).unwrap_or_default();
    for (index, rule) in rules.map(Node::items).unwrap_or_default().iter().enumerate() {
        let Some((node, name)) = rule.child("profile").and_then(|node| Some((node, node.text()?))) else {
            continue;
        };
        if name != "default" && !known.iter().any(|entry| entry.key == name) {
            let path = format!("identity.certificates[{index}].profile");
            problems.push(Problem::new(
                node.at,
                path,
                format!("there is no profile `{name}`"),
            ));
        }
    }
    problems
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
