//! Fetches a credential from where a reference says. Its messages never hold any of it.

use std::path::Path;

use portcullis_core::Secret;

use super::forms::Reference;

/// The credential, without white space around it.
///
/// # Errors
/// It is not there, is empty, or could not be sent in a header.
pub fn fetch(reference: &Reference, folder: &Path) -> Result<Secret<String>, String> {
    let (found, place) = match reference {
        Reference::Env(name) => {
            let value = std::env::var(name).map_err(|error| match error {
                std::env::VarError::NotPresent => format!("the environment variable {name} is not set"),
                std::env::VarError::NotUnicode(_) => format!("the environment variable {name} is not text"),
            })?;
            (value, format!("the environment variable {name}"))
        }
        Reference::File(path) => {
            let path = folder.join(path);
            let value = std::fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            (value, path.display().to_string())
        }
    };
    let found = Secret::new(found);
    let trimmed = found.expose().trim();
    if trimmed.is_empty() {
        return Err(format!("{place} is empty"));
    }
    if !trimmed.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!(
            "{place} holds white space or characters that no credential has"
        ));
    }
    Ok(Secret::new(trimmed.to_owned()))
}
