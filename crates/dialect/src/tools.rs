//! Tools in a wire format: what a request offers, what was called and returned in it, what a reply calls, and how a call that may not go
//! through is taken out of a reply. Whether it may is decided elsewhere.

use portcullis_core::Lane;

use crate::json::{Document, NodeId, Sort};
use crate::patch::Edit;

/// One thing that happened in a conversation, as a request tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Somebody said something. Who it was, the surface says of the text: a client may have lowered its trust.
    Said(NodeId),
    /// The model called a tool.
    Called {
        /// What its result refers to; empty where the dialect has no ids.
        id: String,
        /// The tool.
        name: String,
        /// Its arguments: JSON in a string, or a value.
        arguments: Option<NodeId>,
    },
    /// A tool returned something.
    Returned {
        /// The call that it answers.
        call: String,
        /// The tool, where the result itself says so.
        name: Option<String>,
        /// What it returned: texts that are read one behind the other, or a value.
        content: Vec<NodeId>,
    },
}

/// A tool that a request offers to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name; for a tool that the provider itself runs, its type.
    pub name: String,
    /// The description, if it has one.
    pub about: Option<NodeId>,
    /// The JSON schema of its arguments, if it has one.
    pub schema: Option<NodeId>,
    /// Its definition with everything in it, where the client gives one.
    pub whole: Option<NodeId>,
    /// Whether the provider runs it: no call of it comes by here before it is made.
    pub provided: bool,
}

/// A call in a reply, or what an event says of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The tool, as far as it is said here; empty where it is not.
    pub name: String,
    /// The lane in which its arguments come, in a stream that brings them in pieces.
    pub lane: Option<Lane>,
    /// Its arguments, where they are whole here.
    pub arguments: Option<NodeId>,
    /// The call: what [`crate::Exchange::deny`] and [`crate::Exchange::deny_event`] are told.
    pub node: NodeId,
    /// The choice that it is of.
    pub group: u32,
}

/// A call of an event that may not go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedLane<'t> {
    /// The lane of its arguments.
    pub lane: Lane,
    /// What is told in its place; `None` where that was told by an event before.
    pub told: Option<&'t str>,
}

/// What becomes of an event of a call that may not go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Altered {
    /// It is not of that call.
    Not,
    /// It is not sent.
    Gone,
    /// It is sent with these edits.
    Edited(Vec<Edit>),
    /// These events are sent in its place, as bytes.
    Instead(String),
}

impl Offer {
    /// A tool that the provider runs.
    pub(crate) fn provided(name: impl Into<String>) -> Offer {
        Offer {
            name: name.into(),
            about: None,
            schema: None,
            whole: None,
            provided: true,
        }
    }
}

/// A member that is there and not null.
pub(crate) fn set(document: &Document, object: NodeId, key: &str) -> Option<NodeId> {
    document
        .member(object, key)
        .filter(|node| document.sort(*node) != Sort::Null)
}

/// The items of a list, if there is one.
pub(crate) fn items(document: &Document, list: Option<NodeId>) -> impl Iterator<Item = NodeId> + '_ {
    list.into_iter().flat_map(|list| document.items(list))
}

/// What is told in the place of a call that may not go through.
pub(crate) fn told<'t>(denied: &[(NodeId, &'t str)], call: NodeId) -> Option<&'t str> {
    let mut denied = denied.iter();
    denied.find(|(node, _)| *node == call).map(|(_, told)| *told)
}

/// An event in the place of another, as its dialect names events.
pub(crate) fn named_event(name: &str, data: &str) -> String {
    // JSON has line breaks between its values only: there they would end the line of the event.
    let data = data.replace(['\n', '\r'], " ");
    format!("event: {name}\ndata: {data}\n\n")
}

/// The texts of a content that is a string, or a list of parts with a text each.
pub(crate) fn texts(document: &Document, content: Option<NodeId>) -> Vec<NodeId> {
    let Some(content) = content else {
        return Vec::new();
    };
    match document.sort(content) {
        Sort::String => vec![content],
        Sort::Array => document
            .items(content)
            .filter_map(|item| match document.sort(item) {
                Sort::String => Some(item),
                _ => document
                    .member(item, "text")
                    .filter(|text| document.sort(*text) == Sort::String),
            })
            .collect(),
        _ => Vec::new(),
    }
}
