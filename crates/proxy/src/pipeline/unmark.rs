//! Takes the gateway's own marks out of what comes from an upstream, before anything else reads it: what is inspected is what the
//! client will read.

use portcullis_core::{Channel, Part};
use portcullis_dialect::{Body, Document, Edit, Exchange, Reading, apply};

use crate::Refusal;
use crate::marks::{Context, Marks, erase};

/// A whole reply without marks.
pub(super) fn unmarked(
    marks: &[Marks],
    exchange: &'static dyn Exchange,
    reading: Reading,
) -> Result<Reading, Refusal> {
    if marks.is_empty() {
        return Ok(reading);
    }
    let mut edits: Vec<Edit> = reading
        .parts()
        .flat_map(|part| whole(marks, &reading, &part))
        .collect();
    if edits.is_empty() {
        return Ok(reading);
    }
    let document = reading.document();
    nulls(exchange, Body::Reply, document, &mut edits);
    let document = Document::read(apply(document.bytes(), edits)).map_err(|_| Refusal::Unreadable)?;
    Ok(Reading::of(document, |place| exchange.label(Body::Reply, place)))
}

/// The edits of a text that is whole in itself.
pub(super) fn whole(marks: &[Marks], reading: &Reading, part: &Part<'_>) -> Vec<Edit> {
    let mut found = Vec::new();
    // A name of a member that is changed could become another of its object.
    if reading.is_key(part.id) {
        return Vec::new();
    }
    erase(marks, part.text, &mut Context::new(false), true, &mut found);
    let is_all = found
        .first()
        .is_some_and(|one| one.text.is_empty() && one.span.len() == part.text.len());
    if is_all && matches!(part.channel, Channel::System | Channel::Developer) {
        // A provider repeats the request's instructions. These are the gateway's alone: the client gave none.
        return reading.nulled(part.id).into_iter().collect();
    }
    found
        .iter()
        .map(|put| reading.edit(part.id, put.span, &put.text))
        .collect()
}

/// Adds the edits of what says a text once more that was changed.
pub(super) fn nulls(exchange: &dyn Exchange, body: Body, document: &Document, edits: &mut Vec<Edit>) {
    let echoes = exchange.echoes(body, document).into_iter();
    edits.extend(echoes.map(|node| Edit {
        range: document.range(node),
        text: "null".to_owned(),
    }));
}
