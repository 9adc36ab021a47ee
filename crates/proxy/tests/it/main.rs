//! The data plane as a whole: a real listener, a real client, an upstream in this process that answers what a test tells it.

mod bench;
mod coverage;
mod recorded;
mod streams;
mod walk;
