//! Tool policies: files of their own, checked by the schema of what they may say, with file, line and column.

use std::path::Path;
use std::sync::Arc;

use portcullis_policy::tools::ToolPolicy;
use portcullis_proxy::NamedToolPolicy;

use super::problem::Problem;
use super::raw::Raw;
use super::tree::{Node, parse};
use super::{schema, validate};

/// The policies that are written.
///
/// # Errors
/// A file that cannot be read, or that says something that no policy says.
pub fn own_policies(raw: &Raw, folder: &Path) -> Result<Vec<NamedToolPolicy>, String> {
    let named = raw.tools.iter().map(|(name, tools)| {
        let policy = of_file(&tools.file, folder).map_err(|problems| {
            let first = problems.into_iter().next().unwrap_or_default();
            format!("tools.{name}: {first}")
        })?;
        Ok(NamedToolPolicy {
            name: name.as_str().into(),
            policy: Arc::new(policy),
        })
    });
    named.collect()
}

/// Everything that is wrong with the files of tool policies.
#[must_use]
pub fn check(root: &Node, folder: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    for entry in root.child("tools").map(Node::entries).unwrap_or_default() {
        let Some((node, name)) = entry
            .node
            .child("file")
            .and_then(|node| Some((node, node.text()?)))
        else {
            continue;
        };
        let wrong = of_file(name, folder).err().unwrap_or_default();
        let path = format!("tools.{}.file", entry.key);
        problems.extend(
            wrong
                .into_iter()
                .map(|message| Problem::new(node.at, &path, message)),
        );
    }
    problems
}

/// The policy in a file, or a line for each mistake in it.
fn of_file(name: &str, folder: &Path) -> Result<ToolPolicy, Vec<String>> {
    let text = std::fs::read_to_string(folder.join(name))
        .map_err(|error| vec![format!("cannot read {name}: {error}")])?;
    of_text(&text, name)
}

/// The policy that a text is, or a line for each mistake in it.
///
/// # Errors
/// The mistakes, each with the name of the file, its line and its column.
pub fn of_text(text: &str, name: &str) -> Result<ToolPolicy, Vec<String>> {
    let lines = |problems: Vec<Problem>| {
        problems
            .iter()
            .map(|problem| problem.line(name))
            .collect::<Vec<_>>()
    };
    let tree = parse(text).map_err(lines)?;
    let problems = validate::validate_foreign(&schema::of::<ToolPolicy>(), &tree);
    if !problems.is_empty() {
        return Err(lines(problems));
    }
    serde_json::from_value(tree.to_json()).map_err(|error| vec![format!("{name}: {error}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_have_their_places() {
        let wrong = of_text(
            "tools:\n  send:\n    clas: write\n    sinks: { to: emial }\nunknown: maybe\n",
            "p.yaml",
        )
        .unwrap_err();
        let all = wrong.join("\n");
        assert!(all.contains("p.yaml:3:") && all.contains("clas"), "{all}");
        assert!(all.contains("p.yaml:5:") && all.contains("unknown"), "{all}");
        assert_eq!(wrong.len(), 3, "{all}");
    }

    #[test]
    fn the_examples_are_policies() {
        for (name, text) in [
            (
                "mail-agent.yaml",
                include_str!("../../../../config/policies/mail-agent.yaml"),
            ),
            (
                "chat-agent.yaml",
                include_str!("../../../../config/policies/chat-agent.yaml"),
            ),
        ] {
            let policy = of_text(text, name).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
            assert!(policy.tools.len() > 5 && policy.results.len() > 3);
        }
        let text = include_str!("../../../../config/policies/mcp-sql.yaml");
        let policy = of_text(text, "mcp-sql.yaml").unwrap_or_else(|wrong| panic!("{wrong:#?}"));
        assert!(policy.tools.contains_key("query"));
    }
}
