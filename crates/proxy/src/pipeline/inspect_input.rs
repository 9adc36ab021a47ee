//! Finds, never decides: every text of the request through the detectors of its place.

use std::cell::Cell;

use portcullis_core::{Channel, Direction, Located, PartId};
use portcullis_dialect::Reading;

use super::pace::Paced;
use super::parse::Asked;
use crate::Gateway;
use crate::gateway::Guard;
use crate::record::Record;

/// A request whose every text has been read by the detectors.
pub(crate) struct Inspected {
    asked: Asked,
    reading: Reading,
    findings: Vec<Located>,
    /// What was found in the words that go upstream besides the body.
    outside: Vec<Located>,
}

impl Inspected {
    pub(super) fn into_parts(self) -> (Asked, Reading, Vec<Located>, Vec<Located>) {
        (self.asked, self.reading, self.findings, self.outside)
    }
}

/// Bodies above this are scanned where they do not hold up other requests.
const LARGE: usize = 256 * 1024;

pub(super) fn inspect(gw: &Gateway, request: Paced, record: &mut Record) -> Inspected {
    let (asked, reading) = request.into_parts();
    let findings = scan(gw, &asked.guard, Direction::Input, &reading, record);
    let outside = scan_outside(gw, &asked, record);
    record.left("inspect_input");
    Inspected {
        asked,
        reading,
        findings,
        outside,
    }
}

/// Reads the words that go upstream in the path, the query and the headers. They are few and of few characters, yet a name
/// or a key can stand in them, and they are on no body's surface.
fn scan_outside(gw: &Gateway, asked: &Asked, record: &mut Record) -> Vec<Located> {
    let channel = Channel::Identifier;
    let selection = asked.guard.selection(Direction::Input, channel, channel.origin());
    let headers = asked
        .passed
        .headers
        .values()
        .filter_map(|value| value.to_str().ok());
    let query = asked.passed.query.split(['&', '=']);
    let words = asked
        .parameters
        .iter()
        .map(String::as_str)
        .chain(query)
        .chain(headers);
    let mut found = Vec::new();
    for word in words.filter(|word| !word.is_empty()) {
        record.inspected(1, word.len() as u64);
        gw.inspector.scan(word, channel, selection, &mut found);
    }
    let locate = |finding| Located {
        part: PartId(0),
        channel,
        origin: channel.origin(),
        finding,
        piece: 0,
    };
    found.into_iter().map(locate).collect()
}

/// Runs the detectors over a surface.
pub(crate) fn scan(
    gw: &Gateway,
    guard: &Guard,
    direction: Direction,
    reading: &Reading,
    record: &mut Record,
) -> Vec<Located> {
    let (texts, bytes, said) = (Cell::new(0u64), Cell::new(0u64), Cell::new(0u64));
    let run = || {
        gw.inspector.inspect(reading.parts(), |part| {
            texts.set(texts.get().saturating_add(1));
            let length = part.text.len() as u64;
            bytes.set(bytes.get().saturating_add(length));
            if is_said(direction, part.channel) {
                said.set(said.get().saturating_add(length));
            }
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
    record.said(said.get());
    findings
}

/// Whether a text is one that a model wrote just now.
fn is_said(direction: Direction, channel: Channel) -> bool {
    let of_model = matches!(
        channel,
        Channel::Assistant | Channel::Reasoning | Channel::Refusal | Channel::ToolCall
    );
    direction == Direction::Output && of_model
}
