//! The one reading of a JSON body: strict, flat, and with every byte's place kept.
//!
//! The reader refuses whatever another parser could read otherwise: duplicate keys, invalid UTF-8, lone surrogates,
//! nesting over [`MAX_DEPTH`], bytes after the value. It never rewrites anything: a [`Document`] is the original bytes and a
//! flat list of nodes that point into them, so that what was not touched goes on byte for byte.

mod read;
mod text;

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;
use thiserror::Error;

use text::Decoded;
pub use text::{escape_into, quoted};

/// Containers inside containers that are still read. Providers stay under 20; parsers that recurse break at some thousands.
pub const MAX_DEPTH: usize = 64;

/// Why a body was not read. The offset counts bytes from the start of the body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Not UTF-8.
    #[error("the body is not valid UTF-8 at byte {0}")]
    NotUtf8(usize),
    /// Not JSON.
    #[error("the body is not valid JSON: {what} at byte {at}")]
    Syntax {
        /// What was wrong.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// One object names a member twice; parsers disagree on which of them counts.
    #[error("an object names the same key twice at byte {0}")]
    DuplicateKey(usize),
    /// `\ud800` without its other half; parsers disagree on what it stands for.
    #[error("a string holds half of a surrogate pair at byte {0}")]
    LoneSurrogate(usize),
    /// More than [`MAX_DEPTH`] levels.
    #[error("the body is nested deeper than {MAX_DEPTH} levels at byte {0}")]
    TooDeep(usize),
    /// Something follows the value.
    #[error("bytes follow the JSON value at byte {0}")]
    Trailing(usize),
    /// Longer than this reader counts (4 GiB); far above any configured limit.
    #[error("the body is too large to be read")]
    TooLarge,
    /// Well-formed, but not what the endpoint takes.
    #[error("{0}")]
    Shape(String),
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// `{…}`: followed by its keys and values in turn.
    Object,
    /// `[…]`: followed by its values.
    Array,
    /// The name of a member; the next node is its value.
    Key,
    /// A string.
    String,
    /// A number, kept as written.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
}

/// The number of a node in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

#[derive(Clone, Copy, Debug)]
struct Node {
    sort: Sort,
    /// Bytes of the wire form, quotes and brackets included.
    start: u32,
    end: u32,
    /// The first node that is not inside this one.
    next: u32,
    /// For strings and keys with escapes: their decoded form is `decoded[this]`; otherwise `PLAIN`.
    decoded: u32,
}

const PLAIN: u32 = u32::MAX;

/// A body that was read: its bytes and where everything stands in them.
#[derive(Clone, Debug)]
pub struct Document {
    body: ByteString,
    nodes: Vec<Node>,
    decoded: Vec<Decoded>,
    wide: Vec<Wide>,
}

/// The keys of an object with many members, in order of their text. Labels ask for members at every leaf: without this, an
/// object of a million members would be read a million times.
#[derive(Clone, Debug)]
struct Wide {
    object: u32,
    keys: Vec<u32>,
}

impl Document {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Malformed`] where the bytes are not exactly one JSON value that every parser reads the same way.
    pub fn read(bytes: Bytes) -> Result<Document, Malformed> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(Malformed::TooLarge);
        }
        let valid = std::str::from_utf8(&bytes).err().map(|error| error.valid_up_to());
        let body = ByteString::try_from(bytes).map_err(|_| Malformed::NotUtf8(valid.unwrap_or(0)))?;
        read::read(body)
    }

    /// A document that holds `null`.
    pub(crate) fn empty() -> Document {
        Document {
            body: ByteString::from_static("null"),
            nodes: Vec::new(),
            decoded: Vec::new(),
            wide: Vec::new(),
        }
    }

    /// The bytes as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.body.as_bytes()
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// What the node is.
    #[must_use]
    pub fn sort(&self, id: NodeId) -> Sort {
        self.node(id).map_or(Sort::Null, |node| node.sort)
    }

    /// The bytes of the node's wire form.
    #[must_use]
    pub fn range(&self, id: NodeId) -> Range<usize> {
        self.node(id)
            .map_or(0..0, |node| node.start as usize..node.end as usize)
    }

    /// The text of a string, key, number, bool or null: decoded for strings and keys, as written otherwise; empty for containers.
    #[must_use]
    pub fn text(&self, id: NodeId) -> &str {
        let Some(node) = self.node(id) else { return "" };
        let (start, end) = (node.start as usize, node.end as usize);
        let range = match node.sort {
            Sort::Object | Sort::Array => return "",
            Sort::String | Sort::Key => match self.decoded.get(node.decoded as usize) {
                Some(decoded) => return &decoded.text,
                None => start.saturating_add(1)..end.saturating_sub(1),
            },
            Sort::Number | Sort::Bool | Sort::Null => start..end,
        };
        self.body.get(range).unwrap_or("")
    }

    /// The node as it stands in the body.
    #[must_use]
    pub fn wire(&self, id: NodeId) -> &str {
        self.body.get(self.range(id)).unwrap_or("")
    }

    /// The value of a member of an object.
    #[must_use]
    pub fn member(&self, object: NodeId, key: &str) -> Option<NodeId> {
        if let Ok(at) = self.wide.binary_search_by_key(&object.0, |wide| wide.object) {
            let keys = &self.wide.get(at)?.keys;
            let at = keys
                .binary_search_by(|number| self.text(NodeId(*number)).cmp(key))
                .ok()?;
            return Some(NodeId(keys.get(at)?.saturating_add(1)));
        }
        self.members(object)
            .find(|(name, _)| self.text(*name) == key)
            .map(|(_, value)| value)
    }

    /// The value at a path of keys, from the root.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<NodeId> {
        path.iter()
            .try_fold(self.root(), |node, key| self.member(node, key))
    }

    /// The string at a path of keys.
    #[must_use]
    pub fn str_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path).and_then(|node| self.as_str(node))
    }

    /// The text of a node that is a string.
    #[must_use]
    pub fn as_str(&self, id: NodeId) -> Option<&str> {
        (self.sort(id) == Sort::String).then(|| self.text(id))
    }

    /// The value of a node that is a whole number from 0.
    #[must_use]
    pub fn as_u64(&self, id: NodeId) -> Option<u64> {
        (self.sort(id) == Sort::Number)
            .then(|| self.text(id).parse().ok())
            .flatten()
    }

    /// The value of a node that is `true` or `false`.
    #[must_use]
    pub fn as_bool(&self, id: NodeId) -> Option<bool> {
        (self.sort(id) == Sort::Bool).then(|| self.text(id) == "true")
    }

    /// Keys and values of an object, in order; nothing for other nodes.
    pub fn members(&self, object: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        let (mut at, end) = self.inside(object, Sort::Object);
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let (key, value) = (NodeId(at), NodeId(at.saturating_add(1)));
            at = self.after(value);
            Some((key, value))
        })
    }

    /// The values of an array, in order; nothing for other nodes.
    pub fn items(&self, array: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let (mut at, end) = self.inside(array, Sort::Array);
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let item = NodeId(at);
            at = self.after(item);
            Some(item)
        })
    }

    /// The path of a node, as `messages[0].content`; keys that are not plain words are quoted.
    #[must_use]
    pub fn path(&self, wanted: NodeId) -> String {
        let mut path = String::new();
        let mut node = self.root();
        while node != wanted {
            let Some(child) = self.child_holding(node, wanted, &mut path) else {
                break;
            };
            node = child;
        }
        path
    }

    /// The bytes to delete so that `object` loses its member `key`, one comma included.
    #[must_use]
    pub fn removal(&self, object: NodeId, key: &str) -> Option<Range<usize>> {
        let members: Vec<_> = self.members(object).collect();
        let index = members.iter().position(|(name, _)| self.text(*name) == key)?;
        let (name, value) = members.get(index)?;
        if let Some((following, _)) = members.get(index.saturating_add(1)) {
            return Some(self.range(*name).start..self.range(*following).start);
        }
        let start = match index.checked_sub(1).and_then(|before| members.get(before)) {
            Some((_, before)) => self.range(*before).end,
            None => self.range(*name).start,
        };
        Some(start..self.range(*value).end)
    }

    /// The bytes of the wire form that stand for `span` of the decoded text of a string or key.
    #[must_use]
    pub fn wire_range(&self, id: NodeId, span: Range<usize>) -> Range<usize> {
        let Some(node) = self.node(id) else { return 0..0 };
        let quoted = matches!(node.sort, Sort::String | Sort::Key);
        let start = (node.start as usize).saturating_add(usize::from(quoted));
        let Some(decoded) = self.decoded.get(node.decoded as usize) else {
            return start.saturating_add(span.start)..start.saturating_add(span.end);
        };
        let wire = self
            .body
            .as_bytes()
            .get(start..(node.end as usize).saturating_sub(1))
            .unwrap_or(&[]);
        let place = |offset| start.saturating_add(decoded.on_wire(wire, offset));
        place(span.start)..place(span.end)
    }

    fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    fn after(&self, id: NodeId) -> u32 {
        // A node that is not there would never advance: report the end instead.
        self.node(id).map_or(u32::MAX, |node| node.next)
    }

    fn inside(&self, id: NodeId, sort: Sort) -> (u32, u32) {
        match self.node(id) {
            Some(node) if node.sort == sort => (id.0.saturating_add(1), node.next),
            _ => (0, 0),
        }
    }

    fn child_holding(&self, node: NodeId, wanted: NodeId, path: &mut String) -> Option<NodeId> {
        use std::fmt::Write as _;
        match self.sort(node) {
            Sort::Object => {
                let (key, value) = self.members(node).find(|(key, value)| {
                    *key == wanted || (*value <= wanted && wanted.0 < self.after(*value))
                })?;
                push_key(path, self.text(key));
                if key == wanted {
                    // A key has the path of its member, marked.
                    path.push('~');
                    return Some(key);
                }
                Some(value)
            }
            Sort::Array => {
                let (index, item) = self
                    .items(node)
                    .enumerate()
                    .find(|(_, item)| *item <= wanted && wanted.0 < self.after(*item))?;
                let _ = write!(path, "[{index}]");
                Some(item)
            }
            _ => None,
        }
    }
}

/// The path of those steps, as [`Document::path`] gives it.
pub(crate) fn path_of(steps: &[crate::reading::Seg<'_>]) -> String {
    use crate::reading::Seg;
    use std::fmt::Write as _;
    let mut path = String::new();
    for step in steps {
        match step {
            Seg::Key(key) => push_key(&mut path, key),
            Seg::Index(index) => {
                let _ = write!(path, "[{index}]");
            }
        }
    }
    path
}

/// Appends a key to a path. Keys come from clients: odd ones are shortened and escaped, since paths reach logs.
fn push_key(path: &mut String, key: &str) {
    use std::fmt::Write as _;
    let plain = !key.is_empty()
        && key.len() <= 64
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_$-".contains(&b));
    if plain {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        // The text of an odd key may itself be what must not be recorded.
        let _ = write!(path, "[key of {} bytes]", key.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(members: usize, also: &str) -> Bytes {
        let mut body = String::from("{");
        for number in 0..members {
            body.push_str(&format!(r#""member {number}":[{{"a\u0062{number}":{number}}}],"#));
        }
        Bytes::from(format!("{body}{also}}}"))
    }

    #[test]
    fn members_are_found_in_objects_of_any_width() {
        for members in [0, 1, 10, 11, 12, 13, 14, 500] {
            let document = Document::read(wide(members, r#""la\u0073t":{"x":"y"}"#)).unwrap();
            for number in 0..members {
                let inner = document.at(&[&format!("member {number}")]).unwrap();
                let inner = document.items(inner).next().unwrap();
                let value = document.member(inner, &format!("ab{number}")).unwrap();
                assert_eq!(document.as_u64(value), u64::try_from(number).ok());
            }
            assert_eq!(document.str_at(&["last", "x"]), Some("y"));
            assert_eq!(document.at(&["member"]), None);
            assert_eq!(document.at(&["member 500"]), None);
        }
    }

    #[test]
    fn a_key_that_comes_twice_is_refused_in_objects_of_any_width() {
        for members in [1, 11, 12, 13, 500] {
            let body = wide(members, r#""member \u0030":1"#);
            let twice = body.len() - r#""member \u0030":1}"#.len();
            assert_eq!(Document::read(body).unwrap_err(), Malformed::DuplicateKey(twice));
        }
    }

    #[test]
    fn a_path_made_of_steps_is_the_path_that_is_searched_for() {
        use crate::reading::{Label, Reading};
        use portcullis_core::{Channel, UninspectableKind};
        let body = Bytes::from_static(br#"{"a":[{"b":"x"},{"an odd key":["y"]}],"list":[[1,2]]}"#);
        let document = Document::read(body).unwrap();
        let reading = Reading::of(document, |_| {
            Label::opaque(Channel::User, UninspectableKind::File)
        });
        let blind: Vec<_> = reading
            .uninspectable()
            .iter()
            .map(|blind| blind.path.clone())
            .collect();
        assert_eq!(blind, ["a[0].b", "a[1][key of 10 bytes][0]", "list[0]"]);
        let parts = reading.parts().filter(|part| part.text.len() == 1);
        let parts: Vec<_> = parts.map(|part| reading.path(part.id)).collect();
        assert_eq!(parts, blind[..2]);
    }
}
