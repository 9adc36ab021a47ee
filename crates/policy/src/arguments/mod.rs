//! Typed arguments: what a value that a model wrote may be, judged by a parser of its own kind.
//!
//! Every kind reads the value as the tool's own parser would, in the strictest sense that both share, and refuses what it cannot read.
//! It does not know who calls, which tool it is or where the value came from, and reaches nothing: no file, no name service, no clock.

pub mod amount;
pub mod email;
pub mod path;
pub mod plain;
pub mod shell;
pub mod sql;
pub mod url;

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

/// Characters of a reason, at most: it goes to a model and into a record, and holds words of whoever wrote the argument.
const REASON: usize = 300;

/// An argument that may be used.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// As it is.
    Passed,
    /// Only in this form: what is sent must be what was judged.
    Rewritten(Value),
}

/// An argument that may not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What refused it, as `sql.table`.
    pub rule: &'static str,
    /// Why, in one bounded sentence for the model and the operator. It names what is allowed where that helps.
    pub why: String,
}

impl Refused {
    /// A refusal. Control characters and what is too long are taken out of the reason.
    #[must_use]
    pub fn new(rule: &'static str, why: impl fmt::Display) -> Refused {
        let mut text: String = why
            .to_string()
            .chars()
            .map(|letter| if is_plain(letter) { letter } else { '\u{fffd}' })
            .take(REASON)
            .collect();
        if text.chars().count() == REASON {
            text.push('…');
        }
        Refused { rule, why: text }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.why, self.rule)
    }
}

impl std::error::Error for Refused {}

/// A rule for one argument.
pub trait ArgumentRule {
    /// Judges a value.
    ///
    /// # Errors
    /// Why it may not be used.
    fn check(&self, value: &Value) -> Result<Checked, Refused>;
}

/// A rule of any kind, as a policy writes it: `path: { roots: [docs] }`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Argument {
    /// A statement of SQL.
    Sql(sql::SqlRule),
    /// A command.
    Shell(shell::ShellRule),
    /// A path of a file.
    Path(path::PathRule),
    /// A URL.
    Url(url::UrlRule),
    /// Recipients of an e-mail.
    Email(email::EmailRule),
    /// An amount.
    Amount(amount::AmountRule),
    /// A plain value.
    Plain(plain::PlainRule),
}

impl ArgumentRule for Argument {
    fn check(&self, value: &Value) -> Result<Checked, Refused> {
        let rule: &dyn ArgumentRule = match self {
            Argument::Sql(rule) => rule,
            Argument::Shell(rule) => rule,
            Argument::Path(rule) => rule,
            Argument::Url(rule) => rule,
            Argument::Email(rule) => rule,
            Argument::Amount(rule) => rule,
            Argument::Plain(rule) => rule,
        };
        rule.check(value)
    }
}

/// What is wrong with a rule itself, as a phrase for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongRule(pub String);

impl fmt::Display for WrongRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongRule {}

/// Whether a character shows itself and moves nothing: no control, no direction, no character without a width.
fn is_plain(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text that a value must be.
fn text<'a>(value: &'a Value, rule: &'static str) -> Result<&'a str, Refused> {
    value.as_str().ok_or_else(|| Refused::new(rule, "must be a text"))
}
