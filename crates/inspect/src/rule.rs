//! A rule as the outside sees it.

use portcullis_core::{Channel, Family, Kind, Severity};

/// What a detector looks for, as listed by `portcullis detectors`.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) id: Kind,
    pub(crate) family: Family,
    pub(crate) severity: Severity,
    pub(crate) about: String,
    pub(crate) channels: Vec<Channel>,
}

impl Rule {
    /// The name that findings of this rule carry.
    #[must_use]
    pub fn id(&self) -> &Kind {
        &self.id
    }

    /// The kind of risk.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// How bad a finding is if it is true.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What it finds and what it misses, in a sentence or two.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The channels it is run on.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }
}

/// Why a set of rules could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The file does not have the shape of a rules file; the message names line and column.
    #[error("rules do not parse: {0}")]
    Syntax(String),
    /// One rule is wrong.
    #[error("rule {rule}: {reason}")]
    Rule {
        /// Its id.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
}
