//! A set of rules to run. It knows numbers only, never rules.

use std::sync::{Arc, OnceLock};

use portcullis_core::Channel;

use crate::plan::Plan;

/// A set of rules of one [`Inspector`](crate::Inspector), made by [`Inspector::select`](crate::Inspector::select).
///
/// Cheap to clone and to ask. It means nothing to another inspector.
#[derive(Clone)]
pub struct Selection(Arc<Inner>);

struct Inner {
    rules: Rules,
    /// For each channel, what is run there on texts that all rules read, and on others; made when it is first asked for.
    plans: Vec<[OnceLock<Arc<Plan>>; 3]>,
}

/// Which rules read a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// All of them.
    All,
    /// Those that look for instructions to a model: nothing else reads what a view only guesses at.
    Instructed,
    /// Those that read what a text says rather than what it does.
    Views,
}

/// The numbers of rules, a bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Rules(Box<[u64]>);

impl Rules {
    /// The set of the numbers in `0..count` that `wanted` says yes to.
    pub(crate) fn of(count: usize, wanted: impl Fn(usize) -> bool) -> Rules {
        let word = |at: usize| {
            (0..64)
                .filter(|bit| at * 64 + bit < count && wanted(at * 64 + bit))
                .fold(0, |set, bit| set | 1 << bit)
        };
        Rules((0..count.div_ceil(64)).map(word).collect())
    }

    /// Whether the rule of that number is in the set.
    pub(crate) fn has(&self, rule: usize) -> bool {
        self.0
            .get(rule / 64)
            .is_some_and(|word| word >> (rule % 64) & 1 == 1)
    }

    /// The set itself, as bits: two sets of one inspector are equal if these are.
    pub(crate) fn words(&self) -> &[u64] {
        &self.0
    }

    /// What is in either set.
    pub(crate) fn or(&self, other: &Rules) -> Rules {
        let longest = self.0.len().max(other.0.len());
        let word = |set: &Rules, at: usize| set.0.get(at).copied().unwrap_or(0);
        Rules((0..longest).map(|at| word(self, at) | word(other, at)).collect())
    }

    /// What is in both sets.
    pub(crate) fn and(&self, other: &Rules) -> Rules {
        Rules(
            self.0
                .iter()
                .zip(&other.0)
                .map(|(one, other)| one & other)
                .collect(),
        )
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

impl Selection {
    /// The selection of these rules.
    pub(crate) fn new(rules: Rules) -> Selection {
        let plans = Channel::ALL.iter().map(|_| Default::default()).collect();
        Selection(Arc::new(Inner { rules, plans }))
    }

    /// The numbers of the rules.
    pub(crate) fn rules(&self) -> &Rules {
        &self.0.rules
    }

    /// What is run on a channel.
    pub(crate) fn plan(
        &self,
        channel: Channel,
        readers: Readers,
        make: impl FnOnce() -> Arc<Plan>,
    ) -> Option<&Arc<Plan>> {
        let plan = self.0.plans.get(channel as usize)?.get(readers as usize)?;
        Some(plan.get_or_init(make))
    }

    /// Whether there is no rule in the set, so that scanning can be left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.rules.is_empty()
    }
}

impl Default for Selection {
    fn default() -> Selection {
        Selection::new(Rules::default())
    }
}

impl PartialEq for Selection {
    fn eq(&self, other: &Selection) -> bool {
        self.rules() == other.rules()
    }
}

impl Eq for Selection {}

impl std::fmt::Debug for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Selection").field(self.rules()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_holds_what_was_wanted_and_nothing_else() {
        let set = Rules::of(130, |rule| rule % 3 == 0);
        for rule in 0..300 {
            assert_eq!(set.has(rule), rule < 130 && rule % 3 == 0, "{rule}");
        }
        let other = Rules::of(130, |rule| rule % 2 == 0);
        assert_eq!(set.and(&other), Rules::of(130, |rule| rule % 6 == 0));
        assert_eq!(
            set.or(&other),
            Rules::of(130, |rule| rule % 3 == 0 || rule % 2 == 0)
        );
        assert!(!Selection::new(set).is_empty());
        assert!(Selection::new(Rules::of(70, |_| false)).is_empty());
        assert!(Selection::default().is_empty());
    }
}
