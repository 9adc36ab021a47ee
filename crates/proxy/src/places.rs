//! The places that a request holds under limits: those that were taken before its body was read, and those of its model, taken when
//! that was known. They are charged together and freed together.

use portcullis_core::{Money, Usage};
use portcullis_store::{Admission, Limited, RateState};

/// What a request holds while it is under way. Dropping it frees all of it.
pub(crate) struct Places {
    first: Admission,
    of_model: Option<Admission>,
}

impl Places {
    pub fn new(first: Admission) -> Places {
        Places {
            first,
            of_model: None,
        }
    }

    /// Adds the places of the model. Their meters are others than those of the first: each is charged once.
    pub fn add(&mut self, of_model: Option<Admission>) {
        self.of_model = of_model;
    }

    fn all(&self) -> impl Iterator<Item = &Admission> {
        std::iter::once(&self.first).chain(&self.of_model)
    }

    /// Whether a limit of them is counted by this process alone.
    pub fn is_alone(&self) -> bool {
        self.all().any(Admission::is_alone)
    }

    /// The least that is left in any budget that applies; `None` without a budget.
    pub async fn left(&self, now_ms: u64) -> Result<Option<Money>, Limited> {
        let mut least = None;
        for admission in self.all() {
            let left = admission.left(now_ms).await?;
            least = [least, left].into_iter().flatten().min();
        }
        Ok(least)
    }

    /// Sets aside what the request can cost at most. Where one refuses, the request is refused, and what others set aside is freed with it.
    pub async fn reserve(&self, worst: Money, now_ms: u64) -> Result<(), Limited> {
        for admission in self.all() {
            admission.reserve(worst, now_ms).await?;
        }
        Ok(())
    }

    /// The tightest of the request rates.
    pub fn rate(&self) -> Option<RateState> {
        tightest(self.all().map(Admission::rate))
    }

    /// The tightest of the token rates.
    pub fn token_rate(&self) -> Option<RateState> {
        tightest(self.all().map(Admission::token_rate))
    }

    /// Charges what the request used.
    pub fn settle(&self, usage: &Usage, cost: Money, now_ms: u64) {
        for admission in self.all() {
            admission.settle(usage, cost, now_ms);
        }
    }
}

fn tightest(rates: impl Iterator<Item = Option<RateState>>) -> Option<RateState> {
    rates.flatten().min_by_key(|rate| rate.remaining)
}
