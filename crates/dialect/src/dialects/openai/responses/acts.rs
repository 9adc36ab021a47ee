//! Tools in responses: what a request offers and tells, what a response calls, and the response without a call.
//!
//! What the provider runs itself (searches, code, pictures, MCP servers, a shell in its container) has run when it is told of: it is a
//! step of the conversation, and no call that could be stopped here. What the client runs or approves is a call, and so is every
//! `…_call` that is not known here.

use crate::exchange::{Body, lanes};
use crate::json::{Document, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::promise;
use crate::tools::{Act, Altered, DeniedLane, Offer, Step, items, named_event, set, told};

use super::{events, items as kinds, refusal};

/// The type of an item; of one that names none, by what it has.
fn kind(document: &Document, item: NodeId) -> &str {
    let named = document
        .member(item, "type")
        .and_then(|sort| document.as_str(sort));
    kinds::kind(named, document.member(item, "role").is_some())
}

/// Whether an item is a call that the client runs or approves.
pub fn is_call(document: &Document, item: NodeId) -> bool {
    match kind(document, item) {
        "web_search_call"
        | "file_search_call"
        | "code_interpreter_call"
        | "image_generation_call"
        | "mcp_call" => false,
        "tool_search_call" => promise::text(document, item, "execution") != "server",
        "shell_call" => !in_container(document, item),
        "mcp_approval_request" => true,
        kind => kind.ends_with("_call"),
    }
}

/// Whether a shell is one in a container of the provider's.
fn in_container(document: &Document, object: NodeId) -> bool {
    let environment = document.member(object, "environment");
    environment
        .is_some_and(|environment| promise::text(document, environment, "type").starts_with("container"))
}

/// The name of a call: that of its function, or its type.
fn name(document: &Document, item: NodeId) -> String {
    match promise::text(document, item, "name") {
        "" => kind(document, item).to_owned(),
        name => name.to_owned(),
    }
}

/// The arguments of a call. Where there is no telling which of two members they are, the whole item is.
fn arguments(document: &Document, item: NodeId) -> Option<NodeId> {
    const MEMBERS: [&str; 7] = [
        "arguments",
        "input",
        "action",
        "actions",
        "operation",
        "code",
        "queries",
    ];
    let mut found = MEMBERS.iter().filter_map(|key| set(document, item, key));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Some(item),
        (one, _) => one,
    }
}

/// What was said, called and returned.
pub fn steps(request: &Document) -> Vec<Step> {
    let mut steps = Vec::new();
    told_in(request, request.at(&["instructions"]), &mut steps);
    let variables = request.at(&["prompt", "variables"]);
    for (_, value) in variables.into_iter().flat_map(|all| request.members(all)) {
        let text = match request.sort(value) {
            Sort::String => Some(value),
            _ => set(request, value, "text"),
        };
        steps.extend(text.map(Step::Said));
    }
    told_in(request, request.at(&["input"]), &mut steps);
    steps
}

/// The steps of a text, or of items.
fn told_in(request: &Document, input: Option<NodeId>, steps: &mut Vec<Step>) {
    steps.extend(
        input
            .filter(|input| request.sort(*input) == Sort::String)
            .map(Step::Said),
    );
    for item in items(request, input) {
        step(request, item, steps);
    }
}

fn step(request: &Document, item: NodeId, steps: &mut Vec<Step>) {
    let text = |key| promise::text(request, item, key).to_owned();
    let id = match text("call_id") {
        id if id.is_empty() => text("id"),
        id => id,
    };
    let kind = kind(request, item);
    match kind {
        "message" => {
            let content = texts(request, request.member(item, "content"));
            steps.extend(content.into_iter().map(Step::Said));
        }
        "mcp_approval_response" => steps.extend(set(request, item, "reason").map(Step::Said)),
        "reasoning" | "compaction" | "item_reference" | "mcp_list_tools" | "additional_tools" => {}
        _ if kind.ends_with("_output") => steps.push(Step::Returned {
            call: id,
            name: Some(text("name")).filter(|name| !name.is_empty()),
            content: match set(request, item, "output").or_else(|| set(request, item, "result")) {
                Some(output) => texts(request, Some(output)),
                None => set(request, item, "tools").into_iter().collect(),
            },
        }),
        _ if kind.ends_with("_call") || matches!(kind, "mcp_approval_request" | "program") => {
            steps.push(Step::Called {
                id: id.clone(),
                name: name(request, item),
                arguments: arguments(request, item),
            });
            // What the provider runs brings its result along.
            let result = ["output", "error", "results", "outputs"]
                .iter()
                .find_map(|key| set(request, item, key));
            steps.extend(result.map(|result| Step::Returned {
                call: id,
                name: Some(name(request, item)),
                content: vec![result],
            }));
        }
        _ => {}
    }
}

/// The texts of a content or an output: a string, or parts that say or print something.
fn texts(request: &Document, content: Option<NodeId>) -> Vec<NodeId> {
    let string = |node: &NodeId| request.sort(*node) == Sort::String;
    let whole = content.filter(string);
    let parts = items(request, content).flat_map(|part| {
        let own = Some(part).filter(string);
        let members = ["text", "stdout", "stderr"]
            .into_iter()
            .filter_map(move |key| request.member(part, key));
        own.into_iter().chain(members.filter(string))
    });
    whole.into_iter().chain(parts).collect()
}

/// The tools that are offered: those of the request, and those that items bring.
pub fn offers(request: &Document) -> Vec<Offer> {
    let mut offers = Vec::new();
    offered(request, request.at(&["tools"]), &mut offers);
    for item in items(request, request.at(&["input"])) {
        if matches!(kind(request, item), "additional_tools" | "tool_search_output") {
            offered(request, request.member(item, "tools"), &mut offers);
        }
    }
    offers
}

/// Nested lists cannot lead far: a body has a limit to its depth.
fn offered(request: &Document, tools: Option<NodeId>, offers: &mut Vec<Offer>) {
    for tool in items(request, tools) {
        let sort = promise::text(request, tool, "type");
        let client = |name: &str| Offer {
            name: name.to_owned(),
            about: set(request, tool, "description"),
            schema: set(request, tool, "parameters"),
            whole: Some(tool),
            provided: false,
        };
        // Those without a name of their own are named as their calls are.
        offers.push(match sort {
            "namespace" => {
                offered(request, request.member(tool, "tools"), offers);
                continue;
            }
            "" | "function" | "custom" => client(promise::text(request, tool, "name")),
            "mcp" => Offer {
                about: set(request, tool, "server_description"),
                ..Offer::provided(format!("mcp:{}", promise::text(request, tool, "server_label")))
            },
            "tool_search" if promise::text(request, tool, "execution") == "client" => {
                client("tool_search_call")
            }
            "shell" if !in_container(request, tool) => client("shell_call"),
            "local_shell" => client("local_shell_call"),
            "apply_patch" => client("apply_patch_call"),
            "computer" | "computer_use_preview" | "computer-preview" => client("computer_call"),
            other => Offer::provided(other),
        });
    }
}

/// The items that a body holds in the list of its response.
fn output(body: Body, document: &Document) -> impl Iterator<Item = NodeId> + '_ {
    let output = match body {
        Body::Reply => document.at(&["output"]),
        Body::Event => document.at(&["response", "output"]),
        Body::Request => None,
    };
    items(document, output)
}

/// Every call of a response, or what an event says of some.
pub fn acts(body: Body, document: &Document) -> Vec<Act> {
    let whole = output(body, document).filter(|item| is_call(document, *item));
    let mut acts: Vec<Act> = whole
        .map(|item| Act {
            name: name(document, item),
            lane: None,
            arguments: arguments(document, item),
            node: item,
            group: 0,
        })
        .collect();
    if body != Body::Event {
        return acts;
    }
    let lane = Some(events::lane_of_call(document));
    let sort = document.str_at(&["type"]).unwrap_or("");
    if let Some(item) = document.at(&["item"]).filter(|item| is_call(document, *item)) {
        // What begins has no arguments yet, or an empty text in their place.
        let begins = sort == "response.output_item.added";
        acts.push(Act {
            name: name(document, item),
            lane,
            arguments: arguments(document, item)
                .filter(|arguments| !begins || document.wire(*arguments) != "\"\""),
            node: item,
            group: 0,
        });
    }
    let whole = match sort {
        "response.function_call_arguments.done" => "arguments",
        "response.custom_tool_call_input.done" => "input",
        _ => return acts,
    };
    acts.push(Act {
        name: promise::text(document, document.root(), "name").to_owned(),
        lane,
        arguments: document.at(&[whole]),
        node: document.root(),
        group: 0,
    });
    acts
}

/// The edits after which each of those calls is a message.
pub fn deny(body: Body, document: &Document, denied: &[(NodeId, &str)]) -> Vec<Edit> {
    let one = document.at(&["item"]).filter(|_| body == Body::Event);
    output(body, document)
        .chain(one)
        .filter_map(|item| {
            Some(Edit {
                range: document.range(item),
                text: refusal::message(&id(document, item), told(denied, item)?, "completed"),
            })
        })
        .collect()
}

/// The id of a message in the place of a call. The API and its SDKs know items by the beginnings of their ids; behind it, the call's own
/// keeps it apart from every other and the same in every event.
fn id(document: &Document, call: NodeId) -> String {
    let own = ["id", "item_id", "call_id"]
        .iter()
        .map(|key| promise::text(document, call, key))
        .find(|id| !id.is_empty());
    format!("msg_{}", own.unwrap_or("denied"))
}

/// What becomes of an event: a call's first is all events of a message, the others are gone. The response that the last event repeats is
/// an affair of [`deny`].
pub fn deny_event(event: &Document, denied: &[DeniedLane<'_>]) -> Altered {
    let is_of_item = event.at(&["output_index"]).is_some() || event.at(&["item"]).is_some();
    let group = lanes::group(events::lane_of_call(event));
    let found = denied
        .iter()
        .filter(|denied| is_of_item && lanes::group(denied.lane) == group);
    // What a call is made of is in more lanes than one; whichever is told of says it for all.
    let mut found = found.peekable();
    if found.peek().is_none() {
        return Altered::Not;
    }
    match found.find_map(|denied| denied.told) {
        Some(text) => Altered::Instead(message(event, text)),
        None => Altered::Gone,
    }
}

/// The events of a message in the place of a call, under the number of the event that they stand for.
fn message(event: &Document, text: &str) -> String {
    let id = id(event, event.at(&["item"]).unwrap_or(event.root()));
    let index = event.at(&["output_index"]).and_then(|node| event.as_u64(node));
    let index = index.unwrap_or(0);
    let number = event.at(&["sequence_number"]).map_or_else(String::new, |number| {
        format!(r#""sequence_number":{},"#, event.wire(number))
    });
    let (part, quoted_text) = (refusal::part(&id, index), quoted(text));
    let empty = format!(
        r#"{{"id":{},"type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
        quoted(&id)
    );
    let whole = refusal::message(&id, text, "completed");
    let mut events = String::new();
    for (name, rest) in [
        (
            "response.output_item.added",
            format!(r#""output_index":{index},"item":{empty}"#),
        ),
        (
            "response.content_part.added",
            format!(r#"{part},"part":{}"#, refusal::said("\"\"")),
        ),
        (
            "response.output_text.delta",
            format!(r#"{part},"delta":{quoted_text},"logprobs":[]"#),
        ),
        (
            "response.output_text.done",
            format!(r#"{part},"text":{quoted_text},"logprobs":[]"#),
        ),
        (
            "response.content_part.done",
            format!(r#"{part},"part":{}"#, refusal::said(&quoted_text)),
        ),
        (
            "response.output_item.done",
            format!(r#""output_index":{index},"item":{whole}"#),
        ),
    ] {
        events.push_str(&named_event(
            name,
            &format!(r#"{{"type":"{name}",{number}{rest}}}"#),
        ));
    }
    events
}

#[cfg(test)]
mod tests;
