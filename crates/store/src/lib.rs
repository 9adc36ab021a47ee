//! State at rest and the meters: API keys, usage, ownership of what was made at a provider, and the audit log.
//!
//! Secrets, SQL and the audit chain live in this one place. It knows no HTTP, no dialect, no detector and no policy:
//! it says whether a key is known, whether a limit is reached, whether the audit log can still be written, and leaves
//! it to its callers what becomes of a request.
//!
//! A new store is one module and one match arm in [`open`]; the conformance suite under `tests/` then holds it to
//! the same behaviour as the others.

mod alert;
mod approval;
mod audit;
mod clock;
mod error;
mod kept;
mod key;
mod meter;
mod owned;
mod pin;
mod postgres;
mod sqlite;
mod usage;

use std::sync::Arc;

pub use alert::{ALERT_AT, AlertStore, BudgetAlert};
pub use approval::{
    Approval, ApprovalKey, ApprovalReason, ApprovalState, ApprovalStore, Asking, Decided, MOST_ASKED,
    MOST_PENDING,
};
pub use audit::{
    AuditBatch, AuditError, AuditLog, AuditPage, AuditSlot, AuditStatus, AuditStore, AuditUnavailable,
    CanonicalError, ChainedRecord, Chaining, Encoded, Hash, Head, HeadFileError, SignedHead, SigningKey,
    SigningKeyError, StoredRecord, StoredRow, Tampered, Verified, VerifyingKey, accept_head, canonical_json,
    load_or_create_signing_key, load_signing_key, public_key_from_text, public_key_text, secret_for, verify,
    verify_with,
};
pub use error::StoreError;
pub use kept::{KeptStore, Sealed};
pub use key::{AuthError, KeyHash, KeyRecord, KeyStore, KeyTable, Keyring, NewKey, Pepper, StoredKey};
pub use meter::{
    Admission, Budget, BudgetError, Limited, MeterId, Meters, OutOfReach, Period, RateState, RateUnit, Reach,
    SharedError, SharedSettings, Standing,
};
pub use owned::{Owned, OwnedStore};
pub use pin::{MOST_PINNED, MOST_PINS, Pin, PinKind, PinState, PinStore, PinWhy, Sighting};
pub use usage::{UsageBatch, UsageDelta, UsageHour, UsageStore, UsageTotals};

/// Everything the gateway keeps. The parts are traits of their own, beside the types that they speak of.
pub trait Store:
    KeyStore
    + OwnedStore
    + KeptStore
    + UsageStore
    + AlertStore
    + ApprovalStore
    + PinStore
    + AuditStore
    + Send
    + Sync
{
}

impl<
    T: KeyStore
        + OwnedStore
        + KeptStore
        + UsageStore
        + AlertStore
        + ApprovalStore
        + PinStore
        + AuditStore
        + Send
        + Sync,
> Store for T
{
}

/// Opens the store that `url` names and brings its schema up to date.
///
/// `sqlite:PATH` (also `sqlite://PATH`) is a file, made if it is missing, readable by its owner alone.
/// `sqlite::memory:` lives as long as the value that is returned, and is nobody else's.
/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…` (also `postgresql://`) is a database that many gateways share.
///
/// # Errors
/// An unknown scheme, a file that cannot be opened, a server that cannot be reached within seconds, or state written by
/// a newer version of this program.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    match url.split_once(':') {
        Some(("sqlite", place)) => Ok(Arc::new(sqlite::Sqlite::open(place).await?)),
        Some(("postgres" | "postgresql", _)) => Ok(Arc::new(postgres::Postgres::open(url).await?)),
        _ => Err(StoreError::UnknownUrl(without_credentials(url))),
    }
}

/// The scheme alone: a URL of a database carries a password often enough that it must not reach a message.
fn without_credentials(url: &str) -> String {
    match url.split_once(':') {
        Some((scheme, _)) => format!("{scheme}:…"),
        None => "a text without a scheme".to_owned(),
    }
}
