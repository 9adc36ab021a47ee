//! The door to the protocol: a message that was read is handed to the SDK's server with whoever sent it. A session belongs to the key that
//! began it, and to the server that it was begun with; to anybody else it does not exist.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::header::HOST;
use ::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use portcullis_core::{Decision, KeyId, Outcome};
use portcullis_dialect::{Document, quoted};
use rmcp::ErrorData;
use rmcp::transport::streamable_http_server::session::SessionManager as _;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;

use super::link::Link;
use super::served::{Caller, Served};
use super::{Mcp, McpServer, Owner, Sessions, lock};
use crate::metrics::Held;
use crate::pipeline::{Attended, Message, Reply, ReplyBody, json as whole};
use crate::places::Places;
use crate::record::Record;
use crate::{Gateway, Refusal};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// How long a client that keeps no session may ask nothing before its connection to the server is closed.
const IDLE: Duration = Duration::from_secs(600);

/// An answer of the protocol, as it comes.
pub(crate) struct Answered {
    body: BoxBody<Bytes, Infallible>,
    decision: Decision,
    /// What is held while an answer is under way; a stream that waits for what may come holds nothing.
    held: Option<(Places, Option<Held>)>,
}

impl Answered {
    pub fn decision(&self) -> Decision {
        self.decision
    }

    /// Counts the answer as under way while it comes.
    pub fn hold(&mut self, active: Held) {
        if let Some((_, held)) = &mut self.held {
            *held = Some(active);
        }
    }

    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        polled.map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
    }
}

/// Answers a message to a server of tools.
pub(crate) async fn mcp(
    gw: &Arc<Gateway>,
    message: Message,
    record: &mut Option<Record>,
) -> Result<Reply, Refusal> {
    if let (Some(refusal), Some(document)) = (&message.refusal, &message.document) {
        return told(refusal, document, record);
    }
    let sessions = &gw.services.mcp;
    let key = &message.asked.principal.key;
    let named = message
        .headers
        .get(SESSION)
        .map(|id| id.to_str().unwrap_or_default().to_owned());
    match &named {
        Some(id) => sessions.check(id, key, &message.server)?,
        None if message.begins() => sessions.room(&message.server).await?,
        None => {}
    }
    // INVARIANT: the record is taken here and nowhere before.
    let taken = record.take().ok_or(Refusal::Unavailable("there is no record"))?;
    let decision = taken.audit.decision;
    let taken = Arc::new(Mutex::new(taken));
    let caller = Caller {
        gateway: Arc::clone(gw),
        server: Arc::clone(&message.server),
        standing: Arc::clone(&message.asked.standing),
        guard: Arc::clone(&message.guard),
        record: Arc::clone(&taken),
        calling: Arc::clone(&message.calling),
        patience: message.patience.max(message.server.wait),
        approval: message.asked.approval.clone(),
    };
    let method = match message.asked.exchange.method() {
        portcullis_dialect::Method::Get => Method::GET,
        portcullis_dialect::Method::Post => Method::POST,
        portcullis_dialect::Method::Delete => Method::DELETE,
    };
    let response = sessions
        .service(gw)
        .handle(request(&method, &message, caller))
        .await;
    let status = response.status();
    let made = response.headers().get(SESSION).and_then(|id| id.to_str().ok());
    match (&named, made) {
        (None, Some(id)) if status.is_success() => sessions.own(id, key, &message.server),
        (Some(id), _) if status == StatusCode::NOT_FOUND || method == Method::DELETE => sessions.disown(id),
        _ => {}
    }
    {
        let mut record = lock(&taken);
        let outcome = if status.is_client_error() || status.is_server_error() {
            Outcome::Refused
        } else {
            Outcome::Completed
        };
        record.end(outcome, status.as_u16());
        record.left("mcp");
    }
    let holds = method == Method::POST;
    let (mut head, body) = response.into_parts();
    if method == Method::DELETE && status == StatusCode::ACCEPTED {
        // The session is over when this is told: some clients take anything else for a failure.
        head.status = StatusCode::NO_CONTENT;
    }
    let answered = Answered {
        body,
        decision,
        held: holds.then_some((message.asked.places, None)),
    };
    Ok(Response::from_parts(
        head,
        ReplyBody::Attended(Attended::answered(answered, gw.timeouts.client)),
    ))
}

/// A request that may not go on, answered as the protocol answers: a call of a tool by a result that a model reads.
fn told(refusal: &Refusal, document: &Document, record: &mut Option<Record>) -> Result<Reply, Refusal> {
    let (_, code) = refusal.wire();
    let id = document.at(&["id"]).map(|id| document.wire(id));
    let Some((id, record)) = id.zip(record.as_mut()) else {
        return Err(match refusal {
            Refusal::Uninspectable => Refusal::Uninspectable,
            _ => Refusal::Content,
        });
    };
    record.refused(refusal);
    let is_call = document.str_at(&["method"]) == Some("tools/call");
    let body = match is_call {
        true => {
            json!({"content": [{"type": "text", "text": format!("[refused] {refusal}")}], "isError": true})
        }
        false => json!({"code": -32001, "message": refusal.to_string(), "data": {"code": code.as_str()}}),
    };
    let kind = if is_call { "result" } else { "error" };
    let body = format!(r#"{{"jsonrpc":{},"id":{id},"{kind}":{body}}}"#, quoted("2.0"));
    Ok(whole(StatusCode::OK, Bytes::from(body)))
}

fn request(method: &Method, message: &Message, caller: Caller) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(message.bytes()));
    *request.method_mut() = method.clone();
    *request.headers_mut() = message.headers.clone();
    // The SDK wants one; which it is was the listener's affair.
    request
        .headers_mut()
        .insert(HOST, HeaderValue::from_static("localhost"));
    request.extensions_mut().insert(caller);
    request
}

impl Message {
    /// Whether it begins a session.
    fn begins(&self) -> bool {
        let method = self
            .document
            .as_ref()
            .and_then(|document| document.str_at(&["method"]));
        method == Some("initialize")
    }
}

impl Mcp {
    fn service(&self, gw: &Gateway) -> StreamableHttpService<Served, Sessions> {
        // Whoever comes here has shown a key: a page in a browser, which a false host would lead here, has none.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .with_max_request_body_bytes(gw.max_body)
            .with_cancellation_token(self.closing.clone());
        StreamableHttpService::new(|| Ok(Served::default()), Arc::clone(&self.sessions), config)
    }

    /// Ends all sessions and streams.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Whether a session is this key's, with this server as it is configured now.
    fn check(&self, id: &str, key: &KeyId, server: &McpServer) -> Result<(), Refusal> {
        let owners = lock(&self.owners);
        let own = owners
            .get(id)
            .is_some_and(|owner| owner.key == *key && owner.server == server.name && owner.sum == server.sum);
        if own { Ok(()) } else { Err(Refusal::NoSession) }
    }

    fn own(&self, id: &str, key: &KeyId, server: &McpServer) {
        let owner = Owner {
            key: key.clone(),
            server: Arc::clone(&server.name),
            sum: server.sum,
        };
        lock(&self.owners).insert(id.to_owned(), owner);
    }

    fn disown(&self, id: &str) {
        lock(&self.owners).remove(id);
    }

    /// Whether one more session with a server may begin.
    async fn room(&self, server: &McpServer) -> Result<(), Refusal> {
        let of = |server: &McpServer| -> Vec<String> {
            let owners = lock(&self.owners);
            let of = owners.iter().filter(|(_, owner)| owner.server == server.name);
            of.map(|(id, _)| id.clone()).collect()
        };
        if of(server).len() < server.sessions {
            return Ok(());
        }
        // Sessions end by themselves when nobody asks anything for a while.
        for id in of(server) {
            if !self
                .sessions
                .has_session(&id.as_str().into())
                .await
                .unwrap_or(false)
            {
                self.disown(&id);
            }
        }
        if of(server).len() < server.sessions {
            Ok(())
        } else {
            Err(Refusal::TooManyConcurrent)
        }
    }
}

/// The connection of a client that keeps no session.
pub(super) async fn shared(caller: &Caller) -> Result<Arc<Link>, ErrorData> {
    let gateway = &caller.gateway;
    let all = &gateway.services.mcp;
    let place = (
        caller.standing.principal.key.clone(),
        Arc::clone(&caller.server.name),
    );
    let known = lock(&all.shared).get(&place).cloned();
    if let Some(link) = known
        && link.is_open()
        && link.server.sum == caller.server.sum
    {
        return Ok(link);
    }
    let open = lock(&all.shared)
        .keys()
        .filter(|(_, server)| *server == place.1)
        .count();
    if open >= caller.server.sessions {
        return Err(super::link::refused(&Refusal::TooManyConcurrent));
    }
    let link = Arc::new(Link::open(caller, None).await?);
    lock(&all.shared).insert(place.clone(), Arc::clone(&link));
    let (services, watched) = (Arc::downgrade(&gateway.services), Arc::downgrade(&link));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(IDLE / 10).await;
            let (Some(services), Some(link)) = (services.upgrade(), watched.upgrade()) else {
                return;
            };
            if link.idle() > IDLE || !link.is_open() {
                let mut all = lock(&services.mcp.shared);
                if all.get(&place).is_some_and(|known| Arc::ptr_eq(known, &link)) {
                    all.remove(&place);
                }
                return;
            }
        }
    });
    Ok(link)
}
