//! What a replica knows for itself of the requests that are under way through it: what it must tell Redis anew when it comes back,
//! and what Redis has yet to hear. It is never waited for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_core::Money;
use tokio::sync::Notify;

use super::super::meters::MeterId;
use super::super::wanted::Wanted;

/// The limits that a request was let in by.
pub(super) type Taken = Arc<[Wanted]>;

/// A request under way.
pub(super) struct Entry {
    pub taken: Taken,
    /// What is set aside for it, as far as this replica was told.
    pub reserved: Money,
    /// Whether Redis knows of it.
    declared: bool,
}

/// What Redis has yet to hear.
#[derive(Clone)]
pub(super) enum Word {
    Settle {
        lease: u64,
        taken: Taken,
        cost: Money,
        tokens: u64,
    },
    Leave {
        lease: u64,
    },
}

/// Costs that Redis never saw, to be charged once under their number.
#[derive(Clone, Default)]
pub(super) struct Batch {
    pub number: u64,
    pub costs: Vec<(MeterId, Money)>,
}

/// What was not told when a new epoch began. The store has it by then; what an earlier run of Redis had on disk may not.
#[derive(Clone, Default)]
pub(super) struct Untold {
    /// Requests, and what they did cost.
    pub settled: Vec<(u64, Money)>,
    /// Costs without requests.
    pub batches: Vec<Batch>,
}

#[derive(Default)]
struct Inner {
    leases: HashMap<u64, Entry>,
    next: u64,
    queue: VecDeque<Word>,
    /// Joins that were tried: each is a generation of its own.
    generation: u64,
    /// The one in force; none while Redis is out of reach.
    joined: Option<u64>,
    joining: bool,
    /// The epoch joined last, and whether all was known in it when this replica last heard.
    epoch: Option<String>,
    open: bool,
    /// Costs of requests that Redis never heard of.
    unseen: HashMap<MeterId, Money>,
    batch: Option<Batch>,
    batches: u64,
    /// What was not told when a new epoch began.
    untold: Untold,
    /// What the store has, and Redis is to hear of.
    saved: HashMap<MeterId, Money>,
    saving: Option<Batch>,
    /// All costs since Redis was lost, and those before that the store may not have had.
    since: HashMap<MeterId, Money>,
}

/// See the file.
#[derive(Default)]
pub(super) struct Book {
    inner: Mutex<Inner>,
    /// Something is to be told, or the connection is gone.
    pub wake: Notify,
}

/// A lease as it is told on joining.
pub(super) struct Told {
    pub lease: u64,
    pub taken: Taken,
    pub reserved: Money,
}

/// Where a replica stood when it was in reach the last time.
pub(super) struct Before {
    pub generation: u64,
    pub epoch: Option<String>,
}

impl Book {
    // A panic under this lock could only leave a count off; refusing everybody for it would be worse.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name for a request.
    pub fn name(&self) -> u64 {
        let mut inner = self.lock();
        inner.next = inner.next.wrapping_add(1);
        inner.next
    }

    /// Redis let a request in. False if the connection was lost meanwhile: then it does not count.
    pub fn admitted(&self, lease: u64, taken: &Taken, generation: u64) -> bool {
        let mut inner = self.lock();
        if inner.joined != Some(generation) {
            return false;
        }
        let entry = Entry {
            taken: Arc::clone(taken),
            reserved: Money(0),
            declared: true,
        };
        inner.leases.insert(lease, entry);
        true
    }

    /// This replica let a request in by itself.
    pub fn admitted_alone(&self, lease: u64, taken: &Taken) {
        let entry = Entry {
            taken: Arc::clone(taken),
            reserved: Money(0),
            declared: false,
        };
        self.lock().leases.insert(lease, entry);
    }

    /// More was set aside for a request, over this connection or by this replica alone. False if that does not count.
    pub fn reserved(&self, lease: u64, more: Money, generation: Option<u64>) -> bool {
        let mut inner = self.lock();
        if generation.is_some() && inner.joined != generation {
            return false;
        }
        match inner.leases.get_mut(&lease) {
            Some(entry) => {
                entry.reserved = Money(entry.reserved.0.saturating_add(more.0));
                true
            }
            None => false,
        }
    }

    /// A request did cost so much. `noted` writes it down for the store, in the same moment for whoever cuts between.
    pub fn settle(&self, lease: u64, cost: Money, tokens: u64, noted: impl FnOnce()) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        noted();
        let Some(entry) = inner.leases.get(&lease) else {
            return;
        };
        let taken = Arc::clone(&entry.taken);
        if inner.joined.is_none() {
            charge(&mut inner.since, &taken, cost);
        }
        if entry.declared {
            inner.queue.push_back(Word::Settle {
                lease,
                taken,
                cost,
                tokens,
            });
        } else {
            charge(&mut inner.unseen, &taken, cost);
        }
        drop(guard);
        self.wake.notify_one();
    }

    /// A request has ended. False if it is not known here.
    pub fn leave(&self, lease: u64) -> bool {
        let mut inner = self.lock();
        let Some(entry) = inner.leases.get(&lease) else {
            return false;
        };
        if entry.declared || inner.joining {
            inner.queue.push_back(Word::Leave { lease });
            drop(inner);
            self.wake.notify_one();
        } else {
            inner.leases.remove(&lease);
        }
        true
    }

    /// A request that was asked for and is not wanted any more, or was never heard of again.
    pub fn abandon(&self, lease: u64) {
        let mut inner = self.lock();
        inner.queue.push_back(Word::Leave { lease });
        drop(inner);
        self.wake.notify_one();
    }

    /// Redis is out of reach over that connection. `unsaved` are costs that the store has not had. True if it was the present one.
    pub fn lost(&self, generation: u64, unsaved: impl FnOnce() -> Vec<(MeterId, Money)>) -> bool {
        let mut inner = self.lock();
        if inner.joined != Some(generation) {
            return false;
        }
        inner.joined = None;
        if !inner.open {
            // The others may be through before it is back, and the store must not wait for that: as if it had never joined.
            inner.epoch = Some(String::new());
            inner.open = true;
        }
        inner.since.clear();
        for (meter, cost) in unsaved() {
            add(&mut inner.since, &meter, cost);
        }
        true
    }

    /// Where this replica stands; every call is a join of its own.
    pub fn before(&self) -> Before {
        let mut inner = self.lock();
        inner.generation = inner.generation.saturating_add(1);
        inner.joining = true;
        Before {
            generation: inner.generation,
            epoch: inner.epoch.clone(),
        }
    }

    /// What is under way.
    pub fn told(&self) -> (Vec<Told>, Untold) {
        let inner = self.lock();
        (told(&inner), Untold::default())
    }

    /// What is under way in a new epoch, and what was not told before it. All that was settled goes to the store in this moment
    /// (`taken` takes it), so Redis is not to hear of it again.
    pub fn cut<T>(&self, taken: impl FnOnce() -> T) -> ((Vec<Told>, Untold), T) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let unsaved = taken();
        for word in inner.queue.drain(..) {
            match word {
                Word::Settle { lease, cost, .. } => {
                    inner.untold.settled.push((lease, cost));
                    if let Some(entry) = inner.leases.get_mut(&lease) {
                        entry.reserved = Money(0);
                    }
                }
                Word::Leave { lease } => {
                    inner.leases.remove(&lease);
                }
            }
        }
        while let Some(batch) = inner.next_batch() {
            inner.untold.batches.push(batch);
            inner.batch = None;
        }
        inner.saved.clear();
        inner.saving = None;
        ((told(inner), inner.untold.clone()), unsaved)
    }

    /// Redis knows all that was told.
    pub fn joined(&self, told: &[Told], generation: u64, epoch: &str, open: bool) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        for lease in told {
            if let Some(entry) = inner.leases.get_mut(&lease.lease) {
                entry.declared = true;
            }
        }
        let elsewhere = inner.epoch.as_deref().is_some_and(|before| before != epoch);
        if elsewhere && open {
            // The store was read without this replica: all that it may have missed is charged, some perhaps twice.
            inner.unseen = std::mem::take(&mut inner.since);
            inner.batch = None;
        }
        inner.since.clear();
        inner.untold = Untold::default();
        inner.joined = Some(generation);
        inner.joining = false;
        inner.epoch = Some(epoch.to_owned());
        inner.open = open;
    }

    pub fn set_open(&self) {
        self.lock().open = true;
    }

    /// Whether what is used must not be written to the store now: it is being read, and will be heard of from here.
    pub fn holds_back(&self) -> bool {
        let inner = self.lock();
        inner.epoch.is_some() && !inner.open
    }

    /// What is to be charged without a lease.
    pub fn batch(&self) -> Option<Batch> {
        self.lock().next_batch()
    }

    pub fn charged(&self) {
        self.lock().batch = None;
    }

    /// The store has these costs.
    pub fn saved<'a>(&self, costs: impl Iterator<Item = (&'a MeterId, Money)>) {
        let mut inner = self.lock();
        for (meter, cost) in costs {
            add(&mut inner.saved, meter, cost);
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// What Redis is to hear of the store.
    pub fn saving(&self) -> Option<Batch> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        if inner.saving.is_none() && !inner.saved.is_empty() {
            inner.batches = inner.batches.saturating_add(1);
            inner.saving = Some(Batch {
                number: inner.batches,
                costs: std::mem::take(&mut inner.saved).into_iter().collect(),
            });
        }
        inner.saving.clone()
    }

    pub fn heard_saved(&self) {
        self.lock().saving = None;
    }

    /// The first that Redis has yet to hear.
    pub fn next(&self, most: usize) -> Vec<Word> {
        self.lock().queue.iter().take(most).cloned().collect()
    }

    /// Redis has heard the first `count`.
    pub fn heard(&self, count: usize) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        for _ in 0..count {
            match inner.queue.pop_front() {
                Some(Word::Settle { lease, .. }) => {
                    if let Some(entry) = inner.leases.get_mut(&lease) {
                        entry.reserved = Money(0);
                    }
                }
                Some(Word::Leave { lease }) => {
                    inner.leases.remove(&lease);
                }
                None => break,
            }
        }
    }

    /// How much Redis has yet to hear.
    pub fn waiting(&self) -> usize {
        let inner = self.lock();
        let unsaid = inner.batch.is_some() || !inner.unseen.is_empty();
        let more = usize::from(unsaid || inner.saving.is_some() || !inner.saved.is_empty());
        inner.queue.len().saturating_add(more)
    }
}

impl Inner {
    /// What is to be charged without a lease.
    fn next_batch(&mut self) -> Option<Batch> {
        if self.batch.is_none() && !self.unseen.is_empty() {
            self.batches = self.batches.saturating_add(1);
            self.batch = Some(Batch {
                number: self.batches,
                costs: std::mem::take(&mut self.unseen).into_iter().collect(),
            });
        }
        self.batch.clone()
    }
}

fn told(inner: &Inner) -> Vec<Told> {
    let leases = inner.leases.iter().map(|(lease, entry)| Told {
        lease: *lease,
        taken: Arc::clone(&entry.taken),
        reserved: entry.reserved,
    });
    leases.collect()
}

fn charge(costs: &mut HashMap<MeterId, Money>, taken: &Taken, cost: Money) {
    for wanted in taken.iter() {
        add(costs, &wanted.meter, cost);
    }
}

fn add(costs: &mut HashMap<MeterId, Money>, meter: &MeterId, cost: Money) {
    if cost > Money(0) {
        let sum = costs.entry(meter.clone()).or_default();
        *sum = Money(sum.0.saturating_add(cost.0));
    }
}
