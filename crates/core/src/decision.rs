//! What is done about a finding, and what was done with a request.

use serde::{Deserialize, Serialize};

/// What a profile says is to be done about one kind of finding. Ordered from mildest to strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing, not even a record.
    Allow,
    /// Record it and pass the text unchanged.
    Flag,
    /// Replace the value by a placeholder that is restored for the client that sent it, and for no one else.
    Mask,
    /// Replace the value for good.
    Redact,
    /// Take out what acts and leave the words around it: the target of a link, a tag, an escape sequence.
    Strip,
    /// Refuse the request or the reply.
    Block,
}

impl Action {
    /// Whether text is changed or withheld: a stream must then hold back what could still become a match.
    #[must_use]
    pub const fn changes_text(self) -> bool {
        matches!(
            self,
            Action::Mask | Action::Redact | Action::Strip | Action::Block
        )
    }
}

/// What was done with a request, as `x-portcullis-decision` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Passed unchanged.
    #[default]
    Allow,
    /// Passed unchanged because the profile only observes; it would have been changed or refused.
    Observe,
    /// Passed with values replaced.
    Redact,
    /// Refused.
    Block,
}

impl Decision {
    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Observe => "observe",
            Decision::Redact => "redact",
            Decision::Block => "block",
        }
    }
}
