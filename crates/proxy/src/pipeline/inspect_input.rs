//! Finds, never decides: every text of the request through the detectors of its place.

use std::cell::Cell;

use portcullis_core::{Direction, Located};
use portcullis_dialect::Reading;

use super::label::Labelled;
use super::parse::Asked;
use crate::Gateway;
use crate::gateway::Guard;
use crate::record::Record;

/// A request whose every text has been read by the detectors.
pub(crate) struct Inspected {
    asked: Asked,
    reading: Reading,
    findings: Vec<Located>,
}

impl Inspected {
    pub(super) fn into_parts(self) -> (Asked, Reading, Vec<Located>) {
        (self.asked, self.reading, self.findings)
    }
}

/// Bodies above this are scanned where they do not hold up other requests.
const LARGE: usize = 256 * 1024;

pub(super) fn inspect(gw: &Gateway, request: Labelled, record: &mut Record) -> Inspected {
    let (asked, reading) = request.into_parts();
    let findings = scan(gw, &asked.guard, Direction::Input, &reading, record);
    record.left("inspect_input");
    Inspected {
        asked,
        reading,
        findings,
    }
}

/// Runs the detectors over a surface.
pub(crate) fn scan(
    gw: &Gateway,
    guard: &Guard,
    direction: Direction,
    reading: &Reading,
    record: &mut Record,
) -> Vec<Located> {
    let (texts, bytes) = (Cell::new(0u64), Cell::new(0u64));
    let run = || {
        gw.services.inspector.inspect(reading.parts(), |part| {
            texts.set(texts.get().saturating_add(1));
            bytes.set(bytes.get().saturating_add(part.text.len() as u64));
            guard.selection(direction, part.channel, part.origin)
        })
    };
    let several_workers = tokio::runtime::Handle::try_current()
        .is_ok_and(|handle| handle.runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread);
    let large = reading.document().bytes().len() > LARGE;
    let findings = if large && several_workers {
        tokio::task::block_in_place(run)
    } else {
        run()
    };
    record.inspected(texts.get(), bytes.get());
    findings
}
