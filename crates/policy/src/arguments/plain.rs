//! Plain values: one of a list, a pattern, a length, a range.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use serde::Deserialize;
use serde_json::Value;

use super::amount::Decimal;
use super::{ArgumentRule, Checked, Refused, WrongRule, is_plain};

/// Bytes of a compiled pattern.
const PATTERN: usize = 256 * 1024;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "enum")]
    one_of: Option<Vec<Value>>,
    #[serde(default, rename = "const")]
    constant: Option<Value>,
    pattern: Option<String>,
    max_chars: Option<usize>,
    min: Option<Decimal>,
    max: Option<Decimal>,
    #[serde(default)]
    lines: bool,
}

/// Which plain values may be used. All that is said holds together.
///
/// | key | meaning |
/// |---|---|
/// | `enum`, `const` | the values, the one value |
/// | `pattern` | what the whole of a text must fit; regular expressions without backtracking |
/// | `max_chars` | length of a text |
/// | `min`, `max` | bounds of a number, compared exactly |
/// | `lines` | whether a text may have more than one line; other control characters and invisible ones are refused always |
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct PlainRule {
    one_of: Option<Vec<Value>>,
    pattern: Option<Regex>,
    max_chars: Option<usize>,
    min: Option<Decimal>,
    max: Option<Decimal>,
    lines: bool,
}

impl TryFrom<Written> for PlainRule {
    type Error = WrongRule;

    fn try_from(written: Written) -> Result<PlainRule, WrongRule> {
        let pattern = match &written.pattern {
            None => None,
            Some(pattern) => {
                // On its own first: a `)` would end the group that holds it.
                let whole = format!(r"(?:{pattern})\z");
                compiled(pattern)?;
                Some(compiled(&whole)?)
            }
        };
        let one_of = match (written.one_of, written.constant) {
            (Some(_), Some(_)) => return Err(WrongRule("const: stands beside `enum`".to_owned())),
            (one_of, None) => one_of,
            (None, Some(value)) => Some(vec![value]),
        };
        Ok(PlainRule {
            one_of,
            pattern,
            max_chars: written.max_chars,
            min: written.min,
            max: written.max,
            lines: written.lines,
        })
    }
}

fn compiled(pattern: &str) -> Result<Regex, WrongRule> {
    let config = Regex::config()
        .nfa_size_limit(Some(PATTERN))
        .onepass_size_limit(Some(PATTERN));
    Regex::builder()
        .configure(config)
        .syntax(syntax::Config::new().nest_limit(50))
        .build(pattern)
        .map_err(|error| WrongRule(format!("pattern: {error}")))
}

impl ArgumentRule for PlainRule {
    fn check(&self, value: &Value) -> Result<Checked, Refused> {
        if self.one_of.as_ref().is_some_and(|values| !values.contains(value)) {
            return Err(Refused::new(
                "plain.enum",
                "the value is not among the allowed ones",
            ));
        }
        if self.min.is_some() || self.max.is_some() {
            let number = match value {
                Value::Number(_) => Decimal::of(value),
                _ => None,
            };
            let (number, _) = number.ok_or_else(|| Refused::new("plain.type", "must be a number"))?;
            if self.min.is_some_and(|min| number < min) || self.max.is_some_and(|max| number > max) {
                return Err(Refused::new(
                    "plain.range",
                    "the number is outside of what is allowed",
                ));
            }
        }
        if let Value::String(text) = value {
            self.text(text)?;
        } else if self.pattern.is_some() || self.max_chars.is_some() {
            return Err(Refused::new("plain.type", "must be a text"));
        }
        Ok(Checked::Passed)
    }
}

impl PlainRule {
    fn text(&self, text: &str) -> Result<(), Refused> {
        if self
            .max_chars
            .is_some_and(|most| text.chars().nth(most).is_some())
        {
            return Err(Refused::new("plain.length", "the text is too long"));
        }
        if text
            .chars()
            .any(|letter| !(is_plain(letter) || self.lines && matches!(letter, '\n' | '\t')))
        {
            return Err(Refused::new(
                "plain.characters",
                "control and invisible characters are not allowed",
            ));
        }
        let fits = |pattern: &Regex| pattern.is_match(Input::new(text).anchored(Anchored::Yes));
        match self.pattern.as_ref().is_none_or(fits) {
            true => Ok(()),
            false => Err(Refused::new("plain.pattern", "the text has not the allowed form")),
        }
    }
}
