//! Tools in chat completions: what a request offers and tells, what a reply calls, and the reply without a call.

use crate::exchange::{Body, lanes};
use crate::json::{Document, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::promise;
use crate::tools::{Act, Altered, DeniedLane, Offer, Step, texts};

use super::super::choices;
use super::labels;

/// The parts of a message that call something, with the name and the arguments of each.
const FORMS: [(&str, &str); 2] = [("function", "arguments"), ("custom", "input")];

fn set(document: &Document, object: NodeId, key: &str) -> Option<NodeId> {
    document
        .member(object, key)
        .filter(|node| document.sort(*node) != Sort::Null)
}

fn items(document: &Document, list: Option<NodeId>) -> impl Iterator<Item = NodeId> + '_ {
    list.into_iter().flat_map(|list| document.items(list))
}

/// Name and arguments of a call.
fn called(document: &Document, call: NodeId) -> (String, Option<NodeId>) {
    FORMS
        .iter()
        .find_map(|(form, arguments)| {
            let form = set(document, call, form)?;
            Some((
                promise::text(document, form, "name").to_owned(),
                set(document, form, arguments),
            ))
        })
        .unwrap_or_default()
}

/// What was said, called and returned.
pub fn steps(request: &Document) -> Vec<Step> {
    let mut steps: Vec<Step> = items(request, request.at(&["documents"]))
        .flat_map(|document| {
            let inner = ["text", "content", "contents"]
                .iter()
                .find_map(|key| request.member(document, key));
            texts(request, inner.or(Some(document)))
        })
        .map(Step::Said)
        .collect();
    for message in items(request, request.at(&["messages"])) {
        let content = texts(request, request.member(message, "content"));
        match promise::text(request, message, "role") {
            "tool" | "function" => {
                let name = promise::text(request, message, "name");
                let id = promise::text(request, message, "tool_call_id");
                steps.push(Step::Returned {
                    // The old form answers by name.
                    call: if id.is_empty() {
                        name.to_owned()
                    } else {
                        id.to_owned()
                    },
                    name: (!name.is_empty()).then(|| name.to_owned()),
                    content,
                });
            }
            _ => steps.extend(content.into_iter().map(Step::Said)),
        }
        for call in items(request, request.member(message, "tool_calls")) {
            let (name, arguments) = called(request, call);
            steps.push(Step::Called {
                id: promise::text(request, call, "id").to_owned(),
                name,
                arguments,
            });
        }
        if let Some(call) = set(request, message, "function_call") {
            let name = promise::text(request, call, "name").to_owned();
            steps.push(Step::Called {
                id: name.clone(),
                name,
                arguments: set(request, call, "arguments"),
            });
        }
    }
    steps
}

/// The tools that are offered.
pub fn offers(request: &Document) -> Vec<Offer> {
    let tools = items(request, request.at(&["tools"])).map(|tool| {
        let form = FORMS.iter().find_map(|(form, _)| set(request, tool, form));
        let Some(form) = form else {
            return Offer::provided(promise::text(request, tool, "type"));
        };
        offer(request, form)
    });
    let functions = items(request, request.at(&["functions"])).map(|function| offer(request, function));
    let mut all: Vec<Offer> = tools.chain(functions).collect();
    if request
        .at(&["web_search_options"])
        .is_some_and(|node| request.sort(node) != Sort::Null)
    {
        all.push(Offer::provided("web_search"));
    }
    all
}

fn offer(request: &Document, function: NodeId) -> Offer {
    Offer {
        name: promise::text(request, function, "name").to_owned(),
        about: set(request, function, "description"),
        schema: set(request, function, "parameters"),
        whole: Some(function),
        provided: false,
    }
}

/// Every call of a reply, or what an event says of some.
pub fn acts(body: Body, document: &Document) -> Vec<Act> {
    let (of, is_event) = match body {
        Body::Reply => ("message", false),
        Body::Event => ("delta", true),
        Body::Request => return Vec::new(),
    };
    let mut acts = Vec::new();
    for (group, choice) in choices::numbered(document) {
        let Some(message) = set(document, choice, of) else {
            continue;
        };
        for (at, call) in items(document, set(document, message, "tool_calls")).enumerate() {
            let (name, arguments) = called(document, call);
            acts.push(Act {
                name,
                lane: is_event
                    .then(|| lanes::lane(group, labels::item(index(document, call), at), lanes::ARGUMENTS)),
                arguments: arguments.filter(|_| !is_event),
                node: call,
                group,
            });
        }
        if let Some(call) = set(document, message, "function_call") {
            acts.push(Act {
                name: promise::text(document, call, "name").to_owned(),
                lane: is_event.then(|| lanes::lane(group, 0, lanes::ARGUMENTS)),
                arguments: set(document, call, "arguments").filter(|_| !is_event),
                node: call,
                group,
            });
        }
    }
    acts
}

fn index(document: &Document, call: NodeId) -> Option<u64> {
    document.as_u64(document.member(call, "index")?)
}

/// The edits that take calls out of a whole reply.
pub fn deny(reply: &Document, denied: &[(NodeId, &str)]) -> Vec<Edit> {
    let told = |node: NodeId| {
        denied
            .iter()
            .find(|(denied, _)| *denied == node)
            .map(|(_, told)| *told)
    };
    let mut edits = Vec::new();
    for choice in choices::all(reply) {
        let Some(message) = set(reply, choice, "message") else {
            continue;
        };
        let mut texts: Vec<&str> = Vec::new();
        let calls = set(reply, message, "tool_calls");
        let (gone, left): (Vec<NodeId>, Vec<NodeId>) =
            items(reply, calls).partition(|call| told(*call).is_some());
        texts.extend(gone.iter().filter_map(|call| told(*call)));
        let old = set(reply, message, "function_call").filter(|call| told(*call).is_some());
        texts.extend(old.and_then(told));
        if texts.is_empty() {
            continue;
        }
        if let (Some(calls), false) = (calls, gone.is_empty()) {
            edits.push(list_of(reply, message, "tool_calls", calls, &left));
        }
        if old.is_some() {
            edits.extend(without(reply, message, "function_call"));
        }
        edits.extend(say(reply, message, &texts.join("\n\n")));
        if left.is_empty() {
            edits.extend(ends_as_text(reply, choice));
        }
    }
    edits
}

/// The edit after which a list has those items and no others; an empty one is taken away.
fn list_of(document: &Document, object: NodeId, key: &str, list: NodeId, left: &[NodeId]) -> Edit {
    // What is written in front of the only member ends with a comma: that member stays.
    let lonely = document.members(object).nth(1).is_none();
    let removed = document
        .removal(object, key)
        .filter(|_| left.is_empty() && !lonely);
    let text = match left {
        [] if lonely => "null".to_owned(),
        [] => String::new(),
        left => {
            let items: Vec<&str> = left.iter().map(|item| document.wire(*item)).collect();
            format!("[{}]", items.join(","))
        }
    };
    Edit {
        range: removed.unwrap_or_else(|| document.range(list)),
        text,
    }
}

/// The edit after which there is no call in the old form. The member stays: two that are taken away side by side would both take the
/// comma between them, and of two edits that overlap one is dropped.
fn without(document: &Document, object: NodeId, key: &str) -> Option<Edit> {
    document.member(object, key).map(|call| Edit {
        range: document.range(call),
        text: "null".to_owned(),
    })
}

/// The edit after which a message says a text too.
fn say(reply: &Document, message: NodeId, text: &str) -> Option<Edit> {
    let content = reply.member(message, "content");
    let (range, text) = match content {
        Some(content) if reply.sort(content) == Sort::String => {
            let said = reply.text(content);
            let all = if said.is_empty() {
                text.to_owned()
            } else {
                format!("{said}\n\n{text}")
            };
            (reply.range(content), quoted(&all))
        }
        Some(content) if reply.sort(content) == Sort::Array => {
            let part = format!(r#"{{"type":"text","text":{}}}"#, quoted(text));
            let items: Vec<&str> = reply
                .items(content)
                .map(|item| reply.wire(item))
                .chain([part.as_str()])
                .collect();
            (reply.range(content), format!("[{}]", items.join(",")))
        }
        Some(content) => (reply.range(content), quoted(text)),
        None => {
            let at = reply.range(message).start.saturating_add(1);
            let more = if reply.members(message).next().is_some() {
                ","
            } else {
                ""
            };
            (at..at, format!(r#""content":{}{more}"#, quoted(text)))
        }
    };
    Some(Edit { range, text })
}

fn ends_as_text(document: &Document, choice: NodeId) -> Option<Edit> {
    let reason = document.member(choice, "finish_reason")?;
    matches!(document.as_str(reason), Some("tool_calls" | "function_call")).then(|| Edit {
        range: document.range(reason),
        text: "\"stop\"".to_owned(),
    })
}

/// A chunk without the calls that may not go through, those behind them numbered anew, and before it what is told in their place.
pub fn deny_event(event: &Document, denied: &[DeniedLane<'_>], none_left: &dyn Fn(u32) -> bool) -> Altered {
    let of = |lane| denied.iter().find(|denied| denied.lane == lane);
    let (mut edits, mut told) = (Vec::new(), String::new());
    for (group, choice) in choices::numbered(event) {
        if none_left(group) {
            edits.extend(ends_as_text(event, choice));
        }
        let Some(delta) = set(event, choice, "delta") else {
            continue;
        };
        let mut say = |text: &str| {
            let delta = format!(
                r#""index":{group},"delta":{{"content":{}}},"logprobs":null,"finish_reason":null"#,
                quoted(text)
            );
            told.push_str(&chunk(event, &delta));
        };
        if let Some(calls) = set(event, delta, "tool_calls") {
            let lane =
                |call: NodeId, at| lanes::lane(group, labels::item(index(event, call), at), lanes::ARGUMENTS);
            let all: Vec<(usize, NodeId)> = event.items(calls).enumerate().collect();
            let gone = all.iter().filter_map(|(at, call)| of(lane(*call, *at)));
            gone.filter_map(|denied| denied.told).for_each(&mut say);
            let left: Vec<(usize, NodeId)> = all
                .iter()
                .copied()
                .filter(|(at, call)| of(lane(*call, *at)).is_none())
                .collect();
            if left.len() < all.len() {
                let items: Vec<NodeId> = left.iter().map(|(_, call)| *call).collect();
                // A list that is written anew is numbered in the same edit.
                let before = |call: NodeId, at| before(denied, group, lane(call, at));
                edits.push(renumbered(event, delta, calls, &left, &items, before));
            } else {
                for (at, call) in left {
                    let lower = before(denied, group, lane(call, at));
                    if let Some(number) = event.member(call, "index").filter(|_| lower > 0) {
                        let index = event.as_u64(number).unwrap_or(0).saturating_sub(lower);
                        edits.push(Edit {
                            range: event.range(number),
                            text: index.to_string(),
                        });
                    }
                }
            }
        }
        if set(event, delta, "function_call").is_some()
            && let Some(denied) = of(lanes::lane(group, 0, lanes::ARGUMENTS))
        {
            denied.told.iter().for_each(|text| say(text));
            edits.extend(without(event, delta, "function_call"));
        }
    }
    if told.is_empty() {
        return if edits.is_empty() {
            Altered::Not
        } else {
            Altered::Edited(edits)
        };
    }
    let rest = crate::patch::apply(event.bytes(), edits);
    told.push_str(&format!("data: {}\n\n", String::from_utf8_lossy(&rest)));
    Altered::Instead(told)
}

/// How many calls of a choice that stand before that one may not go through.
fn before(denied: &[DeniedLane<'_>], group: u32, lane: portcullis_core::Lane) -> u64 {
    let lower = denied.iter().filter(|denied| {
        lanes::group(denied.lane) == group
            && lanes::item(denied.lane) > 0
            && lanes::item(denied.lane) < lanes::item(lane)
    });
    lower.count() as u64
}

fn renumbered(
    event: &Document,
    delta: NodeId,
    calls: NodeId,
    left: &[(usize, NodeId)],
    items: &[NodeId],
    before: impl Fn(NodeId, usize) -> u64,
) -> Edit {
    if left.is_empty() {
        return list_of(event, delta, "tool_calls", calls, items);
    }
    let written = left.iter().map(|(at, call)| {
        let wire = event.wire(*call);
        let Some(number) = event.member(*call, "index") else {
            return wire.to_owned();
        };
        let index = event
            .as_u64(number)
            .unwrap_or(0)
            .saturating_sub(before(*call, *at));
        let (from, place) = (event.range(*call).start, event.range(number));
        let cut = |range: std::ops::Range<usize>| wire.get(range).unwrap_or("");
        let (start, end) = (place.start.saturating_sub(from), place.end.saturating_sub(from));
        format!("{}{index}{}", cut(0..start), cut(end..wire.len()))
    });
    Edit {
        range: event.range(calls),
        text: format!("[{}]", written.collect::<Vec<_>>().join(",")),
    }
}

/// A chunk of the same reply.
fn chunk(event: &Document, choice: &str) -> String {
    let wire = |key: &str| event.at(&[key]).map_or("null", |node| event.wire(node));
    format!(
        "data: {{\"id\":{},\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":{},\"choices\":[{{{choice}}}]}}\n\n",
        wire("id"),
        wire("created"),
        wire("model"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply;
    use bytes::Bytes;

    #[test]
    fn no_way_of_writing_a_message_keeps_a_call_in_it() {
        const CALLS: &str =
            r#""tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]"#;
        const OLD: &str = r#""function_call":{"name":"g","arguments":"{}"}"#;
        for members in [
            vec![CALLS],
            vec![OLD],
            vec![CALLS, OLD],
            vec![OLD, CALLS],
            vec![r#""content":null"#, CALLS, OLD],
            vec![CALLS, r#""content":"a""#, OLD],
            vec![OLD, CALLS, r#""content":null"#],
            vec![r#""role":"assistant""#, CALLS],
        ] {
            let members = members.join(", ");
            let reply = format!(
                r#"{{"choices":[{{"index":0,"message":{{{members}}},"finish_reason":"tool_calls"}}]}}"#
            );
            let reply = Document::read(Bytes::from(reply)).unwrap();
            let all = acts(Body::Reply, &reply);
            let denied: Vec<_> = all.iter().map(|act| (act.node, "told")).collect();
            let after = Document::read(apply(reply.bytes(), deny(&reply, &denied))).unwrap();
            assert_eq!(acts(Body::Reply, &after), [], "{members}");
            assert!(after.wire(after.root()).contains("told"), "{members}");

            let event =
                format!(r#"{{"choices":[{{"index":0,"delta":{{{members}}},"finish_reason":null}}]}}"#);
            let event = Document::read(Bytes::from(event)).unwrap();
            let all = acts(Body::Event, &event).into_iter().filter_map(|act| act.lane);
            let denied: Vec<_> = all.map(|lane| DeniedLane { lane, told: None }).collect();
            let Altered::Edited(edits) = deny_event(&event, &denied, &|_| true) else {
                panic!("{members}")
            };
            let after = Document::read(apply(event.bytes(), edits)).unwrap();
            assert_eq!(acts(Body::Event, &after), [], "{members}");
        }
    }
}
