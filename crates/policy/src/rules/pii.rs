//! What becomes of personal data. Whose data it is, nobody here knows.

use portcullis_core::{Action, Family};

use super::{Rule, by_direction};
use crate::{Place, Profile, Ruling};

/// The action depends on the direction and on the kinds that the profile names.
pub struct PersonalData;

impl Rule for PersonalData {
    fn id(&self) -> &'static str {
        "pii"
    }

    fn about(&self) -> &'static str {
        "Personal data of the kinds in `pii.types` follow `pii.input` and `pii.output`; other kinds are only flagged."
    }

    fn on_finding(&self, profile: &Profile, place: &Place<'_>) -> Option<Ruling> {
        if place.family != Family::Pii {
            return None;
        }
        let (input, output) = (profile.pii.input, profile.pii.output);
        let ruling = by_direction(profile, place, ("pii.input", input), ("pii.output", output));
        Some(
            if profile.pii.covers(place.kind) || ruling.action <= Action::Flag {
                ruling
            } else {
                profile.says("pii.types", Action::Flag)
            },
        )
    }
}
