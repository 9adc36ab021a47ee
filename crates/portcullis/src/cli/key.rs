//! `portcullis key`: API keys. A key's text is printed once, on standard output alone, so that it can be piped into a
//! secret store.

use portcullis_core::{Glob, Limits, Network, Principal, PrincipalKind};
use portcullis_store::{KeyRecord, NewKey};

use super::out::{Out, printable, table};
use super::state::{block_on, configured, existing};
use super::{Failure, Outcome};
use crate::clock::{now_ms, utc};
use crate::config::{Config, Duration, EndpointPattern, Form, Pattern, Source, Spending};

/// What is asked.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a key and print it
    Create(Box<Create>),
    /// List keys
    List {
        /// One JSON value a line
        #[arg(long)]
        json: bool,
    },
    /// Give a key a new text and print it; the old one stops working
    Rotate {
        /// Its id or name
        key: String,
        /// How long the old text works as well, as `24h`
        #[arg(long, value_name = "TIME", value_parser = Duration::read)]
        overlap: Option<Duration>,
    },
    /// End a key for good
    Revoke {
        /// Its id or name
        key: String,
    },
}

/// A key to be made.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// The name you know it by
    #[arg(long)]
    name: String,
    /// The team it belongs to
    #[arg(long)]
    team: Option<String>,
    /// The organisation it belongs to; that of the team if none is given
    #[arg(long)]
    org: Option<String>,
    /// The user it belongs to
    #[arg(long, conflicts_with = "service")]
    user: Option<String>,
    /// It is a service account's: a program's that no user stands behind
    #[arg(long)]
    service: bool,
    /// Roles that policies speak of
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',')]
    roles: Vec<String>,
    /// The profile that applies; that of the user, team or organisation if none is given, or `default`
    #[arg(long)]
    profile: Option<String>,
    /// Models it may name, as `gpt-*,claude-*`; all if none is given
    #[arg(long, value_name = "GLOB,…", value_delimiter = ',', value_parser = glob)]
    models: Vec<Glob>,
    /// Endpoints it may use, as `/v1/chat/completions,/v1/models`; all if none is given
    #[arg(long, value_name = "GLOB,…", value_delimiter = ',', value_parser = endpoint)]
    endpoints: Vec<Glob>,
    /// Where requests may come from, as `10.0.0.0/8,192.0.2.7`; anywhere if none is given
    #[arg(long, value_name = "NETWORK,…", value_delimiter = ',')]
    networks: Vec<Network>,
    /// The tool policy that applies; that of the user, team or organisation if none is given
    #[arg(long, value_name = "POLICY")]
    tools: Option<String>,
    /// Requests per minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rpm: Option<u32>,
    /// Tokens per minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tpm: Option<u32>,
    /// Requests in flight at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: Option<u32>,
    /// Money per period, as `5 USD/day`
    #[arg(long, value_name = "MONEY", value_parser = budget)]
    budget: Option<String>,
    /// How long it works, as `90d`
    #[arg(long, value_name = "TIME", value_parser = Duration::read)]
    expires: Option<Duration>,
    /// Print the key and what is known about it as JSON
    #[arg(long)]
    json: bool,
}

fn glob(text: &str) -> Result<Glob, String> {
    Pattern::read(text).map(|pattern| pattern.0)
}

fn endpoint(text: &str) -> Result<Glob, String> {
    EndpointPattern::read(text).map(|pattern| pattern.0)
}

fn budget(text: &str) -> Result<String, String> {
    Spending::read(text).map(|_| text.to_owned())
}

/// Runs the command.
pub fn run(command: &Command, source: &Source) -> Result<Outcome, Failure> {
    let config = configured(source)?;
    match command {
        Command::Create(create) => make(create, &config),
        Command::List { json } => list(*json, &config),
        Command::Rotate { key, overlap } => {
            let overlap = overlap.map_or(0, millis);
            let (_, text) = block_on(async {
                let store = existing(&config).await?;
                Ok(store.rotate_key(key, overlap, now_ms()).await?)
            })?;
            print_alone(text.expose())
        }
        Command::Revoke { key } => {
            let record = block_on(async {
                let store = existing(&config).await?;
                Ok(store.revoke_key(key, now_ms()).await?)
            })?;
            let mut out = Out::new();
            let name = printable(&record.principal.name);
            out.line(format_args!("revoked {} ({name})", record.principal.key))?;
            out.end(Outcome::Done)
        }
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.0.as_millis()).unwrap_or(u64::MAX)
}

fn print_alone(text: &str) -> Result<Outcome, Failure> {
    let mut out = Out::new();
    out.line(text)?;
    out.end(Outcome::Done)
}

fn make(create: &Create, config: &Config) -> Result<Outcome, Failure> {
    let tools: Vec<&str> = config
        .settings
        .tools
        .iter()
        .map(|named| named.name.as_ref())
        .collect();
    if let Some(wanted) = create
        .tools
        .as_ref()
        .filter(|wanted| !tools.contains(&wanted.as_str()))
    {
        let known = if tools.is_empty() {
            "none".to_owned()
        } else {
            tools.join(", ")
        };
        return Err(Failure::said(format!(
            "there is no tool policy `{}`; there are {known}",
            printable(wanted)
        )));
    }
    let profile = create.profile.as_ref();
    if let Some(profile) = profile.filter(|wanted| !config.profiles().any(|name| name == *wanted)) {
        let known: Vec<&str> = config.profiles().collect();
        return Err(Failure::said(format!(
            "there is no profile `{}`; there are {}",
            printable(profile),
            known.join(", ")
        )));
    }
    let now = now_ms();
    let expires = create.expires.map(millis);
    let new = NewKey {
        name: create.name.clone(),
        kind: match create.service {
            true => PrincipalKind::Service,
            false => PrincipalKind::Key,
        },
        org: create.org.clone(),
        team: create.team.clone(),
        user: create.user.clone(),
        roles: create.roles.clone(),
        profile: create.profile.clone(),
        models: create.models.clone(),
        endpoints: create.endpoints.clone(),
        networks: create.networks.clone(),
        tools: create.tools.clone(),
        limits: Limits {
            rpm: create.rpm,
            tpm: create.tpm,
            concurrency: create.concurrency,
            budget: create.budget.clone(),
        },
        expires_ms: expires.map(|length| now.saturating_add(length)),
    };
    let (record, text) = block_on(async {
        let store = portcullis_store::open(&config.state).await?;
        Ok(store.create_key(new, now).await?)
    })?;
    if create.json {
        let mut value = as_json(&record);
        if let Some(map) = value.as_object_mut() {
            map.insert("key".to_owned(), text.expose().as_str().into());
        }
        return print_alone(&value.to_string());
    }
    print_alone(text.expose())
}

fn list(json: bool, config: &Config) -> Result<Outcome, Failure> {
    let keys = block_on(async {
        let store = existing(config).await?;
        Ok(store.keys().await?)
    })?;
    let mut out = Out::new();
    if json {
        for key in &keys {
            out.json(&as_json(key))?;
        }
        return out.end(Outcome::Done);
    }
    let mut rows = table(&[
        "ID",
        "NAME",
        "KEY",
        "BELONGS TO",
        "PROFILE",
        "MODELS",
        "LIMITS",
        "CREATED",
        "LAST USED",
        "STATE",
    ]);
    for key in &keys {
        let who = &key.principal;
        let models: Vec<&str> = who.models.iter().map(Glob::as_str).collect();
        rows.add_row([
            who.key.to_string(),
            printable(&who.name),
            format!("{}…", key.prefix),
            belongs(who),
            who.profile.as_deref().map_or("-".to_owned(), printable),
            if models.is_empty() {
                "all".to_owned()
            } else {
                models.join(",")
            },
            limits(&who.limits),
            utc(key.created_ms),
            key.used_ms.map_or("-".to_owned(), utc),
            state(key),
        ]);
    }
    out.table(&rows)?;
    out.end(Outcome::Done)
}

/// Whose it is, from the widest: `acme / free / ann`.
fn belongs(who: &Principal) -> String {
    let service = (who.kind == PrincipalKind::Service).then_some("(service)");
    let levels = [
        who.org.as_deref(),
        who.team.as_deref(),
        who.user.as_deref(),
        service,
    ];
    let levels: Vec<String> = levels.into_iter().flatten().map(printable).collect();
    if levels.is_empty() {
        "-".to_owned()
    } else {
        levels.join(" / ")
    }
}

fn limits(limits: &Limits) -> String {
    let parts = [
        limits.rpm.map(|n| format!("{n} rpm")),
        limits.tpm.map(|n| format!("{n} tpm")),
        limits.concurrency.map(|n| format!("{n} at once")),
        limits.budget.clone(),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join(", ")
    }
}

fn state(key: &KeyRecord) -> String {
    match (key.revoked_ms, key.expires_ms) {
        (Some(when), _) => format!("revoked {}", utc(when)),
        (None, Some(when)) if when <= now_ms() => format!("expired {}", utc(when)),
        (None, Some(when)) => format!("until {}", utc(when)),
        (None, None) => "live".to_owned(),
    }
}

fn as_json(key: &KeyRecord) -> serde_json::Value {
    let who = &key.principal;
    serde_json::json!({
        "id": who.key, "name": who.name, "kind": who.kind, "org": who.org, "team": who.team, "user": who.user,
        "roles": who.roles, "profile": who.profile, "models": who.models, "endpoints": who.endpoints,
        "networks": who.networks, "limits": who.limits, "prefix": key.prefix, "created_ms": key.created_ms,
        "rotated_ms": key.rotated_ms, "prior_until_ms": key.prior_until_ms, "expires_ms": key.expires_ms,
        "revoked_ms": key.revoked_ms, "used_ms": key.used_ms, "live": key.is_live(now_ms()),
    })
}
