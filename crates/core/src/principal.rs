//! Who asks, and how much they may ask for.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{KeyId, Network};

/// What a sender showed to be known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// An API key of a person or of a program that a person answers for.
    #[default]
    Key,
    /// An API key of a program that nobody in particular stands behind.
    Service,
    /// A token of an identity provider.
    Token,
    /// A client certificate.
    Certificate,
}

impl PrincipalKind {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PrincipalKind::Key => "key",
            PrincipalKind::Service => "service",
            PrincipalKind::Token => "token",
            PrincipalKind::Certificate => "certificate",
        }
    }
}

/// The authenticated sender of a request: one key (or token) of a user, of a team, of an organisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Principal {
    /// The key that was shown; for a token, an id that stands for its subject, for a certificate one that stands for its name.
    pub key: KeyId,
    /// The name an operator gave the key.
    pub name: String,
    /// What was shown.
    #[serde(default)]
    pub kind: PrincipalKind,
    /// The organisation it belongs to; where none is given, that of the team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The team it belongs to.
    pub team: Option<String>,
    /// The user it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Roles that it has; policies speak of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The profile that applies; where none is given, that of the user, the team, the organisation, or `default`.
    pub profile: Option<String>,
    /// Models it may name; empty means all.
    pub models: Vec<Glob>,
    /// Endpoints it may use, as `/v1/chat/completions`; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Glob>,
    /// The tool policy that applies.
    pub tools: Option<String>,
    /// Where requests may come from; empty means anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// Limits of this key alone.
    pub limits: Limits,
}

impl Principal {
    /// A key of that id and name that belongs to nobody and is restricted in nothing.
    #[must_use]
    pub fn new(key: KeyId, name: &str) -> Principal {
        Principal {
            key,
            name: name.to_owned(),
            kind: PrincipalKind::Key,
            org: None,
            team: None,
            user: None,
            roles: Vec::new(),
            profile: None,
            models: Vec::new(),
            endpoints: Vec::new(),
            tools: None,
            networks: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Whether requests may come from there. Where it matters and is not known, they may not.
    #[must_use]
    pub fn may_come_from(&self, peer: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || peer.is_some_and(|peer| self.networks.iter().any(|network| network.contains(peer)))
    }
}

/// Limits of a key or a group of keys. `None` means no limit of that sort.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests per minute.
    pub rpm: Option<u32>,
    /// Tokens per minute, input and output together.
    pub tpm: Option<u32>,
    /// Requests in flight at once; a stream counts while it is open.
    pub concurrency: Option<u32>,
    /// Money per period, as `5 USD/day`.
    pub budget: Option<String>,
}

/// A pattern for names in which `*` stands for any run of characters and everything else for itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// Takes a pattern.
    #[must_use]
    pub fn new(pattern: &str) -> Glob {
        Glob(pattern.to_owned())
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `name` fits. Linear in the name for each `*`; case matters.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        Glob::fits(&self.0, name)
    }

    /// The same, of a pattern that is no value of its own.
    #[must_use]
    pub fn fits(pattern: &str, name: &str) -> bool {
        let (mut rest, mut pieces) = (name, pattern.split('*'));
        let Some(first) = pieces.next() else {
            return name.is_empty();
        };
        match rest.strip_prefix(first) {
            Some(after) => rest = after,
            None => return false,
        }
        let mut pieces = pieces.peekable();
        if pieces.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return rest.ends_with(piece);
            }
            match rest.split_once(piece) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, fits) in [
            ("gpt-*", "gpt-4o", true),
            ("gpt-*", "agpt-4o", false),
            ("*", "", true),
            ("*mini*", "gpt-4o-mini", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "abc", true),
            ("a*bc*bc", "abc", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), fits, "{pattern} on {name}");
        }
    }
}
