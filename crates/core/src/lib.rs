//! The words of Portcullis: the few types that every other crate speaks.
//!
//! This crate is data only. It does no I/O, reads no clock, knows no provider, no detector and no policy;
//! a heavy dependency here would be a tax on every other room.

mod channel;
mod decision;
mod finding;
mod id;
mod network;
mod principal;
mod record;
mod secret;
mod surface;
mod usage;

pub use channel::{Channel, Direction, Integrity, Origin};
pub use decision::{Action, Decision};
pub use finding::{Family, Finding, Kind, Severity, Span};
pub use id::{KeyId, RequestId};
pub use network::{Network, NetworkError};
pub use principal::{Glob, Limits, Principal, PrincipalKind};
pub use record::{AuditRecord, Outcome, RecordedFinding, RoomTime, Sandboxed};
pub use secret::Secret;
pub use surface::{Lane, Located, Part, PartId, Uninspectable, UninspectableKind};
pub use usage::{Money, Price, Usage};
