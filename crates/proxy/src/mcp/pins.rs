//! What a server says of its tools is shown to a model only as it was accepted: the first words of a name are, unless something is found in
//! them or another server has that name; whatever is said otherwise later is held until an operator accepts it.

use portcullis_core::{Action, Channel, Decision, Direction, Family, RecordedFinding, Severity, Span};
use portcullis_policy::Mode;
use portcullis_store::{MOST_PINNED, Pin, PinKind, PinState, PinWhy, Sighting, canonical_json};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::McpServer;
use crate::gateway::Guard;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal};

/// A definition that a server gave just now.
pub(super) struct Given<'a> {
    pub kind: PinKind,
    pub name: &'a str,
    pub definition: &'a Value,
    /// Whether the detectors and the profile let it pass.
    pub passes: bool,
}

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
        record(finding(&server.name, given, kind, action), decision);
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
    let seen = wanted.iter().map(|(_, one)| sighting(one)).collect();
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
        let is_small = pin.definition.len() <= MOST_PINNED;
        let passes = pin.state == PinState::Accepted && is_small;
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

fn why(pin: &Pin) -> &'static str {
    match (pin.state, pin.why) {
        (PinState::Rejected, _) => "tool.rejected",
        (_, PinWhy::Shadows) => "tool.shadowed",
        (_, PinWhy::Content) => "tool.poisoned",
        (_, PinWhy::Changed | PinWhy::First) => "tool.changed",
    }
}

fn finding(server: &str, given: &Given<'_>, kind: &str, action: Action) -> RecordedFinding {
    RecordedFinding {
        kind: kind.to_owned(),
        family: Family::Tool,
        severity: Severity::High,
        score: 1.0,
        direction: Direction::Input,
        channel: Channel::ToolDefinition,
        path: given.name.chars().take(100).collect(),
        span: Span::new(0, 0),
        action,
        rule: format!("mcp.{server}.pin"),
        late: false,
    }
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

fn sighting(given: &Given<'_>) -> Sighting {
    let canonical = canonical_json(given.definition).or_else(|_| serde_json::to_vec(given.definition));
    let definition = canonical.unwrap_or_default();
    let folded = given.name.chars().filter(|char| char.is_alphanumeric());
    Sighting {
        kind: given.kind,
        name: given.name.to_owned(),
        folded: folded.flat_map(char::to_lowercase).collect(),
        digest: Sha256::digest(&definition).into(),
        // What nobody could read is not accepted by itself.
        is_flagged: !given.passes || definition.len() > MOST_PINNED,
        definition: match definition.len() > MOST_PINNED {
            true => definition
                .into_iter()
                .take(MOST_PINNED.saturating_add(1))
                .collect(),
            false => definition,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_is_the_same_however_it_is_written() {
        let given = |definition: &Value, passes| {
            sighting(&Given {
                kind: PinKind::Tool,
                name: "Send_Mail",
                definition,
                passes,
            })
        };
        let (one, other) = (json!({"a": 1, "b": "x"}), json!({"b": "x", "a": 1}));
        let sight = given(&one, true);
        assert_eq!(sight.digest, given(&other, true).digest);
        assert_ne!(sight.digest, given(&json!({"a": 1, "b": "y"}), true).digest);
        assert_eq!((sight.folded.as_str(), sight.is_flagged), ("sendmail", false));
        assert!(given(&one, false).is_flagged);
        let large = json!({"a": "x".repeat(MOST_PINNED)});
        assert!(given(&large, true).is_flagged && given(&large, true).definition.len() > MOST_PINNED);
    }

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
