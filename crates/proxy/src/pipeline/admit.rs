//! How much: rate, concurrency and budget of the key and of every group it belongs to. Nothing of the body has been read yet.

use std::sync::Arc;

use portcullis_core::{Limits, Principal};
use portcullis_store::{Admission, Limited, MeterId};

use super::authenticate::Authenticated;
use super::receive::Received;
use crate::gateway::Guard;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal};

/// A request that is within its limits. The admission frees its place when it goes.
pub(crate) struct Admitted {
    received: Received,
    principal: Arc<Principal>,
    guard: Arc<Guard>,
    admission: Admission,
}

impl Admitted {
    pub(super) fn into_parts(self) -> (Received, Arc<Principal>, Arc<Guard>, Admission) {
        (self.received, self.principal, self.guard, self.admission)
    }
}

pub(super) async fn admit(
    gw: &Gateway,
    request: Authenticated,
    record: &mut Record,
) -> Result<Admitted, Refusal> {
    let (received, principal, guard) = request.into_parts();
    let admission = enter(gw, &principal).await?;
    record.audit.limits_alone = admission.is_alone();
    record.left("admit");
    Ok(Admitted {
        received,
        principal,
        guard,
        admission,
    })
}

/// Takes a place under every limit that applies to a principal, or under none.
pub(crate) async fn enter(gw: &Gateway, principal: &Principal) -> Result<Admission, Refusal> {
    let mut limits: Vec<(MeterId, &Limits)> = vec![(MeterId::key(&principal.key), &principal.limits)];
    for group in &gw.limits {
        if group.holds_for(principal) {
            limits.push((group.meter(), &group.limits));
        }
    }
    let admitted = gw.services.meters.admit(&limits, now_ms()).await;
    admitted.map_err(|limited| refused(gw, limited))
}

/// What a client is told of a limit that is reached; a budget's refusal is noted for its alerts.
pub(super) fn refused(gw: &Gateway, limited: Limited) -> Refusal {
    gw.services.metrics.refused.note(&limited);
    refusal(limited)
}

fn refusal(limited: Limited) -> Refusal {
    match limited {
        Limited::Rate { retry_after_ms, .. } => Refusal::RateLimited(retry_after_ms),
        Limited::Concurrency { .. } => Refusal::TooManyConcurrent,
        Limited::Budget { retry_after_ms, .. } => Refusal::BudgetExceeded(retry_after_ms),
        Limited::Short { retry_after_ms, .. } => Refusal::BudgetShort(retry_after_ms),
        Limited::OutOfReach { .. } => Refusal::Unavailable("its limits cannot be looked up"),
    }
}
