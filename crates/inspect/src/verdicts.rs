//! Verdicts by content: a conversation is sent whole on every turn, and only what is new in it is scanned.
//!
//! A verdict is found again by a keyed 128-bit hash of the text, its channel and the rules that were run, so the same
//! text under another profile or on another channel is another entry. Nothing of a text is kept. It belongs to one
//! [`Inspector`](crate::Inspector), that is to one set of rules; another set has its own. What a short text costs is
//! less than looking it up, so [`WORTH`] bounds it below.
//!
//! Memory is bounded: each shard has a young and an old generation. What is asked for moves to the young one; when that
//! is full the old one is dropped. A flood of texts that never come again drives out what is not asked for meanwhile.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use portcullis_core::Channel;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::{Selection, hit::Hit};

/// Texts shorter than this are scanned every time: a look-up costs about what their scan does, and names and ids would drive
/// out what is worth remembering.
pub(crate) const WORTH: usize = 64;

/// Threads that look up different texts seldom meet at one lock of so many.
const SHARDS: usize = 16;

/// What an entry without findings takes: key, pointer and counts, and the table's own room at its emptiest.
const ENTRY: usize = 112;

/// Hits of texts that were scanned before.
pub(crate) struct Verdicts {
    /// Random, and different in every process: without it nobody can make two texts of one hash.
    key: [u8; 16],
    /// What the young generation of a shard may take, in bytes.
    room: usize,
    shards: Vec<Mutex<Shard>>,
}

/// How much a cache holds and how often it helped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Texts whose verdict was known.
    pub hits: u64,
    /// Texts that were long enough to be kept and had to be scanned.
    pub misses: u64,
    /// Verdicts held now.
    pub entries: usize,
    /// What they take, in bytes.
    pub bytes: usize,
}

/// What a verdict is found by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(u128);

type Generation = HashMap<Key, Arc<[Hit]>, BuildHasherDefault<Folded>>;

#[derive(Default)]
struct Shard {
    young: Generation,
    old: Generation,
    /// What the generations take.
    young_bytes: usize,
    old_bytes: usize,
    hits: u64,
    misses: u64,
}

impl Verdicts {
    /// A cache that takes no more than about `bytes`.
    pub(crate) fn new(key: [u8; 16], bytes: usize) -> Verdicts {
        Verdicts {
            key,
            room: bytes / SHARDS / 2,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// The key of a text under rules. Where the text was joined from parts, each brings its channel and its rules.
    pub(crate) fn key<'s>(&self, text: &str, read_by: impl Iterator<Item = (Channel, &'s Selection)>) -> Key {
        // With one round a block instead of two an internal collision still has a probability below 2^-128 (Dobraunig,
        // Mendel, Schläffer: Differential Cryptanalysis of SipHash), and no hash ever leaves this module.
        let mut hasher = SipHasher13::new_with_key(&self.key);
        // Each part of what is hashed ends where nothing of the next can be taken for it.
        hasher.write_usize(text.len());
        hasher.write(text.as_bytes());
        for (channel, selection) in read_by {
            hasher.write_usize(channel as usize);
            hasher.write_usize(selection.rules().words().len());
            selection
                .rules()
                .words()
                .iter()
                .for_each(|word| hasher.write_u64(*word));
        }
        Key(hasher.finish128().as_u128())
    }

    /// What was found in the text of that key, if it was scanned before.
    pub(crate) fn known(&self, key: Key) -> Option<Arc<[Hit]>> {
        let (known, dropped) = {
            let mut shard = self.shard(key)?;
            let known = shard.young.get(&key).map(Arc::clone);
            match known.or_else(|| shard.old.get(&key).map(Arc::clone)) {
                Some(known) => {
                    shard.hits += 1;
                    let dropped = shard.put(key, &known, self.room);
                    (Some(known), dropped)
                }
                None => {
                    shard.misses += 1;
                    (None, Generation::default())
                }
            }
        };
        // Outside the lock: thousands of verdicts may go.
        drop(dropped);
        known
    }

    /// Keeps what was found in the text of that key.
    pub(crate) fn keep(&self, key: Key, hits: &[Hit]) {
        let dropped = self
            .shard(key)
            .map(|mut shard| shard.put(key, &Arc::from(hits), self.room));
        drop(dropped);
    }

    pub(crate) fn stats(&self) -> CacheStats {
        let mut stats = CacheStats::default();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            stats.hits += shard.hits;
            stats.misses += shard.misses;
            stats.entries += shard.young.len() + shard.old.len();
            stats.bytes += shard.young_bytes + shard.old_bytes;
        }
        stats
    }

    fn shard(&self, key: Key) -> Option<MutexGuard<'_, Shard>> {
        let number = usize::try_from(key.0 >> 64 & 0xff).unwrap_or(0) % SHARDS;
        // A thread that panicked between two statements here left a cache that is smaller than it could be, no worse.
        let shard = self.shards.get(number)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shard {
    /// Puts an entry into the young generation and returns the generation that had to go for it, if one had.
    fn put(&mut self, key: Key, hits: &Arc<[Hit]>, room: usize) -> Generation {
        let size = ENTRY + mem::size_of_val::<[Hit]>(hits);
        if size > room || self.young.contains_key(&key) {
            return Generation::default();
        }
        if self.old.remove(&key).is_some() {
            self.old_bytes = self.old_bytes.saturating_sub(size);
        }
        let mut dropped = Generation::default();
        if self.young_bytes + size > room {
            dropped = mem::replace(&mut self.old, mem::take(&mut self.young));
            self.old_bytes = mem::take(&mut self.young_bytes);
        }
        self.young.insert(key, Arc::clone(hits));
        self.young_bytes += size;
        dropped
    }
}

/// A key is a hash already: its lower half is what a table needs.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = u64::try_from(key & u128::from(u64::MAX)).unwrap_or(0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::Span;

    use super::*;
    use crate::selection::Rules;

    fn hits(count: usize) -> Vec<Hit> {
        (0..count)
            .map(|at| Hit {
                rule: at,
                rank: 0,
                kind: at,
                span: Span::new(at, at + 1),
            })
            .collect()
    }

    fn key(verdicts: &Verdicts, text: &str) -> Key {
        verdicts.key(text, [(Channel::User, &Selection::default())].into_iter())
    }

    #[test]
    fn what_is_kept_is_known_and_nothing_else() {
        let verdicts = Verdicts::new([1; 16], 1 << 20);
        let (one, other) = (key(&verdicts, "one"), key(&verdicts, "other"));
        assert!(verdicts.known(one).is_none());
        verdicts.keep(one, &hits(2));
        assert_eq!(*verdicts.known(one).unwrap(), *hits(2));
        assert!(verdicts.known(other).is_none());
        let stats = verdicts.stats();
        assert_eq!((stats.hits, stats.misses, stats.entries), (1, 2, 1));
    }

    #[test]
    fn keys_differ_by_text_channel_rules_and_parts() {
        let verdicts = Verdicts::new([1; 16], 1 << 20);
        let rules = |set: &[usize]| Selection::new(Rules::of(70, |rule| set.contains(&rule)));
        let (none, one, two) = (rules(&[]), rules(&[1]), rules(&[65]));
        let of = |text: &str, parts: &[(Channel, &Selection)]| verdicts.key(text, parts.iter().copied()).0;
        let keys = [
            of("text", &[(Channel::User, &one)]),
            of("texts", &[(Channel::User, &one)]),
            of("text\0", &[(Channel::User, &one)]),
            of("text", &[(Channel::System, &one)]),
            of("text", &[(Channel::User, &two)]),
            of("text", &[(Channel::User, &none)]),
            of("text", &[(Channel::User, &one), (Channel::User, &one)]),
            of("text", &[(Channel::User, &one), (Channel::User, &two)]),
            Verdicts::new([2; 16], 1)
                .key("text", [(Channel::User, &one)].into_iter())
                .0,
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{at}");
        }
    }

    #[test]
    fn a_flood_of_new_texts_takes_no_more_than_the_bound() {
        const BOUND: usize = 1 << 18;
        let verdicts = Verdicts::new([1; 16], BOUND);
        let precious = key(&verdicts, "asked for all the time");
        verdicts.keep(precious, &hits(1));
        for number in 0..50_000 {
            let key = key(&verdicts, &format!("text {number}"));
            verdicts.keep(key, &hits(number % 5));
            assert!(verdicts.known(precious).is_some(), "{number}");
            if number % 1000 == 0 {
                assert!(verdicts.stats().bytes <= BOUND);
            }
        }
        let stats = verdicts.stats();
        assert!(
            stats.bytes <= BOUND && stats.bytes > BOUND / 3 && stats.entries > 500,
            "{stats:?}"
        );
        let held: usize = verdicts
            .shards
            .iter()
            .map(|shard| {
                let shard = shard.lock().unwrap();
                let generations = shard.young.values().chain(shard.old.values());
                generations
                    .map(|hits| ENTRY + size_of_val(&**hits))
                    .sum::<usize>()
            })
            .sum();
        assert_eq!(held, stats.bytes, "what is counted is what is held");
    }

    #[test]
    fn what_is_too_large_is_not_kept() {
        let verdicts = Verdicts::new([1; 16], 1 << 12);
        let key = key(&verdicts, "much is found in it");
        verdicts.keep(key, &hits(1000));
        assert!(verdicts.known(key).is_none());
        assert_eq!(verdicts.stats().bytes, 0);
    }
}
