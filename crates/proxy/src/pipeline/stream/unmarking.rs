//! Takes the gateway's marks out of a streamed reply, event by event, before the engine reads it. An event waits while the end of its
//! text could still be the beginning of a mark; events leave in the order they came.

use std::collections::VecDeque;

use portcullis_core::{Lane, PartId, Span};
use portcullis_dialect::{Body, Document, Edit, Ends, Exchange, Frame, Reading, apply, lanes};

use super::super::unmark::{nulls, whole};
use super::engine::Stop;
use crate::enforce::Replacement;
use crate::marks::{Context, Marks, erase};

/// Bytes of events that may wait. A mark is short; what outgrows this is cut off.
const MAX_HELD: usize = 1024 * 1024;

/// A streamed reply on its way to the engine.
pub(super) struct Unmarking {
    exchange: &'static dyn Exchange,
    marks: Vec<Marks>,
    /// Whether an event without brackets and escapes can hold nothing of the marks.
    plain: bool,
    lanes: Vec<LaneText>,
    queue: VecDeque<Held>,
    held_bytes: usize,
}

/// A text that comes in deltas.
struct LaneText {
    id: Lane,
    context: Context,
    /// What is not decided of it.
    tail: String,
    /// Lane offset of the first byte of `tail`: everything before it is decided.
    decided: usize,
}

/// An event that waits.
struct Held {
    frame: Frame,
    reading: Option<Reading>,
    pieces: Vec<Piece>,
    edits: Vec<Edit>,
}

/// A delta inside an event.
struct Piece {
    part: PartId,
    lane: Lane,
    start: usize,
    len: usize,
}

impl Unmarking {
    pub fn new(exchange: &'static dyn Exchange, marks: Vec<Marks>) -> Unmarking {
        Unmarking {
            exchange,
            plain: !marks.iter().any(Marks::has_sign),
            marks,
            lanes: Vec::new(),
            queue: VecDeque::new(),
            held_bytes: 0,
        }
    }

    /// The marks that are taken out.
    pub fn marks(&self) -> &[Marks] {
        &self.marks
    }

    /// Takes events, and leaves those that may go on.
    pub fn pass(&mut self, frames: &mut Vec<Frame>) -> Result<(), Stop> {
        if self.marks.is_empty() {
            return Ok(());
        }
        let came = std::mem::take(frames);
        for frame in came {
            self.take(frame, frames)?;
        }
        Ok(())
    }

    /// Takes the last events: nothing follows.
    pub fn finish(&mut self, frames: &mut Vec<Frame>) -> Result<(), Stop> {
        self.pass(frames)?;
        self.decide(Ends::All);
        self.release(frames);
        Ok(())
    }

    fn take(&mut self, frame: Frame, out: &mut Vec<Frame>) -> Result<(), Stop> {
        if self.queue.is_empty() && self.plain && !may_hold(frame.data.as_deref().unwrap_or(&[])) {
            out.push(frame);
            return Ok(());
        }
        self.held_bytes = self.held_bytes.saturating_add(frame.raw.len());
        if self.held_bytes > MAX_HELD {
            return Err(Stop::Overgrown);
        }
        let is_end = frame.data.as_deref() == Some(b"[DONE]");
        // What cannot be read is the engine's to refuse.
        let document = frame.data.clone().and_then(|data| Document::read(data).ok());
        let exchange = self.exchange;
        let reading =
            document.map(|document| Reading::of(document, |place| exchange.label(Body::Event, place)));
        let mut held = Held {
            frame,
            reading: None,
            pieces: Vec::new(),
            edits: Vec::new(),
        };
        let mut ends = if is_end { Ends::All } else { Ends::Nothing };
        if let Some(reading) = reading {
            self.read(&reading, &mut held);
            ends = exchange.ends(reading.document());
            held.reading = Some(reading);
        }
        self.queue.push_back(held);
        self.decide(ends);
        self.release(out);
        Ok(())
    }

    /// Takes up the texts of an event.
    fn read(&mut self, reading: &Reading, held: &mut Held) {
        for part in reading.parts() {
            let Some(id) = part.lane.filter(|_| reading.is_delta(part.id)) else {
                held.edits.extend(whole(&self.marks, reading, &part));
                continue;
            };
            if !self.lanes.iter().any(|lane| lane.id == id) {
                self.lanes.push(LaneText {
                    id,
                    context: Context::new(lanes::sort(id) == lanes::ARGUMENTS),
                    tail: String::new(),
                    decided: 0,
                });
            }
            let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == id) else {
                continue;
            };
            held.pieces.push(Piece {
                part: part.id,
                lane: id,
                start: lane.decided.saturating_add(lane.tail.len()),
                len: part.text.len(),
            });
            lane.tail.push_str(part.text);
        }
    }

    /// Decides as much as can be of every lane, and all of those that end.
    fn decide(&mut self, ends: Ends) {
        let mut found = Vec::new();
        for lane in self.lanes.iter_mut().filter(|lane| !lane.tail.is_empty()) {
            let is_last = ends.covers(lane.id);
            let end = erase(&self.marks, &lane.tail, &mut lane.context, is_last, &mut found);
            for put in found.drain(..) {
                let moved = |at: usize| at.saturating_add(lane.decided);
                let span = Span::new(moved(put.span.start), moved(put.span.end));
                let put = Replacement { span, text: put.text };
                self.queue.iter_mut().for_each(|held| held.put(lane.id, &put));
            }
            lane.tail.drain(..end);
            lane.decided = lane.decided.saturating_add(end);
        }
    }

    /// Lets the events go whose texts are decided.
    fn release(&mut self, out: &mut Vec<Frame>) {
        while let Some(front) = self.queue.front() {
            let is_open = |piece: &Piece| {
                let end = piece.start.saturating_add(piece.len);
                self.lanes
                    .iter()
                    .any(|lane| lane.id == piece.lane && lane.decided < end)
            };
            if front.pieces.iter().any(is_open) {
                break;
            }
            let Some(held) = self.queue.pop_front() else { break };
            self.held_bytes = self.held_bytes.saturating_sub(held.frame.raw.len());
            out.push(held.sent(self.exchange));
        }
    }
}

impl Held {
    /// Notes what is replaced in a lane, as far as it stands in this event.
    fn put(&mut self, lane: Lane, put: &Replacement) {
        let Some(reading) = &self.reading else { return };
        for piece in self.pieces.iter().filter(|piece| piece.lane == lane) {
            let all = Span::new(piece.start, piece.start.saturating_add(piece.len));
            if !all.overlaps(put.span) {
                continue;
            }
            let local = |at: usize| at.clamp(all.start, all.end).saturating_sub(all.start);
            let span = Span::new(local(put.span.start), local(put.span.end));
            // What a mark over several deltas stands for is said in the first of them.
            let text = if put.span.start >= all.start {
                put.text.as_str()
            } else {
                ""
            };
            self.edits.push(reading.edit(piece.part, span, text));
        }
    }

    fn sent(mut self, exchange: &dyn Exchange) -> Frame {
        let Some(reading) = self.reading.filter(|_| !self.edits.is_empty()) else {
            return self.frame;
        };
        let document = reading.document();
        nulls(exchange, Body::Event, document, &mut self.edits);
        self.frame.with_data(apply(document.bytes(), self.edits))
    }
}

/// Whether an event may hold the beginning of a mark.
fn may_hold(data: &[u8]) -> bool {
    data.iter().any(|byte| matches!(byte, b'<' | b'\\'))
}
