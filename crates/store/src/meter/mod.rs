//! How much was asked for and spent: rates, concurrency and budgets, in the memory of this process or shared by several in Redis.
//!
//! It knows no keys and no requests: whoever asks says which meters and limits apply.

mod budget;
#[cfg(test)]
mod conformance;
mod gcra;
mod local;
mod meters;
mod shared;
mod state;
mod wanted;

pub use budget::{Budget, BudgetError, Period};
pub use gcra::RateState;
pub use meters::{Admission, Limited, MeterId, Meters, RateUnit, Standing};
pub use shared::{OutOfReach, Reach, Settings as SharedSettings, SharedError};
