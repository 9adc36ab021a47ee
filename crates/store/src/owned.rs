//! Who made what at a provider: stored responses, conversations, files. It keeps ids, never content.

use async_trait::async_trait;
use portcullis_core::KeyId;

use crate::StoreError;

/// Something that lives at a provider and may be named only by the key that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// What it is: `response`, `conversation`, `file`, …
    pub kind: String,
    /// Its id at the provider.
    pub id: String,
    /// The key that made it.
    pub owner: KeyId,
    /// The upstream it lives at.
    pub upstream: String,
    /// The model it was made with, where that is known.
    pub model: Option<String>,
    /// When it was made.
    pub created_ms: u64,
}

/// Keeps ownership.
#[async_trait]
pub trait OwnedStore {
    /// Remembers what a key made. Saying the same again changes nothing; the first owner stays the owner.
    ///
    /// # Errors
    /// [`StoreError::OwnedByAnother`] if another key made it, and failures of the database.
    async fn remember_owned(
        &self,
        kind: &str,
        id: &str,
        owner: &KeyId,
        upstream: &str,
        model: Option<&str>,
        now_ms: u64,
    ) -> Result<(), StoreError>;

    /// Who made it, if anyone did through this gateway.
    async fn owned(&self, kind: &str, id: &str) -> Result<Option<Owned>, StoreError>;

    /// Forgets it, after it was deleted at the provider. Only its owner can; `true` if there was anything to forget.
    async fn forget_owned(&self, kind: &str, id: &str, owner: &KeyId) -> Result<bool, StoreError>;
}
