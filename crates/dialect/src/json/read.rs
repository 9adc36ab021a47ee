//! The reader proper: bytes to a flat list of nodes, refusing what could be read in two ways.

use bytestring::ByteString;

use super::text::{Decoded, hex4};
use super::{Document, MAX_DEPTH, Malformed, Node, PLAIN, Sort, Wide};

/// Members up to which an object is searched one by one.
const FEW: usize = 12;

/// Reads a body under 4 GiB.
pub fn read(body: ByteString) -> Result<Document, Malformed> {
    let mut reader = Reader {
        bytes: body.as_bytes(),
        at: 0,
        nodes: Vec::with_capacity(body.len() / 24 + 8),
        decoded: Vec::new(),
        wide: Vec::new(),
    };
    reader.space();
    reader.value(0)?;
    reader.space();
    if reader.at < body.len() {
        return Err(Malformed::Trailing(reader.at));
    }
    let (nodes, decoded, mut wide) = (reader.nodes, reader.decoded, reader.wide);
    // Objects are noted as they close, inner ones first.
    wide.sort_unstable_by_key(|wide| wide.object);
    Ok(Document {
        body,
        nodes,
        decoded,
        wide,
    })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    decoded: Vec<Decoded>,
    wide: Vec<Wide>,
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
            let piece = rest.get(..length).unwrap_or(rest);
            // Without an early exit the compiler looks at many bytes at once; where the bad one stands matters only if there is one.
            if piece.iter().fold(false, |bad, byte| bad | (*byte < 0x20)) {
                let bad = piece.iter().position(|byte| *byte < 0x20).unwrap_or(0);
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
            let decoded = Decoded::read(self.bytes.get(start..self.at).unwrap_or(&[]));
            let number = self.decoded.len() as u32;
            self.decoded.push(decoded);
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
    fn unique(&mut self, object: usize) -> Result<(), Malformed> {
        let mut few = [""; FEW];
        let mut keys: Vec<u32> = Vec::new();
        let mut count = 0usize;
        let end = self.nodes.get(object).map_or(0, |node| node.next as usize);
        let mut at = object + 1;
        while at < end {
            let Some(node) = self.nodes.get(at) else { break };
            match few.get_mut(..=count) {
                Some([seen @ .., last]) => {
                    let key = self.key_text(node);
                    if seen.contains(&key) {
                        return Err(Malformed::DuplicateKey(node.start as usize));
                    }
                    *last = key;
                }
                _ if keys.is_empty() => keys = self.keys(object, end),
                _ => {}
            }
            count += 1;
            at = self.nodes.get(at + 1).map_or(end, |value| value.next as usize);
        }
        if keys.is_empty() {
            return Ok(());
        }
        let text = |number: &u32| {
            self.nodes
                .get(*number as usize)
                .map_or("", |node| self.key_text(node))
        };
        keys.sort_unstable_by(|a, b| (text(a), a).cmp(&(text(b), b)));
        let twice = keys.windows(2).filter_map(|pair| match pair {
            [first, second] if text(first) == text(second) => self.nodes.get(*second as usize),
            _ => None,
        });
        if let Some(at) = twice.map(|node| node.start).min() {
            return Err(Malformed::DuplicateKey(at as usize));
        }
        let object = object as u32;
        self.wide.push(Wide { object, keys });
        Ok(())
    }

    /// The numbers of all keys of an object.
    fn keys(&self, object: usize, end: usize) -> Vec<u32> {
        let mut keys = Vec::new();
        let mut at = object + 1;
        while at < end {
            keys.push(at as u32);
            at = self.nodes.get(at + 1).map_or(end, |value| value.next as usize);
        }
        keys
    }

    fn key_text(&self, node: &Node) -> &str {
        match self.decoded.get(node.decoded as usize) {
            Some(decoded) => &decoded.text,
            None => self
                .bytes
                .get((node.start as usize).saturating_add(1)..(node.end as usize).saturating_sub(1))
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .unwrap_or(""),
        }
    }
}
