//! Detection measured on labelled corpora: what is found of what should be, what is found where nothing is, how surely
//! that is known, and how long it takes. Pure measurement: nothing is learnt and nothing is kept.

mod corpus;
mod report;
mod scanning;
mod spans;
mod statistics;
mod texts;

pub use corpus::{Gold, Label, Row, read};
pub use report::{Report, Wanted};
pub use scanning::{Outcome, scan};
pub use spans::{FamilyScore, Score, Shares, TypeScore};
pub use statistics::{Rate, Times};
pub use texts::{Group, Texts, Threshold, Wrong};
