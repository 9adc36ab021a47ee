//! Who asks, and how much they may ask for.

use serde::{Deserialize, Serialize};

use crate::KeyId;

/// The authenticated sender of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Principal {
    /// The key that was shown.
    pub key: KeyId,
    /// The name an operator gave the key.
    pub name: String,
    /// The team it belongs to.
    pub team: Option<String>,
    /// The profile that applies; `default` where none was given.
    pub profile: String,
    /// Models it may name; empty means all.
    pub models: Vec<Glob>,
    /// The tool policy that applies.
    pub tools: Option<String>,
    /// Limits of this key alone.
    pub limits: Limits,
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
        let (mut rest, mut pieces) = (name, self.0.split('*'));
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
