//! `POST /v1/messages`, buffered; the events of a stream are in `stream`.
//!
//! Source: Anthropic API reference, "Create a Message".

use portcullis_core::{Channel, Lane, UninspectableKind as Kind, Usage};

use super::blocks::{self, Voice};
use super::{acts, facts, promised, stream};
use crate::allowance::{self, Allowance};
use crate::exchange::{Api, Body, Call, Cut, Ends, Exchange, Method, Progress, StateRef, lanes};
use crate::json::{Document, Malformed, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::promise::{Answer, Called, Promise};
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place, Prose, Seg};
use crate::tools::{Act, Altered, DeniedLane, Offer, Step};

/// The endpoint.
pub struct Messages;

impl Exchange for Messages {
    fn id(&self) -> &'static str {
        "anthropic.messages"
    }

    fn api(&self) -> Api {
        Api::Anthropic
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1/messages"
    }

    fn call(&self, document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        let mut call = facts::call(document)?;
        facts::required(document, "max_tokens", Sort::Number)?;
        call.stream = match document.at(&["stream"]) {
            None => false,
            Some(node) => match (document.sort(node), document.as_bool(node)) {
                (Sort::Null, _) => false,
                (_, Some(stream)) => stream,
                _ => return Err(facts::shape("`stream` must be true or false")),
            },
        };
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
            Body::Request => facts::request(place),
            Body::Reply => message(place, 0, false),
            Body::Event => stream::label(place),
        }
    }

    fn allowance(&self, request: &Document) -> Option<Allowance> {
        Some(allowance::read(request, request.root(), &["max_tokens"], &[]))
    }

    fn allow(&self, request: &Document, tokens: u64) -> Vec<Edit> {
        allowance::write(request, request.root(), &["max_tokens"], tokens)
    }

    fn ends(&self, event: &Document) -> Ends {
        stream::ends(event)
    }

    fn opens(&self, event: &Document) -> Vec<Lane> {
        stream::opens(event)
    }

    fn splittable(&self, event: &Document) -> bool {
        stream::splittable(event)
    }

    fn usage(&self, document: &Document) -> Option<Usage> {
        let usage = document
            .at(&["usage"])
            .or_else(|| document.at(&["message", "usage"]));
        facts::usage(document, usage?)
    }

    fn stored(&self, document: &Document) -> Vec<StateRef> {
        let mut stored = Vec::new();
        for holder in [&[] as &[&str], &["message"], &["delta"]] {
            let Some(holder) = document.at(holder) else {
                continue;
            };
            let container = document.member(holder, "container");
            let id = container.and_then(|container| document.member(container, "id"));
            stored.extend(facts::state(document, "container", id));
            let content = document.member(holder, "content");
            for block in content.into_iter().flat_map(|content| document.items(content)) {
                made_by(document, block, &mut stored);
            }
        }
        if let Some(block) = document.at(&["content_block"]) {
            made_by(document, block, &mut stored);
        }
        stored
    }

    fn progress(&self, event: &Document, progress: &mut Progress) {
        stream::progress(event, progress);
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        message_of(
            cut.request_id,
            reply.str_at(&["model"]).unwrap_or(""),
            &format!(r#"{{"type":"text","text":{}}}"#, quoted(cut.text)),
            r#""refusal""#,
            &counts(reply),
        )
    }

    fn shortened(&self, reply: &Document, cut: &Cut<'_>) -> Option<String> {
        Some(message_of(
            cut.request_id,
            reply.str_at(&["model"]).unwrap_or(""),
            &format!(r#"{{"type":"text","text":{}}}"#, quoted(cut.text)),
            r#""max_tokens""#,
            &counts(reply),
        ))
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

    fn deny_event(
        &self,
        event: &Document,
        denied: &[DeniedLane<'_>],
        none_left: &dyn Fn(u32) -> bool,
    ) -> Altered {
        acts::deny_event(event, denied, none_left)
    }

    fn ended_well(&self, reply: &Document) -> bool {
        promised::ended_well(reply)
    }

    fn stopped(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        stream::stopped(progress, cut)
    }

    fn cut(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        stream::cut(progress, cut)
    }
}

/// A whole message; `content` is its blocks on the wire, `stop` its stop reason.
pub fn message_of(id: &str, model: &str, content: &str, stop: &str, usage: &str) -> String {
    format!(
        r#"{{"id":{},"type":"message","role":"assistant","model":{},"content":[{content}],"stop_reason":{stop},"stop_sequence":null,"usage":{usage}}}"#,
        quoted(id),
        quoted(model),
    )
}

/// The token counts of a reply, written anew: what else stands in its usage is not passed on with a refusal.
fn counts(reply: &Document) -> String {
    const NAMES: [&str; 4] = [
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
    ];
    let count = |path: &[&str]| reply.at(path).and_then(|node| reply.as_u64(node)).unwrap_or(0);
    let mut wire = String::from("{");
    for name in NAMES {
        wire.push_str(&format!(r#""{name}":{},"#, count(&["usage", name])));
    }
    let thinking = count(&["usage", "output_tokens_details", "thinking_tokens"]);
    wire.push_str(&format!(
        r#""output_tokens_details":{{"thinking_tokens":{thinking}}}}}"#
    ));
    wire
}

/// A place in a message that the model sends, whose object is reached after `depth` steps.
pub fn message(place: &Place<'_>, depth: usize, streamed: bool) -> Label {
    match place.path.get(depth..).unwrap_or(&[]) {
        [K("content"), ..] => {
            let label = blocks::content(place, depth.saturating_add(1), voice());
            match label.lane {
                Some(lane) if streamed => label.delta(lane),
                _ => label,
            }
        }
        rest => envelope(rest),
    }
}

/// The model's own voice. What it says in several text blocks is one text to whoever reads the reply.
pub fn voice() -> Voice {
    Voice {
        channel: Channel::Assistant,
        lane: Some(lanes::lane(0, 0, lanes::TEXT)),
        group: None,
        prose: Prose::Fixed,
    }
}

/// What stands around the content, in replies, in the start of a stream and at its end.
pub fn envelope(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("id" | "type" | "role" | "model" | "stop_reason" | "request_id")]
        | [K("container"), K("id" | "expires_at")]
        | [
            K("container"),
            K("skills"),
            I(_),
            K("skill_id" | "type" | "version"),
        ]
        | [K("stop_details"), K("type" | "category" | "recommended_model")]
        | [
            K("context_management" | "diagnostics" | "usage" | "input_transformations"),
            ..,
        ] => Label::IDENTIFIER,
        [K("stop_details"), K("explanation")] => Label::text(Channel::Refusal),
        [K("stop_details"), K("fallback_credit_token")] => {
            Label::opaque(Channel::Identifier, Kind::Encrypted)
        }
        [K("stop_sequence")] => Label::text(Channel::Steering),
        [K("error"), ..] => Label::text(Channel::Error),
        _ => Label::UNKNOWN,
    }
}

/// Files that a block says were made: only where the provider itself writes the block, never in what a tool returned.
fn made_by(document: &Document, block: NodeId, stored: &mut Vec<StateRef>) {
    let sort = str_of(document, Some(block), "type").unwrap_or("");
    if sort == "container_upload" || sort.ends_with("code_execution_tool_result") {
        facts::stored_in(document, Some(block), stored);
    }
}

/// The text of a member of an object.
pub fn str_of<'d>(document: &'d Document, object: Option<NodeId>, key: &str) -> Option<&'d str> {
    document.as_str(document.member(object?, key)?)
}
