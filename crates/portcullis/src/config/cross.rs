//! What a schema cannot say: names that must exist, settings that need each other, credentials that must be there.
//! It works on the tree, so that it also finds what is wrong beside other mistakes.

use std::path::Path;

use portcullis_core::Glob;

use super::forms::{Model, PemFile, Reference};
use super::problem::{Problem, nearest};
use super::text::Form;
use super::tree::{Node, Value};
use super::{credential, mcp};
use crate::tls::authorities_in;

/// Names that point nowhere, and settings that say nothing.
#[must_use]
pub fn references(root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    routes(root, &mut problems);
    levels(root, &mut problems);
    limits(root, &mut problems);
    canaries(root, &mut problems);
    authorities(root, &mut problems);
    problems.extend(mcp::check(root));
    problems
}

fn names<'a>(root: &'a Node, section: &str) -> Vec<&'a str> {
    let entries = root.child(section).map(Node::entries).unwrap_or_default();
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

fn routes(root: &Node, problems: &mut Vec<Problem>) {
    let upstreams = names(root, "upstreams");
    let routes = root.child("models").map(Node::items).unwrap_or_default();
    for (index, route) in routes.iter().enumerate() {
        let Some((node, name)) = route
            .child("upstream")
            .and_then(|node| Some((node, node.text()?)))
        else {
            continue;
        };
        if !upstreams.contains(&name) {
            let path = format!("models[{index}].upstream");
            problems.push(Problem::new(
                node.at,
                path,
                dangling("upstream", name, &upstreams),
            ));
        }
        for (place, name) in fallbacks(route) {
            let message = match routes.iter().find(|route| fits(route, name)) {
                None => format!("no route fits `{name}`: add one"),
                Some(other) if dialect(root, other) != dialect(root, route) => {
                    format!("`{name}` speaks another dialect: a request cannot be sent there")
                }
                Some(_) => continue,
            };
            let path = format!("models[{index}].fallback");
            problems.push(Problem::new(place.at, path, message));
        }
        let shadow = routes
            .iter()
            .take(index)
            .position(|earlier| covers(earlier, route));
        if let Some(earlier) = shadow {
            let message =
                format!("never used: models[{earlier}] fits every name that this fits, and comes first");
            problems.push(Problem::new(route.at, format!("models[{index}]"), message));
        }
    }
    if let Some(section) = root
        .child("upstreams")
        .filter(|_| !upstreams.is_empty() && routes.is_empty())
    {
        let message = "no model leads to any of them: add routes under `models`, such as \
                       - { match: \"*\", upstream: NAME }";
        problems.push(Problem::new(section.at, "upstreams", message));
    }
}

fn fallbacks(route: &Node) -> impl Iterator<Item = (&Node, &str)> {
    let names = route.child("fallback").map(Node::items).unwrap_or_default();
    names.iter().filter_map(|node| Some((node, node.text()?)))
}

/// The dialect of the upstream that a route leads to.
fn dialect<'a>(root: &'a Node, route: &Node) -> Option<&'a str> {
    let upstream = route.child("upstream")?.text()?;
    root.child("upstreams")?.child(upstream)?.child("dialect")?.text()
}

fn fits(route: &Node, name: &str) -> bool {
    let pattern = route.child("match").and_then(Node::text);
    pattern.is_some_and(|pattern| Glob::new(pattern).matches(name))
}

/// Whether the first route leaves nothing for the second. Only plain cases are seen: the same pattern, and `*`.
fn covers(first: &Node, second: &Node) -> bool {
    let pattern = |route: &Node| route.child("match").and_then(Node::text).map(str::to_owned);
    match (pattern(first), pattern(second)) {
        (Some(first), Some(second)) => first == "*" || first == second,
        _ => false,
    }
}

/// Profiles and organisations that groups of keys name.
fn levels(root: &Node, problems: &mut Vec<Problem>) {
    let (orgs, mut profiles, tools) = (names(root, "orgs"), names(root, "profiles"), names(root, "tools"));
    profiles.push("default");
    for section in ["orgs", "teams", "users", "mcp"] {
        for entry in root.child(section).map(Node::entries).unwrap_or_default() {
            for (member, what, known) in [
                ("profile", "profile", &profiles),
                ("org", "organisation", &orgs),
                ("tools", "tool policy", &tools),
            ] {
                let named = entry
                    .node
                    .child(member)
                    .and_then(|node| Some((node, node.text()?)));
                if let Some((node, name)) = named.filter(|(_, name)| !known.contains(name)) {
                    let path = format!("{section}.{}.{member}", entry.key);
                    problems.push(Problem::new(node.at, path, dangling(what, name, known)));
                }
            }
        }
    }
}

fn limits(root: &Node, problems: &mut Vec<Problem>) {
    let limits = root.child("limits").map(Node::items).unwrap_or_default();
    for (index, limit) in limits.iter().enumerate() {
        let limiting = limit.entries().iter().any(|entry| entry.key != "for");
        if matches!(limit.value, Value::Map(_)) && !limiting {
            let message = "limits nothing: give rpm, tpm, concurrency or budget";
            problems.push(Problem::new(limit.at, format!("limits[{index}]"), message));
        }
        if let Some(wait) = limit
            .child("wait")
            .filter(|_| limit.child("concurrency").is_none())
        {
            let message = "nothing to wait for: give `concurrency`";
            problems.push(Problem::new(wait.at, format!("limits[{index}].wait"), message));
        }
    }
}

/// Authorities of a connection that has no TLS.
fn authorities(root: &Node, problems: &mut Vec<Problem>) {
    let shared = root.child("shared").and_then(Node::text).unwrap_or_default();
    let encrypted = shared.starts_with("rediss://") || shared.starts_with("valkeys://");
    if let Some(node) = root.child("shared_ca").filter(|_| !encrypted) {
        let message = "does nothing without TLS: `shared` must begin with rediss://";
        problems.push(Problem::new(node.at, "shared_ca", message));
    }
}

/// Folders of models that are none. What is in them is read when they are opened.
#[must_use]
pub fn models(root: &Node, folder: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in root.child("profiles").map(Node::entries).unwrap_or_default() {
        let node = entry
            .node
            .child("injection")
            .and_then(|injection| injection.child("model"));
        let Some(node) = node else { continue };
        let Some(Ok(Model::Folder(path))) = node.text().map(Model::read) else {
            continue;
        };
        let path = folder.join(path);
        if !path.join("config.json").is_file() {
            let message = format!("{} holds no model: there is no config.json in it", path.display());
            problems.push(Problem::new(
                node.at,
                format!("profiles.{}.injection.model", entry.key),
                message,
            ));
        }
    }
    problems
}

/// A marker that nobody looks for.
fn canaries(root: &Node, problems: &mut Vec<Problem>) {
    for entry in root.child("profiles").map(Node::entries).unwrap_or_default() {
        let Some(settings) = entry.node.child("system_prompt") else {
            continue;
        };
        let allowed = settings.child("leak").and_then(Node::text) == Some("allow");
        if let Some(node) = settings
            .child("canary")
            .filter(|node| allowed && matches!(node.value, Value::Bool(true)))
        {
            let path = format!("profiles.{}.system_prompt.canary", entry.key);
            let message = "does nothing while `leak` is `allow`: replies are not compared with the prompt";
            problems.push(Problem::new(node.at, path, message));
        }
    }
}

fn dangling(what: &str, name: &str, known: &[&str]) -> String {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if known.is_empty() => format!("there are no {what}s"),
        None => format!("there are {}", known.join(", ")),
    };
    format!("there is no {what} `{name}`; {hint}")
}

/// Credentials that are referred to and not there. This looks at the environment and at files.
#[must_use]
pub fn credentials(root: &Node, folder: &Path) -> Vec<Problem> {
    let admin = root.child("admin");
    let token = admin.and_then(|admin| admin.child("token"));
    let token = token.map(|node| ("admin.token".to_owned(), node));
    let secret = admin.and_then(|admin| admin.child("oidc")?.child("client_secret"));
    let secret = secret.map(|node| ("admin.oidc.client_secret".to_owned(), node));
    let upstreams = root.child("upstreams").map(Node::entries).unwrap_or_default();
    let keys = upstreams.iter().filter_map(|entry| {
        let key = entry.node.child("key")?;
        Some((format!("upstreams.{}.key", entry.key), key))
    });
    let servers = root.child("mcp").map(Node::entries).unwrap_or_default();
    let of_servers = servers.iter().flat_map(|entry| {
        let key = entry
            .node
            .child("key")
            .map(|key| (format!("mcp.{}.key", entry.key), key));
        let named = ["headers", "env"].into_iter().flat_map(move |section| {
            let inner = entry.node.child(section).map(Node::entries).unwrap_or_default();
            inner
                .iter()
                .map(move |one| (format!("mcp.{}.{section}.{}", entry.key, one.key), &one.node))
        });
        key.into_iter().chain(named)
    });
    let authorities = root.child("shared_ca").and_then(|node| {
        let file = PemFile::read(node.text()?).ok()?;
        let problem = authorities_in(&folder.join(file.0)).err()?;
        Some(Problem::new(node.at, "shared_ca", problem))
    });
    token
        .into_iter()
        .chain(secret)
        .chain(keys)
        .chain(of_servers)
        .filter_map(|(path, node)| {
            let reference = Reference::read(node.text()?).ok()?;
            let problem = credential::fetch(&reference, folder).err()?;
            Some(Problem::new(node.at, path, problem))
        })
        .chain(authorities)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::parse;

    fn told(text: &str) -> Vec<String> {
        let problems = references(&parse(text).unwrap());
        problems.iter().map(|problem| problem.line("f")).collect()
    }

    #[test]
    fn names_that_point_nowhere_and_settings_that_say_nothing() {
        let upstreams = "upstreams: { a: { dialect: openai }, b: { dialect: anthropic } }\n";
        for (models, says) in [
            (
                "models: [{ match: x, upstream: aa }]",
                "there is no upstream `aa`; did you mean a?",
            ),
            ("models: []", "no model leads to any of them"),
            (
                "models: [{ match: '*', upstream: a }, { match: x, upstream: b }]",
                "never used: models[0]",
            ),
            (
                "models: [{ match: x, upstream: a, fallback: [y] }]",
                "no route fits `y`",
            ),
            (
                "models: [{ match: x, upstream: a, fallback: [y] }, { match: y, upstream: b }]",
                "`y` speaks another dialect",
            ),
            (
                "models: [{ match: x, upstream: a }]\nshared: 'redis://cache'\nshared_ca: file:ca.pem",
                "shared_ca: does nothing without TLS",
            ),
            (
                "models: [{ match: x, upstream: a }]\nlimits: [{ for: {} }]",
                "limits nothing",
            ),
            (
                "models: [{ match: x, upstream: a }]\nteams: { free: { profile: defalt } }",
                "there is no profile `defalt`; did you mean default?",
            ),
            (
                "models: [{ match: x, upstream: a }]\norgs: { acme: {} }\nteams: { free: { org: acne } }",
                "there is no organisation `acne`; did you mean acme?",
            ),
        ] {
            let told = told(&format!("{upstreams}{models}\n"));
            assert!(told.len() == 1 && told[0].contains(says), "{models}: {told:#?}");
        }
        let fine = "models: [{ match: x, upstream: a, fallback: [y] }, { match: 'y*', upstream: a }]\n";
        assert!(told(&format!("{upstreams}{fine}")).is_empty());
    }
}
