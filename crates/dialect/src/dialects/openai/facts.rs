//! Facts that OpenAI's endpoints share: the model, usage, stored state, what a stream says of itself.

use portcullis_core::{Channel, UninspectableKind, Usage};

use crate::exchange::{Call, Cut, Progress, StateRef};
use crate::json::{Document, Malformed, NodeId, Sort, quoted};
use crate::reading::Seg::Key as K;
use crate::reading::{Label, Place, Seg};

/// Model and stream, checked.
pub fn call(document: &Document) -> Result<Call, Malformed> {
    call_with_model(document, true)
}

/// The same, where the model may be left out.
pub fn call_with_model(document: &Document, needed: bool) -> Result<Call, Malformed> {
    if document.sort(document.root()) != Sort::Object {
        return Err(Malformed::Shape("the body must be a JSON object".into()));
    }
    // A compatible server would take any of these in the place of `model`: nobody would have asked whether it is permitted.
    if document.at(&["models"]).is_some() {
        return Err(Malformed::Shape(
            "`models` is not taken: name one model in `model`".into(),
        ));
    }
    let node = match document.at(&["model"]) {
        None if !needed => None,
        _ => Some(required(document, "model", Sort::String)?),
    };
    let stream = match document.at(&["stream"]) {
        None => false,
        Some(node) => match (document.sort(node), document.as_bool(node)) {
            (Sort::Null, _) => false,
            (_, Some(stream)) => stream,
            _ => return Err(Malformed::Shape("`stream` must be true or false".into())),
        },
    };
    Ok(Call {
        model: node.map(|node| document.text(node).to_owned()),
        model_node: node,
        stream,
        ..Call::default()
    })
}

/// Checks a text, a list of texts, a list of token ids or a list of such lists.
pub fn texts_or_tokens(document: &Document, node: NodeId, name: &str) -> Result<(), Malformed> {
    let all = |array, sort| document.items(array).all(|item| document.sort(item) == sort);
    let fits = match document.sort(node) {
        Sort::String | Sort::Null => true,
        // Of one sort: token ids among texts would be seen by nobody.
        Sort::Array => {
            all(node, Sort::String)
                || all(node, Sort::Number)
                || (all(node, Sort::Array) && document.items(node).all(|item| all(item, Sort::Number)))
        }
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Malformed::Shape(format!(
            "`{name}` must be a text, an array of texts, or token ids"
        )))
    }
}

/// The label of such a place: a text is the user's, numbers stand for one that cannot be read.
pub fn text_or_token(place: &Place<'_>) -> Label {
    let node = place.ancestor(place.depth());
    match node.map(|node| place.document.sort(node)) {
        Some(Sort::Number) => Label::opaque(Channel::User, UninspectableKind::Vector),
        _ => Label::text(Channel::User),
    }
}

/// A place in a reply that is an error, or unknown.
pub fn error(path: &[Seg<'_>]) -> Label {
    match path {
        [K("error"), K("code" | "param" | "type")] => Label::IDENTIFIER,
        [K("error"), ..] => Label::text(Channel::Error),
        _ => Label::UNKNOWN,
    }
}

/// A member that says why a reply without text is empty.
pub fn withheld_error(cut: &Cut<'_>) -> String {
    format!(
        r#""error":{{"message":{},"type":"invalid_request_error","param":null,"code":"content_filter"}}"#,
        quoted(cut.text),
    )
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
        // The API tells of none, and asks nothing for it.
        cache_write: 0,
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

/// The time a response says it was made, whole in a body or inside an event.
pub fn created_at(body: &Document) -> &str {
    body.at(&["response", "created_at"])
        .or_else(|| body.at(&["created_at"]))
        .filter(|node| body.sort(*node) == Sort::Number)
        .map_or("0", |node| wire(body, node))
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
