//! What can go wrong with state at rest. Messages name places and never hold a credential.

/// A store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `open` was given something else than a store it knows.
    #[error("no store for {0}: expected sqlite:PATH, sqlite::memory: or postgres://…")]
    UnknownUrl(String),
    /// The database could not be opened.
    #[error("cannot open {place}: {reason}")]
    Open {
        /// The file.
        place: String,
        /// Why not.
        reason: String,
    },
    /// The schema is of a later version than this program knows.
    #[error("the state was written by a newer version (schema {found}, this program knows {known})")]
    Newer {
        /// Version of the schema that was found.
        found: i64,
        /// Version that this program writes.
        known: i64,
    },
    /// The database refused or failed.
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The PostgreSQL server refused or failed.
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] sqlx::Error),
    /// The PostgreSQL server is away, or gives no answer.
    #[error("PostgreSQL at {place} cannot be reached: {reason}")]
    Unreachable {
        /// Host, port and database.
        place: String,
        /// Why not.
        reason: String,
    },
    /// What was read is not what was ever written.
    #[error("corrupt state: {0}")]
    Corrupt(String),
    /// No live key has that id or name.
    #[error("no key {0:?}")]
    NoSuchKey(String),
    /// A live key already has that name.
    #[error("a key named {0:?} exists already")]
    NameTaken(String),
    /// The key was revoked and cannot come back.
    #[error("key {0:?} is revoked")]
    KeyRevoked(String),
    /// A new key is described in a way that cannot be meant.
    #[error("{0}")]
    InvalidKey(String),
    /// What a principal made belongs to another one already.
    #[error("{kind} {id:?} belongs to another key")]
    OwnedByAnother {
        /// What it is.
        kind: String,
        /// Its id at the provider.
        id: String,
    },
    /// A key has asked as often as it may without being told.
    #[error("key {0} waits for too many approvals already")]
    TooManyApprovals(String),
    /// A server says something else of its tools each time.
    #[error("server {0} has described its tools in too many ways already")]
    TooManyPins(String),
    /// Nobody could read what is asked.
    #[error("the arguments of the call, or the reasons to ask, are too large for a person to decide about")]
    ApprovalTooLarge,
    /// What would be granted is not what was asked.
    #[error("approval {0} is not what was asked: somebody else has written it, or changed it")]
    ApprovalChanged(String),
    /// A second audit record for one request.
    #[error("request {0} has an audit record already")]
    DuplicateRequest(String),
    /// Something stands already where a batch was to go.
    #[error("audit record {0} exists already: another process writes this log")]
    AuditConflict(u64),
    /// The log is shorter than what this process wrote.
    #[error(
        "the audit log ends at record {found}, but record {written} was written: records were removed or an old copy \
         was put back; run `portcullis audit verify`"
    )]
    AuditCut {
        /// The last record that the log's head names.
        found: u64,
        /// The last record that this process knows of.
        written: u64,
    },
    /// The head of the log is not what this process or another owner of its key left there.
    #[error("the head of the audit log was changed, or signed by another key; run `portcullis audit verify`")]
    AuditForeign,
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The thread that speaks to the database is gone.
    #[error("the store is closed")]
    Closed,
}
