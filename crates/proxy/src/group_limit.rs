//! Limits for groups of requests: whom each is for, and who shares it.

use std::time::Duration;

use portcullis_core::{Glob, KeyId, Limits, Principal};
use portcullis_store::MeterId;

use crate::gateway::RequestLimit;
use crate::levels::Standing;

/// The meter of a limit for all requests together.
const EVERYBODY: &str = "everybody";

/// Limits for the requests that fit all of its patterns. All limits that fit a request apply.
///
/// A name is for those of that name together. A pattern with `*` is for each one that fits on its own, except for models: those that
/// fit share the limit, or a client could make a meter of every name it thinks of.
#[derive(Clone, Debug, Default)]
pub struct GroupLimit {
    /// The organisation.
    pub org: Option<Glob>,
    /// The team.
    pub team: Option<Glob>,
    /// The user.
    pub user: Option<Glob>,
    /// The name of the key.
    pub key: Option<Glob>,
    /// The model, as the client names it or as its upstream knows it.
    pub model: Option<Glob>,
    /// The limits.
    pub limits: Limits,
    /// How long a request may wait for a place under `concurrency`.
    pub wait: Option<Duration>,
    /// What each single request may be.
    pub each: RequestLimit,
}

impl GroupLimit {
    /// Whether it takes the model to know whether it applies.
    pub(crate) fn is_of_model(&self) -> bool {
        self.model.is_some()
    }

    /// The meter of a request, if the limit is for it. `models` are the names of the model that the request is for.
    pub(crate) fn meter(&self, standing: &Standing, models: &[&str]) -> Option<MeterId> {
        let principal = &standing.principal;
        let mut name = String::new();
        let levels = [
            ("org", &self.org, standing.org.as_deref()),
            ("team", &self.team, principal.team.as_deref()),
            ("user", &self.user, principal.user.as_deref()),
        ];
        for (level, wanted, value) in levels {
            let Some(wanted) = wanted else { continue };
            push(&mut name, level, value.filter(|value| wanted.matches(value))?);
        }
        if let Some(wanted) = &self.key {
            push(&mut name, "key", named_key(wanted, principal)?);
        }
        if let Some(wanted) = &self.model {
            models.iter().find(|model| wanted.matches(model))?;
            push(&mut name, "model", wanted.as_str());
        }
        Some(match name.as_str() {
            "" => MeterId::from_text(EVERYBODY),
            name => MeterId::from_text(name),
        })
    }

    /// Whether a meter is one of those that [`GroupLimit::meter`] gives. Keys are named there by their ids; `name_of` knows their names.
    pub(crate) fn counts_at(&self, meter: &MeterId, name_of: impl Fn(&KeyId) -> Option<String>) -> bool {
        let mut parts = match meter.as_str() {
            EVERYBODY => "",
            parts => parts,
        }
        .split('/')
        .filter(|part| !part.is_empty());
        let levels = [
            ("org:", &self.org),
            ("team:", &self.team),
            ("user:", &self.user),
            ("key:", &self.key),
            ("model:", &self.model),
        ];
        let fits = levels.into_iter().all(|(level, wanted)| {
            let Some(wanted) = wanted else { return true };
            let Some(value) = parts.next().and_then(|part| part.strip_prefix(level)) else {
                return false;
            };
            let value = value.replace("%2F", "/").replace("%25", "%");
            match level {
                "key:" => {
                    let key = KeyId::from_text(&value);
                    wanted.as_str() == value || name_of(&key).is_some_and(|name| wanted.matches(&name))
                }
                "model:" => wanted.as_str() == value,
                _ => wanted.matches(&value),
            }
        });
        fits && parts.next().is_none()
    }
}

/// The id of a key whose name fits: the meter is then that of the key's own limits.
fn named_key<'p>(wanted: &Glob, principal: &'p Principal) -> Option<&'p str> {
    let id = principal.key.as_str();
    (wanted.matches(&principal.name) || wanted.as_str() == id).then_some(id)
}

/// Adds a part of a meter's name. What separates parts is escaped in names, so that no two groups have one meter.
fn push(name: &mut String, level: &str, value: &str) {
    if !name.is_empty() {
        name.push('/');
    }
    name.push_str(level);
    name.push(':');
    for c in value.chars() {
        match c {
            '/' => name.push_str("%2F"),
            '%' => name.push_str("%25"),
            c => name.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Groups;

    fn ann() -> Standing {
        let mut principal = Principal::new(KeyId::from_text("key_1"), "web");
        principal.org = Some("acme".to_owned());
        principal.team = Some("free".to_owned());
        principal.user = Some("a/b".to_owned());
        Standing::new(Arc::new(principal), &Groups::default())
    }

    /// A limit for what is written as `team=f* model=gpt-*`.
    fn of(written: &str) -> GroupLimit {
        let mut limit = GroupLimit::default();
        for (level, glob) in written.split_whitespace().filter_map(|part| part.split_once('=')) {
            let place = match level {
                "org" => &mut limit.org,
                "team" => &mut limit.team,
                "user" => &mut limit.user,
                "key" => &mut limit.key,
                "model" => &mut limit.model,
                _ => panic!("{level}"),
            };
            *place = Some(Glob::new(glob));
        }
        limit
    }

    #[test]
    fn whom_a_limit_is_for_and_who_shares_it() {
        let cases = [
            ("", Some("everybody")),
            ("team=free", Some("team:free")),
            ("team=f*", Some("team:free")),
            ("team=paid", None),
            ("user=*", Some("user:a%2Fb")),
            ("key=w*", Some("key:key_1")),
            ("key=key_1", Some("key:key_1")),
            ("key=key_*", None),
            ("model=l*", Some("model:l*")),
            ("model=gpt-*", None),
            ("org=* model=fast", Some("org:acme/model:fast")),
        ];
        for (written, meter) in cases {
            let limit = of(written);
            let found = limit.meter(&ann(), &["fast", "llama"]);
            assert_eq!(found.as_ref().map(MeterId::as_str), meter, "{written}");
            for other in cases.iter().filter_map(|(_, meter)| *meter) {
                let counts = limit.counts_at(&MeterId::from_text(other), |_| Some("web".to_owned()));
                assert_eq!(counts, meter == Some(other), "{written} at {other}");
            }
        }
        let nobody = Standing::new(
            Arc::new(Principal::new(KeyId::from_text("key_2"), "x")),
            &Groups::default(),
        );
        assert_eq!(
            of("user=*").meter(&nobody, &[]),
            None,
            "a key without a user has no user's limit"
        );
    }
}
