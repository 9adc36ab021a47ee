//! What must not be in a public tree: paths of one machine, and strings that look like live credentials.
//!
//! It is a coarse net for our own test data, not a secret scanner: crates/inspect is that.

use super::Complaint;
use crate::tree::Tree;

/// Beginnings of paths that exist on somebody's machine only.
const MACHINE: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
];

/// A prefix and how many token characters must follow for it to look like a credential.
const SHAPES: &[(&str, usize)] = &[
    (concat!("sk", "-"), 40),
    (concat!("AK", "IA"), 16),
    (concat!("gh", "p_"), 36),
    (concat!("AI", "za"), 35),
    (concat!("xo", "xb-"), 20),
    (concat!("sk_", "live_"), 20),
    (concat!("glp", "at-"), 20),
    (concat!("h", "f_"), 30),
    (concat!("pc", "_"), 38),
    (concat!("-----BEGIN PRIV", "ATE KEY-----\nM"), 20),
];

/// No path of one machine.
pub fn machine_paths(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in &tree.files {
        for (number, line) in file.text.lines().enumerate() {
            let starts = |(at, _): (usize, &str)| {
                !line
                    .get(..at)
                    .and_then(|before| before.chars().next_back())
                    .is_some_and(|c| c.is_alphanumeric() || c == '.')
            };
            if let Some(path) = MACHINE.iter().find(|path| line.match_indices(**path).any(starts)) {
                complaints.push(Complaint::at(
                    &file.path,
                    number,
                    format!("`{path}…` exists on one machine only"),
                ));
            }
        }
    }
    complaints
}

/// Nothing that a scanner would take for a leaked credential.
pub fn secret_shapes(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in &tree.files {
        for (prefix, least) in SHAPES {
            for (at, found) in file.text.match_indices(prefix) {
                let rest = file
                    .text
                    .get(at.saturating_add(found.len())..)
                    .unwrap_or_default();
                let token = rest
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/'));
                if token.count() >= *least {
                    let line = file.text.get(..at).unwrap_or_default().matches('\n').count();
                    let what = "looks like a live credential: build it in the test from a seed";
                    complaints.push(Complaint::at(&file.path, line, what));
                }
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_seen() {
        for path in MACHINE {
            assert_eq!(
                machine_paths(&Tree::of(&[("a.md", &format!("see `{path}me/x`"))])).len(),
                1,
                "{path}"
            );
            assert_eq!(
                machine_paths(&Tree::of(&[("a.md", &format!("https://example.com{path}x"))])),
                [],
                "{path}"
            );
        }
    }

    #[test]
    fn a_secret_shape_is_seen_and_a_short_name_is_not() {
        for (prefix, least) in SHAPES {
            let long = format!("{prefix}{}", "a".repeat(*least));
            let short = format!("{prefix}{}", "a".repeat(least - 1));
            assert_eq!(secret_shapes(&Tree::of(&[("a.txt", &long)])).len(), 1, "{prefix}");
            assert_eq!(secret_shapes(&Tree::of(&[("a.txt", &short)])), [], "{prefix}");
        }
    }
}
