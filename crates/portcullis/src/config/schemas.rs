//! Schemas that profiles hold replies to: written in the configuration, or in a file of their own.

use std::path::Path;

use portcullis_schema::{Schema, Wrong};
use serde_json::Value as Json;

use super::problem::{Position, Problem};
use super::raw_profile::RawSchema;
use super::tree::{Node, Value, parse};

/// The key that names a file in the place of a schema.
const FILE: &str = "file";

/// The schema as JSON.
///
/// # Errors
/// A file that cannot be read.
pub fn text(raw: &RawSchema, folder: &Path) -> Result<String, String> {
    match named(&raw.0) {
        Some(name) => Ok(of_file(name, folder)?.to_json().to_string()),
        None => Ok(raw.0.to_string()),
    }
}

/// Everything that is wrong with the schemas of profiles, and settings that do nothing without a check.
#[must_use]
pub fn check(root: &Node, folder: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for profile in root.child("profiles").map(Node::entries).unwrap_or_default() {
        let Some(output) = profile.node.child("output") else {
            continue;
        };
        let path = |setting: &str| format!("profiles.{}.output.{setting}", profile.key);
        let is_off = output
            .child("validate")
            .is_none_or(|node| node.text() == Some("off"));
        let without = |node: &Node| !matches!(node.value, Value::Int(0));
        for setting in ["schema", "retries"] {
            if let Some(node) = output.child(setting).filter(|node| is_off && without(node)) {
                let message = "does nothing while `validate` is `off`: replies are not checked";
                problems.push(Problem::new(node.at, path(setting), message));
            }
        }
        if let Some(node) = output
            .child("schema")
            .filter(|node| matches!(node.value, Value::Map(_)))
        {
            one(node, &path("schema"), folder, &mut problems);
        }
    }
    problems
}

fn one(node: &Node, path: &str, folder: &Path, problems: &mut Vec<Problem>) {
    let written = node.to_json();
    let Some(name) = named(&written) else {
        for Wrong { pointer, what } in Schema::read(&written.to_string()).err().unwrap_or_default() {
            problems.push(Problem::new(
                position(node, &pointer),
                format!("{path}{}", dotted(&pointer)),
                what,
            ));
        }
        return;
    };
    let at = node.child(FILE).map_or(node.at, |node| node.at);
    match of_file(name, folder) {
        Err(message) => problems.push(Problem::new(at, path, message)),
        Ok(tree) => {
            for Wrong { pointer, what } in Schema::read(&tree.to_json().to_string())
                .err()
                .unwrap_or_default()
            {
                let Position { line, column } = position(&tree, &pointer);
                let message = format!(
                    "{name}:{line}:{column}: {}: {what}",
                    dotted(&pointer).trim_start_matches('.')
                );
                problems.push(Problem::new(at, path, message));
            }
        }
    }
}

/// The file that is named in the place of a schema: no schema has that key alone.
fn named(written: &Json) -> Option<&str> {
    let only = written.as_object().filter(|members| members.len() == 1)?;
    only.get(FILE)?.as_str()
}

/// JSON is YAML too, so both may stand in the file, and both know their lines.
fn of_file(name: &str, folder: &Path) -> Result<Node, String> {
    let text =
        std::fs::read_to_string(folder.join(name)).map_err(|error| format!("cannot read {name}: {error}"))?;
    parse(&text).map_err(|problems| {
        let first = problems.first().map(|problem| problem.line(name));
        first.unwrap_or_else(|| format!("cannot read {name}"))
    })
}

/// Where a pointer leads, as far as it does.
fn position(root: &Node, pointer: &str) -> Position {
    let (mut node, mut at) = (root, root.at);
    for step in pointer.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        let next = match &node.value {
            Value::List(items) => name.parse().ok().and_then(|number: usize| items.get(number)),
            _ => node.child(&name),
        };
        let Some(next) = next else { break };
        (node, at) = (next, next.at);
    }
    at
}

/// A pointer in the spelling of the settings' paths.
fn dotted(pointer: &str) -> String {
    pointer.replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, folder: &Path) -> Vec<String> {
        let mut problems = check(&parse(text).unwrap(), folder);
        problems.sort_by_key(|problem| problem.at);
        problems.iter().map(|problem| problem.line("f")).collect()
    }

    #[test]
    fn every_mistake_has_its_line_and_column() {
        let text = "\
profiles:
  strict:
    output:
      validate: block
      retries: 2
      schema:
        type: objekt
        properties:
          a: { minLength: -1 }
          b: { pattern: '(a' }
  off:
    output:
      retries: 1
      schema: { type: object }
  zero: { output: { retries: 0 } }
  remote: { output: { validate: flag, schema: { $ref: 'https://example.com/a.json' } } }
";
        let told = told(text, Path::new(""));
        for (line, begins) in told.iter().zip([
            "f:7:15: profiles.strict.output.schema.type: ",
            "f:9:27: profiles.strict.output.schema.properties.a.minLength: ",
            "f:10:25: profiles.strict.output.schema.properties.b.pattern: ",
            "f:13:16: profiles.off.output.retries: does nothing",
            "f:14:15: profiles.off.output.schema: does nothing",
            "f:16:55: profiles.remote.output.schema.$ref: `https://example.com/a.json` stands elsewhere",
        ]) {
            assert!(line.starts_with(begins), "{begins}\n{line}");
        }
        assert_eq!(told.len(), 6, "{told:#?}");
    }

    #[test]
    fn a_file_is_held_to_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("fine.json", r#"{"type": "object"}"#);
        write("bad.json", "{\n  \"type\": \"object\",\n  \"required\": \"a\"\n}");
        let of = |name: &str| {
            told(
                &format!("profiles: {{ p: {{ output: {{ validate: flag, schema: {{ file: {name} }} }} }} }}"),
                folder.path(),
            )
        };
        assert!(of("fine.json").is_empty());
        assert!(
            of("bad.json")[0].contains("bad.json:3:15: required: "),
            "{:?}",
            of("bad.json")
        );
        assert!(of("none.json")[0].contains("cannot read none.json"));
        let raw = RawSchema(serde_json::json!({"file": "fine.json"}));
        assert_eq!(text(&raw, folder.path()).unwrap(), r#"{"type":"object"}"#);
    }
}
