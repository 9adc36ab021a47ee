//! A rule of a user's own as it is written: the settings of a `[[rule]]` block of the built-in files. Its meaning is the
//! inspector's affair; this is its spelling.

use portcullis_core::Channel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Form, Text};

/// A rule of your own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub struct RawRule {
    /// The name that findings carry: letters, digits, `_`, `.` and `-`. The name of a built-in kind of the same family
    /// makes the rule another form of that kind.
    pub id: String,
    /// The kind of risk.
    #[serde(default)]
    pub family: RawFamily,
    /// How bad a finding is if it is true.
    pub severity: RawSeverity,
    /// How sure a finding is, from 0 to 1. Of two findings on the same text the surer is reported.
    #[serde(default = "certain")]
    #[schemars(range(min = 0, max = 1))]
    pub score: f64,
    /// What it finds and what it misses.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// What a match looks like: one regular expression or several, each on its own. There is no look-around and there are
    /// no `^`, `$` and `\b`; classes hold ASCII unless the pattern says `(?u)`, which `.` and
    /// negated classes need. Where it has a group `(?<value>…)`,
    /// that group is the finding.
    pub pattern: RawPatterns,
    /// What may not stand right before a match.
    #[serde(default)]
    pub before: RawEdge,
    /// What may not stand right behind a match.
    #[serde(default)]
    pub after: RawEdge,
    /// Words of three letters at least, one of which must stand near a match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// Within how many bytes before a match such a word must stand.
    #[serde(default = "near")]
    pub near: u32,
    /// Within how many bytes behind a match it may stand instead.
    #[serde(default)]
    pub near_after: u32,
    /// The least entropy of what is found, in bits a byte: 3 and more for random letters.
    #[serde(default)]
    #[schemars(range(min = 0, max = 8))]
    pub entropy: f64,
    /// The name of a built-in check that what is found must pass, as `luhn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// The channels it is run on; all if none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<Text<ChannelName>>>,
    /// Texts in which it must find what stands between `«` and `»`, checked when the file is read. `{hex:32}`,
    /// `{base62:40}`, `{digit:8}` and `{luhn:16:4}` stand for random values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hit: Vec<String>,
    /// Texts in which it must find nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub miss: Vec<String>,
}

/// The kind of risk that a rule looks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Family")]
pub enum RawFamily {
    /// Credentials.
    #[default]
    Secret,
    /// Personal data. Name its id in a profile's `pii.types` to have it acted upon.
    Pii,
    /// Text that tries to take control of the model.
    Injection,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Severity")]
pub enum RawSeverity {
    /// Worth a note.
    Low,
    /// Worth a look.
    Medium,
    /// Worth an action.
    High,
    /// Worth an alarm.
    Critical,
}

/// What may not touch a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Edge")]
pub enum RawEdge {
    /// Anything may.
    Free,
    /// Digits.
    Digit,
    /// Letters and digits.
    #[default]
    Alnum,
    /// Letters, digits and `_`.
    Word,
    /// Letters, digits, `_` and `-`.
    Token,
    /// Letters, digits, `_`, `-`, `+` and `%`.
    Local,
}

/// One pattern or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum RawPatterns {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// The name of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelName(pub Channel);

impl Form for ChannelName {
    const NAME: &'static str = "channel";
    const ABOUT: &'static str =
        "where a text stands: `user`, `system`, `assistant`, `tool_result`, `tool_call`, `document`, …";

    fn read(text: &str) -> Result<ChannelName, String> {
        Channel::from_name(text).map(ChannelName).ok_or_else(|| {
            let known: Vec<&str> = Channel::ALL.iter().map(|channel| channel.name()).collect();
            format!("there is no channel `{text}`; there are {}", known.join(", "))
        })
    }
}

fn certain() -> f64 {
    1.0
}

fn near() -> u32 {
    64
}

impl RawRule {
    /// The rule that is meant. INVARIANT: what can be written here is what the inspector reads; a test holds it.
    ///
    /// # Errors
    /// A difference between the two, which would be a fault of this program.
    pub fn build(&self) -> Result<portcullis_inspect::Source, String> {
        let value = serde_json::to_value(self).map_err(|error| error.to_string())?;
        serde_json::from_value(value).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::{resolve, schema, words};

    fn rule(changed: (&str, serde_json::Value)) -> RawRule {
        let mut rule = serde_json::json!({"id": "X", "severity": "low", "pattern": "abc"});
        rule[changed.0] = changed.1;
        serde_json::from_value(rule).unwrap()
    }

    #[test]
    fn every_word_that_can_be_written_is_read_by_the_inspector() {
        let root = schema();
        let settings = root["$defs"]["Rule"]["properties"].as_object().unwrap();
        let mut tried = 0;
        for (name, setting) in settings {
            for (word, _) in words(resolve(&root, setting)) {
                rule((name, word.into())).build().unwrap();
                tried += 1;
            }
        }
        assert!(tried > 10, "{tried}");
        for changed in [
            ("pattern", serde_json::json!(["abc", "abd"])),
            ("channels", serde_json::json!(["user", "tool_result"])),
            ("keywords", serde_json::json!(["word"])),
            ("checksum", "luhn".into()),
            ("score", 0.5.into()),
            ("entropy", 3.into()),
            ("near_after", 12.into()),
            ("hit", serde_json::json!(["«abc»"])),
            ("miss", serde_json::json!(["abd"])),
            ("about", "Something.".into()),
        ] {
            rule(changed).build().unwrap();
        }
    }
}
