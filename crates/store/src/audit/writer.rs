//! The one task that writes the log: it gathers records, chains them, and does not rest until they are on disk.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use portcullis_core::AuditRecord;
use tokio::sync::mpsc;

use super::log::{Shared, now_ms};
use super::{AuditBatch, ChainedRecord, Encoded, Head, head_file};
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
    pub(super) head: Head,
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
    async fn append(&mut self, mut encoded: Vec<Encoded>) -> Option<usize> {
        let mut pause = RETRY.0;
        loop {
            let (behind, key) = (self.head, Arc::clone(&self.key));
            let chained =
                off_the_runtime(move || AuditBatch::chain(&behind, encoded, &key, now_ms())).await?;
            let batch = Arc::new(chained);
            let result = self.store.append_audit(Arc::clone(&batch)).await;
            let committed = match &result {
                Ok(()) => true,
                // A commit can succeed although its answer was an error: then the head is there.
                Err(_) => matches!(self.store.audit_head().await, Ok(Some(head)) if head == batch.head),
            };
            if committed {
                self.head = batch.head.head;
                self.copy_head(&batch).await?;
                return Some(batch.records.len());
            }
            encoded = batch.records.iter().map(unplaced).collect();
            match result {
                Err(StoreError::DuplicateRequest(id)) => {
                    tracing::error!(request_id = %id, "a second audit record for one request was dropped");
                    // The last one with that id: the first of two in one batch is the true one.
                    if let Some(at) = encoded
                        .iter()
                        .rposition(|record| record.request_id.as_str() == id)
                    {
                        encoded.remove(at);
                    }
                    if encoded.is_empty() {
                        return Some(0);
                    }
                }
                Err(error) => self.wait(&error, &mut pause).await,
                Ok(()) => {}
            }
        }
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

fn unplaced(record: &ChainedRecord) -> Encoded {
    Encoded {
        request_id: record.request_id.clone(),
        json: record.json.clone(),
    }
}

fn count(records: usize) -> u64 {
    u64::try_from(records).unwrap_or(u64::MAX)
}
