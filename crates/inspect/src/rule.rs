//! Rules as data: what the outside sees of a rule, and how a rules file is read.
//!
//! A rule is a `[[rule]]` block; its `hit` and `miss` are its test corpus, in the small language of [`crate::corpus`].
//! Compiling rules into something that runs is the inspector's part.

use std::sync::Arc;

use portcullis_core::{Channel, Family, Kind, Severity};
use serde::Deserialize;

use crate::{around::Check, edge::Edge, keywords::Keywords};

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
    pub fn checksum(&self) -> Option<&str> {
        self.source.checksum.as_deref()
    }

    /// Words one of which must stand near a match.
    #[must_use]
    pub fn keywords(&self) -> &[String] {
        &self.source.keywords
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
    #[error("rule {rule}: {place}{}{reason}", if place.is_empty() { "" } else { ": " })]
    Rule {
        /// Its id.
        rule: String,
        /// What of it is wrong, as `hit[2]`; empty where it is no single thing.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A `[[rule]]` block as written, in the built-in files and in a configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub(crate) id: String,
    /// Only in a user's rule: a built-in file is of one family.
    pub(crate) family: Option<Family>,
    pub(crate) severity: Severity,
    #[serde(default = "certain")]
    pub(crate) score: f32,
    #[serde(default)]
    pub(crate) about: String,
    /// Each is a pattern of its own, and a match of any is a finding. `<name>` stands for a fragment. Where a pattern has
    /// a group `(?<value>…)`, the finding is what that group matched.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) pattern: Vec<String>,
    #[serde(default)]
    pub(crate) before: Edge,
    #[serde(default)]
    pub(crate) after: Edge,
    /// Words one of which must stand within `near` bytes before a match or within `near_after` bytes behind it.
    #[serde(default)]
    pub(crate) keywords: Arc<Keywords>,
    #[serde(default = "some_words")]
    pub(crate) near: usize,
    #[serde(default)]
    pub(crate) near_after: usize,
    /// Whether a keyword must label the value: it belongs to the first value behind it, may stand over the value's column,
    /// and its blanks may be written `_`, `-`, or not at all.
    #[serde(default)]
    pub(crate) label: bool,
    /// The least entropy of the value, in bits a character.
    #[serde(default)]
    pub(crate) entropy: f32,
    pub(crate) checksum: Option<String>,
    pub(crate) channels: Option<Vec<Channel>>,
    #[serde(default)]
    pub(crate) hit: Vec<String>,
    #[serde(default)]
    pub(crate) miss: Vec<String>,
}

fn some_words() -> usize {
    64
}

/// One string, or a list of them.
fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::One(one) => vec![one],
        Written::Many(many) => many,
    })
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
    /// Lists of keywords by name, to be used as `<name>` among keywords.
    #[serde(default)]
    words: Vec<Words>,
    #[serde(rename = "rule")]
    pub(crate) rules: Vec<Source>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fragment {
    name: String,
    pattern: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    name: String,
    list: Vec<String>,
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
        for shape in file.rules.iter_mut().flat_map(|rule| &mut rule.pattern) {
            *shape = fill(shape, &known);
        }
        for rule in &mut file.rules {
            let written = write_out(&rule.keywords, &file.words, rule.label);
            rule.keywords = Arc::new(written.into_iter().collect());
        }
        Ok(file)
    }
}

fn fill(pattern: &str, known: &[(String, String)]) -> String {
    known.iter().fold(pattern.to_owned(), |pattern, (name, piece)| {
        pattern.replace(name, piece)
    })
}

/// Keywords with the lists among them written out, and labels in all their spellings: `_`, `-` or nothing for a blank,
/// without diacritics, and (where letters beyond ASCII have two cases) in both.
fn write_out(keywords: &[String], lists: &[Words], label: bool) -> Vec<String> {
    let mut written: Vec<String> = Vec::new();
    for keyword in keywords {
        match lists.iter().find(|words| *keyword == format!("<{}>", words.name)) {
            Some(words) => written.extend(words.list.iter().cloned()),
            None => written.push(keyword.clone()),
        }
    }
    if !label {
        return written;
    }
    // As folding leaves Thai, with and without the mark that the vowel is taken apart into.
    let thai: Vec<String> = written
        .iter()
        .filter(|word| word.contains('\u{e33}'))
        .cloned()
        .collect();
    let folded = |word: &String| ["\u{e4d}\u{e32}", "\u{e32}"].map(|vowel| word.replace('\u{e33}', vowel));
    written.extend(thai.iter().flat_map(folded));
    let plain: Vec<String> = written.iter().map(|word| without_diacritics(word)).collect();
    // Without its marks a word may be too short to be a keyword.
    written.extend(plain.into_iter().filter(|word| word.len() > 2));
    let beyond: Vec<String> = written.iter().filter(|word| !word.is_ascii()).cloned().collect();
    written.extend(
        beyond
            .iter()
            .flat_map(|word| [word.to_lowercase(), word.to_uppercase(), capitalised(word)]),
    );
    let spaced: Vec<String> = written
        .iter()
        .filter(|word| word.contains(' '))
        .cloned()
        .collect();
    let spellings = |word: &String| ["_", "-", ""].map(|blank| word.replace(' ', blank));
    written.extend(spaced.iter().flat_map(spellings));
    written.sort();
    written.dedup();
    written
}

fn capitalised(word: &str) -> String {
    let lower = word.to_lowercase();
    let mut rest = lower.chars();
    let first = rest.next();
    first
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(rest)
        .collect()
}

/// Latin letters with a mark, and without.
const MARKED: &str = "áàâãäåăąāçćčďéèêëěęėēíìîïīłľñńňóòôõöőøřśšşșťțúùûüůűūýźžż";
const PLAIN: &str = "aaaaaaaaacccdeeeeeeeeiiiiillnnnooooooorssssttuuuuuuuyzzz";

fn without_diacritics(word: &str) -> String {
    let plain = |letter: char| {
        let lower = letter.to_lowercase().next().unwrap_or(letter);
        let place = MARKED.chars().position(|marked| marked == lower);
        let plain = place.and_then(|place| PLAIN.chars().nth(place));
        match plain {
            Some(plain) if letter.is_uppercase() => plain.to_ascii_uppercase(),
            Some(plain) => plain,
            None => letter,
        }
    };
    word.chars().map(plain).collect()
}

impl Source {
    /// Reads a rules file: `[[rule]]` blocks, and `fragments` for their patterns.
    ///
    /// # Errors
    /// It does not have that shape; the message names line and column. What is wrong with single rules is told by
    /// [`Inspector::with`](crate::Inspector::with).
    pub fn read_file(text: &str) -> Result<Vec<Source>, RuleError> {
        Ok(File::parse(text)?.rules)
    }

    /// The name that findings of the rule carry.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The kind of risk, where the rule names it.
    #[must_use]
    pub fn family(&self) -> Option<Family> {
        self.family
    }

    /// The check named by the rule.
    pub(crate) fn find_check(&self) -> Result<Option<Check>, RuleError> {
        let Some(name) = &self.checksum else {
            return Ok(None);
        };
        match crate::checks::named(name) {
            Some(check) => Ok(Some(check)),
            None => Err(self.wrong_at("checksum", format!("there is no checksum named {name}"))),
        }
    }

    /// An error about this rule.
    pub(crate) fn wrong(&self, reason: impl Into<String>) -> RuleError {
        self.wrong_at("", reason)
    }

    /// An error about one thing of this rule.
    pub(crate) fn wrong_at(&self, place: &str, reason: impl Into<String>) -> RuleError {
        RuleError::Rule {
            rule: self.id.clone(),
            place: place.to_owned(),
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
             [[rule]]\nid = 'r'\nseverity = 'low'\nabout = ''\npattern = ['<b>|<a>']\nhit = []\nmiss = []",
        )
        .unwrap();
        assert_eq!(file.rules[0].pattern, ["(?:(?:x)y)|(?:x)"]);
    }

    #[test]
    fn labels_have_several_spellings() {
        let keywords = ["Número fiscal".to_owned(), "<w>".to_owned()];
        let lists = [Words {
            name: "w".to_owned(),
            list: vec!["ИНН".to_owned()],
        }];
        let written = write_out(&keywords, &lists, true);
        for word in [
            "Número fiscal",
            "Numero_fiscal",
            "NÚMEROFISCAL",
            "инн",
            "Инн",
            "ИНН",
        ] {
            assert!(written.iter().any(|other| other == word), "{word} in {written:?}");
        }
        assert_eq!(MARKED.chars().count(), PLAIN.chars().count());
        assert_eq!(write_out(&keywords, &lists, false), ["Número fiscal", "ИНН"]);
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
