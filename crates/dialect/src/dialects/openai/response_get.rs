//! Responses that are stored: `GET` and `DELETE /v1/responses/{id}`, `POST /v1/responses/{id}/cancel`,
//! `GET /v1/responses/{id}/input_items`.
//!
//! They ask for no model: all they say is which stored response is meant, and only its maker may name it. The usage that a
//! stored response reports was accounted for when it was made, so none is read here.

use portcullis_core::Lane;

use crate::exchange::{Api, Body, Call, Cut, Ends, Exchange, Method, Progress, StateRef};
use crate::json::{Document, Malformed, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::promise::Answer;
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place};
use crate::tools::{Act, Altered, DeniedLane};

use super::responses::{acts, events, items, object, promised, refusal};

/// What is done with a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Read it, whole or as a stream.
    Read,
    /// Delete it.
    Delete,
    /// Stop making it.
    Cancel,
    /// List what it was made from.
    Items,
}

impl Exchange for Stored {
    fn id(&self) -> &'static str {
        match self {
            Stored::Read => "openai.responses.read",
            Stored::Delete => "openai.responses.delete",
            Stored::Cancel => "openai.responses.cancel",
            Stored::Items => "openai.responses.items",
        }
    }

    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn method(&self) -> Method {
        match self {
            Stored::Read | Stored::Items => Method::Get,
            Stored::Delete => Method::Delete,
            Stored::Cancel => Method::Post,
        }
    }

    fn path(&self) -> &'static str {
        match self {
            Stored::Read | Stored::Delete => "/v1/responses/{id}",
            Stored::Cancel => "/v1/responses/{id}/cancel",
            Stored::Items => "/v1/responses/{id}/input_items",
        }
    }

    fn call(&self, document: &Document, parameters: &[&str]) -> Result<Call, Malformed> {
        let empty = match document.sort(document.root()) {
            Sort::Null => true,
            Sort::Object => *self == Stored::Cancel && document.members(document.root()).next().is_none(),
            _ => false,
        };
        if !empty {
            return Err(Malformed::Shape("this endpoint takes no body".into()));
        }
        let state = parameters.iter().map(|id| StateRef {
            kind: "response",
            id: (*id).to_owned(),
        });
        Ok(Call {
            state: state.collect(),
            retrieves: true,
            ..Call::default()
        })
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match (self, body, place.path) {
            (_, Body::Request, _) => Label::UNKNOWN,
            (_, Body::Event, _) => events::label(place),
            (Stored::Read | Stored::Cancel, ..) => object::response(place, 0),
            (Stored::Items, _, [K("data"), I(number), _, ..]) => items::label(place, 2, *number),
            (_, _, [K("id" | "object" | "first_id" | "last_id")]) => Label::IDENTIFIER,
            _ => super::facts::error(place.path),
        }
    }

    fn ends(&self, event: &Document) -> Ends {
        events::ends(event)
    }

    fn opens(&self, event: &Document) -> Vec<Lane> {
        events::opens(event)
    }

    fn echoes(&self, _body: Body, document: &Document) -> Vec<NodeId> {
        object::logprobs(document)
    }

    fn progress(&self, event: &Document, progress: &mut Progress) {
        events::progress(event, progress);
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        let error = super::facts::withheld_error(cut);
        match self {
            Stored::Read | Stored::Cancel => refusal::stored(reply, cut),
            Stored::Delete => format!(
                r#"{{"id":{},"object":"response","deleted":true,{error}}}"#,
                quoted(reply.str_at(&["id"]).unwrap_or("")),
            ),
            Stored::Items => {
                format!(
                    r#"{{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false,{error}}}"#
                )
            }
        }
    }

    fn cut(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        refusal::events(progress, cut)
    }

    fn shortened(&self, reply: &Document, cut: &Cut<'_>) -> Option<String> {
        match self {
            Stored::Read | Stored::Cancel => Some(refusal::stored_shortened(reply, cut)),
            Stored::Delete | Stored::Items => None,
        }
    }

    fn answers(&self, body: Body, document: &Document) -> Vec<Answer> {
        promised::answers(body, document)
    }

    fn lists_calls_again(&self) -> bool {
        true
    }

    fn acts(&self, body: Body, document: &Document) -> Vec<Act> {
        // A list of what a response was made from is no response that calls.
        match self {
            Stored::Read | Stored::Cancel => acts::acts(body, document),
            Stored::Delete | Stored::Items => Vec::new(),
        }
    }

    fn deny(&self, body: Body, document: &Document, denied: &[(NodeId, &str)]) -> Vec<Edit> {
        acts::deny(body, document, denied)
    }

    fn deny_event(
        &self,
        event: &Document,
        denied: &[DeniedLane<'_>],
        _none_left: &dyn Fn(u32) -> bool,
    ) -> Altered {
        acts::deny_event(event, denied)
    }

    fn stopped(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        refusal::stopped(progress, cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_stored_response_is_named_by_the_path_and_by_nothing_else() {
        let read = |body: &'static str| Document::read(Bytes::from_static(body.as_bytes())).unwrap();
        let call = Stored::Read.call(&read("null"), &["resp_1"]).unwrap();
        assert_eq!(
            (call.state[0].kind, call.state[0].id.as_str()),
            ("response", "resp_1")
        );
        assert!(call.model.is_none());
        assert!(Stored::Read.call(&read("{}"), &["resp_1"]).is_err());
        assert!(Stored::Cancel.call(&read("{}"), &["resp_1"]).is_ok());
        assert!(
            Stored::Cancel
                .call(&read(r#"{"model":"x"}"#), &["resp_1"])
                .is_err()
        );
        assert!(Stored::Delete.call(&read("[]"), &["resp_1"]).is_err());
    }
}
