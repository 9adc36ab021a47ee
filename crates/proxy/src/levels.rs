//! What is said of all keys of a user, a team or an organisation, and what follows from it for one of them.
//!
//! The narrowest that names a profile wins: key, user, team, organisation. Lists of models and endpoints all hold: what one level
//! does not list, no narrower one can permit.

use std::collections::HashMap;
use std::sync::Arc;

use portcullis_core::{Glob, Principal};

/// Settings for all keys of a user, a team or an organisation.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The organisation of a team.
    pub org: Option<String>,
    /// The profile that applies where a key, or a narrower group, has none.
    pub profile: Option<String>,
    /// The tool policy that applies where a key, or a narrower group, has none.
    pub tools: Option<String>,
    /// Models that its keys may name; empty means all.
    pub models: Vec<Glob>,
    /// Endpoints that its keys may use; empty means all.
    pub endpoints: Vec<Glob>,
}

/// All groups that something is said of, by name.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// Organisations.
    pub orgs: HashMap<String, Arc<Group>>,
    /// Teams.
    pub teams: HashMap<String, Arc<Group>>,
    /// Users.
    pub users: HashMap<String, Arc<Group>>,
}

/// What a principal may, by everything that is said of it.
pub(crate) struct Standing {
    pub principal: Arc<Principal>,
    /// Its organisation: its own, or that of its team.
    pub org: Option<String>,
    /// From the narrowest: the section of the configuration, the name in it, what it says.
    groups: Vec<(&'static str, String, Arc<Group>)>,
}

impl Standing {
    pub fn new(principal: Arc<Principal>, groups: &Groups) -> Standing {
        let mut found = Vec::new();
        let mut look = |section, all: &HashMap<String, Arc<Group>>, name: Option<&String>| {
            let (name, group) = all.get_key_value(name?)?;
            found.push((section, name.clone(), Arc::clone(group)));
            Some(Arc::clone(group))
        };
        look("users", &groups.users, principal.user.as_ref());
        let team = look("teams", &groups.teams, principal.team.as_ref());
        let of_team = || team.and_then(|team| team.org.clone());
        let org = principal.org.clone().or_else(of_team);
        look("orgs", &groups.orgs, org.as_ref());
        Standing {
            principal,
            org,
            groups: found,
        }
    }

    /// The name of the profile that applies.
    pub fn profile(&self) -> &str {
        let own = self.principal.profile.as_deref();
        let of_groups = || {
            self.groups
                .iter()
                .find_map(|(_, _, group)| group.profile.as_deref())
        };
        own.or_else(of_groups).unwrap_or("default")
    }

    /// The name of the tool policy that applies, if one is named.
    pub fn tools(&self) -> Option<&str> {
        let own = self.principal.tools.as_deref();
        own.or_else(|| {
            self.groups
                .iter()
                .find_map(|(_, _, group)| group.tools.as_deref())
        })
    }

    /// The setting that does not permit this endpoint, if one does not.
    pub fn denies_endpoint(&self, path: &str) -> Option<String> {
        let lists = self.lists(&self.principal.endpoints, |group| &group.endpoints);
        denying(lists, "endpoints", |globs| {
            globs.iter().any(|glob| glob.matches(path))
        })
    }

    /// The setting that does not permit this model, if one does not. Where models are listed, one must be named.
    pub fn denies_model(&self, name: Option<&str>) -> Option<String> {
        denying(self.model_lists(), "models", |globs| {
            name.is_some_and(|name| globs.iter().any(|glob| glob.matches(name)))
        })
    }

    /// Every list of models, with the level that has it.
    fn model_lists(&self) -> impl Iterator<Item = (Option<(&'static str, &str)>, &[Glob])> {
        self.lists(&self.principal.models, |group| &group.models)
    }

    /// Every list of models that is not empty.
    pub fn models(&self) -> Vec<&[Glob]> {
        let lists = self.model_lists().map(|(_, globs)| globs);
        lists.filter(|globs| !globs.is_empty()).collect()
    }

    fn lists<'s>(
        &'s self,
        own: &'s [Glob],
        of_group: impl Fn(&'s Group) -> &'s Vec<Glob> + 's,
    ) -> impl Iterator<Item = (Option<(&'static str, &'s str)>, &'s [Glob])> {
        let groups = self
            .groups
            .iter()
            .map(move |(section, name, group)| (Some((*section, name.as_str())), of_group(group).as_slice()));
        std::iter::once((None, own)).chain(groups)
    }
}

fn denying<'s>(
    mut lists: impl Iterator<Item = (Option<(&'static str, &'s str)>, &'s [Glob])>,
    setting: &str,
    permits: impl Fn(&[Glob]) -> bool,
) -> Option<String> {
    let (level, _) = lists.find(|(_, globs)| !globs.is_empty() && !permits(globs))?;
    Some(match level {
        Some((section, name)) => format!("{section}.{name}.{setting}"),
        None => format!("key.{setting}"),
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::KeyId;

    use super::*;

    fn groups() -> Groups {
        let group = |org: Option<&str>, profile: Option<&str>, models: &[&str], endpoints: &[&str]| {
            let globs = |all: &[&str]| all.iter().map(|glob| Glob::new(glob)).collect();
            Arc::new(Group {
                org: org.map(str::to_owned),
                profile: profile.map(str::to_owned),
                tools: None,
                models: globs(models),
                endpoints: globs(endpoints),
            })
        };
        let map = |name: &str, group| HashMap::from([(name.to_owned(), group)]);
        Groups {
            orgs: map(
                "acme",
                group(None, Some("strict"), &["gpt-*", "claude-*"], &["/v1/*"]),
            ),
            teams: map(
                "free",
                group(Some("acme"), Some("closed"), &["*-mini", "claude-*"], &[]),
            ),
            users: map("ann", group(None, None, &["gpt-*"], &["/v1/chat/*"])),
        }
    }

    fn standing(change: impl FnOnce(&mut Principal)) -> Standing {
        let mut principal = Principal::new(KeyId::from_text("key_1"), "test");
        change(&mut principal);
        Standing::new(Arc::new(principal), &groups())
    }

    #[test]
    fn the_narrowest_profile_wins() {
        assert_eq!(standing(|_| {}).profile(), "default");
        assert_eq!(
            standing(|who| who.org = Some("acme".to_owned())).profile(),
            "strict"
        );
        let team = |who: &mut Principal| who.team = Some("free".to_owned());
        assert_eq!(standing(team).profile(), "closed");
        assert_eq!(standing(team).org.as_deref(), Some("acme"));
        let own = standing(|who| {
            team(who);
            who.profile = Some("default".to_owned());
        });
        assert_eq!(own.profile(), "default");
        let unknown = standing(|who| who.team = Some("other".to_owned()));
        assert_eq!((unknown.profile(), unknown.org.as_deref()), ("default", None));
    }

    #[test]
    fn every_level_must_permit() {
        let ann = standing(|who| {
            (who.team, who.user) = (Some("free".to_owned()), Some("ann".to_owned()));
            who.models = vec![Glob::new("*o*")];
        });
        for (model, denies) in [
            (Some("gpt-4o-mini"), None),
            (Some("gpt-4-mini"), Some("key.models")),
            (Some("claude-opus"), Some("users.ann.models")),
            (Some("gpt-4o"), Some("teams.free.models")),
            (None, Some("key.models")),
        ] {
            assert_eq!(ann.denies_model(model).as_deref(), denies, "{model:?}");
        }
        assert_eq!(ann.models().len(), 4);
        assert_eq!(ann.denies_endpoint("/v1/chat/completions"), None);
        assert_eq!(
            ann.denies_endpoint("/v1/models").as_deref(),
            Some("users.ann.endpoints")
        );
        let acme = standing(|who| who.org = Some("acme".to_owned()));
        assert_eq!(
            acme.denies_endpoint("/v1beta/models/{model}:generateContent")
                .as_deref(),
            Some("orgs.acme.endpoints")
        );
        assert_eq!(
            acme.denies_model(Some("o3-mini")).as_deref(),
            Some("orgs.acme.models")
        );
        assert_eq!(standing(|_| {}).denies_model(None), None);
    }
}
