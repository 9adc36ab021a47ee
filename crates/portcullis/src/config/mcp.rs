//! Servers of tools: what they are reached by, and what a schema cannot say of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portcullis_core::{Glob, Secret};
use portcullis_policy::tools::Principals;
use portcullis_proxy::{Asks, HeaderMap, HeaderName, HeaderValue, McpServer, Reach};
use sha2::{Digest as _, Sha256};

use super::credential;
use super::forms::{Given, NamePattern};
use super::problem::Problem;
use super::raw::Raw;
use super::raw_mcp::{RawAsks, RawMcp};
use super::text::Text;
use super::tree::Node;

/// Sessions at once, where nothing is said.
const SESSIONS: u32 = 100;
/// How long an answer may take, where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What a program gets of the gateway's own environment: what programs are found by and write with.
const HANDED_ON: [&str; 3] = ["PATH", "HOME", "LANG"];
/// Headers that the protocol itself writes.
const RESERVED: [&str; 6] = [
    "accept",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "transfer-encoding",
];

/// The servers that are written. Credentials are fetched where that is wanted.
///
/// # Errors
/// A credential that is not there.
pub fn servers(raw: &Raw, folder: &Path, fetch: bool) -> Result<Vec<McpServer>, String> {
    let all = raw.mcp.iter();
    all.map(|(name, server)| built(name, server, folder, fetch).map_err(|why| format!("mcp.{name}.{why}")))
        .collect()
}

fn built(name: &str, raw: &RawMcp, folder: &Path, fetch: bool) -> Result<McpServer, String> {
    let reach = match &raw.url {
        Some(url) => Reach::Http {
            url: url.written().to_owned(),
            headers: if fetch {
                headers(raw, folder)?
            } else {
                HeaderMap::new()
            },
        },
        None => program(raw, folder, fetch)?,
    };
    Ok(McpServer {
        name: Arc::from(name),
        principals: raw.users.as_ref().map(|users| Principals {
            orgs: globs(&users.orgs),
            teams: globs(&users.teams),
            users: globs(&users.users),
            roles: globs(&users.roles),
            keys: globs(&users.keys),
        }),
        tools: raw.tools.clone(),
        profile: raw.profile.clone(),
        pin: raw.pin.unwrap_or(true),
        asks: raw
            .asks
            .iter()
            .map(|asks| match asks {
                RawAsks::Elicitation => Asks::Elicitation,
                RawAsks::Sampling => Asks::Sampling,
                RawAsks::Roots => Asks::Roots,
            })
            .collect(),
        timeout: raw.timeout.as_ref().map_or(TIMEOUT, |time| time.meaning().0),
        wait: raw
            .approval_wait
            .as_ref()
            .map_or(Duration::ZERO, |time| time.meaning().0),
        sessions: usize::try_from(raw.sessions.unwrap_or(SESSIONS)).unwrap_or(usize::MAX),
        sum: sum(raw, &reach),
        reach,
    })
}

fn globs(written: &[Text<NamePattern>]) -> Vec<Glob> {
    written
        .iter()
        .map(|pattern| pattern.meaning().0.clone())
        .collect()
}

fn headers(raw: &RawMcp, folder: &Path) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let secret = |text: &str| {
        let value = HeaderValue::from_str(text).map(|mut value| {
            value.set_sensitive(true);
            value
        });
        value.map_err(|_| "cannot be sent in a header".to_owned())
    };
    if let Some(key) = &raw.key {
        let key = credential::fetch(key.meaning(), folder).map_err(|why| format!("key: {why}"))?;
        let value = secret(&format!("Bearer {}", key.expose())).map_err(|why| format!("key: {why}"))?;
        headers.insert(HeaderName::from_static("authorization"), value);
    }
    for (name, reference) in &raw.headers {
        let wrong = |why: String| format!("headers.{name}: {why}");
        let value = credential::fetch(reference.meaning(), folder).map_err(wrong)?;
        let name = HeaderName::try_from(name.as_str()).map_err(|_| wrong("is no name of a header".into()))?;
        headers.insert(name, secret(value.expose())?);
    }
    Ok(headers)
}

fn program(raw: &RawMcp, folder: &Path, fetch: bool) -> Result<Reach, String> {
    let mut environment: Vec<(String, Secret<String>)> = HANDED_ON
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), Secret::new(std::env::var(name).ok()?))))
        .collect();
    for (name, value) in &raw.env {
        let value = match value.meaning() {
            Given::Text(text) => Secret::new(text.clone()),
            Given::Reference(_) if !fetch => continue,
            Given::Reference(reference) => {
                credential::fetch(reference, folder).map_err(|why| format!("env.{name}: {why}"))?
            }
        };
        environment.retain(|(known, _)| known != name);
        environment.push((name.clone(), value));
    }
    let mut words = raw.command.iter().cloned();
    Ok(Reach::Program {
        program: words.next().unwrap_or_default(),
        arguments: words.collect(),
        environment,
        folder: raw.folder.as_ref().map(|inner| folder.join(inner)),
    })
}

/// A sum of all that is said of a server, its credentials included.
fn sum(raw: &RawMcp, reach: &Reach) -> [u8; 32] {
    let mut sum = Sha256::new();
    let mut add = |bytes: &[u8]| {
        sum.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        sum.update(bytes);
    };
    add(&serde_json::to_vec(raw).unwrap_or_default());
    match reach {
        Reach::Http { headers, .. } => {
            for (name, value) in headers {
                add(name.as_str().as_bytes());
                add(value.as_bytes());
            }
        }
        Reach::Program { environment, .. } => {
            for (name, value) in environment {
                add(name.as_bytes());
                add(value.expose().as_bytes());
            }
        }
    }
    sum.finalize().into()
}

/// What a schema cannot say.
#[must_use]
pub fn check(root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in root.child("mcp").map(Node::entries).unwrap_or_default() {
        let (node, path) = (&entry.node, format!("mcp.{}", entry.key));
        let mut wrong = |member: &str, message: &str| {
            let at = node.child(member).map_or(node.at, |node| node.at);
            let path = if member.is_empty() {
                path.clone()
            } else {
                format!("{path}.{member}")
            };
            problems.push(Problem::new(at, path, message));
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !entry.key.bytes().all(plain) || entry.key.contains("..") {
            wrong("", "the name stands in a path: letters, digits, `-`, `_` and `.`");
        }
        let has = |member: &str| node.child(member).is_some();
        match (has("url"), has("command")) {
            (true, true) => wrong("command", "it is reached by `url` or by `command`, not by both"),
            (false, false) => wrong("", "how is it reached? give `url` or `command`"),
            _ => {}
        }
        for member in ["key", "headers"] {
            if has(member) && !has("url") {
                wrong(
                    member,
                    "is for a server with a `url`; a program's credentials are in its `env`",
                );
            }
        }
        for member in ["env", "folder"] {
            if has(member) && !has("command") {
                wrong(member, "is for a program: give `command`");
            }
        }
        if node
            .child("command")
            .is_some_and(|command| command.items().is_empty())
        {
            wrong("command", "names no program");
        }
        for header in node.child("headers").map(Node::entries).unwrap_or_default() {
            let name = header.key.to_ascii_lowercase();
            if RESERVED.contains(&name.as_str()) || name.starts_with("mcp-") {
                wrong("headers", &format!("`{name}` is written by the protocol itself"));
            } else if HeaderName::try_from(name.as_str()).is_err() {
                wrong("headers", &format!("`{name}` is no name of a header"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::parse;

    #[test]
    fn what_says_nothing_or_two_things() {
        for (text, says) in [
            ("a: {}", "how is it reached"),
            ("a: { url: 'http://x', command: [y] }", "not by both"),
            ("a: { command: [] }", "names no program"),
            ("a: { command: [y], key: env:K }", "is for a server with a `url`"),
            ("a: { url: 'http://x', env: { A: b } }", "is for a program"),
            ("a/b: { url: 'http://x' }", "stands in a path"),
            (
                "a: { url: 'http://x', headers: { Host: env:K } }",
                "is written by the protocol",
            ),
            (
                "a: { url: 'http://x', headers: { 'a b': env:K } }",
                "is no name of a header",
            ),
        ] {
            let problems = check(&parse(&format!("mcp:\n  {text}\n")).unwrap());
            assert!(
                problems.len() == 1 && problems[0].line("f").contains(says),
                "{text}: {problems:#?}"
            );
        }
        let fine =
            "mcp: { a: { url: 'http://x', key: env:K }, b: { command: [npx, -y, s], env: { A: env:B } } }";
        assert!(check(&parse(fine).unwrap()).is_empty());
    }
}
