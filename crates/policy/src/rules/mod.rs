//! The rules, one a file, and their registry. A rule reads settings and facts; it keeps nothing and calls no other rule.

use portcullis_core::{Action, Channel, Direction, UninspectableKind};

use crate::{Denial, Facts, Place, Profile, RuleName, Ruling};

mod abuse;
mod injection;
mod links;
mod models;
mod output;
mod pii;
mod secrets;
mod system_prompt;
mod uninspectable;

/// One kind of rule. It answers the questions that are its affair and leaves the others at `None`.
pub trait Rule: Sync {
    /// Its name; its cases are `tests/corpus/<id>.toml`.
    fn id(&self) -> &'static str;

    /// What it does, in one sentence.
    fn about(&self) -> &'static str;

    /// Why the request is not permitted, whatever its texts say.
    fn on_request(&self, _profile: &Profile, _facts: &Facts<'_>) -> Option<(Denial, RuleName)> {
        None
    }

    /// What the profile says about a finding.
    fn on_finding(&self, _profile: &Profile, _place: &Place<'_>) -> Option<Ruling> {
        None
    }

    /// What the profile says about content that cannot be read.
    fn on_uninspectable(&self, _profile: &Profile, _kind: UninspectableKind) -> Option<Ruling> {
        None
    }
}

/// Every rule. Where several refuse a request, the first one gives the reason.
pub static RULES: &[&dyn Rule] = &[
    &models::Models,
    &system_prompt::SystemPrompts,
    &uninspectable::Uninspectable,
    &injection::Injections,
    &secrets::Secrets,
    &pii::PersonalData,
    &links::Links,
    &output::Output,
    &abuse::Abuse,
];

/// Whether a text is a part of a reply that somebody's program shows: not one of a request, and not the arguments of a tool
/// call, in which addresses and markup are data. A place that the dialect does not know is taken to be shown.
fn is_shown(place: &Place<'_>) -> bool {
    place.direction == Direction::Output && place.channel != Channel::ToolCall
}

/// An action on a text of a reply, which the client never sent: there is nothing to restore to it.
const fn in_reply(action: Action) -> Action {
    match action {
        Action::Mask => Action::Redact,
        action => action,
    }
}

/// The setting for the way a text travels; on a channel that the dialect does not know, the stricter of both.
fn by_direction(
    profile: &Profile,
    place: &Place<'_>,
    input: (&'static str, Action),
    output: (&'static str, Action),
) -> Ruling {
    let own = match place.direction {
        Direction::Input => input,
        Direction::Output => output,
    };
    let (setting, action) = match place.channel {
        Channel::Unknown if input.1 > own.1 => input,
        Channel::Unknown if output.1 > own.1 => output,
        _ => own,
    };
    let action = match place.direction {
        Direction::Input => action,
        Direction::Output => in_reply(action),
    };
    profile.says(setting, action)
}
