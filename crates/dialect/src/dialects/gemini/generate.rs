//! `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.
//!
//! Without `alt=sse` the API streams one JSON array in pieces; that form is not read here.
//! Source: Gemini API reference, "Generating content".

use portcullis_core::{Lane, Usage};

use super::trail::{self, Trail};
use super::{acts, facts, promised, reply};
use crate::allowance::Allowance;
use crate::exchange::{About, Api, Body, Call, Cut, Ends, Exchange, Method, Progress};
use crate::json::{Document, Malformed, NodeId, quoted};
use crate::patch::Edit;
use crate::promise::{Answer, Called, Promise};
use crate::reading::{Label, Place};
use crate::tools::{Act, Altered, DeniedLane, Offer, Step};

/// The endpoint that answers at once.
pub struct Generate;

/// The endpoint that answers in events.
pub struct StreamGenerate;

impl Exchange for Generate {
    fn id(&self) -> &'static str {
        "gemini.generate"
    }

    fn api(&self) -> Api {
        Api::Gemini
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1beta/models/{model}:generateContent"
    }

    fn call(&self, document: &Document, parameters: &[&str]) -> Result<Call, Malformed> {
        let mut call = facts::call(document, parameters)?;
        facts::generation(document, document.root(), &mut call)?;
        Ok(call)
    }

    fn takes_instructions(&self) -> bool {
        true
    }

    fn instruct(&self, request: &Document, text: &str) -> Option<Vec<Edit>> {
        facts::instruct(request, text)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match body {
            Body::Request => facts::request(place, &Trail::to(place), 0),
            Body::Reply => reply::label(place, false),
            Body::Event => reply::label(place, true),
        }
    }

    fn allowance(&self, request: &Document) -> Option<Allowance> {
        StreamGenerate.allowance(request)
    }

    fn allow(&self, request: &Document, tokens: u64) -> Vec<Edit> {
        StreamGenerate.allow(request, tokens)
    }

    fn echoes(&self, _body: Body, document: &Document) -> Vec<NodeId> {
        reply::echoes(document)
    }

    fn usage(&self, document: &Document) -> Option<Usage> {
        facts::usage(document)
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        whole(reply, cut, "SAFETY")
    }

    fn promise(&self, request: &Document) -> Promise {
        promised::promise(request)
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

    fn deny(&self, body: Body, document: &Document, denied: &[(NodeId, &str)]) -> Vec<Edit> {
        acts::deny(body, document, denied)
    }

    /// Every call is whole where it stands: what may not go through was taken out of its event before.
    fn deny_event(
        &self,
        _event: &Document,
        _denied: &[DeniedLane<'_>],
        _none_left: &dyn Fn(u32) -> bool,
    ) -> Altered {
        Altered::Not
    }

    fn ended_well(&self, reply: &Document) -> bool {
        promised::ended_well(reply)
    }

    fn alternatives(&self) -> Option<&'static str> {
        Some("candidates")
    }

    fn shortened(&self, reply: &Document, cut: &Cut<'_>) -> Option<String> {
        Some(whole(reply, cut, "MAX_TOKENS"))
    }
}

impl Exchange for StreamGenerate {
    fn id(&self) -> &'static str {
        "gemini.stream_generate"
    }

    fn api(&self) -> Api {
        Api::Gemini
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1beta/models/{model}:streamGenerateContent"
    }

    fn call(&self, document: &Document, parameters: &[&str]) -> Result<Call, Malformed> {
        Ok(Call {
            stream: true,
            ..Generate.call(document, parameters)?
        })
    }

    fn takes_instructions(&self) -> bool {
        true
    }

    fn instruct(&self, request: &Document, text: &str) -> Option<Vec<Edit>> {
        facts::instruct(request, text)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        Generate.label(body, place)
    }

    fn allowance(&self, request: &Document) -> Option<Allowance> {
        Some(facts::allowance(request))
    }

    fn allow(&self, request: &Document, tokens: u64) -> Vec<Edit> {
        facts::allow(request, tokens)
    }

    fn ends(&self, event: &Document) -> Ends {
        reply::ends(event)
    }

    fn about(&self, event: &Document) -> About {
        reply::about(event)
    }

    fn opens(&self, event: &Document) -> Vec<Lane> {
        reply::opens(event)
    }

    fn splittable(&self, event: &Document) -> bool {
        reply::splittable(event)
    }

    fn echoes(&self, body: Body, document: &Document) -> Vec<NodeId> {
        Generate.echoes(body, document)
    }

    fn usage(&self, document: &Document) -> Option<Usage> {
        facts::usage(document)
    }

    fn progress(&self, event: &Document, progress: &mut Progress) {
        progress.begun = true;
        let note = |slot: &mut String, name| {
            let said = trail::at(event, &[name]).and_then(|node| event.as_str(node));
            if let Some(said) = said.filter(|_| slot.is_empty()) {
                *slot = said.to_owned();
            }
        };
        note(&mut progress.id, "responseId");
        note(&mut progress.model, "modelVersion");
        reply::progress(event, progress);
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        Generate.withheld(reply, cut)
    }

    fn cut(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        last(progress, cut, cut.text, "SAFETY")
    }

    fn promise(&self, request: &Document) -> Promise {
        promised::promise(request)
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

    fn deny(&self, body: Body, document: &Document, denied: &[(NodeId, &str)]) -> Vec<Edit> {
        acts::deny(body, document, denied)
    }

    /// Every call is whole where it stands: what may not go through was taken out of its event before.
    fn deny_event(
        &self,
        _event: &Document,
        _denied: &[DeniedLane<'_>],
        _none_left: &dyn Fn(u32) -> bool,
    ) -> Altered {
        Altered::Not
    }

    fn ended_well(&self, reply: &Document) -> bool {
        promised::ended_well(reply)
    }

    fn alternatives(&self) -> Option<&'static str> {
        Generate.alternatives()
    }

    fn shortened(&self, reply: &Document, cut: &Cut<'_>) -> Option<String> {
        Generate.shortened(reply, cut)
    }

    fn finishes(&self, event: &Document) -> Vec<NodeId> {
        reply::finishes(event)
    }

    fn stopped(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        last(progress, cut, "", "MAX_TOKENS")
    }
}

/// A reply of one text in the place of another.
fn whole(reply: &Document, cut: &Cut<'_>, finish: &str) -> String {
    let text = |name| trail::at(reply, &[name]).and_then(|node| reply.as_str(node));
    let usage = facts::usage(reply).map_or_else(String::new, |usage| counts(&usage));
    let model = text("modelVersion").unwrap_or("");
    let id = text("responseId").unwrap_or(cut.request_id);
    ended(&[candidate(0, cut.text, finish)], &usage, model, id)
}

/// The last chunk of a stream, about every candidate that is open.
fn last(progress: &Progress, cut: &Cut<'_>, text: &str, finish: &str) -> String {
    let id = match progress.id.as_str() {
        "" => cut.request_id,
        id => id,
    };
    let open = progress.open_choices().into_iter();
    let candidates: Vec<String> = open.map(|(index, _)| candidate(index, text, finish)).collect();
    format!("data: {}\n\n", ended(&candidates, "", &progress.model, id))
}

/// A candidate that was stopped, or the last of one in a chunk.
fn candidate(index: u32, text: &str, finish: &str) -> String {
    format!(
        r#"{{"content":{{"parts":[{{"text":{}}}],"role":"model"}},"finishReason":"{finish}","index":{index}}}"#,
        quoted(text),
    )
}

/// A reply, or a last chunk, of those candidates. `usage` is a member with its comma, or nothing.
fn ended(candidates: &[String], usage: &str, model: &str, id: &str) -> String {
    format!(
        r#"{{"candidates":[{}],{usage}"modelVersion":{},"responseId":{}}}"#,
        candidates.join(","),
        quoted(model),
        quoted(id),
    )
}

/// The counts of a usage, as the API names them.
fn counts(usage: &Usage) -> String {
    let answer = usage.output.saturating_sub(usage.reasoning);
    format!(
        r#""usageMetadata":{{"promptTokenCount":{},"cachedContentTokenCount":{},"candidatesTokenCount":{answer},"thoughtsTokenCount":{},"totalTokenCount":{}}},"#,
        usage.input,
        usage.cached,
        usage.reasoning,
        usage.input.saturating_add(usage.output),
    )
}
