//! Whether a client may send instructions, and what becomes of a reply that says them. What is too much of them is the
//! detector's affair.

use portcullis_core::{Action, Direction, Family};

use super::{Rule, in_reply};
use crate::{Denial, Facts, Permission, Place, Profile, RuleName, Ruling};

/// Where the application's instructions are the gateway's to give, a client may not send its own.
pub struct SystemPrompts;

impl Rule for SystemPrompts {
    fn id(&self) -> &'static str {
        "system_prompt"
    }

    fn about(&self) -> &'static str {
        "With `from_client: deny`, a request that brings a system or developer text is refused. A reply that says too much of \
         its system prompt follows `system_prompt.leak`."
    }

    fn on_request(&self, profile: &Profile, facts: &Facts<'_>) -> Option<(Denial, RuleName)> {
        let denied = facts.system_prompt_from_client && profile.system_prompt.from_client == Permission::Deny;
        denied.then(|| {
            let rule = RuleName::of_profile(&profile.name, "system_prompt.from_client");
            (Denial::SystemPrompt, rule)
        })
    }

    fn on_finding(&self, profile: &Profile, place: &Place<'_>) -> Option<Ruling> {
        if place.family != Family::SystemPrompt {
            return None;
        }
        let action = match place.direction {
            // A request is where the prompt comes from.
            Direction::Input => Action::Allow,
            Direction::Output => in_reply(profile.system_prompt.leak),
        };
        Some(profile.says("system_prompt.leak", action))
    }
}
