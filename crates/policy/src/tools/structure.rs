//! What a tool returned, as values with paths: JSON, YAML, tables of text. What is none of them is one text without a path.
//!
//! Only the structure of a result tells who wrote what in it: the `id` of a list of mails is the server's, their `body` is anybody's. It
//! deliberately does not look into texts that hold further structures: whoever writes a text could write those too.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value as Json;

use super::folded::Folded;
use super::once;

/// Deeper than this, a result is a text.
const MAX_DEPTH: usize = 32;

/// More values than this are not told apart: what follows them is not a value of any path.
const MAX_LEAVES: usize = 20_000;

/// One value of a result.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Where it stands, as `[].sender` or `participants[]`; empty for a text that has no structure.
    pub path: String,
    /// The value as it is written.
    pub text: String,
    /// The same, folded.
    pub folded: Folded,
    /// The object that it is a member of: values of one number are of one object.
    pub record: u32,
}

/// Reads a result.
#[must_use]
pub fn leaves(text: &str) -> Vec<Leaf> {
    let trimmed = text.trim();
    let mut out = Leaves::default();
    if trimmed.starts_with(['{', '[', '"']) {
        if let Ok(value) = serde_json::from_str::<Json>(trimmed) {
            out.json("", &value, 0, 0);
            return out.done();
        }
    } else if may_be_yaml(trimmed) {
        if out.yaml(trimmed).is_some() {
            return out.done();
        }
        out = Leaves::default();
    } else if out.table(trimmed).is_some() {
        return out.done();
    }
    out.push("", text, 0);
    out.done()
}

/// What stands in a path for a name of a member that is itself a value: `{"a@b.c": "rw"}` is a table of addresses.
const ANY: &str = "*";

fn is_name(key: &str) -> bool {
    let is_plain = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | ' ' | '$');
    key.chars().all(is_plain) && !key.chars().all(|char| char.is_ascii_digit())
}

/// The path of a member.
fn member(path: &str, key: &str) -> String {
    let key = if is_name(key) { key } else { ANY };
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
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

#[derive(Default)]
struct Leaves {
    all: Vec<Leaf>,
    records: u32,
}

impl Leaves {
    fn done(self) -> Vec<Leaf> {
        self.all
    }

    fn push(&mut self, path: &str, text: &str, record: u32) {
        if self.all.len() < MAX_LEAVES {
            self.all.push(Leaf {
                path: path.to_owned(),
                text: text.to_owned(),
                folded: Folded::of(text),
                record,
            });
        }
    }

    fn record(&mut self) -> u32 {
        self.records = self.records.saturating_add(1);
        self.records
    }

    fn json(&mut self, path: &str, value: &Json, record: u32, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        let deeper = depth.saturating_add(1);
        match value {
            Json::Object(members) => {
                let record = self.record();
                for (key, value) in members {
                    if !is_name(key) {
                        self.push(&member(path, ANY), key, record);
                    }
                    self.json(&member(path, key), value, record, deeper);
                }
            }
            Json::Array(items) => {
                let path = format!("{path}[]");
                for item in items {
                    self.json(&path, item, record, deeper);
                }
            }
            Json::String(text) => self.push(path, text, record),
            Json::Number(number) => self.push(path, &number.to_string(), record),
            Json::Bool(_) | Json::Null => {}
        }
    }

    /// YAML without aliases, tags and further documents: tools write none, and whoever does means something else.
    fn yaml(&mut self, text: &str) -> Option<()> {
        let mut open: Vec<Open> = Vec::new();
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
                            *key = Some(text.to_string());
                            if !is_name(&text) {
                                let (path, record) = place(&open);
                                self.push(&path, &text, record);
                            }
                        }
                        Some(_) => {
                            let (path, record) = place(&open);
                            if !is_null {
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
        (!self.all.is_empty()).then_some(())
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
        let cells = |line: &str| -> Option<Vec<String>> {
            if markdown {
                let line = line.trim().trim_start_matches('|').trim_end_matches('|');
                Some(line.split('|').map(|cell| cell.trim().to_owned()).collect())
            } else {
                separated(line, between)
            }
        };
        let names = cells(head)?;
        let is_name = |name: &String| {
            !name.is_empty()
                && name.chars().count() <= 40
                && name
                    .chars()
                    .all(|char| char.is_alphanumeric() || matches!(char, '_' | '-' | ' ' | '.'))
        };
        if names.len() < 2 || !names.iter().all(is_name) {
            return None;
        }
        let is_rule = |line: &str| {
            line.chars()
                .all(|char| matches!(char, '|' | '-' | ':' | '+' | ' '))
        };
        let rows = lines.iter().filter(|line| !(markdown && is_rule(line)));
        let rows: Vec<Vec<String>> = rows.map(|line| cells(line)).collect::<Option<_>>()?;
        if rows.iter().any(|row| row.len() != names.len()) {
            return None;
        }
        for row in rows {
            let record = self.record();
            for (name, cell) in names.iter().zip(row) {
                self.push(&format!("[].{name}"), &cell, record);
            }
        }
        Some(())
    }
}

/// The cells of a line, where a cell in double quotes may hold what stands between cells.
fn separated(line: &str, between: char) -> Option<Vec<String>> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.trim_end_matches('\r').chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
            char if char == between && !quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            char => cell.push(char),
        }
    }
    cells.push(cell.trim().to_owned());
    (!quoted).then_some(cells)
}

/// What is open around a value.
enum Open {
    List,
    Map { key: Option<String>, record: u32 },
}

fn place(open: &[Open]) -> (String, u32) {
    let (mut path, mut at) = (String::new(), 0);
    for open in open {
        match open {
            Open::List => path.push_str("[]"),
            Open::Map { key, record } => {
                path = member(&path, key.as_deref().unwrap_or(""));
                at = *record;
            }
        }
    }
    (path, at)
}

fn value_ends(open: &mut [Open]) {
    if let Some(Open::Map { key, .. }) = open.last_mut() {
        *key = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, String, u32)> {
        leaves(text)
            .into_iter()
            .map(|leaf| (leaf.path, leaf.text, leaf.record))
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
