//! A streamed reply under guard: what comes from the upstream goes through the engine, and only what the engine releases goes
//! to the client. It is polled by the client's connection: a client that does not read makes the upstream wait.

mod acts;
mod calm;
mod delta;
mod engine;
mod hindsight;
mod lane;
#[cfg(test)]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod law;
mod queue;
mod unmarking;
mod verdict;
mod watch;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use portcullis_core::{Decision, Outcome};
use portcullis_dialect::Cut;
use tokio::time::Sleep;

use self::engine::{Engine, Instructions, Stop};
use super::deliver::{Behind, WITHHELD, remember};
use super::settle::{Account, End};
use crate::approvals::{kept, renamed};
use crate::calls::Awaited;
use crate::metrics::Held;
use crate::record::Record;
use crate::{Gateway, Refusal};

/// What keeps what is asked: the ids that were told, each with the one to tell instead.
type Asking = Pin<Box<dyn Future<Output = Vec<(String, String)>> + Send>>;

/// How often something is said while a person is waited for.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What is waited for, and when the client is to hear that it is.
struct Waiting {
    awaited: Awaited,
    next: Pin<Box<Sleep>>,
}

/// The body of a streamed reply.
pub(crate) struct Guarded {
    gateway: Arc<Gateway>,
    upstream: Option<Incoming>,
    engine: Engine,
    account: Account,
    record: Record,
    ready: VecDeque<Bytes>,
    /// What persons are asked is being kept: nothing that tells of it leaves before.
    asking: Option<Asking>,
    /// A person is waited for.
    awaited: Option<Waiting>,
    /// Ids of what was asked before, in the place of new ones.
    asked: Vec<(String, String)>,
    /// Fires when the upstream has been silent for too long.
    idle: Pin<Box<Sleep>>,
    heard: Instant,
    /// When it has taken as long as a reply may.
    until: Option<Instant>,
    ended: bool,
    end: End,
    active: Option<Held>,
}

impl Guarded {
    pub fn new(gateway: Arc<Gateway>, behind: Behind, upstream: Incoming, record: Record) -> Guarded {
        let Behind {
            exchange,
            guard,
            principal,
            masks,
            marks,
            confided,
            inserted,
            prompt,
            retrieves,
            terms,
            calls,
            asked_usage,
            account,
            upstream: name,
        } = behind;
        let engine = Engine::new(
            Arc::clone(&gateway),
            exchange,
            guard,
            (masks, marks),
            Instructions {
                confided,
                inserted,
                prompt,
                repeats: retrieves,
                terms,
                calls,
                asked_usage,
            },
            (principal, name),
        );
        let idle = Box::pin(tokio::time::sleep(gateway.timeouts.idle));
        let until = Instant::now().checked_add(gateway.timeouts.total);
        Guarded {
            gateway,
            upstream: Some(upstream),
            engine,
            account,
            record,
            ready: VecDeque::new(),
            asking: None,
            awaited: None,
            asked: Vec::new(),
            idle,
            heard: Instant::now(),
            until,
            ended: false,
            end: End::Cut,
            active: None,
        }
    }

    /// What was decided so far: about the request.
    pub fn decision(&self) -> Decision {
        self.record.audit.decision
    }

    /// Counts the stream as under way while it is open.
    pub fn hold(&mut self, active: Held) {
        self.active = Some(active);
    }

    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        loop {
            ready!(self.poll_asking(cx));
            ready!(self.poll_awaited(cx));
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(renamed(bytes, &self.asked)))));
            }
            let Some(upstream) = &mut self.upstream else {
                self.end();
                return Poll::Ready(None);
            };
            let Poll::Ready(next) = Pin::new(upstream).poll_frame(cx) else {
                ready!(self.poll_idle(cx));
                self.stop(&Stop::Silent);
                continue;
            };
            self.heard = Instant::now();
            if self.until.is_some_and(|until| self.heard >= until) {
                // It may go on for ever, a word at a time.
                self.stop(&Stop::Silent);
                continue;
            }
            match next {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if let Err(stop) = self.engine.push(&data, &mut self.record, &mut self.ready) {
                        self.stop(&stop);
                    }
                    self.remember();
                }
                Some(Err(_)) => self.stop(&Stop::Broken),
                None => {
                    self.upstream = None;
                    match self.engine.finish(&mut self.record, &mut self.ready) {
                        Ok(()) => self.is_whole(),
                        Err(stop) => self.stop(&stop),
                    }
                }
            }
        }
    }

    /// Ready when all that persons are asked is kept.
    fn poll_asking(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let asked = self.engine.take_asked();
        if !asked.is_empty() {
            let services = Arc::clone(&self.gateway.services);
            self.asking = Some(Box::pin(kept(services, asked)));
        }
        if let Some(asking) = &mut self.asking {
            let known = ready!(asking.as_mut().poll(cx));
            self.asking = None;
            self.asked.extend(known);
        }
        Poll::Ready(())
    }

    /// Ready when nobody is waited for, or when there is something to be sent meanwhile: comments, so that the connection is not taken
    /// for dead.
    fn poll_awaited(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.awaited.is_none() && self.ready.is_empty() {
            self.awaited = self.engine.await_persons().map(|awaited| Waiting {
                awaited,
                next: Box::pin(tokio::time::sleep(Duration::ZERO)),
            });
        }
        let Some(waiting) = self.awaited.as_mut().filter(|_| self.ready.is_empty()) else {
            return Poll::Ready(());
        };
        if let Poll::Ready(answers) = waiting.awaited.as_mut().poll(cx) {
            self.awaited = None;
            self.heard = Instant::now();
            match self.engine.resume(answers, &mut self.record, &mut self.ready) {
                Ok(()) if self.upstream.is_none() => self.is_whole(),
                Ok(()) => {}
                Err(stop) => self.stop(&stop),
            }
            return Poll::Ready(());
        }
        ready!(waiting.next.as_mut().poll(cx));
        let next = tokio::time::Instant::now().checked_add(KEEP_ALIVE);
        waiting
            .next
            .as_mut()
            .reset(next.unwrap_or_else(tokio::time::Instant::now));
        self.ready
            .push_back(Bytes::from_static(b": a person is asked\n\n"));
        Poll::Ready(())
    }

    /// All has come, and nothing is waited for.
    fn is_whole(&mut self) {
        if !self.engine.waits() {
            self.end = End::Whole;
            self.record.end(Outcome::Completed, 200);
        }
    }

    /// Ready when the upstream has been silent for the whole of the idle time.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.gateway.timeouts.idle;
        while self.idle.as_mut().poll(cx).is_ready() {
            let silent = self.heard.elapsed();
            if silent >= limit {
                return Poll::Ready(());
            }
            // The timer is not moved at every event; it looks back when it fires.
            let until = tokio::time::Instant::now().checked_add(limit.saturating_sub(silent));
            self.idle
                .as_mut()
                .reset(until.unwrap_or_else(tokio::time::Instant::now));
        }
        Poll::Pending
    }

    /// Ends the stream before its end. What was held back is never sent.
    fn stop(&mut self, stop: &Stop) {
        self.upstream = None;
        let request_id = self.record.audit.request_id.to_string();
        let cut = Cut {
            request_id: &request_id,
            text: WITHHELD,
        };
        let refusal = match stop {
            Stop::Length => {
                self.record.end(Outcome::Completed, 200);
                let last = self.engine.stopped(&cut);
                self.ready.push_back(Bytes::from(last));
                return;
            }
            Stop::Content | Stop::Overgrown => Refusal::Content,
            Stop::Unreadable => Refusal::Unreadable,
            Stop::Broken => Refusal::Upstream("its stream broke off"),
            Stop::Silent => Refusal::UpstreamTimeout,
        };
        self.record.refused(&refusal);
        // The head went out long ago, with a 200: the last events say what happened, in the dialect's own words.
        self.record.audit.status = 200;
        let last = if refusal.is_upstream() {
            self.engine.broken(&refusal, &request_id)
        } else {
            self.engine.cut(&cut)
        };
        self.ready.push_back(Bytes::from(last));
    }

    fn remember(&mut self) {
        for state in self.engine.take_stored() {
            let sealed = self.engine.keep(&state);
            let (gateway, (principal, upstream)) = (Arc::clone(&self.gateway), self.engine.maker());
            let model = self.record.audit.model.clone();
            tokio::spawn(async move {
                // A failure is logged there; what is not remembered cannot be named later.
                let _ = remember(
                    &gateway,
                    &principal.key,
                    &upstream,
                    model.as_deref(),
                    state,
                    sealed,
                )
                .await;
            });
        }
    }

    fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.record.left("inspect_output");
            self.account.settle(&mut self.record, self.end);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // A client that goes away has used what it used.
        self.end();
    }
}
