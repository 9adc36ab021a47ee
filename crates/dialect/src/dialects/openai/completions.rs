//! `POST /v1/completions`: text in, text out, as many local servers still speak it.
//!
//! Source: OpenAI API reference, "Completions". Prompts of token ids cannot be read and are listed as such.

use portcullis_core::{Channel, Usage};

use crate::allowance::{self, Allowance};
use crate::exchange::{About, Api, Body, Call, Cut, Ends, Exchange, Method, Progress, lanes};
use crate::instruct;
use crate::json::{Document, Malformed, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::promise::Answer;
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place, Prose, Seg};

use super::{choices, facts, stream_usage};

/// The endpoint.
pub struct Completions;

impl Exchange for Completions {
    fn id(&self) -> &'static str {
        "openai.completions"
    }

    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn method(&self) -> Method {
        Method::Post
    }

    fn path(&self) -> &'static str {
        "/v1/completions"
    }

    fn call(&self, document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        let call = facts::call(document)?;
        if let Some(prompt) = document.at(&["prompt"]) {
            facts::texts_or_tokens(document, prompt, "prompt")?;
        }
        Ok(call)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match (body, place.path) {
            (Body::Request, path) => request(place, path),
            (Body::Reply, [K("choices"), I(_), K("text")]) => Label::text(Channel::Assistant),
            (Body::Event, [K("choices"), I(_), K("text")]) => {
                let lane = lanes::lane(choices::group(place), 0, lanes::TEXT);
                Label::text(Channel::Assistant).delta(lane)
            }
            (_, [K("choices"), I(_), K("logprobs"), rest @ ..]) => logprob(choices::group(place), rest),
            (_, path) => choices::envelope(path),
        }
    }

    fn takes_instructions(&self) -> bool {
        true
    }

    /// There are no roles here: what comes first instructs. Prompts of token ids cannot be added to.
    fn instruct(&self, request: &Document, text: &str) -> Option<Vec<Edit>> {
        let Some(prompt) = request.at(&["prompt"]) else {
            return Some(instruct::first_member(
                request,
                request.root(),
                "prompt",
                &quoted(text),
            ));
        };
        match request.sort(prompt) {
            Sort::String => Some(instruct::before_string(request, prompt, text)),
            Sort::Null => Some(instruct::instead(request, prompt, quoted(text))),
            Sort::Array => {
                let mut edits = Vec::new();
                for item in request.items(prompt) {
                    if request.sort(item) != Sort::String {
                        return None;
                    }
                    edits.extend(instruct::before_string(request, item, text));
                }
                Some(edits)
            }
            _ => None,
        }
    }

    fn allowance(&self, request: &Document) -> Option<Allowance> {
        let prompts = allowance::texts_in(request, request.at(&["prompt"]));
        let each = allowance::read(request, request.root(), &["max_tokens"], &["n", "best_of"]);
        Some(Allowance {
            texts: each.texts.saturating_mul(prompts),
            ..each
        })
    }

    fn allow(&self, request: &Document, tokens: u64) -> Vec<Edit> {
        allowance::write(request, request.root(), &["max_tokens"], tokens)
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

    fn splittable(&self, event: &Document) -> bool {
        choices::lone(event).is_some_and(|choice| choices::set(event, choice, "text"))
    }

    fn echoes(&self, _body: Body, document: &Document) -> Vec<NodeId> {
        choices::logprobs(document)
    }

    fn usage(&self, document: &Document) -> Option<Usage> {
        facts::usage(document, document.at(&["usage"])?)
    }

    fn progress(&self, event: &Document, progress: &mut Progress) {
        facts::progress(event, progress);
        choices::progress(event, progress);
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        whole(reply, cut, "content_filter")
    }

    fn cut(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        last(progress, cut, cut.text, "content_filter")
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

    fn answers(&self, body: Body, document: &Document) -> Vec<Answer> {
        match body {
            Body::Reply => choices::all(document)
                .filter_map(|choice| document.member(choice, "text"))
                .map(|text| vec![text])
                .collect(),
            Body::Request | Body::Event => Vec::new(),
        }
    }

    fn ended_well(&self, reply: &Document) -> bool {
        choices::ended_well(reply)
    }

    fn stopped(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        last(progress, cut, "", "length")
    }
}

/// A reply of one text.
fn whole(reply: &Document, cut: &Cut<'_>, finish: &str) -> String {
    let usage = reply
        .at(&["usage"])
        .map_or("null", |usage| facts::wire(reply, usage));
    format!(
        r#"{{"id":{},"object":"text_completion","created":{},"model":{},"choices":[{{"index":0,"text":{},"logprobs":null,"finish_reason":"{finish}"}}],"usage":{usage}}}"#,
        quoted(cut.request_id),
        facts::created(reply),
        quoted(reply.str_at(&["model"]).unwrap_or("")),
        quoted(cut.text),
    )
}

/// The last chunk of every choice that is open, and the end of the stream.
fn last(progress: &Progress, cut: &Cut<'_>, text: &str, finish: &str) -> String {
    let rest = format!(
        r#""text":{},"logprobs":null,"finish_reason":"{finish}""#,
        quoted(text)
    );
    let open = progress.open_choices().into_iter();
    let events = open.map(|(choice, _)| choices::chunk(progress, cut, "text_completion", choice, &rest));
    events.collect::<String>() + "data: [DONE]\n\n"
}

fn request(place: &Place<'_>, path: &[Seg<'_>]) -> Label {
    match path {
        [K("prompt")] | [K("prompt"), I(_)] | [K("prompt"), I(_), I(_)] => {
            facts::text_or_token(place).prose(Prose::Free)
        }
        [K("suffix")] => Label::text(Channel::User),
        [K("logit_bias"), ..] => Label::text(Channel::Steering),
        path => choices::setting(path),
    }
}

/// Tokens one behind the other are the text once more; alternatives stand as keys.
fn logprob(group: u32, rest: &[Seg<'_>]) -> Label {
    let label = Label::text(Channel::Logprobs);
    match rest {
        [K("tokens"), I(_)] | [K("content"), I(_), K("token")] => {
            label.in_lane(lanes::lane(group, 0, lanes::LOGPROBS))
        }
        _ => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn prompts_are_texts_or_tokens() {
        for (prompt, taken) in [
            (r#""once""#, true),
            (r#"["once", "twice"]"#, true),
            ("[1, 2]", true),
            ("[[1, 2], [3]]", true),
            ("null", true),
            ("7", false),
            (r#"{"text": "once"}"#, false),
            (r#"["once", {"text": "twice"}]"#, false),
            (r#"["once", 1]"#, false),
            (r#"[[1], "once"]"#, false),
            (r#"[["once"]]"#, false),
        ] {
            let body = format!(r#"{{"model": "m", "prompt": {prompt}}}"#);
            let document = Document::read(Bytes::from(body)).unwrap();
            assert_eq!(Completions.call(&document, &[]).is_ok(), taken, "{prompt}");
        }
    }
}
