//! The one reading of a JSON body: strict, flat, and with every byte's place kept.
//!
//! The reader refuses whatever another parser could read otherwise: duplicate keys, invalid UTF-8, lone surrogates,
//! nesting over [`MAX_DEPTH`], bytes after the value. It never rewrites anything: a [`Document`] is the original bytes and a
//! flat list of nodes that point into them, so that what was not touched goes on byte for byte.

use std::collections::HashSet;
use std::ops::Range;

use bytes::Bytes;
use thiserror::Error;

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
    bytes: Bytes,
    nodes: Vec<Node>,
    decoded: Vec<Box<str>>,
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
        if let Err(error) = std::str::from_utf8(&bytes) {
            return Err(Malformed::NotUtf8(error.valid_up_to()));
        }
        let mut reader = Reader {
            bytes: &bytes,
            at: 0,
            nodes: Vec::with_capacity(bytes.len() / 24 + 8),
            decoded: Vec::new(),
        };
        reader.space();
        reader.value(0)?;
        reader.space();
        if reader.at < bytes.len() {
            return Err(Malformed::Trailing(reader.at));
        }
        let (nodes, decoded) = (reader.nodes, reader.decoded);
        Ok(Document {
            bytes,
            nodes,
            decoded,
        })
    }

    /// A document that holds `null`.
    pub(crate) fn empty() -> Document {
        Document {
            bytes: Bytes::from_static(b"null"),
            nodes: Vec::new(),
            decoded: Vec::new(),
        }
    }

    /// The bytes as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
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
                Some(text) => return text,
                None => start.saturating_add(1)..end.saturating_sub(1),
            },
            Sort::Number | Sort::Bool | Sort::Null => start..end,
        };
        self.bytes
            .get(range)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or("")
    }

    /// The value of a member of an object.
    #[must_use]
    pub fn member(&self, object: NodeId, key: &str) -> Option<NodeId> {
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
        if node.decoded == PLAIN {
            return start.saturating_add(span.start)..start.saturating_add(span.end);
        }
        let wire = self
            .bytes
            .get(start..(node.end as usize).saturating_sub(1))
            .unwrap_or(&[]);
        let (mut from, mut to) = (None, None);
        let (mut at, mut text) = (0usize, 0usize);
        while at < wire.len() {
            if text >= span.start && from.is_none() {
                from = Some(at);
            }
            if text >= span.end {
                to = Some(at);
                break;
            }
            let (step, length) = unit(wire.get(at..).unwrap_or(&[]));
            at = at.saturating_add(step);
            text = text.saturating_add(length);
        }
        let from = from.unwrap_or(wire.len());
        start.saturating_add(from)..start.saturating_add(to.unwrap_or(wire.len()))
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

/// Length of the first escape or character on the wire, and of what it stands for in UTF-8.
fn unit(wire: &[u8]) -> (usize, usize) {
    match wire {
        [b'\\', b'u', rest @ ..] => {
            let code = hex4(rest).unwrap_or(0);
            if (0xd800..0xdc00).contains(&code) {
                (12, 4)
            } else {
                (6, char::from_u32(code).map_or(3, char::len_utf8))
            }
        }
        [b'\\', ..] => (2, 1),
        [first, ..] => {
            let length = match first {
                0xf0.. => 4,
                0xe0.. => 3,
                0xc0.. => 2,
                _ => 1,
            };
            (length, length)
        }
        [] => (1, 1),
    }
}

fn hex4(bytes: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(bytes.get(..4)?).ok()?;
    // `from_str_radix` takes a sign, JSON does not.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    decoded: Vec<Box<str>>,
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "`Document::read` refuses bodies over 4 GiB, and there are fewer nodes than bytes"
)]
impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.step();
        }
    }

    fn syntax<T>(&self, what: &'static str) -> Result<T, Malformed> {
        Err(Malformed::Syntax { what, at: self.at })
    }

    fn open(&mut self, sort: Sort) -> usize {
        self.nodes.push(Node {
            sort,
            start: self.at as u32,
            end: 0,
            next: 0,
            decoded: PLAIN,
        });
        self.nodes.len() - 1
    }

    fn close(&mut self, index: usize) {
        let (end, next) = (self.at as u32, self.nodes.len() as u32);
        if let Some(node) = self.nodes.get_mut(index) {
            node.end = end;
            node.next = next;
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Malformed> {
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(Sort::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Sort::Bool),
            Some(b'f') => self.word(b"false", Sort::Bool),
            Some(b'n') => self.word(b"null", Sort::Null),
            Some(_) => self.syntax("no value begins with this"),
            None => self.syntax("the body ends early"),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Malformed> {
        if depth >= MAX_DEPTH {
            return Err(Malformed::TooDeep(self.at));
        }
        let index = self.open(Sort::Object);
        self.step();
        self.space();
        if self.peek() == Some(b'}') {
            self.step();
            self.close(index);
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.syntax("a key was expected");
            }
            self.string(Sort::Key)?;
            self.space();
            if self.peek() != Some(b':') {
                return self.syntax("a colon was expected");
            }
            self.step();
            self.space();
            self.value(depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.step();
                    self.space();
                }
                Some(b'}') => {
                    self.step();
                    self.close(index);
                    return self.unique(index);
                }
                _ => return self.syntax("a comma or a closing brace was expected"),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Malformed> {
        if depth >= MAX_DEPTH {
            return Err(Malformed::TooDeep(self.at));
        }
        let index = self.open(Sort::Array);
        self.step();
        self.space();
        if self.peek() == Some(b']') {
            self.step();
            self.close(index);
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => {
                    self.step();
                    self.space();
                }
                Some(b']') => {
                    self.step();
                    self.close(index);
                    return Ok(());
                }
                _ => return self.syntax("a comma or a closing bracket was expected"),
            }
        }
    }

    fn string(&mut self, sort: Sort) -> Result<(), Malformed> {
        let index = self.open(sort);
        self.step();
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or(&[]);
            let Some(length) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.bytes.len();
                return self.syntax("a string does not end");
            };
            if let Some(bad) = rest.iter().take(length).position(|b| *b < 0x20) {
                self.at = self.at.saturating_add(bad);
                return self.syntax("a control character stands in a string");
            }
            self.at = self.at.saturating_add(length);
            if self.peek() == Some(b'"') {
                break;
            }
            escaped = true;
            self.escape()?;
        }
        if escaped {
            let text = decode(self.bytes.get(start..self.at).unwrap_or(&[]));
            let number = self.decoded.len() as u32;
            self.decoded.push(text.into_boxed_str());
            if let Some(node) = self.nodes.get_mut(index) {
                node.decoded = number;
            }
        }
        self.step();
        self.close(index);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        match rest {
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => {
                self.at = self.at.saturating_add(2);
                Ok(())
            }
            [b'\\', b'u', code @ ..] => {
                let Some(high) = hex4(code) else {
                    return self.syntax("an escape is not four hex digits");
                };
                match high {
                    0xd800..0xdc00 => {
                        let low = match code.get(4..) {
                            Some([b'\\', b'u', low @ ..]) => hex4(low),
                            _ => None,
                        };
                        if !low.is_some_and(|low| (0xdc00..0xe000).contains(&low)) {
                            return Err(Malformed::LoneSurrogate(self.at));
                        }
                        self.at = self.at.saturating_add(12);
                    }
                    0xdc00..0xe000 => return Err(Malformed::LoneSurrogate(self.at)),
                    _ => self.at = self.at.saturating_add(6),
                }
                Ok(())
            }
            _ => self.syntax("no such escape"),
        }
    }

    fn number(&mut self) -> Result<(), Malformed> {
        let index = self.open(Sort::Number);
        if self.peek() == Some(b'-') {
            self.step();
        }
        match self.peek() {
            Some(b'0') => self.step(),
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.syntax("a digit was expected"),
        }
        if self.peek() == Some(b'.') {
            self.step();
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.syntax("a digit was expected");
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.step();
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.step();
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.syntax("a digit was expected");
            }
            self.digits();
        }
        self.close(index);
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.step();
        }
    }

    fn word(&mut self, word: &[u8], sort: Sort) -> Result<(), Malformed> {
        let index = self.open(sort);
        if !self.bytes.get(self.at..).unwrap_or(&[]).starts_with(word) {
            return self.syntax("no such word");
        }
        self.at = self.at.saturating_add(word.len());
        self.close(index);
        Ok(())
    }

    /// Refuses the object if two of its keys are the same text.
    fn unique(&self, object: usize) -> Result<(), Malformed> {
        let mut few: [&str; 12] = [""; 12];
        let mut many: Option<HashSet<&str>> = None;
        let mut count = 0usize;
        let end = self.nodes.get(object).map_or(0, |node| node.next as usize);
        let mut at = object + 1;
        while at < end {
            let Some(node) = self.nodes.get(at) else { break };
            let key = self.key_text(node);
            let fresh = match (&mut many, few.get_mut(..=count)) {
                (Some(set), _) => set.insert(key),
                (None, Some(seen)) => {
                    let fresh = !seen.iter().take(count).any(|other| *other == key);
                    if let Some(last) = seen.last_mut() {
                        *last = key;
                    }
                    fresh
                }
                (None, None) => {
                    let mut set: HashSet<&str> = few.iter().copied().collect();
                    let fresh = set.insert(key);
                    many = Some(set);
                    fresh
                }
            };
            if !fresh {
                return Err(Malformed::DuplicateKey(node.start as usize));
            }
            count += 1;
            at = self.nodes.get(at + 1).map_or(end, |value| value.next as usize);
        }
        Ok(())
    }

    fn key_text(&self, node: &Node) -> &str {
        match self.decoded.get(node.decoded as usize) {
            Some(text) => text,
            None => self
                .bytes
                .get((node.start as usize).saturating_add(1)..(node.end as usize).saturating_sub(1))
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .unwrap_or(""),
        }
    }
}

/// Decodes the inside of a string whose escapes were checked.
fn decode(wire: &[u8]) -> String {
    let mut text = Vec::with_capacity(wire.len());
    let mut at = 0usize;
    while let Some(rest) = wire.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        text.extend_from_slice(rest.get(..plain).unwrap_or(&[]));
        let rest = rest.get(plain..).unwrap_or(&[]);
        let (step, _) = unit(rest);
        match rest {
            [b'\\', b'u', code @ ..] => {
                let high = hex4(code).unwrap_or(0);
                let scalar = if (0xd800..0xdc00).contains(&high) {
                    let low = code.get(6..).and_then(hex4).unwrap_or(0xdc00);
                    0x10000 + ((high - 0xd800) << 10) + low.saturating_sub(0xdc00)
                } else {
                    high
                };
                let mut buffer = [0; 4];
                let character = char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER);
                text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
            [b'\\', letter, ..] => text.push(match letter {
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                other => *other,
            }),
            _ => break,
        }
        at = at.saturating_add(plain).saturating_add(step);
    }
    String::from_utf8(text).unwrap_or_default()
}

/// Appends `text` as the inside of a JSON string.
pub fn escape_into(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
}

/// `text` as a JSON string, quotes included.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape_into(&mut out, text);
    out.push('"');
    out
}
