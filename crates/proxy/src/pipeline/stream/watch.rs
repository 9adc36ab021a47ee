//! A stream's answers and tool calls, held to their schemas: each when it is whole. It holds nothing back itself; the engine does.

use std::sync::Arc;

use portcullis_core::{Channel, Lane};
use portcullis_dialect::{Body, Document, Edit, Exchange, Reading, apply, lanes};

use super::super::terms::{Terms, Unfit, note};
use super::engine::Stop;
use crate::gateway::Guard;
use crate::record::Record;

/// Bytes of answers that are kept to be checked when they are whole. What is longer does not fit.
const KEPT: usize = 2 * portcullis_schema::MAX_TEXT;

/// What is known of a tool call.
struct Call {
    lane: Lane,
    names: Vec<String>,
    /// Whether its arguments came whole and were checked.
    is_checked: bool,
}

pub(super) struct Watch {
    terms: Option<Arc<Terms>>,
    calls: Vec<Call>,
    /// Answers as they were sent, where they are not held.
    said: Vec<(Lane, String)>,
    kept: usize,
    /// What was noted: the same is said by several events of some dialects.
    noted: Vec<Unfit>,
    /// Whether the reply does something besides answering: it need not answer then.
    acts: bool,
}

impl Watch {
    pub fn new(terms: Option<Arc<Terms>>) -> Watch {
        Watch {
            terms,
            calls: Vec::new(),
            said: Vec::new(),
            kept: 0,
            noted: Vec::new(),
            acts: false,
        }
    }

    /// Whether a lane's text is held until it is whole.
    pub fn holds(&self, lane: Lane) -> bool {
        lanes::sort(lane) == lanes::TEXT && self.terms.as_ref().is_some_and(|terms| terms.holds_answers())
    }

    /// Whether a lane's text is to be told as it is sent.
    pub fn listens(&self) -> bool {
        self.terms
            .as_ref()
            .is_some_and(|terms| terms.has_answers() && !terms.holds_answers())
    }

    /// Takes what an event says of calls, and checks what it holds whole, as `edits` leave it.
    pub fn event(
        &mut self,
        guard: &Guard,
        exchange: &dyn Exchange,
        reading: &Reading,
        edits: &[Edit],
        record: &mut Record,
    ) -> Result<(), Stop> {
        let Some(terms) = self.terms.clone() else {
            return Ok(());
        };
        let document = reading.document();
        let calls = exchange.calls(Body::Event, document);
        self.acts |= !calls.is_empty()
            || reading.parts().any(|part| {
                matches!(part.channel, Channel::Refusal | Channel::ToolCall) && !part.text.is_empty()
            });
        for called in &calls {
            let Some(lane) = called.lane else { continue };
            let is_whole = called.arguments.is_some();
            match self.calls.iter_mut().find(|call| call.lane == lane) {
                Some(call) if is_whole => call.is_checked = true,
                Some(call) if !called.name.is_empty() => call.names.push(called.name.clone()),
                Some(_) => {}
                None => self.calls.push(Call {
                    lane,
                    names: vec![called.name.clone()],
                    is_checked: is_whole,
                }),
            }
        }
        let is_whole = calls
            .iter()
            .any(|called| called.arguments.is_some() || called.lane.is_none());
        if !is_whole && exchange.answers(Body::Event, document).is_empty() {
            return Ok(());
        }
        let changed = match edits {
            [] => None,
            edits => {
                Some(Document::read(apply(document.bytes(), edits.to_vec())).map_err(|_| Stop::Unreadable)?)
            }
        };
        let names = |lane| {
            let call = self.calls.iter().find(|call| call.lane == lane);
            call.map_or(&[][..], |call| &call.names)
        };
        let found = terms.unfit(exchange, Body::Event, changed.as_ref().unwrap_or(document), names);
        self.note(guard, found, record)
    }

    /// A held lane has ended: this is what would be sent of it.
    pub fn closed(&mut self, guard: &Guard, lane: Lane, text: &str, record: &mut Record) -> Result<(), Stop> {
        let Some(terms) = self.terms.clone() else {
            return Ok(());
        };
        let (unfit, channel, path) = match lanes::sort(lane) {
            lanes::TEXT if self.holds(lane) && !(text.is_empty() && self.acts) => {
                (terms.answer(text), Channel::Assistant, "the answer")
            }
            lanes::ARGUMENTS => {
                let call = self.calls.iter().find(|call| call.lane == lane);
                let Some(call) = call.filter(|call| !(call.is_checked && text.is_empty())) else {
                    return Ok(());
                };
                (
                    terms.arguments(&call.names, text),
                    Channel::ToolCall,
                    "a tool call's arguments",
                )
            }
            _ => return Ok(()),
        };
        let found = unfit.map(|unfit| (unfit, channel, path.to_owned()));
        self.note(guard, found.into_iter().collect(), record)
    }

    /// Keeps what was sent of answers.
    pub fn sent(&mut self, reading: &Reading) {
        for part in reading.parts() {
            let Some(lane) = part.lane.filter(|lane| lanes::sort(*lane) == lanes::TEXT) else {
                continue;
            };
            if !reading.is_delta(part.id) || self.kept > KEPT {
                continue;
            }
            self.kept = self.kept.saturating_add(part.text.len());
            match self.said.iter_mut().find(|(other, _)| *other == lane) {
                Some((_, said)) => said.push_str(part.text),
                None => self.said.push((lane, part.text.to_owned())),
            }
        }
    }

    /// The stream has ended: what was sent is checked.
    pub fn finish(&mut self, guard: &Guard, record: &mut Record) -> Result<(), Stop> {
        let Some(terms) = self.terms.clone() else {
            return Ok(());
        };
        let acts = self.acts;
        let said = std::mem::take(&mut self.said).into_iter();
        let found = said
            .filter(|(_, text)| !(text.is_empty() && acts))
            .filter_map(|(_, text)| terms.answer(&text))
            .map(|unfit| (unfit, Channel::Assistant, "the answer".to_owned()));
        let found = found.collect();
        self.note(guard, found, record)
    }

    fn note(
        &mut self,
        guard: &Guard,
        mut found: Vec<(Unfit, Channel, String)>,
        record: &mut Record,
    ) -> Result<(), Stop> {
        found.retain(|(unfit, ..)| !self.noted.contains(unfit));
        if found.is_empty() {
            return Ok(());
        }
        self.noted.extend(found.iter().map(|(unfit, ..)| unfit.clone()));
        let fit = note(guard, &found, false, record);
        record.audit.decision = record.audit.decision.max(fit.decision);
        if fit.is_refused {
            Err(Stop::Content)
        } else {
            Ok(())
        }
    }
}
