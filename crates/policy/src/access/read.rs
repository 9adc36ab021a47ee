//! Policies as texts, read and validated: whatever is wrong is told with its place.

use std::collections::HashMap;
use std::sync::Mutex;

use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use miette::Diagnostic;

use super::{Access, Act, SCHEMA};

/// A file of policies.
#[derive(Clone, Copy, Debug)]
pub struct PolicyText<'a> {
    /// Its name, for problems.
    pub file: &'a str,
    /// What is in it.
    pub text: &'a str,
}

/// Something that is wrong with policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The file.
    pub file: String,
    /// Line and column, both from one; the beginning where the place is not known.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl PolicyProblem {
    fn at(source: &PolicyText<'_>, offset: usize, message: impl Into<String>) -> PolicyProblem {
        let before = source.text.get(..offset).unwrap_or_default();
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
        PolicyProblem {
            file: source.file.to_owned(),
            line: before.matches('\n').count().saturating_add(1),
            column: column.saturating_add(1),
            message: message.into(),
        }
    }

    fn of(source: &PolicyText<'_>, error: &dyn Diagnostic) -> PolicyProblem {
        let label = error.labels().and_then(|mut labels| labels.next());
        let offset = label.as_ref().map_or(0, miette::LabeledSpan::offset);
        let text = error.to_string();
        // The parser's own name of the policy says nothing: the place does.
        let named = text.strip_prefix("for policy `");
        let unnamed = named.and_then(|rest| Some(rest.split_once("`, ")?.1));
        let mut message = unnamed.unwrap_or(&text).to_owned();
        if let Some(hint) = label.as_ref().and_then(|label| label.label()) {
            message.push_str(": ");
            message.push_str(hint);
        }
        if let Some(help) = error.help() {
            message.push_str(&format!(" ({help})"));
        }
        PolicyProblem::at(source, offset, message)
    }
}

impl Access {
    /// Reads policies, validates them strictly against the schema and makes them ready.
    ///
    /// A policy is known by its annotation `@id("…")`, or, where it has none, by the name of its file and its number in it.
    ///
    /// # Errors
    /// Everything that is wrong with them, in the order of the files. Policies of which none permits anything are wrong, too: every request
    /// would be refused.
    pub fn read(sources: &[PolicyText<'_>]) -> Result<Access, Vec<PolicyProblem>> {
        let mut problems = Vec::new();
        let schema = match Schema::from_cedarschema_str(SCHEMA) {
            Ok((schema, _)) => schema,
            // INVARIANT: the schema is a file of this crate; a test reads it.
            Err(error) => return Err(vec![own(error.to_string())]),
        };
        let validator = Validator::new(schema.clone());
        let mut policies: Vec<Policy> = Vec::new();
        let mut known: HashMap<String, String> = HashMap::new();
        for source in sources {
            let set: PolicySet = match source.text.parse() {
                Ok(set) => set,
                Err(error) => {
                    let error: cedar_policy::ParseErrors = error;
                    problems.extend(error.iter().map(|error| PolicyProblem::of(source, error)));
                    continue;
                }
            };
            if let Some(template) = set.templates().next() {
                let message = format!("`{}` is a template: nothing fills it in here", template.id());
                problems.push(PolicyProblem::at(source, 0, message));
            }
            let checked = validator.validate(&set, ValidationMode::Strict);
            let errors = checked.validation_errors();
            let errors = errors.map(|error| PolicyProblem::of(source, error));
            // A policy that can never apply is a guard that is configured and silently absent.
            let warnings = checked.validation_warnings();
            let warnings = warnings.map(|warning| PolicyProblem::of(source, warning));
            problems.extend(each_place_once(errors.chain(warnings).collect()));
            for (number, policy) in in_order(&set).into_iter().enumerate() {
                let number = number.saturating_add(1);
                let stem = source.file.rsplit(['/', '\\']).next().unwrap_or(source.file);
                let id = match policy.annotation("id") {
                    Some(id) if !id.trim().is_empty() => id.to_owned(),
                    _ => format!("{stem}#{number}"),
                };
                if let Some(other) = known.insert(id.clone(), source.file.to_owned()) {
                    let message = format!("two policies have the id `{id}`; the other is in {other}");
                    problems.push(PolicyProblem::at(source, 0, message));
                    continue;
                }
                policies.push(policy.new_id(PolicyId::new(&id)));
            }
        }
        let permits = policies
            .iter()
            .any(|policy| policy.effect() == cedar_policy::Effect::Permit);
        if problems.is_empty() && !permits {
            let file = sources.first().map_or("", |source| source.file);
            problems.push(PolicyProblem::at(
                &PolicyText { file, text: "" },
                0,
                "no policy permits anything, so every request would be refused; to forbid only, add permit (principal, action, resource);",
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Access::of(schema, &policies).map_err(|error| vec![own(error)])
    }

    fn of(schema: Schema, policies: &[Policy]) -> Result<Access, String> {
        let (mut sets, mut circumstantial) = (HashMap::new(), Vec::new());
        for act in Act::ALL {
            let mut set = PolicySet::new();
            for policy in policies.iter().filter(|policy| may_speak_of(policy, act)) {
                // What cannot be told is taken to look.
                let looks = policy.to_json().map_or(true, |json| reads_context(&json));
                if looks && !circumstantial.contains(&act) {
                    circumstantial.push(act);
                }
                set.add(policy.clone()).map_err(|error| error.to_string())?;
            }
            sets.insert(act, set);
        }
        Ok(Access {
            schema,
            sets,
            circumstantial,
            ids: policies.iter().map(|policy| policy.id().to_string()).collect(),
            remembered: Mutex::default(),
        })
    }
}

/// One problem for each place: what is wrong for four sorts of principals is one mistake.
fn each_place_once(mut problems: Vec<PolicyProblem>) -> Vec<PolicyProblem> {
    problems.sort_by(|one, other| {
        let place = |problem: &PolicyProblem| (problem.line, problem.column);
        place(one)
            .cmp(&place(other))
            .then_with(|| one.message.cmp(&other.message))
    });
    problems.dedup_by_key(|problem| (problem.line, problem.column));
    problems
}

fn own(message: String) -> PolicyProblem {
    PolicyProblem {
        file: "schema.cedarschema".to_owned(),
        line: 1,
        column: 1,
        message,
    }
}

/// The policies of a file in its order. The parser numbers them, `policy0`, `policy1`, and keeps them by name.
fn in_order(set: &PolicySet) -> Vec<&Policy> {
    let number = |policy: &&Policy| {
        let digits = policy.id().to_string();
        digits
            .trim_start_matches("policy")
            .parse::<usize>()
            .unwrap_or(usize::MAX)
    };
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(number);
    policies
}

/// Whether a policy's head lets it have a say about an act.
fn may_speak_of(policy: &Policy, act: Act) -> bool {
    let is = |uid: &EntityUid| uid.id().unescaped() == act.name();
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => is(&uid),
        ActionConstraint::In(uids) => uids.iter().any(is),
    }
}

/// Whether a policy looks at the circumstances: whether the variable `context` stands anywhere in it.
fn reads_context(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::Object(members) => members.iter().any(|(name, value)| {
            (name == "Var" && value.as_str() == Some("context")) || reads_context(value)
        }),
        serde_json::Value::Array(items) => items.iter().any(reads_context),
        _ => false,
    }
}
