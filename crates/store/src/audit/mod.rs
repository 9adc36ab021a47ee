//! The audit log: one record a request, chained by hash, its head signed.
//!
//! A record is kept as canonical JSON. Row `n` carries `SHA-256(hash of row n-1, n, JSON)`, so no row can be changed,
//! removed, moved or put in without every later hash changing; and after each batch the last hash is signed, so the
//! later hashes cannot be made up by someone without the signing key. Two things a database alone cannot show, that
//! the tail was cut off together with its signed head and that an old copy was put back, are shown by a second copy
//! of the head in a file of its own. Whoever can write that file *and* the database *and* wait for an old pair of
//! both can still turn back time: ship the head file elsewhere to close that door.
//!
//! What it deliberately does not do: encrypt, filter or fill in records. It writes what it is given.

mod canonical;
mod chain;
mod head_file;
mod log;
mod signing;
mod verify;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use portcullis_core::{AuditRecord, RequestId};

pub use canonical::{CanonicalError, canonical_json};
pub use chain::{AuditBatch, ChainedRecord, Encoded, Hash, Head, SignedHead};
pub use ed25519_dalek::{SigningKey, VerifyingKey};
pub use head_file::HeadFileError;
pub use log::{AuditError, AuditLog, AuditSlot, AuditStatus, AuditUnavailable, accept_head};
pub use signing::{
    SigningKeyError, load_or_create_signing_key, load_signing_key, public_key_from_text, public_key_text,
    secret_for,
};
pub use verify::{Tampered, Verified, verify, verify_with};

use crate::StoreError;

/// A row of the log, exactly as it lies there. `verify` must see what is stored, so nothing is interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// Its number.
    pub seq: u64,
    /// The request that it is about, as the column says.
    pub request_id: Vec<u8>,
    /// The record, as canonical JSON.
    pub json: Vec<u8>,
    /// The hash, as the column says.
    pub hash: Vec<u8>,
}

/// Rows in the order of their numbers.
pub type AuditPage = Vec<StoredRow>;

/// A record that was read back.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecord {
    /// Its number.
    pub seq: u64,
    /// The record.
    pub record: AuditRecord,
    /// Its canonical JSON, for export.
    pub json: String,
}

impl TryFrom<StoredRow> for StoredRecord {
    type Error = StoreError;

    fn try_from(row: StoredRow) -> Result<StoredRecord, StoreError> {
        let corrupt = |what: &str| StoreError::Corrupt(format!("audit record {}: {what}", row.seq));
        let json = String::from_utf8(row.json.clone()).map_err(|_| corrupt("not UTF-8"))?;
        let record = serde_json::from_str(&json).map_err(|error| corrupt(&error.to_string()))?;
        Ok(StoredRecord {
            seq: row.seq,
            record,
            json,
        })
    }
}

/// Makes the batch that goes behind the head which a log has at that moment, or says why none may.
pub type Chaining = Box<dyn FnOnce(Option<SignedHead>) -> Result<Arc<AuditBatch>, StoreError> + Send>;

/// Keeps the audit log. There is no operation that changes or removes a record.
#[async_trait]
pub trait AuditStore {
    /// Whether several gateways on several machines append to this log, each with a head file of its own.
    fn audit_is_shared(&self) -> bool {
        false
    }

    /// Appends records and replaces the head, all in one durable transaction: when it returns, a power cut does not
    /// take it back. From before the head is read until then nobody else can append. Returns what was appended.
    ///
    /// # Errors
    /// Those of `chain`, [`StoreError::DuplicateRequest`] and [`StoreError::AuditConflict`], after which nothing is
    /// appended; and failures of the database, after which it may be unknown whether the batch is there.
    async fn extend_audit(&self, chain: Chaining) -> Result<Arc<AuditBatch>, StoreError>;

    /// Appends a batch whose place is known.
    ///
    /// # Errors
    /// As [`AuditStore::extend_audit`].
    async fn append_audit(&self, batch: Arc<AuditBatch>) -> Result<(), StoreError> {
        self.extend_audit(Box::new(move |_| Ok(batch))).await.map(drop)
    }

    /// The last signed head; none in a log that was never opened for writing.
    async fn audit_head(&self) -> Result<Option<SignedHead>, StoreError>;

    /// Every head that was kept, oldest first: checkpoints and the present head.
    async fn audit_heads(&self) -> Result<Vec<SignedHead>, StoreError>;

    /// Up to `limit` rows after the one with number `after`, or from the very first.
    async fn audit_page(&self, after: Option<u64>, limit: u32) -> Result<AuditPage, StoreError>;

    /// The record of a request.
    async fn audit_record(&self, request: &RequestId) -> Result<Option<StoredRecord>, StoreError>;

    /// The last `count` records, oldest first.
    async fn audit_tail(&self, count: u32) -> Result<Vec<StoredRecord>, StoreError>;

    /// Whether the database's own structure is sound. Reads all of it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with what is wrong.
    async fn check_integrity(&self) -> Result<(), StoreError>;
}
