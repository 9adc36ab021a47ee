//! Tools in generations: what a request offers and tells, what a reply calls, and the reply without a call.
//!
//! Every member is read in both spellings, and where an object has both, both count. Code that the model runs and server-side tool
//! invocations have run when they are told of: they are steps of the conversation, and no calls that could be stopped here.

use crate::exchange::Body;
use crate::json::{Document, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::promise;
use crate::tools::{Act, Offer, Step, told};

use super::reply;
use super::trail::{at, list, member, named};

/// What the model's own code runs in, as a request offers it.
const CODE: &str = "codeExecution";

/// What was said, called and returned.
pub fn steps(request: &Document) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(system) = at(request, &["systemInstruction"]) {
        content(request, system, &mut steps);
    }
    for turn in list(request, at(request, &["contents"])) {
        content(request, turn, &mut steps);
    }
    steps
}

/// The steps of a content: a string, or parts.
fn content(request: &Document, content: NodeId, steps: &mut Vec<Step>) {
    let parts = request.member(content, "parts");
    let texts = [Some(content), parts].into_iter().flatten();
    steps.extend(
        texts
            .filter(|node| request.sort(*node) == Sort::String)
            .map(Step::Said),
    );
    for part in list(request, parts) {
        if request.sort(part) == Sort::String {
            steps.push(Step::Said(part));
        }
        for (name, node) in named(request, part).filter(|(_, node)| request.sort(*node) != Sort::Null) {
            steps.extend(step(request, part, &name, node));
        }
    }
}

/// What one member of a part tells.
fn step(request: &Document, part: NodeId, name: &str, node: NodeId) -> Option<Step> {
    let text = |key| promise::text(request, node, key);
    // Without an id, a call is answered by its name.
    let id = |name: &str| match text("id") {
        "" => name.to_owned(),
        id => id.to_owned(),
    };
    let of_server = || member(request, node, "toolType").and_then(|sort| request.as_str(sort));
    let is_text = |node: &NodeId| request.sort(*node) == Sort::String;
    Some(match name {
        "text" => Step::Said(
            Some(node)
                .filter(is_text)
                .filter(|_| !promise::holds(request, part, "thought"))?,
        ),
        "audioTranscription" => Step::Said(request.member(node, "text").filter(is_text)?),
        "functionCall" | "toolCall" => {
            let name = of_server().unwrap_or(text("name"));
            Step::Called {
                id: id(name),
                name: name.to_owned(),
                arguments: arguments(request, node),
            }
        }
        "functionResponse" | "toolResponse" => {
            let name = of_server().unwrap_or(text("name"));
            Step::Returned {
                call: id(name),
                name: (!name.is_empty()).then(|| name.to_owned()),
                content: set(request, node, "response").into_iter().collect(),
            }
        }
        "executableCode" => Step::Called {
            id: id(CODE),
            name: CODE.to_owned(),
            arguments: set(request, node, "code"),
        },
        "codeExecutionResult" => Step::Returned {
            call: id(CODE),
            name: Some(CODE.to_owned()),
            content: set(request, node, "output").into_iter().collect(),
        },
        _ => return None,
    })
}

fn set(document: &Document, object: NodeId, name: &str) -> Option<NodeId> {
    member(document, object, name).filter(|node| document.sort(*node) != Sort::Null)
}

/// The arguments of a call. Those that come in pieces are known by no chunk: what says that more of them come is no object, so that
/// nobody takes the call for one without arguments.
fn arguments(document: &Document, call: NodeId) -> Option<NodeId> {
    let goes_on =
        || member(document, call, "willContinue").filter(|more| document.as_bool(*more) == Some(true));
    set(document, call, "partialArgs")
        .or_else(goes_on)
        .or_else(|| set(document, call, "args"))
}

/// The tools that are offered. A tool that is no list of functions is named as the API names it.
pub fn offers(request: &Document) -> Vec<Offer> {
    let mut offers = Vec::new();
    let tools = list(request, at(request, &["tools"])).flat_map(|tool| named(request, tool));
    for (name, node) in tools.filter(|(_, node)| request.sort(*node) != Sort::Null) {
        match name.as_str() {
            "functionDeclarations" => offers.extend(list(request, Some(node)).map(|function| {
                Offer {
                    name: promise::text(request, function, "name").to_owned(),
                    about: set(request, function, "description"),
                    schema: set(request, function, "parametersJsonSchema")
                        .or_else(|| set(request, function, "parameters")),
                    whole: Some(function),
                    provided: false,
                }
            })),
            "mcpServers" => offers
                .extend(list(request, Some(node)).map(|server| {
                    Offer::provided(format!("mcp:{}", promise::text(request, server, "name")))
                })),
            // The client moves the pointer: what the model wants done comes as functions that the API names.
            "computerUse" => offers.push(Offer {
                whole: Some(node),
                provided: false,
                ..Offer::provided(name)
            }),
            _ => offers.push(Offer::provided(name)),
        }
    }
    offers
}

/// The parts of the candidates, with the number of the candidate of each.
fn parts(document: &Document) -> impl Iterator<Item = (u32, NodeId)> + '_ {
    reply::candidates(document).flat_map(|(group, candidate)| {
        let content = document.member(candidate, "content");
        let parts = content.and_then(|content| document.member(content, "parts"));
        list(document, parts).map(move |part| (group, part))
    })
}

/// Every call of a reply or a chunk. The parts are what is told of: a chunk holds them whole.
pub fn acts(body: Body, document: &Document) -> Vec<Act> {
    if body == Body::Request {
        return Vec::new();
    }
    let mut acts = Vec::new();
    for (group, part) in parts(document) {
        let calls = named(document, part).filter(|(name, _)| name == "functionCall");
        for (_, call) in calls.filter(|(_, call)| document.sort(*call) != Sort::Null) {
            acts.push(Act {
                name: promise::text(document, call, "name").to_owned(),
                lane: None,
                arguments: arguments(document, call),
                node: part,
                group,
            });
        }
    }
    acts
}

/// The edits after which each of those parts is a text. A candidate with calls ends as one without.
pub fn deny(body: Body, document: &Document, denied: &[(NodeId, &str)]) -> Vec<Edit> {
    if body == Body::Request {
        return Vec::new();
    }
    let gone = parts(document).filter_map(|(_, part)| {
        let text = quoted(told(denied, part)?);
        Some(Edit {
            range: document.range(part),
            text: format!(r#"{{"text":{text}}}"#),
        })
    });
    gone.collect()
}

#[cfg(test)]
mod tests;
