//! Figures over values: secrets and personal data with exact places.
//!
//! Precision is over what was found, recall over what stands there; *exact* means the same first and last byte,
//! *overlap* one byte in common, *typed* the same name as well. Each family is measured on the files that label it:
//! elsewhere what is found may be right and cannot be told.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use portcullis_core::{Family, Span};
use serde::Serialize;

use super::corpus::{Gold, Row};
use super::scanning::Outcome;
use super::statistics::{Rate, rounded};

/// Precision, recall, and their harmonic mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shares {
    /// What was found and is right.
    pub precision: Rate,
    /// What stands there and was found.
    pub recall: Rate,
}

impl Shares {
    /// The harmonic mean of both; nothing where nothing is right.
    #[must_use]
    pub fn f1(self) -> f64 {
        let (precision, recall) = (
            self.precision.share().unwrap_or(0.0),
            self.recall.share().unwrap_or(0.0),
        );
        match precision + recall > 0.0 {
            true => 2.0 * precision * recall / (precision + recall),
            false => 0.0,
        }
    }
}

impl Serialize for Shares {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told {
            precision: Rate,
            recall: Rate,
            f1: f64,
        }
        Told {
            precision: self.precision,
            recall: self.recall,
            f1: rounded(self.f1()),
        }
        .serialize(serializer)
    }
}

/// How well places were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// First and last byte are right.
    pub exact: Shares,
    /// They and the name are.
    pub exact_typed: Shares,
    /// One byte is in common.
    pub overlap: Shares,
    /// It is and the name is right.
    pub overlap_typed: Shares,
}

/// How well one type was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TypeScore {
    /// First and last byte are right.
    pub exact: Shares,
    /// One byte is in common. Precision counts what stands there by any name.
    pub overlap: Shares,
}

/// How well the values of one family were found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FamilyScore {
    /// How many texts.
    pub rows: usize,
    /// In all.
    pub all: Score,
    /// Values every byte of which was found: what redaction needs.
    pub covered: Rate,
    /// Texts without any value in which something was found.
    pub false_rows: Rate,
    /// By type.
    pub types: BTreeMap<String, TypeScore>,
    /// By the surroundings that the corpus names.
    pub slices: BTreeMap<String, Score>,
}

/// What the families of labelled types are.
pub(super) struct Families<'a> {
    /// Of the types that some rule finds.
    pub(super) known: &'a dyn Fn(&str) -> Option<Family>,
    /// Types that count as neither required nor wrong.
    pub(super) dropped: &'a HashSet<String>,
}

impl Families<'_> {
    /// By the rules; where no rule finds such a thing, by what the corpus says its row is about.
    fn of(&self, gold: &Gold, row: &Row) -> Option<Family> {
        (self.known)(&gold.kind).or(match row.kind.as_deref() {
            Some("secret") => Some(Family::Secret),
            Some("pii") => Some(Family::Pii),
            _ => None,
        })
    }
}

/// The scores by family, and the labelled types of which nobody can tell the family.
pub(super) fn score(
    rows: &[(&Row, &Outcome)],
    families: &Families<'_>,
) -> (BTreeMap<&'static str, FamilyScore>, BTreeSet<String>) {
    let mut labelled: HashSet<(&str, Family)> = HashSet::new();
    let mut unclear = BTreeSet::new();
    for (row, gold) in rows
        .iter()
        .flat_map(|(row, _)| row.spans.iter().flatten().map(move |gold| (row, gold)))
    {
        match families.of(gold, row) {
            Some(family) => {
                labelled.insert((&row.file, family));
            }
            None => {
                unclear.insert(gold.kind.clone());
            }
        }
    }
    let mut scores: BTreeMap<&'static str, FamilyScore> = BTreeMap::new();
    for (row, outcome) in rows {
        let Some(spans) = &row.spans else { continue };
        for family in [Family::Secret, Family::Pii] {
            if labelled.contains(&(&*row.file, family)) {
                let score = scores.entry(family.name()).or_default();
                Reading::of(row, spans, outcome, family, families).count(score, row.slice.as_deref());
            }
        }
    }
    (scores, unclear)
}

/// One text, one family: what stands there and what was found.
struct Reading<'a> {
    gold: Vec<&'a Gold>,
    found: Vec<Found<'a>>,
}

/// A place that was found, with all names it was given.
struct Found<'a> {
    span: Span,
    names: Vec<&'a str>,
}

impl<'a> Reading<'a> {
    fn of(
        row: &Row,
        spans: &'a [Gold],
        outcome: &'a Outcome,
        family: Family,
        families: &Families<'_>,
    ) -> Reading<'a> {
        let counts = |gold: &&Gold| !gold.ignore && !families.dropped.contains(&gold.kind);
        let gold: Vec<&Gold> = spans
            .iter()
            .filter(counts)
            .filter(|gold| families.of(gold, row) == Some(family))
            .collect();
        let ignored: Vec<&Gold> = spans.iter().filter(|gold| !counts(gold)).collect();
        let mut found: Vec<Found<'a>> = Vec::new();
        for (_, kind, span) in outcome.values.iter().filter(|(of, ..)| *of == family) {
            match found.iter_mut().find(|known| known.span == *span) {
                Some(known) => known.names.push(kind.as_str()),
                None => found.push(Found {
                    span: *span,
                    names: vec![kind.as_str()],
                }),
            }
        }
        // What lies for the most part on what may be found or not is neither right nor wrong.
        found.retain(|found| {
            let shared = |other: &&Gold| common(found.span, other.span);
            gold.iter().any(|gold| gold.span.overlaps(found.span))
                || ignored.iter().map(shared).sum::<usize>() * 2 < found.span.len().max(1)
        });
        Reading { gold, found }
    }

    fn count(&self, score: &mut FamilyScore, slice: Option<&str>) {
        score.rows += 1;
        if self.gold.is_empty() {
            score.false_rows.add(!self.found.is_empty());
        }
        let mut places = vec![&mut score.all];
        if let Some(slice) = slice {
            places.push(score.slices.entry(slice.to_owned()).or_default());
        }
        for place in places {
            self.gold.iter().for_each(|gold| self.recall(gold, place));
            self.found.iter().for_each(|found| self.precision(found, place));
        }
        for gold in &self.gold {
            score.covered.add(self.is_covered(gold.span));
            let kind = score.types.entry(gold.kind.clone()).or_default();
            kind.exact.recall.add(self.is_found(gold, exactly, false));
            kind.overlap.recall.add(self.is_found(gold, roughly, false));
        }
        for found in &self.found {
            for name in &found.names {
                let kind = score.types.entry((*name).to_owned()).or_default();
                kind.exact.precision.add(self.is_right(found, exactly, false));
                kind.overlap.precision.add(self.is_right(found, roughly, false));
            }
        }
    }

    fn recall(&self, gold: &Gold, score: &mut Score) {
        score.exact.recall.add(self.is_found(gold, exactly, false));
        score.exact_typed.recall.add(self.is_found(gold, exactly, true));
        score.overlap.recall.add(self.is_found(gold, roughly, false));
        score.overlap_typed.recall.add(self.is_found(gold, roughly, true));
    }

    fn precision(&self, found: &Found<'_>, score: &mut Score) {
        score.exact.precision.add(self.is_right(found, exactly, false));
        score
            .exact_typed
            .precision
            .add(self.is_right(found, exactly, true));
        score.overlap.precision.add(self.is_right(found, roughly, false));
        score
            .overlap_typed
            .precision
            .add(self.is_right(found, roughly, true));
    }

    fn is_found(&self, gold: &Gold, meets: Meets, typed: bool) -> bool {
        self.found.iter().any(|found| agree(gold, found, meets, typed))
    }

    fn is_right(&self, found: &Found<'_>, meets: Meets, typed: bool) -> bool {
        self.gold.iter().any(|gold| agree(gold, found, meets, typed))
    }

    fn is_covered(&self, span: Span) -> bool {
        let mut spans: Vec<Span> = self.found.iter().map(|found| found.span).collect();
        spans.sort_unstable();
        let reached = |at: usize, next: &Span| if next.start <= at { at.max(next.end) } else { at };
        spans.iter().fold(span.start, reached) >= span.end
    }
}

type Meets = fn(Span, Span) -> bool;

fn exactly(one: Span, other: Span) -> bool {
    one == other
}

fn roughly(one: Span, other: Span) -> bool {
    one.overlaps(other)
}

fn agree(gold: &Gold, found: &Found<'_>, meets: Meets, typed: bool) -> bool {
    meets(gold.span, found.span) && (!typed || found.names.contains(&gold.kind.as_str()))
}

fn common(one: Span, other: Span) -> usize {
    one.end.min(other.end).saturating_sub(one.start.max(other.start))
}

impl Shares {
    /// For a table: precision, recall and their mean with three digits.
    #[must_use]
    pub fn told(self) -> [String; 3] {
        let told = |rate: Rate| rate.share().map_or("-".to_owned(), |share| format!("{share:.3}"));
        // Found under other names only: there is a recall and nothing to tell of precision.
        let one_sided = self.recall.of == 0 || (self.precision.of == 0 && self.recall.count > 0);
        let f1 = match one_sided {
            true => "-".to_owned(),
            false => format!("{:.3}", self.f1()),
        };
        [told(self.precision), told(self.recall), f1]
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::Kind;

    use super::*;
    use crate::eval::{corpus::Label, texts::tests::row};

    fn gold(kind: &str, start: usize, end: usize) -> Gold {
        Gold {
            kind: kind.to_owned(),
            span: Span::new(start, end),
            ignore: false,
        }
    }

    fn text(spans: Vec<Gold>) -> Row {
        Row {
            label: None,
            spans: Some(spans),
            kind: Some("secret".into()),
            slice: Some("plain".into()),
            ..row(Label::Benign)
        }
    }

    fn found(values: &[(&str, usize, usize)]) -> Outcome {
        let value = |(kind, start, end): &(&str, usize, usize)| {
            (Family::Secret, Kind::new(kind), Span::new(*start, *end))
        };
        Outcome {
            values: values.iter().map(value).collect(),
            ..Outcome::default()
        }
    }

    fn scored(rows: &[(Row, Outcome)], dropped: &[&str]) -> FamilyScore {
        let dropped = dropped.iter().map(|name| (*name).to_owned()).collect();
        let families = Families {
            known: &|_| None,
            dropped: &dropped,
        };
        let rows: Vec<_> = rows.iter().map(|(row, outcome)| (row, outcome)).collect();
        let (mut scores, unclear) = score(&rows, &families);
        assert!(unclear.is_empty());
        scores.remove("secret").unwrap()
    }

    #[test]
    fn exact_overlapping_and_typed_are_told_apart() {
        let rows = [(
            text(vec![gold("A", 0, 10), gold("B", 20, 30), gold("C", 40, 50)]),
            found(&[("A", 0, 10), ("X", 20, 30), ("C", 45, 60), ("C", 70, 80)]),
        )];
        let score = scored(&rows, &[]);
        let shares = |shares: Shares| (shares.precision.count, shares.recall.count);
        assert_eq!(shares(score.all.exact), (2, 2));
        assert_eq!(shares(score.all.exact_typed), (1, 1));
        assert_eq!(shares(score.all.overlap), (3, 3));
        assert_eq!(shares(score.all.overlap_typed), (2, 2));
        assert_eq!(
            (score.all.overlap.precision.of, score.all.overlap.recall.of),
            (4, 3)
        );
        assert_eq!(score.covered, Rate { count: 2, of: 3 });
        assert_eq!(score.types["C"].overlap.precision, Rate { count: 1, of: 2 });
        assert_eq!(score.slices["plain"], score.all);
    }

    #[test]
    fn what_may_be_found_or_not_is_neither_right_nor_wrong() {
        let ignored = Gold {
            ignore: true,
            ..gold("A", 0, 10)
        };
        let rows = [(
            text(vec![ignored, gold("P", 20, 30), gold("B", 40, 50)]),
            found(&[("A", 0, 10), ("P", 20, 30), ("A", 8, 40), ("B", 40, 50)]),
        )];
        let score = scored(&rows, &["P"]);
        assert_eq!(score.all.overlap.recall, Rate { count: 1, of: 1 });
        assert_eq!(score.all.overlap.precision, Rate { count: 1, of: 2 });
    }

    #[test]
    fn two_names_for_one_place_are_one_find_and_pieces_cover_together() {
        let rows = [
            (text(vec![gold("A", 0, 10)]), found(&[("A", 0, 10), ("B", 0, 10)])),
            (text(vec![gold("A", 0, 10)]), found(&[("A", 5, 10), ("B", 0, 5)])),
            (text(vec![]), found(&[("A", 0, 3)])),
            (text(vec![]), found(&[])),
        ];
        let score = scored(&rows, &[]);
        assert_eq!(score.all.overlap.precision, Rate { count: 3, of: 4 });
        assert_eq!(score.covered, Rate { count: 2, of: 2 });
        assert_eq!(score.false_rows, Rate { count: 1, of: 2 });
    }

    #[test]
    fn a_family_is_measured_on_files_that_label_it() {
        let mut clean = text(vec![]);
        clean.file = "other".into();
        let rows = [
            (text(vec![gold("A", 0, 10)]), found(&[("A", 0, 10)])),
            (clean, found(&[("A", 0, 3)])),
        ];
        let score = scored(&rows, &[]);
        assert_eq!(
            (score.rows, score.all.overlap.precision),
            (1, Rate { count: 1, of: 1 })
        );
    }
}
