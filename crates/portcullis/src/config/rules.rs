//! Rules of a user's own: those of the configuration and those of its `rules_files`, and the kinds that profiles name.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use portcullis_core::Family;
use portcullis_inspect::{Inspector, RuleError, Source};

use super::problem::{Position, Problem, either, nearest};
use super::raw::Raw;
use super::raw_rule::RawRule;
use super::tree::{Node, Value};

/// The rules that are written, in the order in which findings prefer them.
///
/// # Errors
/// A file that cannot be read.
pub fn own_rules(raw: &Raw, folder: &Path) -> Result<Vec<Source>, String> {
    let mut rules = raw
        .rules
        .iter()
        .map(RawRule::build)
        .collect::<Result<Vec<_>, _>>()?;
    for name in &raw.rules_files {
        rules.extend(of_file(name, folder)?.rules);
    }
    Ok(rules)
}

/// Everything that is wrong with rules, and kinds that no detector finds; and the rules that can be read.
#[must_use]
pub fn check(root: &Node, folder: &Path) -> (Vec<Problem>, Vec<Source>) {
    let mut problems = Vec::new();
    let mut rules = Vec::new();
    let mut places = Vec::new();
    for (number, node) in items(root, "rules").iter().enumerate() {
        // What is not even a rule is told by the schema's checker.
        if let Ok(raw) = serde_json::from_value::<RawRule>(node.to_json())
            && let Ok(rule) = raw.build()
        {
            rules.push(rule);
            places.push(Place::Here(node, format!("rules[{number}]")));
        }
    }
    for (number, node) in items(root, "rules_files").iter().enumerate() {
        let Some(name) = node.text() else { continue };
        let path = format!("rules_files[{number}]");
        match of_file(name, folder) {
            Ok(file) => {
                places.extend(file.lines.into_iter().map(|line| {
                    let path = path.clone();
                    Place::There {
                        node,
                        path,
                        name: name.to_owned(),
                        line,
                    }
                }));
                rules.extend(file.rules);
            }
            Err(message) => problems.push(Problem::new(node.at, path, message)),
        }
    }
    let mut known: BTreeSet<&str> = PII_TYPES.iter().map(String::as_str).collect();
    known.extend(
        rules
            .iter()
            .filter(|rule| rule.family() == Some(Family::Pii))
            .map(Source::id),
    );
    if !rules.is_empty()
        && let Err(errors) = Inspector::with(&rules)
    {
        for (number, error) in errors {
            problems.push(match places.get(number) {
                Some(place) => place.problem(&error),
                None => Problem::new(root.at, "rules", error.to_string()),
            });
        }
    }
    types(root, &known, &mut problems);
    (problems, rules)
}

fn items<'a>(root: &'a Node, section: &str) -> &'a [Node] {
    root.child(section).map(Node::items).unwrap_or_default()
}

/// Where a rule stands.
enum Place<'a> {
    Here(&'a Node, String),
    There {
        node: &'a Node,
        path: String,
        name: String,
        line: usize,
    },
}

impl Place<'_> {
    fn problem(&self, error: &RuleError) -> Problem {
        match (self, error) {
            (Place::Here(node, path), RuleError::Rule { place, reason, .. }) => {
                let path = match place.as_str() {
                    "" => path.clone(),
                    place => format!("{path}.{place}"),
                };
                Problem::new(position(node, place), path, reason)
            }
            (Place::Here(node, path), error) => Problem::new(node.at, path, error.to_string()),
            (
                Place::There {
                    node,
                    path,
                    name,
                    line,
                },
                error,
            ) => Problem::new(node.at, path, format!("{name}:{line}: {error}")),
        }
    }
}

/// The line and column of a thing in a rule: `hit[2]` is the third item of the list `hit`.
fn position(rule: &Node, place: &str) -> Position {
    let (name, number) = match place.strip_suffix(']').and_then(|place| place.split_once('[')) {
        Some((name, number)) => (name, number.parse().unwrap_or(0)),
        None => (place, 0),
    };
    let Some(node) = rule.child(name) else {
        return rule.at;
    };
    match &node.value {
        Value::List(items) if place.ends_with(']') => items.get(number).map_or(node.at, |item| item.at),
        _ => node.at,
    }
}

/// A file of rules.
struct File {
    rules: Vec<Source>,
    /// The line of each.
    lines: Vec<usize>,
}

fn of_file(name: &str, folder: &Path) -> Result<File, String> {
    let text =
        std::fs::read_to_string(folder.join(name)).map_err(|error| format!("cannot read {name}: {error}"))?;
    let rules = Source::read_file(&text).map_err(|error| match &error {
        RuleError::Syntax(syntax) => {
            let before = syntax.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            format!("{name}:{line}: {}", syntax.message())
        }
        RuleError::Rule { .. } => format!("{name}: {error}"),
    })?;
    let begins = |line: &str| line.trim_start().starts_with("[[rule]]");
    let lines = (1..).zip(text.lines()).filter(|(_, line)| begins(line));
    let mut lines: Vec<usize> = lines.map(|(number, _)| number).collect();
    // A list of tables can be written in other ways too: then the file's first line must do.
    if lines.len() != rules.len() {
        lines = vec![1; rules.len()];
    }
    Ok(File { rules, lines })
}

static PII_TYPES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let Ok(inspector) = Inspector::built_in() else {
        return Vec::new();
    };
    let rules = inspector
        .rules()
        .iter()
        .filter(|rule| rule.family() == Family::Pii);
    rules.map(|rule| rule.id().as_str().to_owned()).collect()
});

/// A kind that nothing finds is refused: it would be a guard that is configured and absent.
fn types(root: &Node, known: &BTreeSet<&str>, problems: &mut Vec<Problem>) {
    for profile in root.child("profiles").map(Node::entries).unwrap_or_default() {
        let types = profile.node.child("pii").and_then(|pii| pii.child("types"));
        for (number, node) in types.map(Node::items).unwrap_or_default().iter().enumerate() {
            let Some(name) = node.text().filter(|name| !known.contains(name)) else {
                continue;
            };
            let upper = name.to_uppercase();
            let near = known
                .get(upper.as_str())
                .copied()
                .or_else(|| nearest(name, known.iter().copied()));
            let hint = match near {
                Some(name) => format!("did you mean {name}?"),
                None => format!("known are {}", either(&known.iter().copied().collect::<Vec<_>>())),
            };
            let path = format!("profiles.{}.pii.types[{number}]", profile.key);
            let message = format!("no detector of this version finds `{name}`; {hint}");
            problems.push(Problem::new(node.at, path, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::parse;

    fn told(text: &str, folder: &Path) -> Vec<String> {
        let (problems, _) = check(&parse(text).unwrap(), folder);
        problems.iter().map(|problem| problem.line("f")).collect()
    }

    #[test]
    fn every_mistake_has_its_line_and_column() {
        let text = "\
rules:
  - id: ACME_KEY
    severity: high
    pattern: 'acme-[a-z'
  - { id: ACME_ID, severity: low, pattern: ['acme-[0-9]{4}', 'a*'], hit: ['«acme-1234»'] }
  - id: ACME_NO
    severity: low
    pattern: 'no-[0-9]{4}'
    hit:
      - '«no-1234»'
      - 'a «no-123»'
    miss: ['no-4444']
  - { id: IBAN, severity: low, pattern: 'abcd' }
";
        let told = told(text, Path::new(""));
        for (line, begins) in told.iter().zip([
            "f:4:14: rules[0].pattern[0]: ",
            "f:5:62: rules[1].pattern[1]: ",
            "f:11:9: rules[2].hit[1]: is not found",
            "f:12:12: rules[2].miss[0]: is found: `no-4444`",
            "f:13:11: rules[3].id: ",
        ]) {
            assert!(line.starts_with(begins), "{begins}\n{line}");
        }
        assert_eq!(told.len(), 5, "{told:#?}");
    }

    #[test]
    fn files_of_rules_are_held_to_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "fine.toml",
            "fragments = [{name = 'n', pattern = '[0-9]{4}'}]\n[[rule]]\nid = 'SHOE'\nfamily = 'pii'\nseverity = 'low'\n\
             pattern = 'shoe-<n>'\nhit = ['«shoe-1234»']\n",
        );
        let fine = "rules_files: [fine.toml]\nprofiles: { default: { pii: { types: [SHOE] } } }\n";
        assert!(told(fine, folder.path()).is_empty());
        write(
            "bad.toml",
            "\n[[rule]]\nid = 'A'\nseverity = 'low'\npattern = 'abc'\n\n[[rule]]\nid = 'B'\nseverity = 'low'\npattern = 'b['\n",
        );
        write("odd.toml", "[[rule]]\nid = 'A'\nshape = 1\n");
        let told = told("rules_files: [bad.toml, odd.toml, none.toml]\n", folder.path());
        for (line, says) in told.iter().zip([
            "f:1:25: rules_files[1]: odd.toml:3: unknown field `shape`",
            "f:1:35: rules_files[2]: cannot read none.toml",
            "f:1:15: rules_files[0]: bad.toml:7: rule B: pattern[0]: ",
        ]) {
            assert!(line.starts_with(says), "{says}\n{line}");
        }
        assert_eq!(told.len(), 3, "{told:#?}");
    }

    #[test]
    fn a_kind_that_nothing_finds_is_refused() {
        let one = |name: &str| {
            told(
                &format!("profiles: {{ default: {{ pii: {{ types: [{name}] }} }} }}"),
                Path::new(""),
            )
        };
        assert!(one("EMAIL_ADDRESS").is_empty());
        assert!(one("email_address")[0].contains("did you mean EMAIL_ADDRESS?"));
        assert!(one("SHOE_SIZE")[0].contains("no detector"));
    }
}
