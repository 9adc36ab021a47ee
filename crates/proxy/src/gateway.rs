//! The finished configuration of the data plane: one immutable value, swapped whole on reload.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, Scheme};
use portcullis_core::{
    Channel, Direction, Glob, KeyId, Network, Origin, Price, Principal, PrincipalKind, Secret,
};
use portcullis_dialect::Api;
use portcullis_infer::{Pool, PoolStats};
use portcullis_inspect::{Inspector, Selection};
use portcullis_policy::access::Access;
use portcullis_policy::{Place, Profile};
use portcullis_schema::Schema;
use portcullis_store::{AuditLog, Keyring, Meters, Store};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::calls::NamedToolPolicy;
use crate::group_limit::GroupLimit;
use crate::identity::Issuers;
use crate::judge::Judgements;
use portcullis_store::ApprovalKey;

use crate::levels::Standing;
use crate::resource::Resource;
use crate::turns::Turns;
use crate::{
    CertificatePattern, Client, Groups, GuessLimit, Identity, JwtIssuer, Kept, Mcp, McpServer, Metrics,
    OwnPrompt, Refusal, Repeats,
};

/// What lives as long as the process: state, connections, counters. A reload keeps them.
pub struct Services {
    /// API keys.
    pub keyring: Arc<Keyring>,
    /// Rates, concurrency, money spent.
    pub meters: Arc<Meters>,
    /// The audit log.
    pub audit: Arc<AuditLog>,
    /// State at rest.
    pub store: Arc<dyn Store>,
    /// Connections to upstreams.
    pub client: Client,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What the placeholders of masked values are made with. It must be random: whoever knows it can tell which placeholder
    /// a value has.
    pub mask_key: [u8; 16],
    /// Masked values of conversations that a provider stores.
    pub kept: Kept,
    /// What was asked of late.
    pub repeats: Repeats,
    /// The key that signs what persons are asked about tool calls.
    pub approvals: ApprovalKey,
    /// Sessions with servers of tools.
    pub mcp: Mcp,
    /// Who waits for a place.
    pub turns: Turns,
    /// What is known of those who come.
    pub identity: Identity,
}

/// A server that models are asked at.
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    /// What it speaks.
    pub api: Api,
    /// Its address, as an SDK's base URL: `https://api.openai.com/v1`.
    pub url: String,
    /// The gateway's own credential there.
    pub key: Option<Secret<String>>,
    /// Whether its streams may be asked to tell what they used.
    pub stream_usage: bool,
}

/// Which models go to which upstream. The first that matches wins.
pub struct Route {
    /// Model names.
    pub matches: Glob,
    /// Name of the upstream.
    pub upstream: String,
    /// The name the upstream knows the model by, where it differs.
    pub renamed: Option<String>,
    /// Models to ask instead, in order, where this upstream cannot be reached.
    pub fallback: Vec<String>,
    /// What it costs.
    pub price: Option<Price>,
    /// How much it reads and writes at most.
    pub size: ModelSize,
}

/// How much a model takes and gives, in tokens. It bounds what a request may cost where the request itself does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelSize {
    /// Tokens that it reads at most.
    pub context: u64,
    /// Tokens that a reply has at most, where a budget applies and the request names no number.
    pub output: u64,
}

impl Default for ModelSize {
    fn default() -> ModelSize {
        ModelSize {
            context: 200_000,
            output: 8192,
        }
    }
}

/// What a single request may be. Nothing is counted: it holds for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestLimit {
    /// Tokens of its reply, all texts together.
    pub max_tokens: Option<u64>,
    /// Bytes of its body.
    pub max_body: Option<usize>,
}

impl RequestLimit {
    /// The narrower of both.
    fn and(self, other: RequestLimit) -> RequestLimit {
        RequestLimit {
            max_tokens: self.max_tokens.into_iter().chain(other.max_tokens).min(),
            max_body: self.max_body.into_iter().chain(other.max_body).min(),
        }
    }
}

/// Who the holder of a client certificate is.
#[derive(Clone, Debug)]
pub struct CertificateRule {
    /// Which certificates.
    pub pattern: CertificatePattern,
    /// The team.
    pub team: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// The profile that applies, if there is one for these certificates.
    pub profile: Option<String>,
    /// The tool policy that applies, if there is one for them.
    pub tools: Option<String>,
    /// Models that may be named; empty means all.
    pub models: Vec<Glob>,
}

impl CertificateRule {
    /// The principal of a certificate with this name. Its id depends on the name alone, so it stays the same from one
    /// certificate to the next.
    pub(crate) fn principal(&self, name: &str) -> Principal {
        let shown = format!("{}:{name}", self.pattern.kind.word());
        let mut principal = Principal::new(named_id("crt_", &[&shown]), &shown);
        principal.kind = PrincipalKind::Certificate;
        principal.team.clone_from(&self.team);
        principal.user.clone_from(&self.user);
        principal.roles.clone_from(&self.roles);
        principal.profile.clone_from(&self.profile);
        principal.tools.clone_from(&self.tools);
        principal.models.clone_from(&self.models);
        principal
    }
}

/// An id for somebody who has no key here, made of the names that others know them by: 128 bits of a hash, so that nobody can
/// choose a name that gives another's id.
pub(crate) fn named_id(prefix: &str, names: &[&str]) -> KeyId {
    let mut hash = Sha256::new();
    for name in names {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
    }
    let mut text = prefix.to_owned();
    for byte in hash.finalize().iter().take(16) {
        text.push_str(&format!("{byte:02x}"));
    }
    KeyId::from_text(&text)
}

/// How long each step of an exchange may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To open a connection to an upstream.
    pub connect: Duration,
    /// From the request sent to the head of the reply.
    pub first_byte: Duration,
    /// Between two pieces of a reply, or of a request body.
    pub idle: Duration,
    /// For a whole exchange.
    pub total: Duration,
    /// For a client to take the next piece of a reply.
    pub client: Duration,
    /// For a person to decide about a call that a client waits for.
    pub approval: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(120),
            total: Duration::from_secs(600),
            client: Duration::from_secs(60),
            approval: Duration::from_secs(300),
        }
    }
}

/// What a [`Gateway`] is made of.
#[derive(Default)]
pub struct Settings {
    /// Servers.
    pub upstreams: Vec<Upstream>,
    /// Models.
    pub routes: Vec<Route>,
    /// Profiles; one of the name `default` is added where there is none.
    pub profiles: Vec<Profile>,
    /// Classifiers, by the names that profiles have for them.
    pub classifiers: HashMap<String, Arc<Pool>>,
    /// Prompts that are kept here.
    pub prompts: Vec<OwnPrompt>,
    /// What is said of users, teams and organisations.
    pub groups: Groups,
    /// Tool policies by name; the one named `default` is that of keys that name none.
    pub tools: Vec<NamedToolPolicy>,
    /// Servers of tools.
    pub mcp: Vec<McpServer>,
    /// Policies that must permit what is asked, if there are any.
    pub access: Option<Arc<Access>>,
    /// Limits of groups.
    pub limits: Vec<GroupLimit>,
    /// Whose clients' certificates are; the first that fits counts.
    pub certificates: Vec<CertificateRule>,
    /// Issuers of tokens.
    pub jwt: Vec<JwtIssuer>,
    /// The address that clients know the gateway by, where they are told who issues tokens for it.
    pub resource: Option<String>,
    /// How many wrong credentials a source may show.
    pub guesses: GuessLimit,
    /// Proxies whose word on where a request comes from is taken.
    pub trusted_proxies: Vec<Network>,
    /// Times.
    pub timeouts: Timeouts,
    /// Bytes of a request body, decoded; 0 takes the default of 8 MiB.
    pub max_body: usize,
}

/// Why settings make no gateway.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// A route names an upstream that is not there.
    #[error("models: `{0}` goes to upstream `{1}`, which is not configured")]
    NoUpstream(String, String),
    /// An address is not one.
    #[error("upstreams.{0}: `{1}` is not an http or https address")]
    Url(String, String),
    /// A profile names a prompt that is not there, or that its keys may not use.
    #[error("profiles.{0}.system_prompt.prompt: there is no prompt `{1}` for this profile")]
    NoPrompt(String, String),
    /// A profile names a classifier that is not there.
    #[error("profiles.{0}.injection.model: there is no classifier `{1}`")]
    NoClassifier(String, String),
    /// A profile's judge cannot be asked.
    #[error(
        "profiles.{0}.injection.judge.model: no route leads from `{1}` to an upstream of the OpenAI dialect"
    )]
    NoJudge(String, String),
    /// A profile's schema is none.
    #[error("profiles.{0}.output.schema: {1}")]
    Schema(String, String),
}

/// One configuration of the data plane.
pub struct Gateway {
    /// What outlives it.
    pub services: Arc<Services>,
    /// What reads the texts. It may outlive the configuration: where the rules stay, so does what it remembers.
    pub inspector: Arc<Inspector>,
    pub(crate) upstreams: Vec<Target>,
    pub(crate) routes: Vec<Route>,
    pub(crate) profiles: HashMap<String, Arc<Guard>>,
    pub(crate) prompts: HashMap<String, OwnPrompt>,
    pub(crate) groups: Groups,
    tools: HashMap<String, NamedToolPolicy>,
    pub(crate) mcp: HashMap<Arc<str>, Arc<McpServer>>,
    /// Profiles as they hold for texts from and to servers of tools.
    guards_at: HashMap<String, Arc<Guard>>,
    pub(crate) access: Option<Arc<Access>>,
    pub(crate) limits: Vec<GroupLimit>,
    pub(crate) certificates: Vec<CertificateRule>,
    pub(crate) issuers: Issuers,
    pub(crate) resource: Option<Resource>,
    pub(crate) guesses: GuessLimit,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) timeouts: Timeouts,
    pub(crate) max_body: usize,
    classifiers: HashMap<String, Arc<Pool>>,
    /// What judges said of late.
    pub(crate) judgements: Judgements,
}

/// An upstream with its address taken apart.
pub(crate) struct Target {
    pub name: String,
    pub api: Api,
    pub scheme: Scheme,
    pub authority: Authority,
    /// The path of the base address without a closing slash.
    pub base: String,
    pub key: Option<Secret<String>>,
    pub stream_usage: bool,
}

impl Target {
    fn new(upstream: Upstream) -> Result<Target, SettingsError> {
        let wrong = || SettingsError::Url(upstream.name.clone(), upstream.url.clone());
        let parts = upstream.url.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let scheme = parts
            .scheme
            .filter(|s| *s == Scheme::HTTP || *s == Scheme::HTTPS)
            .ok_or_else(wrong)?;
        let authority = parts.authority.ok_or_else(wrong)?;
        let base = parts
            .path_and_query
            .map_or(String::new(), |path| path.path().trim_end_matches('/').to_owned());
        Ok(Target {
            base,
            scheme,
            authority,
            api: upstream.api,
            name: upstream.name,
            key: upstream.key,
            stream_usage: upstream.stream_usage,
        })
    }

    /// The address of an endpoint. `path` begins with the API's version (`/v1/…`); a base that has a path has the version
    /// in it already, or means something else by it, so the version is only added to a bare host.
    pub fn uri(&self, path: &str) -> Option<Uri> {
        let versioned = match self.api {
            Api::OpenAi => !self.base.is_empty(),
            Api::Anthropic => self.base.ends_with("/v1"),
            Api::Gemini => self.base.ends_with("/v1beta"),
        };
        let rest = match path.strip_prefix('/').and_then(|path| path.split_once('/')) {
            Some((_, rest)) if versioned => format!("{}/{rest}", self.base),
            _ => format!("{}{path}", self.base),
        };
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(rest)
            .build()
            .ok()
    }
}

/// Every judge can be asked.
fn judges(profiles: &[Profile], routes: &[Route], upstreams: &[Target]) -> Result<(), SettingsError> {
    for profile in profiles {
        let Some(judge) = &profile.injection.judge else {
            continue;
        };
        let route = routes.iter().find(|route| route.matches.matches(&judge.model));
        let target = route.and_then(|route| upstreams.iter().find(|target| target.name == route.upstream));
        if target.is_none_or(|target| target.api != Api::OpenAi) {
            return Err(SettingsError::NoJudge(
                profile.name.to_string(),
                judge.model.to_string(),
            ));
        }
    }
    Ok(())
}

/// A profile with the rules that each text of a request or a reply is read by.
pub(crate) struct Guard {
    pub profile: Profile,
    /// The profile's own schema for answers.
    pub schema: Option<Arc<Schema>>,
    /// What classifies the texts of requests.
    pub classifier: Option<Arc<Pool>>,
    input: Vec<Selection>,
    output: Vec<Selection>,
}

const ORIGINS: [Origin; 8] = [
    Origin::System,
    Origin::Developer,
    Origin::User,
    Origin::Model,
    Origin::ToolDefinition,
    Origin::ToolResult,
    Origin::Document,
    Origin::Unknown,
];

impl Guard {
    fn new(
        profile: Profile,
        inspector: &Inspector,
        classifiers: &HashMap<String, Arc<Pool>>,
    ) -> Result<Guard, SettingsError> {
        let classifier =
            match &profile.injection.model {
                None => None,
                Some(name) => Some(classifiers.get(name.as_ref()).cloned().ok_or_else(|| {
                    SettingsError::NoClassifier(profile.name.to_string(), name.to_string())
                })?),
            };
        let schema = match &profile.output.schema {
            Some(text) => Some(Arc::new(Schema::read(text).map_err(|wrong| {
                let first = wrong.first().map_or(String::new(), |wrong| {
                    format!("{}: {}", wrong.pointer, wrong.what)
                });
                SettingsError::Schema(profile.name.to_string(), first)
            })?)),
            None => None,
        };
        let table = |direction| {
            let mut all: Vec<Selection> = Vec::new();
            for channel in Channel::ALL {
                for origin in ORIGINS {
                    let selection = inspector.select(|rule| {
                        let place = Place {
                            direction,
                            channel: *channel,
                            origin,
                            family: rule.family(),
                            kind: rule.id(),
                            // No host is known yet: the strictest that can be said of a link.
                            target: None,
                        };
                        profile.ruling(&place).action != portcullis_core::Action::Allow
                    });
                    let shared = all.iter().find(|other| **other == selection).cloned();
                    all.push(shared.unwrap_or(selection));
                }
            }
            all
        };
        Ok(Guard {
            input: table(Direction::Input),
            output: table(Direction::Output),
            schema,
            classifier,
            profile,
        })
    }

    /// The rules for a text at this place.
    pub fn selection(&self, direction: Direction, channel: Channel, origin: Origin) -> &Selection {
        static NONE: std::sync::OnceLock<Selection> = std::sync::OnceLock::new();
        let table = match direction {
            Direction::Input => &self.input,
            Direction::Output => &self.output,
        };
        let row = Channel::ALL
            .iter()
            .position(|other| *other == channel)
            .unwrap_or(0);
        let column = ORIGINS.iter().position(|other| *other == origin).unwrap_or(0);
        // INVARIANT: the table has a cell for every pair; the fallback is never reached.
        table
            .get(row.saturating_mul(ORIGINS.len()).saturating_add(column))
            .unwrap_or_else(|| NONE.get_or_init(Selection::default))
    }
}

impl Gateway {
    /// What a request of one of this standing may be: the narrowest of all that holds for it.
    /// `models` are the names of the model, where it is known yet.
    pub(crate) fn request_limit(&self, standing: &Standing, models: &[&str]) -> RequestLimit {
        let groups = self
            .limits
            .iter()
            .filter(|group| group.meter(standing, models).is_some());
        groups.fold(RequestLimit::default(), |limit, group| limit.and(group.each))
    }

    /// Makes ready what is otherwise made for the first request: the search for the rules of each place of a profile.
    pub fn prepare(&self) {
        for guard in self.profiles.values() {
            for direction in [Direction::Input, Direction::Output] {
                for channel in Channel::ALL {
                    for origin in ORIGINS {
                        let selection = guard.selection(direction, *channel, origin);
                        self.inspector.scan("", *channel, selection, &mut Vec::new());
                    }
                }
            }
        }
    }

    /// Builds a gateway.
    ///
    /// # Errors
    /// [`SettingsError`] names the first setting that makes no sense.
    pub fn new(
        settings: Settings,
        inspector: Arc<Inspector>,
        services: Arc<Services>,
    ) -> Result<Gateway, SettingsError> {
        let upstreams = settings
            .upstreams
            .into_iter()
            .map(Target::new)
            .collect::<Result<Vec<_>, _>>()?;
        for route in &settings.routes {
            if !upstreams.iter().any(|upstream| upstream.name == route.upstream) {
                return Err(SettingsError::NoUpstream(
                    route.matches.as_str().to_owned(),
                    route.upstream.clone(),
                ));
            }
        }
        let prompts: HashMap<String, OwnPrompt> = settings
            .prompts
            .into_iter()
            .map(|prompt| (prompt.name().to_owned(), prompt))
            .collect();
        for profile in &settings.profiles {
            let Some(name) = &profile.system_prompt.prompt else {
                continue;
            };
            if !prompts
                .get(name)
                .is_some_and(|prompt| prompt.permits(&profile.name))
            {
                return Err(SettingsError::NoPrompt(profile.name.to_string(), name.clone()));
            }
        }
        judges(&settings.profiles, &settings.routes, &upstreams)?;
        let (mut profiles, mut guards_at) = (HashMap::new(), HashMap::new());
        let default = [Profile::default()];
        for profile in default.into_iter().chain(settings.profiles) {
            let name = profile.name.to_string();
            if !settings.mcp.is_empty() {
                guards_at.insert(
                    name.clone(),
                    Arc::new(Guard::new(profile.at_tools(), &inspector, &settings.classifiers)?),
                );
            }
            profiles.insert(
                name,
                Arc::new(Guard::new(profile, &inspector, &settings.classifiers)?),
            );
        }
        let max_body = if settings.max_body == 0 {
            8 * 1024 * 1024
        } else {
            settings.max_body
        };
        let resource = settings
            .resource
            .and_then(|address| Resource::new(&address, &settings.jwt));
        let issuers = Issuers::new(settings.jwt, &services.identity.keys);
        Ok(Gateway {
            services,
            inspector,
            upstreams,
            routes: settings.routes,
            profiles,
            prompts,
            groups: settings.groups,
            tools: settings
                .tools
                .into_iter()
                .map(|named| (named.name.to_string(), named))
                .collect(),
            mcp: settings
                .mcp
                .into_iter()
                .map(|server| (Arc::clone(&server.name), Arc::new(server)))
                .collect(),
            guards_at,
            access: settings.access,
            limits: settings.limits,
            certificates: settings.certificates,
            resource,
            issuers,
            guesses: settings.guesses,
            trusted_proxies: settings.trusted_proxies,
            timeouts: settings.timeouts,
            max_body,
            classifiers: settings.classifiers,
            judgements: Judgements::default(),
        })
    }

    /// The tool policy that applies to one of this standing.
    pub(crate) fn tools(&self, standing: &Standing) -> NamedToolPolicy {
        self.tools_named(standing.tools())
    }

    /// The tool policy that applies to the tools of a server: the server's own, else that of whoever calls.
    pub(crate) fn tools_at(&self, server: &McpServer, standing: &Standing) -> NamedToolPolicy {
        self.tools_named(server.tools.as_deref().or_else(|| standing.tools()))
    }

    /// The rules for texts from and to a server.
    pub(crate) fn guard_at(&self, server: &McpServer, standing: &Standing) -> Result<Arc<Guard>, Refusal> {
        let profile = server.profile.as_deref().unwrap_or_else(|| standing.profile());
        let guard = self.guards_at.get(profile).cloned();
        guard.ok_or(Refusal::Unavailable(
            "the profile of this server is not configured",
        ))
    }

    fn tools_named(&self, name: Option<&str>) -> NamedToolPolicy {
        match name {
            Some(name) => self
                .tools
                .get(name)
                .cloned()
                .unwrap_or_else(|| NamedToolPolicy::missing(name)),
            None => self
                .tools
                .get("default")
                .cloned()
                .unwrap_or_else(NamedToolPolicy::derived),
        }
    }

    /// What the classifiers of this configuration did so far, together.
    pub(crate) fn classified(&self) -> PoolStats {
        let all = self.classifiers.values().map(|pool| pool.stats());
        all.fold(PoolStats::default(), |sum, stats| PoolStats {
            asked: sum.asked.saturating_add(stats.asked),
            known: sum.known.saturating_add(stats.known),
            late: sum.late.saturating_add(stats.late),
        })
    }

    /// Whether this gateway puts texts of its own before conversations, for some key.
    pub(crate) fn instructs(&self) -> bool {
        let marks = |guard: &Arc<Guard>| guard.profile.system_prompt.canary;
        !self.prompts.is_empty() || self.profiles.values().any(marks)
    }

    /// The route of a model in an API, and where it leads.
    pub(crate) fn route(&self, model: &str, api: Api) -> Option<(&Route, &Target)> {
        let route = self.routes.iter().find(|route| route.matches.matches(model))?;
        let target = self
            .upstreams
            .iter()
            .find(|target| target.name == route.upstream)?;
        (target.api == api).then_some((route, target))
    }

    /// The upstreams of an API.
    pub(crate) fn targets(&self, api: Api) -> impl Iterator<Item = &Target> {
        self.upstreams.iter().filter(move |target| target.api == api)
    }
}
