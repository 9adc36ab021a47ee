//! One classification, one thread: the one that asked.
//!
//! Products are computed by a library that spreads over the pool of threads that it finds itself in. A gateway has one
//! classification for each worker instead, so every thread that classifies becomes a pool of its own.

use rayon::{ThreadPool, ThreadPoolBuilder};

thread_local! {
    /// Made at a thread's first classification. Some kilobytes of it outlive the thread: classify on threads that stay.
    static ALONE: Option<ThreadPool> = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().ok();
}

/// From here on products on this thread are computed by this thread. A thread of another pool stays in that.
pub(super) fn alone() {
    ALONE.with(|_| ());
}

#[cfg(test)]
mod tests {
    use super::alone;

    #[test]
    fn a_thread_by_itself() {
        std::thread::spawn(|| {
            alone();
            assert_eq!(rayon::current_num_threads(), 1);
            assert_eq!(rayon::current_thread_index(), Some(0));
            alone();
        })
        .join()
        .unwrap();
    }
}
