//! The events of a stream that wait, and the order in which they may leave.
//!
//! Events of one group (a choice, a candidate) leave in the order they came, and wait for nothing of another group. An event that is
//! about the whole stream, or about several groups, leaves behind all that came before it, and all that follows leaves behind it.
//! Whether an event is ready to leave is not asked here.

use std::collections::VecDeque;

use portcullis_core::{Lane, PartId};
use portcullis_dialect::{About, Edit, Frame, NodeId, Reading, lanes};

/// A delta inside an event.
pub(super) struct Piece {
    pub part: PartId,
    pub lane: Lane,
    pub start: usize,
    pub len: usize,
}

/// An event that waits.
pub(super) struct Held {
    pub frame: Frame,
    /// `None` for an event without JSON (`[DONE]`).
    pub reading: Option<Reading>,
    pub pieces: Vec<Piece>,
    /// Edits of the texts that are whole in this event.
    pub edits: Vec<Edit>,
    /// Values that say the same as a text of this event.
    pub echoes: Vec<NodeId>,
    pub splittable: bool,
    /// The lanes of tool calls that this event says something of: it waits for the verdict on their arguments.
    pub opens: Vec<Lane>,
    /// What is left of the delta before this one, when that has been sent in part: the original text, to be sent before this one's.
    pub carried: String,
    /// Bytes of its one delta, with what it carries before it, that have been sent.
    pub sent: usize,
}

impl Held {
    /// An event that says nothing.
    pub fn without_json(frame: Frame) -> Held {
        Held {
            frame,
            reading: None,
            pieces: Vec::new(),
            edits: Vec::new(),
            echoes: Vec::new(),
            splittable: false,
            opens: Vec::new(),
            carried: String::new(),
            sent: 0,
        }
    }

    /// Where in its lane the text of one of its deltas begins, with what is carried.
    pub fn begins(&self, piece: &Piece) -> usize {
        piece.start.saturating_sub(self.carried.len())
    }

    /// Takes what is left of an event that was sent in part, where this is nothing but a delta that goes on with it.
    fn carry(&mut self, before: &Held) -> bool {
        let (Some(reading), [left], [piece]) = (&before.reading, &before.pieces[..], &self.pieces[..]) else {
            return false;
        };
        let goes_on = left.lane == piece.lane && left.start.saturating_add(left.len) == piece.start;
        if before.sent == 0 || !before.splittable || !self.splittable || !goes_on {
            return false;
        }
        let delta = reading.text(left.part).get(..left.len);
        let (carried, delta) = match before.sent.checked_sub(before.carried.len()) {
            Some(sent) => ("", delta.and_then(|delta| delta.get(sent..))),
            None => (before.carried.get(before.sent..).unwrap_or(""), delta),
        };
        let Some(delta) = delta else { return false };
        self.carried = [carried, delta].concat();
        true
    }

    fn weight(&self) -> usize {
        self.frame.raw.len().saturating_add(self.carried.len())
    }

    /// What the event is about, from what its dialect says: texts of another group than that would leave out of order.
    fn about(&self, said: About) -> About {
        let About::One(group) = said else {
            return About::All;
        };
        let group = lanes::group(lanes::lane(group, 0, 0));
        let mut all = self
            .pieces
            .iter()
            .map(|piece| piece.lane)
            .chain(self.opens.iter().copied());
        if all.all(|lane| lanes::group(lane) == group) {
            About::One(group)
        } else {
            About::All
        }
    }
}

/// A line of events that leave one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    /// That of a group, by its place among the groups.
    Group(usize),
    /// The events that are about the whole stream.
    Whole,
}

/// An event with its place in the stream.
struct Place {
    number: u64,
    about: About,
    held: Held,
}

#[derive(Default)]
pub(super) struct Queue {
    /// Events of each group, and how many they are together.
    groups: Vec<(u32, VecDeque<Place>)>,
    waiting: usize,
    /// An event that is about the whole stream, and all that came behind it.
    behind: VecDeque<Place>,
    bytes: usize,
    taken: u64,
}

impl Queue {
    /// Bytes of the events that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing of a group waits, or nothing at all. While something waits behind all groups, it may be of any.
    pub fn is_sent(&self, group: Option<u32>) -> bool {
        let Some(group) = group.filter(|_| self.behind.is_empty()) else {
            return self.waiting == 0 && self.behind.is_empty();
        };
        let mut lines = self.groups.iter().filter(|(other, _)| *other == group);
        lines.all(|(_, line)| line.is_empty())
    }

    /// Adds an event; the group that it is about, if it is about one.
    pub fn push(&mut self, held: Held, about: About) -> Option<u32> {
        let about = held.about(about);
        self.bytes = self.bytes.saturating_add(held.weight());
        self.taken = self.taken.saturating_add(1);
        let place = Place {
            number: self.taken,
            about,
            held,
        };
        match about {
            About::One(group) if self.behind.is_empty() => self.join(group, place),
            _ => self.behind.push_back(place),
        }
        match about {
            About::One(group) => Some(group),
            About::All => None,
        }
    }

    fn join(&mut self, group: u32, place: Place) {
        self.waiting = self.waiting.saturating_add(1);
        match self.groups.iter_mut().find(|(other, _)| *other == group) {
            Some((_, line)) => line.push_back(place),
            None => self.groups.push((group, VecDeque::from([place]))),
        }
    }

    /// Whether no group has an event that waits: what is about the whole stream may leave.
    pub fn is_between(&self) -> bool {
        self.waiting == 0
    }

    /// The line of a group.
    pub fn line(&self, group: u32) -> Option<Line> {
        let at = self.groups.iter().position(|(other, _)| *other == group);
        at.map(Line::Group)
    }

    /// When the event at the front of a line came.
    pub fn number(&self, line: Line) -> Option<u64> {
        let Line::Group(at) = line else { return None };
        Some(self.groups.get(at)?.1.front()?.number)
    }

    /// The lines of all groups.
    pub fn lines(&self) -> impl Iterator<Item = Line> + use<> {
        (0..self.groups.len()).map(Line::Group)
    }

    /// The event at the front of a line. Of those about the whole stream, nothing is at the front while a group has one.
    pub fn front(&self, line: Line) -> Option<&Held> {
        let place = match line {
            Line::Group(at) => self.groups.get(at)?.1.front(),
            Line::Whole if self.waiting == 0 => self.behind.front(),
            Line::Whole => None,
        };
        place.map(|place| &place.held)
    }

    /// Takes the event at the front of a line; what only waited behind it moves up.
    pub fn pop(&mut self, line: Line) -> Option<Held> {
        let place = match line {
            Line::Group(at) => {
                let place = self.groups.get_mut(at)?.1.pop_front()?;
                self.waiting = self.waiting.saturating_sub(1);
                place
            }
            Line::Whole if self.waiting == 0 => self.behind.pop_front()?,
            Line::Whole => return None,
        };
        self.bytes = self.bytes.saturating_sub(place.held.weight());
        if line == Line::Whole {
            self.move_up();
        }
        Some(place.held)
    }

    /// Notes how much of the event at the front of a line was sent.
    pub fn sent(&mut self, line: Line, bytes: usize) {
        if let Some(place) = self.places(line).and_then(VecDeque::front_mut) {
            place.held.sent = bytes;
        }
    }

    /// Gives what is left of the event at the front of a line to the one behind it, if that can carry it: as many events leave then
    /// as came, and none says twice what it says besides its text.
    pub fn carry(&mut self, line: Line) {
        let Some(places) = self.places(line) else { return };
        let mut two = places.iter_mut().take(2);
        let (Some(front), Some(next)) = (two.next(), two.next()) else {
            return;
        };
        if !next.held.carry(&front.held) {
            return;
        }
        let gone = front.held.weight();
        let grown = next.held.carried.len();
        places.pop_front();
        self.bytes = self.bytes.saturating_sub(gone).saturating_add(grown);
        if let Line::Group(_) = line {
            self.waiting = self.waiting.saturating_sub(1);
        }
    }

    fn places(&mut self, line: Line) -> Option<&mut VecDeque<Place>> {
        match line {
            Line::Group(at) => self.groups.get_mut(at).map(|(_, line)| line),
            Line::Whole => Some(&mut self.behind),
        }
    }

    fn move_up(&mut self) {
        while let Some(About::One(group)) = self.behind.front().map(|place| place.about) {
            if let Some(place) = self.behind.pop_front() {
                self.join(group, place);
            }
        }
    }
}
