//! How long a file is and how it begins.

use super::Complaint;
use crate::tree::Tree;

/// Lines at which a file is reported as worth a thought.
const THINK: usize = 500;
/// Lines at which a file is refused.
const STOP: usize = 800;

/// Files that may be longer, each with its reason.
static LONG: &[(&str, &str)] = &[];

/// No source file is longer than the house allows.
pub fn length(tree: &Tree) -> Vec<Complaint> {
    let excused = |path: &str| LONG.iter().any(|(name, _)| *name == path);
    let long = tree
        .ending(".rs")
        .filter(|file| file.text.lines().count() > STOP && !excused(&file.path));
    long.map(|file| Complaint::new(&file.path, format!("longer than {STOP} lines: split it")))
        .collect()
}

/// Files that are allowed but long.
pub fn notes(tree: &Tree) -> Vec<Complaint> {
    let mut notes = Vec::new();
    for file in tree.ending(".rs") {
        let lines = file.text.lines().count();
        if lines > THINK {
            let reason = LONG
                .iter()
                .find(|(name, _)| *name == file.path)
                .map_or("", |(_, reason)| *reason);
            notes.push(Complaint::new(
                &file.path,
                format!("{lines} lines {reason}").trim_end().to_owned(),
            ));
        }
    }
    notes
}

/// A file says first what it is.
pub fn purpose(tree: &Tree) -> Vec<Complaint> {
    let silent = tree.ending(".rs").filter(|file| {
        let first = file.text.lines().next().unwrap_or_default();
        first
            .strip_prefix("//! ")
            .is_none_or(|purpose| purpose.trim().len() < 8)
    });
    silent
        .map(|file| {
            Complaint::new(
                &file.path,
                "begin with `//!`: what it is, and what it deliberately does not do",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_refused_and_a_longish_one_noted() {
        let tree = Tree::of(&[
            ("a.rs", &"x\n".repeat(801)),
            ("b.rs", &"x\n".repeat(501)),
            ("c.rs", &"x\n".repeat(500)),
        ]);
        assert_eq!(length(&tree).len(), 1);
        assert_eq!(notes(&tree).len(), 2);
    }

    #[test]
    fn a_file_without_a_purpose_is_seen() {
        let tree = Tree::of(&[
            ("a.rs", "//! What it is for.\n"),
            ("b.rs", "//! x\n"),
            ("c.rs", "use std::fs;\n"),
            ("d.rs", ""),
        ]);
        let places: Vec<String> = purpose(&tree)
            .into_iter()
            .map(|complaint| complaint.place)
            .collect();
        assert_eq!(places, ["b.rs", "c.rs", "d.rs"]);
    }
}
