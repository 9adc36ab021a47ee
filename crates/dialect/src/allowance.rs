//! How much a request lets a model write, and the edits that set it. What it may cost is not known here.

use crate::instruct;
use crate::json::{Document, NodeId, Sort};
use crate::patch::Edit;

/// How much a model may write in answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Tokens of each text, reasoning included; `None` where the request does not say.
    pub tokens: Option<u64>,
    /// Texts that are asked for.
    pub texts: u64,
}

/// Reads it from the members of `object`: where several say how many tokens, the greatest counts, whichever the provider believes.
pub(crate) fn read(document: &Document, object: NodeId, tokens: &[&str], texts: &[&str]) -> Allowance {
    let greatest = |names: &[&str]| {
        let said = names.iter().filter_map(|name| {
            document
                .member(object, name)
                .and_then(|node| document.as_u64(node))
        });
        said.max()
    };
    Allowance {
        tokens: greatest(tokens),
        texts: greatest(texts).unwrap_or(1).max(1),
    }
}

/// Says in `object` how many tokens each text may have: in every member of those that is there, else in a new one of the first
/// name.
pub(crate) fn write(document: &Document, object: NodeId, names: &[&str], tokens: u64) -> Vec<Edit> {
    let there = names.iter().filter_map(|name| document.member(object, name));
    let mut edits: Vec<Edit> = there
        .flat_map(|node| instruct::instead(document, node, tokens.to_string()))
        .collect();
    if let (true, Some(name)) = (edits.is_empty(), names.first()) {
        edits = instruct::first_member(document, object, name, &tokens.to_string());
    }
    edits
}

/// The number of texts that a member holds: one, or as many as its list has.
pub(crate) fn texts_in(document: &Document, node: Option<NodeId>) -> u64 {
    let Some(node) = node.filter(|node| document.sort(*node) == Sort::Array) else {
        return 1;
    };
    let is_token = |item: NodeId| document.sort(item) == Sort::Number;
    if document.items(node).all(is_token) {
        return 1;
    }
    u64::try_from(document.items(node).count()).unwrap_or(u64::MAX)
}
