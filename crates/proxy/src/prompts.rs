//! Prompts that the gateway keeps: templates, each with a version, and the profiles whose keys may ask for them.
//!
//! A template is the operator's; its variables come from the client, who can fill them in and nothing else. What is found in a
//! prompt is the business of whoever loads it ([`crate::secrets_in`]) and of the room that puts it before the model.

use std::io;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use portcullis_core::Channel;
use portcullis_inspect::Inspector;
use sha2::{Digest, Sha256};

use crate::Refusal;

/// Steps that filling a template in may take: many thousands of lines, no endless loop.
const FUEL: u64 = 1_000_000;

/// Bytes of a prompt once it is filled in. More fits no model that is to read anything else as well.
const MAX_FILLED: usize = 1024 * 1024;

const NAME: &str = "prompt";

/// A prompt that the gateway keeps.
pub struct OwnPrompt {
    name: String,
    version: String,
    profiles: Vec<String>,
    templates: Environment<'static>,
}

impl OwnPrompt {
    /// Takes a template in the language of Jinja. Keys of `profiles` may ask for it; where none is named, all may.
    ///
    /// # Errors
    /// What is wrong with the template, with its line.
    pub fn new(name: &str, text: &str, profiles: Vec<String>) -> Result<OwnPrompt, String> {
        let mut templates = Environment::new();
        // A variable that is missing is an error: half of a prompt may lack the half that forbids.
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|_| AutoEscape::None);
        templates.set_fuel(Some(FUEL));
        templates
            .add_template_owned(NAME, text.to_owned())
            .map_err(|error| told(&error))?;
        let hash = Sha256::digest(text.as_bytes());
        Ok(OwnPrompt {
            name: name.to_owned(),
            version: hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
            profiles,
            templates,
        })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name and version, as records have them: `support-bot@3f2a90c1b45d7e68`. The version is the beginning of the SHA-256
    /// of the template as it is written, 64 bits in hexadecimal.
    #[must_use]
    pub fn versioned(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Whether keys of a profile may ask for it.
    #[must_use]
    pub fn permits(&self, profile: &str) -> bool {
        self.profiles.is_empty() || self.profiles.iter().any(|name| name == profile)
    }

    /// The prompt with its variables filled in.
    ///
    /// # Errors
    /// A variable is missing or of no use, or the result is too long. The message holds nothing of the template.
    pub(crate) fn fill(&self, variables: serde_json::Value) -> Result<String, Refusal> {
        let mut filled = Bounded(Vec::new());
        let result = self.templates.get_template(NAME).and_then(|template| {
            template.render_captured_to(Value::from(Serde(variables)), &mut filled)?;
            Ok(())
        });
        match result {
            Ok(()) => String::from_utf8(filled.0).map_err(|_| Refusal::Unavailable("a prompt is no text")),
            Err(error) if error.kind() == ErrorKind::WriteFailure => {
                Err(Refusal::Invalid("The prompt is too long with these variables."))
            }
            Err(error) => {
                tracing::warn!(prompt = %self.name, line = error.line(), kind = ?error.kind(), "a prompt cannot be filled in");
                Err(Refusal::Invalid(
                    "The variables do not fit the prompt: one is missing, or is not of the sort that it needs.",
                ))
            }
        }
    }
}

/// Kinds of credentials that stand in a text, each once, with the line of the first. A prompt that is sent to a model is no place
/// for them: whoever may talk to the model can try to make it say them.
#[must_use]
pub fn secrets_in(inspector: &Inspector, text: &str) -> Vec<(String, usize)> {
    let secrets = inspector.select(|rule| rule.family() == portcullis_core::Family::Secret);
    let mut found = Vec::new();
    inspector.scan(text, Channel::System, &secrets, &mut found);
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for finding in found {
        let kind = finding.kind.as_str();
        if !kinds.iter().any(|(known, _)| known == kind) {
            let before = text.get(..finding.span.start).unwrap_or("");
            kinds.push((kind.to_owned(), before.matches('\n').count().saturating_add(1)));
        }
    }
    kinds
}

fn told(error: &minijinja::Error) -> String {
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) => format!("line {line}: {what}"),
        None => what,
    }
}

/// Takes so many bytes and no more: a loop over a long variable could write any number.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len().saturating_add(bytes.len()) > MAX_FILLED {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(text: &str, variables: serde_json::Value) -> Result<String, String> {
        let prompt = OwnPrompt::new("x", text, Vec::new())?;
        prompt.fill(variables).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn variables_are_data_and_every_one_is_needed() {
        let text = "You help {{ name }}.{% for topic in topics %} {{ topic }}{% endfor %}\n";
        let both = json!({"name": "{{ secret }} <b>", "topics": ["a", 1, true]});
        assert_eq!(
            filled(text, both).as_deref(),
            Ok("You help {{ secret }} <b>. a 1 True")
        );
        for missing in [
            json!({}),
            json!({"name": "Ann"}),
            json!({"name": "Ann", "topics": 3}),
        ] {
            assert!(filled(text, missing).unwrap_err().contains("do not fit"));
        }
    }

    #[test]
    fn a_template_is_checked_when_it_is_loaded() {
        assert!(
            filled("fine\n{% if %}", json!({}))
                .unwrap_err()
                .starts_with("line 2: ")
        );
    }

    #[test]
    fn filling_in_has_an_end() {
        let endless = "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}";
        assert!(filled(endless, json!({})).is_err());
        let long = "{% for a in range(1000) %}{{ x }}{% endfor %}";
        let told = filled(long, json!({"x": "y".repeat(10_000)})).unwrap_err();
        assert!(told.contains("too long"), "{told}");
    }

    #[test]
    fn the_version_is_that_of_the_words() {
        let version = |text: &str| OwnPrompt::new("x", text, Vec::new()).unwrap().versioned();
        assert_eq!(version("Be kind."), version("Be kind."));
        assert_ne!(version("Be kind."), version("Be kind!"));
        // The SHA-256 of no text.
        assert_eq!(version(""), "x@e3b0c44298fc1c14");
    }
}
