//! What becomes of credentials. Whether one is real is the detectors' affair.

use portcullis_core::Family;

use super::{Rule, by_direction};
use crate::{Place, Profile, Ruling};

/// The action depends on the direction.
pub struct Secrets;

impl Rule for Secrets {
    fn id(&self) -> &'static str {
        "secrets"
    }

    fn about(&self) -> &'static str {
        "Credentials follow `secrets.input` on their way to the model and `secrets.output` on their way to the client."
    }

    fn on_finding(&self, profile: &Profile, place: &Place<'_>) -> Option<Ruling> {
        if place.family != Family::Secret {
            return None;
        }
        let (input, output) = (profile.secrets.input, profile.secrets.output);
        Some(by_direction(
            profile,
            place,
            ("secrets.input", input),
            ("secrets.output", output),
        ))
    }
}
