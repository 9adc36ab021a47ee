//! Labels of a Responses request and of the response object, which repeats most of the request; what a response says was
//! stored.

use portcullis_core::{Channel, UninspectableKind as Kind};

use crate::exchange::StateRef;
use crate::json::{Document, NodeId, Sort};
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place, Seg};

use super::super::{facts, state};
use super::items;

/// A place in a request.
pub fn request(place: &Place<'_>) -> Label {
    match place.path {
        [K("input")] | [K("input"), I(_)] => Label::text(Channel::User),
        [K("input"), I(number), _, ..] => items::label(place, 2, *number),
        rest => setting(place, 0, rest),
    }
}

/// A place in the response object that stands `depth` steps below the root.
pub fn response(place: &Place<'_>, depth: usize) -> Label {
    match place.path.get(depth..).unwrap_or(&[]) {
        [K("output"), I(number), _, ..] => items::label(place, depth.saturating_add(2), *number),
        [K("output_text")] => Label::text(Channel::Assistant),
        [K("id" | "object" | "status" | "created_at" | "completed_at")]
        | [K("incomplete_details"), K("reason")]
        | [K("input_transformations"), I(_), K(_)]
        | [K("prompt_cache_diagnostics"), K(_)]
        | [K("error"), K("code" | "type" | "param")] => Label::IDENTIFIER,
        [K("error"), ..] => Label::text(Channel::Error),
        [K("billing"), K("payer")] => Label::IDENTIFIER,
        rest => setting(place, depth, rest),
    }
}

/// What a request sets and a response repeats.
fn setting(place: &Place<'_>, depth: usize, rest: &[Seg<'_>]) -> Label {
    match rest {
        [K("instructions")] => Label::text(Channel::System),
        [K("instructions"), I(number), _, ..] => items::label(place, depth.saturating_add(2), *number),
        [K("tools"), I(_), rest @ ..] => tool(rest),
        [K("tool_choice"), ..] => Label::text(Channel::ToolDefinition),
        [K("text"), K("verbosity")] => Label::IDENTIFIER,
        [K("text"), ..] | [K("stop"), ..] => Label::text(Channel::Steering),
        [K("metadata"), ..] | [K("user" | "safety_identifier" | "prompt_cache_key")] => {
            Label::text(Channel::Metadata)
        }
        [K("prompt"), K("id" | "version")] => Label::IDENTIFIER,
        [K("prompt"), K("variables"), K(_)] => Label::text(Channel::User),
        [K("prompt"), K("variables"), K(_), ..] => {
            items::part(place, depth.saturating_add(3), Channel::User, 0)
        }
        [K("moderation"), .., K("message")] => Label::text(Channel::Error),
        [
            K(
                "model"
                | "previous_response_id"
                | "conversation"
                | "include"
                | "reasoning"
                | "service_tier"
                | "truncation"
                | "prompt_cache_retention"
                | "prompt_cache_options"
                | "background_options"
                | "context_management"
                | "access_programs"
                | "image"
                | "moderation",
            ),
            ..,
        ] => Label::IDENTIFIER,
        _ => Label::UNKNOWN,
    }
}

/// A place inside one offered tool, of the client's or of the provider's.
fn tool(rest: &[Seg<'_>]) -> Label {
    match rest {
        [
            K(
                "model"
                | "file_ids"
                | "vector_store_ids"
                | "connector_id"
                | "tunnel_id"
                | "environment"
                | "search_context_size"
                | "execution"
                | "action"
                | "background"
                | "complexity"
                | "input_fidelity"
                | "moderation"
                | "output_format"
                | "quality"
                | "size",
            ),
        ]
        | [
            K("vector_store_ids" | "allowed_callers" | "search_content_types"),
            I(_),
        ]
        | [K("container")]
        | [
            K("container" | "environment"),
            K("type" | "container_id" | "memory_limit"),
        ]
        | [K("container" | "environment"), K("file_ids"), I(_)]
        | [
            K("container" | "environment"),
            K("skills"),
            I(_),
            K("type" | "skill_id" | "version"),
        ]
        | [K("ranking_options"), K("ranker")]
        | [K("svg"), ..] => Label::IDENTIFIER,
        // Credentials for the tool's server, and where they may go: the client sends them on purpose.
        [K("authorization")]
        | [K("headers"), ..]
        | [K("container" | "environment"), K("network_policy"), ..] => Label::text(Channel::Metadata),
        [K("user_location"), ..] => Label::text(Channel::Metadata),
        [K("input_image_mask"), K("image_url")] => Label::opaque(Channel::User, Kind::Image),
        [K("input_image_mask"), K("file_id")] => Label::opaque(Channel::Identifier, Kind::Image),
        [K("environment"), K("skills"), I(_), K("source"), K("data")] => {
            Label::opaque(Channel::ToolDefinition, Kind::File)
        }
        [K("environment"), K("skills"), I(_), K("source"), K(_)] => Label::IDENTIFIER,
        rest => super::super::tools::definition(rest),
    }
}

/// The lists of token probabilities of a response, an item, a part or an event.
pub fn logprobs(document: &Document) -> Vec<NodeId> {
    let root = document.root();
    let response = document.member(root, "response").unwrap_or(root);
    let output = document.member(response, "output");
    let output = output.into_iter().flat_map(|output| document.items(output));
    let parts = output
        .chain(document.member(root, "item"))
        .filter_map(|item| document.member(item, "content"))
        .flat_map(|content| document.items(content));
    parts
        .chain(document.member(root, "part"))
        .chain([root])
        .filter_map(|part| document.member(part, "logprobs"))
        .filter(|list| document.items(*list).next().is_some())
        .collect()
}

/// The response, its conversation, and the items and containers in it, as far as a body tells of them.
pub fn stored(document: &Document) -> Vec<StateRef> {
    let root = document.root();
    let mut found = Vec::new();
    let whole = document.str_at(&["object"]) == Some("response");
    if let Some(response) = document.member(root, "response").or(whole.then_some(root)) {
        let id = |key| {
            let node = document.member(response, key)?;
            match document.sort(node) {
                Sort::Object => document.member(node, "id"),
                _ => Some(node),
            }
        };
        state::push(&mut found, facts::state(document, "response", id("id")));
        state::push(
            &mut found,
            facts::state(document, "conversation", id("conversation")),
        );
        let output = document.member(response, "output");
        for item in output.into_iter().flat_map(|output| document.items(output)) {
            stored_item(document, item, &mut found);
        }
    }
    if let Some(item) = document.member(root, "item") {
        stored_item(document, item, &mut found);
    }
    found
}

/// An item may be named in a later request; so may the container that its code ran in, and files made there.
fn stored_item(document: &Document, item: NodeId, found: &mut Vec<StateRef>) {
    state::push(found, facts::state(document, "item", document.member(item, "id")));
    let container = document.member(item, "container_id").or_else(|| {
        let environment = document.member(item, "environment")?;
        document.member(environment, "container_id")
    });
    state::push(found, facts::state(document, "container", container));
    let parts = document.member(item, "content");
    for part in parts.into_iter().flat_map(|parts| document.items(parts)) {
        let annotations = document.member(part, "annotations");
        for annotation in annotations.into_iter().flat_map(|list| document.items(list)) {
            let kind = document.member(annotation, "type");
            if kind.and_then(|kind| document.as_str(kind)) == Some("container_file_citation") {
                state::push(
                    found,
                    facts::state(document, "container", document.member(annotation, "container_id")),
                );
                state::push(
                    found,
                    facts::state(document, "file", document.member(annotation, "file_id")),
                );
            }
        }
    }
}
