//! The compiled rules and the scan of whole texts.

use portcullis_core::{Channel, Finding, Located, Part};

use crate::{Rule, RuleError, Selection};

/// All rules, compiled. Immutable; share one among all threads.
#[derive(Debug)]
pub struct Inspector {
    rules: Vec<Rule>,
}

impl Inspector {
    /// The built-in rules.
    ///
    /// # Errors
    /// When a built-in rule is wrong: a defect that this crate's tests find.
    pub fn built_in() -> Result<Inspector, RuleError> {
        Ok(Inspector { rules: Vec::new() })
    }

    /// Every rule.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The set of the rules that `wanted` says yes to.
    #[must_use]
    pub fn select(&self, wanted: impl Fn(&Rule) -> bool) -> Selection {
        Selection::of(self.rules.len(), |rule| self.rules.get(rule).is_some_and(&wanted))
    }

    /// Adds what the selected rules find in a whole text.
    pub fn scan(&self, _text: &str, _channel: Channel, _selection: &Selection, _found: &mut Vec<Finding>) {}

    /// Reads all parts of a message: each part alone, and the parts of a lane also joined.
    #[must_use]
    pub fn inspect<'a, 's>(
        &self,
        _parts: impl Iterator<Item = Part<'a>>,
        _selection: impl Fn(&Part<'a>) -> &'s Selection,
    ) -> Vec<Located> {
        Vec::new()
    }
}
