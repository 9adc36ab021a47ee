//! Compares a tree with the JSON schema and tells everything that is wrong. It understands exactly what the schema of
//! [`super::raw`] uses, and a test holds it to that.

use serde_json::Value as Json;

use super::absent;
use super::problem::{Problem, either, nearest};
use super::raw_profile::SCHEMA_FORMAT;
use super::schema::{resolve, words};
use super::text::form;
use super::tree::{Entry, Node, Value};

/// Everything that is wrong with `node` by the schema `root`.
#[must_use]
pub fn validate(root: &Json, node: &Node) -> Vec<Problem> {
    checked(root, node, false)
}

/// The same of a file whose names are others' to choose: of tools, of their arguments, of fields of their results.
#[must_use]
pub fn validate_foreign(root: &Json, node: &Node) -> Vec<Problem> {
    checked(root, node, true)
}

fn checked(root: &Json, node: &Node, foreign: bool) -> Vec<Problem> {
    let mut checker = Checker {
        root,
        foreign,
        problems: Vec::new(),
    };
    checker.visit(root, node, "");
    checker.problems
}

struct Checker<'a> {
    root: &'a Json,
    foreign: bool,
    problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    fn problem(&mut self, node: &Node, path: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(node.at, path, message));
    }

    fn visit(&mut self, schema: &'a Json, node: &Node, path: &str) {
        let schema = resolve(self.root, schema);
        if matches!(node.value, Value::Null) {
            return self.problem(node, path, "is empty: give it a value or remove the key");
        }
        let words = words(schema);
        if !words.is_empty() {
            return self.word(&words, node, path);
        }
        if let Some(choices) = schema.get("anyOf").and_then(Json::as_array) {
            return self.any(choices, node, path);
        }
        match (schema.get("type").and_then(Json::as_str), &node.value) {
            // A schema of replies is checked by its own reader.
            (Some("object"), Value::Map(_)) if format_of(schema) == Some(SCHEMA_FORMAT) => {}
            (Some("object"), Value::Map(entries)) => self.map(schema, node, entries, path),
            (Some("array"), Value::List(items)) => {
                if let Some(each) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.visit(each, item, &format!("{path}[{index}]"));
                    }
                }
            }
            (Some("string"), Value::Text(text)) => self.text(schema, node, text, path),
            (Some("integer"), Value::Int(number)) => self.range(schema, node, as_float(*number), path),
            (Some("number"), Value::Int(number)) => self.range(schema, node, as_float(*number), path),
            (Some("number"), Value::Float(number)) => self.range(schema, node, *number, path),
            (Some("boolean"), Value::Bool(_)) => {}
            (expected, _) => {
                let expected = expected.unwrap_or("something else");
                self.problem(
                    node,
                    path,
                    format!(
                        "expected {}, found {}",
                        kind(schema, expected),
                        found(&node.value)
                    ),
                );
            }
        }
    }

    /// One of several kinds of values; the kind that is there says which.
    fn any(&mut self, choices: &'a [Json], node: &Node, path: &str) {
        let choices: Vec<&'a Json> = choices.iter().map(|choice| resolve(self.root, choice)).collect();
        let kind_of = |choice: &'a Json| match words(choice).is_empty() {
            true => choice.get("type").and_then(Json::as_str),
            false => Some("string"),
        };
        let there = match node.value {
            Value::List(_) => "array",
            Value::Text(_) => "string",
            Value::Map(_) => "object",
            _ => "",
        };
        match choices
            .iter()
            .copied()
            .find(|choice| kind_of(choice) == Some(there))
        {
            Some(choice) => self.visit(choice, node, path),
            None => {
                let kinds: Vec<String> = choices
                    .iter()
                    .filter_map(|choice| Some(kind(choice, kind_of(choice)?)))
                    .collect();
                self.problem(
                    node,
                    path,
                    format!("expected {}, found {}", kinds.join(" or "), found(&node.value)),
                );
            }
        }
    }

    fn map(&mut self, schema: &'a Json, node: &Node, entries: &[Entry], path: &str) {
        let properties = schema.get("properties").and_then(Json::as_object);
        let open = schema.get("additionalProperties").filter(|rest| rest.is_object());
        for entry in entries {
            let inner = join(path, &entry.key);
            let known = properties.and_then(|properties| properties.get(&entry.key));
            match known.or(open) {
                Some(schema) => {
                    if known.is_none() {
                        match path {
                            _ if self.foreign => self.foreign_name(entry, &inner),
                            // Keys and identity providers name these.
                            "orgs" | "teams" | "users" | "admin.roles" => self.foreign_name(entry, &inner),
                            _ => self.name(entry, &inner),
                        }
                    }
                    self.visit(schema, &entry.node, &inner);
                }
                None => {
                    let names = properties.into_iter().flatten().map(|(name, _)| name.as_str());
                    let message = unknown_key(&inner, &entry.key, names);
                    self.problems.push(Problem::new(entry.at, inner, message));
                }
            }
        }
        for required in schema
            .get("required")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(name) = required.as_str().filter(|name| node.child(name).is_none()) {
                self.problem(node, path, format!("`{name}` is missing"));
            }
        }
    }

    /// Names of upstreams and profiles appear in headers, records and file names.
    fn name(&mut self, entry: &Entry, path: &str) {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if entry.key.is_empty() || entry.key.len() > 64 || !entry.key.chars().all(fine) {
            let message = "a name is 1 to 64 letters, digits, `-`, `_` and `.`";
            self.problems.push(Problem::new(entry.at, path, message));
        }
    }

    fn foreign_name(&mut self, entry: &Entry, path: &str) {
        if entry.key.is_empty() || entry.key.len() > 200 || entry.key.chars().any(char::is_control) {
            let message = "a name is 1 to 200 bytes without control characters";
            self.problems.push(Problem::new(entry.at, path, message));
        }
    }

    fn text(&mut self, schema: &Json, node: &Node, text: &str, path: &str) {
        let format = schema.get("format").and_then(Json::as_str).and_then(form);
        match format {
            Some(form) => {
                if let Err(message) = (form.check)(text) {
                    self.problem(node, path, message);
                }
            }
            None if text.trim().is_empty() => self.problem(node, path, "must not be empty"),
            None => {}
        }
    }

    fn word(&mut self, words: &[(&str, &str)], node: &Node, path: &str) {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let expected = either(&known);
        let Some(text) = node.text() else {
            return self.problem(
                node,
                path,
                format!("expected {expected}, found {}", found(&node.value)),
            );
        };
        if known.contains(&text) {
            return;
        }
        let hint = nearest(text, known.iter().copied());
        let hint = hint
            .map(|word| format!("; did you mean {word}?"))
            .unwrap_or_default();
        self.problem(node, path, format!("`{text}` is not one of {expected}{hint}"));
    }

    fn range(&mut self, schema: &Json, node: &Node, number: f64, path: &str) {
        let minimum = schema.get("minimum").and_then(Json::as_f64);
        let maximum = match schema.get("format").and_then(Json::as_str) {
            Some("uint32") => Some(f64::from(u32::MAX)),
            _ => schema.get("maximum").and_then(Json::as_f64),
        };
        if let Some(minimum) = minimum.filter(|minimum| number < *minimum) {
            self.problem(node, path, format!("must be {minimum} at least"));
        }
        if let Some(maximum) = maximum.filter(|maximum| number > *maximum) {
            self.problem(node, path, format!("must be {maximum} at most"));
        }
        if !number.is_finite() {
            self.problem(node, path, "must be a finite number");
        }
    }
}

/// The path of a key in the thing at `path`.
#[must_use]
pub fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

fn unknown_key<'n>(path: &str, key: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    if let Some(what) = absent::feature(path) {
        return format!("not in this version: {what}; remove it");
    }
    match nearest(key, known.clone()) {
        Some(near) => format!("unknown key; did you mean `{near}`?"),
        None => {
            let known: Vec<&str> = known.collect();
            format!("unknown key; known here are {}", either(&known))
        }
    }
}

fn kind(schema: &Json, expected: &str) -> String {
    let format = schema.get("format").and_then(Json::as_str).and_then(form);
    match (expected, format) {
        (_, Some(form)) => form.about.to_owned(),
        ("object", _) => "settings, as `key: value`".to_owned(),
        ("array", _) => "a list, as `[a, b]`".to_owned(),
        ("string", _) => "a text (put a number or true/false in quotes)".to_owned(),
        ("integer", _) => "a whole number".to_owned(),
        ("number", _) => "a number".to_owned(),
        ("boolean", _) => "true or false".to_owned(),
        (other, _) => other.to_owned(),
    }
}

fn format_of(schema: &Json) -> Option<&str> {
    schema.get("format").and_then(Json::as_str)
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "settings",
    }
}

#[allow(clippy::cast_precision_loss, reason = "compared with small bounds only")]
fn as_float(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::schema;

    /// A word of JSON Schema that the checker does not know would be a rule that nobody keeps.
    fn assert_understood(schema: &Json, names_are_words: bool) {
        const UNDERSTOOD: &[&str] = &[
            "$schema",
            "$ref",
            "$defs",
            "title",
            "description",
            "default",
            "type",
            "format",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "enum",
            "oneOf",
            "anyOf",
            "const",
            "minimum",
            "maximum",
        ];
        match schema {
            Json::Object(map) => {
                for (word, inner) in map {
                    if names_are_words {
                        assert!(
                            UNDERSTOOD.contains(&word.as_str()),
                            "the checker does not know {word}"
                        );
                    }
                    if word != "default" || !names_are_words {
                        assert_understood(
                            inner,
                            !(names_are_words && matches!(word.as_str(), "properties" | "$defs")),
                        );
                    }
                }
            }
            Json::Array(items) => items.iter().for_each(|item| assert_understood(item, true)),
            _ => {}
        }
    }

    #[test]
    fn the_checker_understands_every_word_of_the_schema() {
        assert_understood(&schema(), true);
    }

    #[test]
    fn every_format_of_the_schema_is_registered() {
        let text = schema().to_string();
        for piece in text.split("\"format\":\"").skip(1) {
            let name = piece.split('"').next().unwrap();
            assert!(
                form(name).is_some() || matches!(name, "uint8" | "uint32" | "double" | SCHEMA_FORMAT),
                "{name}"
            );
        }
    }
}
