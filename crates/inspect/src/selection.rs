//! A set of rules to run. It knows numbers only, never rules.

use std::sync::Arc;

/// A set of rules of one [`Inspector`](crate::Inspector), made by [`Inspector::select`](crate::Inspector::select).
///
/// Cheap to clone and to ask. It means nothing to another inspector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(Arc<[u64]>);

impl Selection {
    /// The set of the numbers in `0..count` that `wanted` says yes to.
    pub(crate) fn of(count: usize, wanted: impl Fn(usize) -> bool) -> Selection {
        let word = |at: usize| {
            (0..64)
                .filter(|bit| at * 64 + bit < count && wanted(at * 64 + bit))
                .fold(0, |set, bit| set | 1 << bit)
        };
        Selection((0..count.div_ceil(64)).map(word).collect())
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

    /// Whether there is no rule in the set, so that scanning can be left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_holds_what_was_wanted_and_nothing_else() {
        let set = Selection::of(130, |rule| rule % 3 == 0);
        for rule in 0..300 {
            assert_eq!(set.has(rule), rule < 130 && rule % 3 == 0, "{rule}");
        }
        assert!(!set.is_empty());
        assert!(Selection::of(70, |_| false).is_empty());
        assert!(Selection::default().is_empty());
    }
}
