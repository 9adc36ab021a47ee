//! Tools: what a conversation proves about the values in a call, and what a tool policy makes of it.
//!
//! Assume the worst model, one that does whatever any text says. [`judge`] decides about each of its calls from who said what
//! ([`Evidence`]) and from the operator's rules ([`ToolPolicy`]) alone. Nothing here looks for attacks in texts, but for one sort of sentence, which is asked about: `redirect`.

mod conversation;
mod derive;
mod evidence;
mod folded;
mod judge;
mod leaves;
mod once;
mod redirect;
mod rule;
mod sanitise;
mod sort;
mod structure;
mod verbs;

pub use conversation::{Conversation, Offered, Turn};
pub use derive::{Derived, Worth};
pub use evidence::{Evidence, Origins, Whence, nature};
pub use folded::{Folded, FoldedText};
pub use judge::{CallVerdict, Reason, judge, may_offer};
pub use rule::{
    Answer, Class, From, Impact, Principals, ResultRule, Sequence, Sink, SinkRule, ToolPolicy, ToolRule,
    Trifecta, Unknown,
};
pub use sanitise::Sanitising;
pub use sort::{Sort, Value};
