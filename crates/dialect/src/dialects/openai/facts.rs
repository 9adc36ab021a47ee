//! Facts that OpenAI's endpoints share: the model, usage, stored state, what a stream says of itself.

use portcullis_core::Usage;

use crate::exchange::{Call, Progress, StateRef};
use crate::json::{Document, Malformed, NodeId, Sort};

/// Model and stream, checked.
pub fn call(document: &Document) -> Result<Call, Malformed> {
    if document.sort(document.root()) != Sort::Object {
        return Err(Malformed::Shape("the body must be a JSON object".into()));
    }
    let node = required(document, "model", Sort::String)?;
    let stream = match document.at(&["stream"]) {
        None => false,
        Some(node) => match (document.sort(node), document.as_bool(node)) {
            (Sort::Null, _) => false,
            (_, Some(stream)) => stream,
            _ => return Err(Malformed::Shape("`stream` must be true or false".into())),
        },
    };
    Ok(Call {
        model: Some(document.text(node).to_owned()),
        model_node: Some(node),
        stream,
        ..Call::default()
    })
}

/// A member of the body that must be there and of that sort.
pub fn required(document: &Document, key: &str, sort: Sort) -> Result<NodeId, Malformed> {
    match document.at(&[key]) {
        Some(node) if document.sort(node) == sort => Ok(node),
        Some(_) => Err(Malformed::Shape(format!("`{key}` has the wrong type"))),
        None => Err(Malformed::Shape(format!("`{key}` is missing"))),
    }
}

/// A reference to stored state, if the node is a string.
pub fn state(document: &Document, kind: &'static str, node: Option<NodeId>) -> Option<StateRef> {
    let id = document.as_str(node?)?;
    Some(StateRef {
        kind,
        id: id.to_owned(),
    })
}

/// Token counts of a `usage` object, under the names of either generation of the API.
pub fn usage(document: &Document, usage: NodeId) -> Option<Usage> {
    let count = |object: NodeId, keys: [&str; 2]| {
        keys.into_iter().find_map(|key| {
            document
                .member(object, key)
                .and_then(|node| document.as_u64(node))
        })
    };
    let detail = |keys: [&str; 2], inner: &str| {
        let object = keys.into_iter().find_map(|key| document.member(usage, key));
        object
            .and_then(|object| document.member(object, inner))
            .and_then(|node| document.as_u64(node))
            .unwrap_or(0)
    };
    Some(Usage {
        input: count(usage, ["prompt_tokens", "input_tokens"])?,
        output: count(usage, ["completion_tokens", "output_tokens"]).unwrap_or(0),
        cached: detail(["prompt_tokens_details", "input_tokens_details"], "cached_tokens"),
        reasoning: detail(
            ["completion_tokens_details", "output_tokens_details"],
            "reasoning_tokens",
        ),
    })
}

/// The wire form of a node.
pub fn wire(document: &Document, node: NodeId) -> &str {
    document
        .bytes()
        .get(document.range(node))
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .unwrap_or("null")
}

/// The time a reply says it was made, as a number on the wire.
pub fn created(document: &Document) -> &str {
    document
        .at(&["created"])
        .filter(|node| document.as_u64(*node).is_some())
        .map_or("0", |node| wire(document, node))
}

/// Id, model and time of a chunk.
pub fn progress(event: &Document, progress: &mut Progress) {
    progress.begun = true;
    if progress.id.is_empty() {
        progress.id = event.str_at(&["id"]).unwrap_or("").to_owned();
        progress.model = event.str_at(&["model"]).unwrap_or("").to_owned();
        progress.created = created(event).to_owned();
    }
}
