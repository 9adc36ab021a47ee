//! Learned classifiers behind one trait of `portcullis-inspect`: numbers and threads, no network and no policy.

mod built_in;
pub mod hub;
mod pool;

pub use built_in::{BuiltIn, Files, LoadError};
pub use hub::Hub;
pub use pool::{Pool, PoolSize, PoolStats};
