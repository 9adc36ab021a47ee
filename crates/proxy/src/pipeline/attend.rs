//! A reply that its client does not take does not stay. What is read of the upstream waits for the client, so a client that stops
//! reading would hold a connection to the upstream, a place and a part of a budget for as long as it likes: after a while its
//! reply is dropped, and all of that is free.
//!
//! Hyper asks a body for more only when there is room for it; a body that was asked and has given is waited upon here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::Frame;
use portcullis_core::Decision;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::stream::Guarded;
use crate::mcp::Answered;
use crate::metrics::Held;

/// Replies up to this size are given in one piece: a connection holds as much anyway.
pub(super) const PIECE: usize = 64 * 1024;

/// A reply, until its client has taken it.
pub(crate) struct Attended {
    reply: Arc<Mutex<Waiting>>,
    watch: AbortHandle,
}

enum Source {
    Stream(Box<Guarded>),
    Whole(Bytes),
    Answered(Box<Answered>),
}

struct Waiting {
    /// Nothing once it was dropped.
    source: Option<Source>,
    /// When a piece was given for which nobody came back yet.
    given: Option<Instant>,
    /// Told when nobody comes: the connection is closed.
    closes: Option<Arc<Notify>>,
}

impl Attended {
    /// A stream that is dropped where its client takes nothing of it for so long.
    pub fn stream(stream: Guarded, patience: Duration) -> Attended {
        Attended::new(Source::Stream(Box::new(stream)), patience)
    }

    /// What a server of tools answers, likewise. Waiting for what it may tell is not waiting for the client.
    pub fn answered(answered: Answered, patience: Duration) -> Attended {
        Attended::new(Source::Answered(Box::new(answered)), patience)
    }

    /// A large reply, in pieces.
    pub fn whole(reply: Bytes, patience: Duration) -> Attended {
        Attended::new(Source::Whole(reply), patience)
    }

    fn new(source: Source, patience: Duration) -> Attended {
        let reply = Arc::new(Mutex::new(Waiting {
            source: Some(source),
            given: None,
            closes: None,
        }));
        let watch = tokio::spawn(watch(Arc::downgrade(&reply), patience)).abort_handle();
        Attended { reply, watch }
    }

    /// What was decided so far: about the request.
    pub fn decision(&self) -> Option<Decision> {
        match &lock(&self.reply).source {
            Some(Source::Stream(stream)) => Some(stream.decision()),
            Some(Source::Answered(answered)) => Some(answered.decision()),
            _ => None,
        }
    }

    /// Counts the reply as under way while it is not taken.
    pub fn hold(&self, active: Held) {
        match &mut lock(&self.reply).source {
            Some(Source::Stream(stream)) => stream.hold(active),
            Some(Source::Answered(answered)) => answered.hold(active),
            Some(Source::Whole(_)) | None => {}
        }
    }

    /// Closes the connection where the client takes nothing: it has no other reply on it.
    pub fn closes(&self, connection: Arc<Notify>) {
        lock(&self.reply).closes = Some(connection);
    }

    /// Bytes that are left of a reply whose length is known.
    pub fn left(&self) -> Option<u64> {
        match &lock(&self.reply).source {
            Some(Source::Whole(bytes)) => Some(bytes.len() as u64),
            _ => None,
        }
    }

    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let mut reply = lock(&self.reply);
        let polled = match &mut reply.source {
            Some(Source::Stream(stream)) => stream.poll_next(cx),
            Some(Source::Answered(answered)) => answered.poll_next(cx),
            Some(Source::Whole(bytes)) if bytes.is_empty() => Poll::Ready(None),
            Some(Source::Whole(bytes)) => {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            None => Poll::Ready(Some(Err(std::io::ErrorKind::TimedOut.into()))),
        };
        reply.given = matches!(polled, Poll::Ready(Some(Ok(_)))).then(Instant::now);
        polled
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn lock(reply: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    reply.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn watch(reply: Weak<Mutex<Waiting>>, patience: Duration) {
    let mut pause = patience;
    loop {
        tokio::time::sleep(pause).await;
        let Some(reply) = reply.upgrade() else { return };
        let mut reply = lock(&reply);
        let waited = reply.given.map(|at| at.elapsed());
        match waited {
            Some(waited) if waited >= patience => {
                let (gone, closes) = (reply.source.take(), reply.closes.take());
                drop(reply);
                tracing::info!(
                    "a reply was dropped: its client took nothing of it for {} s",
                    patience.as_secs()
                );
                // Its record is written and its cost settled here, as where a client goes away.
                drop(gone);
                if let Some(connection) = closes {
                    connection.notify_one();
                }
                return;
            }
            waited => pause = patience.saturating_sub(waited.unwrap_or_default()),
        }
    }
}
