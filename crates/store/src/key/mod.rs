//! API keys: their form, their records, and the snapshot in memory that authenticates requests.
//!
//! A key's text exists in three places only: the answer of `create_key`, the client's configuration, and the request
//! that shows it. What is kept is a keyed hash.

mod credential;
mod keyring;
mod record;

use async_trait::async_trait;
use portcullis_core::{KeyId, Secret};

pub(crate) use credential::push_random;
pub use credential::{AuthError, KeyHash, Pepper};
pub use keyring::Keyring;
pub use record::{KeyRecord, KeyTable, NewKey, StoredKey};

use crate::StoreError;

/// Keeps API keys. A store implements the plain operations; how a key is made is written once, here.
#[async_trait]
pub trait KeyStore {
    /// Makes a key. The text is returned this once and cannot be had again.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`], [`StoreError::InvalidKey`], and failures of the database.
    async fn create_key(&self, new: NewKey, now_ms: u64) -> Result<(KeyRecord, Secret<String>), StoreError> {
        new.check(now_ms)?;
        let text = credential::generate()?;
        let record = new.into_record(
            credential::generate_id()?,
            credential::prefix(text.expose()),
            now_ms,
        );
        let hash = self.pepper().await?.hash(text.expose());
        self.insert_key(StoredKey {
            record: record.clone(),
            hash,
            prior_hash: None,
        })
        .await?;
        Ok((record, text))
    }

    /// Gives a live key a new text. The one before works for `overlap_ms` more; with none, it stops as soon as every [`Keyring`] has
    /// refreshed. Only the last text overlaps: rotating again within that time ends the one before it.
    ///
    /// # Errors
    /// [`StoreError::NoSuchKey`], [`StoreError::KeyRevoked`], and failures of the database.
    async fn rotate_key(
        &self,
        id_or_name: &str,
        overlap_ms: u64,
        now_ms: u64,
    ) -> Result<(KeyRecord, Secret<String>), StoreError> {
        let text = credential::generate()?;
        let hash = self.pepper().await?.hash(text.expose());
        let prior_until_ms = (overlap_ms > 0).then(|| now_ms.saturating_add(overlap_ms));
        let prefix = credential::prefix(text.expose());
        let record = self
            .replace_key_hash(id_or_name, hash, &prefix, prior_until_ms, now_ms)
            .await?;
        Ok((record, text))
    }

    /// Ends a key for good. Revoking it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NoSuchKey`] and failures of the database.
    async fn revoke_key(&self, id_or_name: &str, now_ms: u64) -> Result<KeyRecord, StoreError>;

    /// Every key that was ever made, oldest first.
    async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// A number that changes whenever any key changes, whichever process changed it: the cheap thing to poll.
    async fn keys_version(&self) -> Result<u64, StoreError>;

    /// Version, hashes and records of one moment, for [`Keyring`].
    async fn key_table(&self) -> Result<KeyTable, StoreError>;

    /// The secret under which keys are hashed; made when the store was first opened.
    async fn pepper(&self) -> Result<Pepper, StoreError>;

    /// Keeps a new key. Callers use [`KeyStore::create_key`].
    async fn insert_key(&self, key: StoredKey) -> Result<(), StoreError>;

    /// Notes when keys were last used. This is no change of a key: the version stays. Callers use [`Keyring::save_uses`].
    async fn note_key_uses(&self, uses: Vec<(KeyId, u64)>) -> Result<(), StoreError>;

    /// Replaces the hash of a live key, which works on until `prior_until_ms`. Callers use [`KeyStore::rotate_key`].
    async fn replace_key_hash(
        &self,
        id_or_name: &str,
        hash: KeyHash,
        prefix: &str,
        prior_until_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<KeyRecord, StoreError>;
}
