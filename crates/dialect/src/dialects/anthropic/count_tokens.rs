//! `POST /v1/messages/count_tokens`: the same request as for a message, and a number.
//!
//! The texts go to the provider all the same, so they are read all the same.

use portcullis_core::Channel;

use super::{acts, facts};
use crate::exchange::{Api, Body, Call, Cut, Exchange, Method};
use crate::json::{Document, Malformed, quoted};
use crate::patch::Edit;
use crate::reading::Seg::Key as K;
use crate::reading::{Label, Place};
use crate::tools::Offer;

/// The endpoint.
pub struct CountTokens;

impl Exchange for CountTokens {
    fn id(&self) -> &'static str {
        "anthropic.count_tokens"
    }

    fn api(&self) -> Api {
        Api::Anthropic
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1/messages/count_tokens"
    }

    fn call(&self, document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        facts::call(document)
    }

    fn takes_instructions(&self) -> bool {
        true
    }

    fn instruct(&self, request: &Document, text: &str) -> Option<Vec<Edit>> {
        facts::instruct(request, text)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match (body, place.path) {
            (Body::Request, _) => facts::request(place),
            (_, [K("error"), ..]) => Label::text(Channel::Error),
            (_, [K("input_tokens" | "context_management"), ..]) => Label::IDENTIFIER,
            _ => Label::UNKNOWN,
        }
    }

    fn offers(&self, request: &Document) -> Vec<Offer> {
        acts::offers(request)
    }

    fn withheld(&self, _reply: &Document, cut: &Cut<'_>) -> String {
        format!(
            r#"{{"input_tokens":0,"error":{{"message":{}}}}}"#,
            quoted(cut.text)
        )
    }
}
