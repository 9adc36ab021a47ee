//! Calls that wait for a person: what is asked of one, and the grant that a client brings back. Who decides, and how, is the operators' side's
//! affair.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use portcullis_core::{Principal, RequestId};
use portcullis_policy::tools::Reason;
use portcullis_store::{Approval, ApprovalReason, ApprovalState, Asking, StoreError, canonical_json};
use serde_json::Value;

use crate::Refusal;
use crate::gateway::Services;
use crate::record::now_ms;

/// How long a person has to decide, and a grant to be used, milliseconds.
const LASTS_MS: u64 = 3_600_000;

/// How often it is looked whether a person who is waited for has decided.
const LOOKS_EVERY: Duration = Duration::from_millis(400);

/// A person's agreement to a call that is made here and now. It is given back where the call is not made after all.
pub(crate) struct Agreed(Granted);

impl Agreed {
    /// The call is made: it is used up.
    pub fn is_used(&self) {
        self.0.used.store(true, Ordering::Release);
    }
}

/// What became of a question.
pub(crate) enum Put {
    /// A person has agreed.
    Agreed(Box<Agreed>),
    /// It stands there under that id, undecided or denied.
    Asked(String),
    /// It could not be kept.
    Nowhere,
}

/// Who asks, for one request.
pub(crate) struct Approving {
    services: Arc<Services>,
    who: Arc<Principal>,
    request: RequestId,
    granted: Option<Granted>,
    /// How long a call of a reply may be held for a person to decide.
    patience: Duration,
}

/// A grant that the client brought. It is taken when the request comes, so that no other can use it, and given back if the call was
/// not made.
struct Granted {
    services: Arc<Services>,
    approval: Approval,
    used: AtomicBool,
}

impl Drop for Granted {
    fn drop(&mut self) {
        if self.used.load(Ordering::Acquire) {
            return;
        }
        let (services, id) = (Arc::clone(&self.services), self.approval.id.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = services.store.release_approval(&id, now_ms()).await {
                    tracing::error!(%error, %id, "a grant that was not used could not be given back");
                }
            });
        }
    }
}

impl Approving {
    /// Takes the grant that a request names, if it is one of this key's.
    pub async fn new(
        services: &Arc<Services>,
        who: &Arc<Principal>,
        request: &RequestId,
        named: Option<&str>,
    ) -> Result<Approving, Refusal> {
        let granted = match named {
            Some(id) => taken(services, who, id).await?,
            None => None,
        };
        Ok(Approving {
            services: Arc::clone(services),
            who: Arc::clone(who),
            request: request.clone(),
            granted,
            patience: Duration::ZERO,
        })
    }

    /// Holds calls of the reply for a person to decide.
    #[must_use]
    pub fn waiting(self, patience: Duration) -> Approving {
        Approving { patience, ..self }
    }

    /// How long a call of a reply may be held for a person.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    fn binding(&self, tool: &str, arguments: &Value) -> Option<[u8; 32]> {
        let canonical = canonical_json(arguments).ok()?;
        self.services
            .approvals
            .binding(&self.who.key, tool, &canonical)
            .ok()
    }

    /// Whether a person agreed to this very call. A grant is good for one.
    pub fn has(&self, tool: &str, arguments: &Value) -> bool {
        let Some(granted) = &self.granted else {
            return false;
        };
        self.binding(tool, arguments) == Some(granted.approval.binding)
            && !granted.used.swap(true, Ordering::AcqRel)
    }

    /// A person's agreement to this very call, which the client brought, for a call that is made here.
    pub fn agreed(&self, tool: &str, arguments: &Value) -> Option<Agreed> {
        let granted = self.granted.as_ref()?;
        self.has(tool, arguments).then(|| {
            Agreed(Granted {
                services: Arc::clone(&granted.services),
                approval: granted.approval.clone(),
                used: AtomicBool::new(false),
            })
        })
    }

    /// Remembers that a call was let through in a reply.
    pub fn vet(&self, tool: &str, arguments: &Value) {
        if let Some(sum) = self.binding("", arguments) {
            self.services.mcp.vetted.put(sum, tool, now_ms());
        }
    }

    /// Whether a call of a server's tool was let through in a reply, just now and to the same key.
    pub fn was_vetted(&self, server: &str, tool: &str, arguments: &Value) -> bool {
        let sum = self.binding("", arguments);
        sum.is_some_and(|sum| self.services.mcp.vetted.take(&sum, server, tool, now_ms()))
    }

    /// Keeps a question, and takes the agreement if there is one by the time that is given.
    pub async fn put(&self, asked: Approval, patience: Duration) -> Put {
        let began = Instant::now();
        let store = &self.services.store;
        let failed =
            |error: StoreError| tracing::error!(%error, "what a person is to be asked could not be kept");
        let mut kept = match store.ask_approval(asked, now_ms()).await {
            Ok(kept) => kept,
            Err(error) => {
                failed(error);
                return Put::Nowhere;
            }
        };
        loop {
            let waits = kept.state == ApprovalState::Pending && began.elapsed() < patience;
            if kept.state == ApprovalState::Granted {
                return match claimed(&self.services, &self.who, &kept).await {
                    Ok(Some(granted)) => Put::Agreed(Box::new(Agreed(granted))),
                    _ => Put::Asked(kept.id),
                };
            }
            if !waits {
                return Put::Asked(kept.id);
            }
            tokio::time::sleep(LOOKS_EVERY.min(patience.saturating_sub(began.elapsed()))).await;
            match store.approval(&kept.id, now_ms()).await {
                Ok(Some(now)) => kept = now,
                Ok(None) => return Put::Nowhere,
                Err(error) => {
                    failed(error);
                    return Put::Asked(kept.id);
                }
            }
        }
    }

    /// What a person is asked about a call. `None` where nobody could decide about it: it is too large to be looked at.
    pub fn ask(&self, tool: &str, arguments: &Value, written: &str, reasons: &[Reason]) -> Option<Approval> {
        let now = now_ms();
        let asking = Asking {
            key: self.who.key.clone(),
            key_name: self.who.name.clone(),
            team: self.who.team.clone(),
            tool: tool.to_owned(),
            arguments: written.as_bytes().to_vec(),
            binding: self.binding(tool, arguments)?,
            reasons: reasons
                .iter()
                .map(|reason| ApprovalReason {
                    rule: reason.rule.to_owned(),
                    path: reason.path.clone(),
                    value: reason.value.clone(),
                    why: reason.why.clone(),
                })
                .collect(),
            request_id: self.request.clone(),
            created_ms: now,
            expires_ms: now.saturating_add(LASTS_MS),
        };
        let asked = self.services.approvals.ask(asking);
        asked
            .inspect_err(|error| tracing::warn!(%error, "a call cannot be put before a person"))
            .ok()
    }
}

async fn taken(services: &Arc<Services>, who: &Arc<Principal>, id: &str) -> Result<Option<Granted>, Refusal> {
    let unavailable = |error| {
        tracing::error!(%error, "approvals cannot be looked up");
        Refusal::Unavailable("approvals cannot be looked up")
    };
    let known = services.store.approval(id, now_ms()).await.map_err(unavailable)?;
    // Somebody else's, one that is not granted and one that does not exist are the same: none.
    let Some(known) = known.filter(|known| known.key == who.key && known.state == ApprovalState::Granted)
    else {
        return Ok(None);
    };
    claimed(services, who, &known).await.map_err(unavailable)
}

/// Takes a grant, if nobody else did.
async fn claimed(
    services: &Arc<Services>,
    who: &Principal,
    known: &Approval,
) -> Result<Option<Granted>, StoreError> {
    let claimed = services
        .store
        .claim_approval(&known.id, &who.key, &known.binding, now_ms())
        .await?;
    // What was not granted with the key was granted by a hand in the database.
    let granted = claimed.filter(|approval| services.approvals.is_granted(approval));
    Ok(granted.map(|approval| Granted {
        services: Arc::clone(services),
        approval,
        used: AtomicBool::new(false),
    }))
}

/// Keeps what is asked; the ids that are told, each with the one that is to be told in its place: what was asked before has one already.
pub(crate) async fn kept(services: Arc<Services>, asked: Vec<Approval>) -> Vec<(String, String)> {
    let mut other = Vec::new();
    for approval in asked {
        let id = approval.id.clone();
        match services.store.ask_approval(approval, now_ms()).await {
            Ok(kept) if kept.id != id => other.push((id, kept.id)),
            Ok(_) => {}
            // The call is not made all the same; its id leads nowhere.
            Err(error) => tracing::error!(%error, %id, "what a person is to be asked could not be kept"),
        }
    }
    other
}

/// A text with ids in the place of others. All ids are of one length.
pub(crate) fn renamed(bytes: Bytes, ids: &[(String, String)]) -> Bytes {
    let mut text = match std::str::from_utf8(&bytes) {
        Ok(text) if ids.iter().any(|(id, _)| text.contains(id.as_str())) => text.to_owned(),
        _ => return bytes,
    };
    for (id, other) in ids {
        text = text.replace(id.as_str(), other);
    }
    Bytes::from(text)
}
