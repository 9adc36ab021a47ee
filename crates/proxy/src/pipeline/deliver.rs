//! The reply on its way back: inspected, patched or withheld, accounted, recorded.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use portcullis_core::{Channel, Decision, Direction, KeyId, Located, Outcome, PartId, Principal};
use portcullis_dialect::{Body as Which, Cut, Document, Edit, Exchange, Reading, StateRef, apply};
use portcullis_policy::{Facts, decide};
use portcullis_store::Sealed;

use super::attend::{Attended, PIECE};
use super::forward::{Again, Answer, Forwarded};
use super::inserted::Inserted;
use super::inspect_input::read_output;
use super::leak::Confided;
use super::limits;
use super::settle::{Account, End};
use super::stream::Guarded;
use super::terms::{Fit, Terms};
use super::unmark::unmarked;
use crate::approvals::{kept, renamed};
use crate::body::BodyError;
use crate::calls::{Calls, ToolGuard};
use crate::enforce;
use crate::gateway::Guard;
use crate::kept::Recalled;
use crate::marks::Marks;
use crate::masks::Masks;
use crate::places::Places;
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
    /// In pieces, as its client takes them: a stream under guard, or a large reply.
    Attended(Attended),
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
            ReplyBody::Attended(reply) => reply.poll_next(cx),
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
            ReplyBody::Attended(reply) => reply.left().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
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
    pub terms: Option<Arc<Terms>>,
    pub calls: Option<Arc<ToolGuard>>,
    pub asked_usage: bool,
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
        again,
        expected,
        answered,
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
        terms: confiding.terms,
        calls: confiding.calls,
        asked_usage: confiding.asked_usage,
        account: Account::new(asked.places, price, expected, answered),
        upstream,
    };
    let rate = rate_headers(&context.account.places);
    let mut reply = match answer {
        Answer::Upstream(response) if is_stream(&response) => {
            let (head, incoming) = response.into_parts();
            stream(gw, context, &head.headers, incoming, record)?
        }
        answer => {
            // INVARIANT: the record is taken only by a stream.
            let Some(record) = record.as_mut() else {
                return Err(Refusal::Unavailable("the record is gone"));
            };
            let told = in_one_piece(gw, &context, answer, again, record).await;
            let end = if told.is_ok() { End::Whole } else { End::Cut };
            context.account.settle(record, end);
            told?.give(record)
        }
    };
    reply.headers_mut().extend(rate);
    Ok(reply)
}

fn is_stream(response: &Response<Incoming>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    response.status().is_success()
        && kind.is_some_and(|kind| {
            kind.as_bytes()
                .to_ascii_lowercase()
                .starts_with(b"text/event-stream")
        })
}

/// A whole reply, asked for again while it does not fit and may be.
async fn in_one_piece(
    gw: &Gateway,
    behind: &Behind,
    answer: Answer,
    mut again: Option<Again>,
    record: &mut Record,
) -> Result<Told, Refusal> {
    let begun = Instant::now();
    let may = |again: &Option<Again>| again.as_ref().is_some_and(Again::may);
    let mut told = match answer {
        Answer::Own(bytes) => buffered(gw, behind, StatusCode::OK, bytes, false, record).await?,
        Answer::Upstream(response) => received(gw, behind, *response, may(&again), record).await?,
    };
    while let (true, Some(again)) = (told.is_misfit, &mut again) {
        if !again.may() {
            break;
        }
        // What was used so far is accounted for whatever becomes of it: the time for the whole exchange must not run out in here.
        let left = gw
            .timeouts
            .total
            .saturating_sub(begun.elapsed())
            .saturating_sub(MARGIN);
        record.asks_again();
        let next = async {
            let response = again.send(gw).await?;
            record.left("forward");
            if !response.status().is_success() {
                return Err(Refusal::Upstream("it refused the request"));
            }
            received(gw, behind, response, again.may(), record).await
        };
        match tokio::time::timeout(left, next).await {
            Ok(Ok(next)) => told = next,
            // The reply that is here is as good as what another failure would say.
            Ok(Err(_)) | Err(_) => break,
        }
    }
    Ok(told)
}

/// Time that is left for an answer where an attempt takes the rest.
const MARGIN: Duration = Duration::from_millis(100);

async fn received(
    gw: &Gateway,
    behind: &Behind,
    response: Response<Incoming>,
    again: bool,
    record: &mut Record,
) -> Result<Told, Refusal> {
    let (head, incoming) = response.into_parts();
    let refused = refused_by_upstream(head.status);
    if !head.status.is_success() {
        behind.account.refused();
    }
    let bytes = body::read(&head.headers, incoming, MAX_REPLY, gw.timeouts.idle)
        .await
        .map_err(unread)?;
    match refused {
        Some(refusal) => Err(refusal),
        None => {
            let mut told = buffered(gw, behind, head.status, bytes, again, record).await?;
            pass_retry_after(&head.headers, told.reply.headers_mut());
            Ok(told)
        }
    }
}

/// A whole reply as a client may get it, and what is recorded where it does.
struct Told {
    reply: Reply,
    outcome: Outcome,
    code: Option<&'static str>,
    decision: Decision,
    /// Whether it does not fit what it is held to, and another might.
    is_misfit: bool,
}

impl Told {
    fn give(self, record: &mut Record) -> Reply {
        record.audit.decision = record.audit.decision.max(self.decision);
        record.audit.code = self.code.map(str::to_owned);
        record.end(self.outcome, self.reply.status().as_u16());
        self.reply
    }

    fn completed(bytes: Bytes, fit: Fit) -> Told {
        Told {
            reply: json(StatusCode::OK, bytes),
            outcome: Outcome::Completed,
            code: None,
            decision: fit.decision,
            is_misfit: fit.is_misfit,
        }
    }

    fn withheld(exchange: &dyn Exchange, document: &Document, fit: Fit, record: &Record) -> Told {
        let cut = Cut {
            request_id: record.audit.request_id.as_str(),
            text: WITHHELD,
        };
        Told {
            reply: json(StatusCode::OK, Bytes::from(exchange.withheld(document, &cut))),
            outcome: Outcome::Refused,
            code: Some("content_filter"),
            decision: fit.decision,
            is_misfit: fit.is_misfit,
        }
    }
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

/// Inspects a whole reply and answers with it, with it patched, or with a reply that says it is withheld. `again` says whether the model
/// may be asked once more where it does not fit.
async fn buffered(
    gw: &Gateway,
    behind: &Behind,
    status: StatusCode,
    bytes: Bytes,
    again: bool,
    record: &mut Record,
) -> Result<Told, Refusal> {
    let exchange = behind.exchange;
    let document = Document::read(bytes).map_err(|_| Refusal::Unreadable)?;
    let reading = Reading::of(document, |place| exchange.label(Which::Reply, place));
    // Before anything else: what the client will read is what is inspected.
    let reading = unmarked(&behind.marks, exchange, reading)?;
    let document = reading.document();
    if let Some(usage) = exchange.usage(document) {
        record.used(usage);
    }
    let stored = exchange.stored(document);
    // What the provider keeps or has run for this reply would be kept and run once more. A response has an id even where its request
    // says that it is not kept, and only such a request is sent again.
    let again = again
        && stored
            .iter()
            .all(|state| matches!(state.kind, "response" | "item"))
        && exchange.ended_well(document)
        && reading.parts().all(|part| part.channel != Channel::ToolResult);
    for state in stored {
        let what = Recalled {
            values: behind.masks.known().into(),
            inserted: gw.instructs().then(|| behind.inserted.text().into()),
            prompt: Arc::clone(&behind.prompt),
            marks: behind.marks.as_slice().into(),
        };
        let owner = &behind.principal.key;
        let sealed = gw.services.kept.keep(owner, &state.id, what, now_ms());
        remember(
            gw,
            owner,
            &behind.upstream,
            record.audit.model.as_deref(),
            state,
            sealed,
        )
        .await?;
    }
    let (edits, refused) = judge(gw, behind, &reading, record);
    record.left("inspect_output");
    if refused {
        if !status.is_success() {
            return Err(Refusal::Upstream("it refused the request"));
        }
        return Ok(Told::withheld(exchange, document, Fit::default(), record));
    }
    if !status.is_success() {
        return Ok(Told {
            reply: json(status, apply(document.bytes(), edits)),
            outcome: Outcome::UpstreamFailed,
            code: None,
            decision: Decision::default(),
            is_misfit: false,
        });
    }
    let short = limits::shortened(&behind.guard, exchange, &reading, &edits, record);
    let again = again && short.is_none();
    let bytes = match short {
        Some(short) => Bytes::from(short),
        None => apply(document.bytes(), edits),
    };
    let bytes = without_denied(gw, behind, bytes, record).await?;
    let Some(terms) = &behind.terms else {
        return Ok(Told::completed(bytes, Fit::default()));
    };
    let given = Document::read(bytes.clone()).map_err(|_| Refusal::Unreadable)?;
    let mut fit = terms.whole(&behind.guard, exchange, &given, again, record);
    fit.is_misfit &= again;
    Ok(match fit.is_refused {
        true => Told::withheld(exchange, document, fit, record),
        false => Told::completed(bytes, fit),
    })
}

/// The reply as the client would get it, without the tool calls that may not go through.
async fn without_denied(
    gw: &Gateway,
    behind: &Behind,
    bytes: Bytes,
    record: &mut Record,
) -> Result<Bytes, Refusal> {
    let Some(guard) = &behind.calls else {
        return Ok(bytes);
    };
    let reply = Document::read(bytes.clone()).map_err(|_| Refusal::Unreadable)?;
    let mut calls = Calls::new(Arc::clone(guard));
    let mut denied = calls.whole(behind.exchange, Which::Reply, &reply, record);
    if let Some(awaited) = calls.await_persons() {
        record.left("inspect_output");
        calls.answered(awaited.await, record);
        record.left("approval");
        denied = calls.whole(behind.exchange, Which::Reply, &reply, record);
    }
    if denied.is_empty() {
        return Ok(bytes);
    }
    let denied: Vec<_> = denied.iter().map(|(node, told)| (*node, told.as_ref())).collect();
    let left = apply(&bytes, behind.exchange.deny(Which::Reply, &reply, &denied));
    // What is left is read once more: a call that could not be taken out takes the reply with it.
    let read = Document::read(left.clone()).map_err(|_| Refusal::Unreadable)?;
    let acts = |document| behind.exchange.acts(Which::Reply, document).len();
    if acts(&read).saturating_add(denied.len()) != acts(&reply) {
        return Err(Refusal::Content);
    }
    let other = kept(Arc::clone(&gw.services), calls.take_asked()).await;
    Ok(renamed(left, &other))
}

/// Judges the texts of a whole reply: the edits that it needs, and whether it is refused for its content.
fn judge(gw: &Gateway, behind: &Behind, reading: &Reading, record: &mut Record) -> (Vec<Edit>, bool) {
    let document = reading.document();
    let mut findings = read_output(gw, &behind.guard, reading, record);
    behind.masks.spare(reading, &mut findings);
    let repeated = behind
        .retrieves
        .then(|| Confided::repeated(&behind.guard, reading))
        .flatten();
    let confided = behind.confided.iter().chain(&repeated);
    findings.extend(confided.flat_map(|confided| confided.leaks(reading)));
    let facts = Facts {
        direction: Direction::Output,
        principal_models: &[],
        model: None,
        system_prompt_from_client: false,
        findings: &findings,
        uninspectable: reading.uninspectable(),
    };
    let verdict = decide(&behind.guard.profile, &facts);
    record.judged(Direction::Output, reading, &findings, &verdict);
    if verdict.refusal.is_some() {
        return (Vec::new(), true);
    }
    let mut edits = enforce::edits(reading, &findings, &verdict.rulings, None);
    if !edits.is_empty() {
        let echoes = behind.exchange.echoes(Which::Reply, document);
        edits.extend(echoes.into_iter().map(|node| Edit {
            range: document.range(node),
            text: "null".to_owned(),
        }));
    }
    edits.extend(behind.inserted.unsay(reading));
    edits.extend(restore(reading, &findings, &behind.masks, |_| true));
    (edits, false)
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
    sealed: Option<Sealed>,
) -> Result<(), Refusal> {
    let store = &gw.services.store;
    // What is not kept leaves a placeholder a placeholder: no reason to withhold the reply.
    if let Some(sealed) = sealed
        && let Err(error) = store.keep_sealed(sealed, now_ms()).await
    {
        tracing::error!(%error, "what belongs to a stored conversation cannot be kept for other replicas");
    }
    store
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
    let mut reply = Response::new(ReplyBody::Attended(Attended::stream(guarded, gw.timeouts.client)));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(reply)
}

impl ReplyBody {
    /// A large reply is given in pieces, and waited upon.
    pub fn attend(&mut self, patience: Duration) {
        if let ReplyBody::Whole(bytes) = self
            && bytes.as_ref().is_some_and(|bytes| bytes.len() > PIECE)
        {
            *self = ReplyBody::Attended(Attended::whole(bytes.take().unwrap_or_default(), patience));
        }
    }
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
fn rate_headers(places: &Places) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let states = [("requests", places.rate()), ("tokens", places.token_rate())];
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
