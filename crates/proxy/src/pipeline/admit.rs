//! How much: rate, concurrency and budget of the key and of every group it belongs to. Nothing of the body has been read yet; limits that
//! depend on the model come when it is known, in [`super::reserve`].

use std::sync::Arc;
use std::time::Duration;

use portcullis_core::Limits;
use portcullis_store::{Admission, Limited, MeterId};

use super::authenticate::Authenticated;
use super::receive::Received;
use crate::gateway::Guard;
use crate::group_limit::GroupLimit;
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
    let mut wanted = Wanted::default();
    wanted
        .limits
        .push((MeterId::key(&principal.key), &principal.limits));
    let groups = gw.limits.iter().filter(|group| !group.is_of_model());
    wanted.add(groups, standing, &[]);
    wanted.enter(gw, standing).await
}

/// Takes a place under every limit of the model, which is known by these names, or under none.
pub(super) async fn enter_model(
    gw: &Gateway,
    standing: &Standing,
    models: &[&str],
) -> Result<Option<Admission>, Refusal> {
    let mut wanted = Wanted::default();
    let groups = gw.limits.iter().filter(|group| group.is_of_model());
    wanted.add(groups, standing, models);
    match wanted.limits.is_empty() {
        true => Ok(None),
        false => wanted.enter(gw, standing).await.map(Some),
    }
}

/// The limits that apply to a request.
#[derive(Default)]
struct Wanted<'g> {
    limits: Vec<(MeterId, &'g Limits)>,
    /// How long a place under them may be waited for.
    waits: Vec<Wait>,
}

/// A limit of requests under way whose places may be waited for.
struct Wait {
    meter: MeterId,
    limit: u32,
    patience: Duration,
}

impl<'g> Wanted<'g> {
    fn add(&mut self, groups: impl Iterator<Item = &'g GroupLimit>, standing: &Standing, models: &[&str]) {
        for group in groups {
            let Some(meter) = group.meter(standing, models) else {
                continue;
            };
            if let (Some(patience), Some(limit)) = (group.wait, group.limits.concurrency) {
                self.waits.push(Wait {
                    meter: meter.clone(),
                    limit,
                    patience,
                });
            }
            self.limits.push((meter, &group.limits));
        }
    }

    /// Takes a place under all of them or under none, and waits for it where that is allowed.
    async fn enter(&self, gw: &Gateway, standing: &Standing) -> Result<Admission, Refusal> {
        let key = &standing.principal.key;
        let (meters, turns) = (&gw.services.meters, &gw.services.turns);
        // Whoever comes while others wait for a place comes behind them.
        let waited_for = self.waits.iter().find(|wait| turns.is_waited_for(&wait.meter));
        let mut entered = match waited_for {
            Some(Wait { meter, limit, .. }) => Err(Limited::Concurrency {
                meter: meter.clone(),
                limit: *limit,
            }),
            None => meters.admit(&self.limits, now_ms()).await,
        };
        // One turn for each limit that can be waited for: a place under one of them may be found when another has none.
        for _ in &self.waits {
            let Err(Limited::Concurrency { meter, .. }) = &entered else {
                break;
            };
            let Some(wait) = self.waits.iter().find(|wait| wait.meter == *meter) else {
                break;
            };
            let Some(mut ticket) = turns.join(&wait.meter, key, wait.patience) else {
                break;
            };
            while ticket.turn().await {
                entered = meters.admit(&self.limits, now_ms()).await;
                if !matches!(&entered, Err(Limited::Concurrency { meter, .. }) if *meter == wait.meter) {
                    break;
                }
            }
        }
        entered.map_err(|limited| refused(gw, limited))
    }
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
