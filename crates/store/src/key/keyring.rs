//! The keys in memory: what every request is authenticated against, without touching the database.
//!
//! A snapshot is replaced whole. Whoever owns the keyring calls [`Keyring::refresh`] every second, so that what
//! `portcullis key` does in another process takes effect within two.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use portcullis_core::Principal;

use super::credential::is_well_formed;
use super::{AuthError, KeyHash, KeyTable, Pepper, StoredKey};
use crate::{Store, StoreError};

/// All keys, ready to be asked.
pub struct Keyring {
    store: Arc<dyn Store>,
    snapshot: ArcSwap<Snapshot>,
}

struct Snapshot {
    version: u64,
    pepper: Pepper,
    keys: HashMap<KeyHash, Entry>,
}

struct Entry {
    principal: Arc<Principal>,
    expires_ms: Option<u64>,
    revoked: bool,
}

impl Keyring {
    /// Reads all keys.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn load(store: Arc<dyn Store>) -> Result<Keyring, StoreError> {
        let snapshot = Snapshot::new(store.key_table().await?);
        Ok(Keyring {
            store,
            snapshot: ArcSwap::from_pointee(snapshot),
        })
    }

    /// Reads all keys again if any has changed; `true` if so. On an error the keys known so far stay in force.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn refresh(&self) -> Result<bool, StoreError> {
        if self.store.keys_version().await? == self.snapshot.load().version {
            return Ok(false);
        }
        let snapshot = Snapshot::new(self.store.key_table().await?);
        self.snapshot.store(Arc::new(snapshot));
        Ok(true)
    }

    /// Who shows this credential.
    ///
    /// # Errors
    /// It is not a key, not known, expired or revoked.
    pub fn authenticate(&self, presented: &str, now_ms: u64) -> Result<Arc<Principal>, AuthError> {
        if !is_well_formed(presented) {
            return Err(AuthError::Malformed);
        }
        let snapshot = self.snapshot.load();
        // The map compares hashes in constant time. What its buckets reveal is bits of a hash under a secret key,
        // which nobody can steer without the pepper.
        let entry = snapshot
            .keys
            .get(&snapshot.pepper.hash(presented))
            .ok_or(AuthError::Unknown)?;
        if entry.revoked {
            return Err(AuthError::Revoked);
        }
        if entry.expires_ms.is_some_and(|expires| now_ms >= expires) {
            return Err(AuthError::Expired);
        }
        Ok(Arc::clone(&entry.principal))
    }

    /// How many keys there are, revoked and expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.snapshot.load().keys.len()
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Snapshot {
    fn new(table: KeyTable) -> Snapshot {
        let entry = |StoredKey { record, hash }: StoredKey| {
            let entry = Entry {
                principal: Arc::new(record.principal),
                expires_ms: record.expires_ms,
                revoked: record.revoked_ms.is_some(),
            };
            (hash, entry)
        };
        Snapshot {
            version: table.version,
            pepper: table.pepper,
            keys: table.keys.into_iter().map(entry).collect(),
        }
    }
}
