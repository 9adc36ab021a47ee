//! Edits that put a text in front of everything else that instructs the model, where a dialect has the place for it.

use crate::extension::EXTENSION;
use crate::json::{Document, NodeId, Sort, escape_into, quoted};
use crate::patch::Edit;

/// The text in front of a string, an empty line between them.
pub(crate) fn before_string(document: &Document, string: NodeId, text: &str) -> Vec<Edit> {
    let mut escaped = String::with_capacity(text.len() + 16);
    escape_into(&mut escaped, text);
    if !document.text(string).is_empty() {
        escaped.push_str("\\n\\n");
    }
    at(document.range(string).start, escaped)
}

/// An item in front of those of a list.
pub(crate) fn first_item(document: &Document, list: NodeId, item: &str) -> Vec<Edit> {
    let comma = if document.items(list).next().is_some() {
        ","
    } else {
        ""
    };
    at(document.range(list).start, format!("{item}{comma}"))
}

/// A member in front of those of an object. The gateway's own member does not count: it is taken out.
pub(crate) fn first_member(document: &Document, object: NodeId, name: &str, value: &str) -> Vec<Edit> {
    let others = document
        .members(object)
        .any(|(key, _)| document.text(key) != EXTENSION);
    let comma = if others { "," } else { "" };
    at(
        document.range(object).start,
        format!("{}:{value}{comma}", quoted(name)),
    )
}

/// A value in the place of another.
pub(crate) fn instead(document: &Document, node: NodeId, value: String) -> Vec<Edit> {
    vec![Edit {
        range: document.range(node),
        text: value,
    }]
}

/// The text as the string member of that name, or in front of what it says; as the first item where it is a list.
pub(crate) fn in_member(document: &Document, name: &str, text: &str, item: &str) -> Option<Vec<Edit>> {
    let Some(node) = document.at(&[name]) else {
        return Some(first_member(document, document.root(), name, &quoted(text)));
    };
    match document.sort(node) {
        Sort::String => Some(before_string(document, node, text)),
        Sort::Array => Some(first_item(document, node, item)),
        Sort::Null => Some(instead(document, node, quoted(text))),
        _ => None,
    }
}

/// Behind the quote or the bracket that stands at `start`.
fn at(start: usize, text: String) -> Vec<Edit> {
    let inside = start.saturating_add(1);
    vec![Edit {
        range: inside..inside,
        text,
    }]
}
