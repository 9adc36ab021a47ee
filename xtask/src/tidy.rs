//! House rules as checks: each is a pure function from the tree to complaints.
//!
//! It does not judge what clippy or rustfmt judge.

mod edges;
mod leaks;
mod links;
mod shape;
mod words;

use crate::generated;
use crate::tree::{self, Tree};

/// One broken rule: where and what.
#[derive(Debug, PartialEq, Eq)]
pub struct Complaint {
    /// `path` or `path:line`.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Complaint {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Complaint {
        Complaint {
            place: place.into(),
            what: what.into(),
        }
    }

    fn at(path: &str, line: usize, what: impl Into<String>) -> Complaint {
        Complaint::new(format!("{path}:{}", line.saturating_add(1)), what)
    }
}

/// A rule of the house.
struct Rule {
    name: &'static str,
    check: fn(&Tree) -> Vec<Complaint>,
}

/// Every rule, in the order in which they are told.
static RULES: &[Rule] = &[
    Rule {
        name: "walls between our crates",
        check: edges::ours,
    },
    Rule {
        name: "third-party dependencies",
        check: edges::third_party,
    },
    Rule {
        name: "manifests inherit from the workspace",
        check: edges::inheritance,
    },
    Rule {
        name: "pure crates ban I/O",
        check: edges::pure_crates,
    },
    Rule {
        name: "file length",
        check: shape::length,
    },
    Rule {
        name: "files begin with their purpose",
        check: shape::purpose,
    },
    Rule {
        name: "words",
        check: words::check,
    },
    Rule {
        name: "links in documents",
        check: links::check,
    },
    Rule {
        name: "paths of one machine",
        check: leaks::machine_paths,
    },
    Rule {
        name: "secret-shaped strings",
        check: leaks::secret_shapes,
    },
];

/// Checks the working tree and tells every complaint.
pub fn run() -> Result<(), String> {
    let tree = Tree::read(&tree::root())?;
    let mut broken = 0usize;
    for rule in RULES {
        for complaint in (rule.check)(&tree) {
            println!("{}: {} [{}]", complaint.place, complaint.what, rule.name);
            broken = broken.saturating_add(1);
        }
    }
    for note in shape::notes(&tree) {
        println!("note: {}: {}", note.place, note.what);
    }
    for complaint in generated::stale()? {
        println!("{}: {} [generated documents]", complaint.place, complaint.what);
        broken = broken.saturating_add(1);
    }
    match broken {
        0 => Ok(()),
        1 => Err("tidy: 1 complaint".to_owned()),
        many => Err(format!("tidy: {many} complaints")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_working_tree_keeps_the_rules() {
        let tree = Tree::read(&tree::root()).unwrap();
        let complaints: Vec<Complaint> = RULES.iter().flat_map(|rule| (rule.check)(&tree)).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}
