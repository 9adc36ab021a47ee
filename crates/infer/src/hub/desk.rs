//! Where a classification computes: a pool of one thread.
//!
//! `candle` spreads its loops over the rayon pool of the thread that calls it, and over one of all cores where that thread
//! belongs to none. A pool of one thread keeps a classification on one core, so that as many run at once as the caller lets
//! and no request takes the whole machine. A panic of a library ends the piece of work, not the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Desks that nobody sits at.
#[derive(Default)]
pub struct Desks {
    free: Mutex<Vec<ThreadPool>>,
}

/// One thread, until dropped.
pub struct Desk<'a> {
    pool: Option<ThreadPool>,
    home: &'a Desks,
}

impl Desks {
    /// A free desk, or a new one: there come to be as many as were ever needed at once.
    pub fn take(&self) -> Result<Desk<'_>, ThreadPoolBuildError> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let pool = match free {
            Some(pool) => pool,
            None => ThreadPoolBuilder::new()
                .num_threads(1)
                .thread_name(|_| "infer-hub".to_owned())
                .build()?,
        };
        Ok(Desk {
            pool: Some(pool),
            home: self,
        })
    }
}

impl Desk<'_> {
    /// Does a piece of work there and waits for it. None where it panicked.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Option<T> {
        // Nothing that a piece of work changes is used after it panicked.
        let pool = self.pool.as_ref()?;
        pool.install(|| catch_unwind(AssertUnwindSafe(work)).ok())
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            self.home
                .free
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(pool);
        }
    }
}
