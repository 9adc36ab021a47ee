//! Operators besides the holder of the admin token: what is wrong with what is said of them, and what is built of it.

use portcullis_core::Secret;
use portcullis_proxy::{Terms, is_safe};

use super::identity::LEEWAY;
use super::problem::Problem;
use super::raw::Raw;
use super::raw_identity::{RawOidc, RawRight};
use super::tree::Node;
use crate::operators::{LoginSettings, OperatorSettings, Right};

/// Who operators are. `secret` is the client's.
pub fn built(raw: &Raw, secret: Option<Secret<String>>) -> OperatorSettings {
    let admin = &raw.admin;
    let right = |right: RawRight| match right {
        RawRight::Read => Right::Read,
        RawRight::Change => Right::Change,
    };
    let jwt = raw.identity.jwt.iter().map(|jwt| &jwt.issuer);
    let issuers = jwt.chain(admin.oidc.iter().map(|oidc| &oidc.issuer));
    let by_https = admin
        .oidc
        .as_ref()
        .is_some_and(|oidc| oidc.url.written().starts_with("https:"));
    OperatorSettings {
        roles: admin
            .roles
            .iter()
            .map(|(role, given)| (role.clone(), right(*given)))
            .collect(),
        issuers: issuers.map(|issuer| issuer.written().to_owned()).collect(),
        login: admin.oidc.as_ref().map(|oidc| login(oidc, secret)),
        encrypted: admin.tls.is_some() || by_https,
    }
}

fn login(raw: &RawOidc, client_secret: Option<Secret<String>>) -> LoginSettings {
    let mut scopes = vec!["openid"];
    let more = raw.scopes.iter().map(String::as_str);
    scopes.extend(more.filter(|scope| *scope != "openid"));
    LoginSettings {
        terms: Terms {
            issuer: raw.issuer.written().to_owned(),
            audiences: vec![raw.client_id.clone()],
            algorithms: Vec::new(),
            leeway: raw
                .leeway
                .as_ref()
                .map_or(LEEWAY, |leeway| leeway.meaning().0.as_secs()),
            max_age: None,
        },
        client_id: raw.client_id.clone(),
        client_secret,
        redirect: format!("{}/login/oidc/callback", raw.url.written().trim_end_matches('/')),
        scope: scopes.join(" "),
        roles: raw.roles.clone(),
    }
}

/// What is wrong with how these settings stand together.
#[must_use]
pub fn check(root: &Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(admin) = root.child("admin") else {
        return problems;
    };
    let (roles, oidc) = (admin.child("roles"), admin.child("oidc"));
    let jwt = root.child("identity").and_then(|identity| identity.child("jwt"));
    let told = jwt
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .any(|issuer| issuer.child("roles").is_some());
    let names_any = roles.is_some_and(|roles| !roles.entries().is_empty());
    if let Some(node) = roles.filter(|_| names_any && !told && oidc.is_none()) {
        let message = "does nothing: nobody says who has these roles; give `identity.jwt` an issuer with `roles`, or `admin` an `oidc`";
        problems.push(Problem::new(node.at, "admin.roles", message));
    }
    let Some(oidc) = oidc else {
        return problems;
    };
    if !names_any {
        let message = "lets nobody in: `admin.roles` does not say what any role may do";
        problems.push(Problem::new(oidc.at, "admin.oidc", message));
    }
    for setting in ["issuer", "url"] {
        let Some((node, address)) = oidc.child(setting).and_then(|node| Some((node, node.text()?))) else {
            continue;
        };
        let path = format!("admin.oidc.{setting}");
        // What is not even an address is told by the schema's checker.
        let Ok(address) = address.parse::<http::Uri>() else {
            continue;
        };
        if !is_safe(&address) {
            let message = "must begin with https://, or be an address of this machine: whoever is between could log in in the place of others";
            problems.push(Problem::new(node.at, path, message));
        } else if setting == "url" && !matches!(address.path(), "" | "/") {
            let message = "must have no path: the console is at the root of its host";
            problems.push(Problem::new(node.at, path, message));
        }
    }
    let scopes = oidc.child("scopes").map(Node::items).unwrap_or_default();
    for (number, node) in scopes.iter().enumerate() {
        let fits = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
        };
        if node.text().is_some_and(|text| !fits(text)) {
            let path = format!("admin.oidc.scopes[{number}]");
            problems.push(Problem::new(
                node.at,
                path,
                "a scope has no spaces, quotes or backslashes",
            ));
        }
    }
    if let Some(node) = oidc.child("leeway")
        && node.text().is_some_and(super::identity::is_too_lenient)
    {
        problems.push(Problem::new(node.at, "admin.oidc.leeway", "must be 5m at most"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::parse;

    #[test]
    fn settings_that_say_nothing_and_addresses_that_cannot_be_meant() {
        let told = |admin: &str, more: &str| -> Vec<String> {
            let root = parse(&format!("admin: {{ {admin} }}\n{more}")).unwrap();
            check(&root).iter().map(|problem| problem.line("f")).collect()
        };
        let oidc = |more: &str| format!("roles: {{ ops: change }}, oidc: {{ {more} }}");
        let jwt =
            |more: &str| format!("identity: {{ jwt: [{{ issuer: 'https://i', audience: a{more} }}] }}\n");
        for (admin, more, says) in [
            (
                "roles: { ops: read }".to_owned(),
                String::new(),
                "f:1:17: admin.roles: does nothing",
            ),
            ("roles: { ops: read }".to_owned(), jwt(""), "does nothing"),
            (
                "oidc: { issuer: 'https://i' }".to_owned(),
                String::new(),
                "lets nobody in",
            ),
            (
                oidc("issuer: 'http://idp.example.com'"),
                String::new(),
                "admin.oidc.issuer: must begin with https",
            ),
            (
                oidc("url: 'http://console.example.com'"),
                String::new(),
                "admin.oidc.url: must begin with https",
            ),
            (
                oidc("url: 'https://console.example.com/x'"),
                String::new(),
                "no path",
            ),
            (oidc("scopes: ['a b']"), String::new(), "admin.oidc.scopes[0]"),
            (oidc("leeway: 6m"), String::new(), "5m at most"),
        ] {
            let told = told(&admin, &more);
            assert!(told.len() == 1 && told[0].contains(says), "{admin}: {told:#?}");
        }
        assert!(told("roles: { ops: read }", &jwt(", roles: groups")).is_empty());
        assert!(
            told(
                &oidc("issuer: 'https://i', url: 'http://127.0.0.1:8081/', scopes: [email]"),
                ""
            )
            .is_empty()
        );
    }
}
