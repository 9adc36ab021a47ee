//! Texts that stand in event after event (ids, names, roles) and in which nothing was found: they are not read again.
//!
//! Nothing but channel, origin and text decides what is found in a text that continues nothing, so the same text is as clean in the
//! next event. It remembers a few short ones; whatever it does not know is read.

use portcullis_core::{Channel, Origin, Part};

/// Texts that are remembered: more than stand around a delta in any dialect.
const KNOWN: usize = 16;

/// Bytes of a text that is remembered.
const LONGEST: usize = 64;

#[derive(Default)]
pub(super) struct Calm {
    known: Vec<(Channel, Origin, String)>,
    /// The one that is given up next.
    oldest: usize,
}

impl Calm {
    /// Whether nothing was found in that text before.
    pub fn knows(&self, part: &Part<'_>) -> bool {
        part.lane.is_none()
            && self.known.iter().any(|(channel, origin, text)| {
                *channel == part.channel && *origin == part.origin && text == part.text
            })
    }

    /// Nothing was found in a text.
    pub fn note(&mut self, part: &Part<'_>) {
        if part.text.len() > LONGEST || part.lane.is_some() || self.knows(part) {
            return;
        }
        if self.known.len() < KNOWN {
            self.known.push((part.channel, part.origin, part.text.to_owned()));
            return;
        }
        if let Some((channel, origin, text)) = self.known.get_mut(self.oldest) {
            (*channel, *origin) = (part.channel, part.origin);
            text.clear();
            text.push_str(part.text);
        }
        self.oldest = self.oldest.saturating_add(1) % KNOWN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_core::{Lane, PartId};

    #[test]
    fn a_text_is_known_where_it_stood_and_for_a_while() {
        let part = |text: &'static str, channel: Channel| Part {
            id: PartId(0),
            channel,
            origin: channel.origin(),
            lane: None,
            text,
        };
        let mut calm = Calm::default();
        let id = part("chatcmpl-1", Channel::Identifier);
        calm.note(&id);
        assert!(calm.knows(&id));
        assert!(!calm.knows(&part("chatcmpl-1", Channel::Assistant)));
        assert!(!calm.knows(&part("chatcmpl-2", Channel::Identifier)));
        let lane = Some(Lane(7));
        assert!(!calm.knows(&Part { lane, ..id }));
        let long = part(
            "a text of more than sixty-four bytes, which nobody says in every event of a stream",
            Channel::Identifier,
        );
        calm.note(&long);
        assert!(!calm.knows(&long));
        for text in [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o",
        ] {
            calm.note(&part(text, Channel::Identifier));
        }
        assert!(calm.knows(&id));
        calm.note(&part("p", Channel::Identifier));
        assert!(!calm.knows(&id) && calm.knows(&part("p", Channel::Identifier)));
    }
}
