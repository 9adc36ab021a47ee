//! Commands: a list of words, or a line that a shell would split into the same words and change nothing of.
//!
//! A line that holds anything that a shell acts on outside of quotes is refused, so nothing is ever expanded. What passes is written anew with
//! every word in quotes that needs them. A program is its name: a path to one is another program. What a program does with its
//! arguments is known only as far as the rule says it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::path::PathRule;
use super::plain::PlainRule;
use super::url::UrlRule;
use super::{ArgumentRule, Checked, Refused, is_plain};

/// Words of a command, and bytes of all.
const WORDS: usize = 256;
const BYTES: usize = 16 * 1024;

/// Which commands may be run: programs by name, each with what may follow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShellRule {
    /// Programs by name.
    commands: BTreeMap<String, CommandRule>,
}

/// What may follow a program or a subcommand. Nothing may that is not said here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CommandRule {
    /// What the first word that is no flag must be one of, each with a rule of its own for what follows it.
    subcommands: BTreeMap<String, CommandRule>,
    /// Flags as they are written, `-l` or `--all`: `none`, or a rule for the value that it takes.
    flags: BTreeMap<String, FlagRule>,
    /// Other words, at most.
    max: usize,
    /// What each other word must be.
    words: Option<WordRule>,
}

/// What a word may be: one of these.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WordRule {
    Path(PathRule),
    Url(UrlRule),
    Plain(PlainRule),
}

/// What a flag takes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FlagRule {
    /// Nothing.
    None,
    #[serde(untagged)]
    Value(WordRule),
}

impl WordRule {
    fn check(&self, word: &str) -> Result<String, Refused> {
        let value = Value::String(word.to_owned());
        let checked = match self {
            WordRule::Path(rule) => rule.check(&value)?,
            WordRule::Url(rule) => rule.check(&value)?,
            WordRule::Plain(rule) => rule.check(&value)?,
        };
        Ok(match checked {
            Checked::Rewritten(Value::String(text)) => text,
            Checked::Rewritten(_) | Checked::Passed => word.to_owned(),
        })
    }
}

impl ArgumentRule for ShellRule {
    fn check(&self, value: &Value) -> Result<Checked, Refused> {
        match value {
            Value::String(line) => {
                let line_anew = quoted(&self.judge(&words(line)?)?);
                Ok(match line_anew == *line {
                    true => Checked::Passed,
                    false => Checked::Rewritten(line_anew.into()),
                })
            }
            Value::Array(items) => {
                let words: Option<Vec<String>> = items
                    .iter()
                    .map(|item| item.as_str().map(str::to_owned))
                    .collect();
                let words =
                    words.ok_or_else(|| Refused::new("shell.type", "a command is a list of texts"))?;
                let judged = self.judge(&words)?;
                Ok(match judged == words {
                    true => Checked::Passed,
                    false => Checked::Rewritten(judged.into()),
                })
            }
            _ => Err(Refused::new(
                "shell.type",
                "a command is a text or a list of texts",
            )),
        }
    }
}

impl ShellRule {
    fn judge(&self, words: &[String]) -> Result<Vec<String>, Refused> {
        if words.len() > WORDS || words.iter().map(String::len).sum::<usize>() > BYTES {
            return Err(Refused::new("shell.size", "the command is too long"));
        }
        if words
            .iter()
            .flat_map(|word| word.chars())
            .any(|letter| !is_plain(letter))
        {
            return Err(Refused::new(
                "shell.characters",
                "control and invisible characters are not allowed",
            ));
        }
        let Some((program, rest)) = words.split_first() else {
            return Err(Refused::new("shell.command", "there is no command"));
        };
        let rule = self.commands.get(program).ok_or_else(|| {
            let names: Vec<&str> = self.commands.keys().map(String::as_str).collect();
            Refused::new(
                "shell.command",
                format!("{program:?} may not be run; allowed: {}", names.join(", ")),
            )
        })?;
        let mut judged = vec![program.clone()];
        follow(rule, rest, &mut judged)?;
        Ok(judged)
    }
}

/// Judges the words after a program; a subcommand goes on with a rule of its own.
fn follow<'a>(mut rule: &'a CommandRule, words: &[String], judged: &mut Vec<String>) -> Result<(), Refused> {
    let (mut flags_ended, mut count) = (false, 0_usize);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if !flags_ended && word == "--" {
            flags_ended = true;
            judged.push(word.clone());
        } else if !flags_ended && word.len() > 1 && word.starts_with('-') {
            flag(rule, word, &mut words, judged)?;
        } else if !rule.subcommands.is_empty() {
            let next: Option<&'a CommandRule> = rule.subcommands.get(word);
            let names: Vec<&str> = rule.subcommands.keys().map(String::as_str).collect();
            rule = next.filter(|_| !flags_ended).ok_or_else(|| {
                Refused::new(
                    "shell.subcommand",
                    format!("{word:?} is no allowed subcommand; allowed: {}", names.join(", ")),
                )
            })?;
            judged.push(word.clone());
        } else {
            count = count.saturating_add(1);
            if count > rule.max {
                return Err(Refused::new(
                    "shell.words",
                    format!("at most {} words are allowed that are no flags", rule.max),
                ));
            }
            judged.push(match &rule.words {
                Some(allowed) => allowed.check(word)?,
                None => word.clone(),
            });
        }
    }
    match rule.subcommands.is_empty() {
        true => Ok(()),
        false => Err(Refused::new("shell.subcommand", "a subcommand is missing")),
    }
}

/// Judges a flag, with the value that it takes.
fn flag(
    rule: &CommandRule,
    word: &str,
    rest: &mut std::slice::Iter<'_, String>,
    judged: &mut Vec<String>,
) -> Result<(), Refused> {
    let unknown = || Refused::new("shell.flag", format!("the flag {word:?} is not allowed"));
    match rule.flags.get(word) {
        Some(FlagRule::None) => judged.push(word.to_owned()),
        Some(FlagRule::Value(value)) => {
            let given = rest
                .next()
                .ok_or_else(|| Refused::new("shell.flag", format!("{word} needs a value")))?;
            // Some programs would take it for the next flag.
            if given.starts_with('-') {
                return Err(Refused::new(
                    "shell.flag",
                    format!("the value of {word} may not begin with -"),
                ));
            }
            judged.push(word.to_owned());
            judged.push(value.check(given)?);
        }
        None if word.starts_with("--") => {
            let Some((name, given)) = word.split_once('=') else {
                return Err(unknown());
            };
            let Some(FlagRule::Value(value)) = rule.flags.get(name) else {
                return Err(unknown());
            };
            judged.push(format!("{name}={}", value.check(given)?));
        }
        None => {
            // `-n5`, or `-la` for `-l -a`.
            let letters = word.strip_prefix('-').unwrap_or_default();
            let first: String = letters.chars().take(1).collect();
            if let Some(FlagRule::Value(value)) = rule.flags.get(&format!("-{first}")) {
                let given = letters.strip_prefix(first.as_str()).unwrap_or_default();
                judged.push(format!("-{first}{}", value.check(given)?));
            } else if letters
                .chars()
                .all(|letter| matches!(rule.flags.get(&format!("-{letter}")), Some(FlagRule::None)))
            {
                judged.push(word.to_owned());
            } else {
                return Err(unknown());
            }
        }
    }
    Ok(())
}

/// The words of a line in which a shell would find nothing to do but to split it.
fn words(line: &str) -> Result<Vec<String>, Refused> {
    let refused = |letter: char| {
        Refused::new(
            "shell.syntax",
            format!("{letter:?} has a meaning to a shell: put it into single quotes, or leave it"),
        )
    };
    if line.len() > BYTES {
        return Err(Refused::new("shell.size", "the command is too long"));
    }
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (Some('"'), '$' | '`' | '\\' | '!') => return Err(refused(letter)),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (
                None,
                ';' | '&' | '|' | '<' | '>' | '$' | '`' | '\\' | '(' | ')' | '{' | '}' | '*' | '?' | '['
                | ']' | '!' | '#' | '\n' | '\r',
            ) => {
                return Err(refused(letter));
            }
            (None, '~')
                if word
                    .as_ref()
                    .is_none_or(|word| word.is_empty() || word.ends_with(['=', ':'])) =>
            {
                return Err(refused(letter));
            }
            // An assignment, wherever a shell would take one.
            (None, '=') if words.is_empty() => return Err(refused(letter)),
            (None, other) if other.is_whitespace() => return Err(refused(letter)),
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    if quote.is_some() {
        return Err(Refused::new("shell.syntax", "a quote is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// A line that is these words to every shell.
fn quoted(words: &[String]) -> String {
    let plain = |letter: char| {
        letter.is_ascii_alphanumeric()
            || matches!(letter, '_' | '-' | '.' | '/' | ':' | '=' | ',' | '@' | '%' | '+')
    };
    let word = |word: &String| match !word.is_empty() && word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}
