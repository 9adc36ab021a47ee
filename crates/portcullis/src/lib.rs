//! x

pub mod standin;
