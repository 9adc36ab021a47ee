//! What a response is held to: `text.format`, functions that are called strictly; the messages and calls that are.
//!
//! Each text of a message is an answer of its own: that is how clients read them.

use crate::exchange::Body;
use crate::json::{Document, NodeId, Sort};
use crate::promise::{self, Answer, Called, Promise};

use super::events;

pub fn promise(request: &Document) -> Promise {
    let format = request.at(&["text", "format"]);
    let functions = request
        .at(&["tools"])
        .into_iter()
        .flat_map(|tools| request.items(tools))
        .filter(|tool| promise::is(request, *tool, "function"));
    Promise {
        text: format.and_then(|format| promise::form(request, format, request.member(format, "schema"))),
        tools: promise::strict(request, functions, "parameters").collect(),
    }
}

/// A response is stored unless the request says otherwise.
pub fn stores(request: &Document) -> bool {
    let stored = request.at(&["store"]).and_then(|store| request.as_bool(store));
    let set = |key| {
        request
            .at(&[key])
            .is_some_and(|node| request.sort(node) != Sort::Null)
    };
    stored != Some(false) || promise::holds(request, request.root(), "background") || set("conversation")
}

pub fn answers(body: Body, document: &Document) -> Vec<Answer> {
    let part = |part: NodeId| {
        let text = document.member(part, "text")?;
        promise::is(document, part, "output_text").then_some(text)
    };
    let mut texts: Vec<NodeId> = items(body, document)
        .filter_map(|item| document.member(item, "content"))
        .flat_map(|content| document.items(content))
        .filter_map(part)
        .collect();
    if body == Body::Event {
        texts.extend(document.at(&["part"]).and_then(part));
        if document.str_at(&["type"]) == Some("response.output_text.done") {
            texts.extend(document.at(&["text"]));
        }
        // What begins says nothing yet.
        texts.retain(|text| !document.text(*text).is_empty());
    }
    texts.into_iter().map(|text| vec![text]).collect()
}

pub fn calls(body: Body, document: &Document) -> Vec<Called> {
    let lane = events::position_of_call(document);
    let mut calls: Vec<Called> = items(body, document)
        .filter(|item| promise::is(document, *item, "function_call"))
        .map(|item| Called {
            name: promise::text(document, item, "name").to_owned(),
            lane: lane.filter(|_| document.at(&["item"]) == Some(item)),
            arguments: document
                .member(item, "arguments")
                .filter(|arguments| body == Body::Reply || !document.text(*arguments).is_empty()),
        })
        .collect();
    if document.str_at(&["type"]) == Some("response.function_call_arguments.done") {
        calls.push(Called {
            name: promise::text(document, document.root(), "name").to_owned(),
            lane,
            arguments: document.at(&["arguments"]),
        });
    }
    calls
}

pub fn ended_well(reply: &Document) -> bool {
    let refused = items(Body::Reply, reply)
        .filter_map(|item| reply.member(item, "content"))
        .flat_map(|content| reply.items(content))
        .any(|part| promise::is(reply, part, "refusal"));
    !refused && matches!(reply.str_at(&["status"]), None | Some("completed"))
}

/// The items of a response, or those that an event holds.
fn items(body: Body, document: &Document) -> impl Iterator<Item = NodeId> + '_ {
    let output = match body {
        Body::Reply => document.at(&["output"]),
        Body::Event => document.at(&["response", "output"]),
        Body::Request => None,
    };
    let one = document.at(&["item"]).filter(|_| body == Body::Event);
    output
        .into_iter()
        .flat_map(|output| document.items(output))
        .chain(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::lanes;
    use bytes::Bytes;

    fn read(body: &'static str) -> Document {
        Document::read(Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn a_response_is_stored_unless_it_is_not() {
        for (body, stored) in [
            ("{}", true),
            (r#"{"store":null}"#, true),
            (r#"{"store":true}"#, true),
            (r#"{"store":false}"#, false),
            (r#"{"store":false,"background":true}"#, true),
            (r#"{"store":false,"conversation":"conv_1"}"#, true),
            (
                r#"{"store":false,"conversation":null,"previous_response_id":"resp_1"}"#,
                false,
            ),
        ] {
            assert_eq!(stores(&read(body)), stored, "{body}");
        }
    }

    #[test]
    fn the_lane_of_a_call_is_that_of_its_arguments() {
        let added = read(
            r#"{"type":"response.output_item.added","output_index":3,"item":{"type":"function_call","name":"f","arguments":""}}"#,
        );
        let [call] = &calls(Body::Event, &added)[..] else {
            panic!()
        };
        let lane = lanes::lane(3, 4, lanes::ARGUMENTS);
        assert_eq!(
            (call.name.as_str(), call.lane, call.arguments),
            ("f", Some(lane), None)
        );
        let delta =
            read(r#"{"type":"response.function_call_arguments.delta","output_index":3,"delta":"{}"}"#);
        let reading = crate::Reading::of(delta, events::label);
        assert!(reading.parts().any(|part| part.lane == Some(lane)));
    }
}
