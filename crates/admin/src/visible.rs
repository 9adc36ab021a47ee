//! What strangers wrote, as a page can show it: as text, every letter seen, every value with its path.

use std::fmt::Write as _;

use serde_json::Value;

/// A text of a stranger as HTML shows it: no markup, and no letter that hides, turns the direction of others or is not seen.
pub(crate) struct Visible<'a>(pub &'a str);

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

/// One value of a JSON text.
pub(crate) struct Leaf {
    /// Where it stands, as `cc[0].name`.
    pub path: String,
    /// The same as reasons have it, `cc[].name`.
    pub general: String,
    pub text: String,
}

/// Sets the values of a JSON text out, each with its path.
pub(crate) fn collect(path: &str, general: &str, value: &Value, leaves: &mut Vec<Leaf>) {
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
