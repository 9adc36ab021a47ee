//! Reads the whole log and says whether it is what was written: nothing changed, removed, moved, added or cut off.
//!
//! It reads while the log is being written to, and needs the public key alone.

use std::path::Path;

use ed25519_dalek::VerifyingKey;
use serde::Deserialize;

use super::{Hash, HeadFileError, SignedHead, StoredRow, head_file};
use crate::{Store, StoreError};

const PAGE: u32 = 4096;

/// A log that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many records it has.
    pub records: u64,
    /// How many signed heads vouch for them.
    pub heads: u64,
    /// The last of these; none in a log that was never opened for writing.
    pub head: Option<SignedHead>,
}

/// What is wrong with a log: the first thing that was found.
#[derive(Debug, thiserror::Error)]
pub enum Tampered {
    /// A record is not what was written.
    #[error("record {seq} was edited")]
    Edited {
        /// Its number.
        seq: u64,
    },
    /// A record is gone, and others follow it.
    #[error("record {seq} is missing")]
    Missing {
        /// Its number.
        seq: u64,
    },
    /// A record stands at another's place.
    #[error("record {seq} is out of order: it stands at {found_at}")]
    Reordered {
        /// The number that it had when it was written.
        seq: u64,
        /// The number that it has now.
        found_at: u64,
    },
    /// The last records are gone.
    #[error(
        "the log ends at record {last}, but record {signed} was written and signed: the tail was cut off"
    )]
    CutTail {
        /// The last record that is there.
        last: u64,
        /// The last record that is known to have been written.
        signed: u64,
    },
    /// Records stand where nobody signed any.
    #[error("record {seq} and what follows it is not covered by any signature")]
    Unsigned {
        /// The first of them.
        seq: u64,
    },
    /// A head was not signed by this key, or was changed.
    #[error("the signature over record {seq} is not valid")]
    BadSignature {
        /// The record that the head names.
        seq: u64,
    },
    /// A head of another history: validly signed, but for other records.
    #[error("the signature over record {seq} is valid, but for another record")]
    OtherHistory {
        /// The record that the head names.
        seq: u64,
    },
    /// A kept head is gone.
    #[error("the signed checkpoint at record {seq} is missing")]
    CheckpointMissing {
        /// The record that it named.
        seq: u64,
    },
    /// The head file is gone although there are records.
    #[error("the audit head file is missing")]
    HeadFileMissing,
    /// The head file cannot be used.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    /// The database's own structure is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The database cannot be read.
    #[error("the log cannot be read: {0}")]
    Unreadable(StoreError),
}

impl Tampered {
    /// The first record that is not as it was written, where that can be said.
    #[must_use]
    pub const fn first_bad(&self) -> Option<u64> {
        match self {
            Tampered::Edited { seq }
            | Tampered::Missing { seq }
            | Tampered::Reordered { seq, .. }
            | Tampered::Unsigned { seq }
            | Tampered::BadSignature { seq }
            | Tampered::OtherHistory { seq }
            | Tampered::CheckpointMissing { seq } => Some(*seq),
            Tampered::CutTail { last, .. } => Some(last.saturating_add(1)),
            Tampered::HeadFileMissing
            | Tampered::HeadFile(_)
            | Tampered::Damaged(_)
            | Tampered::Unreadable(_) => None,
        }
    }
}

impl From<StoreError> for Tampered {
    fn from(error: StoreError) -> Tampered {
        match error {
            StoreError::Corrupt(what) => Tampered::Damaged(what),
            other => Tampered::Unreadable(other),
        }
    }
}

/// Verifies the whole log.
///
/// Without a head file, a tail that was cut off together with the heads over it, and an old copy put back, cannot be seen.
///
/// # Errors
/// The first thing that is wrong.
pub async fn verify(
    store: &dyn Store,
    key: &VerifyingKey,
    head_file: Option<&Path>,
) -> Result<Verified, Tampered> {
    verify_with(store, key, head_file, &mut |_| ()).await
}

/// Verifies the whole log and tells `progress` now and then how many records have been read.
///
/// # Errors
/// As [`verify`].
pub async fn verify_with(
    store: &dyn Store,
    key: &VerifyingKey,
    head_file: Option<&Path>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Verified, Tampered> {
    // Read first: it is written last, so whatever it names must be in the database by now.
    let beside = head_file.map(head_file::read).transpose()?;
    let mut walk = Walk {
        last: 0,
        hash: Hash::GENESIS,
    };
    let mut was_stuck = false;
    let heads = loop {
        let before = walk.last;
        walk.read_to_end(store, progress).await?;
        let heads = store.audit_heads().await?;
        let end = heads.last().map_or(0, |signed| signed.head.seq);
        // A batch that was committed while this was reading: its records come with the next round, or they are not there.
        let stuck = before == walk.last;
        if end <= walk.last || (stuck && was_stuck) {
            break heads;
        }
        was_stuck = stuck;
    };
    let beside = match beside {
        Some(None) if walk.last > 0 || heads.last().is_some_and(|signed| signed.head.seq > 0) => {
            return Err(Tampered::HeadFileMissing);
        }
        other => other.flatten(),
    };
    // What either copy of the head knows must be there; only then is it asked whether the copies are in order.
    for signed in beside.iter().chain(heads.last()) {
        if !signed.is_signed_by(key) {
            return Err(Tampered::BadSignature { seq: signed.head.seq });
        }
        if signed.head.seq > walk.last {
            return Err(Tampered::CutTail {
                last: walk.last,
                signed: signed.head.seq,
            });
        }
    }
    let mut previous = 0;
    for signed in &heads {
        if !signed.is_signed_by(key) {
            return Err(Tampered::BadSignature { seq: signed.head.seq });
        }
        if signed.head.previous != previous {
            return Err(Tampered::CheckpointMissing {
                seq: signed.head.previous,
            });
        }
        previous = signed.head.seq;
    }
    for signed in heads.iter().chain(&beside) {
        check_history(store, signed).await?;
    }
    if walk.last > previous {
        return Err(Tampered::Unsigned {
            seq: previous.saturating_add(1),
        });
    }
    store.check_integrity().await?;
    Ok(Verified {
        records: walk.last,
        heads: u64::try_from(heads.len()).unwrap_or(u64::MAX),
        head: heads.last().copied(),
    })
}

/// The last record that was read and found in order.
struct Walk {
    last: u64,
    hash: Hash,
}

impl Walk {
    async fn read_to_end(
        &mut self,
        store: &dyn Store,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), Tampered> {
        loop {
            // From the very first row, not from row 1: a row numbered 0 would be one too many.
            let rows = store
                .audit_page((self.last > 0).then_some(self.last), PAGE)
                .await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                self.step(store, row).await?;
            }
            progress(self.last);
        }
    }

    async fn step(&mut self, store: &dyn Store, row: &StoredRow) -> Result<(), Tampered> {
        let seq = self.last.saturating_add(1);
        if row.seq < seq {
            return Err(Tampered::Unsigned { seq: row.seq });
        }
        if row.seq > seq {
            return Err(Tampered::Missing { seq });
        }
        let hash = self.hash.next(seq, &row.json);
        if row.hash != hash.0 {
            return Err(self.misfit(store, row).await?);
        }
        if request_id(&row.json).as_deref().map(str::as_bytes) != Some(&row.request_id) {
            return Err(Tampered::Edited { seq });
        }
        (self.last, self.hash) = (seq, hash);
        Ok(())
    }

    /// Tells a record that was moved from one that was changed: if the record that belongs here stands elsewhere, it
    /// fits here with the hash that it has there, or with the hash that was left here.
    async fn misfit(&self, store: &dyn Store, here: &StoredRow) -> Result<Tampered, Tampered> {
        let mut after = here.seq;
        loop {
            let rows = store.audit_page(Some(after), PAGE).await?;
            let Some(last) = rows.last() else {
                return Ok(Tampered::Edited { seq: here.seq });
            };
            after = last.seq;
            for row in &rows {
                let hash = self.hash.next(here.seq, &row.json).0;
                if row.hash == hash || here.hash == hash {
                    return Ok(Tampered::Reordered {
                        seq: here.seq,
                        found_at: row.seq,
                    });
                }
            }
        }
    }
}

/// The hash that was signed must be the one in the chain, which was walked before.
async fn check_history(store: &dyn Store, signed: &SignedHead) -> Result<(), Tampered> {
    let seq = signed.head.seq;
    let hash = match seq.checked_sub(1) {
        None => Some(Hash::GENESIS.0.to_vec()),
        Some(before) => {
            let rows = store.audit_page(Some(before), 1).await?;
            rows.into_iter()
                .next()
                .filter(|row| row.seq == seq)
                .map(|row| row.hash)
        }
    };
    if hash.as_deref() == Some(&signed.head.hash.0) {
        Ok(())
    } else {
        Err(Tampered::OtherHistory { seq })
    }
}

fn request_id(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Id {
        request_id: String,
    }
    serde_json::from_slice::<Id>(json).ok().map(|id| id.request_id)
}
