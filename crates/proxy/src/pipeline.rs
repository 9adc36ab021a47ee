//! The way of one request, from top to bottom. Each room consumes the state before it and returns the next; a state can be
//! made nowhere but in its room, so a room can be neither skipped nor faked.

mod admit;
mod attend;
mod authenticate;
mod authorize;
mod deliver;
mod forward;
mod guard;
mod identify;
mod inserted;
mod inspect_input;
mod instruct;
mod label;
mod leak;
mod limits;
mod message;
mod pace;
mod parse;
mod permit;
mod pinned;
mod receive;
mod reserve;
mod sandbox;
mod settle;
mod stream;
mod terms;
mod unmark;

pub(crate) use attend::Attended;
pub(crate) use deliver::{Reply, ReplyBody, deliver, json};
pub(crate) use guard::guard;
pub(crate) use identify::source;
pub(crate) use inspect_input::scan_input;
pub(crate) use message::judged;
pub(crate) use message::{Message, message};
pub(crate) use parse::Asked;
pub(crate) use permit::may_ask_model;
pub(crate) use receive::{Received, dialect_of};

use crate::record::Record;
use crate::{Gateway, Refusal};

/// From the socket to the reply's head. What follows is [`deliver`]: the output is inspected, usage is accounted, the record written.
pub(crate) async fn walk(
    gw: &Gateway,
    request: Received,
    record: &mut Record,
) -> Result<forward::Forwarded, Refusal> {
    let request = authenticate::authenticate(gw, request, record).await?; // -> Authenticated   who asks                      401
    let request = admit::admit(gw, request, record).await?; //         -> Admitted        rate, concurrency, budget     429
    let request = parse::parse(gw, request, record).await?; //         -> Parsed          one reading, capped           400/413/415
    let request = label::label(request, record)?; //                   -> Labelled        every part an origin          403
    let request = pace::pace(gw, request, record)?; //                 -> Paced           what repeats itself           429
    let request = inspect_input::inspect(gw, request, record).await; // -> Inspected      finds, never decides
    let request = authorize::authorize(gw, request, record).await?; // -> Authorized      decision, obligations         400/403/404
    let request = reserve::reserve(gw, request, record).await?; //      -> Reserved        the budget's lease            429
    forward::forward(gw, request, record).await //                     -> Forwarded       the bytes that were parsed, patched
}
