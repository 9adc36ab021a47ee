//! What is known about a key, without its text.

use std::str::FromStr;

use portcullis_core::{Glob, KeyId, Limits, Network, Principal, PrincipalKind};

use super::{KeyHash, Pepper};
use crate::{Budget, StoreError};

/// Longest name of a key, team, profile or tool policy, in bytes.
const NAME_LIMIT: usize = 200;

/// A key to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewKey {
    /// The name an operator knows it by; unique among keys that are not revoked.
    pub name: String,
    /// Whether it is a key of a person or of a service.
    pub kind: PrincipalKind,
    /// The organisation it belongs to; where none is given, that of the team.
    pub org: Option<String>,
    /// The team it belongs to.
    pub team: Option<String>,
    /// The user it belongs to.
    pub user: Option<String>,
    /// Roles that it has.
    pub roles: Vec<String>,
    /// The profile that applies; where none is given, that of the user, the team, the organisation, or `default`.
    pub profile: Option<String>,
    /// Models it may name; empty means all.
    pub models: Vec<Glob>,
    /// Endpoints it may use; empty means all.
    pub endpoints: Vec<Glob>,
    /// Where requests may come from; empty means anywhere.
    pub networks: Vec<Network>,
    /// The tool policy that applies.
    pub tools: Option<String>,
    /// Limits of this key alone.
    pub limits: Limits,
    /// When it stops working, if ever.
    pub expires_ms: Option<u64>,
}

impl NewKey {
    /// A key of that name that belongs to nobody and is restricted in nothing.
    #[must_use]
    pub fn named(name: &str) -> NewKey {
        NewKey {
            name: name.to_owned(),
            kind: PrincipalKind::Key,
            org: None,
            team: None,
            user: None,
            roles: Vec::new(),
            profile: None,
            models: Vec::new(),
            endpoints: Vec::new(),
            networks: Vec::new(),
            tools: None,
            limits: Limits::default(),
            expires_ms: None,
        }
    }

    pub(super) fn check(&self, now_ms: u64) -> Result<(), StoreError> {
        let names = [
            ("name", Some(&self.name)),
            ("org", self.org.as_ref()),
            ("team", self.team.as_ref()),
            ("user", self.user.as_ref()),
            ("profile", self.profile.as_ref()),
            ("tools", self.tools.as_ref()),
        ];
        let roles = self.roles.iter().map(|role| ("a role", Some(role)));
        for (what, name) in names.into_iter().chain(roles) {
            let Some(name) = name else { continue };
            if name.is_empty() || name.len() > NAME_LIMIT || name.chars().any(char::is_control) {
                return Err(StoreError::InvalidKey(format!(
                    "{what} must be 1 to {NAME_LIMIT} bytes without control characters"
                )));
            }
        }
        if self.name.starts_with("key_") {
            return Err(StoreError::InvalidKey(
                "a name must not begin with key_, as ids do".to_owned(),
            ));
        }
        let patterns = self.models.iter().chain(&self.endpoints);
        if patterns.into_iter().any(|glob| glob.as_str().trim().is_empty()) {
            return Err(StoreError::InvalidKey("a pattern must not be empty".to_owned()));
        }
        match self.kind {
            PrincipalKind::Token | PrincipalKind::Certificate => {
                return Err(StoreError::InvalidKey(
                    "a key is neither a token nor a certificate".to_owned(),
                ));
            }
            PrincipalKind::Service if self.user.is_some() => {
                return Err(StoreError::InvalidKey(
                    "a service account belongs to no user".to_owned(),
                ));
            }
            PrincipalKind::Service | PrincipalKind::Key => {}
        }
        if let Some(budget) = &self.limits.budget {
            Budget::from_str(budget).map_err(|error| StoreError::InvalidKey(format!("budget: {error}")))?;
        }
        if self.expires_ms.is_some_and(|expires| expires <= now_ms) {
            return Err(StoreError::InvalidKey("expiry lies in the past".to_owned()));
        }
        Ok(())
    }

    pub(super) fn into_record(self, id: KeyId, prefix: String, now_ms: u64) -> KeyRecord {
        let principal = Principal {
            key: id,
            name: self.name,
            kind: self.kind,
            org: self.org,
            team: self.team,
            user: self.user,
            roles: self.roles,
            profile: self.profile,
            models: self.models,
            endpoints: self.endpoints,
            tools: self.tools,
            networks: self.networks,
            limits: self.limits,
        };
        KeyRecord {
            principal,
            prefix,
            created_ms: now_ms,
            rotated_ms: None,
            expires_ms: self.expires_ms,
            revoked_ms: None,
            prior_until_ms: None,
            used_ms: None,
        }
    }
}

/// A key as operators see it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRecord {
    /// Who a request with this key is.
    pub principal: Principal,
    /// The first seven characters of the present text, to tell keys apart by sight.
    pub prefix: String,
    /// When it was made.
    pub created_ms: u64,
    /// When it last got a new text.
    pub rotated_ms: Option<u64>,
    /// When it stops working, if ever.
    pub expires_ms: Option<u64>,
    /// When it was revoked.
    pub revoked_ms: Option<u64>,
    /// Until when the text before the present one works as well, if it does.
    pub prior_until_ms: Option<u64>,
    /// When a request was last let in with it, to about a minute.
    pub used_ms: Option<u64>,
}

impl KeyRecord {
    /// Whether requests with this key are let in at that time.
    #[must_use]
    pub fn is_live(&self, now_ms: u64) -> bool {
        self.revoked_ms.is_none() && self.expires_ms.is_none_or(|expires| now_ms < expires)
    }
}

/// A key as a store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredKey {
    /// What is known about it.
    pub record: KeyRecord,
    /// The keyed hash of its text.
    pub hash: KeyHash,
    /// The keyed hash of the text before, while that works as well.
    pub prior_hash: Option<KeyHash>,
}

/// All keys at one moment.
pub struct KeyTable {
    /// The version that [`crate::KeyStore::keys_version`] had then.
    pub version: u64,
    /// The secret under which they are hashed.
    pub pepper: Pepper,
    /// The keys.
    pub keys: Vec<StoredKey>,
}
