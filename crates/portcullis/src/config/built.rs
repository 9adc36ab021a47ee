//! The configuration as it is used: plain values, credentials fetched, defaults filled in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_core::{Limits, Price, Secret};
use portcullis_dialect::Api;
use portcullis_inspect::Source;
use portcullis_policy::Profile;
use portcullis_proxy::{
    Group, GroupLimit, Groups, GuessLimit, ModelSize, RequestLimit, Route, Settings, Timeouts, Upstream,
};
use portcullis_store::{OutOfReach, SharedSettings};

use super::forms::{self, NamePattern};
use super::prompts::own_prompts;
use super::raw::{Raw, RawDialect, RawLevel, RawLimit, RawRoute, RawTeam, RawTimeouts, RawUpstream};
use super::raw_profile::RawProfile;
use super::rules::own_rules;
use super::text::Text;
use super::tools::own_policies;
use super::{credential, identity, mcp, operators, policies, schemas};
use crate::models::OwnModel;
use crate::operators::OperatorSettings;
use crate::tls::{TlsFiles, authorities_in};
use crate::wiring::head_file;

/// Everything that the commands need.
pub struct Config {
    /// Where clients reach the gateway.
    pub listen: SocketAddr,
    /// TLS towards clients; `None` is none.
    pub tls: Option<TlsFiles>,
    /// The operators' side.
    pub admin: Admin,
    /// Address of the state, for the store.
    pub state: String,
    /// Where limits are counted by several processes; `None` counts in memory.
    pub shared: Option<SharedSettings>,
    /// File of the key that signs the audit log.
    pub signing_key: PathBuf,
    /// File that remembers where the audit log ended.
    pub head_file: PathBuf,
    /// Files and folders of the policies of who may do what.
    pub policies: Vec<PathBuf>,
    /// Files of tool policies.
    pub tool_files: Vec<PathBuf>,
    /// Rules besides the built-in ones.
    pub rules: Vec<Source>,
    /// The classifiers that profiles name.
    pub models: Vec<OwnModel>,
    /// What the data plane is made of.
    pub settings: Settings,
    /// The configuration in effect, with credentials as the references that were written.
    pub effective: serde_json::Value,
}

/// The operators' side.
pub struct Admin {
    /// Where operators reach it.
    pub listen: SocketAddr,
    /// The token; `None` asks for one to be made.
    pub token: Option<Secret<String>>,
    /// TLS towards operators; `None` is none.
    pub tls: Option<TlsFiles>,
    /// Who may use it besides the holder of the token.
    pub operators: OperatorSettings,
}

impl Config {
    /// Builds what was written. Without `fetch`, credentials are left out, for commands that only need the state.
    ///
    /// # Errors
    /// A credential that cannot be fetched, or a file of rules, of a prompt or of a schema that cannot be read.
    pub fn build(raw: &Raw, folder: &Path, fetch: bool) -> Result<Config, String> {
        let credential = |reference: &Option<_>| match reference {
            Some(reference) if fetch => {
                let reference: &super::text::Text<super::forms::Reference> = reference;
                credential::fetch(reference.meaning(), folder).map(Some)
            }
            _ => Ok(None),
        };
        let mut upstreams = Vec::new();
        for (name, upstream) in &raw.upstreams {
            let key = credential(&upstream.key).map_err(|why| format!("upstreams.{name}.key: {why}"))?;
            upstreams.push(built_upstream(name, upstream, key));
        }
        let token = credential(&raw.admin.token).map_err(|why| format!("admin.token: {why}"))?;
        let secret = raw
            .admin
            .oidc
            .as_ref()
            .map(|oidc| credential(&oidc.client_secret));
        let secret = secret
            .transpose()
            .map_err(|why| format!("admin.oidc.client_secret: {why}"))?;
        let secret = secret.flatten();
        let (tls, admin_tls) = identity::listeners(raw, folder);
        Ok(Config {
            listen: raw.listen.meaning().0,
            tls,
            admin: Admin {
                listen: raw.admin.listen.meaning().0,
                token,
                tls: admin_tls,
                operators: operators::built(raw, secret),
            },
            state: raw
                .state
                .meaning()
                .in_folder(folder)
                .map_err(|why| format!("state: {why}"))?,
            head_file: match &raw.audit.head {
                Some(head) => folder.join(&head.meaning().0),
                None => head_file(&folder.join(&raw.audit.signing_key.meaning().0)),
            },
            shared: built_shared(raw, folder, credential(&raw.shared_password), fetch)?,
            signing_key: folder.join(&raw.audit.signing_key.meaning().0),
            tool_files: raw.tools.values().map(|tools| folder.join(&tools.file)).collect(),
            policies: raw
                .authorization
                .iter()
                .flat_map(|authorization| &authorization.policies)
                .map(|name| folder.join(name))
                .collect(),
            rules: own_rules(raw, folder)?,
            models: own_models(raw, folder),
            settings: Settings {
                upstreams,
                routes: raw.models.iter().map(built_route).collect(),
                profiles: written_profiles(raw)
                    .map(|(name, profile)| built_profile(name, &profile, folder))
                    .collect::<Result<_, _>>()?,
                // Whoever serves has them: they outlive a configuration.
                classifiers: HashMap::default(),
                prompts: own_prompts(raw, folder)?,
                tools: own_policies(raw, folder)?,
                mcp: mcp::servers(raw, folder, fetch)?,
                groups: built_groups(raw),
                access: policies::access(raw, folder)?,
                limits: raw.limits.iter().map(built_limit).collect(),
                certificates: identity::certificates(raw),
                jwt: identity::issuers(raw),
                resource: raw
                    .identity
                    .resource
                    .as_ref()
                    .map(|address| address.written().to_owned()),
                guesses: GuessLimit {
                    per_minute: raw.identity.guesses.per_minute,
                    burst: raw.identity.guesses.burst,
                },
                trusted_proxies: identity::trusted_proxies(raw),
                timeouts: built_timeouts(&raw.timeouts),
                max_body: raw.max_body.meaning().0,
            },
            effective: serde_json::to_value(raw).unwrap_or_default(),
        })
    }

    /// Names of the profiles that keys may use.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        let written = self.settings.profiles.iter().map(|profile| profile.name.as_ref());
        std::iter::once("default").chain(written.filter(|name| *name != "default"))
    }
}

/// The profiles, `default` among them also where it is not written.
fn written_profiles(raw: &Raw) -> impl Iterator<Item = (&str, Cow<'_, RawProfile>)> {
    let written = raw.profiles.iter();
    let written = written.map(|(name, profile)| (name.as_str(), Cow::Borrowed(profile)));
    let default = (!raw.profiles.contains_key("default")).then(|| ("default", Cow::default()));
    default.into_iter().chain(written)
}

/// The classifiers that profiles name, each once.
fn own_models(raw: &Raw, folder: &Path) -> Vec<OwnModel> {
    let mut models: Vec<OwnModel> = Vec::new();
    for (profile, written) in written_profiles(raw) {
        let injection = &written.injection;
        let Some(name) = injection.model_name() else {
            continue;
        };
        if models.iter().any(|model| model.name == name) {
            continue;
        }
        models.push(OwnModel {
            profile: profile.to_owned(),
            name,
            folder: match injection.model.meaning() {
                forms::Model::Folder(path) => Some(folder.join(path)),
                _ => None,
            },
            attacks: injection.model_attacks.clone(),
            threshold: injection.model_threshold,
        });
    }
    models
}

fn built_shared(
    raw: &Raw,
    folder: &Path,
    password: Result<Option<Secret<String>>, String>,
    fetch: bool,
) -> Result<Option<SharedSettings>, String> {
    let forms::Shared::Redis(url) = raw.shared.meaning() else {
        return Ok(None);
    };
    let out_of_reach = match raw.out_of_reach.meaning() {
        forms::OutOfReach::Refuse => OutOfReach::Refuse,
        forms::OutOfReach::Local(fraction) => OutOfReach::Local(*fraction),
    };
    let password = password.map_err(|why| format!("shared_password: {why}"))?;
    let authorities = raw.shared_ca.as_ref().filter(|_| fetch);
    let authorities = authorities.map(|file| authorities_in(&folder.join(&file.meaning().0)));
    Ok(Some(SharedSettings {
        password,
        authorities: authorities
            .transpose()
            .map_err(|why| format!("shared_ca: {why}"))?,
        ..SharedSettings::new(url, out_of_reach)
    }))
}

fn built_profile(name: &str, raw: &RawProfile, folder: &Path) -> Result<Profile, String> {
    let mut profile = raw.build(name);
    if let Some(schema) = &raw.output.schema {
        profile.output.schema = Some(schemas::text(schema, folder)?.into());
    }
    Ok(profile)
}

fn built_upstream(name: &str, raw: &RawUpstream, key: Option<Secret<String>>) -> Upstream {
    Upstream {
        name: name.to_owned(),
        api: match raw.dialect {
            RawDialect::Openai => Api::OpenAi,
            RawDialect::Anthropic => Api::Anthropic,
            RawDialect::Gemini => Api::Gemini,
        },
        url: raw.url.written().to_owned(),
        key,
        stream_usage: raw.stream_usage.unwrap_or(true),
    }
}

fn built_route(raw: &RawRoute) -> Route {
    Route {
        matches: raw.pattern.meaning().0.clone(),
        upstream: raw.upstream.clone(),
        renamed: raw.rename.clone(),
        fallback: raw.fallback.clone(),
        price: raw.price.map(|price| Price {
            input: price.input,
            cached_input: price.cached_input,
            cache_write: price.cache_write,
            output: price.output,
            reasoning: price.reasoning,
        }),
        size: ModelSize {
            context: raw.context.map_or(ModelSize::default().context, u64::from),
            output: raw.max_output.map_or(ModelSize::default().output, u64::from),
        },
    }
}

fn built_groups(raw: &Raw) -> Groups {
    let level = |(name, level): (&String, &RawLevel)| {
        let team = RawTeam {
            org: None,
            profile: level.profile.clone(),
            tools: level.tools.clone(),
            models: level.models.clone(),
            endpoints: level.endpoints.clone(),
        };
        (name.clone(), Arc::new(built_group(&team)))
    };
    Groups {
        orgs: raw.orgs.iter().map(level).collect(),
        teams: raw
            .teams
            .iter()
            .map(|(name, team)| (name.clone(), Arc::new(built_group(team))))
            .collect(),
        users: raw.users.iter().map(level).collect(),
    }
}

fn built_group(raw: &RawTeam) -> Group {
    Group {
        org: raw.org.clone(),
        profile: raw.profile.clone(),
        tools: raw.tools.clone(),
        models: raw.models.iter().map(|glob| glob.meaning().0.clone()).collect(),
        endpoints: raw
            .endpoints
            .iter()
            .map(|glob| glob.meaning().0.clone())
            .collect(),
    }
}

fn built_limit(raw: &RawLimit) -> GroupLimit {
    let name = |name: &Option<Text<NamePattern>>| name.as_ref().map(|name| name.meaning().0.clone());
    GroupLimit {
        org: name(&raw.group.org),
        team: name(&raw.group.team),
        user: name(&raw.group.user),
        key: name(&raw.group.key),
        model: raw.group.model.as_ref().map(|model| model.meaning().0.clone()),
        limits: Limits {
            rpm: raw.rpm,
            tpm: raw.tpm,
            concurrency: raw.concurrency,
            budget: raw.budget.as_ref().map(|budget| budget.written().to_owned()),
        },
        wait: raw.wait.as_ref().map(|wait| wait.meaning().0),
        each: RequestLimit {
            max_tokens: raw.max_tokens.map(u64::from),
            max_body: raw.max_body.as_ref().map(|size| size.meaning().0),
        },
    }
}

fn built_timeouts(raw: &RawTimeouts) -> Timeouts {
    Timeouts {
        connect: raw.connect.meaning().0,
        first_byte: raw.first_byte.meaning().0,
        idle: raw.idle.meaning().0,
        total: raw.total.meaning().0,
        client: raw.client.meaning().0,
        approval: raw.approval.meaning().0,
    }
}
