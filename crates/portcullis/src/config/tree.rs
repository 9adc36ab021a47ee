//! A YAML text as a tree in which every key and every value knows its place in the file. It gives nothing a meaning,
//! and deliberately knows neither aliases nor tags nor several documents: a configuration is read in one way only.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::problem::{Position, Problem};

/// How deep a configuration may be nested.
const MAX_DEPTH: usize = 32;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub struct Node {
    /// Line and column.
    pub at: Position,
    /// The value.
    pub value: Value,
}

/// The values of YAML's core schema.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing, or the word `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// Anything else that is written in one piece, and everything in quotes.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order of the file. No key is there twice.
    Map(Vec<Entry>),
}

/// One line of a map.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub at: Position,
    /// What it is set to.
    pub node: Node,
}

impl Node {
    /// The value of a key, if this is a map that has it.
    #[must_use]
    pub fn child(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    /// The lines of a map; none if it is not a map.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none if it is not a list.
    #[must_use]
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The tree without places, for serde.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Text(value) => value.as_str().into(),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.to_json()))
                .collect(),
        }
    }
}

/// Reads a YAML text. An empty one is an empty map.
///
/// # Errors
/// What is not YAML at all ends the reading; keys that are there twice, aliases and tags are told all together.
pub fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.take(event, position(&span.start)),
            Err(error) => {
                let place = position(error.marker());
                builder.problem(place, format!("not YAML: {}", error.info()));
                break;
            }
        }
        if builder.hopeless {
            break;
        }
    }
    let Builder { root, problems, .. } = builder;
    if problems.is_empty() {
        Ok(root.unwrap_or(Node {
            at: Position { line: 1, column: 1 },
            value: Value::Map(Vec::new()),
        }))
    } else {
        Err(problems)
    }
}

fn position(marker: &Marker) -> Position {
    Position {
        line: marker.line(),
        column: marker.col().saturating_add(1),
    }
}

/// A collection that is not finished yet.
enum Open {
    List(Position, Vec<Node>),
    Map(Position, Vec<Entry>, Option<(String, Position)>),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    problems: Vec<Problem>,
    hopeless: bool,
}

impl Builder {
    fn problem(&mut self, at: Position, message: impl Into<String>) {
        self.problems.push(Problem::new(at, "", message));
    }

    fn take(&mut self, event: Event<'_>, at: Position) {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), at);
                self.scalar(&text, style, at);
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), at);
                self.begin(Open::List(at, Vec::new()), at);
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(anchor, tag.is_some(), at);
                self.begin(Open::Map(at, Vec::new(), None), at);
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(_) => {
                self.problem(at, "aliases (*name) are not supported: write the value out");
                self.put(Node {
                    at,
                    value: Value::Null,
                });
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                self.problem(
                    at,
                    "a second document begins here: a configuration is one document",
                );
                self.hopeless = true;
            }
            _ => {}
        }
    }

    fn refuse_extras(&mut self, anchor: usize, tag: bool, at: Position) {
        if anchor != 0 {
            self.problem(at, "anchors (&name) are not supported: write the value out");
        }
        if tag {
            self.problem(at, "tags (!name) are not supported");
        }
    }

    fn begin(&mut self, open: Open, at: Position) {
        if let Some(Open::Map(_, _, key @ None)) = self.open.last_mut() {
            *key = Some((String::new(), at));
            self.problem(at, "a key must be a plain text");
        }
        if self.open.len() >= MAX_DEPTH {
            self.problem(at, format!("nested deeper than {MAX_DEPTH} levels"));
            self.hopeless = true;
        }
        self.open.push(open);
    }

    fn end(&mut self) {
        match self.open.pop() {
            Some(Open::List(at, items)) => self.put(Node {
                at,
                value: Value::List(items),
            }),
            Some(Open::Map(at, entries, _)) => self.put(Node {
                at,
                value: Value::Map(entries),
            }),
            None => {}
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, at: Position) {
        if let Some(Open::Map(_, entries, key @ None)) = self.open.last_mut() {
            let first = entries.iter().find(|entry| entry.key == text);
            let message =
                first.map(|first| format!("`{text}` is set twice; first in line {}", first.at.line));
            *key = Some((text.to_owned(), at));
            if let Some(message) = message {
                self.problem(at, message);
            }
            return;
        }
        let value = match style {
            ScalarStyle::Plain => plain(text),
            _ => Value::Text(text.to_owned()),
        };
        self.put(Node { at, value });
    }

    fn put(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map(_, entries, key)) => {
                if let Some((key, at)) = key.take() {
                    entries.push(Entry { key, at, node });
                }
            }
            None => self.root = Some(node),
        }
    }
}

/// What an unquoted word means. `yes` and `on` are texts, as in YAML 1.2.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let numeric = text
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    if numeric {
        if let Ok(value) = text.parse::<i64>() {
            return Value::Int(value);
        }
        if let Ok(value) = text.parse::<f64>() {
            return Value::Float(value);
        }
    }
    Value::Text(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_columns_from_one() {
        let tree = parse("a: 1\nb:\n  - { c: x }\n").unwrap();
        let b = tree.child("b").unwrap();
        let c = &b.items()[0].entries()[0];
        assert_eq!((c.at.line, c.at.column), (3, 7));
        assert_eq!((c.node.at.line, c.node.at.column), (3, 10));
    }

    #[test]
    fn words_mean_what_yaml_1_2_says() {
        let tree =
            parse("{a: 1, b: 1.50, c: 'true', d: true, e: , f: 127.0.0.1:80, g: yes, h: 1-2}").unwrap();
        let json = tree.to_json().to_string();
        assert_eq!(
            json,
            r#"{"a":1,"b":1.5,"c":"true","d":true,"e":null,"f":"127.0.0.1:80","g":"yes","h":"1-2"}"#
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (text, says) in [
            ("a: 1\na: 2\n", "set twice; first in line 1"),
            ("a: &x 1\nb: *x\n", "anchors"),
            ("a: !!str 1\n", "tags"),
            ("a: 1\n---\nb: 2\n", "second document"),
            ("a: [1\n", "not YAML"),
            ("? [a]\n: 1\n", "a key must be a plain text"),
        ] {
            let problems = parse(text).unwrap_err();
            assert!(
                problems[0].message.contains(says),
                "{text:?}: {}",
                problems[0].message
            );
        }
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(parse(&deep).unwrap_err()[0].message.contains("deeper"));
    }

    #[test]
    fn an_empty_file_is_an_empty_map() {
        assert!(parse("# nothing\n").unwrap().entries().is_empty());
    }
}
