//! `POST /v1/embeddings`.
//!
//! Source: OpenAI API reference, "Embeddings". A vector in a reply is numbers or packed bytes: neither can be read.

use portcullis_core::{Channel, UninspectableKind as Kind, Usage};

use crate::exchange::{Api, Body, Call, Cut, Exchange, Method};
use crate::json::{Document, Malformed, quoted};
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place};

use super::facts;

/// The endpoint.
pub struct Embeddings;

impl Exchange for Embeddings {
    fn id(&self) -> &'static str {
        "openai.embeddings"
    }

    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1/embeddings"
    }

    fn call(&self, document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        let mut call = facts::call(document)?;
        // There is nothing to stream.
        call.stream = false;
        let Some(input) = document.at(&["input"]) else {
            return Err(Malformed::Shape("`input` is missing".into()));
        };
        facts::texts_or_tokens(document, input, "input")?;
        Ok(call)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match (body, place.path) {
            (Body::Request, [K("input")] | [K("input"), I(_)] | [K("input"), I(_), I(_)]) => {
                facts::text_or_token(place)
            }
            (
                Body::Request,
                [K("model" | "encoding_format" | "input_type" | "truncate" | "task" | "embedding_types")],
            ) => Label::IDENTIFIER,
            (Body::Request, [K("user")] | [K("metadata"), ..]) => Label::text(Channel::Metadata),
            (Body::Reply, [K("data"), I(_), K("embedding")] | [K("data"), I(_), K("embedding"), I(_)]) => {
                Label::opaque(Channel::Assistant, Kind::Vector)
            }
            (Body::Reply, [K("data"), I(_), K("object")] | [K("object" | "model" | "id" | "created")]) => {
                Label::IDENTIFIER
            }
            (Body::Reply, path) => facts::error(path),
            _ => Label::UNKNOWN,
        }
    }

    fn usage(&self, document: &Document) -> Option<Usage> {
        facts::usage(document, document.at(&["usage"])?)
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        let usage = reply
            .at(&["usage"])
            .map_or("null", |usage| facts::wire(reply, usage));
        format!(
            r#"{{"object":"list","data":[],"model":{},"usage":{usage},{}}}"#,
            quoted(reply.str_at(&["model"]).unwrap_or("")),
            facts::withheld_error(cut),
        )
    }
}
