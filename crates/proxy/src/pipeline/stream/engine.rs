//! The engine of a streamed reply: events in, events out, nothing released before everything in it is decided.
//!
//! What leaves when is [`super::queue`]'s. An event whose deltas are all final leaves byte for byte if nothing in it changes;
//! one whose text is final only in part is sent with that part, and the next one of the same text carries the rest. Tool call arguments are
//! held until they are complete.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use portcullis_core::{Channel, Direction, Finding, Lane, Origin, Part, PartId, Principal};
use portcullis_dialect::{
    About, Altered, Body, Cut, Document, Edit, Ends, Exchange, Failure, Frame, Frames, Progress, Reading,
    Stage, StateRef, apply, lanes,
};
use portcullis_inspect::Window;
use portcullis_policy::Hold;
use portcullis_store::{Approval, Sealed};

use super::super::deliver::restore;
use super::super::inserted::Inserted;
use super::super::leak::{Confided, Listening};
use super::super::limits::Limits;
use super::super::terms::Terms;
use super::acts::{Acts, Said};
use super::calm::Calm;
use super::delta::piece_edits;
use super::hindsight::{Hindsight, look_back};
use super::lane::{Judge, LaneState};
use super::queue::{Held, Line, Piece, Queue};
use super::unmarking::Unmarking;
use super::verdict::{judge, judge_at_end, judge_lane};
use super::watch::Watch;
use crate::calls::ToolGuard;
use crate::enforce;
use crate::gateway::Guard;
use crate::kept::Recalled;
use crate::marks::Marks;
use crate::masks::Masks;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal};

mod waiting;

/// Bytes of events that may be held back; what outgrows this is cut off (fails closed).
const MAX_HELD: usize = 8 * 1024 * 1024;

/// Texts of one stream that may be open at once: more than the choices of any provider, each with some calls, come to. What is kept of
/// each is bounded, so what is kept of a stream is.
const MAX_OPEN: usize = 1024;

/// How much of an event may leave.
enum Ready {
    Not,
    /// That many bytes of its one delta.
    Upto(usize),
    Whole,
}

/// Why a stream ends before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Its content is blocked.
    Content,
    /// More would have to be held back than may be.
    Overgrown,
    /// An event cannot be read, so it cannot be inspected.
    Unreadable,
    /// It has said all that it may.
    Length,
    /// The upstream broke off.
    Broken,
    /// The upstream fell silent.
    Silent,
}

/// What a stream's reply is compared with and held to, and what is taken out where it repeats its request.
pub(super) struct Instructions {
    pub confided: Option<Confided>,
    pub inserted: Inserted,
    /// What instructs the model, to be kept where the provider keeps it.
    pub prompt: Arc<str>,
    /// Whether the reply is one that was made earlier, so that what was confided is only known from what it repeats.
    pub repeats: bool,
    pub terms: Option<Arc<Terms>>,
    pub calls: Option<Arc<ToolGuard>>,
    /// Whether the event that tells what was used is for the gateway alone.
    pub asked_usage: bool,
}

pub(super) struct Engine {
    gateway: Arc<Gateway>,
    exchange: &'static dyn Exchange,
    guard: Arc<Guard>,
    masks: Masks,
    listening: Option<Listening>,
    inserted: Inserted,
    prompt: Arc<str>,
    repeats: bool,
    asked_usage: bool,
    maker: (Arc<Principal>, String),
    frames: Frames,
    /// Takes the gateway's marks out of the events before anything else reads them.
    unmarking: Unmarking,
    whole_frames: Vec<Frame>,
    queue: Queue,
    lanes: Vec<LaneState>,
    progress: Progress,
    /// State that the provider says it stored, and of that what nobody was told yet.
    known: Vec<StateRef>,
    stored: Vec<StateRef>,
    found: Vec<Finding>,
    calm: Calm,
    limits: Limits,
    watch: Watch,
    acts: Acts,
    /// Events that came while a person is waited for.
    deferred: VecDeque<Frame>,
    /// Whether the upstream has ended meanwhile.
    is_over: bool,
}

impl Engine {
    pub fn new(
        gateway: Arc<Gateway>,
        exchange: &'static dyn Exchange,
        guard: Arc<Guard>,
        (masks, marks): (Masks, Vec<Marks>),
        instructions: Instructions,
        maker: (Arc<Principal>, String),
    ) -> Engine {
        Engine {
            watch: Watch::new(instructions.terms),
            acts: Acts::new(instructions.calls),
            deferred: VecDeque::new(),
            is_over: false,
            limits: Limits::of(&guard.profile),
            unmarking: Unmarking::new(exchange, marks),
            gateway,
            exchange,
            guard,
            masks,
            listening: instructions.confided.map(Confided::listen),
            inserted: instructions.inserted,
            prompt: instructions.prompt,
            repeats: instructions.repeats,
            asked_usage: instructions.asked_usage,
            maker,
            frames: Frames::new(),
            whole_frames: Vec::new(),
            queue: Queue::default(),
            lanes: Vec::new(),
            progress: Progress::default(),
            known: Vec::new(),
            stored: Vec::new(),
            found: Vec::new(),
            calm: Calm::default(),
        }
    }

    /// Who asked, and at which upstream.
    pub fn maker(&self) -> (Arc<Principal>, String) {
        self.maker.clone()
    }

    /// Keeps what was masked for later turns of a conversation that the provider stores.
    pub fn keep(&self, state: &StateRef) -> Option<Sealed> {
        let kept = &self.gateway.services.kept;
        let what = Recalled {
            values: self.masks.known().into(),
            inserted: self.gateway.instructs().then(|| self.inserted.text().into()),
            prompt: Arc::clone(&self.prompt),
            marks: self.unmarking.marks().into(),
        };
        kept.keep(&self.maker.0.key, &state.id, what, now_ms())
    }

    /// State that the provider says it stored, not yet taken.
    pub fn take_stored(&mut self) -> Vec<StateRef> {
        std::mem::take(&mut self.stored)
    }

    /// What a person is to be asked before what was pushed leaves.
    pub fn take_asked(&mut self) -> Vec<Approval> {
        self.acts.take_asked()
    }

    /// The last events of a stream that is cut here.
    pub fn cut(&self, cut: &Cut<'_>) -> String {
        self.exchange.cut(&self.progress, cut)
    }

    /// The last events of a stream that has said all that it may.
    pub fn stopped(&self, cut: &Cut<'_>) -> String {
        self.exchange.stopped(&self.progress, cut)
    }

    /// The last event of a stream that failed.
    pub fn broken(&self, refusal: &Refusal, request_id: &str) -> String {
        let (status, code) = refusal.wire();
        let message = refusal.to_string();
        self.exchange.broken(
            &self.progress,
            &Failure {
                status,
                code: code.as_str(),
                message: &message,
                request_id,
            },
        )
    }

    /// Takes bytes from the upstream and appends what may be sent.
    pub fn push(&mut self, bytes: &[u8], record: &mut Record, out: &mut VecDeque<Bytes>) -> Result<(), Stop> {
        let mut frames = std::mem::take(&mut self.whole_frames);
        let pushed = self.frames.push(bytes, &mut frames);
        self.unmarking.pass(&mut frames)?;
        for frame in frames.drain(..) {
            self.take_in_turn(frame, record, out)?;
        }
        self.whole_frames = frames;
        pushed.map_err(|_| Stop::Unreadable)
    }

    /// The upstream has ended: everything that is left is decided now.
    pub fn finish(&mut self, record: &mut Record, out: &mut VecDeque<Bytes>) -> Result<(), Stop> {
        let mut last: Vec<Frame> = self.frames.finish().into_iter().collect();
        self.unmarking.finish(&mut last)?;
        for frame in last {
            self.take_in_turn(frame, record, out)?;
        }
        self.is_over = true;
        self.conclude(record, out)
    }

    fn take(&mut self, frame: Frame, record: &mut Record, out: &mut VecDeque<Bytes>) -> Result<(), Stop> {
        let Some(data) = frame.data.clone() else {
            out.push_back(frame.raw);
            return Ok(());
        };
        if self.queue.bytes().saturating_add(frame.raw.len()) > MAX_HELD {
            return Err(Stop::Overgrown);
        }
        if &data[..] == b"[DONE]" {
            self.close(Ends::All, record, "the end of the stream")?;
            self.queue.push(Held::without_json(frame), About::All);
            if !self.acts.waits() {
                self.release(None, out);
            }
            return Ok(());
        }
        let document = Document::read(data).map_err(|_| Stop::Unreadable)?;
        let exchange = self.exchange;
        let reading = Reading::of(document, |place| exchange.label(Body::Event, place));
        if let Some(usage) = exchange.usage(reading.document()) {
            record.used(usage);
        }
        if self.asked_usage && exchange.is_usage_alone(reading.document()) {
            return Ok(());
        }
        for state in exchange.stored(reading.document()) {
            // Every event of a stored response names it again.
            if !self.known.contains(&state) {
                self.known.push(state.clone());
                self.stored.push(state);
            }
        }
        if self.repeats && self.listening.is_none() {
            self.listening = Confided::repeated(&self.guard, &reading).map(Confided::listen);
        }
        let about = exchange.about(reading.document());
        if let About::One(group) = about {
            self.progress.choice(group, Stage::Unsaid);
        }
        let mut edits = self.judge_whole_texts(&reading, record)?;
        match self.acts.event(exchange, reading.document(), &edits, record)? {
            Said::AsIs => {}
            // What is left of it is an event like any other, in which no call is that may not go through.
            Said::Without(rest) => return self.take(frame.with_data(rest), record, out),
            Said::Waits => {
                self.deferred.push_front(frame);
                return Ok(());
            }
        }
        self.watch
            .event(&self.guard, exchange, &reading, &edits, record)?;
        let is_delta = edits.is_empty() && exchange.splittable(reading.document());
        let pieces = self.append_deltas(&reading, &mut edits, record)?;
        let opens = exchange.opens(reading.document());
        for lane in &opens {
            self.lane(*lane, Channel::ToolCall, Channel::ToolCall.origin())?;
        }
        let ends = exchange.ends(reading.document());
        let held = Held {
            opens,
            splittable: pieces.len() == 1 && is_delta,
            echoes: exchange.echoes(Body::Event, reading.document()),
            frame,
            reading: Some(reading),
            pieces,
            edits,
            carried: String::new(),
            sent: 0,
        };
        let group = self.queue.push(held, about);
        if self.limits.are_reached() {
            self.release(None, out);
            self.release_rest(out);
            return Err(Stop::Length);
        }
        if ends != Ends::Nothing {
            self.close(ends, record, "a tool call's arguments")?;
        }
        if !self.acts.waits() {
            self.release(group.filter(|_| ends == Ends::Nothing), out);
        }
        Ok(())
    }

    /// Judges the texts of an event that continue nothing.
    fn judge_whole_texts(&mut self, reading: &Reading, record: &mut Record) -> Result<Vec<Edit>, Stop> {
        let guard = Arc::clone(&self.guard);
        let (mut texts, mut bytes) = (0u64, 0u64);
        for part in reading.parts() {
            let length = part.text.len() as u64;
            texts = texts.saturating_add(1);
            bytes = bytes.saturating_add(length);
            if part.channel == Channel::ToolCall && !reading.is_delta(part.id) {
                record.said(length);
            }
        }
        record.inspected(texts, bytes);
        let fresh = |part: &Part<'_>| !reading.is_delta(part.id) && !self.calm.knows(part);
        let fresh: Vec<Part<'_>> = reading.parts().filter(fresh).collect();
        let mut findings = self.gateway.inspector.inspect(fresh.iter().copied(), |part| {
            guard.selection(Direction::Output, part.channel, part.origin)
        });
        for part in &fresh {
            if !findings.iter().any(|found| found.part == part.id) {
                self.calm.note(part);
            }
        }
        self.masks.spare(reading, &mut findings);
        if let Some(listening) = &self.listening {
            findings.extend(listening.whole(reading, |part| !reading.is_delta(part)));
        }
        let mut edits = Vec::new();
        if !findings.is_empty() || !reading.uninspectable().is_empty() {
            let verdict = judge(&self.guard, &findings, reading.uninspectable());
            record.judged(Direction::Output, reading, &findings, &verdict);
            if verdict.refusal.is_some() {
                return Err(Stop::Content);
            }
            edits = enforce::edits(reading, &findings, &verdict.rulings, None);
        }
        edits.extend(self.inserted.unsay(reading));
        let whole = |part: PartId| !reading.is_delta(part);
        edits.extend(restore(reading, &findings, &self.masks, whole));
        Ok(edits)
    }

    /// Appends an event's deltas to their lanes, as far as the limits let them; what they do not is edited out.
    fn append_deltas(
        &mut self,
        reading: &Reading,
        edits: &mut Vec<Edit>,
        record: &mut Record,
    ) -> Result<Vec<Piece>, Stop> {
        let mut pieces = Vec::new();
        for part in reading.parts() {
            let Some(id) = part.lane.filter(|_| reading.is_delta(part.id)) else {
                continue;
            };
            let at = self.lane(id, part.channel, part.origin)?;
            let Some(lane) = self.lanes.get_mut(at) else {
                continue;
            };
            if lane.closed && !part.text.is_empty() {
                // What was said to be whole goes on: nothing that was decided about it holds.
                return Err(Stop::Unreadable);
            }
            let text = self.limits.pass(&self.guard, reading, &part, id, record);
            record.said(text.len() as u64);
            let start = lane.len;
            lane.len = lane.len.saturating_add(text.len());
            pieces.push(Piece {
                part: part.id,
                lane: id,
                start,
                len: text.len(),
            });
            match &mut lane.judge {
                Judge::AtEnd => {
                    lane.text.push_str(text);
                    continue;
                }
                Judge::Nobody => lane.judged_to = lane.len,
                Judge::Window(window) => {
                    let inspector = &self.gateway.inspector;
                    lane.judged_to = window
                        .push(inspector, text, &mut self.found)
                        .map_err(|_| Stop::Overgrown)?;
                }
            }
            if let Some(listening) = &mut self.listening {
                let may = listening.push(id, text, &mut self.found);
                lane.judged_to = lane.judged_to.min(may);
            }
            if !self.masks.is_empty() {
                lane.text.push_str(text);
            }
            let found = lane.spare(&self.masks, std::mem::take(&mut self.found));
            if let Some(hindsight) = &mut lane.hindsight {
                hindsight.push(text);
                hindsight.note(&found);
            }
            if !found.is_empty() {
                let changes = judge_lane(&self.guard, lane, found, record, || reading.path(part.id))?;
                lane.change(changes);
            }
            if lane.hindsight.as_ref().is_some_and(Hindsight::is_full) {
                look_back(&self.gateway, &self.guard, &self.masks, lane, record, || {
                    reading.path(part.id)
                })?;
            }
            lane.settle(&self.masks);
        }
        if self.limits.are_reached() {
            let passed: Vec<_> = pieces.iter().map(|piece| (piece.part, piece.len)).collect();
            Limits::end(self.exchange, reading, &passed, edits);
        }
        Ok(pieces)
    }

    /// The index of a lane, which is opened if it is new.
    fn lane(&mut self, id: Lane, channel: Channel, origin: Origin) -> Result<usize, Stop> {
        if let Some(at) = self.lanes.iter().position(|lane| lane.id == id) {
            return Ok(at);
        }
        if self.lanes.iter().filter(|lane| !lane.closed).count() >= MAX_OPEN {
            return Err(Stop::Overgrown);
        }
        let selection = self.guard.selection(Direction::Output, channel, origin);
        let judge = if self.holds(id) {
            Judge::AtEnd
        } else if selection.is_empty() {
            Judge::Nobody
        } else {
            Judge::Window(Box::new(Window::new(channel, selection.clone())))
        };
        self.lanes.push(LaneState::new(id, channel, origin, judge));
        Ok(self.lanes.len().saturating_sub(1))
    }

    /// Whether a lane is held until it is complete.
    fn holds(&self, lane: Lane) -> bool {
        lanes::sort(lane) == lanes::ARGUMENTS
            || self.guard.profile.output.hold == Hold::Part
            || self.watch.holds(lane)
    }

    /// Ends lanes: what they still hold is decided.
    fn close(&mut self, ends: Ends, record: &mut Record, whence: &str) -> Result<(), Stop> {
        for lane in self
            .lanes
            .iter_mut()
            .filter(|lane| !lane.closed && ends.covers(lane.id))
        {
            lane.closed = true;
            self.limits.ended(lane.id);
            lane.judged_to = lane.len;
            if matches!(lane.judge, Judge::AtEnd) {
                let listening = self.listening.as_ref();
                let judged = judge_at_end(
                    &self.gateway,
                    &self.guard,
                    &self.masks,
                    listening,
                    (lane.channel, &lane.text),
                    record,
                )?;
                lane.rewritten = judged.filter(|text| *text != lane.text);
                let text = lane.rewritten.as_ref().unwrap_or(&lane.text);
                self.watch.closed(&self.guard, lane.id, text, record)?;
                self.acts.closed(lane.id, text, record)?;
                lane.text.clear();
            } else {
                let mut found = Vec::new();
                if let Judge::Window(window) = &mut lane.judge {
                    window.finish(&self.gateway.inspector, &mut found);
                }
                let mut found = lane.spare(&self.masks, found);
                if let Some(listening) = &mut self.listening {
                    listening.end(lane.id, &mut found);
                }
                if let Some(hindsight) = &mut lane.hindsight {
                    hindsight.note(&found);
                }
                let changes = judge_lane(&self.guard, lane, found, record, || whence.to_owned())?;
                lane.change(changes);
                look_back(&self.gateway, &self.guard, &self.masks, lane, record, || {
                    whence.to_owned()
                })?;
            }
            lane.settle(&self.masks);
        }
        Ok(())
    }

    /// Sends every event that is ready and whose turn it is, and the final part of the next ones. With a group, nothing of others has
    /// changed.
    fn release(&mut self, group: Option<u32>, out: &mut VecDeque<Bytes>) {
        match group {
            Some(group) => {
                if let Some(line) = self.queue.line(group) {
                    while self.step(line, out) {}
                }
            }
            None => self.release_groups(out),
        }
        while self.queue.is_between() && self.step(Line::Whole, out) {
            self.release_groups(out);
        }
        if self.queue.is_sent(group) {
            let gone = |lane: &&mut LaneState| group.is_none_or(|group| lanes::group(lane.id) == group);
            for lane in self.lanes.iter_mut().filter(gone) {
                let sent = lane.final_to;
                lane.forget(sent);
            }
        }
    }

    /// Sends what is ready of every group, in the order in which it came.
    fn release_groups(&mut self, out: &mut VecDeque<Bytes>) {
        if self.queue.is_between() {
            return;
        }
        let next = |engine: &Engine, line| Some(Reverse((engine.queue.number(line)?, line)));
        let lines = self.queue.lines();
        let mut fronts: BinaryHeap<_> = lines.filter_map(|line| next(self, line)).collect();
        while let Some(Reverse((_, line))) = fronts.pop() {
            if self.step(line, out) {
                fronts.extend(next(self, line));
            }
        }
    }

    /// Sends the event at the front of a line, if it is ready, or what is final of it; whether it has left.
    fn step(&mut self, line: Line, out: &mut VecDeque<Bytes>) -> bool {
        self.queue.carry(line);
        let Some(front) = self.queue.front(line) else {
            return false;
        };
        match self.ready(front) {
            Ready::Not => false,
            Ready::Whole => {
                if let Some(held) = self.queue.pop(line) {
                    self.send(&held, None, out);
                }
                true
            }
            Ready::Upto(bytes) => {
                let mut queue = std::mem::take(&mut self.queue);
                if let Some(front) = queue.front(line) {
                    self.send(front, Some(bytes), out);
                }
                queue.sent(line, bytes);
                self.queue = queue;
                false
            }
        }
    }

    /// How much of an event may leave.
    fn ready(&self, held: &Held) -> Ready {
        if held.opens.iter().any(|lane| !self.is_closed(*lane)) {
            return Ready::Not;
        }
        let open = held.pieces.iter().find(|piece| {
            self.final_to(piece.lane) < piece.start.saturating_add(piece.len)
                || (lanes::sort(piece.lane) == lanes::ARGUMENTS && !self.is_closed(piece.lane))
        });
        let Some(open) = open else {
            return Ready::Whole;
        };
        let ready = self.final_to(open.lane).saturating_sub(held.begins(open));
        if held.splittable && ready > held.sent {
            Ready::Upto(ready)
        } else {
            Ready::Not
        }
    }

    /// Sends what is final of the events at the front, however they are made: nothing comes behind them. Arguments of a tool call
    /// are not, before they are complete.
    fn release_rest(&mut self, out: &mut VecDeque<Bytes>) {
        let whole = self.queue.is_between().then_some(Line::Whole);
        for line in self.queue.lines().chain(whole) {
            let Some(front) = self.queue.pop(line) else {
                continue;
            };
            let [piece] = &front.pieces[..] else { continue };
            let ready = self.final_to(piece.lane).saturating_sub(front.begins(piece));
            if front.opens.is_empty() && !self.holds(piece.lane) && ready > front.sent {
                self.send(&front, Some(ready), out);
            }
        }
    }

    fn is_closed(&self, lane: Lane) -> bool {
        let known = self.lanes.iter().find(|other| other.id == lane);
        known.is_none_or(|lane| lane.closed)
    }

    fn final_to(&self, lane: Lane) -> usize {
        let known = self.lanes.iter().find(|other| other.id == lane);
        known.map_or(usize::MAX, |lane| lane.final_to)
    }

    /// Sends an event; of its delta, what lies between what was sent before and `upto`.
    fn send(&mut self, held: &Held, upto: Option<usize>, out: &mut VecDeque<Bytes>) {
        let Some(reading) = &held.reading else {
            out.push_back(held.frame.raw.clone());
            return;
        };
        let document = reading.document();
        let mut edits = held.edits.clone();
        for piece in &held.pieces {
            if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.id == piece.lane) {
                edits.extend(piece_edits(held, reading, piece, lane, upto));
            }
        }
        if !edits.is_empty() {
            let nulls = held.echoes.iter().map(|node| Edit {
                range: document.range(*node),
                text: "null".to_owned(),
            });
            edits.extend(nulls);
        }
        if self.acts.alters() {
            self.send_altered(held, edits, out);
            return;
        }
        self.acts.left(&held.opens);
        if edits.is_empty() {
            self.exchange.progress(document, &mut self.progress);
            if self.watch.listens() {
                self.watch.sent(reading);
            }
            out.push_back(held.frame.raw.clone());
            return;
        }
        let data = apply(document.bytes(), edits);
        // An event that is nothing but a delta says nothing else that was changed.
        if held.splittable && !self.watch.listens() {
            self.exchange.progress(document, &mut self.progress);
            out.push_back(held.frame.with_data(data).raw);
            return;
        }
        // What the last events of a stream repeat must be what was sent, not what came.
        if let Ok(sent) = Document::read(data.clone()) {
            self.exchange.progress(&sent, &mut self.progress);
            if self.watch.listens() {
                let exchange = self.exchange;
                self.watch
                    .sent(&Reading::of(sent, |place| exchange.label(Body::Event, place)));
            }
        }
        out.push_back(held.frame.with_data(data).raw);
    }
}

impl Engine {
    /// Sends an event of a stream in which some calls may not go through.
    fn send_altered(&mut self, held: &Held, edits: Vec<Edit>, out: &mut VecDeque<Bytes>) {
        let Some(reading) = &held.reading else { return };
        let is_changed = !edits.is_empty();
        let data = apply(reading.document().bytes(), edits);
        // It was one document before, and the edits replace texts by texts.
        let Ok(event) = Document::read(data.clone()) else {
            return;
        };
        let of = held.pieces.iter().map(|piece| piece.lane);
        let lanes: Vec<Lane> = of.chain(held.opens.iter().copied()).collect();
        let raw = match self.acts.altered(self.exchange, &event, &lanes) {
            Altered::Gone => return,
            Altered::Not if !is_changed => held.frame.raw.clone(),
            Altered::Not => held.frame.with_data(data).raw,
            Altered::Edited(edits) => held.frame.with_data(apply(event.bytes(), edits)).raw,
            Altered::Instead(events) => Bytes::from(events),
        };
        let mut frames = Vec::new();
        // What the last events of a stream repeat must be what was sent.
        if Frames::new().push(&raw, &mut frames).is_ok() {
            for data in frames.into_iter().filter_map(|frame| frame.data) {
                if let Ok(sent) = Document::read(data) {
                    self.exchange.progress(&sent, &mut self.progress);
                }
            }
        }
        out.push_back(raw);
    }
}
