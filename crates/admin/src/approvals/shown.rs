//! The arguments of a call on a page: every value with its path, and beside it what speaks against it.

use std::fmt::Write as _;

use portcullis_store::{Approval, ApprovalReason};
use serde_json::Value;

/// More values than this are not set out one by one; the arguments as they were written have them all.
const MOST_VALUES: usize = 200;

/// A text of a stranger as HTML shows it: no markup, and no letter that hides, turns the direction of others or is not seen.
pub(super) struct Visible<'a>(pub &'a str);

impl std::fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' => f.write_char(c)?,
                c if is_unseen(c) => write!(f, "[U+{:04X}]", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Controls, spaces without width, turns of direction, fillers, selectors of variants, tags, and line ends that are none in HTML.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// One value of the arguments.
struct Leaf {
    /// Where it stands, as `cc[0].name`.
    path: String,
    /// The same as reasons have it, `cc[].name`.
    general: String,
    text: String,
}

/// Writes the arguments and all reasons; how many values are not from the user.
pub(super) fn arguments(body: &mut String, approval: &Approval) -> usize {
    let written = String::from_utf8_lossy(approval.arguments.as_deref().unwrap_or_default());
    let mut leaves = Vec::new();
    match serde_json::from_str::<Value>(&written) {
        Ok(value) => collect("", "", &value, &mut leaves),
        Err(_) => leaves.push(Leaf {
            path: "(not JSON)".to_owned(),
            general: String::new(),
            text: written.clone().into_owned(),
        }),
    }
    let (set_out, left_out) = leaves.split_at(leaves.len().min(MOST_VALUES));
    let is_shown = |reason: &ApprovalReason| set_out.iter().any(|leaf| leaf.is_meant(reason));
    // What can be put beside no value stands first: no reason may be lost.
    for reason in approval.reasons.iter().filter(|reason| !is_shown(reason)) {
        let _ = write!(body, "<p class=\"why\">{}", flag(reason));
        if !reason.path.is_empty() {
            let _ = write!(
                body,
                "<code>{}</code> <code class=\"value\">{}</code> ",
                Visible(&reason.path),
                Visible(&reason.value)
            );
        }
        let _ = write!(
            body,
            "{} <code class=\"quiet\">{}</code></p>",
            Visible(&reason.why),
            Visible(&reason.rule)
        );
    }
    body.push_str("<table><tr><th>Argument<th>Value<th>Where it came from</tr>");
    for leaf in set_out {
        let _ = write!(
            body,
            "<tr><td><code>{}</code><td><bdi><code class=\"value\">{}</code></bdi><td>",
            Visible(&leaf.path),
            Visible(&leaf.text)
        );
        let mut meant = approval
            .reasons
            .iter()
            .filter(|reason| leaf.is_meant(reason))
            .peekable();
        if meant.peek().is_none() {
            body.push_str("<span class=\"quiet\">no rule objects</span>");
        }
        for reason in meant {
            let _ = write!(
                body,
                "<div class=\"why\">{}{} <code class=\"quiet\">{}</code></div>",
                flag(reason),
                Visible(&reason.why),
                Visible(&reason.rule)
            );
        }
        body.push_str("</tr>");
    }
    body.push_str("</table>");
    if !left_out.is_empty() {
        let _ = write!(
            body,
            "<p class=\"alarm\">{} more values are not set out here: read them as they were written.</p>",
            left_out.len()
        );
    }
    let _ = write!(
        body,
        "<details><summary>As the model wrote them, {} bytes</summary><pre><bdi>{}</bdi></pre></details>",
        written.len(),
        Visible(&written)
    );
    let mut foreign: Vec<(&str, &str)> = approval
        .reasons
        .iter()
        .filter(|reason| is_foreign(reason))
        .map(|reason| (reason.path.as_str(), reason.value.as_str()))
        .collect();
    foreign.sort_unstable();
    foreign.dedup();
    foreign.len()
}

/// Rules of `flow` speak of values of which the user did not say that they are wanted.
fn is_foreign(reason: &ApprovalReason) -> bool {
    reason.rule.starts_with("flow.") && !reason.path.is_empty()
}

fn flag(reason: &ApprovalReason) -> &'static str {
    match is_foreign(reason) {
        true => "<strong class=\"alarm\">not from the user</strong> ",
        false => "",
    }
}

impl Leaf {
    /// Whether a reason is about this value. Reasons may have a part of it alone.
    fn is_meant(&self, reason: &ApprovalReason) -> bool {
        !reason.path.is_empty()
            && reason.path == self.general
            && self.text.contains(reason.value.trim_end_matches('…'))
    }
}

fn collect(path: &str, general: &str, value: &Value, leaves: &mut Vec<Leaf>) {
    let text = match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let below = |path: &str| match path.is_empty() {
                    true => name.clone(),
                    false => format!("{path}.{name}"),
                };
                collect(&below(path), &below(general), value, leaves);
            }
            return;
        }
        Value::Array(items) if !items.is_empty() => {
            for (number, item) in items.iter().enumerate() {
                collect(
                    &format!("{path}[{number}]"),
                    &format!("{general}[]"),
                    item,
                    leaves,
                );
            }
            return;
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    leaves.push(Leaf {
        path: path.to_owned(),
        general: general.to_owned(),
        text,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_is_seen() {
        assert_eq!(
            Visible("<b a='1'>\u{202e}x\u{200b}\u{e0041}\t\n&é").to_string(),
            "&lt;b a=&#39;1&#39;&gt;[U+202E]x[U+200B][U+E0041][U+0009]\n&amp;é"
        );
    }

    #[test]
    fn every_value_has_its_path() {
        let value = serde_json::from_str(r#"{"cc":[{"a":1},"x"],"e":{},"t":"y"}"#).unwrap();
        let mut leaves = Vec::new();
        collect("", "", &value, &mut leaves);
        let seen: Vec<_> = leaves
            .iter()
            .map(|leaf| (leaf.path.as_str(), leaf.general.as_str(), leaf.text.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                ("cc[0].a", "cc[].a", "1"),
                ("cc[1]", "cc[]", "x"),
                ("e", "e", "{}"),
                ("t", "t", "y")
            ]
        );
    }
}
