//! `GET /v1/models`, for a client that names an Anthropic version.

use portcullis_core::Channel;

use crate::exchange::{Api, Body, Call, Cut, Exchange, Method};
use crate::json::{Document, Malformed, quoted};
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

    fn call(&self, _document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        Ok(Call::default())
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
