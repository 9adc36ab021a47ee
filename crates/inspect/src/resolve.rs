//! Among findings of one family that claim the same text, which one is reported.
//!
//! A finding that lies within another of its family is dropped if the other is surer, or as sure and longer or earlier in
//! the rules. So the union of what is reported never changes: what would be redacted does not depend on it.

use std::cmp::Reverse;

use portcullis_core::Family;

use crate::hit::Hit;

/// Hits are in order of start, so what covers one stands near it. How far is looked is bounded, or many hits on one place
/// would cost the square of their number.
const NEIGHBOURS: usize = 32;

/// Drops hits that a better one of the same family covers. They come in order of start, the longer first.
pub(crate) fn resolve(hits: &mut Vec<Hit>, family: impl Fn(&Hit) -> Option<Family>) {
    if hits.len() < 2 {
        return;
    }
    let all = std::mem::take(hits);
    for (at, hit) in all.iter().enumerate() {
        let from = at.saturating_sub(NEIGHBOURS);
        let mut near = all.iter().skip(from).take(2 * NEIGHBOURS);
        if !near.any(|other| covers(other, hit) && family(other) == family(hit)) {
            hits.push(*hit);
        }
    }
}

fn covers(better: &Hit, hit: &Hit) -> bool {
    let within = hit.span.start >= better.span.start && hit.span.end <= better.span.end;
    let rank = |hit: &Hit| (hit.rank, hit.span.len(), Reverse(hit.rule));
    within && rank(better) > rank(hit)
}

#[cfg(test)]
mod tests {
    use portcullis_core::Span;

    use super::*;

    #[test]
    fn the_surest_of_those_that_claim_a_text_is_left() {
        let hit = |rule, rank, start, end| Hit {
            rule,
            kind: rule,
            rank,
            span: Span::new(start, end),
        };
        let left = |mut hits: Vec<Hit>| {
            resolve(&mut hits, |hit| {
                Some(if hit.rule < 10 {
                    Family::Pii
                } else {
                    Family::Secret
                })
            });
            hits.iter().map(|hit| hit.rule).collect::<Vec<_>>()
        };
        assert_eq!(
            left(vec![hit(1, 600, 0, 9), hit(2, 1000, 0, 9)]),
            [2],
            "the same text, surer"
        );
        assert_eq!(
            left(vec![hit(1, 900, 0, 9), hit(2, 900, 0, 9)]),
            [1],
            "as sure, earlier in the rules"
        );
        assert_eq!(
            left(vec![hit(1, 900, 0, 9), hit(2, 900, 3, 6)]),
            [1],
            "as sure, longer"
        );
        assert_eq!(
            left(vec![hit(1, 600, 0, 9), hit(2, 900, 3, 6)]),
            [1, 2],
            "what covers is kept, or text would be left"
        );
        assert_eq!(left(vec![hit(1, 900, 0, 6), hit(2, 900, 3, 9)]), [1, 2]);
        assert_eq!(
            left(vec![hit(1, 900, 0, 9), hit(11, 900, 0, 9)]),
            [1, 11],
            "of different families"
        );
    }
}
