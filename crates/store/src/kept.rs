//! Texts that must outlive a process and be seen by no one who reads the database: sealed by whoever keeps them, and gone after a while.

use async_trait::async_trait;

use crate::StoreError;

/// A sealed text. Neither its name nor its bytes say what it is or whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What it is found by.
    pub name: [u8; 32],
    /// The text.
    pub bytes: Vec<u8>,
    /// When it goes, milliseconds since 1970 UTC.
    pub until_ms: u64,
}

/// Keeps sealed texts.
#[async_trait]
pub trait KeptStore {
    /// Keeps it in the place of what its name stood for, and drops all whose time is over.
    async fn keep_sealed(&self, sealed: Sealed, now_ms: u64) -> Result<(), StoreError>;

    /// What is kept under a name, if its time is not over.
    async fn sealed(&self, name: &[u8; 32], now_ms: u64) -> Result<Option<Vec<u8>>, StoreError>;
}
