//! Stored state that a request names: files, containers, vector stores, skills, items, wherever in the body they stand.
//!
//! The search is by member name over the whole body, so that a place that is new in the reference is not missed. What is
//! only quoted (annotations, search results) or only described (schemas, arguments) names nothing and is left out.

use crate::exchange::StateRef;
use crate::json::{Document, NodeId, Sort};

/// Every stored thing that the body names, each once.
pub fn named(document: &Document) -> Vec<StateRef> {
    let mut found = Vec::new();
    within(document, document.root(), &mut found);
    found
}

/// Adds a reference unless it is there already.
pub fn push(found: &mut Vec<StateRef>, state: Option<StateRef>) {
    if let Some(state) = state.filter(|state| !found.contains(state)) {
        found.push(state);
    }
}

fn within(document: &Document, node: NodeId, found: &mut Vec<StateRef>) {
    match document.sort(node) {
        Sort::Object => {
            for (key, value) in document.members(node) {
                let name = document.text(key);
                match kind(name) {
                    Some(kind) => strings(document, kind, value, found),
                    None if quoted_or_described(name) => {}
                    None => within(document, value, found),
                }
            }
        }
        Sort::Array => {
            for item in document.items(node) {
                within(document, item, found);
            }
        }
        _ => {}
    }
}

/// What a member of that name holds the id of.
fn kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "file_id" | "file_ids" => "file",
        "container_id" => "container",
        "vector_store_ids" => "vector_store",
        "skill_id" => "skill",
        "tunnel_id" => "tunnel",
        "previous_response_id" | "comparison_response_id" => "response",
        _ => return None,
    })
}

fn quoted_or_described(name: &str) -> bool {
    matches!(
        name,
        "annotations"
            | "results"
            | "metadata"
            | "parameters"
            | "input_schema"
            | "output_schema"
            | "schema"
            | "arguments"
            | "logprobs"
    )
}

/// A string, or each string of an array.
fn strings(document: &Document, kind: &'static str, value: NodeId, found: &mut Vec<StateRef>) {
    push(found, super::facts::state(document, kind, Some(value)));
    for item in document.items(value) {
        push(found, super::facts::state(document, kind, Some(item)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn what_is_stored_is_found_wherever_it_stands_and_what_is_quoted_is_not() {
        let body = r#"{
            "tools": [{"container": {"file_ids": ["f1", "f2", "f1"]}}, {"vector_store_ids": ["v1"]}],
            "a_place_of_tomorrow": {"inside": [{"file_id": "f3"}]},
            "input": [{"content": [{"annotations": [{"file_id": "quoted"}]}], "results": [{"file_id": "quoted"}]}],
            "metadata": {"file_id": "a note"},
            "functions": [{"parameters": {"properties": {"file_id": {"default": "described"}}}}]
        }"#;
        let found = named(&Document::read(Bytes::from_static(body.as_bytes())).unwrap());
        let found: Vec<_> = found
            .iter()
            .map(|state| (state.kind, state.id.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("file", "f1"),
                ("file", "f2"),
                ("vector_store", "v1"),
                ("file", "f3")
            ]
        );
    }
}
