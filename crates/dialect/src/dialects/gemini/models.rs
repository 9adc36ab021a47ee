//! `GET /v1beta/models`.

use portcullis_core::Channel;

use super::trail::Trail;
use crate::exchange::{Api, Body, Call, Cut, Exchange, Method};
use crate::json::{Document, Malformed, quoted};
use crate::reading::{Label, Place};

/// The endpoint.
pub struct Models;

impl Exchange for Models {
    fn id(&self) -> &'static str {
        "gemini.models"
    }

    fn api(&self) -> Api {
        Api::Gemini
    }

    fn method(&self) -> Method {
        Method::Get
    }

    fn path(&self) -> &'static str {
        "/v1beta/models"
    }

    fn call(&self, _document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        Ok(Call::default())
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        let trail = Trail::to(place);
        match (body, trail.names(0)) {
            (Body::Request, _) => Label::UNKNOWN,
            (_, ["models", "displayName" | "description"]) => Label::text(Channel::Name),
            (
                _,
                [
                    "models",
                    "name" | "baseModelId" | "version" | "supportedGenerationMethods",
                ],
            )
            | (_, ["nextPageToken"]) => Label::IDENTIFIER,
            (_, ["error", ..]) => Label::text(Channel::Error),
            _ => Label::UNKNOWN,
        }
    }

    fn withheld(&self, _reply: &Document, cut: &Cut<'_>) -> String {
        format!(r#"{{"models":[],"error":{{"message":{}}}}}"#, quoted(cut.text))
    }
}
