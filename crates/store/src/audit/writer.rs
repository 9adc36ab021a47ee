//! The one task that writes the log: it gathers records, chains them, and does not rest until they are on disk.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use portcullis_core::AuditRecord;
use tokio::sync::mpsc;

use super::log::Shared;
use super::{AuditBatch, Chaining, Encoded, Hash, SignedHead, head_file};
use crate::clock::now_ms;
use crate::{Store, StoreError};

/// How long the first record of a batch waits for others. One transaction and one signature then serve them all.
const GATHER: Duration = Duration::from_millis(20);
const BATCH: usize = 4096;
/// First and longest pause before a failed write is tried again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

pub(super) struct Writer {
    pub(super) store: Arc<dyn Store>,
    pub(super) key: Arc<SigningKey>,
    pub(super) head_file: Option<PathBuf>,
    pub(super) head: SignedHead,
    pub(super) shared: Arc<Shared>,
}

impl Writer {
    /// Runs until the log and all its slots are gone and everything is written.
    pub(super) async fn run(mut self, mut receiver: mpsc::Receiver<AuditRecord>) {
        while let Some(first) = receiver.recv().await {
            // Sleeping and then taking everything wakes this task twice a batch instead of once a record.
            tokio::time::sleep(GATHER).await;
            let mut records = vec![first];
            while records.len() < BATCH
                && let Ok(record) = receiver.try_recv()
            {
                records.push(record);
            }
            if self.write(records).await.is_none() {
                // Ending closes the queue: the log is then unhealthy for good and no request is served.
                tracing::error!("the audit log's writer has failed and ends");
                return;
            }
        }
    }

    /// Writes a batch; `None` if work on another thread panicked, which only a fault in this crate can bring about.
    async fn write(&mut self, records: Vec<AuditRecord>) -> Option<()> {
        let total = records.len();
        let encoded = off_the_runtime(move || encode(&records)).await?;
        let committed = if encoded.is_empty() {
            0
        } else {
            self.append(encoded).await?
        };
        self.shared.status.send_modify(|status| {
            status.failing = None;
            status.committed = status.committed.saturating_add(count(committed));
            status.rejected = status
                .rejected
                .saturating_add(count(total.saturating_sub(committed)));
        });
        Some(())
    }

    /// Tries until the records are in the database and their head is in its file. Returns how many were appended.
    async fn append(&mut self, encoded: Vec<Encoded>) -> Option<usize> {
        let mut encoded = Arc::new(encoded);
        let attempts = Attempts::default();
        let mut pause = RETRY.0;
        loop {
            let result = self.store.extend_audit(self.behind(&encoded, &attempts)).await;
            // A commit can succeed although its answer was an error, or got lost: then the records are there, and
            // appending them again would make two of each.
            let found = match result {
                Ok(batch) => Ok(batch),
                Err(error) => loop {
                    match attempts.find(self.store.as_ref()).await {
                        Ok(found) => break found.ok_or(error),
                        Err(away) => self.wait(&away, &mut pause).await,
                    }
                },
            };
            match found {
                Ok(batch) => {
                    self.head = batch.head;
                    self.copy_head(&batch).await?;
                    return Some(batch.records.len());
                }
                Err(StoreError::DuplicateRequest(id)) => {
                    tracing::error!(request_id = %id, "a second audit record for one request was dropped");
                    let mut rest = Vec::clone(&encoded);
                    // The last one with that id: the first of two in one batch is the true one.
                    if let Some(at) = rest.iter().rposition(|record| record.request_id.as_str() == id) {
                        rest.remove(at);
                    }
                    if rest.is_empty() {
                        return Some(0);
                    }
                    encoded = Arc::new(rest);
                }
                Err(error) => self.wait(&error, &mut pause).await,
            }
        }
    }

    /// Chains the records behind whatever head the log has by then. Another replica may have moved it on; nobody may
    /// have moved it back.
    fn behind(&self, encoded: &Arc<Vec<Encoded>>, attempts: &Attempts) -> Chaining {
        let (key, known, encoded) = (Arc::clone(&self.key), self.head, Arc::clone(encoded));
        let (attempts, shared) = (attempts.clone(), self.store.audit_is_shared());
        Box::new(move |found| {
            let found = found.ok_or(StoreError::AuditCut {
                found: 0,
                written: known.head.seq,
            })?;
            if found != known {
                if !found.is_signed_by(&key.verifying_key()) {
                    return Err(StoreError::AuditForeign);
                }
                if found.head.seq < known.head.seq {
                    return Err(StoreError::AuditCut {
                        found: found.head.seq,
                        written: known.head.seq,
                    });
                }
                if found.head.seq == known.head.seq && found.head.hash != known.head.hash {
                    return Err(StoreError::AuditForeign);
                }
                if !shared {
                    return Err(StoreError::AuditConflict(known.head.seq.saturating_add(1)));
                }
            }
            let batch = Arc::new(AuditBatch::chain(&found.head, &encoded, &key, now_ms()));
            attempts.note(&batch);
            Ok(batch)
        })
    }

    async fn copy_head(&self, batch: &Arc<AuditBatch>) -> Option<()> {
        let mut pause = RETRY.0;
        while let Some(path) = self.head_file.clone() {
            let batch = Arc::clone(batch);
            match off_the_runtime(move || head_file::write(&path, &batch.head)).await? {
                Err(error) => self.wait(&error, &mut pause).await,
                Ok(()) => break,
            }
        }
        Some(())
    }

    /// Says that the log cannot be written and waits before the next attempt.
    async fn wait(&self, error: &(dyn std::error::Error + Sync), pause: &mut Duration) {
        tracing::error!(%error, "the audit log cannot be written; new requests are refused until it can");
        let reason: Arc<str> = Arc::from(error.to_string());
        self.shared
            .status
            .send_modify(|status| status.failing = Some(reason));
        tokio::time::sleep(*pause).await;
        *pause = pause.saturating_mul(2).min(RETRY.1);
    }
}

/// What was handed to the database for one set of records: any of it may be there, whatever the answer was.
#[derive(Clone, Default)]
struct Attempts(Arc<Mutex<Vec<Arc<AuditBatch>>>>);

impl Attempts {
    fn note(&self, batch: &Arc<AuditBatch>) {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Behind the same head come the same hashes: trying for hours keeps one batch.
        batches.retain(|other| place(other) != place(batch));
        batches.push(Arc::clone(batch));
    }

    /// The one that is in the database, if any is.
    async fn find(&self, store: &dyn Store) -> Result<Option<Arc<AuditBatch>>, StoreError> {
        let batches = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for batch in batches {
            let (seq, hash) = place(&batch);
            let rows = store.audit_page(seq.checked_sub(1), 1).await?;
            if rows
                .first()
                .is_some_and(|row| row.seq == seq && row.hash == hash.0)
            {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

fn place(batch: &AuditBatch) -> (u64, Hash) {
    (batch.head.head.seq, batch.head.head.hash)
}

/// Hashing thousands of records or waiting for a disk would hold up the requests that share the runtime's threads.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn encode(records: &[AuditRecord]) -> Vec<Encoded> {
    let one = |record| match Encoded::new(record) {
        Ok(encoded) => Some(encoded),
        Err(reason) => {
            tracing::error!(request_id = %record.request_id, reason, "an audit record was dropped");
            None
        }
    };
    records.iter().filter_map(one).collect()
}

fn count(records: usize) -> u64 {
    u64::try_from(records).unwrap_or(u64::MAX)
}
