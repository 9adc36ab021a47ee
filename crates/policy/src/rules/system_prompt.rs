//! Whether a client may send instructions. Whether instructions leak into a reply is not judged here.

use super::Rule;
use crate::{Denial, Facts, Permission, Profile, RuleName};

/// Where the application's instructions are the gateway's to give, a client may not send its own.
pub struct SystemPromptFromClient;

impl Rule for SystemPromptFromClient {
    fn id(&self) -> &'static str {
        "system_prompt"
    }

    fn about(&self) -> &'static str {
        "With `from_client: deny`, a request that brings a system or developer text is refused."
    }

    fn on_request(&self, profile: &Profile, facts: &Facts<'_>) -> Option<(Denial, RuleName)> {
        let denied = facts.system_prompt_from_client && profile.system_prompt.from_client == Permission::Deny;
        denied.then(|| {
            let rule = RuleName::of_profile(&profile.name, "system_prompt.from_client");
            (Denial::SystemPrompt, rule)
        })
    }
}
