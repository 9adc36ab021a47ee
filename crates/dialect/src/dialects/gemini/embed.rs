//! `POST /v1beta/models/{model}:embedContent` and `:batchEmbedContents`.
//!
//! Source: Gemini API reference, "Embeddings".

use portcullis_core::{Channel, UninspectableKind as Kind, Usage};

use super::trail::{self, Trail};
use super::{content, facts};
use crate::exchange::{Api, Body, Call, Cut, Exchange, Method, lanes};
use crate::json::{Document, Malformed, NodeId, Sort, quoted};
use crate::reading::{Label, Place, Prose};

/// The endpoint for one text.
pub struct Embed;

/// The endpoint for many texts.
pub struct BatchEmbed;

impl Exchange for Embed {
    fn id(&self) -> &'static str {
        "gemini.embed"
    }

    fn api(&self) -> Api {
        Api::Gemini
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1beta/models/{model}:embedContent"
    }

    fn call(&self, document: &Document, parameters: &[&str]) -> Result<Call, Malformed> {
        let mut call = facts::call(document, parameters)?;
        one(document, document.root(), &mut call)?;
        Ok(call)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        let trail = Trail::to(place);
        match body {
            Body::Request => request(place, &trail, 0, 0),
            Body::Reply | Body::Event => reply(&trail),
        }
    }

    fn usage(&self, document: &Document) -> Option<Usage> {
        facts::usage(document)
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        withheld(r#""embedding":{"values":[]}"#, reply, cut)
    }
}

impl Exchange for BatchEmbed {
    fn id(&self) -> &'static str {
        "gemini.batch_embed"
    }

    fn api(&self) -> Api {
        Api::Gemini
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1beta/models/{model}:batchEmbedContents"
    }

    fn call(&self, document: &Document, parameters: &[&str]) -> Result<Call, Malformed> {
        let mut call = facts::call(document, parameters)?;
        let mut count = 0usize;
        for request in trail::list(document, document.at(&["requests"])) {
            count += 1;
            one(document, request, &mut call)?;
        }
        if count == 0 {
            return Err(facts::shape("`requests` is missing or empty"));
        }
        facts::same_model(document, document.root(), &mut call)?;
        Ok(call)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        let trail = Trail::to(place);
        match (body, trail.names(0)) {
            (Body::Request, ["requests", ..]) => request(place, &trail, 1, trail.position(0)),
            (Body::Request, ["model"]) => Label::IDENTIFIER,
            (Body::Request, _) => Label::UNKNOWN,
            _ => reply(&trail),
        }
    }

    fn usage(&self, document: &Document) -> Option<Usage> {
        facts::usage(document)
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        withheld(r#""embeddings":[]"#, reply, cut)
    }
}

/// Reads one request for an embedding.
fn one(document: &Document, object: NodeId, call: &mut Call) -> Result<(), Malformed> {
    match document.member(object, "content") {
        Some(content) if document.sort(content) == Sort::Object => facts::turn(document, content, call)?,
        Some(_) => return Err(facts::shape("`content` has the wrong type")),
        None => return Err(facts::shape("`content` is missing")),
    }
    facts::same_model(document, object, call)
}

/// A place in one request, whose members begin at name number `number`; it is number `group` of its batch.
fn request(place: &Place<'_>, trail: &Trail<'_>, number: usize, group: u32) -> Label {
    let below = number.saturating_add(1);
    match trail.names(number) {
        ["content", "parts", _, ..] => {
            let channel = content::channel(place, trail, below);
            // A text that is marked would be another vector.
            let label = content::part(place, trail, below.saturating_add(1), channel).prose(Prose::Fixed);
            match trail.names(below.saturating_add(1)) {
                ["text"] => label.in_lane(lanes::lane(group, 0, lanes::TEXT)),
                _ => label,
            }
        }
        ["title"] => Label::text(Channel::Document),
        ["content", "role"] | ["model" | "taskType"] => Label::IDENTIFIER,
        ["embedContentConfig", "title"] => Label::text(Channel::Document),
        ["embedContentConfig", "taskType"] => Label::IDENTIFIER,
        _ => Label::UNKNOWN,
    }
}

fn reply(trail: &Trail<'_>) -> Label {
    match trail.names(0) {
        ["embedding" | "embeddings", "values"] => Label::opaque(Channel::Assistant, Kind::Vector),
        ["embedding" | "embeddings", "statistics", ..] | ["usageMetadata" | "metadata", ..] => {
            Label::IDENTIFIER
        }
        ["error", ..] => Label::text(Channel::Error),
        _ => Label::UNKNOWN,
    }
}

fn withheld(empty: &str, reply: &Document, cut: &Cut<'_>) -> String {
    let usage = facts::usage(reply).map_or_else(String::new, |usage| {
        format!(r#","usageMetadata":{{"promptTokenCount":{}}}"#, usage.input)
    });
    format!(r#"{{{empty},"error":{{"message":{}}}{usage}}}"#, quoted(cut.text))
}
