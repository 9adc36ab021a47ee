//! What must be known of conversations that a provider stores, since a later turn names the stored object and does not send its
//! text again: the values behind the placeholders in it, the marks around its texts, its instructions, and what the gateway put
//! before the client's own.
//!
//! It is kept in the memory of this process, bounded, and sealed in the state, so that other replicas and later processes know it: each client's
//! own, and gone after a day. Who reads the state sees neither the texts nor whose they are; the key is derived from the one that signs the
//! audit log, which the state does not have. What is not known any more leaves a placeholder a placeholder and instructions out, which
//! gives nothing away.

mod seal;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portcullis_core::KeyId;
use portcullis_store::{Sealed, Store, StoreError};

use self::seal::Sealer;
use crate::marks::Marks;
use crate::masks::Known;

/// So much is kept in all.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// So long.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// What a value takes besides its bytes, about; and what marks take.
const OVERHEAD: usize = 128;
const MARKS: usize = 1024;
/// The marks of so many turns of a conversation are kept, the latest.
const MAX_TURNS: usize = 64;

/// What is kept for all clients of stored conversations.
#[derive(Default)]
pub struct Kept {
    memory: Mutex<Conversations>,
    /// Without one, nothing leaves the memory.
    sealer: Option<Sealer>,
}

type Key = (KeyId, String);

#[derive(Default)]
struct Conversations {
    by_id: HashMap<Key, Conversation>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: usize,
}

/// What is kept of one conversation.
#[derive(Clone, Default)]
pub(crate) struct Recalled {
    /// Values that were masked.
    pub values: Arc<[Known]>,
    /// What was put before the instructions: no text where nothing was; `None` where that is not known.
    pub inserted: Option<Arc<str>>,
    /// What instructed the model; no text where nothing did, or where that is not known.
    pub prompt: Arc<str>,
    /// The marks of its turns.
    pub marks: Arc<[Marks]>,
}

struct Conversation {
    what: Recalled,
    since: Instant,
    /// When it goes by the clock that all processes have: of two, the one that goes later is the newer one.
    until_ms: u64,
    bytes: usize,
}

impl Kept {
    /// One that shares what it keeps with all that have this key and the same state.
    #[must_use]
    pub fn sealed_with(key: [u8; 32]) -> Kept {
        Kept {
            memory: Mutex::default(),
            sealer: Sealer::new(key),
        }
    }

    /// Keeps what belongs to the stored object of that id; what is to be kept in the state comes back.
    pub(crate) fn keep(&self, owner: &KeyId, id: &str, mut what: Recalled, now_ms: u64) -> Option<Sealed> {
        if let Some(latest) = what
            .marks
            .rchunks(MAX_TURNS)
            .next()
            .filter(|latest| latest.len() < what.marks.len())
        {
            what.marks = latest.into();
        }
        let Recalled {
            values,
            inserted,
            prompt,
            marks,
        } = &what;
        if values.is_empty() && inserted.is_none() && prompt.is_empty() && marks.is_empty() {
            return None;
        }
        let until_ms = now_ms.saturating_add(u64::try_from(MAX_AGE.as_millis()).unwrap_or(u64::MAX));
        let sealed = self
            .sealer
            .as_ref()
            .and_then(|sealer| sealer.seal(owner, id, &what, until_ms));
        let size = |known: &Known| {
            known
                .value
                .len()
                .saturating_add(known.kind.len())
                .saturating_add(OVERHEAD)
        };
        let rest = id
            .len()
            .saturating_add(inserted.as_ref().map_or(0, |text| text.len()))
            .saturating_add(prompt.len())
            .saturating_add(marks.len().saturating_mul(MARKS))
            .saturating_add(OVERHEAD);
        let bytes = values.iter().map(size).fold(rest, usize::saturating_add);
        self.remember(owner, id, what, until_ms, bytes);
        sealed
    }

    fn remember(&self, owner: &KeyId, id: &str, what: Recalled, until_ms: u64, bytes: usize) {
        if bytes > MAX_BYTES {
            return;
        }
        let key = (owner.clone(), id.to_owned());
        let mut all = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
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
            what,
            since: Instant::now(),
            until_ms,
            bytes,
        };
        all.by_id.insert(key, conversation);
    }

    /// What was kept of the stored object of that id, if it is this client's, by whichever process. A conversation keeps its id from turn
    /// to turn, and the last one may have been another process's: so the state is asked also for what is remembered here.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) async fn recall_from(
        &self,
        store: &dyn Store,
        owner: &KeyId,
        id: &str,
        now_ms: u64,
    ) -> Result<Recalled, StoreError> {
        let remembered = self.recall(owner, id);
        let stored = match &self.sealer {
            Some(sealer) => {
                let found = store.sealed(&sealer.name(owner, id), now_ms).await?;
                found.and_then(|sealed| sealer.open(owner, id, sealed))
            }
            None => None,
        };
        // The state may have an older one, too: it is written after the memory, and what is too large never is.
        let newest = stored
            .into_iter()
            .chain(remembered)
            .max_by_key(|(_, until)| *until);
        Ok(newest.map(|(what, _)| what).unwrap_or_default())
    }

    /// The same, of what this process remembers, and when that goes.
    fn recall(&self, owner: &KeyId, id: &str) -> Option<(Recalled, u64)> {
        let key = (owner.clone(), id.to_owned());
        let mut all = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        match all.by_id.get(&key) {
            Some(found) if found.since.elapsed() < MAX_AGE => Some((found.what.clone(), found.until_ms)),
            Some(_) => {
                all.forget(&key);
                None
            }
            None => None,
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

    fn values(values: &[Known]) -> Recalled {
        Recalled {
            values: values.into(),
            ..Recalled::default()
        }
    }

    fn recall(kept: &Kept, owner: &KeyId, id: &str) -> Recalled {
        kept.recall(owner, id).map(|(what, _)| what).unwrap_or_default()
    }

    #[tokio::test]
    async fn the_last_turn_counts_whichever_process_had_it() {
        let store = portcullis_store::open("sqlite::memory:").await.unwrap();
        let (ann, key) = (KeyId::from_text("ann"), [7; 32]);
        let (one, other) = (Kept::sealed_with(key), Kept::sealed_with(key));
        let turns = [
            (&one, values(&[known("x")])),
            (&other, values(&[known("x"), known("y")])),
        ];
        for (now, (kept, what)) in (1..).zip(turns) {
            let sealed = kept.keep(&ann, "conv_1", what, now).unwrap();
            store.keep_sealed(sealed, now).await.unwrap();
        }
        for kept in [&one, &other] {
            let recalled = kept.recall_from(store.as_ref(), &ann, "conv_1", 3).await.unwrap();
            assert_eq!(recalled.values.len(), 2);
        }
        // What is not in the state yet is remembered all the same.
        let late = values(&[known("x"), known("y"), known("z")]);
        one.keep(&ann, "conv_1", late, 4).unwrap();
        let recalled = one.recall_from(store.as_ref(), &ann, "conv_1", 5).await.unwrap();
        assert_eq!(recalled.values.len(), 3);
    }

    #[test]
    fn each_client_has_its_own_and_the_oldest_makes_room() {
        let (ann, bob) = (KeyId::from_text("ann"), KeyId::from_text("bob"));
        let kept = Kept::default();
        kept.keep(&ann, "resp_1", values(&[known("x")]), 0);
        assert_eq!(recall(&kept, &ann, "resp_1").values.len(), 1);
        assert_eq!(recall(&kept, &ann, "resp_1").inserted, None);
        let inserted = Recalled {
            inserted: Some("Be kind.".into()),
            ..Recalled::default()
        };
        kept.keep(&ann, "resp_0", inserted, 0);
        assert_eq!(
            recall(&kept, &ann, "resp_0").inserted.as_deref(),
            Some("Be kind.")
        );
        assert_eq!(recall(&kept, &bob, "resp_0").inserted, None);
        assert!(
            recall(&kept, &bob, "resp_1").values.is_empty()
                && recall(&kept, &ann, "resp_2").values.is_empty()
        );
        let large = "y".repeat(MAX_BYTES / 2);
        kept.keep(&bob, "resp_3", values(&[known(&large)]), 0);
        kept.keep(&bob, "resp_4", values(&[known(&large)]), 0);
        assert!(
            recall(&kept, &ann, "resp_1").values.is_empty()
                && recall(&kept, &bob, "resp_3").values.is_empty()
        );
        assert_eq!(recall(&kept, &bob, "resp_4").values.len(), 1);
        kept.keep(&bob, "resp_5", values(&[known(&"z".repeat(MAX_BYTES))]), 0);
        assert_eq!(
            recall(&kept, &bob, "resp_4").values.len(),
            1,
            "what cannot be kept takes nobody's room"
        );
    }
}
