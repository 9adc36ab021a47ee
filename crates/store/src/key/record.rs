//! What is known about a key, without its text.

use std::str::FromStr;

use portcullis_core::{Glob, KeyId, Limits, Principal};

use super::{KeyHash, Pepper};
use crate::{Budget, StoreError};

/// Longest name of a key, team, profile or tool policy, in bytes.
const NAME_LIMIT: usize = 200;

/// A key to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewKey {
    /// The name an operator knows it by; unique among keys that are not revoked.
    pub name: String,
    /// The team it belongs to.
    pub team: Option<String>,
    /// The profile that applies.
    pub profile: String,
    /// Models it may name; empty means all.
    pub models: Vec<Glob>,
    /// The tool policy that applies.
    pub tools: Option<String>,
    /// Limits of this key alone.
    pub limits: Limits,
    /// When it stops working, if ever.
    pub expires_ms: Option<u64>,
}

impl NewKey {
    /// A key of that name, of no team, with the profile `default`, for all models, without limits or expiry.
    #[must_use]
    pub fn named(name: &str) -> NewKey {
        NewKey {
            name: name.to_owned(),
            team: None,
            profile: "default".to_owned(),
            models: Vec::new(),
            tools: None,
            limits: Limits::default(),
            expires_ms: None,
        }
    }

    pub(super) fn check(&self, now_ms: u64) -> Result<(), StoreError> {
        let names = [
            ("name", Some(&self.name)),
            ("team", self.team.as_ref()),
            ("profile", Some(&self.profile)),
        ];
        for (what, name) in names.into_iter().chain([("tools", self.tools.as_ref())]) {
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
            team: self.team,
            profile: self.profile,
            models: self.models,
            tools: self.tools,
            limits: self.limits,
        };
        KeyRecord {
            principal,
            prefix,
            created_ms: now_ms,
            rotated_ms: None,
            expires_ms: self.expires_ms,
            revoked_ms: None,
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
