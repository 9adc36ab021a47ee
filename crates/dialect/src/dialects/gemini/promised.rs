//! What a generation is held to: its response schema, functions where a call must fit its declaration; the texts and calls that are.
//!
//! The parts of a candidate are one answer, as the official SDK reads them.

use crate::exchange::Body;
use crate::json::{Document, NodeId, Sort};
use crate::promise::{self, Answer, Called, Form, Promise};

use super::openapi;
use super::trail::{at, list, member};

pub fn promise(request: &Document) -> Promise {
    Promise {
        text: text(request),
        tools: tools(request),
    }
}

fn text(request: &Document) -> Option<Form> {
    let config = at(request, &["generationConfig"])?;
    let set = |name| member(request, config, name).filter(|node| request.sort(*node) != Sort::Null);
    let mime = set("responseMimeType")
        .and_then(|mime| request.as_str(mime))
        .unwrap_or("");
    let schema = set("responseJsonSchema")
        .or_else(|| set("_responseJsonSchema"))
        .map(|schema| request.wire(schema).to_owned());
    let schema = schema.or_else(|| set("responseSchema").map(|schema| openapi::translated(request, schema)));
    match (mime, schema) {
        ("text/x.enum", Some(schema)) => Some(Form::Text(schema)),
        (_, Some(schema)) => Some(Form::Schema(schema)),
        ("application/json", None) => Some(Form::Json),
        _ => None,
    }
}

/// Functions whose calls must fit: where the model has to call one, or where its calls are said to be validated.
fn tools(request: &Document) -> Vec<(String, String)> {
    let mode = at(request, &["toolConfig", "functionCallingConfig", "mode"]);
    let mode = mode.and_then(|mode| request.as_str(mode)).unwrap_or("");
    if !["ANY", "VALIDATED"]
        .iter()
        .any(|strict| strict.eq_ignore_ascii_case(mode))
    {
        return Vec::new();
    }
    list(request, at(request, &["tools"]))
        .flat_map(|tool| list(request, member(request, tool, "functionDeclarations")))
        .filter_map(|function| {
            let set = |name| member(request, function, name).filter(|node| request.sort(*node) != Sort::Null);
            let schema = match set("parametersJsonSchema") {
                Some(schema) => request.wire(schema).to_owned(),
                None => openapi::translated(request, set("parameters")?),
            };
            Some((promise::text(request, function, "name").to_owned(), schema))
        })
        .collect()
}

fn parts(document: &Document) -> impl Iterator<Item = Vec<NodeId>> + '_ {
    list(document, document.at(&["candidates"])).map(|candidate| {
        let content = document.member(candidate, "content");
        list(
            document,
            content.and_then(|content| document.member(content, "parts")),
        )
        .collect()
    })
}

pub fn answers(body: Body, document: &Document) -> Vec<Answer> {
    if body != Body::Reply {
        return Vec::new();
    }
    let said = |part: &NodeId| {
        let text = document.member(*part, "text")?;
        (!promise::holds(document, *part, "thought")).then_some(text)
    };
    parts(document)
        .map(|parts| parts.iter().filter_map(said).collect::<Answer>())
        .filter(|texts| !texts.is_empty())
        .collect()
}

pub fn calls(body: Body, document: &Document) -> Vec<Called> {
    if body == Body::Request {
        return Vec::new();
    }
    parts(document)
        .flatten()
        .filter_map(|part| member(document, part, "functionCall"))
        .map(|call| Called {
            name: promise::text(document, call, "name").to_owned(),
            lane: None,
            // Arguments in pieces are no object, so they fit nothing.
            arguments: member(document, call, "partialArgs").or_else(|| document.member(call, "args")),
        })
        .collect()
}

pub fn ended_well(reply: &Document) -> bool {
    list(reply, reply.at(&["candidates"])).all(|candidate| {
        let reason = member(reply, candidate, "finishReason").and_then(|reason| reply.as_str(reason));
        matches!(reason, None | Some("" | "STOP" | "FINISH_REASON_UNSPECIFIED"))
    })
}
