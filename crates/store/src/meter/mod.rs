//! How much was asked for and spent: rates, concurrency and budgets, in the memory of this process.
//!
//! Several replicas do not share these meters, and a budget is not reserved before a call but charged after it.

mod budget;
mod gcra;
mod local;
mod meters;
mod state;

pub use budget::{Budget, BudgetError, Period};
pub use gcra::RateState;
pub use meters::{Admission, Limited, MeterId, Meters, RateUnit};
