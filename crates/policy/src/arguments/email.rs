//! Recipients of e-mail: addresses in their plain form, and nothing that a mail server could read otherwise.
//!
//! Refused although the standard has them: quoted local parts, comments, source routes, groups, `%` and `!` in local parts, addresses in
//! brackets, letters beyond ASCII in an address. None of them is needed, and each has carried mail to somewhere else than was judged.

use serde::Deserialize;
use serde_json::Value;

use super::{ArgumentRule, Checked, Refused, is_plain};

/// Who may be written to.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `domains` | `example.com`, `*.example.com` | any, if no address is listed either |
/// | `addresses` | whole addresses | none |
/// | `max` | recipients | 10 |
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailRule {
    /// Domains; `*.` before one means those below it.
    #[serde(default)]
    domains: Vec<String>,
    /// Whole addresses.
    #[serde(default)]
    addresses: Vec<String>,
    /// Recipients, at most.
    #[serde(default = "ten")]
    max: usize,
}

const fn ten() -> usize {
    10
}

impl ArgumentRule for EmailRule {
    fn check(&self, value: &Value) -> Result<Checked, Refused> {
        let mut count = 0_usize;
        let texts: Vec<&str> = match value {
            Value::String(text) => text.split(',').collect(),
            // In a list, a comma inside of a recipient would be two for whoever joins them.
            Value::Array(items) if items.len() <= self.max => items
                .iter()
                .map(|item| item.as_str().unwrap_or_default())
                .collect(),
            _ => {
                return Err(Refused::new(
                    "email.type",
                    "recipients are a text, or a list of at most the allowed number of texts",
                ));
            }
        };
        for text in texts {
            count = count.saturating_add(1);
            if count > self.max {
                return Err(Refused::new(
                    "email.max",
                    format!("at most {} recipients are allowed", self.max),
                ));
            }
            self.allowed(address(text)?)?;
        }
        match count {
            0 => Err(Refused::new("email.syntax", "there is no recipient")),
            _ => Ok(Checked::Passed),
        }
    }
}

impl EmailRule {
    fn allowed(&self, (local, domain): (&str, &str)) -> Result<(), Refused> {
        let domain = domain.to_ascii_lowercase();
        let whole = format!("{local}@{domain}");
        if self
            .addresses
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&whole))
        {
            return Ok(());
        }
        let mut domains = self.domains.iter().map(|known| known.to_ascii_lowercase());
        let is_coded = domain.split('.').any(|label| label.starts_with("xn--"));
        let fits = |known: String| match known.strip_prefix('*') {
            Some(end) => {
                !is_coded && end.len() > 1 && domain.strip_suffix(end).is_some_and(|start| !start.is_empty())
            }
            None => known == domain,
        };
        let open = self.domains.is_empty() && self.addresses.is_empty() && !is_coded;
        match open || domains.any(fits) {
            true => Ok(()),
            false => {
                let allowed: Vec<&str> = self
                    .domains
                    .iter()
                    .chain(&self.addresses)
                    .map(String::as_str)
                    .collect();
                Err(Refused::new(
                    "email.recipient",
                    format!(
                        "{whole} is not among the allowed recipients: {}",
                        allowed.join(", ")
                    ),
                ))
            }
        }
    }
}

/// Local part and domain of a recipient, with or without a display name.
fn address(written: &str) -> Result<(&str, &str), Refused> {
    let wrong = || {
        Refused::new(
            "email.syntax",
            "a recipient is written as name@example.com or Name <name@example.com>",
        )
    };
    let written = written.trim_matches(' ');
    let address = match written.split_once('<') {
        None => written,
        Some((name, rest)) => {
            let name_is_plain = name.chars().all(|letter| {
                is_plain(letter)
                    && (letter.is_alphanumeric() || matches!(letter, ' ' | '.' | '\'' | '-' | '_'))
            });
            rest.strip_suffix('>')
                .filter(|_| name_is_plain && (name.is_empty() || name.ends_with(' ')))
                .ok_or_else(wrong)?
        }
    };
    let (local, domain) = address.split_once('@').ok_or_else(wrong)?;
    match is_local_part(local) && is_domain(domain) {
        true => Ok((local, domain)),
        false => Err(wrong()),
    }
}

fn is_local_part(local: &str) -> bool {
    let known = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'.' | b'_' | b'+' | b'-' | b'\'' | b'&' | b'=' | b'~' | b'#' | b'*'
            )
    };
    (1..=64).contains(&local.len())
        && local.bytes().all(known)
        && !local.starts_with(['.', '-'])
        && !local.ends_with('.')
        && !local.contains("..")
        && !local.contains("=?")
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.len() <= 253
        && domain.split('.').count() >= 2
        && domain.split('.').all(label)
        && domain
            .rsplit('.')
            .next()
            .is_some_and(|last| !last.bytes().all(|byte| byte.is_ascii_digit()))
}
