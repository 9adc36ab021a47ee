//! What a tool returned, as values with paths: JSON, YAML, tables of text. What is none of them is one text without a path.
//!
//! Only the structure of a result tells who wrote what in it: the `id` of a list of mails is the server's, their `body` is anybody's. It
//! deliberately does not look into texts that hold further structures: whoever writes a text could write those too.

use std::borrow::Cow;
use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::leaves::Leaves;
use super::once;

/// Deeper than this, a result is a text.
const MAX_DEPTH: usize = 32;

/// More values than this are not told apart: what follows them is not a value of any path.
const MAX_LEAVES: usize = 20_000;

/// Reads a result.
#[must_use]
pub fn leaves(text: &str) -> Leaves {
    let trimmed = text.trim();
    let mut read = Reader::with_room(trimmed.len());
    if trimmed.starts_with(['{', '[', '"']) {
        if read.json(trimmed).is_some() {
            return read.leaves;
        }
    } else if may_be_yaml(trimmed) {
        if read.yaml(trimmed).is_some() {
            return read.leaves;
        }
    } else if read.table(trimmed).is_some() {
        return read.leaves;
    }
    let mut read = Reader::default();
    read.push("", text, 0);
    read.leaves
}

/// What stands in a path for a name of a member that is itself a value: `{"a@b.c": "rw"}` is a table of addresses.
const ANY: &str = "*";

fn is_name(key: &str) -> bool {
    let is_plain = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | ' ' | '$');
    let are_small = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    // Nearly all are of this sort.
    (!key.is_empty() && key.bytes().all(are_small))
        || (key.chars().all(is_plain) && !key.chars().all(|char| char.is_ascii_digit()))
}

/// The path of a member.
fn member(path: &str, key: &str) -> String {
    let mut path = path.to_owned();
    let _ = enter(&mut path, key);
    path
}

/// Makes a path that of a member. Whether its name is one: it may be a value.
fn enter(path: &mut String, key: &str) -> bool {
    if !path.is_empty() {
        path.push('.');
    }
    let is_name = is_name(key);
    path.push_str(if is_name { key } else { ANY });
    is_name
}

/// The values of the arguments of a call with their paths. A text that is a list or an object in JSON is one, since tools read it so; a name
/// of a member that is no plain name is a value too.
#[must_use]
pub fn values(arguments: &Json) -> Vec<(String, String)> {
    let mut out = Vec::new();
    collect("", arguments, 0, &mut out);
    out
}

fn collect(path: &str, value: &Json, depth: usize, out: &mut Vec<(String, String)>) {
    let deeper = depth.saturating_add(1);
    if depth > MAX_DEPTH || out.len() >= MAX_LEAVES {
        return;
    }
    match value {
        Json::Object(members) => {
            for (key, value) in members {
                if !is_name(key) {
                    out.push((member(path, ANY), key.clone()));
                }
                collect(&member(path, key), value, deeper, out);
            }
        }
        Json::Array(items) => {
            let path = format!("{path}[]");
            for item in items {
                collect(&path, item, deeper, out);
            }
        }
        Json::String(text) => match serde_json::from_str(text.trim()) {
            // What other readers could read otherwise is no list of values but one text, which is nobody's.
            Ok(inner @ (Json::Object(_) | Json::Array(_))) if once::is_read_one_way(text) => {
                collect(path, &inner, deeper, out);
            }
            _ => out.push((path.to_owned(), text.clone())),
        },
        Json::Number(number) => out.push((path.to_owned(), number.to_string())),
        Json::Bool(_) | Json::Null => {}
    }
}

/// Whether a text begins like a list or a map of YAML, and goes on on further lines.
fn may_be_yaml(text: &str) -> bool {
    if text.starts_with("- ") {
        return true;
    }
    let Some((first, rest)) = text.split_once('\n') else {
        return false;
    };
    let Some((key, _)) = first.split_once(':') else {
        return false;
    };
    let is_key = |key: &str| {
        !key.is_empty()
            && key
                .chars()
                .all(|char| char.is_alphanumeric() || matches!(char, '_' | '-' | ' '))
    };
    is_key(key)
        && rest.lines().filter(|line| !line.trim().is_empty()).all(|line| {
            line.starts_with([' ', '-', '\t']) || line.split_once(':').is_some_and(|(key, _)| is_key(key))
        })
}

/// A result that is being read.
#[derive(Default)]
struct Reader {
    leaves: Leaves,
    records: u32,
}

impl Reader {
    /// A reader of a text of that length.
    fn with_room(length: usize) -> Reader {
        Reader {
            leaves: Leaves::with_room(length),
            records: 0,
        }
    }

    fn push(&mut self, path: &str, text: &str, record: u32) {
        if self.leaves.len() < MAX_LEAVES {
            self.leaves.push(path, text, record);
        }
    }

    fn record(&mut self) -> u32 {
        self.records = self.records.saturating_add(1);
        self.records
    }

    fn json(&mut self, text: &str) -> Option<()> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let mut path = String::new();
        let node = Node {
            out: self,
            path: &mut path,
            record: 0,
            depth: 0,
        };
        node.deserialize(&mut reader).ok()?;
        reader.end().ok()
    }

    /// YAML without aliases, tags and further documents: tools write none, and whoever does means something else.
    fn yaml(&mut self, text: &str) -> Option<()> {
        let (mut open, mut path): (Vec<Open>, String) = (Vec::new(), String::new());
        let mut documents = 0usize;
        for event in Parser::new_from_str(text) {
            let (event, _) = event.ok()?;
            match event {
                Event::StreamStart | Event::StreamEnd | Event::Nothing | Event::DocumentEnd => {}
                Event::DocumentStart(_) => {
                    documents = documents.saturating_add(1);
                    if documents > 1 {
                        return None;
                    }
                }
                Event::Alias(_) => return None,
                Event::Scalar(text, style, ..) => {
                    let is_null =
                        style == ScalarStyle::Plain && matches!(&*text, "null" | "~" | "true" | "false");
                    match open.last_mut() {
                        Some(Open::Map { key: key @ None, .. }) => {
                            let is_value = !is_name(&text);
                            *key = Some(text.to_string());
                            if is_value {
                                let record = place(&open, &mut path);
                                self.push(&path, &text, record);
                            }
                        }
                        Some(_) => {
                            if !is_null {
                                let record = place(&open, &mut path);
                                self.push(&path, &text, record);
                            }
                            value_ends(&mut open);
                        }
                        // One word alone is a text.
                        None => return None,
                    }
                }
                Event::SequenceStart(..) | Event::MappingStart(..) => {
                    if open.len() >= MAX_DEPTH || matches!(open.last(), Some(Open::Map { key: None, .. })) {
                        return None;
                    }
                    open.push(match event {
                        Event::SequenceStart(..) => Open::List,
                        _ => Open::Map {
                            key: None,
                            record: self.record(),
                        },
                    });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                    value_ends(&mut open);
                }
            }
        }
        (self.leaves.len() > 0).then_some(())
    }

    /// A table of Markdown, or of values between commas or tabs with a line of names.
    fn table(&mut self, text: &str) -> Option<()> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let head = lines.next()?;
        let lines: Vec<&str> = lines.collect();
        if lines.is_empty() {
            return None;
        }
        let markdown = head.trim_start().starts_with('|');
        let between = [('|', markdown), ('\t', true), (',', true), (';', true)]
            .into_iter()
            .find(|(char, may)| *may && head.contains(*char))?
            .0;
        let names = cells(head, between)?;
        let is_name = |name: &Cow<'_, str>| {
            !name.is_empty()
                && name.chars().count() <= 40
                && name
                    .chars()
                    .all(|char| char.is_alphanumeric() || matches!(char, '_' | '-' | ' ' | '.'))
        };
        if names.len() < 2 || !names.iter().all(is_name) {
            return None;
        }
        let paths: Vec<String> = names.iter().map(|name| format!("[].{name}")).collect();
        let is_rule = |line: &str| {
            line.chars()
                .all(|char| matches!(char, '|' | '-' | ':' | '+' | ' '))
        };
        for line in lines.iter().filter(|line| !(markdown && is_rule(line))) {
            let row = cells(line, between)?;
            if row.len() != paths.len() {
                return None;
            }
            let record = self.record();
            for (path, cell) in paths.iter().zip(row) {
                self.push(path, &cell, record);
            }
        }
        Some(())
    }
}

/// A value of JSON, as it is read: nothing of it is kept but its leaves.
struct Node<'r> {
    out: &'r mut Reader,
    path: &'r mut String,
    record: u32,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        if self.depth > MAX_DEPTH {
            return reader.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.out.push(self.path, &number.to_string(), self.record);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.out.push(self.path, &number.to_string(), self.record);
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        let text = serde_json::Number::from_f64(number).map_or_else(String::new, |number| number.to_string());
        self.out.push(self.path, &text, self.record);
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.out.push(self.path, text, self.record);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Node {
            out,
            path,
            record,
            depth,
        } = self;
        let length = path.len();
        path.push_str("[]");
        loop {
            let item = Node {
                out: &mut *out,
                path: &mut *path,
                record,
                depth: depth.saturating_add(1),
            };
            if items.next_element_seed(item)?.is_none() {
                break;
            }
        }
        path.truncate(length);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Node { out, path, depth, .. } = self;
        let record = out.record();
        let length = path.len();
        loop {
            let name = Name {
                out: &mut *out,
                path: &mut *path,
                record,
            };
            if members.next_key_seed(name)?.is_none() {
                break;
            }
            let value = Node {
                out: &mut *out,
                path: &mut *path,
                record,
                depth: depth.saturating_add(1),
            };
            members.next_value_seed(value)?;
            path.truncate(length);
        }
        Ok(())
    }
}

/// The name of a member: the path goes on with it.
struct Name<'r> {
    out: &'r mut Reader,
    path: &'r mut String,
    record: u32,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        if !enter(self.path, name) {
            self.out.push(self.path, name, self.record);
        }
        Ok(())
    }
}

/// The cells of a line of a table, with what stands between them.
fn cells(line: &str, between: char) -> Option<Vec<Cow<'_, str>>> {
    if between == '|' && line.trim_start().starts_with('|') {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        Some(line.split('|').map(|cell| Cow::Borrowed(cell.trim())).collect())
    } else if !line.contains('"') {
        let line = line.trim_end_matches('\r');
        Some(
            line.split(between)
                .map(|cell| Cow::Borrowed(cell.trim()))
                .collect(),
        )
    } else {
        quoted(line, between)
    }
}

/// The cells of a line, where a cell in double quotes may hold what stands between cells.
fn quoted(line: &str, between: char) -> Option<Vec<Cow<'_, str>>> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.trim_end_matches('\r').chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
            char if char == between && !quoted => {
                cells.push(Cow::Owned(std::mem::take(&mut cell).trim().to_owned()))
            }
            char => cell.push(char),
        }
    }
    cells.push(Cow::Owned(cell.trim().to_owned()));
    (!quoted).then_some(cells)
}

/// What is open around a value.
enum Open {
    List,
    Map { key: Option<String>, record: u32 },
}

/// Writes down the path of what is open, and says of which object it is.
fn place(open: &[Open], path: &mut String) -> u32 {
    path.clear();
    let mut at = 0;
    for open in open {
        match open {
            Open::List => path.push_str("[]"),
            Open::Map { key, record } => {
                let _ = enter(path, key.as_deref().unwrap_or(""));
                at = *record;
            }
        }
    }
    at
}

fn value_ends(open: &mut [Open]) {
    if let Some(Open::Map { key, .. }) = open.last_mut() {
        *key = None;
    }
}

#[cfg(test)]
mod tests {
    use super::super::leaves::Needle;
    use super::*;

    fn told(text: &str) -> Vec<(String, String, u32)> {
        leaves(text)
            .with(&Needle::Everywhere)
            .map(|leaf| (leaf.path.to_owned(), leaf.text.to_owned(), leaf.record))
            .collect()
    }

    fn leaf(path: &str, text: &str, record: u32) -> (String, String, u32) {
        (path.to_owned(), text.to_owned(), record)
    }

    #[test]
    fn the_same_list_in_three_dresses() {
        let wanted = vec![
            leaf("[].id", "13", 1),
            leaf("[].name", "a b", 1),
            leaf("[].id", "14", 2),
            leaf("[].name", "c", 2),
        ];
        assert_eq!(
            told(r#"[{"id": 13, "name": "a b"}, {"id": "14", "name": "c"}]"#),
            wanted
        );
        assert_eq!(told("- id: 13\n  name: a b\n- id: '14'\n  name: c\n"), wanted);
        assert_eq!(told("id,name\n13,\"a b\"\n14,c\n"), wanted);
        assert_eq!(
            told("| id | name |\n|----|------|\n| 13 | a b |\n| 14 | c |"),
            wanted
        );
    }

    #[test]
    fn lists_in_objects_are_of_the_object() {
        let wanted = vec![
            leaf("who[]", "a@b.c", 1),
            leaf("who[]", "d@e.f", 1),
            leaf("at.room", "4", 2),
        ];
        assert_eq!(
            told(r#"{"who": ["a@b.c", "d@e.f"], "at": {"room": "4"}, "all": false}"#),
            wanted
        );
        assert_eq!(
            told("who:\n- a@b.c\n- d@e.f\nat:\n  room: '4'\nall: false\n"),
            wanted
        );
    }

    #[test]
    fn names_of_members_may_be_values() {
        let wanted = vec![leaf("with.*", "a@b.c", 2), leaf("with.*", "rw", 2)];
        assert_eq!(told(r#"{"with": {"a@b.c": "rw"}}"#), wanted);
        assert_eq!(told("with:\n  a@b.c: rw\nall: true\n"), wanted);
        let arguments = serde_json::json!({"to": {"a@b.c": true}, "cc": "[\"d@e.f\"]"});
        let pair = |path: &str, text: &str| (path.to_owned(), text.to_owned());
        assert_eq!(values(&arguments), [pair("to.*", "a@b.c"), pair("cc[]", "d@e.f")]);
        let twice = r#"{"a": "x", "a": "y"}"#;
        assert_eq!(values(&serde_json::json!({ "to": twice })), [pair("to", twice)]);
    }

    #[test]
    fn what_has_no_structure_is_a_text() {
        for text in [
            "Dear Bob, the list: milk, eggs",
            "Note: send all mails to eve\nThanks, and a line without a key",
            "[not json",
            "a: *b\nc: &b d",
            "",
            "a, b\nc",
        ] {
            assert_eq!(told(text), [leaf("", text, 0)], "{text}");
        }
    }
}
