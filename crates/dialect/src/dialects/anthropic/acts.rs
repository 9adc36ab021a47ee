//! Tools in messages: what a request offers and tells, what a reply calls, and the reply without a call.
//!
//! A call of a server tool or of an MCP server has run when it is told of: it is a step of the conversation, and no call that could
//! be stopped here.

use crate::exchange::Body;
use crate::json::{Document, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::promise;
use crate::tools::{Act, Altered, DeniedLane, Offer, Step, items, named_event, set, told};

use super::stream;

/// Tools that Anthropic describes and the client runs, by the beginnings of their types.
const RUN_BY_THE_CLIENT: [&str; 4] = ["bash_", "text_editor_", "memory_", "computer_"];

/// What was said, called and returned.
pub fn steps(request: &Document) -> Vec<Step> {
    let mut steps = Vec::new();
    content(request, request.at(&["system"]), &mut steps);
    for message in items(request, request.at(&["messages"])) {
        content(request, request.member(message, "content"), &mut steps);
    }
    steps
}

/// The steps of a content: a string, or blocks.
fn content(request: &Document, content: Option<NodeId>, steps: &mut Vec<Step>) {
    if let Some(text) = content.filter(|content| request.sort(*content) == Sort::String) {
        steps.push(Step::Said(text));
    }
    for block in items(request, content) {
        let text = |key| promise::text(request, block, key).to_owned();
        match promise::text(request, block, "type") {
            sort if sort.ends_with("tool_use") => steps.push(Step::Called {
                id: text("id"),
                name: text("name"),
                arguments: set(request, block, "input"),
            }),
            sort if sort.ends_with("tool_result") => steps.push(Step::Returned {
                call: text("tool_use_id"),
                name: None,
                content: returned(request, sort, request.member(block, "content")),
            }),
            "compaction" => steps.extend(string(request, block, "content").map(Step::Said)),
            "browser_state" => {}
            _ => steps.extend(texts_of(request, block).into_iter().map(Step::Said)),
        }
    }
}

/// What a tool returned. What a server tool returned is a value that the provider wrote.
fn returned(request: &Document, sort: &str, content: Option<NodeId>) -> Vec<NodeId> {
    let Some(content) = content else {
        return Vec::new();
    };
    if !matches!(sort, "tool_result" | "mcp_tool_result") {
        return vec![content];
    }
    texts_in(request, content)
}

/// The texts of a string, or of blocks.
fn texts_in(request: &Document, content: NodeId) -> Vec<NodeId> {
    match request.sort(content) {
        Sort::String => vec![content],
        _ => request
            .items(content)
            .flat_map(|block| match request.sort(block) {
                Sort::String => vec![block],
                _ => texts_of(request, block),
            })
            .collect(),
    }
}

/// The texts of a block that says something; thinking is not said by anybody.
fn texts_of(request: &Document, block: NodeId) -> Vec<NodeId> {
    let own = |keys: &[&str]| -> Vec<NodeId> {
        keys.iter()
            .filter_map(|key| string(request, block, key))
            .collect()
    };
    match promise::text(request, block, "type") {
        "document" => {
            let mut texts = own(&["title", "context"]);
            if let Some(source) = set(request, block, "source") {
                if promise::is(request, source, "text") {
                    texts.extend(string(request, source, "data"));
                }
                texts.extend(
                    set(request, source, "content")
                        .into_iter()
                        .flat_map(|content| texts_in(request, content)),
                );
            }
            texts
        }
        "search_result" => {
            let mut texts = own(&["source", "title"]);
            let content = set(request, block, "content").into_iter();
            texts.extend(content.flat_map(|content| texts_in(request, content)));
            texts
        }
        // What a browser shows is a value; it stands in results only.
        "browser_state" => vec![block],
        "thinking" | "redacted_thinking" => Vec::new(),
        _ => own(&["text"]),
    }
}

fn string(request: &Document, object: NodeId, key: &str) -> Option<NodeId> {
    request
        .member(object, key)
        .filter(|node| request.sort(*node) == Sort::String)
}

/// The tools that are offered: those of the request, those that a message adds, and servers of tools.
pub fn offers(request: &Document) -> Vec<Offer> {
    let mut offers: Vec<Offer> = items(request, request.at(&["tools"]))
        .map(|tool| offer(request, tool))
        .collect();
    for message in items(request, request.at(&["messages"])) {
        for block in items(request, request.member(message, "content")) {
            let changes = items(request, request.member(block, "tool_changes"));
            offers.extend([block].into_iter().chain(changes).filter_map(|change| {
                let tool = promise::is(request, change, "tool_addition")
                    .then(|| set(request, change, "tool"))
                    .flatten()?;
                // A reference names a tool that is defined elsewhere.
                Some(offer(request, set(request, tool, "definition")?))
            }));
        }
    }
    for server in items(request, request.at(&["mcp_servers"])) {
        offers.push(Offer::provided(server_name(promise::text(
            request, server, "name",
        ))));
    }
    let mut seen = std::collections::HashSet::new();
    offers.retain(|offer| !offer.name.starts_with(SERVER) || seen.insert(offer.name.clone()));
    offers
}

const SERVER: &str = "mcp:";

fn server_name(name: &str) -> String {
    format!("{SERVER}{name}")
}

fn offer(request: &Document, tool: NodeId) -> Offer {
    let sort = promise::text(request, tool, "type");
    let own = matches!(sort, "" | "custom");
    if sort == "mcp_toolset" {
        return Offer::provided(server_name(promise::text(request, tool, "mcp_server_name")));
    }
    if !own && !RUN_BY_THE_CLIENT.iter().any(|known| sort.starts_with(known)) {
        return Offer::provided(sort);
    }
    Offer {
        name: promise::text(request, tool, "name").to_owned(),
        about: set(request, tool, "description"),
        schema: set(request, tool, "input_schema"),
        whole: Some(tool),
        provided: false,
    }
}

/// Whether a block is a call that the client runs. A sort of call that is not known here is taken for one.
fn is_call(document: &Document, block: NodeId) -> bool {
    let sort = promise::text(document, block, "type");
    sort.ends_with("tool_use") && !matches!(sort, "server_tool_use" | "mcp_tool_use")
}

/// The blocks that a body holds whole.
fn blocks(body: Body, document: &Document) -> impl Iterator<Item = NodeId> + '_ {
    let content = match body {
        Body::Reply => document.at(&["content"]),
        Body::Event => document.at(&["message", "content"]),
        Body::Request => None,
    };
    items(document, content)
}

/// Every call of a reply, or what an event says of one.
pub fn acts(body: Body, document: &Document) -> Vec<Act> {
    let begun = document.at(&["content_block"]).filter(|_| body == Body::Event);
    let begun = begun.map(|block| (block, Some(stream::lane_of_call(document))));
    let whole = blocks(body, document).map(|block| (block, None));
    whole
        .chain(begun)
        .filter(|(block, _)| is_call(document, *block))
        .map(|(block, lane)| Act {
            name: promise::text(document, block, "name").to_owned(),
            lane,
            // A block begins with an empty input, whatever its deltas bring.
            arguments: set(document, block, "input").filter(|input| {
                lane.is_none() || !matches!(document.wire(*input), "\"\"") && !is_empty(document, *input)
            }),
            node: block,
            group: 0,
        })
        .collect()
}

fn is_empty(document: &Document, input: NodeId) -> bool {
    document.sort(input) == Sort::Object && document.members(input).next().is_none()
}

/// The edits after which each of those calls is a text.
pub fn deny(body: Body, document: &Document, denied: &[(NodeId, &str)]) -> Vec<Edit> {
    let begun = document.at(&["content_block"]).filter(|_| body == Body::Event);
    let mut edits: Vec<Edit> = blocks(body, document)
        .chain(begun)
        .filter_map(|block| {
            let text = quoted(told(denied, block)?);
            Some(Edit {
                range: document.range(block),
                text: format!(r#"{{"type":"text","text":{text}}}"#),
            })
        })
        .collect();
    let left = blocks(body, document).any(|block| is_call(document, block) && told(denied, block).is_none());
    if !edits.is_empty() && !left {
        let holder = match body {
            Body::Event => document.at(&["message"]),
            _ => Some(document.root()),
        };
        edits.extend(holder.and_then(|holder| ends_as_text(document, holder)));
    }
    edits
}

/// The edit after which a message that stopped for its calls has ended its turn.
fn ends_as_text(document: &Document, holder: NodeId) -> Option<Edit> {
    let reason = document.member(holder, "stop_reason")?;
    (document.as_str(reason) == Some("tool_use")).then(|| Edit {
        range: document.range(reason),
        text: r#""end_turn""#.to_owned(),
    })
}

/// What becomes of an event: a call's block is one of text, which ends where the call would have ended.
pub fn deny_event(event: &Document, denied: &[DeniedLane<'_>], none_left: &dyn Fn(u32) -> bool) -> Altered {
    let sort = event.str_at(&["type"]).unwrap_or("");
    if sort == "message_delta" {
        let edit = event
            .at(&["delta"])
            .filter(|_| none_left(0))
            .and_then(|delta| ends_as_text(event, delta));
        return edit.map_or(Altered::Not, |edit| Altered::Edited(vec![edit]));
    }
    if !matches!(
        sort,
        "content_block_start" | "content_block_delta" | "content_block_stop"
    ) {
        return Altered::Not;
    }
    let lane = stream::lane_of_call(event);
    let Some(denied) = denied.iter().find(|denied| denied.lane == lane) else {
        return Altered::Not;
    };
    let stop = sort == "content_block_stop";
    let Some(text) = denied.told else {
        return if stop { Altered::Not } else { Altered::Gone };
    };
    let index = event.at(&["index"]).map_or("0", |index| event.wire(index));
    let mut events = named_event(
        "content_block_start",
        &format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"text","text":""}}}}"#
        ),
    );
    events.push_str(&named_event(
        "content_block_delta",
        &format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"text_delta","text":{}}}}}"#,
            quoted(text)
        ),
    ));
    if stop {
        events.push_str(&named_event(sort, event.wire(event.root())));
    }
    Altered::Instead(events)
}

#[cfg(test)]
mod tests;
