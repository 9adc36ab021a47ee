//! The scan of a corpus on all cores. Each text is timed alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis_core::{Decision, Family, Kind, Span};

use super::corpus::Row;
use crate::scan::Scanner;

/// What the scan of a row said.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whether the text would be refused.
    pub blocked: bool,
    /// How surely it is an injection, 0..=1.
    pub score: f32,
    /// The kinds of injection that were found.
    pub injections: Vec<Kind>,
    /// Secrets and personal data that were found.
    pub values: Vec<(Family, Kind, Span)>,
    /// How long it took, in nanoseconds.
    pub nanos: u64,
}

/// How many rows a core takes at once: few enough that no core is left with a long tail, enough to not meet at the counter.
const TAKEN: usize = 8;

/// Scans all rows on so many cores; outcomes come in the order of the rows. `progress` is told now and then how many are
/// done.
pub fn scan(scanner: &Scanner, rows: &[Row], cores: usize, mut progress: impl FnMut(usize)) -> Vec<Outcome> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut outcomes = Vec::new();
        loop {
            let from = next.fetch_add(TAKEN, Ordering::Relaxed);
            let taken = rows.iter().enumerate().skip(from).take(TAKEN);
            if taken.len() == 0 {
                return outcomes;
            }
            for (number, row) in taken {
                outcomes.push((number, outcome(scanner, row)));
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let mut outcomes = vec![Outcome::default(); rows.len()];
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores.max(1)).map(|_| scope.spawn(work)).collect();
        while !workers.iter().all(|worker| worker.is_finished()) {
            progress(done.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_millis(20));
        }
        for worker in workers {
            match worker.join() {
                Ok(scanned) => {
                    for (number, outcome) in scanned {
                        if let Some(place) = outcomes.get_mut(number) {
                            *place = outcome;
                        }
                    }
                }
                // A scan that panics is a defect, and a figure without its rows would hide it.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    progress(rows.len());
    outcomes
}

fn outcome(scanner: &Scanner, row: &Row) -> Outcome {
    let begun = Instant::now();
    let scanned = scanner.scan(&row.text, row.channel);
    let nanos = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut outcome = Outcome {
        blocked: scanned.decision == Decision::Block,
        score: scanned.score,
        nanos,
        ..Outcome::default()
    };
    for (finding, _) in scanned.findings {
        match finding.family {
            Family::Injection => outcome.injections.push(finding.kind),
            family @ (Family::Secret | Family::Pii) => {
                outcome.values.push((family, finding.kind, finding.span));
            }
            Family::Link | Family::Output | Family::SystemPrompt | Family::Abuse | Family::Tool => {}
        }
    }
    outcome.injections.sort();
    outcome.injections.dedup();
    outcome
}
