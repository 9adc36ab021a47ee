//! `POST /v1/chat/completions`.
//!
//! Source: OpenAI API reference, "Chat", and the fields that compatible servers add (`reasoning_content`, `reasoning`).

use portcullis_core::{Channel, UninspectableKind as Kind, Usage};

use crate::exchange::{Api, Body, Call, Cut, Ends, Exchange, Method, Progress, StateRef, lanes};
use crate::json::{Document, Malformed, NodeId, Sort, quoted};
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place, Seg};

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
        let mut call = super::facts::call(document)?;
        let messages = super::facts::required(document, "messages", Sort::Array)?;
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
            let parts = document.member(message, "content");
            for part in parts.into_iter().flat_map(|content| document.items(content)) {
                let file = document
                    .member(part, "file")
                    .and_then(|file| document.member(file, "file_id"));
                call.state.extend(super::facts::state(document, "file", file));
            }
            let audio = document
                .member(message, "audio")
                .and_then(|audio| document.member(audio, "id"));
            call.state.extend(super::facts::state(document, "audio", audio));
        }
        if count == 0 {
            return Err(Malformed::Shape("`messages` is empty".into()));
        }
        Ok(call)
    }

    fn label(&self, body: Body, place: &Place<'_>) -> Label {
        match body {
            Body::Request => request(place),
            Body::Reply => reply(place),
            Body::Event => event(place),
        }
    }

    fn ends(&self, event: &Document) -> Ends {
        let Some(choices) = event.at(&["choices"]) else {
            return Ends::Nothing;
        };
        let mut ended = event.items(choices).filter(|choice| {
            event
                .member(*choice, "finish_reason")
                .is_some_and(|reason| event.sort(reason) != Sort::Null)
        });
        match (ended.next(), ended.next()) {
            (None, _) => Ends::Nothing,
            (Some(choice), None) => Ends::Group(index_of(event, choice)),
            // Several choices that end in one event: none of them can go on, and no other is in the event.
            (Some(_), Some(_)) => Ends::All,
        }
    }

    fn splittable(&self, event: &Document) -> bool {
        let Some(choices) = event.at(&["choices"]) else {
            return false;
        };
        let mut choices = event.items(choices);
        let (Some(choice), None) = (choices.next(), choices.next()) else {
            return false;
        };
        let set = |object, key| {
            event
                .member(object, key)
                .is_some_and(|node| event.sort(node) != Sort::Null)
        };
        let Some(delta) = event.member(choice, "delta") else {
            return false;
        };
        let lone = event.members(delta).all(|(key, value)| {
            matches!(
                event.text(key),
                "content" | "reasoning_content" | "reasoning" | "refusal"
            ) || event.sort(value) == Sort::Null
        });
        lone && event
            .members(delta)
            .filter(|(_, value)| event.sort(*value) == Sort::String)
            .count()
            == 1
            && !set(choice, "finish_reason")
            && !set(choice, "logprobs")
            && !event
                .at(&["usage"])
                .is_some_and(|usage| event.sort(usage) != Sort::Null)
    }

    fn echoes(&self, _body: Body, document: &Document) -> Vec<NodeId> {
        let choices = document.at(&["choices"]);
        choices
            .into_iter()
            .flat_map(|choices| document.items(choices))
            .filter_map(|choice| document.member(choice, "logprobs"))
            .filter(|node| document.sort(*node) == Sort::Object)
            .collect()
    }

    fn usage(&self, document: &Document) -> Option<Usage> {
        super::facts::usage(document, document.at(&["usage"])?)
    }

    fn stored(&self, document: &Document) -> Vec<StateRef> {
        // `store: true` keeps a completion, and sound in a reply gets an id that a later turn may name.
        let choices = document.at(&["choices"]);
        let audio = choices
            .into_iter()
            .flat_map(|choices| document.items(choices))
            .filter_map(|choice| {
                let message = document
                    .member(choice, "message")
                    .or_else(|| document.member(choice, "delta"))?;
                let audio = document.member(message, "audio")?;
                super::facts::state(document, "audio", document.member(audio, "id"))
            });
        audio.collect()
    }

    fn progress(&self, event: &Document, progress: &mut Progress) {
        super::facts::progress(event, progress);
    }

    fn withheld(&self, reply: &Document, cut: &Cut<'_>) -> String {
        let usage = reply
            .at(&["usage"])
            .map_or("null", |usage| super::facts::wire(reply, usage));
        format!(
            r#"{{"id":{},"object":"chat.completion","created":{},"model":{},"choices":[{{"index":0,"message":{{"role":"assistant","content":{},"refusal":null}},"logprobs":null,"finish_reason":"content_filter"}}],"usage":{usage}}}"#,
            quoted(cut.request_id),
            super::facts::created(reply),
            quoted(reply.str_at(&["model"]).unwrap_or("")),
            quoted(cut.text),
        )
    }

    fn cut(&self, progress: &Progress, cut: &Cut<'_>) -> String {
        let role = if progress.begun {
            ""
        } else {
            r#""role":"assistant","#
        };
        let created = if progress.created.is_empty() {
            "0"
        } else {
            &progress.created
        };
        let id = if progress.id.is_empty() {
            cut.request_id
        } else {
            &progress.id
        };
        let head = format!(
            r#"{{"id":{},"object":"chat.completion.chunk","created":{created},"model":{},"choices":[{{"index":0"#,
            quoted(id),
            quoted(&progress.model),
        );
        format!(
            "data: {head},\"delta\":{{{role}\"content\":{}}},\"finish_reason\":null}}]}}\n\ndata: {head},\"delta\":{{}},\"finish_reason\":\"content_filter\"}}]}}\n\ndata: [DONE]\n\n",
            quoted(cut.text),
        )
    }
}

fn index_of(document: &Document, object: NodeId) -> u32 {
    let index = document
        .member(object, "index")
        .and_then(|index| document.as_u64(index));
    index.and_then(|index| u32::try_from(index).ok()).unwrap_or(0)
}

fn request(place: &Place<'_>) -> Label {
    match place.path {
        [K("messages"), I(number), rest @ ..] => message(place, *number, rest),
        [K("tools" | "functions"), I(_), rest @ ..] => super::tools::definition(rest),
        [K("tool_choice" | "function_call"), ..] => Label::text(Channel::ToolDefinition),
        [K("stop"), ..] | [K("response_format"), ..] => Label::text(Channel::Steering),
        [K("prediction"), ..] => Label::text(Channel::Assistant),
        [K("metadata"), ..] | [K("user" | "safety_identifier" | "prompt_cache_key")] => {
            Label::text(Channel::Metadata)
        }
        [K("web_search_options"), ..] => Label::text(Channel::Steering),
        [K("modalities"), I(_)] | [K("audio"), K("voice" | "format")] => Label::IDENTIFIER,
        [K("model" | "reasoning_effort" | "service_tier" | "verbosity" | "prompt_cache_retention")] => {
            Label::IDENTIFIER
        }
        _ => Label::UNKNOWN,
    }
}

fn message(place: &Place<'_>, number: usize, rest: &[Seg<'_>]) -> Label {
    let channel = match place.str_in(2, "role") {
        Some("system") => Channel::System,
        Some("developer") => Channel::Developer,
        Some("user") => Channel::User,
        Some("assistant") => Channel::Assistant,
        Some("tool" | "function") => Channel::ToolResult,
        _ => Channel::Unknown,
    };
    let lane = lanes::lane(u32::try_from(number).unwrap_or(0), 0, lanes::TEXT);
    match rest {
        [K("role" | "tool_call_id")] => Label::IDENTIFIER,
        [K("name")] => Label::text(Channel::Name),
        [K("content")] | [K("content"), I(_)] => Label::text(channel),
        [K("content"), I(_), K("text" | "refusal")] => Label::text(channel).in_lane(lane),
        [K("content"), I(_), K("type")] | [K("content"), I(_), K("image_url"), K("detail")] => {
            Label::IDENTIFIER
        }
        [K("content"), I(_), K("image_url")] | [K("content"), I(_), K("image_url"), K("url")] => {
            Label::opaque(channel, Kind::Image)
        }
        [K("content"), I(_), K("input_audio"), K("data")] => Label::opaque(channel, Kind::Audio),
        [K("content"), I(_), K("input_audio"), K("format")] => Label::IDENTIFIER,
        [K("content"), I(_), K("prompt_cache_breakpoint" | "cache_control"), K(_)] => Label::IDENTIFIER,
        [K("content"), I(_), K("file"), K("file_data")] => Label::opaque(channel, Kind::File),
        [K("content"), I(_), K("file"), K("file_id")] => Label::opaque(Channel::Identifier, Kind::File),
        [K("content"), I(_), K("file"), K("filename")] => Label::text(Channel::Name),
        [K("refusal")] => Label::text(Channel::Refusal),
        [K("reasoning_content" | "reasoning")] => Label::text(Channel::Reasoning),
        [K("tool_calls"), I(_), rest @ ..] => super::tools::call(rest),
        [K("function_call"), K("arguments")] => Label::json(Channel::ToolCall),
        [K("function_call"), K("name")] => Label::text(Channel::ToolCall),
        [K("audio"), K("id")] => Label::opaque(Channel::Identifier, Kind::Audio),
        _ => Label::UNKNOWN,
    }
}

fn reply(place: &Place<'_>) -> Label {
    match place.path {
        [K("choices"), I(_), K("message"), rest @ ..] => said(rest),
        [K("choices"), I(_), K("logprobs"), ..] => logprob(place),
        [K("choices"), I(_), K("finish_reason")] => Label::IDENTIFIER,
        rest => envelope(rest),
    }
}

fn said(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("content")] | [K("content"), I(_), K("text")] => Label::text(Channel::Assistant),
        [K("refusal")] => Label::text(Channel::Refusal),
        [K("reasoning_content" | "reasoning")] => Label::text(Channel::Reasoning),
        [K("role")] => Label::IDENTIFIER,
        [K("tool_calls"), I(_), rest @ ..] => super::tools::call(rest),
        [K("function_call"), K("arguments")] => Label::json(Channel::ToolCall),
        [K("function_call"), K("name")] => Label::text(Channel::ToolCall),
        [K("annotations"), I(_), rest @ ..] => match rest {
            [K("type")] => Label::IDENTIFIER,
            _ => Label::text(Channel::Citation),
        },
        [K("audio"), K("data")] => Label::opaque(Channel::Assistant, Kind::Audio),
        [K("audio"), K("transcript")] => Label::text(Channel::Assistant),
        [K("audio"), K("id")] => Label::IDENTIFIER,
        _ => Label::UNKNOWN,
    }
}

/// What stands around the choices, in replies and events alike.
fn envelope(rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("id" | "object" | "model" | "system_fingerprint" | "service_tier" | "created" | "provider" | "obfuscation")] => {
            Label::IDENTIFIER
        }
        [K("error"), ..] => Label::text(Channel::Error),
        _ => Label::UNKNOWN,
    }
}

fn logprob(place: &Place<'_>) -> Label {
    let group = u32::try_from(place.u64_in(2, "index").unwrap_or(0)).unwrap_or(0);
    let label = Label::text(Channel::Logprobs);
    match place.path {
        // The chosen tokens one behind the other are the reply's text once more.
        [_, _, _, K("content"), I(_), K("token")] => label.in_lane(lanes::lane(group, 0, lanes::LOGPROBS)),
        [_, _, _, K("refusal"), I(_), K("token")] => label.in_lane(lanes::lane(group, 1, lanes::LOGPROBS)),
        _ => label,
    }
}

fn event(place: &Place<'_>) -> Label {
    let group = u32::try_from(place.u64_in(2, "index").unwrap_or(0)).unwrap_or(0);
    match place.path {
        [K("choices"), I(_), K("delta"), rest @ ..] => match rest {
            [K("content")] => Label::text(Channel::Assistant).delta(lanes::lane(group, 0, lanes::TEXT)),
            [K("refusal")] => Label::text(Channel::Refusal).delta(lanes::lane(group, 0, lanes::REFUSAL)),
            [K("reasoning_content" | "reasoning")] => {
                Label::text(Channel::Reasoning).delta(lanes::lane(group, 0, lanes::REASONING))
            }
            [K("tool_calls"), I(position), K("function"), K("arguments")] => {
                let number = place.u64_in(5, "index").and_then(|n| u32::try_from(n).ok());
                let number = number.or_else(|| u32::try_from(*position).ok()).unwrap_or(0);
                Label::json(Channel::ToolCall).delta(lanes::lane(
                    group,
                    number.saturating_add(1),
                    lanes::ARGUMENTS,
                ))
            }
            [K("function_call"), K("arguments")] => {
                Label::json(Channel::ToolCall).delta(lanes::lane(group, 0, lanes::ARGUMENTS))
            }
            [K("audio"), K("transcript")] => {
                Label::text(Channel::Assistant).delta(lanes::lane(group, 0, lanes::TRANSCRIPT))
            }
            rest => said(rest),
        },
        [K("choices"), I(_), K("logprobs"), ..] => logprob(place),
        [K("choices"), I(_), K("finish_reason")] => Label::IDENTIFIER,
        rest => envelope(rest),
    }
}
