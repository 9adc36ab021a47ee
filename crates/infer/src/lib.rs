//! Learned classifiers behind one trait of `portcullis-inspect`: numbers and threads, no network and no policy.

mod pool;

pub use pool::{Pool, PoolSize, PoolStats};
