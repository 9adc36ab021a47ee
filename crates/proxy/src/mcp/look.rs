//! What a server of tools says, before anybody reads it: the same surface, the same detectors, the same decision and the same enforcer as for
//! any text that a model will read.

use std::sync::Mutex;

use bytes::Bytes;
use portcullis_core::UninspectableKind;
use portcullis_dialect::{Document, Mcp, Reading, apply};
use portcullis_policy::Verdict;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::lock;
use crate::gateway::Guard;
use crate::pipeline::{judged, scan_input};
use crate::record::Record;
use crate::{Gateway, Refusal, enforce};

/// Something that a server said, as it may go on.
pub(super) struct Seen<T> {
    /// With everything replaced that is to be replaced.
    pub value: T,
    /// Whether it holds what nobody here can read, and a model can.
    pub unread: bool,
}

/// Reads what a server answers to a method, or what it asks or tells by one.
///
/// # Errors
/// It may not go on, or it cannot be read in exactly one way.
pub(super) async fn look<T: Serialize + DeserializeOwned>(
    gw: &Gateway,
    guard: &Guard,
    method: &str,
    said: &T,
    record: &Mutex<Record>,
) -> Result<Seen<T>, Refusal> {
    let bytes = serde_json::to_vec(said).map_err(|_| Refusal::Unreadable)?;
    let document = Document::read(Bytes::from(bytes)).map_err(|_| Refusal::Unreadable)?;
    let reading = Reading::of(document, |place| Mcp::label_answer(method, place));
    let (verdict, patched) = decided(gw, guard, &reading, record).await?;
    match verdict.refusal {
        Some(portcullis_policy::Denial::Uninspectable) => return Err(Refusal::Uninspectable),
        Some(_) => return Err(Refusal::Content),
        None => {}
    }
    let unread = reading.uninspectable().iter().any(|content| {
        matches!(
            content.kind,
            UninspectableKind::Image
                | UninspectableKind::Audio
                | UninspectableKind::Video
                | UninspectableKind::File
        )
    });
    let value = serde_json::from_slice(&patched).map_err(|_| Refusal::Unreadable)?;
    Ok(Seen { value, unread })
}

/// The verdict on a surface, and its bytes with what it changes.
///
/// # Errors
/// A key of an object that was replaced is now another of its keys: there would be two readings.
pub(super) async fn decided(
    gw: &Gateway,
    guard: &Guard,
    reading: &Reading,
    record: &Mutex<Record>,
) -> Result<(Verdict, Bytes), Refusal> {
    let scanned = scan_input(gw, guard, reading, &mut lock(record));
    let findings = scanned.classified(gw, guard, reading).await;
    let verdict = judged(guard, reading, &findings, &mut lock(record));
    let edits = enforce::edits(reading, &findings, &verdict.rulings, None);
    let is_changed = !edits.is_empty();
    let patched = apply(reading.document().bytes(), edits);
    if is_changed {
        Document::read(patched.clone()).map_err(|_| Refusal::Unreadable)?;
    }
    Ok((verdict, patched))
}
