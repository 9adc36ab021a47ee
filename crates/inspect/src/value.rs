//! Where the group `value` begins in a match.
//!
//! Most patterns with such a group are a label and a value behind it, and a match is tried at several ends. A matcher that
//! captures groups would read the whole of each; the label's own automaton reads the label once, and where it can end before
//! what a value can begin with at one place only, that is the place. Where there are several, the matcher is asked about the
//! label alone: what it prefers is the place if a value goes on from there to the end of the match.

use std::{cell::OnceCell, sync::OnceLock};

use regex_syntax::ast::{Ast, GroupKind, parse::Parser};

use crate::{byte_set::ByteSet, capturing::Capturing, machine::Machine, prefix::Pattern};

/// What stands before the group `value` that a pattern ends with.
pub(crate) struct Lead {
    label: String,
    machine: Machine,
    value: String,
    /// What is needed where a label has several ends.
    several: OnceLock<Option<Box<Several>>>,
    /// The bytes that the value can begin with.
    first: ByteSet,
}

/// What decides between several ends of a label.
struct Several {
    /// Says which is preferred.
    preferring: Capturing,
    value: Machine,
}

/// Where a value can begin in the matches that begin at one place.
pub(crate) struct Begins<'a> {
    lead: &'a Lead,
    /// The longest of the matches.
    longest: &'a str,
    /// The first two places, and the last.
    first: usize,
    second: Option<usize>,
    last: usize,
    preferred: OnceCell<Option<Preferred>>,
}

/// The preferred end of a label.
struct Preferred {
    at: usize,
    /// Of the places behind each byte from there on, whether a value ends there.
    ends: Vec<bool>,
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
        let label = pattern.get(..group.span.start.offset)?;
        Some(Lead {
            label: label.to_owned(),
            machine: Machine::new(label).ok()?,
            value: value.to_owned(),
            several: OnceLock::new(),
            // One that can be empty begins with nothing: it does not parse.
            first: Pattern::parse(value).ok()?.first(),
        })
    }

    /// Where the value can begin in a match and in the shorter ones that begin where it does.
    pub(crate) fn begins<'a>(&'a self, longest: &'a str) -> Option<Begins<'a>> {
        let (mut at, mut first, mut second, mut last) = (0, None, None, 0);
        let matched = longest.as_bytes();
        let begins = |byte: &u8| self.first.has(*byte);
        self.machine
            .walk(self.machine.start(), matched.iter().copied(), |state| {
                at += 1;
                if state.accepts() && matched.get(at).is_some_and(begins) {
                    second = second.or(first.map(|_| at));
                    first = first.or(Some(at));
                    last = at;
                }
            });
        Some(Begins {
            lead: self,
            longest,
            first: first?,
            second,
            last,
            preferred: OnceCell::new(),
        })
    }

    fn several(&self) -> Option<&Several> {
        let several = || {
            Some(Box::new(Several {
                preferring: Capturing::new(&format!("(?<value>{})(?su:.)*", self.label)).ok()?,
                value: Machine::new(&self.value).ok()?,
            }))
        };
        self.several.get_or_init(several).as_deref()
    }
}

impl Several {
    /// Of the places behind each of the bytes, whether a value ends there.
    fn ends(&self, text: &[u8]) -> Vec<bool> {
        let mut ends = Vec::with_capacity(text.len());
        self.value
            .walk(self.value.start(), text.iter().copied(), |state| {
                ends.push(state.accepts());
            });
        ends
    }
}

impl Begins<'_> {
    /// Where the value begins in the match of that length; nothing where that is not known.
    pub(crate) fn of(&self, length: usize) -> Option<usize> {
        if self.second.is_none_or(|second| second >= length) {
            return Some(self.first).filter(|first| *first < length);
        }
        let several = self.lead.several()?;
        let preferred = || {
            let label = self.longest.get(..self.last)?;
            let (_, at) = several.preferring.value(label)?;
            let ends = several.ends(self.longest.as_bytes().get(at..)?);
            Some(Preferred { at, ends })
        };
        let preferred = self.preferred.get_or_init(preferred).as_ref()?;
        let end = length.checked_sub(preferred.at + 1)?;
        let ends_there = preferred.ends.get(end).copied().unwrap_or(false);
        ends_there.then_some(preferred.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capturing::Capturing;

    #[test]
    fn a_value_begins_where_its_label_ends() {
        for (pattern, text, start) in [
            ("(?i:name)[:=] ?\"?(?<value>[a-z]+)", "Name: \"jane", Some(7)),
            ("(?:at|at the) ?(?<value>[a-z ]+)", "at the end", Some(3)),
            ("(?:at the|at) ?(?<value>[a-z ]+)", "at the end", Some(7)),
            ("(?:at the e|at) ?(?<value>[a-z ]{6,})", "at the end", None),
            ("(?:at|at the) (?<value>[a-z]+)", "at the", Some(3)),
            ("(?:my|his) (?<value>[0-9]+(?:-[0-9])?)", "his 12-3", Some(4)),
        ] {
            let lead = Lead::of(pattern).unwrap();
            let found = lead.begins(text).and_then(|begins| begins.of(text.len()));
            assert_eq!(found, start, "{pattern}");
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
