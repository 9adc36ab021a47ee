//! Who asks, and by which profile that is judged.

use std::sync::Arc;

use http::HeaderMap;

use super::identify::{identify, source, wrong};
use super::receive::Received;
use crate::door::Peer;
use crate::gateway::Guard;
use crate::levels::Standing;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal};

/// A request whose sender is known, with the profile that applies to it.
pub(crate) struct Authenticated {
    received: Received,
    standing: Arc<Standing>,
    guard: Arc<Guard>,
}

impl Authenticated {
    pub(super) fn into_parts(self) -> (Received, Arc<Standing>, Arc<Guard>) {
        (self.received, self.standing, self.guard)
    }
}

pub(super) async fn authenticate(
    gw: &Gateway,
    request: Received,
    record: &mut Record,
) -> Result<Authenticated, Refusal> {
    let (standing, guard) = stand(gw, &request.peer, &request.head.headers, record).await?;
    record.left("authenticate");
    Ok(Authenticated {
        received: request,
        standing,
        guard,
    })
}

/// The sender, with the profile that applies.
async fn stand(
    gw: &Gateway,
    peer: &Peer,
    headers: &HeaderMap,
    record: &mut Record,
) -> Result<(Arc<Standing>, Arc<Guard>), Refusal> {
    let principal = identify(gw, peer, headers).await?;
    let standing = Standing::new(principal, &gw.groups);
    record.standing(&standing);
    let principal = &standing.principal;
    // Whoever holds a stolen key learns no more than with a wrong one; the record has the key that was tried.
    if !principal.may_come_from(Some(source(gw, peer.address.ip(), headers))) {
        return Err(wrong(gw, peer, headers, "the key may not be used from there"));
    }
    gw.services.keyring.used(&principal.key, now_ms());
    let guard = gw.profiles.get(standing.profile()).cloned();
    // A key whose profile is not configured has no rules: it gets nothing rather than everything.
    let guard = guard.ok_or(Refusal::Unavailable("the profile of this key is not configured"))?;
    Ok((Arc::new(standing), guard))
}
