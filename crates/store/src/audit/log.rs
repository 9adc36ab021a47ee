//! The log as the rest of the program sees it: reserve a slot before a request begins, write the record when it has ended.
//!
//! A slot is a place in the queue to the writer. Whoever holds one can always write, without waiting, and what was
//! written is not lost while the process lives: if the database fails, the writer keeps the records, tries again, and
//! no new slots are given until it succeeds. What the log does not see to is that a slot is written exactly once;
//! dropping one writes nothing.
//!
//! The database is written before the head file, so after a crash the head file may be behind and is brought up to date
//! at the next start. The other way round, a database behind its head file, cannot come from a crash, since each
//! transaction is on disk before the head file names it. It means that records were removed, and the log refuses to open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ed25519_dalek::{SigningKey, VerifyingKey};
use portcullis_core::AuditRecord;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::writer::Writer;
use super::{AuditBatch, Chaining, Hash, Head, HeadFileError, SignedHead, head_file};
use crate::clock::now_ms;
use crate::{Store, StoreError};

/// So many requests can be under way or on their way to disk. Far above what one process serves at once; a guard
/// against memory filling up when the disk stands still.
const SLOTS: usize = 32_768;

/// Why the log could not be opened. After any of these but the first two, somebody should look at the log first.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The head file cannot be used.
    #[error(transparent)]
    HeadFile(#[from] HeadFileError),
    /// Another key signed the head in the database, or it was changed.
    #[error("the audit log was not signed by this key, or was changed; run `portcullis audit verify`")]
    NotSigned,
    /// Records and head of the database do not fit together.
    #[error("the audit log does not end where its signed head says ({0}); run `portcullis audit verify`")]
    WrongEnd(u64),
    /// The database knows less than the head file.
    #[error(
        "the audit log ends at record {database}, but its head file names record {head_file}: records were removed or \
         an old copy was put back; run `portcullis audit verify`"
    )]
    Behind {
        /// The last record in the database.
        database: u64,
        /// The last record that the head file knows of.
        head_file: u64,
    },
    /// Database and head file have different histories.
    #[error("the audit log and its head file disagree on record {0}; run `portcullis audit verify`")]
    Disagree(u64),
    /// The log has records, but the head file is gone.
    #[error("the audit log has {0} records but no head file; run `portcullis audit verify`")]
    HeadFileMissing(u64),
}

/// Why no slot is to be had. A request that cannot be recorded must not be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditUnavailable {
    /// Every slot is taken.
    #[error("too many audit records wait to be written")]
    Full,
    /// The last attempt to write failed; it is tried again.
    #[error("the audit log cannot be written: {0}")]
    Failing(Arc<str>),
    /// The writer is gone.
    #[error("the audit log is closed")]
    Stopped,
}

/// How the log is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditStatus {
    /// Records on disk since the log was opened.
    pub committed: u64,
    /// Records that were not written because their request had one already, or because they have no canonical form.
    /// Both are faults of the program and must never be anything but 0.
    pub rejected: u64,
    /// Why the last attempt to write failed, while it does.
    pub failing: Option<Arc<str>>,
}

/// The audit log, open for writing. In PostgreSQL, several processes with the same key can have it at once; each has a
/// head file of its own.
pub struct AuditLog {
    sender: mpsc::Sender<AuditRecord>,
    shared: Arc<Shared>,
    writer: JoinHandle<()>,
}

/// What log, slots and writer share.
pub(super) struct Shared {
    submitted: AtomicU64,
    pub(super) status: watch::Sender<AuditStatus>,
}

/// The right to write one record.
#[must_use = "a request without its record is what the audit log exists to prevent"]
pub struct AuditSlot {
    permit: mpsc::OwnedPermit<AuditRecord>,
    shared: Arc<Shared>,
}

impl AuditSlot {
    /// Hands the record to the writer. Never waits.
    pub fn write(self, record: AuditRecord) {
        self.shared.submitted.fetch_add(1, Ordering::Relaxed);
        self.permit.send(record);
    }
}

impl AuditLog {
    /// Opens the log and starts its writer as a task of the present tokio runtime. Dropping the log and all its slots
    /// ends the task after it has written everything.
    ///
    /// # Errors
    /// The state cannot be read, or log and head file do not fit together.
    pub async fn open(
        store: Arc<dyn Store>,
        key: SigningKey,
        head_file: Option<PathBuf>,
    ) -> Result<AuditLog, AuditError> {
        let signed = begin(store.as_ref(), &key, head_file.as_deref()).await?;
        if let Some(path) = &head_file {
            head_file::write(path, &signed)?;
        }
        let shared = Arc::new(Shared {
            submitted: AtomicU64::new(0),
            status: watch::Sender::default(),
        });
        let (sender, receiver) = mpsc::channel(SLOTS);
        let writer = Writer {
            store,
            key: Arc::new(key),
            head_file,
            head: signed,
            shared: Arc::clone(&shared),
        };
        Ok(AuditLog {
            sender,
            shared,
            writer: tokio::spawn(writer.run(receiver)),
        })
    }

    /// Takes a slot, before the request that it is for begins.
    ///
    /// # Errors
    /// The log cannot be written at the moment; the request must be refused.
    pub fn reserve(&self) -> Result<AuditSlot, AuditUnavailable> {
        if let Some(reason) = &self.shared.status.borrow().failing {
            return Err(AuditUnavailable::Failing(Arc::clone(reason)));
        }
        match self.sender.clone().try_reserve_owned() {
            Ok(permit) => Ok(AuditSlot {
                permit,
                shared: Arc::clone(&self.shared),
            }),
            Err(mpsc::error::TrySendError::Full(_)) => Err(AuditUnavailable::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(AuditUnavailable::Stopped),
        }
    }

    /// Writes a record for which no slot was reserved.
    ///
    /// # Errors
    /// The log cannot be written at the moment; the record was not taken.
    pub fn append(&self, record: AuditRecord) -> Result<(), AuditUnavailable> {
        self.reserve()?.write(record);
        Ok(())
    }

    /// Whether a slot could be had now.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.sender.capacity() > 0
            && !self.sender.is_closed()
            && self.shared.status.borrow().failing.is_none()
    }

    /// How the log is doing.
    #[must_use]
    pub fn status(&self) -> AuditStatus {
        self.shared.status.borrow().clone()
    }

    /// Ends the log: waits for every slot that is still held, and for the disk. The last thing a process does.
    ///
    /// # Errors
    /// The log cannot be written at the moment; what it has is then still being tried while the process lives.
    pub async fn close(self) -> Result<(), AuditUnavailable> {
        self.flush().await?;
        drop(self.sender);
        self.writer.await.map_err(|_| AuditUnavailable::Stopped)
    }

    /// Waits until everything written so far is on disk.
    ///
    /// # Errors
    /// The log cannot be written at the moment.
    pub async fn flush(&self) -> Result<(), AuditUnavailable> {
        let target = self.shared.submitted.load(Ordering::Relaxed);
        let mut status = self.shared.status.subscribe();
        let done = |status: &AuditStatus| {
            status.failing.is_some() || status.committed.saturating_add(status.rejected) >= target
        };
        let reached = tokio::select! {
            reached = status.wait_for(done) => reached.map_err(|_| AuditUnavailable::Stopped)?.failing.clone(),
            () = self.sender.closed() => return Err(AuditUnavailable::Stopped),
        };
        reached.map_or(Ok(()), |reason| Err(AuditUnavailable::Failing(reason)))
    }
}

/// The head that the log has; the head of nothing where it is new.
async fn begin(
    store: &dyn Store,
    key: &SigningKey,
    head_file: Option<&Path>,
) -> Result<SignedHead, AuditError> {
    let verifying = key.verifying_key();
    let signed = match store.audit_head().await? {
        Some(signed) => signed,
        None => {
            let genesis = Arc::new(AuditBatch::genesis(key, now_ms()));
            let first: Chaining = {
                let genesis = Arc::clone(&genesis);
                Box::new(move |found| match found {
                    None => Ok(genesis),
                    Some(signed) => Err(StoreError::AuditConflict(signed.head.seq)),
                })
            };
            if let Some(path) = head_file {
                check_head_file(store, &verifying, &genesis.head.head, path).await?;
            }
            match check_end(store, &genesis.head.head).await {
                Ok(()) => match store.extend_audit(first).await {
                    Ok(batch) => return Ok(batch.head),
                    // Another replica was faster.
                    Err(StoreError::AuditConflict(_)) => {
                        store.audit_head().await?.ok_or(AuditError::NotSigned)?
                    }
                    Err(error) => return Err(error.into()),
                },
                // Another replica was faster still, and has written since; or rows stand there without a head.
                Err(error) => store.audit_head().await?.ok_or(error)?,
            }
        }
    };
    if !signed.is_signed_by(&verifying) {
        return Err(AuditError::NotSigned);
    }
    if let Some(path) = head_file {
        check_head_file(store, &verifying, &signed.head, path).await?;
    }
    settled_end(store, signed, &verifying).await
}

/// The head, once the last row is the one that it names. Other replicas may append between two looks.
async fn settled_end(
    store: &dyn Store,
    mut signed: SignedHead,
    key: &VerifyingKey,
) -> Result<SignedHead, AuditError> {
    loop {
        let Err(error) = check_end(store, &signed.head).await else {
            return Ok(signed);
        };
        match store.audit_head().await? {
            // INVARIANT: heads only grow, so this ends where a log stands still, and waits for a pause where it does not.
            Some(next) if next.head.seq > signed.head.seq && next.is_signed_by(key) => signed = next,
            _ => return Err(error),
        }
    }
}

/// Writes the head file anew from the database. For an operator who has verified the log without its head file, when
/// that file was lost or is to be kept from now on.
///
/// # Errors
/// The head in the database is missing or not signed by this key, or the file cannot be written.
pub async fn accept_head(
    store: &dyn Store,
    key: &VerifyingKey,
    head_file: &Path,
) -> Result<SignedHead, AuditError> {
    let signed = store
        .audit_head()
        .await?
        .filter(|signed| signed.is_signed_by(key))
        .ok_or(AuditError::NotSigned)?;
    let signed = settled_end(store, signed, key).await?;
    head_file::write(head_file, &signed)?;
    Ok(signed)
}

/// The last row must be the one that the head names, with its hash. The rest of the chain is left to `verify`.
async fn check_end(store: &dyn Store, head: &Head) -> Result<(), AuditError> {
    let rows = store.audit_page(head.seq.checked_sub(1), 2).await?;
    let fits = match rows.as_slice() {
        [] => head.seq == 0,
        [row] => row.seq == head.seq && row.hash == head.hash.0,
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(AuditError::WrongEnd(head.seq))
    }
}

async fn check_head_file(
    store: &dyn Store,
    key: &VerifyingKey,
    head: &Head,
    path: &Path,
) -> Result<(), AuditError> {
    let Some(signed) = head_file::read(path)? else {
        return if head.seq == 0 {
            Ok(())
        } else if store.audit_is_shared() {
            // A replica that is new has none yet; the head is signed, and the other replicas have theirs.
            tracing::warn!(
                file = %path.display(), record = head.seq,
                "there is no audit head file: it begins anew at the head of the database"
            );
            Ok(())
        } else {
            Err(AuditError::HeadFileMissing(head.seq))
        };
    };
    let known = signed.head;
    if !signed.is_signed_by(key) {
        return Err(AuditError::NotSigned);
    }
    if known.seq > head.seq {
        return Err(AuditError::Behind {
            database: head.seq,
            head_file: known.seq,
        });
    }
    let same = match known.seq.checked_sub(1) {
        None => known.hash == Hash::GENESIS,
        Some(before) => {
            let rows = store.audit_page(Some(before), 1).await?;
            rows.first()
                .is_some_and(|row| row.seq == known.seq && row.hash == known.hash.0)
        }
    };
    if same {
        Ok(())
    } else {
        Err(AuditError::Disagree(known.seq))
    }
}
