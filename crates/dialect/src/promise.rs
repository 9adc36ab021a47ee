//! What a request says its reply must be, and where a reply says what is held to it. Whoever validates is elsewhere: here are places only.

use portcullis_core::Lane;

use crate::json::{Document, NodeId, Sort};

/// What a request says its reply must be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// What the text of every answer must be.
    pub text: Option<Form>,
    /// What the arguments of a tool must be, by its name: JSON schemas, as JSON.
    pub tools: Vec<(String, String)>,
}

/// What an answer must be. Schemas are JSON schemas as JSON, whatever the dialect calls them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON object.
    Object,
    /// JSON.
    Json,
    /// JSON that fits a schema.
    Schema(String),
    /// A text that fits a schema as a JSON string would.
    Text(String),
}

/// An answer of a reply: the texts that a client reads one behind the other.
pub type Answer = Vec<NodeId>;

/// A tool call, or what an event says of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The tool, as far as it is said here; empty where it is not.
    pub name: String,
    /// The lane in which its arguments come, in a stream.
    pub lane: Option<Lane>,
    /// Its arguments, where they are whole here: JSON in a string, or a value.
    pub arguments: Option<NodeId>,
}

/// The texts of the items of an array whose `type` is `sort`, or the text itself where there is no array.
pub(crate) fn texts(document: &Document, content: NodeId, sort: &str) -> Answer {
    match document.sort(content) {
        Sort::String => vec![content],
        _ => document
            .items(content)
            .filter(|item| is(document, *item, sort))
            .filter_map(|item| document.member(item, "text"))
            .filter(|text| document.sort(*text) == Sort::String)
            .collect(),
    }
}

/// Whether an object says that `type`.
pub(crate) fn is(document: &Document, object: NodeId, sort: &str) -> bool {
    text(document, object, "type") == sort
}

/// The text of a member; empty where there is none.
pub(crate) fn text<'d>(document: &'d Document, object: NodeId, key: &str) -> &'d str {
    document
        .member(object, key)
        .and_then(|node| document.as_str(node))
        .unwrap_or("")
}

/// A member that is `true`.
pub(crate) fn holds(document: &Document, object: NodeId, key: &str) -> bool {
    document
        .member(object, key)
        .and_then(|node| document.as_bool(node))
        == Some(true)
}

/// What a format of the shape `{"type": "json_schema", "schema": …}` asks for.
pub(crate) fn form(document: &Document, format: NodeId, schema: Option<NodeId>) -> Option<Form> {
    match text(document, format, "type") {
        "json_object" => Some(Form::Object),
        "json_schema" => Some(match schema {
            Some(schema) => Form::Schema(document.wire(schema).to_owned()),
            None => Form::Json,
        }),
        _ => None,
    }
}

/// The schemas of tools that are called strictly: each with its name under `name`, its schema under `schema`.
pub(crate) fn strict<'d>(
    document: &'d Document,
    tools: impl Iterator<Item = NodeId> + 'd,
    schema: &'d str,
) -> impl Iterator<Item = (String, String)> + 'd {
    tools
        .filter(|tool| holds(document, *tool, "strict"))
        .filter_map(move |tool| {
            let schema = document.member(tool, schema)?;
            Some((
                text(document, tool, "name").to_owned(),
                document.wire(schema).to_owned(),
            ))
        })
}
