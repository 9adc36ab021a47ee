//! The reply on its way back: inspected, patched or withheld, accounted, recorded.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use portcullis_core::{Direction, KeyId, Located, Outcome, PartId, Price, Principal};
use portcullis_dialect::{Body as Which, Cut, Document, Edit, Exchange, Reading, StateRef, apply};
use portcullis_policy::{Facts, decide};
use portcullis_store::Admission;

use super::forward::{Answer, Forwarded};
use super::inserted::Inserted;
use super::inspect_input::scan;
use super::leak::Confided;
use super::limits;
use super::stream::Guarded;
use super::unmark::unmarked;
use crate::body::BodyError;
use crate::enforce;
use crate::gateway::Guard;
use crate::kept::Recalled;
use crate::marks::Marks;
use crate::masks::Masks;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal, body};

/// A buffered reply larger than this is not read.
const MAX_REPLY: usize = 64 * 1024 * 1024;

/// What a client is told in the place of a reply that is withheld.
pub(crate) const WITHHELD: &str = "The reply was withheld by the content policy.";

/// The body of any answer of the data plane.
pub(crate) enum ReplyBody {
    /// In one piece.
    Whole(Option<Bytes>),
    /// A stream under guard.
    Stream(Box<Guarded>),
}

/// Any answer of the data plane.
pub(crate) type Reply = Response<ReplyBody>;

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        match &mut *self {
            ReplyBody::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            ReplyBody::Stream(stream) => stream.poll_next(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, ReplyBody::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            ReplyBody::Stream(_) => SizeHint::default(),
        }
    }
}

/// Money and tokens of one request.
pub(crate) struct Account {
    pub admission: Admission,
    pub price: Option<Price>,
}

impl Account {
    /// Settles what the record says was used. Called once, at the end, however the request ended.
    pub fn settle(&self, record: &mut Record) {
        let Some(usage) = record.audit.usage else { return };
        record.audit.cost = self.price.map(|price| price.of(&usage));
        self.admission
            .settle(&usage, record.audit.cost.unwrap_or_default(), now_ms());
    }
}

/// What the output side needs of the input side.
pub(crate) struct Behind {
    pub exchange: &'static dyn Exchange,
    pub guard: Arc<Guard>,
    pub principal: Arc<Principal>,
    pub masks: Masks,
    pub marks: Vec<Marks>,
    pub confided: Option<Confided>,
    pub inserted: Inserted,
    pub prompt: Arc<str>,
    /// Whether the reply is one that was made earlier.
    pub retrieves: bool,
    pub account: Account,
    pub upstream: String,
}

/// Takes a forwarded exchange to its end (a buffered one), or to the point from which its stream runs by itself.
pub(crate) async fn deliver(
    gw: &Arc<Gateway>,
    forwarded: Forwarded,
    record: &mut Option<Record>,
) -> Result<Reply, Refusal> {
    let Forwarded {
        asked,
        confiding,
        price,
        upstream,
        answer,
    } = forwarded;
    let context = Behind {
        exchange: asked.exchange,
        guard: asked.guard,
        principal: asked.principal,
        masks: confiding.masks,
        marks: confiding.marks,
        confided: confiding.confided,
        inserted: confiding.inserted,
        prompt: confiding.prompt,
        retrieves: asked.call.retrieves,
        account: Account {
            admission: asked.admission,
            price,
        },
        upstream,
    };
    let rate = rate_headers(&context.account.admission);
    let mut reply = match answer {
        Answer::Own(bytes) => buffered(gw, &context, StatusCode::OK, bytes, record).await?,
        Answer::Upstream(response) => {
            let (head, incoming) = response.into_parts();
            let streamed = head.headers.get(CONTENT_TYPE).is_some_and(|kind| {
                kind.as_bytes()
                    .to_ascii_lowercase()
                    .starts_with(b"text/event-stream")
            });
            if head.status.is_success() && streamed {
                stream(gw, context, &head.headers, incoming, record)?
            } else {
                let refused = refused_by_upstream(head.status);
                let bytes = body::read(&head.headers, incoming, MAX_REPLY, gw.timeouts.idle)
                    .await
                    .map_err(unread)?;
                match refused {
                    Some(refusal) => return Err(refusal),
                    None => {
                        let mut reply = buffered(gw, &context, head.status, bytes, record).await?;
                        pass_retry_after(&head.headers, reply.headers_mut());
                        reply
                    }
                }
            }
        }
    };
    reply.headers_mut().extend(rate);
    Ok(reply)
}

/// An upstream's refusal that is the gateway's business and not the client's.
fn refused_by_upstream(status: StatusCode) -> Option<Refusal> {
    match status.as_u16() {
        200..=299 | 400 | 404 | 405 | 409 | 410 | 413 | 415 | 422 | 429 => None,
        401 | 403 | 407 => Some(Refusal::Upstream("it refused the gateway's credential")),
        300..=399 => Some(Refusal::Upstream(
            "it answered with a redirect, which is not followed",
        )),
        504 => Some(Refusal::UpstreamTimeout),
        500.. => Some(Refusal::Upstream("it answered with a server error")),
        _ => Some(Refusal::Upstream("it refused the request")),
    }
}

fn unread(error: BodyError) -> Refusal {
    match error {
        BodyError::Slow => Refusal::UpstreamTimeout,
        BodyError::Broken => Refusal::Upstream("the reply broke off"),
        BodyError::TooLarge | BodyError::Encoding(_) => Refusal::Unreadable,
    }
}

/// Inspects a whole reply and answers with it, with it patched, or with a reply that says it is withheld.
async fn buffered(
    gw: &Gateway,
    behind: &Behind,
    status: StatusCode,
    bytes: Bytes,
    record: &mut Option<Record>,
) -> Result<Reply, Refusal> {
    // INVARIANT: the record is taken only by a stream, which never comes here.
    let Some(record) = record.as_mut() else {
        return Err(Refusal::Unavailable("the record is gone"));
    };
    let exchange = behind.exchange;
    let document = Document::read(bytes).map_err(|_| Refusal::Unreadable)?;
    let reading = Reading::of(document, |place| exchange.label(Which::Reply, place));
    // Before anything else: what the client will read is what is inspected.
    let reading = unmarked(&behind.marks, exchange, reading)?;
    let document = reading.document();
    if let Some(usage) = exchange.usage(document) {
        record.used(usage);
    }
    for state in exchange.stored(document) {
        let what = Recalled {
            values: behind.masks.known().into(),
            inserted: gw.instructs().then(|| behind.inserted.text().into()),
            prompt: Arc::clone(&behind.prompt),
            marks: behind.marks.as_slice().into(),
        };
        gw.services.kept.keep(&behind.principal.key, &state.id, what);
        remember(
            gw,
            &behind.principal.key,
            &behind.upstream,
            record.audit.model.as_deref(),
            state,
        )
        .await?;
    }
    let mut findings = scan(gw, &behind.guard, Direction::Output, &reading, record);
    behind.masks.spare(&reading, &mut findings);
    let repeated = behind
        .retrieves
        .then(|| Confided::repeated(&behind.guard, &reading))
        .flatten();
    let confided = behind.confided.iter().chain(&repeated);
    findings.extend(confided.flat_map(|confided| confided.leaks(&reading)));
    let facts = Facts {
        direction: Direction::Output,
        principal_models: &[],
        model: None,
        system_prompt_from_client: false,
        findings: &findings,
        uninspectable: reading.uninspectable(),
    };
    let verdict = decide(&behind.guard.profile, &facts);
    record.judged(Direction::Output, &reading, &findings, &verdict);
    behind.account.settle(record);
    record.left("inspect_output");
    if verdict.refusal.is_some() {
        if !status.is_success() {
            return Err(Refusal::Upstream("it refused the request"));
        }
        record.audit.code = Some("content_filter".to_owned());
        record.end(Outcome::Refused, 200);
        let cut = Cut {
            request_id: record.audit.request_id.as_str(),
            text: WITHHELD,
        };
        return Ok(json(
            StatusCode::OK,
            Bytes::from(exchange.withheld(document, &cut)),
        ));
    }
    let mut edits = enforce::edits(&reading, &findings, &verdict.rulings, None);
    if !edits.is_empty() {
        let echoes = exchange.echoes(Which::Reply, document);
        edits.extend(echoes.into_iter().map(|node| Edit {
            range: document.range(node),
            text: "null".to_owned(),
        }));
    }
    edits.extend(behind.inserted.unsay(&reading));
    edits.extend(restore(&reading, &findings, &behind.masks, |_| true));
    if status.is_success()
        && let Some(short) = limits::shortened(&behind.guard, exchange, &reading, &edits, record)
    {
        record.end(Outcome::Completed, 200);
        return Ok(json(StatusCode::OK, Bytes::from(short)));
    }
    let outcome = if status.is_success() {
        Outcome::Completed
    } else {
        Outcome::UpstreamFailed
    };
    record.end(outcome, status.as_u16());
    Ok(json(status, apply(document.bytes(), edits)))
}

/// Puts values back for the client that sent them, wherever their placeholders stand in the reply.
pub(super) fn restore(
    reading: &Reading,
    findings: &[Located],
    masks: &Masks,
    within: impl Fn(PartId) -> bool,
) -> Vec<Edit> {
    if masks.is_empty() {
        return Vec::new();
    }
    let mut edits = Vec::new();
    for part in reading.parts().filter(|part| within(part.id)) {
        for found in masks.restorations(part.text) {
            // What a finding covers is gone already.
            let covered = findings
                .iter()
                .any(|other| other.part == part.id && other.finding.span.overlaps(found.span));
            if !covered {
                edits.push(reading.edit(part.id, found.span, &found.text));
            }
        }
    }
    edits
}

/// Remembers who made what is stored at the provider.
pub(super) async fn remember(
    gw: &Gateway,
    owner: &KeyId,
    upstream: &str,
    model: Option<&str>,
    state: StateRef,
) -> Result<(), Refusal> {
    gw.services
        .store
        .remember_owned(state.kind, &state.id, owner, upstream, model, now_ms())
        .await
        .map_err(|error| {
            tracing::error!(%error, "ownership cannot be written");
            Refusal::Unavailable("the state cannot be written")
        })
}

fn stream(
    gw: &Arc<Gateway>,
    behind: Behind,
    headers: &HeaderMap,
    incoming: Incoming,
    record: &mut Option<Record>,
) -> Result<Reply, Refusal> {
    if headers
        .get(CONTENT_ENCODING)
        .is_some_and(|value| value != "identity")
    {
        return Err(Refusal::Unreadable);
    }
    let Some(mut record) = record.take() else {
        return Err(Refusal::Unavailable("the record is gone"));
    };
    record.audit.streamed = true;
    let guarded = Guarded::new(Arc::clone(gw), behind, incoming, record);
    let mut reply = Response::new(ReplyBody::Stream(Box::new(guarded)));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(reply)
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, bytes: Bytes) -> Reply {
    let mut reply = Response::new(ReplyBody::Whole(Some(bytes)));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

fn pass_retry_after(from: &HeaderMap, to: &mut HeaderMap) {
    let seconds = from
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u32>().ok());
    if let Some(seconds) = seconds {
        to.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// `x-ratelimit-*` under OpenAI's names.
fn rate_headers(admission: &Admission) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let states = [("requests", admission.rate()), ("tokens", admission.token_rate())];
    for (unit, state) in states {
        let Some(state) = state else { continue };
        let reset = format!("{}ms", state.reset_ms);
        let values = [
            (format!("x-ratelimit-limit-{unit}"), state.limit.to_string()),
            (
                format!("x-ratelimit-remaining-{unit}"),
                state.remaining.to_string(),
            ),
            (format!("x-ratelimit-reset-{unit}"), reset),
        ];
        for (name, value) in values {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
    }
    headers
}
