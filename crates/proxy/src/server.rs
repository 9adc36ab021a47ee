//! The listener: connections in, one task each, until it is told to drain.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::door::{Door, Peer};
use crate::mcp::mcp;
use crate::pipeline::{Received, Reply, ReplyBody, deliver, dialect_of, guard, message, walk};
use crate::record::Record;
use crate::resource::WELL_KNOWN;
use crate::{Gateway, Refusal};
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use portcullis_dialect::Api;
use portcullis_store::Reach;
use tokio::sync::Notify;

/// The running data plane: the configuration in force and whether it takes new requests.
pub struct Server {
    gateway: ArcSwap<Gateway>,
    draining: AtomicBool,
}

impl Server {
    /// A server with a first configuration.
    #[must_use]
    pub fn new(gateway: Gateway) -> Arc<Server> {
        Arc::new(Server {
            gateway: ArcSwap::from_pointee(gateway),
            draining: AtomicBool::new(false),
        })
    }

    /// Puts another configuration in force. Requests under way end under the one they began with.
    pub fn swap(&self, gateway: Gateway) {
        self.gateway.store(Arc::new(gateway));
    }

    /// The counters of the data plane, as Prometheus reads them.
    #[must_use]
    pub fn metrics(&self) -> String {
        let gateway = self.gateway.load();
        let limits = gateway.services.meters.reach();
        gateway
            .services
            .metrics
            .text(gateway.inspector.cache_stats(), gateway.classified(), limits)
    }

    /// Fetches the keys of identity providers, for as long as the future is polled.
    pub async fn keep_keys(&self) {
        loop {
            let gateway = self.gateway();
            gateway.issuers.keep(&gateway.services.client).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// The configuration in force.
    #[must_use]
    pub fn gateway(&self) -> Arc<Gateway> {
        self.gateway.load_full()
    }
}

/// Serves connections that come through `door` until `stop` is ready; then takes no new ones, tells clients to close, and waits up to
/// `grace` for requests under way, open streams included.
///
/// # Errors
/// None of a connection's errors end it; accepting is tried again after a short pause where the process is out of handles.
pub async fn serve(
    door: impl Into<Door>,
    server: Arc<Server>,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30))
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(32 * 1024);
    let connections = GracefulShutdown::new();
    let mut door = door.into();
    let mut stop = std::pin::pin!(stop);
    loop {
        let entered = tokio::select! {
            entered = door.accept() => entered,
            () = &mut stop => break,
        };
        let server_ = Arc::clone(&server);
        let closing = Arc::new(Notify::new());
        let closing_ = Arc::clone(&closing);
        let service = service_fn(move |request| {
            let (peer, closing) = (entered.peer.clone(), Arc::clone(&closing_));
            answer(Arc::clone(&server_), peer, request, closing)
        });
        let connection = builder
            .serve_connection(TokioIo::new(entered.stream), service)
            .into_owned();
        let connection = connections.watch(connection);
        let held = server.gateway.load().services.metrics.connection();
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                },
                () = closing.notified() => tracing::debug!("connection closed: its client takes nothing"),
            }
            drop(held);
        });
    }
    server.draining.store(true, Ordering::Relaxed);
    // Streams that wait for what a server of tools may tell would wait for as long as they are let.
    server.gateway().services.mcp.close();
    drop(door);
    if tokio::time::timeout(grace, connections.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the grace period ended");
    }
}

async fn answer(
    server: Arc<Server>,
    peer: Peer,
    request: Request<Incoming>,
    closing: Arc<Notify>,
) -> Result<Reply, Infallible> {
    if request.method() == Method::GET {
        match request.uri().path() {
            "/healthz" => return Ok(plain(StatusCode::OK, "ok\n")),
            "/readyz" => return Ok(readiness(&server)),
            path if path.starts_with(WELL_KNOWN) => {
                let gateway = server.gateway.load();
                if let Some(about) = gateway
                    .resource
                    .as_ref()
                    .and_then(|resource| resource.describe(path))
                {
                    return Ok(crate::pipeline::json(StatusCode::OK, Bytes::from(about)));
                }
            }
            _ => {}
        }
    }
    Ok(exchange(&server, peer, request, closing).await)
}

fn readiness(server: &Server) -> Reply {
    let gateway = server.gateway.load();
    let services = &gateway.services;
    let ready = |text| plain(StatusCode::OK, text);
    let not = |text| plain(StatusCode::SERVICE_UNAVAILABLE, text);
    if server.draining.load(Ordering::Relaxed) {
        return not("draining\n");
    }
    if !services.audit.healthy() {
        return not("the audit log cannot be written\n");
    }
    match (services.meters.reach(), services.meters.falls_back()) {
        (None | Some(Reach::Open), _) => ready("ready\n"),
        (Some(Reach::Gathering), _) => ready("ready, but what was spent is being put together\n"),
        (Some(Reach::Out), true) => ready("ready, but shared limits are out of reach\n"),
        (Some(Reach::Out), false) => not("shared limits are out of reach\n"),
    }
}

/// One request to a model endpoint, with exactly one record.
async fn exchange(server: &Server, peer: Peer, request: Request<Incoming>, closing: Arc<Notify>) -> Reply {
    let gateway = server.gateway();
    let version = request.version();
    let active = gateway.services.metrics.active();
    let (head, body) = request.into_parts();
    let dialect = dialect_of(&head);
    let path = head.uri.path().to_owned();
    let mut record = match Record::open(&gateway) {
        Ok(record) => Some(record),
        Err(refusal) => return refuse(&gateway, &refusal, dialect, (&path, "none")),
    };
    let request_id = record
        .as_ref()
        .map_or(String::new(), |record| record.audit.request_id.to_string());
    let walked = AssertUnwindSafe(run(&gateway, peer, head, body, &mut record))
        .catch_unwind()
        .await;
    let mut reply = match walked {
        Ok(Ok(reply)) => reply,
        Ok(Err(refusal)) => {
            if let Some(record) = &mut record {
                record.refused(&refusal);
            }
            refuse(&gateway, &refusal, dialect, (&path, &request_id))
        }
        Err(_) => {
            // The record keeps its first outcome, `panicked`.
            if let Some(record) = &mut record {
                record.panicked();
            }
            refuse(
                &gateway,
                &Refusal::Unavailable("an internal error ended the request"),
                dialect,
                (&path, &request_id),
            )
        }
    };
    let decision = match (&record, reply.body()) {
        (Some(record), _) => record.audit.decision,
        (None, ReplyBody::Attended(stream)) => stream.decision().unwrap_or(portcullis_core::Decision::Block),
        (None, ReplyBody::Whole(_)) => portcullis_core::Decision::Block,
    };
    let headers = reply.headers_mut();
    if let Ok(value) = HeaderValue::try_from(request_id) {
        // The official clients take the id of a request from a header of their provider's: they find ours there.
        let known = match dialect.api() {
            Api::OpenAi => Some("x-request-id"),
            Api::Anthropic => Some("request-id"),
            Api::Gemini => None,
        };
        if let Some(name) = known {
            headers.insert(name, value.clone());
        }
        headers.insert("x-portcullis-request-id", value);
    }
    headers.insert("x-portcullis-decision", HeaderValue::from_static(decision.name()));
    reply.body_mut().attend(gateway.timeouts.client);
    if let ReplyBody::Attended(attended) = reply.body_mut() {
        attended.hold(active);
        // Over HTTP/2 there may be other replies on the connection, and what it holds of this one is bounded.
        if version < Version::HTTP_2 {
            attended.closes(closing);
        }
    }
    reply
}

async fn run(
    gateway: &Arc<Gateway>,
    peer: Peer,
    head: http::request::Parts,
    body: Incoming,
    record: &mut Option<Record>,
) -> Result<Reply, Refusal> {
    let Some(open) = record.as_mut() else {
        return Err(Refusal::Unavailable("there is no record"));
    };
    let received = Received::new(peer, head, body, open)?;
    if received.is_guard() {
        return guard(gateway, received, open).await;
    }
    if received.is_message() {
        let message = message(gateway, received, open).await?;
        return mcp(gateway, message, record).await;
    }
    let total = gateway.timeouts.total;
    let forwarded = walk(gateway, received, open).await?;
    match tokio::time::timeout(total, deliver(gateway, forwarded, record)).await {
        Ok(reply) => reply,
        Err(_) => Err(Refusal::UpstreamTimeout),
    }
}

fn refuse(
    gateway: &Gateway,
    refusal: &Refusal,
    dialect: &dyn portcullis_dialect::Dialect,
    (path, request_id): (&str, &str),
) -> Reply {
    let (status, _) = refusal.wire();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = crate::pipeline::json(status, Bytes::from(refusal.body(dialect, request_id)));
    if let Some(seconds) = refusal.retry_after() {
        reply
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        let known = gateway.resource.as_ref().map(|resource| resource.challenge(path));
        let challenge = known.unwrap_or(HeaderValue::from_static("Bearer realm=\"portcullis\""));
        reply.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    reply
}

fn plain(status: StatusCode, text: &'static str) -> Reply {
    let mut reply = Response::new(ReplyBody::Whole(Some(Bytes::from_static(text.as_bytes()))));
    *reply.status_mut() = status;
    reply.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    reply
}
