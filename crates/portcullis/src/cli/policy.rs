//! `portcullis policy test`: cases of who may do what, and of what becomes of calls of tools, decided by the policies as the gateway decides
//! them.
//!
//! Cases speak of policies alone: the lists of keys and groups, and the profile's say on system prompts, are settings that need no test.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use portcullis_core::PrincipalKind;
use portcullis_policy::access::{
    Access, Act, Answer, Circumstances, Question, Resource, Subject, SubjectKind,
};
use portcullis_policy::tools::{Class, Impact, ToolPolicy, nature};
use serde::Deserialize;
use serde_json::{Value, json};

use super::out::{Out, counted, printable, table};
use super::state::configured;
use super::{Failure, Outcome, tool_cases};
use crate::config::{Source, files_in, parse_yaml, read_policies, validated_policies};

/// What is asked.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Run the cases beside the policies; exit 1 if one fails
    Test(Test),
}

/// Cases to run.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// A folder with policies (`*.cedar`, tool policies) and cases (`*.yaml`); the configuration's policies if none is given
    folder: Option<PathBuf>,
    /// One JSON value a line
    #[arg(long)]
    json: bool,
}

/// What a case expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Allow,
    Deny,
}

impl Expected {
    const fn name(self) -> &'static str {
        match self {
            Expected::Allow => "allow",
            Expected::Deny => "deny",
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    UseEndpoint,
    InvokeModel,
    SendSystemPrompt,
    CallTool,
    ReadAdmin,
    ChangeAdmin,
}

impl Action {
    const fn act(self) -> Act {
        match self {
            Action::UseEndpoint => Act::UseEndpoint,
            Action::InvokeModel => Act::InvokeModel,
            Action::SendSystemPrompt => Act::SendSystemPrompt,
            Action::CallTool => Act::CallTool,
            Action::ReadAdmin => Act::ReadAdmin,
            Action::ChangeAdmin => Act::ChangeAdmin,
        }
    }
}

/// What sort of a principal a case has.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Key,
    Service,
    Token,
    Certificate,
    Operator,
}

/// One case as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    principal: Who,
    action: Action,
    /// A model, a tool, or the path of an endpoint or of the operators' side.
    resource: String,
    /// The upstream of a model.
    upstream: Option<String>,
    /// The server that has a tool.
    server: Option<String>,
    /// What a tool does, and how bad it is; where nothing is given, what its name says.
    class: Option<Class>,
    impact: Option<Impact>,
    /// The method of an endpoint: `POST` where none is given; of what is read on the operators' side `GET`.
    method: Option<String>,
    #[serde(default)]
    context: About,
    expect: Expected,
    /// The policies that are to decide.
    by: Option<Vec<String>>,
}

/// Whom a case is about.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Who {
    pub id: Option<String>,
    pub name: Option<String>,
    kind: Kind,
    /// The issuer that knows an operator.
    issuer: Option<String>,
    pub org: Option<String>,
    pub team: Option<String>,
    pub user: Option<String>,
    pub roles: Vec<String>,
}

impl Who {
    fn kind(&self) -> SubjectKind<'_> {
        let client = match self.kind {
            Kind::Key => PrincipalKind::Key,
            Kind::Service => PrincipalKind::Service,
            Kind::Token => PrincipalKind::Token,
            Kind::Certificate => PrincipalKind::Certificate,
            Kind::Operator => {
                let issuer = self.issuer.as_deref().unwrap_or("https://issuer.example");
                return SubjectKind::Operator { issuer };
            }
        };
        SubjectKind::Client(client)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct About {
    source: Option<IpAddr>,
    profile: Option<String>,
    stream: bool,
    max_tokens: Option<u64>,
}

/// A case that was tried, whatever it was of.
pub(super) struct Tried {
    pub name: String,
    pub wanted: String,
    pub decided: String,
    pub because: String,
    pub met: bool,
    /// All of it, for programs.
    pub told: Value,
}

/// Runs the command.
pub fn run(command: &Command, source: &Source) -> Result<Outcome, Failure> {
    let Command::Test(test) = command;
    let (policies, places) = match &test.folder {
        Some(folder) => (cedar_files(folder)?, vec![folder.clone()]),
        None => {
            let config = configured(source)?;
            if config.policies.is_empty() && config.tool_files.is_empty() {
                return Err(Failure::said(format!(
                    "{source} has no `authorization.policies` and no `tools`; name a folder"
                )));
            }
            let mut policies = Vec::new();
            for place in &config.policies {
                policies.extend(read_policies(place).map_err(Failure::said)?);
            }
            let places = config.policies.into_iter().chain(config.tool_files);
            (policies, places.collect())
        }
    };
    let access = match policies.as_slice() {
        [] => None,
        policies => Some(validated_policies(policies).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::Said(lines.join("\n"))
        })?),
    };
    let tried = all_tried(&places, access.as_ref())?;
    if tried.is_empty() {
        // Nothing that was tried must not look like something that went well.
        return Err(Failure::said(
            "there are no cases: write them into files that end in .yaml",
        ));
    }
    report(&tried, test.json)
}

/// The policies of a folder. One of tool policies alone has none.
fn cedar_files(folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    let has_none = folder.is_dir() && files_in(folder, &["cedar"]).map_err(Failure::said)?.is_empty();
    match has_none {
        true => Ok(Vec::new()),
        false => read_policies(folder).map_err(Failure::said),
    }
}

/// The cases of all files beside the policies, tried.
fn all_tried(places: &[PathBuf], access: Option<&Access>) -> Result<Vec<Tried>, Failure> {
    let mut folders: Vec<&Path> = places
        .iter()
        .map(|place| match place.is_dir() {
            true => place.as_path(),
            false => place
                .parent()
                .filter(|folder| *folder != Path::new(""))
                .unwrap_or(Path::new(".")),
        })
        .collect();
    folders.sort_unstable();
    folders.dedup();
    let mut tried = Vec::new();
    for folder in folders {
        for path in files_in(folder, &["yaml", "yml"]).map_err(Failure::said)? {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Failure::said(format!("cannot read {file}: {error}")))?;
            let cases = cases_of(&file, &text)?;
            match access {
                Some(access) => tried.extend(cases.iter().map(|case| case.tried(&file, access))),
                None if cases.is_empty() => {}
                None => {
                    let message =
                        format!("{file} has cases, and there are no policies (*.cedar) to decide them");
                    return Err(Failure::Said(message));
                }
            }
            tried.extend(tool_cases::tried(&path, &text)?);
        }
    }
    Ok(tried)
}

/// A folder of policies may hold other files as well, the configuration for one: what has no `cases` is none of ours.
fn cases_of(file: &str, text: &str) -> Result<Vec<Case>, Failure> {
    let root = parse_yaml(text).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| problem.line(file)).collect();
        Failure::Said(lines.join("\n"))
    })?;
    let nodes = root.child("cases").map(|cases| cases.items()).unwrap_or_default();
    let mut cases = Vec::new();
    for node in nodes {
        let case: Case = serde_json::from_value(node.to_json())
            .map_err(|error| Failure::Said(format!("{file}:{}:{}: {error}", node.at.line, node.at.column)))?;
        cases.push(case);
    }
    Ok(cases)
}

impl Case {
    fn answer(&self, access: &Access) -> (Act, Answer) {
        let act = self.action.act();
        let method = |usual| self.method.as_deref().unwrap_or(usual);
        let resource = match act {
            Act::InvokeModel => Resource::Model {
                name: &self.resource,
                upstream: self.upstream.as_deref(),
            },
            Act::CallTool => {
                let (class, impact) = nature(&ToolPolicy::default(), &self.resource, None, &json!({}));
                Resource::Tool {
                    name: &self.resource,
                    server: self.server.as_deref(),
                    class: self.class.unwrap_or(class).name(),
                    impact: self.impact.unwrap_or(impact).name(),
                }
            }
            Act::UseEndpoint | Act::SendSystemPrompt => Resource::Endpoint {
                path: &self.resource,
                method: method("POST"),
                dialect: dialect_of(&self.resource),
            },
            Act::ReadAdmin | Act::ChangeAdmin => Resource::Admin {
                path: &self.resource,
                method: method(if act == Act::ReadAdmin { "GET" } else { "POST" }),
            },
        };
        let (who, about) = (&self.principal, &self.context);
        let answer = access.ask(&Question {
            subject: Subject {
                kind: who.kind(),
                id: who.id.as_deref().unwrap_or("key_case"),
                name: who.name.as_deref().unwrap_or("case"),
                org: who.org.as_deref(),
                team: who.team.as_deref(),
                user: who.user.as_deref(),
                roles: &who.roles,
            },
            act,
            resource,
            circumstances: Circumstances {
                source: about.source.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                profile: about.profile.as_deref().unwrap_or("default"),
                stream: about.stream,
                max_tokens: about.max_tokens,
            },
        });
        (act, Answer::clone(&answer))
    }

    fn tried(&self, file: &str, access: &Access) -> Tried {
        let (act, answer) = self.answer(access);
        let met = self.is_met(&answer);
        let decided = if answer.permitted { "allow" } else { "deny" };
        Tried {
            name: self.name.clone(),
            wanted: match &self.by {
                Some(by) => format!("{} by {}", self.expect.name(), by.join(", ")),
                None => self.expect.name().to_owned(),
            },
            decided: decided.to_owned(),
            because: match answer.permitted {
                true => answer.policies.join(", "),
                false => answer.denied_by(act).join(", "),
            },
            met,
            told: json!({
                "file": file, "name": self.name, "expect": self.expect.name(), "by": self.by, "decision": decided,
                "policies": answer.policies, "failed_policies": answer.failed, "ok": met,
            }),
        }
    }

    /// Whether the answer is the expected one, for the expected reason.
    fn is_met(&self, answer: &Answer) -> bool {
        let by = self.by.as_ref().is_none_or(|by| {
            let mut by = by.clone();
            by.sort_unstable();
            by == answer.policies
        });
        answer.permitted == (self.expect == Expected::Allow) && by
    }
}

/// The dialect of an endpoint, as the gateway would tell it.
fn dialect_of(path: &str) -> &'static str {
    let mut dialects = portcullis_dialect::DIALECTS.iter();
    let found = dialects.find(|dialect| dialect.exchanges().iter().any(|exchange| exchange.path() == path));
    found.map_or("portcullis", |dialect| dialect.api().name())
}

fn report(tried: &[Tried], as_json: bool) -> Result<Outcome, Failure> {
    let mut out = Out::new();
    let failed = tried.iter().filter(|tried| !tried.met).count();
    let mut rows = table(&["CASE", "EXPECTED", "DECIDED", "BECAUSE OF", ""]);
    for case in tried {
        if as_json {
            out.json(&case.told)?;
            continue;
        }
        rows.add_row([
            printable(&case.name),
            printable(&case.wanted),
            case.decided.clone(),
            printable(&case.because),
            if case.met { "ok" } else { "FAILED" }.to_owned(),
        ]);
    }
    if !as_json {
        out.table(&rows)?;
    }
    let told = format!("{failed} of {} failed", counted(tried.len(), "case"));
    match failed {
        0 if as_json => out.end(Outcome::Done),
        0 => {
            out.line(format_args!("{} passed", counted(tried.len(), "case")))?;
            out.end(Outcome::Done)
        }
        _ => {
            out.flush()?;
            Err(Failure::said(told))
        }
    }
}
