//! The chain: hashes that hold the records together, and the signature that holds the last of them.

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use portcullis_core::{AuditRecord, RequestId};
use sha2::{Digest, Sha256};

use super::canonical_json;

/// So many records after the last checkpoint, a head becomes a checkpoint and is kept.
const CHECKPOINT_EVERY: u64 = 1000;

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What the first record is chained to.
    pub const GENESIS: Hash = Hash([0; 32]);

    /// The hash of the record with number `seq` behind a record with this hash.
    #[must_use]
    pub fn next(&self, seq: u64, json: &[u8]) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(seq.to_be_bytes());
        hasher.update(json);
        Hash(hasher.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A record at its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainedRecord {
    /// Its number; the first is 1 and none is left out.
    pub seq: u64,
    /// The request that it is about.
    pub request_id: RequestId,
    /// The record as canonical JSON.
    pub json: String,
    /// The hash of it and of everything before it.
    pub hash: Hash,
}

/// Where the chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the last record; 0 if there is none.
    pub seq: u64,
    /// The number of the checkpoint before this one, so that none can be left out either.
    pub previous: u64,
    /// When it was signed, milliseconds since 1970 UTC.
    pub unix_ms: u64,
    /// The hash of the last record.
    pub hash: Hash,
}

/// A head and who vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// The head.
    pub head: Head,
    /// The ed25519 signature of its bytes.
    pub signature: [u8; 64],
}

impl Head {
    /// The head of a log without records.
    #[must_use]
    pub const fn genesis(unix_ms: u64) -> Head {
        Head {
            seq: 0,
            previous: 0,
            unix_ms,
            hash: Hash::GENESIS,
        }
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> SignedHead {
        SignedHead {
            head: self,
            signature: key.sign(&self.bytes()).to_bytes(),
        }
    }

    /// What is signed: a name that no other use of the key shares, then every field at a fixed place.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"portcullis audit head 1\n".to_vec();
        for number in [self.seq, self.previous, self.unix_ms] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.hash.0);
        bytes
    }
}

impl SignedHead {
    /// Whether the owner of `key` signed exactly this head.
    #[must_use]
    pub fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.verify_strict(&self.head.bytes(), &Signature::from_bytes(&self.signature))
            .is_ok()
    }
}

/// Records to be appended together, and the head after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditBatch {
    /// The records, in order.
    pub records: Vec<ChainedRecord>,
    /// The head after the last of them.
    pub head: SignedHead,
    /// The number of the head that this one replaces; `None` if that one stays as a checkpoint.
    pub supersedes: Option<u64>,
}

/// A record in its canonical form, not yet at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The request that it is about.
    pub request_id: RequestId,
    /// The record as canonical JSON.
    pub json: String,
}

impl Encoded {
    /// Writes a record.
    ///
    /// # Errors
    /// The record has no canonical form. The type of records has one for every value, so this would be a fault of a
    /// later change to that type.
    pub fn new(record: &AuditRecord) -> Result<Encoded, String> {
        let json = canonical_json(record).map_err(|error| error.to_string())?;
        let json = String::from_utf8(json).map_err(|error| error.to_string())?;
        Ok(Encoded {
            request_id: record.request_id.clone(),
            json,
        })
    }
}

impl AuditBatch {
    /// The batch that begins a log: no records, and the head of nothing.
    #[must_use]
    pub fn genesis(key: &SigningKey, unix_ms: u64) -> AuditBatch {
        AuditBatch {
            records: Vec::new(),
            head: Head::genesis(unix_ms).sign(key),
            supersedes: None,
        }
    }

    /// Chains at least one record behind a head.
    #[must_use]
    pub fn chain(behind: &Head, records: &[Encoded], key: &SigningKey, unix_ms: u64) -> AuditBatch {
        let (mut seq, mut hash) = (behind.seq, behind.hash);
        let place = |Encoded { request_id, json }: &Encoded| {
            seq = seq.saturating_add(1);
            hash = hash.next(seq, json.as_bytes());
            ChainedRecord {
                seq,
                request_id: request_id.clone(),
                json: json.clone(),
                hash,
            }
        };
        let records: Vec<ChainedRecord> = records.iter().map(place).collect();
        let keep = behind.seq.saturating_sub(behind.previous) >= CHECKPOINT_EVERY;
        let previous = if keep { behind.seq } else { behind.previous };
        let head = Head {
            seq,
            previous,
            unix_ms,
            hash,
        }
        .sign(key);
        AuditBatch {
            records,
            head,
            supersedes: (!keep).then_some(behind.seq),
        }
    }
}
