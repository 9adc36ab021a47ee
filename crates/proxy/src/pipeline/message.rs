//! A message to a server of tools: by the same rooms as any request, up to the decision. What comes after is the protocol's affair
//! ([`crate::mcp`]).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use portcullis_core::{Decision, Direction, Located};
use portcullis_dialect::{Document, Method, Reading};
use portcullis_policy::{Denial, Facts, Verdict, decide};

use super::authorize::patience;
use super::inspect_input::scan_input;
use super::parse::Asked;
use super::permit::{circumstances, permit_endpoint};
use super::{Received, admit, authenticate, label, parse};
use crate::calling::Calling;
use crate::gateway::Guard;
use crate::mcp::McpServer;
use crate::record::Record;
use crate::{Gateway, Refusal};

/// A message that was read, from somebody who may send it.
pub(crate) struct Message {
    pub asked: Asked,
    pub server: Arc<McpServer>,
    /// The rules that texts from and to the server are read by.
    pub guard: Arc<Guard>,
    /// The headers that the protocol knows.
    pub headers: HeaderMap,
    /// The bytes that were read; nothing where a stream is opened or a session closed.
    pub document: Option<Document>,
    /// Whom the operator's policies are asked about.
    pub calling: Arc<Calling>,
    /// How long the client wants a person to be waited for.
    pub patience: Duration,
    /// Why it may not go on, where it is the message itself that is to be answered.
    pub refusal: Option<Refusal>,
}

impl Message {
    /// What was read.
    pub fn bytes(&self) -> Bytes {
        self.document
            .as_ref()
            .map_or_else(Bytes::new, |document| document.bytes().clone())
    }
}

/// Headers of the protocol, besides those that begin with `mcp-`.
const KNOWN: [&str; 3] = ["accept", "content-type", "last-event-id"];

pub(crate) async fn message(
    gw: &Gateway,
    request: Received,
    record: &mut Record,
) -> Result<Message, Refusal> {
    let known = |name: &str| KNOWN.contains(&name) || name.starts_with("mcp-");
    let headers = request
        .head
        .headers
        .iter()
        .filter(|(name, _)| known(name.as_str()));
    let headers: HeaderMap = headers
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let name = request.parameters.first().cloned().unwrap_or_default();
    let is_post = request.exchange.method() == Method::Post;
    let request = authenticate::authenticate(gw, request, record).await?;
    let request = admit::admit(gw, request, record).await?;
    let request = parse::parse(gw, request, record).await?;
    let request = label::label(request, record)?;
    let (asked, reading) = request.into_parts();
    // One that is not there and one that is somebody else's are the same: none.
    let server = gw
        .mcp
        .get(name.as_str())
        .filter(|server| server.is_for(&asked.principal));
    let server = server.cloned().ok_or(Refusal::UnknownEndpoint)?;
    permit_endpoint(gw, &asked, reading.document(), record)?;
    let guard = gw.guard_at(&server, &asked.standing)?;
    record.audit.profile = Some(guard.profile.name.to_string());
    let scanned = scan_input(gw, &guard, &reading, record);
    let findings = scanned.classified(gw, &guard, &reading).await;
    let verdict = judged(&guard, &reading, &findings, record);
    record.left("inspect_input");
    let patience = patience(gw, &asked, reading.document())?;
    let calling = Calling::new(gw.access.as_ref(), &asked.standing, circumstances(&asked, None));
    let refusal = refused(&verdict);
    if refusal.is_some() {
        record.audit.decision = Decision::Block;
    }
    Ok(Message {
        server,
        guard,
        headers,
        refusal,
        patience,
        calling: Arc::new(calling),
        document: is_post.then(|| reading.document().clone()),
        asked,
    })
}

/// What is decided about what goes to a server of tools or comes from one.
pub(crate) fn judged(guard: &Guard, reading: &Reading, findings: &[Located], record: &mut Record) -> Verdict {
    let direction = Direction::Input;
    let verdict = decide(
        &guard.profile,
        &Facts {
            direction,
            principal_models: &[],
            model: None,
            system_prompt_from_client: false,
            findings,
            uninspectable: reading.uninspectable(),
        },
    );
    record.judged(direction, reading, findings, &verdict);
    verdict
}

/// Why a message may not go on as it is. Nothing in it can be replaced: a call with other arguments is another call.
fn refused(verdict: &Verdict) -> Option<Refusal> {
    match verdict.refusal {
        Some(Denial::Uninspectable) => Some(Refusal::Uninspectable),
        Some(_) => Some(Refusal::Content),
        None => {
            let changes = verdict.rulings.iter().any(|ruling| ruling.action.changes_text());
            changes.then_some(Refusal::Content)
        }
    }
}
