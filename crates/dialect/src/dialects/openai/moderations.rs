//! `POST /v1/moderations`.
//!
//! Source: OpenAI API reference, "Moderations". The reply holds categories and numbers only.

use portcullis_core::{Channel, UninspectableKind as Kind};

use crate::exchange::{Api, Body, Call, Cut, Exchange, Method, lanes};
use crate::json::{Document, Malformed, Sort, quoted};
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place};

use super::facts;

/// The endpoint.
pub struct Moderations;

impl Exchange for Moderations {
    fn id(&self) -> &'static str {
        "openai.moderations"
    }

    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1/moderations"
    }

    fn call(&self, document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        // The model may be left out: the provider has one for this.
        let call = facts::call_with_model(document, false)?;
        match document.at(&["input"]).map(|input| document.sort(input)) {
            Some(Sort::String | Sort::Array) => Ok(call),
            Some(_) => Err(Malformed::Shape("`input` must be a string or an array".into())),
            None => Err(Malformed::Shape("`input` is missing".into())),
        }
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match (body, place.path) {
            (Body::Request, [K("input")] | [K("input"), I(_)]) => Label::text(Channel::User),
            (Body::Request, [K("input"), I(_), K("text")]) => {
                Label::text(Channel::User).in_lane(lanes::lane(0, 0, lanes::TEXT))
            }
            (
                Body::Request,
                [K("input"), I(_), K("image_url")] | [K("input"), I(_), K("image_url"), K("url")],
            ) => Label::opaque(Channel::User, Kind::Image),
            (Body::Request, [K("input"), I(_), K("type")] | [K("model")]) => Label::IDENTIFIER,
            (Body::Reply, [K("id" | "model" | "object")] | [K("results"), ..]) => Label::IDENTIFIER,
            (Body::Reply, path) => facts::error(path),
            _ => Label::UNKNOWN,
        }
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        format!(
            r#"{{"id":{},"model":{},"results":[],{}}}"#,
            quoted(cut.request_id),
            quoted(reply.str_at(&["model"]).unwrap_or("")),
            facts::withheld_error(cut),
        )
    }
}
