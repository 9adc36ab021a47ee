//! `POST /v1/chat/completions`.
//!
//! Source: OpenAI API reference, "Chat", the types of the official Python SDK, and the members that compatible servers add
//! (vLLM, DeepSeek, Mistral, Groq, OpenRouter, Perplexity, Azure). The labels stand in [`labels`].

mod acts;
mod labels;
mod promised;

use portcullis_core::{Lane, Usage};

use crate::allowance::{self, Allowance};
use crate::exchange::{About, Api, Body, Call, Cut, Ends, Exchange, Method, Progress, StateRef};
use crate::instruct;
use crate::json::{Document, Malformed, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::promise::{self, Answer, Called, Promise};
use crate::reading::{Label, Place};
use crate::tools::{Act, Altered, DeniedLane, Offer, Step};

use super::{choices, facts, state, stream_usage};

/// The members that limit a reply: the one that reasoning models take as well, and its older name.
const MAX_TOKENS: &[&str] = &["max_completion_tokens", "max_tokens"];

/// The endpoint.
pub struct Chat;

impl Exchange for Chat {
    fn id(&self) -> &'static str {
        "openai.chat"
    }

    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1/chat/completions"
    }

    fn call(&self, document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        let mut call = facts::call(document)?;
        let messages = facts::required(document, "messages", Sort::Array)?;
        let mut count = 0usize;
        for message in document.items(messages) {
            count += 1;
            let role = document
                .member(message, "role")
                .and_then(|role| document.as_str(role));
            let Some(role) = role else {
                return Err(Malformed::Shape("every message needs a string `role`".into()));
            };
            call.system_prompt |= matches!(role, "system" | "developer");
            let audio = document
                .member(message, "audio")
                .and_then(|audio| document.member(audio, "id"));
            call.state.extend(facts::state(document, "audio", audio));
        }
        if count == 0 {
            return Err(Malformed::Shape("`messages` is empty".into()));
        }
        // A template of the client's own can say anything in the system's name.
        call.system_prompt |= document
            .at(&["chat_template"])
            .is_some_and(|node| document.sort(node) != Sort::Null);
        call.state.extend(state::named(document));
        Ok(call)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match body {
            Body::Request => labels::request(place),
            Body::Reply => labels::reply(place),
            Body::Event => labels::event(place),
        }
    }

    fn takes_instructions(&self) -> bool {
        true
    }

    fn instruct(&self, request: &Document, text: &str) -> Option<Vec<Edit>> {
        let messages = request.at(&["messages"])?;
        let message = format!(r#"{{"role":"system","content":{}}}"#, quoted(text));
        Some(instruct::first_item(request, messages, &message))
    }

    fn allowance(&self, request: &Document) -> Option<Allowance> {
        Some(allowance::read(request, request.root(), MAX_TOKENS, &["n"]))
    }

    fn allow(&self, request: &Document, tokens: u64) -> Vec<Edit> {
        allowance::write(request, request.root(), MAX_TOKENS, tokens)
    }

    fn ask_usage(&self, request: &Document) -> Vec<Edit> {
        stream_usage::ask(request)
    }

    fn is_usage_alone(&self, event: &Document) -> bool {
        stream_usage::is_alone(event)
    }

    fn ends(&self, event: &Document) -> Ends {
        choices::ends(event)
    }

    fn about(&self, event: &Document) -> About {
        choices::about(event)
    }

    fn opens(&self, event: &Document) -> Vec<Lane> {
        let delta = |(number, choice)| Some((number, event.member(choice, "delta")?));
        choices::numbered(event)
            .filter_map(delta)
            .flat_map(|(number, delta)| labels::calls(event, number, delta))
            .collect()
    }

    fn splittable(&self, event: &Document) -> bool {
        let Some(delta) = choices::lone(event).and_then(|choice| event.member(choice, "delta")) else {
            return false;
        };
        let mut told = event
            .members(delta)
            .filter(|(_, value)| event.sort(*value) != Sort::Null);
        let (Some((key, value)), None) = (told.next(), told.next()) else {
            return false;
        };
        event.sort(value) == Sort::String
            && matches!(
                event.text(key),
                "content" | "reasoning_content" | "reasoning" | "thinking" | "refusal"
            )
    }

    fn echoes(&self, _body: Body, document: &Document) -> Vec<NodeId> {
        choices::logprobs(document)
    }

    fn usage(&self, document: &Document) -> Option<Usage> {
        // Groq streams its count in a member of its own.
        let usage = document
            .at(&["usage"])
            .filter(|node| document.sort(*node) != Sort::Null);
        facts::usage(document, usage.or_else(|| document.at(&["x_groq", "usage"]))?)
    }

    fn stored(&self, document: &Document) -> Vec<StateRef> {
        // Sound in a reply gets an id that a later turn may name.
        let list = document.at(&["choices"]);
        let audio = list
            .into_iter()
            .flat_map(|list| document.items(list))
            .filter_map(|choice| {
                let message = document
                    .member(choice, "message")
                    .or_else(|| document.member(choice, "delta"))?;
                let audio = document.member(message, "audio")?;
                facts::state(document, "audio", document.member(audio, "id"))
            });
        audio.collect()
    }

    fn progress(&self, event: &Document, progress: &mut Progress) {
        facts::progress(event, progress);
        choices::progress(event, progress);
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        whole(reply, cut, "content_filter")
    }

    fn shortened(&self, reply: &Document, cut: &Cut<'_>) -> Option<String> {
        Some(whole(reply, cut, "length"))
    }

    fn alternatives(&self) -> Option<&'static str> {
        Some("choices")
    }

    fn finishes(&self, event: &Document) -> Vec<NodeId> {
        choices::finishes(event)
    }

    fn promise(&self, request: &Document) -> Promise {
        promised::promise(request)
    }

    fn stores(&self, request: &Document) -> bool {
        promise::holds(request, request.root(), "store")
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

    fn deny(&self, _body: Body, document: &Document, denied: &[(NodeId, &str)]) -> Vec<Edit> {
        acts::deny(document, denied)
    }

    fn deny_event(
        &self,
        event: &Document,
        denied: &[DeniedLane<'_>],
        none_left: &dyn Fn(u32) -> bool,
    ) -> Altered {
        acts::deny_event(event, denied, none_left)
    }

    fn ended_well(&self, reply: &Document) -> bool {
        choices::ended_well(reply)
    }

    fn stopped(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        last(progress, cut, None, "length")
    }

    fn cut(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        last(progress, cut, Some(cut.text), "content_filter")
    }
}

/// The last chunks of every choice that is open, and the end of the stream.
fn last(progress: &Progress, cut: &Cut<'_>, text: Option<&str>, finish: &str) -> String {
    let mut events = String::new();
    for (choice, begun) in progress.open_choices() {
        let mut say = |delta: &str, finish: &str| {
            let rest = format!(r#""delta":{{{delta}}},"finish_reason":{finish}"#);
            events.push_str(&choices::chunk(
                progress,
                cut,
                "chat.completion.chunk",
                choice,
                &rest,
            ));
        };
        // Official SDKs want the role of a choice before it finishes.
        let role = if begun { "" } else { r#""role":"assistant","# };
        if text.is_some() || !begun {
            say(
                &format!(r#"{role}"content":{}"#, quoted(text.unwrap_or(""))),
                "null",
            );
        }
        say("", &format!("\"{finish}\""));
    }
    events + "data: [DONE]\n\n"
}

/// A reply of one text.
fn whole(reply: &Document, cut: &Cut<'_>, finish: &str) -> String {
    let usage = reply
        .at(&["usage"])
        .map_or("null", |usage| facts::wire(reply, usage));
    format!(
        r#"{{"id":{},"object":"chat.completion","created":{},"model":{},"choices":[{{"index":0,"message":{{"role":"assistant","content":{},"refusal":null}},"logprobs":null,"finish_reason":"{finish}"}}],"usage":{usage}}}"#,
        quoted(cut.request_id),
        facts::created(reply),
        quoted(reply.str_at(&["model"]).unwrap_or("")),
        quoted(cut.text),
    )
}
