//! Calls of tools that wait for a person: what is asked, what was decided, and that a grant is used once.
//!
//! Whether a call asks at all is the policy's affair, and what becomes of it the caller's. What a person sees is signed by whoever
//! asked and a grant by whoever decided ([`ApprovalKey`]): a hand that writes to the database and has no key can grant nothing.

mod signing;

use async_trait::async_trait;
use portcullis_core::{KeyId, RequestId};
use serde::{Deserialize, Serialize};

use crate::StoreError;
pub(crate) use signing::reasons;
pub use signing::{ApprovalKey, Asking};

/// The most that a key may have asked and not been told. What comes on top is refused, not the oldest dropped: a client that asks in
/// a loop must not push aside what a person is about to decide.
pub const MOST_PENDING: u32 = 100;
/// The largest arguments, and the largest reasons, in bytes. Nobody can judge more.
pub const MOST_ASKED: usize = 64 * 1024;
/// How long what was decided is listed after its time is over, without its arguments, milliseconds.
pub(crate) const LISTED_MS: u64 = 30 * 86_400_000;

/// Why a person is asked about one value, or about the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalReason {
    /// Which rule says so, as `flow.origin`.
    pub rule: String,
    /// The argument, empty if it is about none.
    pub path: String,
    /// Its value, perhaps shortened.
    pub value: String,
    /// In a sentence: also where the value came from.
    pub why: String,
}

/// How far an approval is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// The call may be made, once.
    Granted,
    /// The call may not be made.
    Denied,
    /// It was granted, and the call was made.
    Used,
    /// Its time went by before it was decided or used.
    Expired,
}

impl ApprovalState {
    /// All of them.
    pub const ALL: [ApprovalState; 5] = [
        ApprovalState::Pending,
        ApprovalState::Granted,
        ApprovalState::Denied,
        ApprovalState::Used,
        ApprovalState::Expired,
    ];

    /// A stable word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            ApprovalState::Pending => "pending",
            ApprovalState::Granted => "granted",
            ApprovalState::Denied => "denied",
            ApprovalState::Used => "used",
            ApprovalState::Expired => "expired",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<ApprovalState> {
        ApprovalState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A call of a tool that waits, or waited, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// `apr_` and 22 characters of base62.
    pub id: String,
    /// The key whose call it is.
    pub key: KeyId,
    /// The key's name when it asked.
    pub key_name: String,
    /// The key's team.
    pub team: Option<String>,
    /// The tool.
    pub tool: String,
    /// Its arguments, as the model wrote them. They may be personal, so they go once it is denied, used or expired.
    pub arguments: Option<Vec<u8>>,
    /// Whose call, of which tool, with which arguments, as [`ApprovalKey::binding`] makes it.
    pub binding: [u8; 32],
    /// Why a person is asked. They go with the arguments.
    pub reasons: Vec<ApprovalReason>,
    /// The request that asked.
    pub request_id: RequestId,
    /// When it was asked, milliseconds since 1970 UTC.
    pub created_ms: u64,
    /// When its time is over, whether it was decided or not.
    pub expires_ms: u64,
    /// How far it is.
    pub state: ApprovalState,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_ms: Option<u64>,
    /// The signature of whoever asked, over all that a person is shown.
    pub asked: [u8; 32],
    /// The signature of whoever granted it.
    pub signature: Option<[u8; 32]>,
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It counts.
    Now(Approval),
    /// It was decided before, or its time was over.
    Before(Approval),
    /// There is none of that id.
    Unknown,
}

/// Keeps approvals. `now_ms` is milliseconds since 1970 UTC everywhere.
#[async_trait]
pub trait ApprovalStore {
    /// Keeps what is asked. If the same call was asked already and its time is not over, that one is returned and nothing is added,
    /// also where it was denied: a client that asks again and again gets the answer it has got. One that was used is no answer any more.
    ///
    /// # Errors
    /// [`StoreError::TooManyApprovals`] if the key has [`MOST_PENDING`] of them, and failures of the database.
    async fn ask_approval(&self, approval: Approval, now_ms: u64) -> Result<Approval, StoreError>;

    /// The last `count` of them, newest first: all, or those in a state.
    async fn approvals(
        &self,
        state: Option<ApprovalState>,
        count: u32,
        now_ms: u64,
    ) -> Result<Vec<Approval>, StoreError>;

    /// How many are pending.
    async fn approvals_pending(&self, now_ms: u64) -> Result<u64, StoreError>;

    /// One of them.
    async fn approval(&self, id: &str, now_ms: u64) -> Result<Option<Approval>, StoreError>;

    /// Grants with a signature, denies without one. Only what is pending can be decided, and of two who decide at once one does.
    async fn decide_approval(
        &self,
        id: &str,
        by: &str,
        signature: Option<[u8; 32]>,
        now_ms: u64,
    ) -> Result<Decided, StoreError>;

    /// Uses a grant up, for the call it was made for: of all who try, one gets it. Nothing if it is not granted, its time is over, it
    /// was used, or it is another key's or another call's. Whether whoever granted it had the key is left to the caller
    /// ([`ApprovalKey::is_granted`]).
    async fn claim_approval(
        &self,
        id: &str,
        key: &KeyId,
        binding: &[u8; 32],
        now_ms: u64,
    ) -> Result<Option<Approval>, StoreError>;

    /// Gives a used grant back, where the call was not made after all; whether there was one to give back.
    async fn release_approval(&self, id: &str, now_ms: u64) -> Result<bool, StoreError>;

    /// Drops the arguments and reasons of what is over, and what has been over for a month.
    async fn sweep_approvals(&self, now_ms: u64) -> Result<(), StoreError>;
}

/// An approval as a database has it.
pub(crate) struct StoredApproval {
    /// Id, key, name of the key, tool, id of the request, state.
    pub texts: [String; 6],
    pub team: Option<String>,
    pub arguments: Option<Vec<u8>>,
    pub reasons: Option<String>,
    /// Binding, signature of whoever asked.
    pub sums: [Vec<u8>; 2],
    /// When it was asked, and when its time is over.
    pub times: [i64; 2],
    pub decided_by: Option<String>,
    pub decided_ms: Option<i64>,
    pub signature: Option<Vec<u8>>,
}

/// The columns of [`StoredApproval`], in its order.
pub(crate) const COLUMNS: &str = "id, key_id, key_name, tool, request_id, state, team, arguments, reasons, binding, asked, created_ms, \
     expires_ms, decided_by, decided_ms, signature";

impl StoredApproval {
    pub(crate) fn read(self, now_ms: u64) -> Result<Approval, StoreError> {
        let [id, key, key_name, tool, request_id, state] = self.texts;
        let wrong = || StoreError::Corrupt(format!("approval {id:?}"));
        let sum = |stored: Vec<u8>| <[u8; 32]>::try_from(stored).map_err(|_| wrong());
        let time = |stored: i64| u64::try_from(stored).map_err(|_| wrong());
        let [binding, asked] = self.sums;
        let [created_ms, expires_ms] = self.times;
        let expires_ms = time(expires_ms)?;
        let state = match ApprovalState::from_name(&state).ok_or_else(wrong)? {
            ApprovalState::Pending | ApprovalState::Granted if expires_ms <= now_ms => ApprovalState::Expired,
            other => other,
        };
        // Shown no longer than needed, even before a sweep comes by.
        let is_open = matches!(state, ApprovalState::Pending | ApprovalState::Granted);
        let reasons = self.reasons.filter(|_| is_open);
        Ok(Approval {
            binding: sum(binding)?,
            asked: sum(asked)?,
            signature: self.signature.map(sum).transpose()?,
            created_ms: time(created_ms)?,
            decided_ms: self.decided_ms.map(time).transpose()?,
            reasons: match reasons {
                Some(text) => serde_json::from_str(&text).map_err(|_| wrong())?,
                None => Vec::new(),
            },
            arguments: self.arguments.filter(|_| is_open),
            key: KeyId::from_text(&key),
            request_id: RequestId::from_text(&request_id),
            id,
            key_name,
            team: self.team,
            tool,
            expires_ms,
            state,
            decided_by: self.decided_by,
        })
    }
}
