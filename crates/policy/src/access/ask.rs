//! One question as Cedar takes it, and its answer.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression, Schema,
};
use portcullis_core::PrincipalKind;

use super::{Answer, Circumstances, Question, Resource, Subject, SubjectKind};

/// Everything that a decision depends on, written so that no two questions of different answers are written alike: each text stands
/// behind its length.
pub(super) fn key(question: &Question<'_>, circumstantial: bool) -> String {
    let subject = &question.subject;
    let mut key = String::with_capacity(128);
    let mut put = |text: Option<&str>| {
        let text = text.map_or(("-", ""), |text| ("", text));
        let _ = write!(key, "{}{}:{}", text.0, text.1.len(), text.1);
    };
    put(Some(question.act.name()));
    match subject.kind {
        SubjectKind::Client(kind) => put(Some(kind.name())),
        SubjectKind::Operator { issuer } => {
            put(Some("operator"));
            put(Some(issuer));
        }
    }
    for text in [
        Some(subject.id),
        Some(subject.name),
        subject.org,
        subject.team,
        subject.user,
    ] {
        put(text);
    }
    for role in subject.roles {
        put(Some(role));
    }
    match question.resource {
        Resource::Endpoint {
            path,
            method,
            dialect,
        } => {
            for text in ["endpoint", path, method, dialect] {
                put(Some(text));
            }
        }
        Resource::Model { name, upstream } => {
            for text in [Some("model"), Some(name), upstream] {
                put(text);
            }
        }
        Resource::Tool {
            name,
            server,
            class,
            impact,
        } => {
            for text in [Some("tool"), Some(name), server, Some(class), Some(impact)] {
                put(text);
            }
        }
        Resource::Admin { path, method } => {
            for text in ["admin", path, method] {
                put(Some(text));
            }
        }
    }
    if circumstantial {
        let about = &question.circumstances;
        put(Some(about.profile));
        let _ = write!(key, "{} {} {:?}", about.source, about.stream, about.max_tokens);
    }
    key
}

/// Asks the policies. Whatever keeps them from being asked denies.
pub(super) fn decide(set: Option<&PolicySet>, schema: &Schema, question: &Question<'_>) -> Answer {
    let denied = |failed: &str| Answer {
        permitted: false,
        policies: Vec::new(),
        failed: vec![failed.to_owned()],
    };
    let Some(set) = set else {
        return denied("(there are none)");
    };
    let Some((request, entities)) = posed(question, schema) else {
        return denied("(the request cannot be told)");
    };
    let response = Authorizer::new().is_authorized(&request, set, &entities);
    let sorted = |ids: Vec<String>| {
        let mut ids = ids;
        ids.sort_unstable();
        ids
    };
    let diagnostics = response.diagnostics();
    let failed: Vec<String> = diagnostics
        .errors()
        .map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(error) => error.policy_id().to_string(),
        })
        .collect();
    Answer {
        permitted: response.decision() == Decision::Allow && failed.is_empty(),
        policies: sorted(diagnostics.reason().map(ToString::to_string).collect()),
        failed: sorted(failed),
    }
}

/// The question and the entities in it, both held to the schema.
fn posed(question: &Question<'_>, schema: &Schema) -> Option<(Request, Entities)> {
    let mut entities: Vec<Entity> = Vec::new();
    let principal = asking(&question.subject, &mut entities)?;
    let resource = asked(&question.resource, &mut entities)?;
    let context = about(question)?;
    let action = uid("Action", question.act.name())?;
    let request = Request::new(principal, action, resource, context, Some(schema)).ok()?;
    // Held to the schema as well: an entity that is not as policies were promised denies instead of being read otherwise.
    let entities = Entities::from_entities(entities, Some(schema)).ok()?;
    Some((request, entities))
}

/// Who asks, with the groups that it is in.
fn asking(subject: &Subject<'_>, entities: &mut Vec<Entity>) -> Option<EntityUid> {
    let roles: Vec<EntityUid> = subject
        .roles
        .iter()
        .map(|role| uid("Role", role))
        .collect::<Option<_>>()?;
    for role in &roles {
        entities.push(Entity::new_no_attrs(role.clone(), HashSet::new()));
    }
    let mut parents: HashSet<EntityUid> = roles.into_iter().collect();
    let mut told = vec![("name", subject.name)];
    let sort = match subject.kind {
        SubjectKind::Operator { issuer } => {
            told.push(("issuer", issuer));
            "Operator"
        }
        SubjectKind::Client(kind) => {
            parents.extend(groups(subject, entities)?);
            match kind {
                PrincipalKind::Key => "Key",
                PrincipalKind::Service => "Service",
                PrincipalKind::Token => "Token",
                PrincipalKind::Certificate => "Certificate",
            }
        }
    };
    let principal = uid(sort, subject.id)?;
    entities.push(Entity::new(principal.clone(), texts(&told), parents).ok()?);
    Some(principal)
}

/// Whose a client is.
fn groups(subject: &Subject<'_>, entities: &mut Vec<Entity>) -> Option<Vec<EntityUid>> {
    let org = given("Org", subject.org)?;
    let team = given("Team", subject.team)?;
    let user = given("User", subject.user)?;
    if let Some(org) = &org {
        entities.push(Entity::new_no_attrs(org.clone(), HashSet::new()));
    }
    if let Some(team) = &team {
        entities.push(Entity::new_no_attrs(team.clone(), org.iter().cloned().collect()));
    }
    if let Some(user) = &user {
        let parents = team.iter().chain(&org).cloned().collect();
        entities.push(Entity::new_no_attrs(user.clone(), parents));
    }
    Some([org, team, user].into_iter().flatten().collect())
}

/// What is asked for.
fn asked(resource: &Resource<'_>, entities: &mut Vec<Entity>) -> Option<EntityUid> {
    let (id, told, parents) = match *resource {
        Resource::Endpoint {
            path,
            method,
            dialect,
        } => {
            let told = texts(&[("method", method), ("dialect", dialect)]);
            (uid("Endpoint", path)?, told, HashSet::new())
        }
        Resource::Admin { path, method } => {
            let told = texts(&[("method", method)]);
            (uid("AdminResource", path)?, told, HashSet::new())
        }
        Resource::Tool {
            name,
            server,
            class,
            impact,
        } => {
            let server = given("McpServer", server)?;
            if let Some(server) = &server {
                entities.push(Entity::new_no_attrs(server.clone(), HashSet::new()));
            }
            let told = texts(&[("name", name), ("class", class), ("impact", impact)]);
            (uid("Tool", name)?, told, server.into_iter().collect())
        }
        Resource::Model { name, upstream } => {
            let upstream = given("Upstream", upstream)?;
            if let Some(upstream) = &upstream {
                entities.push(Entity::new_no_attrs(upstream.clone(), HashSet::new()));
            }
            (
                uid("Model", name)?,
                HashMap::new(),
                upstream.into_iter().collect(),
            )
        }
    };
    entities.push(Entity::new(id.clone(), told, parents).ok()?);
    Some(id)
}

/// The circumstances: of an operator's request there is only where it came from.
fn about(question: &Question<'_>) -> Option<Context> {
    let Circumstances {
        source,
        profile,
        stream,
        max_tokens,
    } = question.circumstances;
    let source = RestrictedExpression::new_ip(source.to_canonical().to_string());
    let mut context = vec![("source".to_owned(), source)];
    if !matches!(question.resource, Resource::Admin { .. }) {
        context.push(("profile".to_owned(), text(profile)));
        context.push(("stream".to_owned(), RestrictedExpression::new_bool(stream)));
        if let Some(tokens) = max_tokens {
            let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
            context.push(("max_tokens".to_owned(), RestrictedExpression::new_long(tokens)));
        }
    }
    Context::from_pairs(context).ok()
}

fn texts(pairs: &[(&str, &str)]) -> HashMap<String, RestrictedExpression> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), text(value)))
        .collect()
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

/// The name of an entity. Its id is any text.
fn uid(sort: &str, id: &str) -> Option<EntityUid> {
    let sort: EntityTypeName = sort.parse().ok()?;
    Some(EntityUid::from_type_name_and_id(sort, EntityId::new(id)))
}

/// The name of an entity that may be missing. One that is there must be a name.
fn given(sort: &str, id: Option<&str>) -> Option<Option<EntityUid>> {
    match id {
        Some(id) => uid(sort, id).map(Some),
        None => Some(None),
    }
}
