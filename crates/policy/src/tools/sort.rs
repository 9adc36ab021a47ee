//! Sorts of values, and how a value of each is found in a text. Equality is of canonical forms, never of substrings.

use schemars::JsonSchema;
use serde::Deserialize;

use super::folded::{Folded, FoldedText};
use super::leaves::Needle;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// An e-mail address.
    Email,
    /// A link, or the name of a host.
    Url,
    /// The number of an account, a card or a telephone: spaces and hyphens do not count.
    Account,
    /// An identifier that a tool made.
    Id,
    /// The name of a person, a group, a channel, a thing.
    Name,
    /// A path of a file.
    Path,
    /// Any other text.
    Text,
    /// Whoever is addressed: an e-mail address, a link, an account or a name, as the value looks.
    Party,
}

impl Sort {
    /// The sort of a value of this sort: a party is what it looks like.
    #[must_use]
    pub fn of(self, value: &str) -> Sort {
        if self != Sort::Party {
            return self;
        }
        let value = value.trim();
        if value.contains('@') && !value.contains(char::is_whitespace) {
            Sort::Email
        } else if value.contains("://") || value.to_ascii_lowercase().starts_with("www.") {
            Sort::Url
        } else if is_account(value) {
            Sort::Account
        } else {
            Sort::Name
        }
    }
}

/// Whether a value looks like the number of an account: eight letters and digits at least, most of them digits.
fn is_account(value: &str) -> bool {
    let plain = value.chars().filter(|char| !matches!(char, ' ' | '-' | '+'));
    let (mut all, mut digits) = (0usize, 0usize);
    for char in plain {
        if !char.is_ascii_alphanumeric() {
            return false;
        }
        all = all.saturating_add(1);
        digits = digits.saturating_add(usize::from(char.is_ascii_digit()));
    }
    all >= 8 && digits.saturating_mul(2) > all
}

/// A value to look for.
#[derive(Clone, Debug)]
pub struct Value {
    sort: Sort,
    folded: Folded,
    /// The form in which values of its sort are compared.
    canonical: Folded,
}

impl Value {
    /// A value of a sort.
    #[must_use]
    pub fn new(sort: Sort, value: &str) -> Value {
        let sort = sort.of(value);
        let folded = Folded::of(value);
        let canonical = match sort {
            Sort::Url => Folded::of(canonical_url(folded.as_str())),
            Sort::Account => Folded::of(&compact(folded.as_str())),
            Sort::Email => Folded::of(folded.as_str().strip_prefix("mailto:").unwrap_or(folded.as_str())),
            _ => folded.clone(),
        };
        Value {
            sort,
            folded,
            canonical,
        }
    }

    /// What it is.
    #[must_use]
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// The value, folded.
    #[must_use]
    pub fn folded(&self) -> &Folded {
        &self.folded
    }

    /// Whether a whole text is this value.
    #[must_use]
    pub fn is(&self, text: FoldedText<'_>) -> bool {
        if self.canonical.is_empty() {
            return false;
        }
        match self.sort {
            Sort::Url => canonical_url(text.as_str()) == self.canonical.as_str(),
            Sort::Account => letters(text.as_str()).eq(self.canonical.as_str().chars()),
            _ => text == self.canonical.text(),
        }
    }

    /// What every text has in it that is this value or names it.
    pub(super) fn needle(&self) -> Needle<'_> {
        match self.sort {
            Sort::Account => Needle::spread(self.canonical.as_str()),
            _ => Needle::of(self.canonical.as_str()),
        }
    }

    /// Whether a text names it.
    #[must_use]
    pub fn is_in(&self, text: FoldedText<'_>) -> bool {
        let value = self.canonical.as_str();
        match self.sort {
            Sort::Email => text.any_between(value, |before, after| {
                !before.ends_with(|char: char| char.is_alphanumeric() || "._%+-".contains(char))
                    && ends_host(after)
            }),
            Sort::Url => text.any_between(value, begins_and_ends_url),
            Sort::Account if value.len() >= 8 => holds_account(text.as_str(), value),
            Sort::Id if value.chars().count() < 4 => is_called_an_id(text, value),
            _ => text.holds(self.canonical.text()),
        }
    }

    /// The parts of it by which somebody may have meant it: words of three letters at least, without what is in every such value.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        let text = match self.sort {
            Sort::Email => self.canonical.as_str().split('@').next().unwrap_or(""),
            Sort::Url => {
                let host = self
                    .canonical
                    .as_str()
                    .split(['/', '?', '#'])
                    .next()
                    .unwrap_or("");
                host.rsplit_once('.').map_or(host, |(name, _)| name)
            }
            _ => self.canonical.as_str(),
        };
        text.split(|char: char| !char.is_alphanumeric())
            .filter(|word| word.chars().nth(2).is_some() && !word.bytes().all(|byte| byte.is_ascii_digit()))
            .filter(|word| !COMMON.contains(word))
    }

    /// All words of what tells it from others: of an address what stands before the `@`.
    pub fn all_parts(&self) -> impl Iterator<Item = &str> {
        let text = self.canonical.as_str();
        let text = match self.sort {
            Sort::Email => text.split('@').next().unwrap_or(""),
            _ => text,
        };
        text.split(|char: char| !char.is_alphanumeric())
            .filter(|word| !word.is_empty())
    }
}

/// Words in many values that tell nothing about any of them.
const COMMON: &[&str] = &[
    "the", "and", "for", "with", "from", "that", "this", "you", "your", "new", "all", "www", "com", "org",
    "net", "http", "https", "html", "mail", "email", "info", "contact", "user", "name", "file", "files",
    "docx", "xlsx", "pptx", "pdf", "txt", "csv", "json", "png", "jpg", "zip", "gmail", "hotmail", "outlook",
    "yahoo", "noreply", "support", "admin",
];

/// A link without what two ways of writing it differ in.
fn canonical_url(url: &str) -> &str {
    let url = url.trim_end_matches(|char: char| ".,;:!?)'\"".contains(char));
    let url = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .unwrap_or(url);
    url.strip_prefix("www.").unwrap_or(url).trim_end_matches('/')
}

/// Letters and digits alone.
fn compact(text: &str) -> String {
    letters(text).collect()
}

fn letters(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|char| char.is_alphanumeric())
}

/// Whether the name of a host has ended: a full stop ends it only where nothing of a name follows.
fn ends_host(after: &str) -> bool {
    let mut chars = after.chars();
    match chars.next() {
        None => true,
        Some('.') => !chars.next().is_some_and(char::is_alphanumeric),
        Some(char) => !char.is_alphanumeric() && char != '-' && char != '_',
    }
}

fn begins_and_ends_url(before: &str, after: &str) -> bool {
    let before = before.strip_suffix("www.").unwrap_or(before);
    let begins = before.ends_with("://")
        || !before.ends_with(|char: char| char.is_alphanumeric() || "._-@/".contains(char));
    let mut chars = after.trim_start_matches('/').chars();
    let ends = match chars.next() {
        None => true,
        Some(char) if char.is_whitespace() => true,
        Some(char) if ".,;:!?)'\"]>*`|".contains(char) => !chars
            .next()
            .is_some_and(|next| next.is_alphanumeric() || next == '/' || next == '='),
        Some('<' | '}' | '\\' | '”' | '’' | '»') => true,
        Some(_) => false,
    };
    begins && ends
}

/// Whether the characters of a number stand in a text one behind the other, with at most a space or a hyphen between them.
fn holds_account(text: &str, number: &str) -> bool {
    let Some(first) = number.chars().next() else {
        return false;
    };
    text.match_indices(first).any(|(at, _)| {
        if text
            .get(..at)
            .and_then(|before| before.chars().next_back())
            .is_some_and(char::is_alphanumeric)
        {
            return false;
        }
        let mut wanted = number.chars().peekable();
        let mut between = true;
        for char in text.get(at..).unwrap_or("").chars() {
            match wanted.peek() {
                None => return !char.is_alphanumeric(),
                Some(next) if *next == char => {
                    wanted.next();
                    between = false;
                }
                Some(_) if matches!(char, ' ' | '-' | '.' | '/') && !between => between = true,
                Some(_) => return false,
            }
        }
        wanted.peek().is_none()
    })
}

/// A short number is in every second text: it counts where it is called an id.
fn is_called_an_id(text: FoldedText<'_>, value: &str) -> bool {
    text.any_between(value, |before, after| {
        if before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric) {
            return false;
        }
        let before = before.trim_end_matches(|char: char| !char.is_alphanumeric() && char != '#');
        before.ends_with('#')
            || before
                .rsplit(|char: char| !char.is_alphanumeric())
                .next()
                .is_some_and(|word| {
                    matches!(
                        word,
                        "id" | "ids" | "number" | "no" | "nr" | "nummer" | "numero" | "número"
                    )
                })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(sort: Sort, value: &str, text: &str) -> bool {
        Value::new(sort, value).is_in(Folded::of(text).text())
    }

    #[test]
    fn addresses_are_equal_or_not() {
        assert!(is_in(Sort::Email, "Bob@A.com", "write to <bob@a.com>."));
        assert!(is_in(Sort::Email, "bob@a.com", "bob@a.com,eve@b.com"));
        for other in ["abob@a.com", "bob@a.com.evil.org", "x-bob@a.com", "bob@a.company"] {
            assert!(!is_in(Sort::Email, "bob@a.com", other), "{other}");
        }
    }

    #[test]
    fn links_are_equal_or_not() {
        assert!(is_in(Sort::Url, "https://www.a.com/", "see a.com."));
        assert!(is_in(Sort::Url, "www.a.com", "on www.a.com.They say"));
        assert!(is_in(Sort::Url, "a.com/x?y=1", "(https://a.com/x?y=1)"));
        for other in [
            "evil-a.com",
            "a.com.evil.org",
            "a.com/x",
            "b.a.com",
            "me@a.com",
            "a.com?q=1",
        ] {
            assert!(!is_in(Sort::Url, "www.a.com", other), "{other}");
        }
    }

    #[test]
    fn numbers_of_accounts_may_be_grouped() {
        assert!(is_in(
            Sort::Account,
            "DE89370400440532013000",
            "to DE89 3704 0044 0532 0130 00 please"
        ));
        assert!(!is_in(
            Sort::Account,
            "DE89370400440532013000",
            "DE893704004405320130001"
        ));
        assert!(!is_in(Sort::Account, "12345678", "x12345678"));
    }

    #[test]
    fn short_ids_are_called_ids() {
        assert!(is_in(Sort::Id, "13", "delete the file with id '13'"));
        assert!(is_in(Sort::Id, "13", "ticket #13"));
        assert!(!is_in(Sort::Id, "13", "on 2024-05-13 at 13:00"));
        assert!(is_in(Sort::Id, "INC-4711", "close INC-4711"));
    }

    #[test]
    fn a_party_is_what_it_looks_like() {
        assert_eq!(Sort::Party.of("a@b.c"), Sort::Email);
        assert_eq!(Sort::Party.of("GB29 NWBK 6016 1331 9268 19"), Sort::Account);
        assert_eq!(Sort::Party.of("www.a.com"), Sort::Url);
        assert_eq!(Sort::Party.of("Alice"), Sort::Name);
    }

    #[test]
    fn parts_tell_one_from_others() {
        let parts = |sort, value| {
            Value::new(sort, value)
                .parts()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(parts(Sort::Email, "mark.black-2134@gmail.com"), ["mark", "black"]);
        assert_eq!(
            parts(Sort::Url, "https://www.dora-website.com/x"),
            ["dora", "website"]
        );
    }
}
