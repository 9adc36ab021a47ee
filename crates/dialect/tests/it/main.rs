//! Recorded exchanges of every endpoint, `tests/exchanges/<exchange id>/<case>/{request.json,reply.json,stream.sse}`, under
//! the laws that hold for all of them. They are written after the providers' references; nothing here knows a provider.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test binary reads its cases from files and fails by panicking"
)]

mod acts;
mod allowances;
mod cases;
mod ends;
mod extensions;
mod frames;
mod refusals;
mod surface;
mod totality;
mod untouched;
