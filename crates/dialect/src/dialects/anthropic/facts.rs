//! Facts that Anthropic's endpoints share: model, stored state, usage, and the members around the messages.

use portcullis_core::{Channel, UninspectableKind as Kind, Usage};

use super::blocks::{self, Voice};
use crate::exchange::{Call, StateRef, lanes};
use crate::instruct;
use crate::json::{Document, Malformed, NodeId, Sort, quoted};
use crate::patch::Edit;
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place, Prose};

/// The facts of a request that has messages. `stream` is left to the endpoint.
pub fn call(document: &Document) -> Result<Call, Malformed> {
    if document.sort(document.root()) != Sort::Object {
        return Err(shape("the body must be a JSON object"));
    }
    let model = required(document, "model", Sort::String)?;
    let messages = required(document, "messages", Sort::Array)?;
    let mut call = Call {
        model: Some(document.text(model).to_owned()),
        model_node: Some(model),
        ..Call::default()
    };
    let mut count = 0usize;
    for message in document.items(messages) {
        count += 1;
        let role = document
            .member(message, "role")
            .and_then(|role| document.as_str(role));
        let role = role.ok_or_else(|| shape("every message needs a string `role`"))?;
        call.system_prompt |= role == "system";
        let content = document.member(message, "content");
        match content.map(|content| document.sort(content)) {
            Some(Sort::String | Sort::Array) => {}
            // A message may be nothing but settings where the API takes such.
            None if role == "system" => {}
            _ => {
                return Err(shape(
                    "every message needs a `content`: a string or an array of blocks",
                ));
            }
        }
        stored_in(document, content, &mut call.state);
    }
    if count == 0 {
        return Err(shape("`messages` is empty"));
    }
    system(document, &mut call)?;
    container(document, &mut call);
    one_model(document)?;
    // A thread goes on from what the provider has kept.
    let thread = document.at(&["thread", "previous_message_id"]);
    call.state.extend(state(document, "message", thread));
    Ok(call)
}

fn system(document: &Document, call: &mut Call) -> Result<(), Malformed> {
    match document.at(&["system"]).map(|node| (node, document.sort(node))) {
        None | Some((_, Sort::Null)) => {}
        Some((node, Sort::String)) => call.system_prompt |= !document.text(node).is_empty(),
        Some((node, Sort::Array)) => {
            call.system_prompt |= document.items(node).next().is_some();
            stored_in(document, Some(node), &mut call.state);
        }
        Some(_) => return Err(shape("`system` must be a string or an array of blocks")),
    }
    Ok(())
}

fn container(document: &Document, call: &mut Call) {
    let Some(container) = document.at(&["container"]) else {
        return;
    };
    let id = document.member(container, "id").or(Some(container));
    call.state.extend(state(document, "container", id));
    let skills = document.member(container, "skills");
    for skill in skills.into_iter().flat_map(|skills| document.items(skills)) {
        let sort = document
            .member(skill, "type")
            .and_then(|sort| document.as_str(sort));
        if sort != Some("anthropic") {
            let id = document.member(skill, "skill_id");
            call.state.extend(state(document, "skill", id));
        }
    }
}

/// Refuses what names a second model: it would be asked past the rules for models.
fn one_model(document: &Document) -> Result<(), Malformed> {
    let given = |node: NodeId| document.sort(node) != Sort::Null;
    if document.at(&["fallbacks"]).is_some_and(given) {
        return Err(shape(
            "`fallbacks` is not taken here: fallbacks are configured at the gateway",
        ));
    }
    let tools = document.at(&["tools"]);
    let mut tools = tools.into_iter().flat_map(|tools| document.items(tools));
    if tools.any(|tool| document.member(tool, "model").is_some_and(given)) {
        return Err(shape("a tool that names a `model` of its own is not taken here"));
    }
    Ok(())
}

/// Every file that content blocks name, at any depth. Tool inputs are not looked into: what is called `file_id` there is the tool's.
pub fn stored_in(document: &Document, content: Option<NodeId>, found: &mut Vec<StateRef>) {
    let Some(content) = content else { return };
    match document.sort(content) {
        Sort::Array => {
            for block in document.items(content) {
                stored_in(document, Some(block), found);
            }
        }
        Sort::Object => {
            found.extend(state(document, "file", document.member(content, "file_id")));
            stored_in(document, document.member(content, "source"), found);
            stored_in(document, document.member(content, "content"), found);
        }
        _ => {}
    }
}

/// A place in a request, at the members that messages and token counts share.
pub fn request(place: &Place<'_>) -> Label {
    match place.path {
        [K("messages"), I(_), K("role")] => Label::IDENTIFIER,
        [K("messages"), I(number), K("content"), ..] => {
            let channel = match place.str_in(2, "role") {
                Some("user") => Channel::User,
                Some("assistant") => Channel::Assistant,
                Some("system") => Channel::System,
                _ => Channel::Unknown,
            };
            blocks::content(
                place,
                3,
                voice(channel, u32::try_from(*number).unwrap_or(u32::MAX)),
            )
        }
        [K("messages"), I(_), K("clear_at")] | [K("messages"), I(_), K("output_config"), K("effort")] => {
            Label::IDENTIFIER
        }
        [K("system"), ..] => blocks::content(place, 1, voice(Channel::System, u32::MAX)),
        [K("tools"), I(_), rest @ ..] => match rest {
            [K("type")] | [K("cache_control" | "caching"), _] | [K("allowed_callers"), I(_)] => {
                Label::IDENTIFIER
            }
            _ => Label::text(Channel::ToolDefinition),
        },
        [K("tool_choice"), K("type")] => Label::IDENTIFIER,
        [K("tool_choice"), ..] => Label::text(Channel::ToolDefinition),
        // The token is the client's own credential for that server; it goes where the client's metadata goes.
        [K("mcp_servers"), I(_), K("authorization_token")] => Label::text(Channel::Metadata),
        [K("mcp_servers"), I(_), K("type")] => Label::IDENTIFIER,
        [K("mcp_servers"), ..] => Label::text(Channel::ToolDefinition),
        [K("context_management"), .., K("type" | "keep")] => Label::IDENTIFIER,
        [
            K("context_management"),
            K("edits"),
            I(_),
            K("exclude_tools" | "clear_tool_inputs"),
            I(_),
        ] => Label::text(Channel::ToolDefinition),
        [K("context_management"), K("edits"), I(_), K("instructions")]
        | [K("compaction"), K("instructions")]
        | [K("stop_sequences"), I(_)]
        | [K("output_config"), K("format"), ..]
        | [K("output_format"), ..] => Label::text(Channel::Steering),
        [K("metadata"), ..] | [K("user_profile_id" | "workspace_id")] => Label::text(Channel::Metadata),
        [K("container")] | [K("container"), K("id")] => Label::opaque(Channel::Identifier, Kind::File),
        [
            K("container"),
            K("skills"),
            I(_),
            K("type" | "skill_id" | "version"),
        ]
        | [K("model" | "service_tier" | "speed" | "inference_geo")]
        | [K("thinking"), K("type" | "display")]
        | [K("output_config"), K("effort")]
        | [K("output_config"), K("task_budget"), K("type")]
        | [K("cache_control"), K("type" | "ttl")]
        | [K("compaction"), K("type")]
        | [K("diagnostics"), K("previous_message_id")]
        | [K("thread"), K("type" | "previous_message_id")]
        | [K("billing_policy"), ..] => Label::IDENTIFIER,
        [K("fallback_credit_token"), ..] => Label::text(Channel::Metadata),
        _ => Label::UNKNOWN,
    }
}

fn voice(channel: Channel, group: u32) -> Voice {
    Voice {
        channel,
        lane: Some(lanes::lane(group, 0, lanes::TEXT)),
        group: Some(group),
        prose: Prose::Free,
    }
}

/// Token counts of a `usage` object. Anthropic counts cached tokens beside `input_tokens`; here they are part of the input.
pub fn usage(document: &Document, usage: NodeId) -> Option<Usage> {
    let count = |key| document.member(usage, key).and_then(|node| document.as_u64(node));
    let cached = count("cache_read_input_tokens").unwrap_or(0);
    let written = count("cache_creation_input_tokens").unwrap_or(0);
    let (input, output) = (count("input_tokens"), count("output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    let reasoning = document
        .member(usage, "output_tokens_details")
        .and_then(|details| document.member(details, "thinking_tokens"))
        .and_then(|node| document.as_u64(node));
    Some(Usage {
        input: input.unwrap_or(0).saturating_add(cached).saturating_add(written),
        cached,
        output: output.unwrap_or(0),
        reasoning: reasoning.unwrap_or(0),
        cache_write: written,
    })
}

/// A reference to stored state, if the node is a string.
pub fn state(document: &Document, kind: &'static str, node: Option<NodeId>) -> Option<StateRef> {
    let id = document.as_str(node?)?.to_owned();
    Some(StateRef { kind, id })
}

/// A member of the body that must be there and of that sort.
pub fn required(document: &Document, key: &str, sort: Sort) -> Result<NodeId, Malformed> {
    match document.at(&[key]) {
        Some(node) if document.sort(node) == sort => Ok(node),
        Some(_) => Err(Malformed::Shape(format!("`{key}` has the wrong type"))),
        None => Err(Malformed::Shape(format!("`{key}` is missing"))),
    }
}

/// A refusal with a message for the client.
pub fn shape(message: &str) -> Malformed {
    Malformed::Shape(message.to_owned())
}

/// A text in front of `system`.
pub fn instruct(request: &Document, text: &str) -> Option<Vec<Edit>> {
    let block = format!(r#"{{"type":"text","text":{}}}"#, quoted(text));
    instruct::in_member(request, "system", text, &block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn read(body: &str) -> Result<Call, Malformed> {
        call(&Document::read(Bytes::copy_from_slice(body.as_bytes())).unwrap())
    }

    #[test]
    fn what_is_no_request_for_a_message_is_refused() {
        for body in [
            "[]",
            "null",
            "{}",
            r#"{"model":"m"}"#,
            r#"{"model":7,"messages":[{"role":"user","content":"x"}]}"#,
            r#"{"model":"m","messages":[]}"#,
            r#"{"model":"m","messages":{}}"#,
            r#"{"model":"m","messages":["x"]}"#,
            r#"{"model":"m","messages":[{"content":"x"}]}"#,
            r#"{"model":"m","messages":[{"role":"user"}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":{}}]}"#,
            r#"{"model":"m","messages":[{"role":"user","content":"x"}],"system":{}}"#,
        ] {
            assert!(read(body).is_err(), "{body}");
        }
        assert!(read(r#"{"model":"m","messages":[{"role":"user","content":"x"}],"system":null}"#).is_ok());
    }

    #[test]
    fn a_second_model_is_refused() {
        for also in [
            r#""fallbacks":[{"model":"other"}]"#,
            r#""fallbacks":"default""#,
            r#""tools":[{"type":"advisor_20260301","name":"advisor","model":"other"}]"#,
        ] {
            let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{also}}}"#);
            assert!(read(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn files_are_found_at_any_depth_but_not_in_what_a_tool_is_given() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","content":[
            {"type":"document","source":{"type":"content","content":[{"type":"image","source":{"type":"file","file_id":"f1"}}]}}]},
            {"type":"tool_use","input":{"file_id":"of the tool","source":{"file_id":"of the tool"}}}]}]}"#;
        let found = read(body).unwrap().state;
        let found: Vec<_> = found.iter().map(|state| state.id.as_str()).collect();
        assert_eq!(found, ["f1"]);
    }

    #[test]
    fn cached_tokens_are_part_of_the_input() {
        let body = r#"{"input_tokens":10,"cache_read_input_tokens":5,"cache_creation_input_tokens":3,"output_tokens":2}"#;
        let document = Document::read(Bytes::from_static(body.as_bytes())).unwrap();
        let usage = usage(&document, document.root()).unwrap();
        assert_eq!((usage.input, usage.cached, usage.output), (18, 5, 2));
    }
}
