//! The decision: facts in, verdict out. It applies nothing; the enforcer of the data plane does.

use portcullis_core::{Action, Decision, Direction, Glob, Located, Uninspectable};
use serde::{Deserialize, Serialize};

use crate::rules::RULES;
use crate::{Place, Profile, RuleName, Ruling};

/// All that a decision depends on besides the profile.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Which way the message travels. Permissions are judged on input only.
    pub direction: Direction,
    /// The lists of models that the key may name, of its own and of its groups: each must permit a model. None means all models.
    pub principal_models: &'a [&'a [Glob]],
    /// The model that the request names, if it names one.
    pub model: Option<&'a str>,
    /// Whether the client sent a system or developer text.
    pub system_prompt_from_client: bool,
    /// What detectors found.
    pub findings: &'a [Located],
    /// What could not be read.
    pub uninspectable: &'a [Uninspectable],
}

/// Why a request or a reply is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Denial {
    /// The key may not name this model.
    Model,
    /// The profile does not let clients send system or developer texts.
    SystemPrompt,
    /// It holds content that cannot be read and that the profile does not let pass unread.
    Uninspectable,
    /// A finding in its content is blocked.
    Content,
}

impl Denial {
    /// Whether it is a matter of permission (403) rather than of content (400). Observing does not suspend permissions.
    #[must_use]
    pub const fn is_permission(self) -> bool {
        matches!(self, Denial::Model | Denial::SystemPrompt)
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// In one word.
    pub decision: Decision,
    /// Why it is refused, if it is.
    pub refusal: Option<Denial>,
    /// The setting that refuses it, if it is refused.
    pub refused_by: Option<RuleName>,
    /// One for each finding, in the same order.
    pub rulings: Vec<Ruling>,
    /// One for each content that cannot be read, in the same order.
    pub uninspectable: Vec<Ruling>,
}

/// Judges a message. Total: every combination of facts has a verdict.
#[must_use]
pub fn decide(profile: &Profile, facts: &Facts<'_>) -> Verdict {
    let mut rulings: Vec<Ruling> = facts
        .findings
        .iter()
        .map(|located| ruling(profile, facts.direction, located))
        .collect();
    let mut uninspectable: Vec<Ruling> = facts
        .uninspectable
        .iter()
        .map(|content| profile.ruling_on_uninspectable(content.kind))
        .collect();

    let asked = strictest(&rulings).max(strictest(&uninspectable));
    for ruling in rulings.iter_mut().chain(&mut uninspectable) {
        ruling.action = profile.mode.applied(ruling.action);
    }

    let refusal = denied(profile, facts)
        .or_else(|| blocked(&uninspectable, Denial::Uninspectable))
        .or_else(|| blocked(&rulings, Denial::Content));
    let decision = if refusal.is_some() {
        Decision::Block
    } else if profile.mode.applied(asked) != asked {
        Decision::Observe
    } else if asked.changes_text() {
        Decision::Redact
    } else {
        Decision::Allow
    };
    let (refusal, refused_by) = refusal.unzip();
    Verdict {
        decision,
        refusal,
        refused_by,
        rulings,
        uninspectable,
    }
}

/// Whether one of these findings by itself refuses what it stands in, whatever else is or will be found there: then nothing more need
/// be looked for.
#[must_use]
pub fn refuses(profile: &Profile, direction: Direction, findings: &[Located]) -> bool {
    findings
        .iter()
        .any(|located| profile.mode.applied(ruling(profile, direction, located).action) == Action::Block)
}

fn ruling(profile: &Profile, direction: Direction, located: &Located) -> Ruling {
    let finding = &located.finding;
    profile.ruling(&Place {
        direction,
        channel: located.channel,
        origin: located.origin,
        family: finding.family,
        kind: &finding.kind,
        target: finding.target.as_deref(),
    })
}

fn strictest(rulings: &[Ruling]) -> Action {
    rulings
        .iter()
        .map(|ruling| ruling.action)
        .max()
        .unwrap_or(Action::Allow)
}

fn denied(profile: &Profile, facts: &Facts<'_>) -> Option<(Denial, RuleName)> {
    match facts.direction {
        Direction::Input => RULES.iter().find_map(|rule| rule.on_request(profile, facts)),
        Direction::Output => None,
    }
}

fn blocked(rulings: &[Ruling], denial: Denial) -> Option<(Denial, RuleName)> {
    rulings
        .iter()
        .find(|ruling| ruling.action == Action::Block)
        .map(|ruling| (denial, ruling.rule.clone()))
}
