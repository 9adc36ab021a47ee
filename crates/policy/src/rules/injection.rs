//! What becomes of texts that try to take control of the model. Judged on input only: detectors of instructions are
//! made for what a model reads, and what a model writes is judged where it acts, not here.

use portcullis_core::{Action, Channel, Direction, Family, Integrity, Origin};

use super::Rule;
use crate::{Place, Profile, Ruling};

/// The kind that says that a classifier did not come to its end. It is about the request, whoever wrote the text.
const UNCLASSIFIED: &str = "injection.unclassified";

/// The action depends on how far the author of the text is trusted.
pub struct Injections;

impl Rule for Injections {
    fn id(&self) -> &'static str {
        "injection"
    }

    fn about(&self) -> &'static str {
        "Injections in the user's words follow `injection.user`, those in tool results, documents and other data \
         `injection.untrusted`; in the operator's own instructions they are only flagged. A request that the classifier \
         did not read in time follows `injection.late`."
    }

    fn on_finding(&self, profile: &Profile, place: &Place<'_>) -> Option<Ruling> {
        if place.family != Family::Injection {
            return None;
        }
        let (user, untrusted) = (profile.injection.user, profile.injection.untrusted);
        if place.direction == Direction::Output {
            return Some(profile.says("injection", Action::Allow));
        }
        if place.kind.as_str() == UNCLASSIFIED {
            return Some(profile.says("injection.late", profile.injection.late));
        }
        if place.channel == Channel::Unknown {
            return Some(if untrusted >= user {
                profile.says("injection.untrusted", untrusted)
            } else {
                profile.says("injection.user", user)
            });
        }
        Some(match (place.origin, place.origin.integrity()) {
            // INVARIANT: on input, the model's text is what the client sends again, so it is the client's word.
            (Origin::Model, _) | (_, Integrity::User) => profile.says("injection.user", user),
            (_, Integrity::Operator) => profile.says("injection", Action::Flag.min(user.max(untrusted))),
            (_, Integrity::Untrusted) => profile.says("injection.untrusted", untrusted),
        })
    }
}
