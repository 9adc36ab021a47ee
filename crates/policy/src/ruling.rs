//! What is done about one fact, and the setting that says so. It decides nothing itself.

use std::sync::Arc;

use portcullis_core::{Action, Channel, Direction, Family, Kind, Origin};

/// Where a finding stands and what it is: all that a rule may look at.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Which way the text travels.
    pub direction: Direction,
    /// Where the text stands.
    pub channel: Channel,
    /// Who wrote it.
    pub origin: Origin,
    /// What kind of risk was found.
    pub family: Family,
    /// What was found.
    pub kind: &'a Kind,
    /// The host that a link leads to, where that is known.
    pub target: Option<&'a str>,
}

/// An action and the setting that asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What is to be done.
    pub action: Action,
    /// The setting that says so.
    pub rule: RuleName,
}

/// The name of a setting as an operator finds it in the configuration. Cheap to clone; printed only where it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleName {
    profile: Option<Arc<str>>,
    setting: &'static str,
}

impl RuleName {
    /// A setting of a profile, as `pii.input`.
    #[must_use]
    pub fn of_profile(profile: &Arc<str>, setting: &'static str) -> RuleName {
        RuleName {
            profile: Some(Arc::clone(profile)),
            setting,
        }
    }

    /// A property of the key that was shown, as `models`.
    #[must_use]
    pub const fn of_key(setting: &'static str) -> RuleName {
        RuleName {
            profile: None,
            setting,
        }
    }
}

impl std::fmt::Display for RuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.profile {
            Some(profile) => write!(f, "profiles.{profile}.{}", self.setting),
            None => write!(f, "key.{}", self.setting),
        }
    }
}
