//! What a message is held to: its output format, tools that are called strictly; the texts and calls that are.
//!
//! What a message says in several blocks is one answer, as it is one text to whoever reads it.

use crate::exchange::Body;
use crate::json::{Document, Sort};
use crate::promise::{self, Answer, Called, Promise};

use super::stream;

pub fn promise(request: &Document) -> Promise {
    let format = request
        .at(&["output_config", "format"])
        .or_else(|| request.at(&["output_format"]));
    let tools = request
        .at(&["tools"])
        .into_iter()
        .flat_map(|tools| request.items(tools));
    Promise {
        text: format.and_then(|format| promise::form(request, format, request.member(format, "schema"))),
        tools: promise::strict(request, tools, "input_schema").collect(),
    }
}

pub fn answers(body: Body, document: &Document) -> Vec<Answer> {
    if body != Body::Reply {
        return Vec::new();
    }
    let content = document.at(&["content"]);
    let texts = content.map(|content| promise::texts(document, content, "text"));
    texts.filter(|texts| !texts.is_empty()).into_iter().collect()
}

pub fn calls(body: Body, document: &Document) -> Vec<Called> {
    let content = match body {
        Body::Reply => document.at(&["content"]),
        Body::Event => None,
        Body::Request => return Vec::new(),
    };
    let begun = document.at(&["content_block"]).filter(|_| body == Body::Event);
    let opened = stream::opens(document);
    let blocks = content.into_iter().flat_map(|content| document.items(content));
    blocks
        .chain(begun)
        .filter(|block| promise::is(document, *block, "tool_use"))
        .map(|block| {
            let input = document.member(block, "input");
            // A block begins with an empty input, whatever its deltas bring.
            let whole = |input| body == Body::Reply || document.members(input).next().is_some();
            Called {
                name: promise::text(document, block, "name").to_owned(),
                lane: opened.first().copied().filter(|_| body == Body::Event),
                arguments: input.filter(|input| document.sort(*input) != Sort::Null && whole(*input)),
            }
        })
        .collect()
}

pub fn ended_well(reply: &Document) -> bool {
    matches!(
        reply.str_at(&["stop_reason"]),
        None | Some("end_turn" | "stop_sequence" | "tool_use")
    )
}
