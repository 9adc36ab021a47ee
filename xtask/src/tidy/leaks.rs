//! What must not be in a public tree: paths of one machine, and strings that look like live credentials.
//!
//! It is a coarse net for our own test data, not a secret scanner: crates/inspect is that.

use std::collections::BTreeSet;

use super::Complaint;
use crate::tree::Tree;

/// Beginnings of paths that exist on somebody's machine only.
const MACHINE: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
];

/// A prefix, how many characters of a token must follow for it to look like a credential, and which of them need not be
/// letters or digits.
const SHAPES: &[(&str, usize, &str)] = &[
    (concat!("sk", "-"), 40, "-_"),
    (concat!("AK", "IA"), 16, ""),
    (concat!("gh", "p_"), 36, ""),
    (concat!("AI", "za"), 35, "-_"),
    (concat!("xo", "xb-"), 20, "-"),
    (concat!("sk_", "live_"), 20, ""),
    (concat!("glp", "at-"), 20, "-_"),
    (concat!("h", "f_"), 30, ""),
    (concat!("pc", "_"), 38, ""),
    (concat!("-----BEGIN PRIV", "ATE KEY-----\nM"), 20, "+/"),
];

/// Fewer different characters than this are a placeholder, not a credential; nor is anything without a digit.
const DIFFERENT: usize = 8;

/// No path of one machine.
pub fn machine_paths(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    // Recorded exchanges show whatever paths a model may speak of.
    for file in tree
        .files
        .iter()
        .filter(|file| !file.path.contains("/tests/exchanges/"))
    {
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
        for (prefix, least, marks) in SHAPES {
            for (at, found) in file.text.match_indices(prefix) {
                let rest = file
                    .text
                    .get(at.saturating_add(found.len())..)
                    .unwrap_or_default();
                let token: Vec<char> = rest
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || marks.contains(*c))
                    .collect();
                let different: BTreeSet<&char> = token.iter().collect();
                let numbered = token.iter().any(char::is_ascii_digit);
                if token.len() >= *least && different.len() >= DIFFERENT && numbered {
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
        for (prefix, least, _) in SHAPES {
            let seen = |length: usize, letters: &str| {
                let text = format!(
                    "{prefix}{}",
                    letters.chars().cycle().take(length).collect::<String>()
                );
                secret_shapes(&Tree::of(&[("a.txt", &text)])).len()
            };
            assert_eq!(seen(*least, "abcdefgh23"), 1, "{prefix}");
            assert_eq!(seen(least - 1, "abcdefgh23"), 0, "{prefix} too short");
            assert_eq!(seen(*least, "abc"), 0, "{prefix} of a placeholder");
            assert_eq!(seen(*least, "some_words_here"), 0, "{prefix} of words");
        }
    }
}
