//! Definitions of tools that a client offers to a model, where its tool policy pins them: what an agent has loaded from somewhere may say
//! something else today.

use portcullis_core::{Action, Decision};
use portcullis_dialect::{Offer, Reading};
use portcullis_policy::Mode;
use portcullis_store::PinKind;
use serde_json::Value;

use crate::calls::NamedToolPolicy;
use crate::definitions::{Given, is_accepted, why};
use crate::gateway::{Gateway, Guard};
use crate::record::{Record, now_ms};
use crate::refusal::Refusal;

/// Refuses a request that offers a tool with other words than those that were accepted.
///
/// # Errors
/// One of them is held, or what is known of them cannot be looked up.
pub(super) async fn pinned(
    gw: &Gateway,
    named: &NamedToolPolicy,
    guard: &Guard,
    (reading, offers): (&Reading, &[Offer]),
    record: &mut Record,
) -> Result<(), Refusal> {
    // What the provider runs it defines itself.
    let own: Vec<(&Offer, Value)> = offers
        .iter()
        .filter(|offer| named.policy.pin && !offer.provided)
        .map(|offer| (offer, definition(reading, offer)))
        .collect();
    if own.is_empty() {
        return Ok(());
    }
    let given: Vec<Given<'_>> = own
        .iter()
        .map(|(offer, definition)| Given {
            kind: PinKind::Tool,
            name: &offer.name,
            definition,
            passes: true,
        })
        .collect();
    let seen = given.iter().map(Given::sighting).collect();
    let place = format!("tools.{}", named.name);
    let pins = gw.services.store.see_pins(&place, seen, &[], now_ms()).await;
    let pins = pins.map_err(|error| {
        tracing::error!(%error, policy = %named.name, "what is known of offered tools cannot be looked up");
        Refusal::Unavailable("what is known of the offered tools cannot be looked up")
    })?;
    let enforces = guard.profile.mode == Mode::Enforce;
    let (action, decision) = match enforces {
        true => (Action::Block, Decision::Block),
        false => (Action::Flag, Decision::Observe),
    };
    let mut refused = None;
    for (one, pin) in given.iter().zip(&pins).filter(|(_, pin)| !is_accepted(pin)) {
        record.noted(one.finding(why(pin), action, format!("{place}.pin")));
        record.audit.decision = record.audit.decision.max(decision);
        if enforces && refused.is_none() {
            let tool: String = one.name.chars().take(100).collect();
            record.audit.denied_by.push(format!("{place}.{tool}: {}", pin.id));
            refused = Some(Refusal::HeldTool(tool));
        }
    }
    refused.map_or(Ok(()), Err)
}

/// What a client says of a tool: all of it, whatever the dialect has a place for, but for where the provider is to cache.
fn definition(reading: &Reading, offer: &Offer) -> Value {
    let whole = offer
        .whole
        .and_then(|node| serde_json::from_str(reading.document().wire(node)).ok());
    let mut whole = whole.unwrap_or(Value::Null);
    if let Some(members) = whole.as_object_mut() {
        members.remove("cache_control");
    }
    whole
}
