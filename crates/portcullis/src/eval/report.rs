//! Everything that a measurement says, as a value: `--json` writes it down, the table tells the most of it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use portcullis_core::Family;
use serde::Serialize;

use super::corpus::{Label, Row};
use super::scanning::Outcome;
use super::spans::{Families, FamilyScore, score};
use super::texts::{Group, TARGETS, Threshold, Thresholds, Wrong, is_wrong};

/// What a measurement says.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Over all texts.
    pub all: Group,
    /// The scores that so small a share of all harmless texts reaches.
    pub thresholds: Thresholds,
    /// By data set.
    pub sources: BTreeMap<String, Group>,
    /// By what the texts are.
    pub labels: BTreeMap<String, Group>,
    /// By where they stand.
    pub channels: BTreeMap<String, Group>,
    /// By language.
    pub languages: BTreeMap<String, Group>,
    /// Values, by family.
    pub values: BTreeMap<&'static str, FamilyScore>,
    /// Types that the corpora label and of which neither a rule nor the corpus tells the family; they are left out.
    pub unclear_types: BTreeSet<String>,
    /// Some of the texts that were judged wrongly.
    pub wrong: Vec<Wrong>,
}

/// What a report is to hold besides its figures.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// How many wrongly judged texts of each label.
    pub errors: usize,
    /// With their words.
    pub show_text: bool,
    /// Types that count as neither required nor wrong.
    pub dropped: HashSet<String>,
}

impl Report {
    /// Of rows and what the scan said about each. `known` tells the family of the types that rules find.
    #[must_use]
    pub fn new(
        rows: &[Row],
        outcomes: &[Outcome],
        known: &dyn Fn(&str) -> Option<Family>,
        wanted: &Wanted,
    ) -> Report {
        let all = || rows.iter().zip(outcomes);
        let texts = || all().filter(|(row, _)| row.label.is_some());
        let thresholds: Thresholds = TARGETS
            .iter()
            .map(|(name, share)| (*name, Threshold::choose(texts(), *share)))
            .collect();
        let by = |name: &dyn Fn(&Row) -> Option<String>| {
            let mut groups: BTreeMap<String, Vec<(&Row, &Outcome)>> = BTreeMap::new();
            for (row, outcome) in texts() {
                if let Some(name) = name(row) {
                    groups.entry(name).or_default().push((row, outcome));
                }
            }
            let group = |(name, rows): (String, Vec<_>)| (name, Group::over(rows.into_iter(), &thresholds));
            groups.into_iter().map(group).collect()
        };
        let families = Families {
            known,
            dropped: &wanted.dropped,
        };
        let pairs: Vec<_> = all().collect();
        let (values, unclear_types) = score(&pairs, &families);
        let wrong = Label::ALL.iter().flat_map(|label| {
            let wrong = texts()
                .filter(|(row, outcome)| row.label == Some(*label) && is_wrong(row, outcome))
                .map(|(row, outcome)| Wrong::new(row, outcome, wanted.show_text))
                .collect();
            spread(wrong, wanted.errors)
        });
        Report {
            all: Group::over(all(), &thresholds),
            sources: by(&|row| Some(row.source.to_string())),
            labels: by(&|row| Some(row.label?.name().to_owned())),
            channels: by(&|row| Some(row.channel.name().to_owned())),
            languages: by(&|row| row.lang.as_deref().map(str::to_owned)),
            values,
            unclear_types,
            wrong: wrong.collect(),
            thresholds,
        }
    }
}

/// So many of them from all over the corpus rather than from its beginning.
fn spread<T>(items: Vec<T>, count: usize) -> Vec<T> {
    let (length, mut taken) = (items.len(), 0);
    let mut take = |at: usize| {
        let due = taken < count && at * count >= taken * length;
        taken += usize::from(due);
        due
    };
    items
        .into_iter()
        .enumerate()
        .filter_map(|(at, item)| take(at).then_some(item))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_many_come_from_all_over() {
        assert_eq!(spread((0..100).collect(), 4), [0, 25, 50, 75]);
        assert_eq!(spread((0..3).collect(), 5), [0, 1, 2]);
        assert_eq!(spread((0..3).collect(), 0), Vec::<i32>::new());
    }
}
