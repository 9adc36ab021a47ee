//! Words that the house does not use in code.
//!
//! It reads lines, not syntax: a string that holds such a line is complained of too, which is right often enough.

use super::Complaint;
use crate::tree::Tree;

/// Marks of unfinished work: an open end is an issue, not a comment.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];
/// Ends of type names that say nothing about what the type is.
const EMPTY_NAMES: &[&str] = &["Manager", "Handler", "Helper", "Helpers", "Util", "Utils"];

/// No unfinished marks, no `get_` functions, no names that say nothing.
pub fn check(tree: &Tree) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for file in tree
        .files
        .iter()
        .filter(|file| file.path.ends_with(".rs") || file.path.ends_with(".py"))
    {
        let mut of_trait = false;
        for (number, line) in file.text.lines().enumerate() {
            // The name of a method of a trait is the trait's, which may be somebody else's.
            if !line.starts_with([' ', '}']) && !line.is_empty() {
                of_trait = line.starts_with("impl") && line.contains(" for ");
            }
            let mut complain = |what: String| complaints.push(Complaint::at(&file.path, number, what));
            if let Some(mark) = MARKS.iter().find(|mark| line.contains(*mark)) {
                complain(format!("{mark}: finish it or file an issue"));
            }
            if file.path.ends_with(".rs") && line.contains(concat!("fn ", "get_")) && !of_trait {
                complain("a reader is named after what it returns, without `get_`".to_owned());
            }
            if let Some(name) =
                declared(line).filter(|name| EMPTY_NAMES.iter().any(|end| name.ends_with(end)))
            {
                complain(format!("{name}: name it after what it is"));
            }
        }
    }
    complaints
}

/// The name of the type that a line declares.
fn declared(line: &str) -> Option<&str> {
    let mut words = line
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty());
    let public = line.trim_start().starts_with("pub");
    let mut first = words.next()?;
    if public {
        first = words.find(|word| !matches!(*word, "crate" | "super"))?;
    }
    matches!(first, "struct" | "enum" | "trait" | "type" | "class")
        .then(|| words.next())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_seen() {
        for line in [
            concat!("// TO", "DO: later"),
            concat!("// FIX", "ME"),
            concat!("    pub fn ", "get_key(&self) {}"),
            concat!("impl A for B {}\nimpl B {\n    pub fn ", "get_key(&self) {}"),
            concat!("pub struct Key", "Manager;"),
            concat!("pub(crate) trait Request", "Handler {"),
            concat!("enum String", "Utils {}"),
        ] {
            assert_eq!(check(&Tree::of(&[("a.rs", line)])).len(), 1, "{line}");
        }
    }

    #[test]
    fn ordinary_words_are_not() {
        for line in [
            "struct Managed;",
            "fn target_of() {}",
            "// a manager is a person",
            "let handler_of = 1;",
            concat!("impl Theirs for Ours {\n    fn ", "get_info() {}"),
        ] {
            assert_eq!(check(&Tree::of(&[("a.rs", line)])), [], "{line}");
        }
    }
}
