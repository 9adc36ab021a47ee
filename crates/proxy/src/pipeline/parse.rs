//! One reading: the body as exactly one JSON value, under caps. What was parsed here is what is sent.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use portcullis_core::Principal;
use portcullis_dialect::{Call, Document, Exchange, Mcp, Method};

use super::admit::Admitted;
use crate::door::Peer;
use crate::gateway::Guard;
use crate::levels::Standing;
use crate::places::Places;
use crate::record::Record;
use crate::{Gateway, Refusal, body, headers};

/// What every later room needs of the request besides its texts.
pub(crate) struct Asked {
    pub exchange: &'static dyn Exchange,
    pub parameters: Vec<String>,
    pub principal: Arc<Principal>,
    pub standing: Arc<Standing>,
    /// Where the request came from.
    pub peer: Peer,
    pub guard: Arc<Guard>,
    pub places: Places,
    pub call: Call,
    /// Bytes of its body.
    pub body: usize,
    /// Headers and query for the upstream, picked from an allow-list.
    pub passed: headers::Passed,
    /// The approval that the client names in a header.
    pub approval: Option<String>,
    /// How long the client says in a header that its calls may wait for a person, in seconds, as it is written.
    pub approval_wait: Option<String>,
}

impl Asked {
    /// The path of the endpoint, as lists and policies name it.
    pub fn path(&self) -> Cow<'static, str> {
        match self.parameters.first() {
            Some(server) if Mcp::is(self.exchange) => Cow::Owned(format!("/mcp/{server}")),
            _ => Cow::Borrowed(self.exchange.path()),
        }
    }
}

/// A request whose body has been read.
pub(crate) struct Parsed {
    asked: Asked,
    document: Document,
}

impl Parsed {
    pub(super) fn into_parts(self) -> (Asked, Document) {
        (self.asked, self.document)
    }
}

pub(super) async fn parse(gw: &Gateway, request: Admitted, record: &mut Record) -> Result<Parsed, Refusal> {
    let (received, standing, guard, places) = request.into_parts();
    let exchange = received.exchange;
    let said = |name| {
        received
            .head
            .headers
            .get(name)
            .and_then(|said| said.to_str().ok())
    };
    let approval = said("x-portcullis-approval").map(str::to_owned);
    let approval_wait = said("x-portcullis-approval-wait").map(str::to_owned);
    let passed = headers::pick(&received.head, exchange)?;
    let max_body = gw
        .request_limit(&standing, &[])
        .max_body
        .map_or(gw.max_body, |most| most.min(gw.max_body));
    let bytes = body::read(&received.head.headers, received.body, max_body, gw.timeouts.idle)
        .await
        .map_err(|error| error.of_client(max_body))?;
    let body = bytes.len();
    let bytes = if exchange.method() == Method::Post && !(bytes.is_empty() && exchange.takes_no_body()) {
        json_only(&received.head)?;
        bytes
    } else if bytes.is_empty() {
        Bytes::from_static(b"null")
    } else {
        return Err(Refusal::Invalid("This endpoint takes no body."));
    };
    let document = Document::read(bytes)?;
    let parameters: Vec<&str> = received.parameters.iter().map(String::as_str).collect();
    let call = exchange.call(&document, &parameters)?;
    record.audit.streamed = call.stream;
    if let Some(model) = &call.model {
        record.model(model);
    }
    record.left("parse");
    let asked = Asked {
        exchange,
        parameters: received.parameters,
        principal: Arc::clone(&standing.principal),
        standing,
        peer: received.peer,
        guard,
        places,
        call,
        body,
        passed,
        approval,
        approval_wait,
    };
    Ok(Parsed { asked, document })
}

/// A body of another type (multipart, form) would be read by rules that are not these.
fn json_only(head: &http::request::Parts) -> Result<(), Refusal> {
    let refused = Refusal::Unsupported("The content-type is not accepted. Send application/json in UTF-8.");
    let mut values = head.headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refused);
    };
    let Ok(text) = value.to_str() else {
        return Err(refused);
    };
    let mut pieces = text.split(';').map(|piece| piece.trim().to_ascii_lowercase());
    let json = pieces.next().is_some_and(|kind| kind == "application/json");
    let utf8 = pieces.all(|piece| matches!(piece.as_str(), "charset=utf-8" | "charset=\"utf-8\"" | ""));
    if json && utf8 { Ok(()) } else { Err(refused) }
}
