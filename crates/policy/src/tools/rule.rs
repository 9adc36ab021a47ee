//! A tool policy as it is written: `policies/*.yaml`. What a setting means is told here once, for the schema and for the documents.

use std::collections::BTreeMap;

use portcullis_core::Glob;
use schemars::JsonSchema;
use serde::Deserialize;

use super::sort::Sort;
use crate::arguments::Argument;

/// What a key's tools may do.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToolPolicy {
    /// Addresses, names and accounts that are the user's own, whom the agent works for. Whatever goes to them goes to no stranger.
    pub owner: Vec<String>,
    /// What becomes of a tool that `tools` does not name.
    pub unknown: Unknown,
    /// Tools by name; `*` stands for any run of characters. An exact name wins over a pattern, a longer pattern over a shorter.
    pub tools: BTreeMap<String, ToolRule>,
    /// What results of tools are worth, by the tool's name or pattern. For a tool that is not named here it is derived: identifiers of
    /// structured results are the tool's own, names and addresses in fields of their own are known, everything else is anybody's.
    pub results: BTreeMap<String, ResultRule>,
    /// What may not follow what.
    pub sequences: Vec<Sequence>,
    /// What becomes of a call that can carry something out, where the conversation holds private results and untrusted content, and
    /// the user has not named where it goes.
    pub trifecta: Trifecta,
    /// Whether what clients say of the tools that they offer is pinned at first sight: a request that says something else of one later is
    /// refused until an operator accepts it.
    pub pin: bool,
}

/// What becomes of a tool without a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// A rule is derived from its name and the schema of its arguments: what reads runs, what writes must go to whom the user named.
    #[default]
    Derive,
    /// A person is asked.
    Ask,
    /// It is denied.
    Deny,
}

/// What is done about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It goes through.
    Allow,
    /// A person is asked.
    Ask,
    /// Values that could go nowhere are taken out of what others wrote before the model reads it, where they are known by their shape
    /// (addresses, links, accounts); what is used all the same is denied.
    Sanitise,
    /// It is denied.
    Deny,
}

impl Answer {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Answer::Allow => "allow",
            Answer::Ask => "ask",
            Answer::Sanitise => "sanitise",
            Answer::Deny => "deny",
        }
    }
}

/// What becomes of private data on its way out of a conversation with untrusted content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trifecta {
    /// A person is asked.
    #[default]
    Ask,
    /// It is denied.
    Deny,
    /// Nothing is done.
    Off,
}

/// What a tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It only reads, and only from where everything that could be read is the user's.
    Read,
    /// It reads from somewhere that its arguments name, so whoever is there learns that, and what the address says.
    Fetch,
    /// It changes or sends something.
    Write,
}

impl Class {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Class::Read => "read",
            Class::Fetch => "fetch",
            Class::Write => "write",
        }
    }
}

/// How bad it is where it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Impact {
    /// It is put right in a moment.
    Low,
    /// It is put right with some work.
    Medium,
    /// Somebody else has got something, or knows something.
    High,
    /// It cannot be undone: what it is done to must have been named by the user, and what is done must have been asked for.
    Irreversible,
}

impl Impact {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Impact::Low => "low",
            Impact::Medium => "medium",
            Impact::High => "high",
            Impact::Irreversible => "irreversible",
        }
    }
}

/// What one tool may do.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ToolRule {
    /// What it does; derived from its name where it is not said.
    pub class: Option<Class>,
    /// How bad it is where it goes wrong; derived where it is not said.
    pub impact: Option<Impact>,
    /// An answer for every call, before anything else is looked at. Without one, where its values come from decides.
    pub answer: Option<Answer>,
    /// Who may call it; everybody whose key has this policy, where it is not said.
    pub principals: Option<Principals>,
    /// What arguments may be, by path, each judged by a parser of its kind: `query: { sql: { dialect: postgres, tables: [orders] } }`. Kinds
    /// are `sql`, `shell`, `path`, `url`, `email`, `amount` and `plain`. What does not parse is denied.
    #[schemars(schema_with = "free")]
    pub arguments: BTreeMap<String, Argument>,
    /// Arguments that decide who or what is touched, by path (`recipients[]`, `target.id`), each with its sort or with a rule; derived
    /// from the names of arguments where nothing is said. `{}` says that there are none.
    pub sinks: Option<BTreeMap<String, Sink>>,
    /// Arguments whose text somebody reads: links, addresses and account numbers in them must come from the user, else a person is asked.
    pub content: Option<Vec<String>>,
    /// Words of which the user must have said some for the call to have been asked for: phrases whose words stand in that order.
    /// Derived from the tool's name where nothing is said; `[]` asks for nothing.
    pub intent: Option<Vec<String>>,
    /// How many calls of it a conversation may have.
    pub quota: Option<u32>,
    /// What becomes of a value that comes from nowhere it may come from.
    pub otherwise: Option<Answer>,
}

/// Rules of arguments are checked by their own readers.
fn free(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "format": "json_schema" })
}

/// Who may call a tool: whoever is in one of these lists. Names may be patterns.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Principals {
    /// Organisations.
    #[schemars(with = "Vec<String>")]
    pub orgs: Vec<Glob>,
    /// Teams.
    #[schemars(with = "Vec<String>")]
    pub teams: Vec<Glob>,
    /// Users.
    #[schemars(with = "Vec<String>")]
    pub users: Vec<Glob>,
    /// Roles.
    #[schemars(with = "Vec<String>")]
    pub roles: Vec<Glob>,
    /// Keys, by name.
    #[schemars(with = "Vec<String>")]
    pub keys: Vec<Glob>,
}

/// An argument that decides who or what is touched.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Sink {
    /// Its sort; where it may come from is as usual.
    Sort(Sort),
    /// Its sort, and where it may come from.
    Rule(SinkRule),
}

/// Where the value of an argument may come from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SinkRule {
    /// What it is.
    pub sort: Sort,
    /// Where it may come from without asking: `user`, `system`, `owner`, `trusted` (fields of results), `known` (fields that third
    /// parties write), `source` (anywhere in a result that the user's own words led to), `anywhere`.
    #[serde(default = "usual")]
    pub from: Vec<From>,
    /// Where it may come from if a person agrees.
    #[serde(default = "doubtful")]
    pub ask: Vec<From>,
    /// Values that are always good; `*` stands for any run of characters.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub allow: Vec<Glob>,
    /// What becomes of it otherwise.
    pub otherwise: Option<Answer>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// The user typed it.
    User,
    /// The system prompt has it.
    System,
    /// It is the user's own.
    Owner,
    /// A field of a result that its tool writes itself.
    Trusted,
    /// A field of a result that says who somebody is, and that somebody else writes.
    Known,
    /// A result that the user's own words led to: a page that was named, the mails of somebody who was named.
    Source,
    /// Anywhere.
    Anywhere,
}

fn usual() -> Vec<From> {
    vec![From::User, From::System, From::Owner, From::Trusted]
}

fn doubtful() -> Vec<From> {
    vec![From::Known, From::Source]
}

impl Sink {
    /// The rule in full.
    #[must_use]
    pub fn rule(&self) -> SinkRule {
        match self {
            Sink::Sort(sort) => SinkRule::usual(*sort),
            Sink::Rule(rule) => rule.clone(),
        }
    }
}

impl SinkRule {
    /// The rule of a sort of which nothing more is said.
    #[must_use]
    pub fn usual(sort: Sort) -> SinkRule {
        SinkRule {
            sort,
            from: usual(),
            ask: doubtful(),
            allow: Vec::new(),
            otherwise: None,
        }
    }
}

/// What results of a tool are worth.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResultRule {
    /// Fields that the tool writes itself, by path, with what they are: `"[].id": id`. A path with `[].` at its front is also that of a
    /// single object.
    pub trusted: BTreeMap<String, Sort>,
    /// Fields that say who somebody is, and that others write: the sender of a mail, the guests of a meeting.
    pub known: BTreeMap<String, Sort>,
    /// Arguments that say what is looked up: where the user typed them, the user named the result as a source.
    pub located_by: Option<Vec<String>>,
    /// Nothing of it is written by others: the day, a sum.
    pub harmless: bool,
    /// It is private: it may not be carried out of a conversation with untrusted content to where the user has not sent it.
    pub private: Option<bool>,
}

/// What may not follow what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// After a call of one of these tools …
    #[schemars(with = "Vec<String>")]
    pub after: Vec<Glob>,
    /// … none of these.
    #[schemars(with = "Vec<String>")]
    pub never: Vec<Glob>,
    /// What is done about it.
    #[serde(default = "deny")]
    pub answer: Answer,
}

fn deny() -> Answer {
    Answer::Deny
}

/// The entry for a name: an exact one, else that of the longest pattern that fits.
pub(super) fn named<'m, T>(map: &'m BTreeMap<String, T>, name: &str) -> Option<(&'m str, &'m T)> {
    if let Some((key, value)) = map.get_key_value(name) {
        return Some((key, value));
    }
    map.iter()
        .filter(|(pattern, _)| pattern.contains('*') && Glob::fits(pattern, name))
        .max_by_key(|(pattern, _)| pattern.len())
        .map(|(key, value)| (key.as_str(), value))
}
