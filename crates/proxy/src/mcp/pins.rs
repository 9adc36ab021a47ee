//! What a server says of its tools is shown to a model only as it was accepted: the first words of a name are, unless something is found in
//! them or another server has that name; whatever is said otherwise later is held until an operator accepts it.

use portcullis_core::{Action, Decision, RecordedFinding};
use portcullis_policy::Mode;
use portcullis_store::PinKind;

use super::McpServer;
use crate::definitions::{Given, is_accepted, why};
use crate::gateway::Guard;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal};

/// Which of the definitions may be shown.
///
/// # Errors
/// What is known of them cannot be looked up: then none is shown.
pub(super) async fn shown(
    gw: &Gateway,
    (server, guard): (&McpServer, &Guard),
    given: &[Given<'_>],
    record: impl Fn(RecordedFinding, Decision),
) -> Result<Vec<bool>, Refusal> {
    let enforces = guard.profile.mode == Mode::Enforce;
    let mut shown: Vec<bool> = given.iter().map(|one| is_name(one.kind, one.name)).collect();
    let said = |given: &Given<'_>, kind: &'static str| {
        let action = if enforces { Action::Block } else { Action::Flag };
        let decision = if enforces {
            Decision::Redact
        } else {
            Decision::Observe
        };
        record(
            given.finding(kind, action, format!("mcp.{}.pin", server.name)),
            decision,
        );
    };
    for (one, is_shown) in given.iter().zip(&shown) {
        if !is_shown {
            said(one, "tool.name");
        }
    }
    if !server.pin {
        for (one, is_shown) in given.iter().zip(&mut shown) {
            *is_shown &= one.passes;
        }
        return Ok(shown);
    }
    let wanted: Vec<(usize, &Given<'_>)> = given
        .iter()
        .enumerate()
        .filter(|(at, _)| shown.get(*at) == Some(&true))
        .collect();
    let seen = wanted.iter().map(|(_, one)| one.sighting()).collect();
    let beside: Vec<String> = gw.mcp.keys().map(|name| name.to_string()).collect();
    let pins = gw.services.store.see_pins(&server.name, seen, &beside, now_ms());
    let pins = pins.await.map_err(|error| {
        tracing::error!(%error, server = %server.name, "what is known of its tools cannot be looked up");
        Refusal::Unavailable("what is known of the server's tools cannot be looked up")
    })?;
    for ((at, one), pin) in wanted.into_iter().zip(&pins) {
        let Some(is_shown) = shown.get_mut(at) else {
            continue;
        };
        let passes = is_accepted(pin);
        if !passes {
            said(one, why(pin));
        }
        *is_shown = passes || !enforces;
    }
    Ok(shown)
}

/// Notes what [`shown`] finds.
pub(super) fn noted(record: &mut Record, finding: RecordedFinding, decision: Decision) {
    record.noted(finding);
    record.audit.decision = record.audit.decision.max(decision);
}

/// Names of tools and prompts as the protocol has them. Others look like names that they are not.
fn is_name(kind: PinKind, name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:".contains(&byte);
    match kind {
        PinKind::Tool => (1..=128).contains(&name.len()) && name.bytes().all(plain),
        PinKind::Prompt => (1..=256).contains(&name.len()) && !name.contains(char::is_control),
        PinKind::Instructions => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_none() {
        assert!(is_name(PinKind::Tool, "mcp.read-file_2/x"));
        for wrong in ["", "s\u{435}nd", "send mail", "send\u{200b}"] {
            assert!(!is_name(PinKind::Tool, wrong), "{wrong:?}");
        }
        assert!(!is_name(PinKind::Tool, &"x".repeat(129)));
        assert!(is_name(PinKind::Prompt, "Résumé this"));
    }
}
