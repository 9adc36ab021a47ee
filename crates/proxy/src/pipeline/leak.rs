//! The system prompt of a request, kept until its reply has been compared with it. It decides nothing.
//!
//! A stream is held from where it says something of the prompt until that has ended, and no further: almost no reply says
//! anything of it, and what does is a few words. When it comes to a leak, nothing of the stretch that completes it has gone.

use std::collections::HashSet;
use std::sync::Arc;

use portcullis_core::{Action, Channel, Finding, Lane, Located, Part, PartId, Span};
use portcullis_dialect::Reading;
use portcullis_inspect::leak::{Prompt, Reader, Trace};
use portcullis_policy::Mode;

use super::inserted::is_instruction;
use super::instruct::Instructed;
use crate::gateway::Guard;

/// A system prompt, and what was said of it before the reply.
pub(crate) struct Confided {
    prompt: Prompt,
    trace: Trace,
    /// Whether a leak ends a stream, so that it is reported at once and not when the stretch has ended.
    ends: bool,
}

impl Confided {
    /// What a request confides to the model. Nothing where the profile does not ask, or where it has no system prompt.
    /// `earlier` are the instructions of earlier turns that the provider keeps.
    pub(super) fn of(
        guard: &Guard,
        reading: &Reading,
        instructed: Option<&Instructed>,
        earlier: &[Arc<str>],
    ) -> Option<Confided> {
        let action = guard.profile.system_prompt.leak;
        if action == Action::Allow {
            return None;
        }
        let on = |wanted: fn(Channel) -> bool| reading.parts().filter(move |part| wanted(part.channel));
        let marker = instructed.and_then(|instructed| instructed.marker.as_deref());
        let prompt = Prompt::new(instructions(reading, instructed, earlier), marker)?;
        let mut trace = prompt.trace();
        for part in on(|channel| channel == Channel::User) {
            prompt.concede(part.text, &mut trace);
        }
        for part in on(|channel| channel == Channel::Assistant) {
            prompt.recall(part.text, &mut trace);
        }
        Some(Confided {
            prompt,
            trace,
            ends: ends(guard),
        })
    }

    /// What the request behind a stored reply confided, as far as the provider repeats it beside the reply: it may have been
    /// withheld when it was made, and is asked for again.
    pub fn repeated(guard: &Guard, reading: &Reading) -> Option<Confided> {
        if guard.profile.system_prompt.leak == Action::Allow {
            return None;
        }
        let repeated = reading.parts().filter(|part| is_instruction(part.channel));
        let prompt = Prompt::new(repeated.map(|part| part.text), None)?;
        Some(Confided {
            trace: prompt.trace(),
            prompt,
            ends: ends(guard),
        })
    }

    /// What a whole reply says of the prompt, if that is a leak.
    pub fn leaks(&self, reading: &Reading) -> Vec<Located> {
        let mut trace = self.trace.clone();
        read(&self.prompt, &mut trace, reading.parts())
    }

    /// The same for a reply that comes piece by piece.
    pub fn listen(self) -> Listening {
        Listening {
            said: self.trace.clone(),
            confided: self,
            lanes: Vec::new(),
        }
    }
}

/// So much of the instructions of a stored conversation is kept: a few thousand words.
const KEPT: usize = 32 * 1024;

/// Everything that instructs the model, for later turns of a conversation that the provider keeps.
pub(super) fn kept(reading: &Reading, instructed: Option<&Instructed>, earlier: &[Arc<str>]) -> Arc<str> {
    let (mut all, mut known, mut left) = (Vec::new(), HashSet::new(), KEPT);
    for text in instructions(reading, instructed, earlier).flat_map(|text| text.split("\n\n")) {
        // The same instructions come with every turn.
        if !known.insert(text) {
            continue;
        }
        match left.checked_sub(text.len()) {
            Some(rest) => left = rest,
            None => break,
        }
        all.push(text);
    }
    all.join("\n\n").into()
}

fn instructions<'t>(
    reading: &'t Reading,
    instructed: Option<&'t Instructed>,
    earlier: &'t [Arc<str>],
) -> impl Iterator<Item = &'t str> {
    let own = instructed.and_then(|instructed| instructed.prompt.as_deref());
    let sent = reading.parts().filter(|part| is_instruction(part.channel));
    let earlier = earlier.iter().map(|text| &**text);
    own.into_iter().chain(sent.map(|part| part.text)).chain(earlier)
}

fn ends(guard: &Guard) -> bool {
    guard.profile.system_prompt.leak == Action::Block && guard.profile.mode == Mode::Enforce
}

fn read<'a>(prompt: &Prompt, trace: &mut Trace, parts: impl Iterator<Item = Part<'a>>) -> Vec<Located> {
    let mut found: Vec<(Part<'a>, Span)> = Vec::new();
    for part in parts.filter(|part| !is_instruction(part.channel) && part.channel != Channel::Identifier) {
        found.extend(prompt.read(part.text, trace).into_iter().map(|span| (part, span)));
    }
    let Some(leak) = trace.leak() else {
        return Vec::new();
    };
    let locate = |(part, span): (Part<'a>, Span)| Located {
        part: part.id,
        piece: 0,
        channel: part.channel,
        origin: part.origin,
        finding: trace.finding(leak, span),
    };
    found.into_iter().map(locate).collect()
}

/// A streamed reply that is compared with the prompt.
pub(crate) struct Listening {
    confided: Confided,
    /// What all texts of the stream together said.
    said: Trace,
    lanes: Vec<Listener>,
}

struct Listener {
    lane: Lane,
    reader: Reader,
    /// Stretches that have ended and are not reported.
    ended: Vec<Span>,
    /// Lane offset up to which the text may go.
    gone: usize,
}

impl Listening {
    /// Reads a delta. Adds what is found; returns the lane offset up to which the text may go.
    pub fn push(&mut self, lane: Lane, text: &str, found: &mut Vec<Finding>) -> usize {
        let at = self.at(lane);
        let Listening {
            confided,
            said,
            lanes,
        } = self;
        let Some(listener) = lanes.get_mut(at) else {
            return 0;
        };
        let gone = listener
            .reader
            .push(&confided.prompt, said, text, &mut listener.ended);
        let open = listener.reader.open().filter(|_| confided.ends);
        listener.report(said, open, found);
        listener.gone = gone;
        gone
    }

    /// A lane has ended: what is open in it is as long as it will be.
    pub fn end(&mut self, lane: Lane, found: &mut Vec<Finding>) {
        let Listening {
            confided,
            said,
            lanes,
        } = self;
        if let Some(listener) = lanes.iter_mut().find(|other| other.lane == lane) {
            listener
                .reader
                .finish(&confided.prompt, said, &mut listener.ended);
            listener.report(said, None, found);
        }
    }

    /// What texts that are whole in themselves say: the last events of a stream often repeat all of it, so they are read as
    /// if nothing had come before.
    pub fn whole(&self, reading: &Reading, within: impl Fn(PartId) -> bool) -> Vec<Located> {
        let mut trace = self.confided.trace.clone();
        let parts = reading.parts().filter(|part| within(part.id));
        read(&self.confided.prompt, &mut trace, parts)
    }

    fn at(&mut self, lane: Lane) -> usize {
        if let Some(at) = self.lanes.iter().position(|other| other.lane == lane) {
            return at;
        }
        self.lanes.push(Listener {
            lane,
            reader: Reader::default(),
            ended: Vec::new(),
            gone: 0,
        });
        self.lanes.len().saturating_sub(1)
    }
}

impl Listener {
    /// Reports the stretches that have ended, once there is a leak: what is not gone of them, or that they went.
    fn report(&mut self, said: &Trace, open: Option<Span>, found: &mut Vec<Finding>) {
        let Some(leak) = said.leak() else { return };
        let gone = self.gone;
        let stretches = self.ended.drain(..).chain(open);
        let left = stretches.map(|span| match span.end > gone {
            true => Span::new(span.start.max(gone), span.end),
            false => span,
        });
        found.extend(left.map(|span| said.finding(leak, span)));
    }
}
