//! How often the same was asked of late: a rate for each fingerprint of a request, in memory of bounded size.
//!
//! It says when something comes too often, not what becomes of it. Each process counts for itself, and what is forgotten where
//! there is no more room passes as if it were new.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::{Mutex, PoisonError};

const SHARDS: usize = 16;
/// Fingerprints of one shard: some hundred KiB in all.
const ROOM: usize = 4096;
const MINUTE_MS: u64 = 60_000;

/// The requests of the last minute, by fingerprint.
pub struct Repeats {
    keyed: RandomState,
    /// By fingerprint, when its allowance is whole again.
    shards: [Mutex<HashMap<u64, u64>>; SHARDS],
}

impl Default for Repeats {
    fn default() -> Repeats {
        Repeats {
            keyed: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl Repeats {
    /// Counts one more of what `what` identifies; where there were more than `per_minute`, the milliseconds until one more passes.
    pub(crate) fn exceeds(&self, what: impl Hash, per_minute: u32, now_ms: u64) -> Option<u64> {
        let fingerprint = self.fingerprint(what);
        let index = usize::try_from(fingerprint).unwrap_or(0) % SHARDS;
        let mut shard = self
            .shards
            .get(index)?
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= ROOM && !shard.contains_key(&fingerprint) {
            shard.retain(|_, whole_again| *whole_again > now_ms);
            if shard.len() >= ROOM {
                shard.clear();
            }
        }
        // The generic cell rate algorithm: each request moves the time on by its share of a minute, up to a minute ahead.
        let share = MINUTE_MS / u64::from(per_minute.max(1));
        let whole_again = shard.entry(fingerprint).or_insert(0);
        let next = (*whole_again).max(now_ms).saturating_add(share);
        let wait = next.saturating_sub(now_ms.saturating_add(MINUTE_MS.max(share)));
        if wait > 0 {
            return Some(wait);
        }
        *whole_again = next;
        None
    }

    /// A number for a value, other in every process.
    pub(crate) fn fingerprint(&self, what: impl Hash) -> u64 {
        self.keyed.hash_one(what)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn so_many_pass_and_then_one_at_a_time() {
        let repeats = Repeats::default();
        let at = 1_000_000;
        for _ in 0..6 {
            assert_eq!(repeats.exceeds("a", 6, at), None);
        }
        assert_eq!(repeats.exceeds("a", 6, at), Some(10_000));
        assert_eq!(
            repeats.exceeds("a", 6, at + 4_000),
            Some(6_000),
            "who is refused is not charged"
        );
        assert_eq!(repeats.exceeds("b", 6, at), None, "another one is not concerned");
        assert_eq!(repeats.exceeds("a", 6, at + 10_000), None);
        assert!(repeats.exceeds("a", 6, at + 10_000).is_some());
        for _ in 0..6 {
            assert_eq!(
                repeats.exceeds("a", 6, at + 80_000),
                None,
                "a minute later all pass"
            );
        }
    }

    #[test]
    fn one_a_minute() {
        let repeats = Repeats::default();
        assert_eq!(repeats.exceeds(1, 1, 5), None);
        assert_eq!(repeats.exceeds(1, 1, 5), Some(60_000));
        assert_eq!(repeats.exceeds(1, 1, 60_005), None);
    }

    #[test]
    fn memory_is_bounded_and_who_is_refused_stays_so_while_others_come_and_go() {
        let repeats = Repeats::default();
        for number in 0..1_000_000u64 {
            repeats.exceeds(("other", number), 60, number);
        }
        let kept: usize = repeats
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap().len())
            .sum();
        assert!(kept <= SHARDS * ROOM, "{kept}");
    }
}
