//! The configuration as it is written. These types are the one source of the JSON schema, of the checker and of
//! `docs/configuration.md`: the words below are what an operator reads.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{
    AuditContent, Duration, EndpointPattern, HttpUrl, KeyFile, Listen, NamePattern, OutOfReach, Pattern,
    PemFile, PiiType, Reference, Shared, Size, Spending, StateUrl,
};
use super::raw_identity::{RawIdentity, RawOidc, RawRight, RawTls};
use super::raw_mcp::RawMcp;
use super::raw_profile::RawProfile;
use super::raw_rule::RawRule;
use super::text::{Form, Text};

/// Settings of Portcullis. An unknown key is an error. Relative paths are taken from the folder of this file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    /// Where clients reach the gateway.
    pub listen: Text<Listen>,
    /// TLS towards clients. Without it, what they say is not encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<RawTls>,
    /// The operators' side: API, metrics and console.
    pub admin: RawAdmin,
    /// Where API keys, usage and audit records are kept. A file is one gateway's; a PostgreSQL database (12 or newer) is
    /// shared by any number of replicas. A server elsewhere than on this machine must prove who it is by its certificate
    /// (`sslmode=verify-full`, with `sslrootcert=FILE` for an authority of your own), unless the address says otherwise.
    pub state: Text<StateUrl>,
    /// Where limits and budgets are counted. In memory, each process counts for itself; in Redis or Valkey, all that have the same
    /// address count together, and must have the same state. A change takes a restart.
    pub shared: Text<Shared>,
    /// Where the password of Redis or Valkey is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_password: Option<Text<Reference>>,
    /// The authorities, in PEM, by one of which the certificate of Redis or Valkey must be issued (`rediss://`); without it, those of the
    /// system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_ca: Option<Text<PemFile>>,
    /// What becomes of requests while Redis cannot be asked: they are refused, or each process enforces a fraction of every limit,
    /// and of what was left of every budget, by itself. The fractions of all processes together should not be more than 1.
    pub out_of_reach: Text<OutOfReach>,
    /// Providers and model servers, by a name of your own. Without any, OPENAI_API_KEY, ANTHROPIC_API_KEY and
    /// GEMINI_API_KEY of the environment make upstreams `openai`, `anthropic` and `gemini` with routes for their models.
    pub upstreams: BTreeMap<String, RawUpstream>,
    /// Which upstream answers for which model. The first route that fits wins; a model without a route is refused.
    pub models: Vec<RawRoute>,
    /// Who comes without an API key of this gateway's.
    pub identity: RawIdentity,
    /// Organisations: what holds for all keys that belong to one, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub orgs: BTreeMap<String, RawLevel>,
    /// Teams: what holds for all keys that belong to one (`key create --team`), by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<String, RawTeam>,
    /// Users: what holds for all keys that belong to one (`key create --user`), by the user's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub users: BTreeMap<String, RawLevel>,
    /// Policies of who may do what, besides the lists of keys and their groups. Without it those lists alone decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<RawAuthorization>,
    /// Limits for groups of keys, besides each key's own. All that match apply.
    pub limits: Vec<RawLimit>,
    /// What is done about findings. A key without a profile of its own uses `default`, which exists even where it is not
    /// written here.
    pub profiles: BTreeMap<String, RawProfile>,
    /// System prompts that the gateway keeps, by a name of your own. A request chooses one by
    /// `"portcullis": {"prompt": "NAME", "variables": {…}}`, a profile by `system_prompt.prompt`.
    pub prompts: BTreeMap<String, RawPrompt>,
    /// Tool policies by a name of your own: what the tools of an agent may do. A key or a group names one; that named `default` is the
    /// policy of those that name none. Without any, one is derived from the tools themselves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, RawTools>,
    /// Servers of tools (Model Context Protocol), by a name of your own: clients reach each at `/mcp/NAME`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mcp: BTreeMap<String, RawMcp>,
    /// Rules of your own, beside the built-in ones. What they find is acted upon as a profile says of their family.
    pub rules: Vec<RawRule>,
    /// Files with rules of your own: TOML, a `[[rule]]` block each with the settings of `rules`, and
    /// `fragments = [{ name = "word", pattern = "[a-z]+" }]` to use as `<word>` in patterns.
    pub rules_files: Vec<String>,
    /// The audit log.
    pub audit: RawAudit,
    /// How long the gateway waits for an upstream.
    pub timeouts: RawTimeouts,
    /// The largest request body that is accepted, after decompression.
    pub max_body: Text<Size>,
}

/// The operators' side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Admin")]
pub struct RawAdmin {
    /// Where operators reach it.
    pub listen: Text<Listen>,
    /// Where the token is found. Without it, one is made at each start and printed once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Text<Reference>>,
    /// What roles of an identity provider may do here, as `ROLE: read` or `ROLE: change`. Who has them is said by access tokens of
    /// `identity.jwt` (in `Authorization: Bearer`) and by a login at `oidc`. The token may do everything.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, RawRight>,
    /// Where operators log in to the console in a browser, besides the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<RawOidc>,
    /// TLS towards operators. A client certificate is asked for besides the token, not in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<RawTls>,
}

/// The wire format of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Dialect")]
pub enum RawDialect {
    /// OpenAI, and the many servers that speak like it.
    Openai,
    /// Anthropic.
    Anthropic,
    /// Google Gemini.
    Gemini,
}

/// A provider or a model server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Upstream")]
pub struct RawUpstream {
    /// The wire format it speaks.
    pub dialect: RawDialect,
    /// Its base address, with the version where the provider's base address has one (`…/v1` for OpenAI).
    pub url: Text<HttpUrl>,
    /// Where its API key is found. Without it, no credential is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Text<Reference>>,
    /// Whether streams of OpenAI's chat and completions are asked to tell their tokens (`stream_options.include_usage`) where the client does
    /// not ask; it does not see the answer. `true` unless given; `false` is for servers that refuse it: tokens of their streams are
    /// estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_usage: Option<bool>,
}

/// A route: a name of models and who answers for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Route")]
pub struct RawRoute {
    /// The names that clients may use.
    #[serde(rename = "match")]
    pub pattern: Text<Pattern>,
    /// The upstream that answers.
    pub upstream: String,
    /// The name that the upstream is asked for; the client's own name where none is given.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub rename: Option<String>,
    /// Models to ask instead, in order, where this upstream cannot be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
    /// What it costs, in US dollars per million tokens. Without it no cost is counted, and budgets do not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<RawPrice>,
    /// Tokens that the model reads at most. Where a budget applies and the length of a prompt is not known (files, stored
    /// conversations), the budget must cover so many; 200000 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub context: Option<u32>,
    /// Tokens of a reply at most, where a budget applies and the request does not say how many: 8192 unless given. It is
    /// written into the request; where the budget covers fewer, those.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_output: Option<u32>,
}

/// A price in US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Price")]
pub struct RawPrice {
    /// Prompt tokens.
    #[schemars(range(min = 0))]
    pub input: f64,
    /// Prompt tokens that the provider had cached; the price of `input` where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub cached_input: Option<f64>,
    /// Prompt tokens that the provider put into its cache (Anthropic tells how many, and asks more for them); the price of
    /// `input` where none is given. Where requests choose how long the cache keeps them, the dearest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub cache_write: Option<f64>,
    /// Reply tokens.
    #[schemars(range(min = 0))]
    pub output: f64,
    /// Reply tokens that were reasoning; the price of `output` where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub reasoning: Option<f64>,
}

/// What holds for all keys of an organisation or a user. Of profiles the narrowest wins: key, user, team, organisation. A model or an
/// endpoint must be permitted by every level that lists any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Level")]
pub struct RawLevel {
    /// The profile of keys that have none of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The tool policy of keys that have none of their own: one of `tools`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
    /// Models that the keys may name; all where none is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Text<Pattern>>,
    /// Endpoints that the keys may use, as `/v1/chat/completions`; all where none is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Text<EndpointPattern>>,
}

/// A tool policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tools")]
pub struct RawTools {
    /// The file of the policy. It is read again on a reload.
    pub file: String,
}

/// What holds for all keys of a team.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Team")]
pub struct RawTeam {
    /// The organisation that the team belongs to: one of `orgs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The profile of keys that have none of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The tool policy of keys that have none of their own: one of `tools`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
    /// Models that the keys may name; all where none is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Text<Pattern>>,
    /// Endpoints that the keys may use, as `/v1/chat/completions`; all where none is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Text<EndpointPattern>>,
}

/// Policies of who may do what, in the Cedar language. A request is permitted if the lists of its key and groups permit it and the policies do:
/// one permits, none forbids, and none failed to be evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Authorization")]
pub struct RawAuthorization {
    /// Files of policies, and folders, of which all files that end in `.cedar` are read. They are read again on a reload.
    pub policies: Vec<String>,
}

/// Limits for the requests that fit `for`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Limit")]
pub struct RawLimit {
    /// Whom they are for, by everything that is given; `{}` is everybody together. A name is for those of that name together. A
    /// pattern with `*` is for each one that fits on its own, except `model`: models that fit share the limit.
    #[serde(rename = "for")]
    pub group: RawGroup,
    /// Requests per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub rpm: Option<u32>,
    /// Tokens per minute, input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub tpm: Option<u32>,
    /// Requests in flight at once; a stream counts while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub concurrency: Option<u32>,
    /// How long a request may wait for a place under `concurrency`, keys taking turns. Without it, it is refused at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<Text<Duration>>,
    /// Money per period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Text<Spending>>,
    /// Tokens that the reply to one request may have, all of its texts together, reasoning included. A request that asks for
    /// more, or says no number, is sent on with this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_tokens: Option<u32>,
    /// The largest request body that is read; `max_body` of the whole configuration holds as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body: Option<Text<Size>>,
}

/// A group of requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Group")]
pub struct RawGroup {
    /// The organisation of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<Text<NamePattern>>,
    /// The team of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<Text<NamePattern>>,
    /// The user of the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<Text<NamePattern>>,
    /// The name of the key, or its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Text<NamePattern>>,
    /// The model, as the client names it or as its upstream knows it; those that may be asked instead (`fallback`) count as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Text<Pattern>>,
}

/// A system prompt that the gateway keeps: a template in the language of Jinja, in a file or here. The client's variables fill it
/// in; one that is missing refuses the request. It goes before what the client itself says to the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Prompt")]
pub struct RawPrompt {
    /// The file of the template. It is read again on a reload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The template itself, where there is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The profiles whose keys may ask for it; without any, all keys may.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// Takes a template although there are credentials in it. Whoever may talk to the model can try to make it say them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub danger_secrets: bool,
}

/// The audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Audit")]
pub struct RawAudit {
    /// What of a conversation a record holds.
    pub content: Text<AuditContent>,
    /// The file of the key that signs the log's checkpoints. Keep it and the `.head` file beside it where whoever can
    /// edit the state cannot. Replicas that share a PostgreSQL database share this key: copy the file to each.
    pub signing_key: Text<KeyFile>,
    /// The file that remembers where the log ended, each gateway's own; without it, the signing key's name with `.head`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Text<KeyFile>>,
}

/// How long the gateway waits for an upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Timeouts")]
pub struct RawTimeouts {
    /// For a connection.
    pub connect: Text<Duration>,
    /// For the first byte of a reply.
    pub first_byte: Text<Duration>,
    /// Between two pieces of a reply.
    pub idle: Text<Duration>,
    /// For a whole reply, a streamed one included.
    pub total: Text<Duration>,
    /// For a client to take the next piece of a reply. One that takes nothing for longer has gone away: its reply is dropped.
    pub client: Text<Duration>,
    /// For a person to decide about a call of a tool, at most, where a client says that it waits for one.
    pub approval: Text<Duration>,
}

/// A value of this program's own, which the tests below read once.
#[allow(
    clippy::expect_used,
    reason = "only literals of this file, each read by a test"
)]
pub(super) fn text<F: Form>(literal: &'static str) -> Text<F> {
    Text::read(literal).expect("a default of this file")
}

impl Default for Raw {
    fn default() -> Raw {
        Raw {
            listen: text("127.0.0.1:8080"),
            tls: None,
            admin: RawAdmin::default(),
            state: text("sqlite:portcullis.db"),
            shared: text("memory"),
            shared_password: None,
            shared_ca: None,
            out_of_reach: text("refuse"),
            upstreams: BTreeMap::new(),
            models: Vec::new(),
            identity: RawIdentity::default(),
            orgs: BTreeMap::new(),
            teams: BTreeMap::new(),
            users: BTreeMap::new(),
            authorization: None,
            limits: Vec::new(),
            profiles: BTreeMap::new(),
            prompts: BTreeMap::new(),
            tools: BTreeMap::new(),
            mcp: BTreeMap::new(),
            rules: Vec::new(),
            rules_files: Vec::new(),
            audit: RawAudit::default(),
            timeouts: RawTimeouts::default(),
            max_body: text("8 MiB"),
        }
    }
}

impl Default for RawAdmin {
    fn default() -> RawAdmin {
        RawAdmin {
            listen: text("127.0.0.1:8081"),
            token: None,
            roles: BTreeMap::new(),
            oidc: None,
            tls: None,
        }
    }
}

impl Default for RawAudit {
    fn default() -> RawAudit {
        RawAudit {
            content: text("none"),
            signing_key: text("file:portcullis-audit.key"),
            head: None,
        }
    }
}

impl Default for RawTimeouts {
    fn default() -> RawTimeouts {
        RawTimeouts {
            connect: text("5s"),
            first_byte: text("120s"),
            idle: text("60s"),
            total: text("15m"),
            client: text("60s"),
            approval: text("5m"),
        }
    }
}

/// A profile's list of kinds, as texts.
pub(super) fn pii_types(names: &[&'static str]) -> Vec<Text<PiiType>> {
    names.iter().filter_map(|name| Text::read(name).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_can_be_written_and_read_again() {
        let json = serde_json::to_value(Raw::default()).unwrap();
        assert_eq!(serde_json::from_value::<Raw>(json).unwrap(), Raw::default());
    }
}
