//! Which models a key may name. Which models exist is routing's affair, not this rule's.

use super::Rule;
use crate::{Denial, Facts, Profile, RuleName};

/// A key that is restricted to models may name no other.
pub struct Models;

impl Rule for Models {
    fn id(&self) -> &'static str {
        "models"
    }

    fn about(&self) -> &'static str {
        "A key with `--models` may name only models that fit one of its patterns; it may not leave the model open either."
    }

    fn on_request(&self, _profile: &Profile, facts: &Facts<'_>) -> Option<(Denial, RuleName)> {
        if facts.principal_models.is_empty() {
            return None;
        }
        let permitted = facts.model.is_some_and(|model| {
            let mut lists = facts.principal_models.iter();
            lists.all(|list| list.iter().any(|glob| glob.matches(model)))
        });
        (!permitted).then(|| (Denial::Model, RuleName::of_key("models")))
    }
}
