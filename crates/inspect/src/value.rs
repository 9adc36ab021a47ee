//! Where the group `value` begins in a match, where what stands before it leaves no choice.
//!
//! Most patterns with such a group are a label and a value behind it, and a match is tried at several ends. A matcher that
//! captures groups would read the whole of each; the label's own automaton reads the label, and where it can end before
//! what a value can begin with at one place only, that is the place. It does not decide between several.

use regex_syntax::ast::{Ast, GroupKind, parse::Parser};

use crate::{byte_set::ByteSet, machine::Machine, prefix::Pattern};

/// What stands before the group `value` that a pattern ends with.
pub(crate) struct Lead {
    machine: Machine,
    /// The bytes that the value can begin with.
    first: ByteSet,
}

impl Lead {
    /// Of a pattern; nothing where it does not end with such a group, or sets flags that reach into it.
    pub(crate) fn of(pattern: &str) -> Option<Lead> {
        let parsed = Parser::new().parse(pattern).ok()?;
        let Ast::Concat(parts) = &parsed else {
            return None;
        };
        let Some(Ast::Group(group)) = parts.asts.last() else {
            return None;
        };
        let is_value = matches!(&group.kind, GroupKind::CaptureName { name, .. } if name.name == "value");
        let sets_flags = parts.asts.iter().any(|part| matches!(part, Ast::Flags(_)));
        if !is_value || sets_flags {
            return None;
        }
        let value = group.ast.span();
        let value = pattern.get(value.start.offset..value.end.offset)?;
        Some(Lead {
            machine: Machine::new(pattern.get(..group.span.start.offset)?).ok()?,
            // One that can be empty begins with nothing: it does not parse.
            first: Pattern::parse(value).ok()?.first(),
        })
    }

    /// Where the value begins in a match; nothing where it could begin at several places.
    pub(crate) fn end(&self, matched: &[u8]) -> Option<usize> {
        let (mut at, mut found, mut several) = (0, None, false);
        let begins = |byte: &u8| self.first.has(*byte);
        let bytes = matched.iter().copied();
        self.machine.walk(self.machine.start(), bytes, |state| {
            at += 1;
            if state.accepts() && matched.get(at).is_some_and(begins) {
                several |= found.is_some();
                found = Some(at);
            }
        });
        found.filter(|_| !several)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Capturing;

    #[test]
    fn a_value_begins_where_its_label_must_end() {
        for (pattern, text, start) in [
            ("(?i:name)[:=] ?\"?(?<value>[a-z]+)", "Name: \"jane", Some(7)),
            ("(?:at|at the) ?(?<value>[a-z ]+)", "at the end", None),
            ("(?:at|at the) (?<value>[a-z]+)", "at the", Some(3)),
            ("(?:my|his) (?<value>[0-9]+(?:-[0-9])?)", "his 12-3", Some(4)),
        ] {
            let lead = Lead::of(pattern).unwrap();
            assert_eq!(lead.end(text.as_bytes()), start, "{pattern}");
            let captured = Capturing::new(pattern).unwrap().value(text);
            assert!(start.is_none_or(|start| captured == Some((start, text.len()))));
        }
        for pattern in [
            "(?i)a(?<value>b)",
            "a|b(?<value>c)",
            "a(?<value>b)c",
            "a(?<value>b?)",
            "(?<value>b)",
            "a(?<other>b)",
        ] {
            assert!(Lead::of(pattern).is_none(), "{pattern}");
        }
    }
}
