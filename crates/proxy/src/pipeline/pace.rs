//! What costs money without being of use is slowed: the same request over and over, a conversation whose tool calls go in circles,
//! replies asked for by the dozen. What a profile says of it is done; only requests to which a model replies are looked at.

use portcullis_core::{
    Action, Channel, Direction, Family, Finding, Kind, Located, Origin, PartId, Severity, Span,
};
use portcullis_dialect::Reading;
use portcullis_policy::{Abuse, Facts, decide};

use super::label::Labelled;
use super::parse::Asked;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal};

/// Messages of the longest round that is looked for, calls and results.
const ROUND: usize = 32;

/// A request that does not come too often.
pub(crate) struct Paced {
    asked: Asked,
    reading: Reading,
}

impl Paced {
    pub(super) fn into_parts(self) -> (Asked, Reading) {
        (self.asked, self.reading)
    }
}

pub(super) fn pace(gw: &Gateway, request: Labelled, record: &mut Record) -> Result<Paced, Refusal> {
    let (asked, reading) = request.into_parts();
    if let Some(allowance) = asked.exchange.allowance(reading.document()) {
        let pace = Pace {
            gw,
            asked: &asked,
            reading: &reading,
            abuse: &asked.guard.profile.abuse,
        };
        pace.choices(allowance.texts, record)?;
        pace.repeated(record)?;
        pace.looping(record)?;
    }
    record.left("pace");
    Ok(Paced { asked, reading })
}

struct Pace<'a> {
    gw: &'a Gateway,
    asked: &'a Asked,
    reading: &'a Reading,
    abuse: &'a Abuse,
}

impl Pace<'_> {
    fn choices(&self, asked_for: u64, record: &mut Record) -> Result<(), Refusal> {
        let most = self.abuse.choices;
        if most == 0 || asked_for <= u64::from(most) {
            return Ok(());
        }
        match self.rule("abuse.choices", None, record) {
            Action::Block => Err(Refusal::TooManyChoices(most)),
            _ => Ok(()),
        }
    }

    fn repeated(&self, record: &mut Record) -> Result<(), Refusal> {
        let exchange = self.asked.exchange;
        let what = (
            self.asked.principal.key.as_str(),
            exchange.id(),
            &self.asked.parameters,
            &self.reading.document().bytes()[..],
        );
        if self.abuse.repeated == Action::Allow {
            return Ok(());
        }
        self.limit(
            "abuse.repeated",
            None,
            ("repeated", what),
            self.abuse.repeated_rpm,
            record,
        )
    }

    fn looping(&self, record: &mut Record) -> Result<(), Refusal> {
        if self.abuse.looping == Action::Allow {
            return Ok(());
        }
        let times = usize::try_from(self.abuse.looping_calls).unwrap_or(usize::MAX);
        let Some((round, part)) = self.round(times) else {
            return Ok(());
        };
        let what = (
            "looping",
            self.asked.principal.key.as_str(),
            self.asked.exchange.id(),
            round,
        );
        self.limit("abuse.looping", Some(part), what, self.abuse.looping_rpm, record)
    }

    fn limit(
        &self,
        kind: &'static str,
        part: Option<PartId>,
        what: impl std::hash::Hash,
        per_minute: u32,
        record: &mut Record,
    ) -> Result<(), Refusal> {
        let Some(wait) = self.gw.services.repeats.exceeds(what, per_minute, now_ms()) else {
            return Ok(());
        };
        match self.rule(kind, part, record) {
            Action::Block => Err(Refusal::Repeated(wait)),
            _ => Ok(()),
        }
    }

    /// Of a conversation in which the same calls with the same results came so often in a row, a fingerprint of the round and its
    /// last text.
    fn round(&self, times: usize) -> Option<(Vec<u64>, PartId)> {
        if times == 0 {
            return None;
        }
        let repeats = &self.gw.services.repeats;
        let of_tools = |channel| matches!(channel, Channel::ToolCall | Channel::ToolResult);
        let parts: Vec<(PartId, u64)> = self
            .reading
            .parts()
            .filter(|part| of_tools(part.channel))
            .map(|part| (part.id, repeats.fingerprint((part.channel, part.text))))
            .collect();
        // Most conversations end here: where a call is repeated so often, its last text is.
        let (last, text) = *parts.last()?;
        if parts.iter().filter(|(_, other)| *other == text).count() < times {
            return None;
        }
        let longest = times.saturating_mul(ROUND).saturating_mul(4);
        let mut messages: Vec<(String, Vec<u64>)> = Vec::new();
        for (part, text) in parts.iter().skip(parts.len().saturating_sub(longest)) {
            let place = message(&self.reading.path(*part));
            match messages.last_mut().filter(|(before, _)| *before == place) {
                Some((_, texts)) => texts.push(*text),
                None => messages.push((place, vec![*text])),
            }
        }
        let messages: Vec<u64> = messages
            .iter()
            .map(|(_, texts)| repeats.fingerprint(texts))
            .collect();
        let round = circle(&messages, times)?;
        Some((round.to_vec(), last))
    }

    /// Asks what is done about it, and records it.
    fn rule(&self, kind: &'static str, part: Option<PartId>, record: &mut Record) -> Action {
        let channel = part.map_or(Channel::Unknown, |_| Channel::ToolCall);
        let located = Located {
            part: part.unwrap_or(PartId(0)),
            piece: 0,
            channel,
            origin: part.map_or(Origin::Unknown, |_| channel.origin()),
            finding: Finding {
                kind: Kind::new(kind),
                family: Family::Abuse,
                span: Span::new(0, 0),
                severity: Severity::Medium,
                score: 1.0,
                target: None,
            },
        };
        let facts = Facts {
            direction: Direction::Input,
            principal_models: &[],
            model: None,
            system_prompt_from_client: false,
            findings: std::slice::from_ref(&located),
            uninspectable: &[],
        };
        let verdict = decide(&self.asked.guard.profile, &facts);
        record.audit.decision = record.audit.decision.max(verdict.decision);
        let Some(ruling) = verdict.rulings.first() else {
            return Action::Allow;
        };
        record.found(
            Direction::Input,
            &located,
            ruling.action,
            &ruling.rule,
            || match part {
                Some(part) => self.reading.path(part),
                None => "the request".to_owned(),
            },
        );
        ruling.action
    }
}

/// The message that a place is in: what is before its first index, and the index.
fn message(path: &str) -> String {
    let end = path.find(']').map_or(path.len(), |at| at.saturating_add(1));
    path.get(..end).unwrap_or(path).to_owned()
}

/// The shortest round that is at the end of a sequence `times` in a row.
fn circle(all: &[u64], times: usize) -> Option<&[u64]> {
    (1..=ROUND).find_map(|length| {
        let whole = length.checked_mul(times)?;
        let tail = all.get(all.len().checked_sub(whole)?..)?;
        let (first, rest) = (tail.get(..length)?, tail.get(length..)?);
        rest.chunks(length).all(|round| round == first).then_some(first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_circles() {
        for (all, times, round) in [
            (&[1, 2, 3, 3, 3][..], 3, Some(&[3][..])),
            (&[1, 2, 3, 3, 3], 4, None),
            (&[9, 1, 2, 1, 2, 1, 2], 3, Some(&[1, 2])),
            (&[1, 2, 1, 2, 1], 2, Some(&[2, 1])),
            (&[1, 2, 1, 2, 9], 2, None),
            (&[], 1, None),
            (&[4], 1, Some(&[4])),
        ] {
            assert_eq!(circle(all, times), round, "{all:?}");
        }
    }

    #[test]
    fn the_message_of_a_place() {
        assert_eq!(message("messages[3].tool_calls[0].function.name"), "messages[3]");
        assert_eq!(message("input[12].arguments"), "input[12]");
        assert_eq!(message("prompt"), "prompt");
    }
}
