//! Links in documents lead somewhere: relative ones to a file of the tree.
//!
//! It follows no address of the outside world.

use super::Complaint;
use crate::tree::Tree;

/// Every relative link of every document resolves.
pub fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in tree.ending(".md") {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut in_code = false;
        for (number, line) in file.text.lines().enumerate() {
            in_code ^= line.trim_start().starts_with("```");
            if in_code {
                continue;
            }
            for target in targets(&without_code(line)) {
                let outside =
                    target.contains("://") || target.starts_with('#') || target.starts_with("mailto:");
                let path = resolve(folder, target.split('#').next().unwrap_or_default());
                if !outside && !path.as_deref().is_some_and(|path| tree.holds(path)) {
                    complaints.push(Complaint::at(
                        &file.path,
                        number,
                        format!("link leads nowhere: {target}"),
                    ));
                }
            }
        }
    }
    complaints
}

/// The line without what stands between backticks: an example of a link leads nowhere and need not.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// What stands in `](…)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.trim())
}

/// The path from the root; `None` if it leaves the tree.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_seen() {
        let tree = Tree::of(&[
            (
                "docs/a.md",
                "[b](b.md) [up](../README.md#top) [out](https://example.com/x) [here](#x)",
            ),
            (
                "docs/b.md",
                "[gone](c.md) as in `[text](address)` and [`code`](d.md) and [outside](../../etc/x)\n```\n[not a link](nowhere.md)\n```",
            ),
            ("README.md", "[docs](docs/) [a](./docs/a.md)"),
        ]);
        let places: Vec<String> = check(&tree).into_iter().map(|complaint| complaint.what).collect();
        assert_eq!(
            places,
            [
                "link leads nowhere: c.md",
                "link leads nowhere: d.md",
                "link leads nowhere: ../../etc/x"
            ]
        );
    }
}
