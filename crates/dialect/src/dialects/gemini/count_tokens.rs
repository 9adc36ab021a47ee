//! `POST /v1beta/models/{model}:countTokens`: contents, or a whole generation request, and a number.
//!
//! The texts go to the provider all the same, so they are read all the same.

use portcullis_core::Channel;

use super::facts;
use super::trail::{self, Trail};
use crate::exchange::{Api, Body, Call, Cut, Exchange, Method};
use crate::json::{Document, Malformed, quoted};
use crate::reading::{Label, Place};

/// The endpoint.
pub struct CountTokens;

impl Exchange for CountTokens {
    fn id(&self) -> &'static str {
        "gemini.count_tokens"
    }

    fn api(&self) -> Api {
        Api::Gemini
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1beta/models/{model}:countTokens"
    }

    fn call(&self, document: &Document, parameters: &[&str]) -> Result<Call, Malformed> {
        let mut call = facts::call(document, parameters)?;
        let whole = trail::at(document, &["generateContentRequest"]);
        facts::generation(document, whole.unwrap_or_else(|| document.root()), &mut call)?;
        if whole.is_some() {
            facts::same_model(document, document.root(), &mut call)?;
        }
        Ok(call)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        let trail = Trail::to(place);
        match (body, trail.names(0)) {
            (Body::Request, ["generateContentRequest", ..]) => facts::request(place, &trail, 1),
            (Body::Request, _) => facts::request(place, &trail, 0),
            (_, ["error", ..]) => Label::text(Channel::Error),
            (_, [_, "modality" | "tokenCount"] | ["totalTokens" | "cachedContentTokenCount"]) => {
                Label::IDENTIFIER
            }
            _ => Label::UNKNOWN,
        }
    }

    fn withheld(&self, _reply: &Document, cut: &Cut<'_>) -> String {
        format!(
            r#"{{"totalTokens":0,"error":{{"message":{}}}}}"#,
            quoted(cut.text)
        )
    }
}
