//! `GET /v1beta/models`.

use portcullis_core::Channel;

use super::trail::Trail;
use crate::exchange::{Api, Body, Call, Cut, Exchange, Method};
use crate::json::{Document, Malformed, Sort, quoted};
use crate::listed;
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
        let named = listed::named(list, "models", "name").into_iter();
        let short = |name: String| name.strip_prefix("models/").map_or(name.clone(), str::to_owned);
        named.map(|(name, entry)| (short(name), entry)).collect()
    }

    fn model_entry(&self, name: &str) -> String {
        let path = name.strip_prefix('"').unwrap_or(name);
        format!(
            r#"{{"name":"models/{path},"version":"","displayName":{name},"supportedGenerationMethods":["generateContent","countTokens","embedContent"]}}"#
        )
    }

    fn model_list(&self, entries: &[(String, String)]) -> String {
        let models: Vec<&str> = entries.iter().map(|(_, entry)| entry.as_str()).collect();
        format!(r#"{{"models":[{}]}}"#, models.join(","))
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
