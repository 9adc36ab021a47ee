//! Policy: what is to be done about recorded facts.
//!
//! [`decide`] is a pure and total function of a profile and of facts that an audit record also holds. It reads no clock
//! and no file, knows no detector and no wire format, never sees a text, and cannot fail. [`access`] decides likewise who may do what,
//! by an operator's policies.

pub mod access;
pub mod arguments;
mod decide;
mod profile;
pub mod rules;
mod ruling;
pub mod tools;

pub use decide::{Denial, Facts, Verdict, decide, refuses};
pub use profile::{
    Abuse, Ask, Both, FalsePositives, Hold, Injection, Judge, Links, Marking, Mode, OutputActions,
    Permission, Pii, Profile, Sandbox, SystemPrompt, UninspectableActions,
};
pub use ruling::{Place, RuleName, Ruling};
