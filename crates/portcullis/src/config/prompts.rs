//! Prompts that the gateway keeps: read, compiled and searched for credentials before anything serves them.

use std::path::Path;

use portcullis_inspect::{Inspector, Source};
use portcullis_proxy::{OwnPrompt, secrets_in};

use super::problem::Problem;
use super::raw::{Raw, RawPrompt};
use super::tree::Node;

/// The prompts that are written.
///
/// # Errors
/// A file that cannot be read, or a template that is none.
pub fn own_prompts(raw: &Raw, folder: &Path) -> Result<Vec<OwnPrompt>, String> {
    let built = raw.prompts.iter().map(|(name, prompt)| {
        let text = template(prompt, folder)?;
        OwnPrompt::new(name, &text, prompt.profiles.clone())
            .map_err(|error| format!("prompts.{name}: {error}"))
    });
    built.collect()
}

fn template(prompt: &RawPrompt, folder: &Path) -> Result<String, String> {
    let text = match (&prompt.file, &prompt.text) {
        (Some(file), None) => std::fs::read_to_string(folder.join(file))
            .map_err(|error| format!("cannot read {file}: {error}"))?,
        (None, Some(text)) => text.clone(),
        (None, None) => return Err("give it a `file` or a `text`".to_owned()),
        (Some(_), Some(_)) => return Err("has a `file` and a `text`: leave one of them out".to_owned()),
    };
    if text.trim().is_empty() {
        return Err("says nothing".to_owned());
    }
    Ok(text)
}

/// Everything that is wrong with prompts, and with what profiles say of them. `rules` are those of the user's own.
#[must_use]
pub fn check(root: &Node, folder: &Path, rules: &[Source]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let prompts = root.child("prompts").map(Node::entries).unwrap_or_default();
    let profiles = root.child("profiles").map(Node::entries).unwrap_or_default();
    let is_profile = |name: &str| name == "default" || profiles.iter().any(|entry| entry.key == name);
    // Rules that are wrong are told elsewhere.
    let inspector = match prompts {
        [] => None,
        _ => Inspector::with(rules).ok().or_else(|| Inspector::built_in().ok()),
    };
    for entry in prompts {
        let path = format!("prompts.{}", entry.key);
        // What is not even a prompt is told by the schema's checker.
        let Ok(prompt) = serde_json::from_value::<RawPrompt>(entry.node.to_json()) else {
            continue;
        };
        let at = ["file", "text"]
            .iter()
            .find_map(|key| entry.node.child(key))
            .map_or(entry.node.at, |node| node.at);
        let place = prompt
            .file
            .as_deref()
            .map_or(String::new(), |file| format!("{file}: "));
        match template(&prompt, folder) {
            Err(message) => problems.push(Problem::new(at, &path, message)),
            Ok(text) => {
                if let Err(error) = OwnPrompt::new(&entry.key, &text, Vec::new()) {
                    problems.push(Problem::new(at, &path, format!("{place}{error}")));
                }
                let secrets = inspector
                    .iter()
                    .filter(|_| !prompt.danger_secrets)
                    .flat_map(|inspector| secrets_in(inspector, &text));
                for (kind, line) in secrets {
                    let message = format!(
                        "{place}line {line}: holds a credential ({kind}), which a model can be made to say; \
                         take it out, or set `danger_secrets: true`"
                    );
                    problems.push(Problem::new(at, &path, message));
                }
            }
        }
        let named = entry.node.child("profiles").map(Node::items).unwrap_or_default();
        for (index, node) in named.iter().enumerate() {
            if let Some(name) = node.text().filter(|name| !is_profile(name)) {
                let message = format!("there is no profile `{name}`");
                problems.push(Problem::new(
                    node.at,
                    format!("{path}.profiles[{index}]"),
                    message,
                ));
            }
        }
    }
    for profile in profiles {
        let Some((node, name)) = profile
            .node
            .child("system_prompt")
            .and_then(|settings| settings.child("prompt"))
            .and_then(|node| Some((node, node.text()?)))
        else {
            continue;
        };
        let message = match prompts.iter().find(|entry| entry.key == name) {
            None => format!("there is no prompt `{name}`"),
            Some(entry) => {
                let permitted = entry.node.child("profiles").map(Node::items).unwrap_or_default();
                if permitted.is_empty() || permitted.iter().any(|node| node.text() == Some(&profile.key)) {
                    continue;
                }
                format!("the prompt `{name}` is not for this profile: add it to `prompts.{name}.profiles`")
            }
        };
        let path = format!("profiles.{}.system_prompt.prompt", profile.key);
        problems.push(Problem::new(node.at, path, message));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::parse;

    fn told(text: &str, folder: &Path) -> Vec<String> {
        let problems = check(&parse(text).unwrap(), folder, &[]);
        problems.iter().map(|problem| problem.line("f")).collect()
    }

    /// A key id in the form of one provider's, of letters that a generator gives.
    fn credential() -> String {
        let alphabet: Vec<char> = ('A'..='Z').chain('2'..='7').collect();
        let mut seed = 7u64;
        let letters = (0..16).map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            alphabet[usize::try_from(seed >> 59).unwrap()]
        });
        format!("AKIA{}", letters.collect::<String>())
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("good.md"), "Be kind to {{ name }}.").unwrap();
        std::fs::write(folder.path().join("bad.md"), "Be\n{{ name").unwrap();
        std::fs::write(
            folder.path().join("leaky.md"),
            format!("Be kind.\nSign in with {}.", credential()),
        )
        .unwrap();
        for (text, says) in [
            (
                "prompts: { a: {} }",
                "f:1:15: prompts.a: give it a `file` or a `text`",
            ),
            ("prompts: { a: { text: '  ' } }", "says nothing"),
            ("prompts: { a: { file: none.md } }", "cannot read none.md"),
            (
                "prompts: { a: { file: good.md, text: x } }",
                "leave one of them out",
            ),
            ("prompts: { a: { file: bad.md } }", "bad.md: line 2: "),
            (
                "prompts: { a: { file: leaky.md } }",
                "leaky.md: line 2: holds a credential (",
            ),
            (
                "prompts: { a: { file: good.md, profiles: [other] } }",
                "prompts.a.profiles[0]: there is no profile `other`",
            ),
            (
                "profiles: { default: { system_prompt: { prompt: b } } }",
                "profiles.default.system_prompt.prompt: there is no prompt `b`",
            ),
            (
                "prompts: { a: { text: x, profiles: [s] } }\nprofiles: { s: {}, t: { system_prompt: { prompt: a } } }",
                "the prompt `a` is not for this profile",
            ),
        ] {
            let told = told(text, folder.path());
            assert!(told.len() == 1 && told[0].contains(says), "{text}: {told:#?}");
        }
        let fine = "prompts: { a: { file: good.md }, b: { file: leaky.md, danger_secrets: true } }\n\
            profiles: { default: { system_prompt: { prompt: a } } }\n";
        assert!(told(fine, folder.path()).is_empty());
    }
}
