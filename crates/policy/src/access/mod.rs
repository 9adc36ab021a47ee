//! Who may do what: an operator's policies in the Cedar language, decided as Cedar decides.
//!
//! Nothing is permitted unless a policy permits it, and what a policy forbids is not permitted. A policy that cannot be evaluated is
//! never skipped: the request is denied, whichever policy it was. Which policies there are and what a request is are given; no file is
//! read here. The entities of a request are made from what is known of it, so there is no store of entities that could be stale.

mod ask;
mod read;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use cedar_policy::{PolicySet, Schema};
use portcullis_core::PrincipalKind;

pub use read::{PolicyProblem, PolicyText};

/// The schema that every policy is validated against.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

/// How many decisions are remembered.
const REMEMBERED: usize = 8192;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Use an endpoint at all.
    UseEndpoint,
    /// Ask a model.
    InvokeModel,
    /// Send a system or developer text.
    SendSystemPrompt,
    /// Have a model call a tool.
    CallTool,
    /// See something of the operators' side.
    ReadAdmin,
    /// Change something there.
    ChangeAdmin,
}

impl Act {
    /// Every act.
    pub const ALL: [Act; 6] = [
        Act::UseEndpoint,
        Act::InvokeModel,
        Act::SendSystemPrompt,
        Act::CallTool,
        Act::ReadAdmin,
        Act::ChangeAdmin,
    ];

    /// Its name in policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Act::UseEndpoint => "use_endpoint",
            Act::InvokeModel => "invoke_model",
            Act::SendSystemPrompt => "send_system_prompt",
            Act::CallTool => "call_tool",
            Act::ReadAdmin => "read_admin",
            Act::ChangeAdmin => "change_admin",
        }
    }
}

/// What sort of a sender asks.
#[derive(Clone, Copy, Debug)]
pub enum SubjectKind<'a> {
    /// A client of the data plane, by what it shows.
    Client(PrincipalKind),
    /// Somebody on the operators' side, known by an issuer of tokens.
    Operator {
        /// The issuer.
        issuer: &'a str,
    },
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What sort of a sender it is.
    pub kind: SubjectKind<'a>,
    /// The id of the key.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The organisation.
    pub org: Option<&'a str>,
    /// The team.
    pub team: Option<&'a str>,
    /// The user.
    pub user: Option<&'a str>,
    /// Roles.
    pub roles: &'a [String],
}

/// What it is done to.
#[derive(Clone, Copy, Debug)]
pub enum Resource<'a> {
    /// An endpoint.
    Endpoint {
        /// Its path, as a template.
        path: &'a str,
        /// Its method.
        method: &'a str,
        /// Its dialect.
        dialect: &'a str,
    },
    /// A model.
    Model {
        /// One of its names.
        name: &'a str,
        /// The upstream that it goes to, where it goes to one.
        upstream: Option<&'a str>,
    },
    /// A tool.
    Tool {
        /// Its name.
        name: &'a str,
        /// The server that has it, where it is one's.
        server: Option<&'a str>,
        /// What it does, in a word.
        class: &'a str,
        /// How bad it is where it goes wrong, in a word.
        impact: &'a str,
    },
    /// A route of the operators' side.
    Admin {
        /// Its path, as a template.
        path: &'a str,
        /// Its method.
        method: &'a str,
    },
}

/// The circumstances.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Where the request came from.
    pub source: IpAddr,
    /// The profile that applies.
    pub profile: &'a str,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Tokens of a reply that the request allows.
    pub max_tokens: Option<u64>,
}

/// One question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub subject: Subject<'a>,
    /// What for.
    pub act: Act,
    /// Of what.
    pub resource: Resource<'a>,
    /// Under which circumstances.
    pub circumstances: Circumstances<'a>,
}

/// The answer, and what decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is permitted.
    pub permitted: bool,
    /// The policies that permit it, or that forbid it; none where no policy permits it.
    pub policies: Vec<String>,
    /// Policies that could not be evaluated. One is enough to deny.
    pub failed: Vec<String>,
}

impl Answer {
    /// What denied it, as a record names it; nothing where it is permitted.
    #[must_use]
    pub fn denied_by(&self, act: Act) -> Vec<String> {
        if self.permitted {
            return Vec::new();
        }
        let failed = self
            .failed
            .iter()
            .map(|id| format!("policy.{id} (cannot be evaluated)"));
        // Where a policy failed, those that decided may be permits.
        let forbidding = self.policies.iter().filter(|_| self.failed.is_empty());
        let named: Vec<String> = failed
            .chain(forbidding.map(|id| format!("policy.{id}")))
            .collect();
        match named.is_empty() {
            true => vec![format!("no policy permits {}", act.name())],
            false => named,
        }
    }
}

/// A set of policies, ready to be asked.
pub struct Access {
    schema: Schema,
    /// Those policies that can have a say about an act.
    sets: HashMap<Act, PolicySet>,
    /// Acts whose policies look at the circumstances.
    circumstantial: Vec<Act>,
    /// Every policy, by its id.
    ids: Vec<String>,
    /// Decisions by everything that they depend on.
    remembered: Mutex<HashMap<String, Arc<Answer>>>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// The ids of all policies, in the order in which they were read.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// Whether the policies permit it.
    #[must_use]
    pub fn ask(&self, question: &Question<'_>) -> Arc<Answer> {
        let key = ask::key(question, self.circumstantial.contains(&question.act));
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = remembered.get(&key) {
            return Arc::clone(answer);
        }
        drop(remembered);
        let answer = Arc::new(ask::decide(self.sets.get(&question.act), &self.schema, question));
        remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, Arc::clone(&answer));
        answer
    }
}
