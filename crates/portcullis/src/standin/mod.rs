//! The stand-in model: a small HTTP server that plays the upstream in `portcullis demo` and in tests.
//!
//! It speaks the providers' wire formats as their API references define them, answers deterministically, does what a
//! prompt says, and remembers what it was sent, so that a test can assert what never reached it. It is no part of the
//! data plane, guards nothing, and is not meant to be reached from a network.
#![allow(
    clippy::indexing_slicing,
    reason = "only JSON values are indexed here: reading what is absent gives null, writing adds it"
)]

mod anthropic;
mod chat;
mod completions;
mod error;
mod gemini;
mod lists;
mod mind;
mod responses;
mod route;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::Value;
use tokio::net::TcpListener;

use mind::{Answer, Prompt};

/// How many requests and responses are remembered; older ones are forgotten, so that a long demo does not grow.
const REMEMBERED: usize = 1024;

/// The model and what it remembers. Clones share one memory.
#[derive(Clone, Default)]
pub struct Standin {
    key: Option<Arc<str>>,
    pace: Duration,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    serial: AtomicU64,
    received: Mutex<VecDeque<Received>>,
    responses: Mutex<VecDeque<Kept>>,
}

/// A response that is kept, and the input it answers.
#[derive(Clone)]
struct Kept {
    response: Value,
    input: Value,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Standin {
    /// A model that answers whoever asks, at once.
    #[must_use]
    pub fn new() -> Standin {
        Standin::default()
    }

    /// Only requests that carry this credential, as each provider wants it, are answered; others get its 401.
    #[must_use]
    pub fn expecting_key(self, key: &str) -> Standin {
        Standin {
            key: Some(Arc::from(key)),
            ..self
        }
    }

    /// Waits this long before each event of a stream.
    #[must_use]
    pub fn with_pace(self, pace: Duration) -> Standin {
        Standin { pace, ..self }
    }

    /// The latest requests, oldest first, answered or not.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        locked(&self.shared.received).iter().cloned().collect()
    }

    fn remember(&self, received: Received) {
        push(&self.shared.received, received);
    }

    /// Keeps a response and what was asked for it, as the Responses API does.
    fn store(&self, response: &Value, input: &Value) {
        push(
            &self.shared.responses,
            Kept {
                response: response.clone(),
                input: input.clone(),
            },
        );
    }

    /// The response that was kept under that id.
    fn stored(&self, id: &str) -> Option<Kept> {
        locked(&self.shared.responses)
            .iter()
            .find(|kept| kept.response["id"] == id)
            .cloned()
    }

    /// Forgets a response; whether there was one.
    fn forget(&self, id: &str) -> bool {
        let mut kept = locked(&self.shared.responses);
        let before = kept.len();
        kept.retain(|kept| kept.response["id"] != id);
        kept.len() < before
    }

    /// The number of this reply, from which its ids are made.
    fn next_serial(&self) -> u64 {
        self.shared
            .serial
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1)
    }
}

/// Adds to a memory that forgets its oldest.
fn push<T>(memory: &Mutex<VecDeque<T>>, item: T) {
    let mut memory = locked(memory);
    if memory.len() >= REMEMBERED {
        memory.pop_front();
    }
    memory.push_back(item);
}

/// A poisoned lock holds a list that is whole all the same: each change is one push or insert.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request to the model and its answer, which a dialect writes.
struct Turn<'a> {
    request: &'a Value,
    model: &'a str,
    prompt: Prompt,
    answer: Answer,
    serial: u64,
}

/// What goes back, before it is HTTP.
enum Reply {
    Json(u16, Value),
    /// Frames of a stream, its content type, and whether it breaks off half-way.
    Stream {
        frames: Vec<String>,
        media: &'static str,
        broken: bool,
    },
}

/// Serves on `listener` until `shutdown` is done; replies under way are then dropped.
///
/// # Errors
/// Only if the listener itself fails.
pub async fn serve(
    listener: TcpListener,
    model: Standin,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut connections = tokio::task::JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let (socket, _) = accepted?;
                // Small events must not wait for each other.
                socket.set_nodelay(true).ok();
                let model = model.clone();
                connections.spawn(async move {
                    let service = hyper::service::service_fn(move |request| answer(model.clone(), request));
                    // A client that goes away in the middle is nothing to report.
                    auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await.ok();
                });
            }
        }
    }
}

type Body = BoxBody<Bytes, io::Error>;

async fn answer(model: Standin, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Ok(Response::new(whole(Bytes::new())));
    };
    let path = head
        .uri
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    let received = Received {
        method: head.method,
        path,
        headers: head.headers,
        body: body.to_bytes(),
    };
    let serial = model.next_serial();
    let reply = route::reply(&model, &received, serial);
    model.remember(received);
    let (status, media, body) = match reply {
        Reply::Json(status, value) => (status, "application/json", whole(Bytes::from(value.to_string()))),
        Reply::Stream {
            frames,
            media,
            broken,
        } => (200, media, paced(frames, broken, model.pace)),
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", media)
        .header("x-request-id", format!("req_standin_{serial}"))
        .header("request-id", format!("req_standin_{serial}"))
        .body(body);
    Ok(response.unwrap_or_else(|_| Response::new(whole(Bytes::new()))))
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// One HTTP chunk a frame, each after its pause.
fn paced(frames: Vec<String>, broken: bool, pace: Duration) -> Body {
    let kept = if broken { frames.len() / 2 } else { frames.len() };
    let frames = frames
        .into_iter()
        .take(kept)
        .map(|frame| Ok(Frame::data(Bytes::from(frame))));
    let end = broken.then(|| Err(io::Error::other("broken off as the prompt asked")));
    let frames = futures_util::stream::iter(frames.chain(end)).then(move |frame| async move {
        // Even at no pace each frame is written before the next is made, and before a break: as from a real model.
        match pace.is_zero() {
            true => tokio::task::yield_now().await,
            false => tokio::time::sleep(pace).await,
        }
        frame
    });
    BodyExt::boxed(StreamBody::new(frames))
}
