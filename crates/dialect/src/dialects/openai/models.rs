//! `GET /v1/models`.
//!
//! Source: OpenAI API reference, "Models", and what compatible servers add to each entry.

use portcullis_core::Channel;

use crate::exchange::{Api, Body, Call, Cut, Exchange, Method};
use crate::json::{Document, Malformed, Sort};
use crate::listed;
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

    fn lists_models(&self) -> bool {
        true
    }

    fn models_in(&self, list: &Document) -> Vec<(String, String)> {
        listed::named(list, "data", "id")
    }

    fn model_entry(&self, name: &str) -> String {
        format!(r#"{{"id":{name},"object":"model","created":0,"owned_by":"portcullis"}}"#)
    }

    fn model_list(&self, entries: &[(String, String)]) -> String {
        let data: Vec<&str> = entries.iter().map(|(_, entry)| entry.as_str()).collect();
        format!(r#"{{"object":"list","data":[{}]}}"#, data.join(","))
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
