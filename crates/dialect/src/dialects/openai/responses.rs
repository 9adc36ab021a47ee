//! `POST /v1/responses`.
//!
//! Source: OpenAI API reference, "Responses", and the types of the official Python SDK. Labels of items stand in
//! [`items`], of the response object in [`object`], of stream events in [`events`], what is held to a
//! schema in [`promised`], tools and calls in [`acts`]; what the gateway writes itself in
//! [`refusal`].

pub mod acts;
pub mod events;
pub mod items;
pub mod object;
pub mod promised;
pub mod refusal;

use portcullis_core::{Lane, Usage};

use crate::allowance::{self, Allowance};
use crate::exchange::{Api, Body, Call, Cut, Ends, Exchange, Method, Progress, StateRef};
use crate::instruct;
use crate::json::{Document, Malformed, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::promise::{Answer, Called, Promise};
use crate::reading::{Label, Place};
use crate::tools::{Act, Altered, DeniedLane, Offer, Step};

use super::{facts, state};

/// The endpoint.
pub struct Responses;

impl Exchange for Responses {
    fn id(&self) -> &'static str {
        "openai.responses"
    }

    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1/responses"
    }

    fn call(&self, document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        let mut call = facts::call(document)?;
        let set = |key| {
            document
                .at(&[key])
                .filter(|node| document.sort(*node) != Sort::Null)
        };
        call.system_prompt = set("instructions").is_some();
        call.stores = set("store").is_none_or(|store| document.as_bool(store) != Some(false));
        if let Some(input) = set("input") {
            match document.sort(input) {
                Sort::String => {}
                Sort::Array => read_items(document, input, &mut call)?,
                _ => return Err(Malformed::Shape("`input` must be a string or an array".into())),
            }
        }
        call.state.extend(state::named(document));
        if let Some(conversation) = set("conversation") {
            let id = match document.sort(conversation) {
                Sort::Object => document.member(conversation, "id"),
                _ => Some(conversation),
            };
            let Some(named) = facts::state(document, "conversation", id) else {
                return Err(Malformed::Shape("`conversation` must be an id".into()));
            };
            call.state.push(named);
        }
        call.state
            .extend(facts::state(document, "prompt", document.at(&["prompt", "id"])));
        for tool in set("tools").into_iter().flat_map(|tools| document.items(tools)) {
            // A code interpreter's container is an id, or an object that makes a new one.
            let container = document.member(tool, "container");
            call.state.extend(facts::state(document, "container", container));
        }
        Ok(call)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match body {
            Body::Request => object::request(place),
            Body::Reply => object::response(place, 0),
            Body::Event => events::label(place),
        }
    }

    fn takes_instructions(&self) -> bool {
        true
    }

    fn instruct(&self, request: &Document, text: &str) -> Option<Vec<Edit>> {
        let message = format!(r#"{{"role":"developer","content":{}}}"#, quoted(text));
        instruct::in_member(request, "instructions", text, &message)
    }

    fn allowance(&self, request: &Document) -> Option<Allowance> {
        Some(allowance::read(
            request,
            request.root(),
            &["max_output_tokens"],
            &[],
        ))
    }

    fn allow(&self, request: &Document, tokens: u64) -> Vec<Edit> {
        allowance::write(request, request.root(), &["max_output_tokens"], tokens)
    }

    fn ends(&self, event: &Document) -> Ends {
        events::ends(event)
    }

    fn opens(&self, event: &Document) -> Vec<Lane> {
        events::opens(event)
    }

    /// Events carry a running number. A delta that is sent in halves would repeat its own, and clients drop repeated numbers.
    fn splittable(&self, _event: &Document) -> bool {
        false
    }

    fn echoes(&self, _body: Body, document: &Document) -> Vec<NodeId> {
        object::logprobs(document)
    }

    fn usage(&self, document: &Document) -> Option<Usage> {
        let usage = document
            .at(&["response", "usage"])
            .or_else(|| document.at(&["usage"]))?;
        facts::usage(document, usage)
    }

    fn stored(&self, document: &Document) -> Vec<StateRef> {
        object::stored(document)
    }

    fn progress(&self, event: &Document, progress: &mut Progress) {
        events::progress(event, progress);
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        refusal::whole(reply, cut)
    }

    fn cut(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        refusal::events(progress, cut)
    }

    fn shortened(&self, reply: &Document, cut: &Cut<'_>) -> Option<String> {
        Some(refusal::shortened(reply, cut))
    }

    fn promise(&self, request: &Document) -> Promise {
        promised::promise(request)
    }

    fn stores(&self, request: &Document) -> bool {
        promised::stores(request)
    }

    fn answers(&self, body: Body, document: &Document) -> Vec<Answer> {
        promised::answers(body, document)
    }

    fn calls(&self, body: Body, document: &Document) -> Vec<Called> {
        promised::calls(body, document)
    }

    fn steps(&self, request: &Document) -> Vec<Step> {
        acts::steps(request)
    }

    fn offers(&self, request: &Document) -> Vec<Offer> {
        acts::offers(request)
    }

    fn acts(&self, body: Body, document: &Document) -> Vec<Act> {
        acts::acts(body, document)
    }

    fn lists_calls_again(&self) -> bool {
        true
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

    fn ended_well(&self, reply: &Document) -> bool {
        promised::ended_well(reply)
    }

    fn stopped(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        refusal::stopped(progress, cut)
    }
}

/// Looks through the input's items for a system prompt and for references to stored items.
fn read_items(document: &Document, input: NodeId, call: &mut Call) -> Result<(), Malformed> {
    for item in document.items(input) {
        if document.sort(item) != Sort::Object {
            return Err(Malformed::Shape("every item of `input` must be an object".into()));
        }
        let text = |key| document.member(item, key).and_then(|node| document.as_str(node));
        call.system_prompt |= matches!(text("role"), Some("system" | "developer"));
        let set = |key| {
            document
                .member(item, key)
                .filter(|node| document.sort(*node) != Sort::Null)
        };
        // Reasoning and pictures that come without their content are looked up by their id.
        let named = match items::kind(text("type"), text("role").is_some()) {
            "item_reference" => true,
            "reasoning" => set("encrypted_content").or(set("content")).is_none(),
            "image_generation_call" => set("result").is_none(),
            _ => false,
        };
        if named {
            call.state.extend(facts::state(document, "item", set("id")));
        }
    }
    Ok(())
}
