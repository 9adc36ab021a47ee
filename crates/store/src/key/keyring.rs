//! The keys in memory: what every request is authenticated against, without touching the database.
//!
//! A snapshot is replaced whole. Whoever owns the keyring calls [`Keyring::refresh`] every second, so that what
//! `portcullis key` does in another process takes effect within two.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use portcullis_core::{KeyId, Principal};

use super::credential::is_well_formed;
use super::{AuthError, KeyHash, KeyTable, Pepper, StoredKey};
use crate::{Store, StoreError};

/// All keys, ready to be asked.
pub struct Keyring {
    store: Arc<dyn Store>,
    snapshot: ArcSwap<Snapshot>,
}

/// How long a use may go unwritten: last uses are told to about a minute, and a busy key costs one write a minute.
const WRITTEN_EVERY_MS: u64 = 60_000;

struct Snapshot {
    version: u64,
    pepper: Pepper,
    /// By the hash of a text; a key that was rotated with an overlap has two.
    texts: HashMap<KeyHash, Entry>,
    uses: HashMap<KeyId, Arc<Use>>,
}

struct Entry {
    principal: Arc<Principal>,
    expires_ms: Option<u64>,
    revoked: bool,
}

/// When a key was last used, and which use was last written down.
#[derive(Default)]
struct Use {
    used_ms: AtomicU64,
    written_ms: AtomicU64,
}

impl Keyring {
    /// Reads all keys.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn load(store: Arc<dyn Store>) -> Result<Keyring, StoreError> {
        let snapshot = Snapshot::new(store.key_table().await?, HashMap::new());
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
        let table = self.store.key_table().await?;
        let snapshot = Snapshot::new(table, self.snapshot.load().uses.clone());
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
            .texts
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

    /// Notes that a request was let in with this key. Nothing is written here: see [`Keyring::save_uses`].
    pub fn used(&self, key: &KeyId, now_ms: u64) {
        if let Some(last) = self.snapshot.load().uses.get(key) {
            last.used_ms.fetch_max(now_ms, Ordering::Relaxed);
        }
    }

    /// Writes down when keys were last used: those of which nothing was written for a minute, or, at the `end` of the process, all.
    ///
    /// # Errors
    /// The store failed; what was to be written is written the next time.
    pub async fn save_uses(&self, end: bool) -> Result<(), StoreError> {
        let uses: Vec<(Arc<Use>, KeyId, u64)> = {
            let snapshot = self.snapshot.load();
            let due = |(key, last): (&KeyId, &Arc<Use>)| {
                let used = last.used_ms.load(Ordering::Relaxed);
                let unwritten = used.saturating_sub(last.written_ms.load(Ordering::Relaxed));
                let is_due = unwritten >= WRITTEN_EVERY_MS || (end && unwritten > 0);
                is_due.then(|| (Arc::clone(last), key.clone(), used))
            };
            snapshot.uses.iter().filter_map(due).collect()
        };
        if uses.is_empty() {
            return Ok(());
        }
        let written = uses.iter().map(|(_, key, used)| (key.clone(), *used)).collect();
        self.store.note_key_uses(written).await?;
        for (last, _, used) in uses {
            last.written_ms.fetch_max(used, Ordering::Relaxed);
        }
        Ok(())
    }

    /// All keys that are not revoked and not expired.
    #[must_use]
    pub fn live(&self, now_ms: u64) -> Vec<Arc<Principal>> {
        let snapshot = self.snapshot.load();
        let live = |entry: &&Entry| !entry.revoked && entry.expires_ms.is_none_or(|expires| now_ms < expires);
        let all = snapshot.texts.values().filter(live);
        all.map(|entry| Arc::clone(&entry.principal)).collect()
    }

    /// How many keys there are, revoked and expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.snapshot.load().uses.len()
    }

    /// Whether there is no key at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Snapshot {
    /// `before` has the uses that are not written yet.
    fn new(table: KeyTable, before: HashMap<KeyId, Arc<Use>>) -> Snapshot {
        let mut texts = HashMap::with_capacity(table.keys.len());
        let mut uses = HashMap::with_capacity(table.keys.len());
        for StoredKey {
            record,
            hash,
            prior_hash,
        } in table.keys
        {
            let key = record.principal.key.clone();
            let last = before.get(&key).cloned().unwrap_or_default();
            // What another process wrote counts as written: several replicas together write no more than one a minute each.
            last.written_ms
                .fetch_max(record.used_ms.unwrap_or(0), Ordering::Relaxed);
            let principal = Arc::new(record.principal);
            let entry = |expires_ms| Entry {
                principal: Arc::clone(&principal),
                expires_ms,
                revoked: record.revoked_ms.is_some(),
            };
            texts.insert(hash, entry(record.expires_ms));
            if let (Some(prior), Some(until)) = (prior_hash, record.prior_until_ms) {
                let until = record.expires_ms.map_or(until, |expires| expires.min(until));
                texts.insert(prior, entry(Some(until)));
            }
            uses.insert(key, last);
        }
        Snapshot {
            version: table.version,
            pepper: table.pepper,
            texts,
            uses,
        }
    }
}
