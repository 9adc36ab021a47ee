//! Tool calls of a stream under the tool policy: which lane is the call of which tool, which may not go through, and what its events
//! become. It holds nothing back itself; the engine does.

use std::sync::Arc;

use bytes::Bytes;
use portcullis_core::Lane;
use portcullis_dialect::{Act, Altered, Body, DeniedLane, Document, Edit, Exchange, apply, lanes};

use super::engine::Stop;
use portcullis_store::Approval;

use crate::calls::{Answers, Awaited, Calls, Nth, ToolGuard, Word, written};
use crate::record::Record;

/// A call whose arguments come in a lane.
struct Open {
    lane: Lane,
    group: u32,
    name: String,
    /// Whether it was judged, by what came in the lane or by what an event had whole.
    is_judged: bool,
    told: Option<Arc<str>>,
    /// What was said of its arguments, each time with its number among the calls that say the same.
    said: Vec<(String, usize)>,
    /// Whether an event of it has left, or what takes its place.
    has_left: bool,
}

pub(super) struct Acts {
    calls: Option<Calls>,
    open: Vec<Open>,
    /// Choices of which a call goes through.
    passed: Vec<u32>,
    /// Choices of which one does not.
    denied: Vec<u32>,
    /// Calls whose arguments are whole and for which a person is waited, with their arguments.
    undecided: Vec<(Lane, String)>,
    /// Whether a person is waited for.
    waits: bool,
    /// Which calls an event has whole that is waited with: it comes again.
    numbered: Vec<Nth>,
}

/// What becomes of an event that says something of calls.
pub(super) enum Said {
    /// It goes on as it is.
    AsIs,
    /// It goes on as this.
    Without(Bytes),
    /// A person is to decide first: it is taken once more then.
    Waits,
}

impl Acts {
    pub fn new(guard: Option<Arc<ToolGuard>>) -> Acts {
        Acts {
            calls: guard.map(Calls::new),
            open: Vec::new(),
            passed: Vec::new(),
            denied: Vec::new(),
            undecided: Vec::new(),
            waits: false,
            numbered: Vec::new(),
        }
    }

    /// Whether a person is waited for: nothing leaves before.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// What is to be waited for, once.
    pub fn await_persons(&mut self) -> Option<Awaited> {
        self.calls.as_mut()?.await_persons()
    }

    /// Takes what persons said.
    pub fn answered(&mut self, answers: Answers, record: &mut Record) -> Result<(), Stop> {
        if let Some(calls) = &mut self.calls {
            calls.answered(answers, record);
        }
        self.waits = false;
        for (lane, arguments) in std::mem::take(&mut self.undecided) {
            self.judge(lane, &arguments, record)?;
        }
        Ok(())
    }

    /// Takes what an event says of calls, as `edits` leave it; the edits that take calls out of it that it holds whole.
    pub fn event(
        &mut self,
        exchange: &dyn Exchange,
        document: &Document,
        edits: &[Edit],
        record: &mut Record,
    ) -> Result<Said, Stop> {
        if self.calls.is_none() {
            return Ok(Said::AsIs);
        }
        let acts = exchange.acts(Body::Event, document);
        if acts.is_empty() {
            return Ok(Said::AsIs);
        }
        if acts
            .iter()
            .all(|act| act.arguments.is_none() && act.lane.is_some())
        {
            for act in acts {
                self.named(act);
            }
            return Ok(Said::AsIs);
        }
        // What is judged is what would be sent.
        let changed = match edits {
            [] => document.clone(),
            edits => Document::read(apply(document.bytes(), edits.to_vec())).map_err(|_| Stop::Unreadable)?,
        };
        let acts = exchange.acts(Body::Event, &changed);
        // Those that are whole are judged first: if a person is to decide about one, the event comes again.
        let mut numbered = std::mem::take(&mut self.numbered);
        for (at, act) in acts.iter().filter(|act| act.lane.is_none()).enumerate() {
            let arguments = act.arguments.map_or("", |node| written(&changed, node));
            let nth = match numbered.get(at) {
                Some(nth) => *nth,
                None => self.nth(exchange, &acts, at, &changed),
            };
            if at == numbered.len() {
                numbered.push(nth);
            }
            if matches!(self.word(&act.name, arguments, nth, record), Word::Waits) {
                self.waits = true;
            }
        }
        if self.waits {
            self.numbered = numbered;
            return Ok(Said::Waits);
        }
        let mut numbers = numbered.into_iter();
        let mut denied = Vec::new();
        for act in acts {
            let (node, group, lane) = (act.node, act.group, act.lane);
            let arguments = act.arguments.map(|node| written(&changed, node).to_owned());
            let name = act.name.clone();
            if lane.is_some() {
                self.named(act);
            }
            let told = match (lane, arguments) {
                (Some(_), None) => continue,
                (Some(lane), Some(arguments)) => {
                    self.judge(lane, &arguments, record)?;
                    continue;
                }
                (None, arguments) => {
                    // INVARIANT: each that is whole was numbered above.
                    let nth = numbers.next().ok_or(Stop::Unreadable)?;
                    self.word(&name, &arguments.unwrap_or_default(), nth, record)
                }
            };
            match told {
                Word::Told(told) => {
                    self.denied.push(group);
                    denied.push((node, told));
                }
                Word::Passes => self.passed.push(group),
                // It would have been waited for above.
                Word::Waits => return Err(Stop::Content),
            }
        }
        if denied.is_empty() {
            return Ok(Said::AsIs);
        }
        let denied: Vec<_> = denied.iter().map(|(node, told)| (*node, told.as_ref())).collect();
        let left = apply(changed.bytes(), exchange.deny(Body::Event, &changed, &denied));
        // A call that could not be taken out takes the stream with it.
        let read = Document::read(left.clone()).map_err(|_| Stop::Unreadable)?;
        let acts = |document| exchange.acts(Body::Event, document).len();
        if acts(&read).saturating_add(denied.len()) != acts(&changed) {
            return Err(Stop::Content);
        }
        Ok(Said::Without(left))
    }

    /// A tool may be named in pieces, and again.
    fn named(&mut self, act: Act) {
        let Some(lane) = act.lane else { return };
        match self.open.iter_mut().find(|open| open.lane == lane) {
            Some(open) if open.name != act.name => open.name.push_str(&act.name),
            Some(_) => {}
            None => self.open.push(Open {
                lane,
                group: act.group,
                name: act.name,
                is_judged: false,
                told: None,
                said: Vec::new(),
                has_left: false,
            }),
        }
    }

    /// Which of the calls that say the same one of those is that an event has whole.
    fn nth(&self, exchange: &dyn Exchange, acts: &[Act], at: usize, event: &Document) -> Nth {
        let said = |act: &Act| {
            let arguments = act.arguments.map_or("", |node| written(event, node));
            (act.name.clone(), arguments.to_owned())
        };
        let whole: Vec<_> = acts.iter().filter(|act| act.lane.is_none()).map(said).collect();
        let Some((own, before)) = whole.get(at).map(|own| (own, whole.iter().take(at))) else {
            return Nth::Again(0);
        };
        if exchange.lists_calls_again() {
            return Nth::Again(before.filter(|other| *other == own).count());
        }
        // Those before it in the event are judged by now.
        Nth::One(self.calls.as_ref().map_or(0, |calls| calls.count(&own.0, &own.1)))
    }

    fn word(&mut self, name: &str, arguments: &str, nth: Nth, record: &mut Record) -> Word {
        match &mut self.calls {
            Some(calls) => calls.judge(name, arguments, nth, record),
            None => Word::Passes,
        }
    }

    /// The arguments in a lane are whole: this is what would be sent of them.
    pub fn closed(&mut self, lane: Lane, text: &str, record: &mut Record) -> Result<(), Stop> {
        if self.calls.is_none() || lanes::sort(lane) != lanes::ARGUMENTS {
            return Ok(());
        }
        let known = self.open.iter().find(|open| open.lane == lane);
        if text.is_empty() && known.is_some_and(|open| open.is_judged) {
            return Ok(());
        }
        // What is no call of the client's, the provider runs.
        self.judge(lane, text, record)
    }

    fn judge(&mut self, lane: Lane, arguments: &str, record: &mut Record) -> Result<(), Stop> {
        let Some(at) = self.open.iter().position(|open| open.lane == lane) else {
            return Ok(());
        };
        let name = self
            .open
            .get(at)
            .map(|open| open.name.clone())
            .unwrap_or_default();
        let said = self.open.get(at).and_then(|open| {
            let mut said = open.said.iter();
            said.find_map(|(known, number)| (known == arguments).then_some(*number))
        });
        let number = match said {
            Some(number) => number,
            // A lane is one call, whatever another has said.
            None => {
                let calls = self.calls.as_ref();
                let number = calls.map_or(0, |calls| calls.count(&name, arguments));
                if let Some(open) = self.open.get_mut(at) {
                    open.said.push((arguments.to_owned(), number));
                }
                number
            }
        };
        let told = match self.word(&name, arguments, Nth::One(number), record) {
            Word::Passes => None,
            Word::Told(told) => Some(told),
            Word::Waits => {
                self.waits = true;
                self.undecided.push((lane, arguments.to_owned()));
                return Ok(());
            }
        };
        let Some(open) = self.open.get_mut(at) else {
            return Ok(());
        };
        if open.is_judged && open.told.is_none() && told.is_some() {
            // It was said twice, and only the other one may go through.
            if open.has_left {
                return Err(Stop::Content);
            }
            self.passed.retain({
                let mut first = Some(open.group);
                move |group| first.take_if(|first| first == group).is_none()
            });
        }
        let was = std::mem::replace(&mut open.is_judged, true);
        if open.told.is_none() {
            open.told = told;
        }
        let group = open.group;
        match (&open.told, was) {
            (Some(_), _) if !self.denied.contains(&group) => self.denied.push(group),
            (None, false) => self.passed.push(group),
            _ => {}
        }
        Ok(())
    }

    /// What a person is to be asked before what is told of it leaves.
    pub fn take_asked(&mut self) -> Vec<Approval> {
        self.calls.as_mut().map(Calls::take_asked).unwrap_or_default()
    }

    /// Whether events have to be looked at before they leave.
    pub fn alters(&self) -> bool {
        !self.denied.is_empty()
    }

    /// Notes that events of calls leave as they are.
    pub fn left(&mut self, lanes: &[Lane]) {
        for open in self.open.iter_mut().filter(|open| lanes.contains(&open.lane)) {
            open.has_left = true;
        }
    }

    /// What becomes of an event that leaves, as it would be sent; what it is about is told by `lanes`.
    pub fn altered(&mut self, exchange: &dyn Exchange, event: &Document, lanes: &[Lane]) -> Altered {
        let denied: Vec<DeniedLane<'_>> = self
            .open
            .iter()
            .filter_map(|open| {
                let told = open.told.as_deref()?;
                let is_first = !open.has_left && lanes.contains(&open.lane);
                Some(DeniedLane {
                    lane: open.lane,
                    told: is_first.then_some(told),
                })
            })
            .collect();
        let none_left = |group: u32| self.denied.contains(&group) && !self.passed.contains(&group);
        let altered = exchange.deny_event(event, &denied, &none_left);
        self.left(lanes);
        altered
    }
}
