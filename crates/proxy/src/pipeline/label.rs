//! Every part an origin: the surface of the request, with what the client says of its own texts.

use portcullis_dialect::{Body, Reading};

use super::parse::{Asked, Parsed};
use crate::Refusal;
use crate::record::Record;

/// A request whose every text has a channel and an origin.
pub(crate) struct Labelled {
    asked: Asked,
    reading: Reading,
}

impl Labelled {
    pub(super) fn into_parts(self) -> (Asked, Reading) {
        (self.asked, self.reading)
    }
}

pub(super) fn label(request: Parsed, record: &mut Record) -> Result<Labelled, Refusal> {
    let (asked, document) = request.into_parts();
    let exchange = asked.exchange;
    let reading = Reading::of(document, |place| exchange.label(Body::Request, place));
    reading.check_extensions()?;
    // A client may lower the trust of its own text. No key may raise it yet, so a request that tries is refused, not ignored.
    if reading.asks_for_trust() {
        return Err(Refusal::ForbiddenTrust);
    }
    record.left("label");
    Ok(Labelled { asked, reading })
}
