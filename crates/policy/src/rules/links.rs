//! What becomes of links and images in replies. Which host a link leads to is a fact that its finding brings; no address is
//! read here.

use portcullis_core::{Action, Family};

use super::{Rule, in_reply, is_shown};
use crate::{Place, Profile, Ruling};

/// The action depends on the host.
pub struct Links;

impl Rule for Links {
    fn id(&self) -> &'static str {
        "links"
    }

    fn about(&self) -> &'static str {
        "Links and images in a reply pass where they lead to a host of `links.allow`; others follow `links.otherwise`. Requests \
         and the arguments of tool calls are not judged."
    }

    fn on_finding(&self, profile: &Profile, place: &Place<'_>) -> Option<Ruling> {
        if place.family != Family::Link {
            return None;
        }
        let Some(links) = profile.links.as_ref().filter(|_| is_shown(place)) else {
            return Some(profile.says("links", Action::Allow));
        };
        let allowed = place
            .target
            .is_some_and(|host| links.allow.iter().any(|pattern| pattern.matches(host)));
        Some(if allowed {
            profile.says("links.allow", Action::Allow)
        } else {
            profile.says("links.otherwise", in_reply(links.otherwise))
        })
    }
}
