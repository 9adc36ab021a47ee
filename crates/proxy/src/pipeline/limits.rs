//! How much a reply may say: a number of characters, and how often the same. What goes beyond is cut off; what was said stays.
//!
//! Whether a limit is one to act on is the profile's to say: this finds, asks for the ruling and cuts.

use portcullis_core::{
    Action, Channel, Direction, Family, Finding, Kind, Lane, Located, Part, PartId, Severity, Span,
};
use portcullis_dialect::{Body, Cut, Document, Edit, Exchange, Reading, apply};
use portcullis_inspect::Loops;
use portcullis_policy::{Facts, Profile, decide};

use crate::gateway::Guard;
use crate::record::Record;

const LENGTH: &str = "output.length";
const LOOP: &str = "output.loop";

/// The limits of one reply, and how far it has come.
pub(super) struct Limits {
    /// Characters that may still be said. `None` is any number, or that it was told already that they are exceeded.
    left: Option<u64>,
    /// Characters of repetition that pass; `None` as above.
    most_repeated: Option<usize>,
    /// The texts that are open, so at most as many as a stream may have open at once.
    followed: Vec<(Lane, Loops)>,
    reached: bool,
}

impl Limits {
    pub fn of(profile: &Profile) -> Limits {
        let output = &profile.output;
        let set = |most: u32| (most > 0).then_some(most);
        Limits {
            left: set(output.max_chars).map(u64::from),
            most_repeated: set(output.max_repeated).and_then(|most| usize::try_from(most).ok()),
            followed: Vec::new(),
            reached: false,
        }
    }

    /// Whether the reply has said all that it may.
    pub fn are_reached(&self) -> bool {
        self.reached
    }

    /// The beginning of a part that may pass. A limit that is reached is recorded.
    pub fn pass<'r>(
        &mut self,
        guard: &Guard,
        reading: &Reading,
        part: &Part<'r>,
        lane: Lane,
        record: &mut Record,
    ) -> &'r str {
        if self.reached {
            return "";
        }
        let (text, mut end) = (part.text, part.text.len());
        for kind in [LOOP, LENGTH] {
            let at = match kind {
                LOOP => self.loops_at(lane, text),
                _ => self.longer_than(text),
            };
            let Some(at) = at else { continue };
            if rule(guard, reading, part, kind, at, record).changes_text() {
                self.reached = true;
                end = end.min(at);
            }
        }
        text.get(..end).unwrap_or("")
    }

    /// Nothing more comes of a text.
    pub fn ended(&mut self, lane: Lane) {
        if let Some(at) = self.followed.iter().position(|(other, _)| *other == lane) {
            self.followed.swap_remove(at);
        }
    }

    /// The edits that leave of an event what may pass: `passed` bytes of each part. It does not say why the reply finished either: it did not.
    pub fn end(
        exchange: &dyn Exchange,
        reading: &Reading,
        passed: &[(PartId, usize)],
        edits: &mut Vec<Edit>,
    ) {
        for (part, passed) in passed {
            let all = reading.text(*part).len();
            if *passed < all {
                edits.push(reading.edit(*part, Span::new(*passed, all), ""));
            }
        }
        let document = reading.document();
        edits.extend(exchange.finishes(document).into_iter().map(|node| Edit {
            range: document.range(node),
            text: "null".to_owned(),
        }));
    }

    fn loops_at(&mut self, lane: Lane, text: &str) -> Option<usize> {
        let most = self.most_repeated?;
        let known = self.followed.iter().position(|(other, _)| *other == lane);
        if known.is_none() {
            self.followed.push((lane, Loops::new(most)));
        }
        let at = known.unwrap_or(self.followed.len().saturating_sub(1));
        let found = self.followed.get_mut(at)?.1.push(text);
        if found.is_some() {
            // Told once is enough, where nothing is cut.
            self.most_repeated = None;
            self.followed.clear();
        }
        found
    }

    fn longer_than(&mut self, text: &str) -> Option<usize> {
        let left = self.left?;
        let chars = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        if let Some(left) = left.checked_sub(chars) {
            self.left = Some(left);
            return None;
        }
        self.left = None;
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        Some(text.char_indices().nth(left).map_or(text.len(), |(at, _)| at))
    }
}

/// Asks what is done about a limit that is reached, and records it.
fn rule(
    guard: &Guard,
    reading: &Reading,
    part: &Part<'_>,
    kind: &'static str,
    at: usize,
    record: &mut Record,
) -> Action {
    let located = Located {
        part: part.id,
        piece: 0,
        channel: part.channel,
        origin: part.origin,
        finding: Finding {
            kind: Kind::new(kind),
            family: Family::Output,
            span: Span::new(at, part.text.len()),
            severity: Severity::Medium,
            score: 1.0,
            target: None,
        },
    };
    let facts = Facts {
        direction: Direction::Output,
        principal_models: &[],
        model: None,
        system_prompt_from_client: false,
        findings: std::slice::from_ref(&located),
        uninspectable: &[],
    };
    let verdict = decide(&guard.profile, &facts);
    record.audit.decision = record.audit.decision.max(verdict.decision);
    let Some(ruling) = verdict.rulings.first() else {
        return Action::Allow;
    };
    record.found(Direction::Output, &located, ruling.action, &ruling.rule, || {
        reading.path(part.id)
    });
    ruling.action
}

/// A whole reply with what it may say, where it says more. `edits` are what is changed in it for other reasons.
pub(super) fn shortened(
    guard: &Guard,
    exchange: &dyn Exchange,
    reading: &Reading,
    edits: &[Edit],
    record: &mut Record,
) -> Option<String> {
    let mut limits = Limits::of(&guard.profile);
    let document = reading.document();
    let request_id = record.audit.request_id.to_string();
    let cut = |text| Cut {
        request_id: &request_id,
        text,
    };
    exchange.shortened(document, &cut(""))?;
    let (last, end) = reading
        .parts()
        .filter(|part| is_said(part.channel))
        .find_map(|part| {
            let lane = Lane(u64::from(part.id.0));
            let text = limits.pass(guard, reading, &part, lane, record);
            limits.ended(lane);
            limits.are_reached().then_some((part.id, text.len()))
        })?;
    let text = said_until(exchange, reading, edits, last, end);
    exchange.shortened(document, &cut(&text))
}

/// Whether the model says what stands in that channel of a reply.
const fn is_said(channel: Channel) -> bool {
    matches!(
        channel,
        Channel::Assistant | Channel::Reasoning | Channel::Refusal | Channel::ToolCall
    )
}

/// The text of a reply up to a place in one of its parts, with everything changed in it that is to be changed.
fn said_until(
    exchange: &dyn Exchange,
    reading: &Reading,
    edits: &[Edit],
    last: PartId,
    end: usize,
) -> String {
    let cut = reading.edit(last, Span::new(end, reading.text(last).len()), "");
    // What takes the place of a value stands whole or not at all.
    let over = |edit: &&Edit| edit.range.start < cut.range.start && edit.range.end > cut.range.start;
    let start = edits
        .iter()
        .find(over)
        .map_or(cut.range.start, |edit| edit.range.end);
    let gone = start..cut.range.end.max(start);
    let mut all: Vec<Edit> = edits
        .iter()
        .filter(|edit| edit.range.end <= gone.start || edit.range.start >= gone.end)
        .cloned()
        .collect();
    all.push(Edit {
        range: gone,
        text: String::new(),
    });
    let Ok(document) = Document::read(apply(reading.document().bytes(), all)) else {
        return String::new();
    };
    let reading = Reading::of(document, |place| exchange.label(Body::Reply, place));
    let others = exchange
        .alternatives()
        .map(|list| (format!("{list}["), format!("{list}[0]")));
    let is_first = |part: &Part<'_>| {
        let path = reading.path(part.id);
        others
            .as_ref()
            .is_none_or(|(list, first)| !path.starts_with(list.as_str()) || path.starts_with(first.as_str()))
    };
    let parts = reading.parts().take_while(|part| part.id <= last);
    parts
        .filter(|part| part.channel == Channel::Assistant && is_first(part))
        .map(|part| part.text)
        .collect()
}
