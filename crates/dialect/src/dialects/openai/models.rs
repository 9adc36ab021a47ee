//! `GET /v1/models`.
//!
//! Source: OpenAI API reference, "Models", and what compatible servers add to each entry.

use portcullis_core::Channel;

use crate::exchange::{Api, Body, Call, Cut, Exchange, Method};
use crate::json::{Document, Malformed, Sort};
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place};

use super::facts;

/// The endpoint.
pub struct Models;

impl Exchange for Models {
    fn id(&self) -> &'static str {
        "openai.models"
    }

    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn method(&self) -> Method {
        Method::Get
    }

    fn path(&self) -> &'static str {
        "/v1/models"
    }

    fn call(&self, document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        match document.sort(document.root()) {
            Sort::Null => Ok(Call::default()),
            _ => Err(Malformed::Shape("this endpoint takes no body".into())),
        }
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match (body, place.path) {
            (Body::Reply, [K("object")]) => Label::IDENTIFIER,
            (Body::Reply, [K("data"), I(_), K("description")]) => Label::text(Channel::Metadata),
            (
                Body::Reply,
                [
                    K("data"),
                    I(_),
                    K(
                        "id"
                        | "object"
                        | "owned_by"
                        | "shutdown_date"
                        | "created"
                        | "root"
                        | "parent"
                        | "permission"
                        | "name"
                        | "canonical_slug"
                        | "architecture"
                        | "pricing"
                        | "supported_parameters",
                    ),
                    ..,
                ],
            ) => Label::IDENTIFIER,
            (Body::Reply, path) => facts::error(path),
            _ => Label::UNKNOWN,
        }
    }

    fn withheld(&self, _reply: &Document, cut: &Cut<'_>) -> String {
        format!(r#"{{"object":"list","data":[],{}}}"#, facts::withheld_error(cut))
    }
}
