//! Texts as values are looked for in them: without case, without invisible characters, in Unicode's compatibility form, with single
//! spaces. A value is found as a token or not at all: `13` is not in `2013`, `a.com` is not in `evil-a.com`.

use unicode_normalization::UnicodeNormalization;

/// A text in the form in which texts are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folded(String);

impl Folded {
    /// Folds a text.
    #[must_use]
    pub fn of(text: &str) -> Folded {
        let mut out = String::with_capacity(text.len());
        if text.is_ascii() {
            let mut run = Run::default();
            for (at, byte) in text.bytes().enumerate() {
                run.push(&mut out, char::from(byte), || rest(text, at));
            }
        } else {
            let plain: String = text.nfkc().filter(|char| !is_invisible(*char)).collect();
            let mut run = Run::default();
            for (at, char) in plain.char_indices() {
                run.push(&mut out, char, || rest(&plain, at));
            }
        }
        if out.ends_with(' ') {
            out.pop();
        }
        Folded(out)
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `needle` stands in it as a token: no letter or digit touches it.
    #[must_use]
    pub fn holds(&self, needle: &Folded) -> bool {
        self.any(&needle.0, |before, after| {
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
    }

    /// Whether some place of `needle` in it has such characters before and behind it.
    pub(super) fn any(&self, needle: &str, touches: impl Fn(Option<char>, Option<char>) -> bool) -> bool {
        self.any_between(needle, |before, after| {
            touches(before.chars().next_back(), after.chars().next())
        })
    }

    /// Whether some place of `needle` in it stands between such texts.
    pub(super) fn any_between(&self, needle: &str, fits: impl Fn(&str, &str) -> bool) -> bool {
        !needle.is_empty()
            && self.0.match_indices(needle).any(|(at, found)| {
                let before = self.0.get(..at).unwrap_or("");
                let after = self.0.get(at.saturating_add(found.len())..).unwrap_or("");
                fits(before, after)
            })
    }

    /// Its words: runs of letters and digits.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0
            .split(|char: char| !char.is_alphanumeric())
            .filter(|word| !word.is_empty())
    }
}

fn rest(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or("")
}

/// What is known of what was written so far.
#[derive(Default)]
struct Run {
    before: Option<char>,
}

impl Run {
    fn push<'t>(&mut self, out: &mut String, char: char, rest: impl Fn() -> &'t str) {
        if char.is_whitespace() || char.is_control() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if char.is_ascii() {
            out.push(char.to_ascii_lowercase());
            // People forget the space behind a full stop: "www.example.com.They say".
            if char == '.'
                && self.before.is_some_and(|before| before.is_ascii_lowercase())
                && begins_sentence(rest())
            {
                out.push(' ');
            }
        } else {
            out.extend(char.to_lowercase());
        }
        self.before = Some(char);
    }
}

/// Whether a full stop is glued to a sentence: a capital, then small letters to the end of a word. Not in an address.
fn begins_sentence(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    if !chars.next().is_some_and(|char| char.is_ascii_uppercase()) {
        return false;
    }
    let mut small = 0usize;
    for char in chars {
        match char {
            'a'..='z' => small = small.saturating_add(1),
            _ => return small > 0 && (char.is_whitespace() || matches!(char, ',' | '\'' | ';' | ':')),
        }
    }
    false
}

/// Characters that nobody sees: they are put into values so that these look alike and are not.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_as_people_read_them() {
        let folded = |text| Folded::of(text).as_str().to_owned();
        assert_eq!(folded("  Ａlice\u{200b}\n\tBob "), "alice bob");
        assert_eq!(folded("see www.a.com.They sent"), "see www.a.com. they sent");
        assert_eq!(folded("John.Smith@a.com wrote"), "john.smith@a.com wrote");
        assert_eq!(folded("ÄRGER"), "ärger");
    }

    #[test]
    fn a_value_is_a_token_or_not_there() {
        let holds = |text, value| Folded::of(text).holds(&Folded::of(value));
        assert!(holds("Send it to Alice, please", "alice"));
        assert!(!holds("Alicenta", "Alice"));
        assert!(!holds("in 2013", "13"));
        assert!(!holds("anything", ""));
        assert!(holds("тест Ёлка", "ёлка"));
    }
}
