//! Definitions of tools as they are pinned: those of servers, and those that clients offer to models.

use portcullis_core::{Action, Channel, Direction, Family, RecordedFinding, Severity, Span};
use portcullis_store::{MOST_PINNED, Pin, PinKind, PinState, PinWhy, Sighting, canonical_json};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A definition that was given just now.
pub(crate) struct Given<'a> {
    pub kind: PinKind,
    pub name: &'a str,
    pub definition: &'a Value,
    /// Whether the detectors and the profile let it pass.
    pub passes: bool,
}

impl Given<'_> {
    /// It, as it is pinned.
    pub fn sighting(&self) -> Sighting {
        let canonical = canonical_json(self.definition).or_else(|_| serde_json::to_vec(self.definition));
        let definition = canonical.unwrap_or_default();
        let folded = self.name.chars().filter(|char| char.is_alphanumeric());
        Sighting {
            kind: self.kind,
            name: self.name.to_owned(),
            folded: folded.flat_map(char::to_lowercase).collect(),
            digest: Sha256::digest(&definition).into(),
            // What nobody could read is not accepted by itself.
            is_flagged: !self.passes || definition.len() > MOST_PINNED,
            definition: match definition.len() > MOST_PINNED {
                true => definition
                    .into_iter()
                    .take(MOST_PINNED.saturating_add(1))
                    .collect(),
                false => definition,
            },
        }
    }

    /// What is recorded of one that is held.
    pub fn finding(&self, kind: &str, action: Action, rule: String) -> RecordedFinding {
        RecordedFinding {
            kind: kind.to_owned(),
            family: Family::Tool,
            severity: Severity::High,
            score: 1.0,
            direction: Direction::Input,
            channel: Channel::ToolDefinition,
            path: self.name.chars().take(100).collect(),
            span: Span::new(0, 0),
            action,
            rule,
            late: false,
        }
    }
}

/// Whether a definition may be shown to a model.
pub(crate) fn is_accepted(pin: &Pin) -> bool {
    pin.state == PinState::Accepted && pin.definition.len() <= MOST_PINNED
}

/// Why one is held, as it is recorded.
pub(crate) fn why(pin: &Pin) -> &'static str {
    match (pin.state, pin.why) {
        (PinState::Rejected, _) => "tool.rejected",
        (_, PinWhy::Shadows) => "tool.shadowed",
        (_, PinWhy::Content) => "tool.poisoned",
        (_, PinWhy::Changed | PinWhy::First) => "tool.changed",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_is_the_same_however_it_is_written() {
        let given = |definition: &Value, passes| {
            let given = Given {
                kind: PinKind::Tool,
                name: "Send_Mail",
                definition,
                passes,
            };
            given.sighting()
        };
        let (one, other) = (json!({"a": 1, "b": "x"}), json!({"b": "x", "a": 1}));
        let sight = given(&one, true);
        assert_eq!(sight.digest, given(&other, true).digest);
        assert_ne!(sight.digest, given(&json!({"a": 1, "b": "y"}), true).digest);
        assert_eq!((sight.folded.as_str(), sight.is_flagged), ("sendmail", false));
        assert!(given(&one, false).is_flagged);
        let large = json!({"a": "x".repeat(MOST_PINNED)});
        assert!(given(&large, true).is_flagged && given(&large, true).definition.len() > MOST_PINNED);
    }
}
