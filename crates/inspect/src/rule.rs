//! Rules as data: what the outside sees of a rule, and how a rules file is read.
//!
//! A rule is a `[[rule]]` block; its `hit` and `miss` are its test corpus, in the small language of [`crate::corpus`].
//! Compiling rules into something that runs is the inspector's part.

use portcullis_core::{Channel, Family, Kind, Severity};
use serde::Deserialize;

use crate::{edge::Edge, validate::Check};

/// What a detector looks for, as listed by `portcullis detectors`.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(crate) id: Kind,
    pub(crate) family: Family,
    pub(crate) source: Source,
    pub(crate) channels: Vec<Channel>,
}

impl Rule {
    /// The name that findings of this rule carry.
    #[must_use]
    pub fn id(&self) -> &Kind {
        &self.id
    }

    /// The kind of risk.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// How bad a finding is if it is true.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.source.severity
    }

    /// How sure a finding is, 0..=1.
    #[must_use]
    pub fn score(&self) -> f32 {
        self.source.score
    }

    /// What it finds and what it misses, in a sentence or two.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.source.about
    }

    /// The channels it is run on.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// The name of the check that a match must pass besides its shape, as `luhn`.
    #[must_use]
    pub fn check(&self) -> Option<&str> {
        self.source.check.as_deref()
    }

    /// Texts in which it finds what stands between `«` and `»`; write them out with [`crate::corpus::expand`].
    #[must_use]
    pub fn hits(&self) -> &[String] {
        &self.source.hit
    }

    /// Texts in which it finds nothing; write them out with [`crate::corpus::expand`].
    #[must_use]
    pub fn misses(&self) -> &[String] {
        &self.source.miss
    }
}

/// Why a set of rules could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The file does not have the shape of a rules file; the message names line and column.
    #[error("rules do not parse: {0}")]
    Syntax(#[from] toml::de::Error),
    /// One rule is wrong.
    #[error("rule {rule}: {reason}")]
    Rule {
        /// Its id.
        rule: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A `[[rule]]` block as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) id: String,
    pub(crate) severity: Severity,
    #[serde(default = "certain")]
    pub(crate) score: f32,
    pub(crate) about: String,
    /// The shapes: each is a pattern of its own, and a match of any is a finding. `<name>` stands for a fragment.
    pub(crate) shapes: Vec<String>,
    #[serde(default)]
    pub(crate) before: Edge,
    #[serde(default)]
    pub(crate) after: Edge,
    pub(crate) check: Option<String>,
    pub(crate) channels: Option<Vec<Channel>>,
    pub(crate) hit: Vec<String>,
    pub(crate) miss: Vec<String>,
}

fn certain() -> f32 {
    1.0
}

/// A rules file as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// Pieces of patterns by name, to be used as `<name>` in shapes and in later pieces.
    #[serde(default)]
    fragments: Vec<Fragment>,
    #[serde(rename = "rule")]
    pub(crate) rules: Vec<Source>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fragment {
    name: String,
    pattern: String,
}

impl File {
    /// Reads a rules file and writes its fragments out.
    pub(crate) fn parse(text: &str) -> Result<File, RuleError> {
        let mut file: File = toml::from_str(text)?;
        let mut known: Vec<(String, String)> = Vec::new();
        for fragment in &file.fragments {
            let pattern = fill(&fragment.pattern, &known);
            known.push((format!("<{}>", fragment.name), format!("(?:{pattern})")));
        }
        for shape in file.rules.iter_mut().flat_map(|rule| &mut rule.shapes) {
            *shape = fill(shape, &known);
        }
        Ok(file)
    }
}

fn fill(pattern: &str, known: &[(String, String)]) -> String {
    known.iter().fold(pattern.to_owned(), |pattern, (name, piece)| {
        pattern.replace(name, piece)
    })
}

impl Source {
    /// The check named by the rule.
    pub(crate) fn find_check(&self) -> Result<Option<Check>, RuleError> {
        let Some(name) = &self.check else {
            return Ok(None);
        };
        let found = crate::validate::CHECKS.iter().find(|(known, _)| known == name);
        match found {
            Some((_, check)) => Ok(Some(*check)),
            None => Err(self.wrong(format!("there is no check named {name}"))),
        }
    }

    /// An error about this rule.
    pub(crate) fn wrong(&self, reason: impl Into<String>) -> RuleError {
        RuleError::Rule {
            rule: self.id.clone(),
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_written_out_in_order() {
        let file = File::parse(
            "fragments = [{name = 'a', pattern = 'x'}, {name = 'b', pattern = '<a>y'}]\n\
             [[rule]]\nid = 'r'\nseverity = 'low'\nabout = ''\nshapes = ['<b>|<a>']\nhit = []\nmiss = []",
        )
        .unwrap();
        assert_eq!(file.rules[0].shapes, ["(?:(?:x)y)|(?:x)"]);
    }

    #[test]
    fn a_wrong_file_says_where() {
        let error = File::parse("[[rule]]\nid = 'r'\nsuspicious = 1")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line 3") && error.contains("suspicious"),
            "{error}"
        );
    }
}
