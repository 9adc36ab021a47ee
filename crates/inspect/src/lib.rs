//! Detectors and the streaming window: text in, findings out.
//!
//! This crate does no I/O, knows no provider and no policy: it reports facts with spans and never decides what is done
//! about them. Rules are data (`rules/*.toml`), compiled once into an [`Inspector`]; a [`Window`] reads a stream and
//! says up to where its verdict is final.

mod around;
mod asked;
mod byte_set;
mod capturing;
mod checks;
mod classifier;
pub mod corpus;
mod cost;
mod derived;
mod edge;
mod hit;
mod imitation;
mod inspector;
mod joint;
mod keywords;
mod label;
pub mod leak;
mod link;
mod literals;
mod loops;
mod machine;
mod mention;
mod news;
mod own;
mod pieces;
mod plan;
mod prefix;
mod resolve;
mod rule;
mod selection;
mod shape;
mod trie;
mod value;
mod verdicts;
pub mod views;
mod window;

pub use asked::{Asked, UNCLASSIFIED, classify};
pub use classifier::{Attempt, Classifier, Opinion, Question, Rate};
pub use imitation::imitations;
pub use inspector::Inspector;
pub use link::host;
pub use loops::Loops;
pub use mention::use_or_mention;
pub use rule::{Rule, RuleError, Source};
pub use selection::Selection;
pub use verdicts::CacheStats;
pub use window::{Overgrown, Window};
