//! `GET /v1/models`, for a client that names an Anthropic version.

use portcullis_core::Channel;

use crate::exchange::{Api, Body, Call, Cut, Exchange, Method};
use crate::json::{Document, Malformed, Sort, quoted};
use crate::listed;
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place};

/// The endpoint.
pub struct Models;

impl Exchange for Models {
    fn id(&self) -> &'static str {
        "anthropic.models"
    }

    fn api(&self) -> Api {
        Api::Anthropic
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
        // The API says this of a model whose date is not known.
        format!(r#"{{"type":"model","id":{name},"display_name":{name},"created_at":"1970-01-01T00:00:00Z"}}"#)
    }

    fn model_list(&self, entries: &[(String, String)]) -> String {
        let id = |entry: Option<&(String, String)>| entry.map_or("null".to_owned(), |(name, _)| quoted(name));
        let data: Vec<&str> = entries.iter().map(|(_, entry)| entry.as_str()).collect();
        format!(
            r#"{{"data":[{}],"has_more":false,"first_id":{},"last_id":{}}}"#,
            data.join(","),
            id(entries.first()),
            id(entries.last()),
        )
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match (body, place.path) {
            (Body::Request, _) => Label::UNKNOWN,
            (_, [K("data"), I(_), K("display_name")]) => Label::text(Channel::Name),
            (
                _,
                [
                    K("data"),
                    I(_),
                    K("id" | "type" | "created_at" | "deprecated_at" | "retires_at" | "lifecycle" | "line"),
                ],
            )
            | (_, [K("data"), I(_), K("capabilities"), ..])
            | (_, [K("data"), I(_), K("allowed_fallback_models"), I(_)])
            | (_, [K("first_id" | "last_id")]) => Label::IDENTIFIER,
            (_, [K("error"), ..]) => Label::text(Channel::Error),
            _ => Label::UNKNOWN,
        }
    }

    fn withheld(&self, _reply: &Document, cut: &Cut<'_>) -> String {
        format!(
            r#"{{"data":[],"has_more":false,"first_id":null,"last_id":null,"error":{{"message":{}}}}}"#,
            quoted(cut.text)
        )
    }
}
