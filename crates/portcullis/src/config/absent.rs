//! Settings that the contract names and this version does not have. A guard that is configured and silently absent is
//! the one mistake a gateway must not make, so each is refused with its name.

/// Paths, in which `*` stands for any name, and what would be configured there.
const ABSENT: &[(&str, &str)] = &[("limits[].for.profile", "limits for a profile")];

/// What would be configured at `path`, if this version does not have it.
#[must_use]
pub fn feature(path: &str) -> Option<&'static str> {
    ABSENT
        .iter()
        .find(|(pattern, _)| fits(pattern, path))
        .map(|(_, what)| *what)
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (pattern.split('.'), path.split('.'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            (Some(wanted), Some(given)) => {
                let item = wanted.strip_suffix("[]").zip(given.split_once('['));
                if item.is_none_or(|(wanted, (given, _))| wanted != given) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert!(feature("mcp").is_none());
        assert!(feature("profiles.strict.system_prompt.canary").is_none());
        assert!(feature("limits[3].for.profile").is_some());
        assert!(feature("limits[3].for.team").is_none());
        assert!(feature("profiles.strict.pii").is_none());
        assert!(feature("profiles").is_none());
    }
}
