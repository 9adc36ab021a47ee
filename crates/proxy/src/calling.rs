//! Whether the operator's policies let somebody have a tool called: asked where a tool is offered to a model, of each call in a reply, and
//! where a server of tools is asked. How a call's values are judged is the tool policy's affair.

use std::net::IpAddr;
use std::sync::Arc;

use portcullis_core::Principal;
use portcullis_policy::access::{Access, Act, Circumstances, Question, Resource, Subject, SubjectKind};
use portcullis_policy::tools::{Class, Impact};

use crate::levels::Standing;

/// Who has tools called, and under which circumstances: what outlives the request that began it.
pub(crate) struct Calling {
    access: Option<Arc<Access>>,
    who: Arc<Principal>,
    org: Option<String>,
    profile: String,
    source: IpAddr,
    stream: bool,
    max_tokens: Option<u64>,
}

impl Calling {
    /// Somebody of this standing.
    pub fn new(access: Option<&Arc<Access>>, standing: &Standing, about: Circumstances<'_>) -> Calling {
        Calling {
            access: access.cloned(),
            who: Arc::clone(&standing.principal),
            org: standing.org.clone(),
            profile: about.profile.to_owned(),
            source: about.source,
            stream: about.stream,
            max_tokens: about.max_tokens,
        }
    }

    /// Who it is.
    pub fn who(&self) -> &Arc<Principal> {
        &self.who
    }

    /// Whether there are policies to be asked.
    pub fn has_policies(&self) -> bool {
        self.access.is_some()
    }
}

/// Whether a tool may be called: one that the client brings, or one of a server.
///
/// # Errors
/// What denies it, as a record names it.
pub(crate) fn may_call(
    calling: &Calling,
    server: Option<&str>,
    tool: &str,
    (class, impact): (Class, Impact),
) -> Result<(), Vec<String>> {
    let Some(access) = &calling.access else {
        return Ok(());
    };
    let answer = access.ask(&Question {
        subject: subject(&calling.who, calling.org.as_deref()),
        act: Act::CallTool,
        resource: Resource::Tool {
            name: tool,
            server,
            class: class.name(),
            impact: impact.name(),
        },
        circumstances: Circumstances {
            source: calling.source,
            profile: &calling.profile,
            stream: calling.stream,
            max_tokens: calling.max_tokens,
        },
    });
    match answer.permitted {
        true => Ok(()),
        false => Err(answer.denied_by(Act::CallTool)),
    }
}

/// A principal as policies know it.
pub(crate) fn subject<'a>(who: &'a Principal, org: Option<&'a str>) -> Subject<'a> {
    Subject {
        kind: SubjectKind::Client(who.kind),
        id: who.key.as_str(),
        name: &who.name,
        org,
        team: who.team.as_deref(),
        user: who.user.as_deref(),
        roles: &who.roles,
    }
}
