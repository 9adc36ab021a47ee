//! What a detector reports: a fact with a span, never a decision.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A range of bytes of one text, on character boundaries, `start <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Span {
        Span { start, end }
    }

    /// Number of bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether the span holds nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// Whether the two share at least one byte.
    #[must_use]
    pub const fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// What kind of risk a detector looks for. A profile sets an action for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Text that tries to take control of the model.
    Injection,
    /// Credentials: keys, tokens, passwords.
    Secret,
    /// Personal data.
    Pii,
    /// Links and images: what a reply makes its reader's program ask another host for.
    Link,
    /// What acts when a reply is rendered or run: scripts, markup, terminal escapes, invisible text, commands.
    Output,
    /// The gateway's or the application's own system prompt in a reply.
    SystemPrompt,
    /// What costs money without being of use: repetition, circles, replies by the dozen.
    Abuse,
    /// Tool calls that the policy does not simply let through.
    Tool,
}

impl Family {
    /// Every family.
    pub const ALL: &'static [Family] = &[
        Family::Injection,
        Family::Secret,
        Family::Pii,
        Family::Link,
        Family::Output,
        Family::SystemPrompt,
        Family::Abuse,
        Family::Tool,
    ];

    /// The name used in records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Family::Injection => "injection",
            Family::Secret => "secret",
            Family::Pii => "pii",
            Family::Link => "link",
            Family::Output => "output",
            Family::SystemPrompt => "system_prompt",
            Family::Abuse => "abuse",
            Family::Tool => "tool",
        }
    }
}

/// How bad a finding is if it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth a note.
    Low,
    /// Worth a look.
    Medium,
    /// Worth an action.
    High,
    /// Worth an alarm.
    Critical,
}

/// The name of what was found: canonical types (`EMAIL_ADDRESS`) or dotted rule names (`injection.override`).
///
/// Cheap to clone; rules from configuration carry names that are not known at compile time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kind(Arc<str>);

impl Kind {
    /// A kind of that name.
    #[must_use]
    pub fn new(name: &str) -> Kind {
        Kind(Arc::from(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A fact that a detector reports about a text. It holds no matched text, the host of a link aside, which policy must know:
/// spans point into the text it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was found.
    pub kind: Kind,
    /// What kind of risk it is.
    pub family: Family,
    /// Where, in bytes of the text that was scanned.
    pub span: Span,
    /// How bad it is if true.
    pub severity: Severity,
    /// How sure the detector is, 0..=1.
    pub score: f32,
    /// Of a link, the host that it leads to: lower case, international names in their ASCII form. `None` where it leads
    /// to none, or where programs could disagree about which. It is the author's text and goes into no record.
    pub target: Option<Arc<str>>,
}
