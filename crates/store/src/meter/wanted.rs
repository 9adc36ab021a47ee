//! What is asked of one meter for a request: the limits of everybody who names it, read once.

use portcullis_core::Limits;

use super::Budget;
use super::meters::{Limited, MeterId};
use super::state::Strictest;

/// When to come back for a budget that cannot be read.
const UNREADABLE_RETRY_MS: u64 = 3_600_000;

/// A meter and all limits that apply there.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) meter: MeterId,
    pub(super) strictest: Strictest,
    pub(super) budgets: Vec<Budget>,
}

/// What is asked of each meter once, in the order given; the error of one whose budget cannot be read.
pub(super) fn wanted<'a>(
    limits: &'a [(MeterId, &'a Limits)],
) -> impl Iterator<Item = Result<Wanted, Limited>> + 'a {
    let first = move |at: usize, id: &MeterId| !limits.iter().take(at).any(|(before, _)| before == id);
    let each = limits.iter().enumerate();
    each.filter(move |(at, (id, _))| first(*at, id))
        .map(move |(at, (id, _))| {
            let own = || {
                let rest = limits.iter().skip(at).filter(|(other, _)| other == id);
                rest.map(|(_, limits)| *limits)
            };
            let budgets = own().filter_map(|limits| limits.budget.as_ref());
            let budgets = budgets
                .map(|budget| budget.parse::<Budget>())
                .collect::<Result<Vec<_>, _>>();
            Ok(Wanted {
                meter: id.clone(),
                strictest: Strictest::of(own()),
                // Configuration and `create_key` both check it, so it was tampered with.
                budgets: budgets.map_err(|_| Limited::Budget {
                    meter: id.clone(),
                    retry_after_ms: UNREADABLE_RETRY_MS,
                })?,
            })
        })
}
