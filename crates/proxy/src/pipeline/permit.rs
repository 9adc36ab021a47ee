//! What a principal may do: the lists of its key and of its groups first, then the operator's policies. Both must permit.
//!
//! What refused is for the record; the client is told that it may not, and no more.

use portcullis_dialect::{Document, Exchange, Mcp};
use portcullis_policy::access::{Access, Act, Circumstances, Question, Resource};

use super::parse::Asked;
use crate::calling::subject;
use crate::record::Record;
use crate::{Gateway, Refusal};

/// Whether the endpoint may be used at all.
pub(super) fn permit_endpoint(
    gw: &Gateway,
    asked: &Asked,
    document: &Document,
    record: &mut Record,
) -> Result<(), Refusal> {
    if let Some(setting) = asked.standing.denies_endpoint(&asked.path()) {
        record.audit.denied_by.push(setting);
        return Err(Refusal::ForbiddenEndpoint);
    }
    let path = asked.path();
    let resource = endpoint(asked.exchange, &path);
    let about = circumstances(asked, Some(document));
    asked_of(gw, asked, Act::UseEndpoint, resource, about, record).ok_or(Refusal::ForbiddenEndpoint)
}

/// Whether the policies permit the model that is asked for, under the client's name and its upstream's, and a system prompt where the client sends one.
/// The lists of models are the decision's affair.
pub(super) fn permit_use(
    gw: &Gateway,
    asked: &Asked,
    document: &Document,
    record: &mut Record,
) -> Result<(), Refusal> {
    let Some(access) = &gw.access else {
        return Ok(());
    };
    let about = circumstances(asked, Some(document));
    match &asked.call.model {
        Some(model) => {
            let denied = denies_model(gw, access, asked, model, about);
            if !denied.is_empty() {
                record.audit.denied_by.extend(denied);
                return Err(Refusal::ForbiddenModel);
            }
        }
        // A model that is left open to the provider is none that a policy can speak of.
        None if asked.exchange.allowance(document).is_some() => {
            record
                .audit
                .denied_by
                .push("the request leaves the model open".to_owned());
            return Err(Refusal::ForbiddenModel);
        }
        None => {}
    }
    if asked.call.system_prompt {
        let path = asked.path();
        let resource = endpoint(asked.exchange, &path);
        asked_of(gw, asked, Act::SendSystemPrompt, resource, about, record)
            .ok_or(Refusal::ForbiddenSystemPrompt)?;
    }
    Ok(())
}

/// Whether a model may be asked: by every list, and by the policies under each of its names.
pub(crate) fn may_ask_model(gw: &Gateway, asked: &Asked, document: Option<&Document>, name: &str) -> bool {
    let by_lists = asked.standing.denies_model(Some(name)).is_none();
    by_lists
        && gw.access.as_ref().is_none_or(|access| {
            denies_model(gw, access, asked, name, circumstances(asked, document)).is_empty()
        })
}

/// What of the policies denies a model; nothing where it is permitted.
fn denies_model(
    gw: &Gateway,
    access: &Access,
    asked: &Asked,
    name: &str,
    about: Circumstances<'_>,
) -> Vec<String> {
    let route = gw.route(name, asked.exchange.api());
    let upstream = route.map(|(_, target)| target.name.as_str());
    let renamed = route.and_then(|(route, _)| route.renamed.as_deref());
    let names = std::iter::once(name).chain(renamed.filter(|renamed| *renamed != name));
    for name in names {
        let answer = access.ask(&Question {
            subject: subject(&asked.principal, asked.standing.org.as_deref()),
            act: Act::InvokeModel,
            resource: Resource::Model { name, upstream },
            circumstances: about,
        });
        if !answer.permitted {
            return answer.denied_by(Act::InvokeModel);
        }
    }
    Vec::new()
}

/// Asks the policies, if there are any; nothing where they deny, which the record is told.
fn asked_of(
    gw: &Gateway,
    asked: &Asked,
    act: Act,
    resource: Resource<'_>,
    about: Circumstances<'_>,
    record: &mut Record,
) -> Option<()> {
    let Some(access) = &gw.access else {
        return Some(());
    };
    let answer = access.ask(&Question {
        subject: subject(&asked.principal, asked.standing.org.as_deref()),
        act,
        resource,
        circumstances: about,
    });
    record.audit.denied_by.extend(answer.denied_by(act));
    answer.permitted.then_some(())
}

fn endpoint<'p>(exchange: &'static dyn Exchange, path: &'p str) -> Resource<'p> {
    Resource::Endpoint {
        path,
        method: exchange.method().name(),
        dialect: match exchange.id() {
            id if id == portcullis_dialect::Guard.id() => "portcullis",
            _ if Mcp::is(exchange) => "mcp",
            _ => exchange.api().name(),
        },
    }
}

pub(super) fn circumstances<'a>(asked: &'a Asked, document: Option<&Document>) -> Circumstances<'a> {
    let allowance = document.and_then(|document| asked.exchange.allowance(document));
    Circumstances {
        source: asked.peer.address.ip(),
        profile: asked.standing.profile(),
        stream: asked.call.stream,
        max_tokens: allowance.and_then(|allowance| allowance.tokens),
    }
}
