//! What costs money without being of use: the same request over and over, conversations that go in circles, replies asked for by the
//! dozen.

use portcullis_core::{Action, Family};

use super::Rule;
use crate::{Place, Profile, Ruling};

/// The action depends on the kind.
pub struct Abuse;

impl Rule for Abuse {
    fn id(&self) -> &'static str {
        "abuse"
    }

    fn about(&self) -> &'static str {
        "The same request more often in a minute than `abuse.repeated_rpm` follows `abuse.repeated`, a conversation whose tool calls go in \
         circles more often than `abuse.looping_rpm` follows `abuse.looping`; more replies to one request than `abuse.choices` are refused."
    }

    fn on_finding(&self, profile: &Profile, place: &Place<'_>) -> Option<Ruling> {
        if place.family != Family::Abuse {
            return None;
        }
        let abuse = &profile.abuse;
        let (setting, action) = match place.kind.as_str() {
            "abuse.repeated" => ("abuse.repeated", abuse.repeated),
            "abuse.looping" => ("abuse.looping", abuse.looping),
            "abuse.choices" if abuse.choices == 0 => ("abuse.choices", Action::Allow),
            "abuse.choices" => ("abuse.choices", Action::Block),
            _ => return None,
        };
        Some(profile.says(setting, action))
    }
}
