//! A match before it is a finding, and the order among matches.

use std::cmp::Reverse;

use portcullis_core::Span;

/// A match: the number of its rule, that of its kind, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) rule: usize,
    pub(crate) kind: usize,
    /// How sure the rule is, in thousandths.
    pub(crate) rank: u16,
    pub(crate) span: Span,
}

impl Hit {
    /// Whether `self` says nothing that `other` does not say.
    pub(crate) fn is_within(&self, other: &Hit) -> bool {
        self.kind == other.kind && self.span.start >= other.span.start && self.span.end <= other.span.end
    }
}

/// Sorts matches and drops those within another of the same kind.
pub(crate) fn tidy(hits: &mut Vec<Hit>) {
    if hits.len() < 2 {
        return;
    }
    hits.sort_by_key(|hit| {
        (
            hit.kind,
            hit.span.start,
            Reverse(hit.span.end),
            Reverse(hit.rank),
            hit.rule,
        )
    });
    hits.dedup_by(|later, earlier| later.is_within(earlier));
    hits.sort_by_key(|hit| (hit.span.start, Reverse(hit.span.end), hit.rule));
}
