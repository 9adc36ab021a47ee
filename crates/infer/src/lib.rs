//! Learned classifiers behind one trait of `portcullis-inspect`: numbers and threads, no network and no policy.

pub mod hub;

pub use hub::Hub;
