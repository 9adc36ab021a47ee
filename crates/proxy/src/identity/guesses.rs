//! How often a source may be wrong about who it is. Whoever is right is let in all the same: many may sit behind one address, and
//! nobody can lock out a key by guessing at it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Sources that are remembered at least; twice as many at most, some 3 MiB.
const REMEMBERED: usize = 32 * 1024;

/// How many wrong credentials a source may show before it is told to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessLimit {
    /// A minute, for as long as it likes.
    pub per_minute: u32,
    /// At once.
    pub burst: u32,
}

impl Default for GuessLimit {
    fn default() -> GuessLimit {
        GuessLimit {
            per_minute: 10,
            burst: 20,
        }
    }
}

/// When each source will have paid for its guesses, in milliseconds since 1970. Two generations: where the young one is full it becomes the
/// old one, and what was old is forgotten.
#[derive(Default)]
struct Table {
    young: HashMap<u128, u64>,
    old: HashMap<u128, u64>,
}

/// Sources that were wrong of late.
#[derive(Default)]
pub struct Guesses(Mutex<Table>);

impl Guesses {
    /// Notes a wrong credential. Where there were too many: milliseconds until another would be looked at as one.
    pub(crate) fn wrong(&self, source: IpAddr, limit: GuessLimit, now_ms: u64) -> Option<u64> {
        let each = 60_000u64.checked_div(u64::from(limit.per_minute))?.max(1);
        let most = each.saturating_mul(u64::from(limit.burst.max(1)));
        let name = name(source);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = table.young.get(&name).or_else(|| table.old.get(&name));
        let paid = known.copied().unwrap_or(0).max(now_ms).saturating_add(each);
        let over = paid.saturating_sub(now_ms.saturating_add(most));
        if over > 0 {
            return Some(over);
        }
        if table.young.len() >= REMEMBERED && !table.young.contains_key(&name) {
            table.old = std::mem::take(&mut table.young);
        }
        table.young.insert(name, paid);
        None
    }
}

/// What counts as one source: an address of IPv4, a network of 64 bits of IPv6, which is the least that a household has.
fn name(source: IpAddr) -> u128 {
    match source.to_canonical() {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => (u128::from(address) >> 64 << 64) | 1 << 63,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_then_the_rate_and_each_source_for_itself() {
        let (guesses, limit) = (Guesses::default(), GuessLimit::default());
        let now = 1_000_000;
        for _ in 0..20 {
            assert_eq!(guesses.wrong(ip("192.0.2.1"), limit, now), None);
        }
        assert_eq!(guesses.wrong(ip("192.0.2.1"), limit, now), Some(6000));
        // The same address in the other notation is the same source, and its neighbour is another.
        assert!(guesses.wrong(ip("::ffff:192.0.2.1"), limit, now).is_some());
        assert_eq!(guesses.wrong(ip("192.0.2.2"), limit, now), None);
        // What is refused does not make the wait longer.
        assert_eq!(guesses.wrong(ip("192.0.2.1"), limit, now + 5999), Some(1));
        assert_eq!(guesses.wrong(ip("192.0.2.1"), limit, now + 6000), None);
        assert_eq!(guesses.wrong(ip("192.0.2.1"), limit, now + 6000), Some(6000));
        // A clock that goes back does not lock anybody out for longer than a burst takes to be paid.
        assert!(guesses.wrong(ip("192.0.2.1"), limit, 0).is_some());
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let guesses = Guesses::default();
        let limit = GuessLimit {
            per_minute: 1,
            burst: 1,
        };
        assert_eq!(guesses.wrong(ip("2001:db8::1"), limit, 0), None);
        assert!(guesses.wrong(ip("2001:db8::ffff:1"), limit, 0).is_some());
        assert_eq!(guesses.wrong(ip("2001:db8:0:1::1"), limit, 0), None);
    }

    #[test]
    fn the_table_is_bounded_and_keeps_who_came_last() {
        let guesses = Guesses::default();
        let limit = GuessLimit {
            per_minute: 1,
            burst: 1,
        };
        for number in 0..200_000u32 {
            guesses.wrong(IpAddr::from(number.to_be_bytes()), limit, 0);
        }
        let table = guesses.0.lock().unwrap();
        assert!(table.young.len() <= REMEMBERED && table.old.len() <= REMEMBERED);
        drop(table);
        let last = IpAddr::from(199_999u32.to_be_bytes());
        assert!(guesses.wrong(last, limit, 0).is_some());
    }

    #[test]
    fn no_limit_where_none_is_wanted() {
        let guesses = Guesses::default();
        let limit = GuessLimit {
            per_minute: 0,
            burst: 1,
        };
        for _ in 0..1000 {
            assert_eq!(guesses.wrong(ip("192.0.2.1"), limit, 0), None);
        }
    }
}
