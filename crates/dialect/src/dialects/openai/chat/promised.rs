//! What a chat completion is held to: `response_format`, tools that are called strictly; the messages and calls that are.

use crate::exchange::{Body, lanes};
use crate::json::{Document, NodeId, Sort};
use crate::promise::{self, Answer, Called, Promise};

use super::super::choices;
use super::labels;

pub fn promise(request: &Document) -> Promise {
    let text = request.at(&["response_format"]).and_then(|format| {
        let schema = request
            .member(format, "json_schema")
            .and_then(|named| request.member(named, "schema"));
        promise::form(request, format, schema)
    });
    let tools = request.at(&["tools"]);
    let functions = tools
        .into_iter()
        .flat_map(|tools| request.items(tools))
        .filter_map(|tool| request.member(tool, "function"));
    Promise {
        text,
        tools: promise::strict(request, functions, "parameters").collect(),
    }
}

pub fn answers(body: Body, document: &Document) -> Vec<Answer> {
    if body != Body::Reply {
        return Vec::new();
    }
    choices::all(document)
        .filter_map(|choice| document.member(document.member(choice, "message")?, "content"))
        .map(|content| promise::texts(document, content, "text"))
        .filter(|texts| !texts.is_empty())
        .collect()
}

pub fn calls(body: Body, document: &Document) -> Vec<Called> {
    let message = match body {
        Body::Reply => "message",
        Body::Event => "delta",
        Body::Request => return Vec::new(),
    };
    let mut called = Vec::new();
    for choice in choices::all(document) {
        let calls = document
            .member(choice, message)
            .and_then(|message| document.member(message, "tool_calls"));
        for (at, call) in calls
            .into_iter()
            .flat_map(|calls| document.items(calls))
            .enumerate()
        {
            let Some(function) = document.member(call, "function") else {
                continue;
            };
            called.push(Called {
                name: promise::text(document, function, "name").to_owned(),
                lane: (body == Body::Event).then(|| {
                    let group = number(document, choice).and_then(|group| u32::try_from(group).ok());
                    let item = labels::item(number(document, call), at);
                    lanes::lane(group.unwrap_or(0), item, lanes::ARGUMENTS)
                }),
                // What an event says of them goes into their lane.
                arguments: document
                    .member(function, "arguments")
                    .filter(|node| body == Body::Reply && document.sort(*node) != Sort::Null),
            });
        }
    }
    called
}

fn number(document: &Document, object: NodeId) -> Option<u64> {
    document.as_u64(document.member(object, "index")?)
}
