//! What a request did cost, charged once in the place of what was reserved, however the request ends.
//!
//! A reply that tells no tokens is estimated by its length, and the record says so. Whoever goes away has used what was under way.

use std::sync::atomic::{AtomicBool, Ordering};

use portcullis_core::{Money, Price, Usage};

use super::reserve::Expected;
use crate::places::Places;
use crate::record::{Record, now_ms};

/// Bytes of text that are taken for a token where nobody tells: fewer than English prose has.
const BYTES_A_TOKEN: u64 = 3;

/// A request on its way to an upstream, until the head of the reply is there. What breaks off in between may have been answered: the
/// prompt at least is charged.
pub(super) struct Sending<'a> {
    places: &'a Places,
    usage: Usage,
    cost: Money,
    over: bool,
}

impl<'a> Sending<'a> {
    pub fn begin(places: &'a Places, price: Option<Price>, expected: u64, answered: bool) -> Sending<'a> {
        let usage = Usage {
            input: expected,
            ..Usage::default()
        };
        Sending {
            places,
            usage,
            cost: price.map(|price| price.of(&usage)).unwrap_or_default(),
            over: !answered,
        }
    }

    /// The head of the reply is there, or nothing was sent.
    pub fn end(mut self) {
        self.over = true;
    }

    /// It broke off.
    pub fn fail(self, record: &mut Record) {
        if self.over {
            return;
        }
        record.audit.usage = Some(self.usage);
        record.audit.usage_estimated = true;
        record.audit.cost = Some(self.cost);
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.places.settle(&self.usage, self.cost, now_ms());
        }
    }
}

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It reached its end.
    Whole,
    /// Somebody ended it before.
    Cut,
}

/// Money and tokens of one request that was answered.
pub(crate) struct Account {
    pub places: Places,
    price: Option<Price>,
    /// What it is taken for where nobody tells.
    expected: Expected,
    /// Whether a model answers, so that something was used even if nobody tells.
    answered: AtomicBool,
    settled: AtomicBool,
}

impl Account {
    pub fn new(places: Places, price: Option<Price>, expected: Expected, answered: bool) -> Account {
        Account {
            places,
            price,
            expected,
            answered: AtomicBool::new(answered),
            settled: AtomicBool::new(false),
        }
    }

    /// The upstream refused the request: nothing was used but what it tells.
    pub fn refused(&self) {
        self.answered.store(false, Ordering::Relaxed);
    }

    fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Settles what the record says was used, and an estimate of what it does not say. Only the first call counts.
    pub fn settle(&self, record: &mut Record, reply: End) {
        let told = record.audit.usage;
        if self.is_answered() && (reply == End::Cut || told.is_none()) {
            let said = record.has_said().div_ceil(BYTES_A_TOKEN);
            let said = self.expected.output.map_or(said, |most| said.min(most));
            let known = told.unwrap_or_default();
            let usage = Usage {
                input: if known.input > 0 {
                    known.input
                } else {
                    self.expected.input
                },
                // What is told along the way is too little where the reply was cut.
                output: known.output.max(said),
                ..known
            };
            record.audit.usage_estimated = told != Some(usage);
            record.audit.usage = Some(usage);
        }
        let Some(usage) = record.audit.usage else {
            self.settled.store(true, Ordering::Relaxed);
            return;
        };
        record.audit.cost = self.price.map(|price| price.of(&usage));
        self.charge(&usage, record.audit.cost.unwrap_or_default());
    }

    fn charge(&self, usage: &Usage, cost: Money) {
        if !self.settled.swap(true, Ordering::Relaxed) {
            self.places.settle(usage, cost, now_ms());
        }
    }
}

impl Drop for Account {
    /// The client went away while the reply was read.
    fn drop(&mut self) {
        if self.is_answered() {
            let usage = Usage {
                input: self.expected.input,
                ..Usage::default()
            };
            let cost = self.price.map(|price| price.of(&usage));
            self.charge(&usage, cost.unwrap_or_default());
        }
    }
}
