//! File paths: read lexically, in the strictest sense that file systems share.
//!
//! What a path really leads to is the tool server's business: it alone sees symbolic links, mounts and letters' case. So `..` is refused
//! altogether, since what it means depends on links.

use portcullis_core::Glob;
use serde::Deserialize;
use serde_json::Value;

use super::{ArgumentRule, Checked, Refused, WrongRule, is_plain, text};

/// Bytes of a path and of a part of one.
const PATH: usize = 1024;
const PART: usize = 255;

/// Characters that some layer takes for a dot, a slash or a backslash.
const ALIKE: &[char] = &[
    '\u{2024}', '\u{2025}', '\u{2026}', '\u{fe52}', '\u{ff0e}', '\u{ff61}', '\u{3002}', '\u{2044}',
    '\u{2215}', '\u{29f8}', '\u{ff0f}', '\u{29f5}', '\u{29f9}', '\u{fe68}', '\u{ff3c}', '\u{2216}',
    '\u{ff05}', '\u{ff5e}', '\u{ff1a}',
];

/// Names that are devices on one system, with or without an extension.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    roots: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
    #[serde(default)]
    extensions: Vec<String>,
    #[serde(default)]
    hidden: bool,
}

/// Which paths may be used. Read from:
///
/// | key | meaning | default |
/// |---|---|---|
/// | `roots` | folders below which a path must lie, absolute (`/srv/data`) or relative (`docs`, or `.` for any relative path) | |
/// | `deny` | patterns that no path may fit, nor lie below one that does, letters' case apart: `**/.env`, `**/*.pem` | none |
/// | `extensions` | the extensions that a name may have, without dot | any |
/// | `hidden` | whether names may begin with a dot | `false` |
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct PathRule {
    roots: Vec<Root>,
    deny: Vec<Vec<String>>,
    extensions: Vec<String>,
    hidden: bool,
}

#[derive(Clone, Debug)]
struct Root {
    absolute: bool,
    parts: Vec<String>,
}

impl TryFrom<Written> for PathRule {
    type Error = WrongRule;

    fn try_from(written: Written) -> Result<PathRule, WrongRule> {
        let mut roots = Vec::new();
        for root in &written.roots {
            let parts: Vec<String> = root
                .split('/')
                .filter(|part| !matches!(*part, "" | "."))
                .map(str::to_owned)
                .collect();
            if root.is_empty() || root == "/" || parts.iter().any(|part| part == "..") {
                return Err(WrongRule(format!("roots: {root:?} is no folder to keep to")));
            }
            roots.push(Root {
                absolute: root.starts_with('/'),
                parts,
            });
        }
        if roots.is_empty() {
            return Err(WrongRule("roots: name one folder at least".to_owned()));
        }
        let lower = |part: &str| part.to_lowercase();
        Ok(PathRule {
            roots,
            deny: written
                .deny
                .iter()
                .map(|glob| glob.trim_start_matches('/').split('/').map(lower).collect())
                .collect(),
            extensions: written
                .extensions
                .iter()
                .map(|name| lower(name.trim_start_matches('.')))
                .collect(),
            hidden: written.hidden,
        })
    }
}

impl ArgumentRule for PathRule {
    fn check(&self, value: &Value) -> Result<Checked, Refused> {
        let path = text(value, "path.type")?;
        let normal = self.normal(path)?;
        Ok(match normal == path {
            true => Checked::Passed,
            false => Checked::Rewritten(normal.into()),
        })
    }
}

impl PathRule {
    /// The path without what means nothing in it.
    fn normal(&self, path: &str) -> Result<String, Refused> {
        characters(path)?;
        let absolute = path.starts_with('/');
        let parts: Vec<&str> = path
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        for part in &parts {
            self.part(part)?;
        }
        let inside = self.roots.iter().any(|root| {
            root.absolute == absolute
                && parts.len() >= root.parts.len()
                && root.parts.iter().zip(&parts).all(|(root, part)| root == part)
        });
        if !inside {
            let roots: Vec<String> = self.roots.iter().map(Root::shown).collect();
            return Err(Refused::new(
                "path.root",
                format!("the path must be below {}", roots.join(" or ")),
            ));
        }
        let lower: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
        // What lies in a folder that may not be used may not be used either.
        let prefixes = (1..=lower.len()).filter_map(|end| lower.get(..end));
        if prefixes
            .into_iter()
            .any(|prefix| self.deny.iter().any(|glob| fits(glob, prefix)))
        {
            return Err(Refused::new("path.denied", "this path may not be used"));
        }
        if !self.extensions.is_empty() {
            let extension = lower
                .last()
                .and_then(|name| name.rsplit_once('.'))
                .map(|(_, extension)| extension);
            if !extension.is_some_and(|extension| self.extensions.iter().any(|known| known == extension)) {
                return Err(Refused::new(
                    "path.extension",
                    format!("the name must end in .{}", self.extensions.join(" or .")),
                ));
            }
        }
        let joined = parts.join("/");
        Ok(match (absolute, joined.is_empty()) {
            (true, _) => format!("/{joined}"),
            (false, true) => ".".to_owned(),
            (false, false) => joined,
        })
    }

    fn part(&self, part: &str) -> Result<(), Refused> {
        let refused = |why: &str| Err(Refused::new("path.name", why));
        let stem = part.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let numbered = ["com", "lpt"].iter().any(|name| {
            stem.strip_prefix(name)
                .is_some_and(|rest| rest.chars().count() == 1 && rest != "0")
        });
        match part {
            ".." => refused("`..` is not allowed"),
            _ if part.len() > PART => refused("a name is too long"),
            _ if part.ends_with(['.', ' ']) || part.starts_with(' ') => {
                refused("a name may not end in a dot or a space")
            }
            _ if part.starts_with('~') => refused("`~` is not allowed"),
            _ if part.starts_with('.') && !self.hidden => {
                refused("names that begin with a dot are not allowed")
            }
            _ if numbered || DEVICES.contains(&stem.as_str()) => refused("a name of a device"),
            _ => Ok(()),
        }
    }
}

impl Root {
    fn shown(&self) -> String {
        let parts = self.parts.join("/");
        match (self.absolute, parts.is_empty()) {
            (true, _) => format!("/{parts}"),
            (false, true) => ".".to_owned(),
            (false, false) => parts,
        }
    }
}

fn characters(path: &str) -> Result<(), Refused> {
    let refused = |why: &str| Err(Refused::new("path.characters", why));
    if path.is_empty() || path.len() > PATH {
        return refused("a path has 1 to 1024 bytes");
    }
    if path.starts_with("//") {
        return refused("a path may not begin with //");
    }
    if path.chars().any(|letter| {
        !is_plain(letter)
            || ALIKE.contains(&letter)
            || matches!(letter, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
    }) {
        return refused(
            "control characters, backslashes, wildcards, colons and characters that look like dots or slashes are not allowed",
        );
    }
    let mut rest = path;
    while let Some((_, after)) = rest.split_once('%') {
        let mut next = after.chars();
        if next.next().is_some_and(|one| one.is_ascii_hexdigit())
            && next.next().is_some_and(|two| two.is_ascii_hexdigit())
        {
            return refused("percent-encoding is not allowed");
        }
        rest = after;
    }
    Ok(())
}

/// Whether parts fit a pattern in which `**` stands for any number of them. Every place of the pattern is followed at once, so its cost is
/// bounded by the product of both lengths.
fn fits(glob: &[String], parts: &[String]) -> bool {
    let close = |at: &mut Vec<bool>| {
        for (place, piece) in glob.iter().enumerate() {
            if piece == "**"
                && at.get(place) == Some(&true)
                && let Some(next) = at.get_mut(place.saturating_add(1))
            {
                *next = true;
            }
        }
    };
    let mut at = vec![false; glob.len().saturating_add(1)];
    if let Some(first) = at.first_mut() {
        *first = true;
    }
    close(&mut at);
    for part in parts {
        let mut next = vec![false; at.len()];
        for (place, piece) in glob.iter().enumerate() {
            if at.get(place) != Some(&true) {
                continue;
            }
            let (stays, moves) = (piece == "**", piece != "**" && Glob::new(piece).matches(part));
            if let Some(same) = next.get_mut(place) {
                *same |= stays;
            }
            if let Some(after) = next.get_mut(place.saturating_add(1)) {
                *after |= moves;
            }
        }
        close(&mut next);
        at = next;
    }
    at.last() == Some(&true)
}
