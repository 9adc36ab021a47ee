//! Turns: where a limit of requests in flight is reached, requests may wait for a place, and keys take turns. One key that sends a thousand
//! requests at once does not keep another one waiting for more than one of them.
//!
//! The limit itself is the meters' affair; this says who may ask them next. Each process has its own turns.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_core::KeyId;
use portcullis_store::MeterId;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Requests that may wait for one limit.
const MOST: usize = 1024;

/// How often the next in turn looks whether a place is free. Places are also freed by other processes, so nobody tells.
const LOOK: Duration = Duration::from_millis(20);

/// Who waits for what.
#[derive(Default)]
pub struct Turns {
    lines: Mutex<HashMap<MeterId, Line>>,
    /// Lines with somebody in them: most of the time there are none, and nobody needs the lock to know.
    open: AtomicUsize,
}

/// The keys that wait for one limit, the next one first, with their requests in order.
#[derive(Default)]
struct Line {
    keys: VecDeque<(KeyId, VecDeque<Arc<Notify>>)>,
    waiting: usize,
}

impl Line {
    fn first(&self) -> Option<&Arc<Notify>> {
        self.keys.front()?.1.front()
    }
}

/// A place in a line, given up when it goes.
pub(crate) struct Ticket<'t> {
    turns: &'t Turns,
    meter: MeterId,
    key: KeyId,
    turn: Arc<Notify>,
    until: Instant,
    looked: bool,
}

impl Turns {
    /// Whether somebody waits for this limit: whoever comes now comes behind them.
    pub(crate) fn is_waited_for(&self, meter: &MeterId) -> bool {
        self.open.load(Ordering::Relaxed) > 0 && self.lines().contains_key(meter)
    }

    /// Joins the line for a limit; `None` where too many wait. The turn comes within that time or not at all.
    pub(crate) fn join(&self, meter: &MeterId, key: &KeyId, patience: Duration) -> Option<Ticket<'_>> {
        let until = Instant::now().checked_add(patience)?;
        let turn = Arc::new(Notify::new());
        let mut lines = self.lines();
        let line = match lines.entry(meter.clone()) {
            Entry::Occupied(line) => line.into_mut(),
            Entry::Vacant(place) => {
                self.open.fetch_add(1, Ordering::Relaxed);
                place.insert(Line::default())
            }
        };
        if line.waiting >= MOST {
            return None;
        }
        line.waiting = line.waiting.saturating_add(1);
        match line.keys.iter_mut().find(|(other, _)| other == key) {
            Some((_, requests)) => requests.push_back(Arc::clone(&turn)),
            None => line
                .keys
                .push_back((key.clone(), VecDeque::from([Arc::clone(&turn)]))),
        }
        drop(lines);
        Some(Ticket {
            turns: self,
            meter: meter.clone(),
            key: key.clone(),
            turn,
            until,
            looked: false,
        })
    }

    // A panic under this lock could only leave somebody waiting for longer; refusing everybody for it would be worse.
    fn lines(&self) -> MutexGuard<'_, HashMap<MeterId, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// Returns when it is this request's turn to ask for a place, and again after a while if it is asked again; `false` once time is up.
    pub(crate) async fn turn(&mut self) -> bool {
        if self.looked {
            let again = Instant::now().checked_add(LOOK).unwrap_or(self.until);
            tokio::time::sleep_until(self.until.min(again)).await;
        }
        while !self.is_next() {
            if tokio::time::timeout_at(self.until, self.turn.notified())
                .await
                .is_err()
            {
                return false;
            }
        }
        self.looked = true;
        Instant::now() < self.until
    }

    fn is_next(&self) -> bool {
        let lines = self.turns.lines();
        let first = lines.get(&self.meter).and_then(Line::first);
        first.is_some_and(|first| Arc::ptr_eq(first, &self.turn))
    }
}

impl Drop for Ticket<'_> {
    /// The key goes to the end of the line with what else it has there, and the next one is told.
    fn drop(&mut self) {
        let mut lines = self.turns.lines();
        let Some(line) = lines.get_mut(&self.meter) else {
            return;
        };
        let Some(at) = line.keys.iter().position(|(key, _)| *key == self.key) else {
            return;
        };
        if let Some((key, mut requests)) = line.keys.remove(at) {
            let was_next = at == 0
                && requests
                    .front()
                    .is_some_and(|first| Arc::ptr_eq(first, &self.turn));
            requests.retain(|turn| !Arc::ptr_eq(turn, &self.turn));
            line.waiting = line.waiting.saturating_sub(1);
            match requests.is_empty() {
                true => {}
                false if was_next => line.keys.push_back((key, requests)),
                false => line.keys.insert(at, (key, requests)),
            }
        }
        match line.first() {
            Some(first) => first.notify_one(),
            None => {
                lines.remove(&self.meter);
                self.turns.open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    struct Gate {
        turns: Turns,
        meter: MeterId,
        free: AtomicUsize,
        order: Mutex<Vec<String>>,
    }

    impl Gate {
        fn new(free: usize) -> Arc<Gate> {
            Arc::new(Gate {
                turns: Turns::default(),
                meter: MeterId::from_text("everybody"),
                free: AtomicUsize::new(free),
                order: Mutex::default(),
            })
        }

        /// Whether it got a place before its patience ended.
        async fn wait(&self, key: &str, patience: Duration) -> bool {
            let id = KeyId::from_text(key);
            let Some(mut ticket) = self.turns.join(&self.meter, &id, patience) else {
                return false;
            };
            while ticket.turn().await {
                let taken = self
                    .free
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |free| free.checked_sub(1));
                if taken.is_ok() {
                    self.order.lock().unwrap().push(key.to_owned());
                    return true;
                }
            }
            false
        }
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn keys_take_turns_however_many_requests_one_of_them_sends() {
        let gate = Gate::new(0);
        let mut waiting = Vec::new();
        for key in ["a", "a", "a", "a", "b", "c", "b"] {
            let gate_ = Arc::clone(&gate);
            waiting.push(tokio::spawn(async move { gate_.wait(key, LONG).await }));
            tokio::task::yield_now().await;
        }
        assert!(gate.turns.is_waited_for(&gate.meter));
        for _ in 0..7 {
            gate.free.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(LOOK * 3).await;
        }
        for waited in waiting {
            assert!(waited.await.unwrap());
        }
        assert_eq!(*gate.order.lock().unwrap(), ["a", "b", "c", "a", "b", "a", "a"]);
        assert!(!gate.turns.is_waited_for(&gate.meter));
        assert_eq!(gate.turns.open.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_or_goes_away_leaves_the_line_to_others() {
        let gate = Gate::new(0);
        assert!(!gate.wait("a", LOOK * 5).await);
        let gone = tokio::time::timeout(LOOK, gate.wait("a", LONG)).await;
        assert!(gone.is_err());
        assert_eq!(gate.turns.open.load(Ordering::Relaxed), 0);
        let gate_ = Arc::clone(&gate);
        let first = tokio::spawn(async move { gate_.wait("a", LONG).await });
        tokio::task::yield_now().await;
        let gate_ = Arc::clone(&gate);
        let second = tokio::spawn(async move { gate_.wait("b", LONG).await });
        tokio::task::yield_now().await;
        first.abort();
        gate.free.fetch_add(1, Ordering::SeqCst);
        assert!(second.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_wait_than_may() {
        let gate = Gate::new(0);
        let mut waiting = Vec::new();
        for _ in 0..MOST {
            let gate = Arc::clone(&gate);
            waiting.push(tokio::spawn(async move { gate.wait("a", LONG).await }));
        }
        tokio::time::sleep(LOOK).await;
        assert!(!gate.wait("b", LONG).await);
    }
}
