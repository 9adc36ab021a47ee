//! Values behind the placeholders of conversations that a provider stores: a later turn names the stored object and does not
//! send its text again, so what the placeholders in it stand for must be known from the turn before.
//!
//! It is memory of this process: bounded, each client's own, and gone after a day, after a restart, or when newer
//! conversations need the room. Then a placeholder stays a placeholder, which gives nothing away.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portcullis_core::KeyId;

use crate::masks::Known;

/// So much is kept in all.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// So long.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// What a value takes besides its bytes, about.
const OVERHEAD: usize = 128;

/// What is kept for all clients of the values that were masked in stored conversations.
#[derive(Default)]
pub struct Kept(Mutex<Conversations>);

type Key = (KeyId, String);

#[derive(Default)]
struct Conversations {
    by_id: HashMap<Key, Conversation>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: usize,
}

struct Conversation {
    values: Arc<[Known]>,
    since: Instant,
    bytes: usize,
}

impl Kept {
    /// Keeps the values of the stored object of that id.
    pub(crate) fn keep(&self, owner: &KeyId, id: &str, values: &[Known]) {
        if values.is_empty() {
            return;
        }
        let size = |known: &Known| {
            known
                .value
                .len()
                .saturating_add(known.kind.len())
                .saturating_add(OVERHEAD)
        };
        let bytes = values.iter().map(size).fold(id.len(), usize::saturating_add);
        if bytes > MAX_BYTES {
            return;
        }
        let key = (owner.clone(), id.to_owned());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.forget(&key);
        while all.bytes.saturating_add(bytes) > MAX_BYTES {
            let Some(oldest) = all.order.front().cloned() else {
                break;
            };
            all.forget(&oldest);
        }
        all.bytes = all.bytes.saturating_add(bytes);
        all.order.push_back(key.clone());
        let conversation = Conversation {
            values: values.into(),
            since: Instant::now(),
            bytes,
        };
        all.by_id.insert(key, conversation);
    }

    /// The values of the stored object of that id, as far as they are this client's.
    pub(crate) fn recall(&self, owner: &KeyId, id: &str) -> Arc<[Known]> {
        let key = (owner.clone(), id.to_owned());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.by_id.get(&key) {
            Some(found) if found.since.elapsed() < MAX_AGE => Arc::clone(&found.values),
            Some(_) => {
                all.forget(&key);
                Arc::default()
            }
            None => Arc::default(),
        }
    }
}

impl Conversations {
    fn forget(&mut self, key: &Key) {
        if let Some(old) = self.by_id.remove(key) {
            self.bytes = self.bytes.saturating_sub(old.bytes);
            self.order.retain(|other| other != key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(value: &str) -> Known {
        Known {
            kind: "PERSON".into(),
            number: 1,
            value: value.into(),
            tag: "abcdef".into(),
        }
    }

    #[test]
    fn each_client_has_its_own_and_the_oldest_makes_room() {
        let (ann, bob) = (KeyId::from_text("ann"), KeyId::from_text("bob"));
        let kept = Kept::default();
        kept.keep(&ann, "resp_1", &[known("x")]);
        assert_eq!(kept.recall(&ann, "resp_1").len(), 1);
        assert!(kept.recall(&bob, "resp_1").is_empty() && kept.recall(&ann, "resp_2").is_empty());
        let large = "y".repeat(MAX_BYTES / 2);
        kept.keep(&bob, "resp_3", &[known(&large)]);
        kept.keep(&bob, "resp_4", &[known(&large)]);
        assert!(kept.recall(&ann, "resp_1").is_empty() && kept.recall(&bob, "resp_3").is_empty());
        assert_eq!(kept.recall(&bob, "resp_4").len(), 1);
        kept.keep(&bob, "resp_5", &[known(&"z".repeat(MAX_BYTES))]);
        assert_eq!(
            kept.recall(&bob, "resp_4").len(),
            1,
            "what cannot be kept takes nobody's room"
        );
    }
}
