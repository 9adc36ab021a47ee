//! How much: rate, concurrency and budget of the key and of every group it belongs to. Nothing of the body has been read yet; limits that
//! depend on the model come when it is known, in [`super::reserve`].

use std::sync::Arc;

use portcullis_core::Limits;
use portcullis_store::{Admission, Limited, MeterId};

use super::authenticate::Authenticated;
use super::receive::Received;
use crate::gateway::Guard;
use crate::levels::Standing;
use crate::places::Places;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal};

/// A request that is within its limits. Its places are freed when it goes.
pub(crate) struct Admitted {
    received: Received,
    standing: Arc<Standing>,
    guard: Arc<Guard>,
    places: Places,
}

impl Admitted {
    pub(super) fn into_parts(self) -> (Received, Arc<Standing>, Arc<Guard>, Places) {
        (self.received, self.standing, self.guard, self.places)
    }
}

pub(super) async fn admit(
    gw: &Gateway,
    request: Authenticated,
    record: &mut Record,
) -> Result<Admitted, Refusal> {
    let (received, standing, guard) = request.into_parts();
    let places = Places::new(enter(gw, &standing).await?);
    record.audit.limits_alone = places.is_alone();
    record.left("admit");
    Ok(Admitted {
        received,
        standing,
        guard,
        places,
    })
}

/// Takes a place under every limit that applies to a principal, or under none.
async fn enter(gw: &Gateway, standing: &Standing) -> Result<Admission, Refusal> {
    let principal = &standing.principal;
    let mut limits: Vec<(MeterId, &Limits)> = vec![(MeterId::key(&principal.key), &principal.limits)];
    for group in gw.limits.iter().filter(|group| !group.is_of_model()) {
        if let Some(meter) = group.meter(standing, &[]) {
            limits.push((meter, &group.limits));
        }
    }
    let admitted = gw.services.meters.admit(&limits, now_ms()).await;
    admitted.map_err(|limited| refused(gw, limited))
}

/// Takes a place under every limit of the model, which is known by these names, or under none.
pub(super) async fn enter_model(
    gw: &Gateway,
    standing: &Standing,
    models: &[&str],
) -> Result<Option<Admission>, Refusal> {
    let of_model = gw.limits.iter().filter(|group| group.is_of_model());
    let limits: Vec<(MeterId, &Limits)> = of_model
        .filter_map(|group| Some((group.meter(standing, models)?, &group.limits)))
        .collect();
    if limits.is_empty() {
        return Ok(None);
    }
    let admitted = gw.services.meters.admit(&limits, now_ms()).await;
    admitted.map(Some).map_err(|limited| refused(gw, limited))
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
