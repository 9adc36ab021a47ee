//! Values of a request that were replaced by placeholders, so that the client that sent them gets them back.
//!
//! A placeholder is `[EMAIL_ADDRESS_1_k7q2m9]`: what it stands for, a number that a model can tell it from others by, and a
//! tag that cannot be guessed: text that only looks like a placeholder is nothing but text. The tag is a keyed hash of the
//! value and of whose it is, so a conversation that is sent again whole reads the same in its later turns, and the state of
//! it all lives no longer than a request.
//!
//! Models do not always repeat a placeholder as it was. The tag tells which one is meant, so case, blanks for `_`, the escapes
//! of Markdown and missing brackets are seen through; what stands before the tag must still be its kind and its number.

use std::collections::HashMap;
use std::hash::Hasher;

use portcullis_core::{Finding, KeyId, Located, PartId, Span};
use portcullis_dialect::Reading;
use siphasher::sip::SipHasher24;

use crate::enforce::Replacement;

/// The letters and digits of a tag: none is easily taken for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// The length of a tag: 30 bits.
const TAG: usize = 6;
/// A placeholder that must be a mailbox ends so; no host has that name (RFC 2606).
const MAILBOX: &str = "@masked.invalid";
/// So many signs may stand between the words of a placeholder.
const MAX_GAP: usize = 3;

/// The placeholders of one request.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    /// What tags are made with, and for whom.
    key: [u8; 16],
    owner: String,
    /// Whether mailboxes get placeholders that are mailboxes.
    mailboxes: bool,
    forms: Vec<Form>,
    entries: Vec<Entry>,
    by_tag: HashMap<String, usize>,
}

/// What the placeholders of one kind look like.
#[derive(Debug)]
struct Form {
    kind: String,
    /// So many values have one.
    count: usize,
    is_mailbox: bool,
    /// The most bytes that one may take, however it is written.
    longest: usize,
}

/// A value of an earlier turn, and what its placeholder is made of.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// What it is.
    pub kind: Box<str>,
    /// Which one of its kind.
    pub number: usize,
    /// The value.
    pub value: Box<str>,
    /// The tag.
    pub tag: Box<str>,
}

/// A value and its placeholder.
#[derive(Debug)]
struct Entry {
    form: usize,
    number: usize,
    value: String,
    placeholder: String,
}

impl Masks {
    /// No values yet, of a client. Whoever knows `key` can tell which placeholder a value has. `mailboxes` says that what
    /// stands for a mailbox must be one.
    pub fn new(key: [u8; 16], owner: &KeyId, mailboxes: bool) -> Masks {
        Masks {
            key,
            owner: owner.as_str().to_owned(),
            mailboxes,
            ..Masks::default()
        }
    }

    /// Whether nothing was masked.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The placeholder of a value: the same one for the same value.
    pub fn placeholder(&mut self, kind: &str, value: &str) -> &str {
        let mut salt = 0;
        let at = loop {
            let tag = self.tag(kind, value, salt);
            let Some((at, entry)) = self
                .by_tag
                .get(&tag)
                .and_then(|at| Some((*at, self.entries.get(*at)?)))
            else {
                break self.add(kind, value, tag);
            };
            if entry.value == value && self.forms.get(entry.form).is_some_and(|form| form.kind == kind) {
                break at;
            }
            // Another value has this tag: one in a billion.
            salt = salt.wrapping_add(1);
        };
        self.entries.get(at).map_or("", |entry| &entry.placeholder)
    }

    /// Every value and what its placeholder is made of: for later turns.
    pub fn known(&self) -> Vec<Known> {
        let known = |(tag, at): (&String, &usize)| {
            let entry = self.entries.get(*at)?;
            Some(Known {
                kind: self.forms.get(entry.form)?.kind.as_str().into(),
                number: entry.number,
                value: entry.value.as_str().into(),
                tag: tag.as_str().into(),
            })
        };
        self.by_tag.iter().filter_map(known).collect()
    }

    /// Adds the values of an earlier turn.
    pub fn recall(&mut self, values: &[Known]) {
        for known in values
            .iter()
            .filter(|known| !self.by_tag.contains_key(&*known.tag))
            .collect::<Vec<_>>()
        {
            let before = known.number.saturating_sub(1);
            let form = self.form(&known.kind);
            let count = self
                .forms
                .get_mut(form)
                .map(|form| std::mem::replace(&mut form.count, before));
            self.add(&known.kind, &known.value, known.tag.to_string());
            if let (Some(form), Some(count)) = (self.forms.get_mut(form), count) {
                form.count = form.count.max(count);
            }
        }
    }

    fn form(&mut self, kind: &str) -> usize {
        let known = self.forms.iter().position(|form| form.kind == kind);
        known.unwrap_or_else(|| {
            self.forms
                .push(Form::new(kind, self.mailboxes && kind == "EMAIL_ADDRESS"));
            self.forms.len().saturating_sub(1)
        })
    }

    fn add(&mut self, kind: &str, value: &str, tag: String) -> usize {
        let form = self.form(kind);
        let at = self.entries.len();
        if let Some(known) = self.forms.get_mut(form) {
            known.count = known.count.saturating_add(1);
            self.entries.push(Entry {
                form,
                number: known.count,
                value: value.to_owned(),
                placeholder: known.written(&tag),
            });
            self.by_tag.insert(tag, at);
        }
        at
    }

    fn tag(&self, kind: &str, value: &str, salt: u8) -> String {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        for field in [&self.owner, kind, value] {
            hasher.write_usize(field.len());
            hasher.write(field.as_bytes());
        }
        hasher.write_u8(salt);
        let bits = hasher.finish();
        let letter = |place: usize| {
            let at = usize::try_from(bits >> (5 * place) & 31).unwrap_or(0);
            LETTERS.get(at).copied().map_or('a', char::from)
        };
        (0..TAG).map(letter).collect()
    }

    /// Where placeholders stand in `text`, and the values to put back. They do not overlap.
    pub fn restorations(&self, text: &str) -> Vec<Replacement> {
        let mut found: Vec<Replacement> = Vec::new();
        if self.entries.is_empty() {
            return found;
        }
        for tag in words(text).filter(|word| word.len() == TAG) {
            let Some(entry) = self.entry(text.get(tag.start..tag.end).unwrap_or("")) else {
                continue;
            };
            let form = self.forms.get(entry.form);
            let Some(span) = form.and_then(|form| form.span(entry.number, text, tag)) else {
                continue;
            };
            if found.last().is_none_or(|last| last.span.end <= span.start) {
                found.push(Replacement {
                    span,
                    text: entry.value.clone(),
                });
            }
        }
        found
    }

    /// Whether what was found is a value that the client sent itself, letter by letter: whoever gets it back learns nothing.
    pub fn is_own(&self, finding: &Finding, text: &str) -> bool {
        let is_kind = |entry: &Entry| {
            let form = self.forms.get(entry.form);
            form.is_some_and(|form| form.kind == finding.kind.as_str())
        };
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.value == text && is_kind(entry))
    }

    /// Drops what was found inside of placeholders, which are the gateway's own words, and what is the client's own.
    pub fn spare(&self, reading: &Reading, findings: &mut Vec<Located>) {
        if self.is_empty() {
            return;
        }
        let mut known: HashMap<PartId, Vec<Replacement>> = HashMap::new();
        findings.retain(|located| {
            let text = || self.restorations(reading.text(located.part));
            let placeholders = known.entry(located.part).or_insert_with(text);
            let span = located.finding.span;
            let found = reading.text(located.part).get(span.start..span.end);
            !lies_in(span, placeholders) && !found.is_some_and(|text| self.is_own(&located.finding, text))
        });
    }

    fn entry(&self, tag: &str) -> Option<&Entry> {
        let known = self.by_tag.get(tag);
        let at = known.or_else(|| self.by_tag.get(&tag.to_ascii_lowercase()))?;
        self.entries.get(*at)
    }

    /// The first byte of `text` from which a placeholder could still be completed, or become a longer one, by more text.
    pub fn pending(&self, text: &str) -> usize {
        let bytes = text.as_bytes();
        let longest = self.forms.iter().map(|form| form.longest).max().unwrap_or(0);
        let tail = bytes.len().saturating_sub(longest);
        let before = tail.checked_sub(1).and_then(|at| bytes.get(at));
        let mut begins_word = !before.is_some_and(u8::is_ascii_alphanumeric);
        for (at, byte) in bytes.iter().enumerate().skip(tail) {
            let is_word = byte.is_ascii_alphanumeric();
            let may_begin = matches!(byte, b'[' | b'\\') || (is_word && begins_word);
            begins_word = !is_word;
            let rest = bytes.get(at..).unwrap_or(&[]);
            if may_begin && self.forms.iter().any(|form| form.is_begun(rest)) {
                return at;
            }
        }
        bytes.len()
    }
}

/// Whether a stretch of text lies within one of those that are replaced.
pub(crate) fn lies_in(span: Span, replaced: &[Replacement]) -> bool {
    let holds = |other: &Replacement| other.span.start <= span.start && span.end <= other.span.end;
    replaced.iter().any(holds)
}

/// The runs of ASCII letters and digits of a text.
fn words(text: &str) -> impl Iterator<Item = Span> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..)?;
        let start = at.checked_add(rest.iter().position(u8::is_ascii_alphanumeric)?)?;
        let length = bytes
            .get(start..)?
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        at = start.checked_add(length)?;
        Some(Span::new(start, at))
    })
}

impl Form {
    fn new(kind: &str, is_mailbox: bool) -> Form {
        let gaps = kind
            .split(['_', '.'])
            .count()
            .saturating_add(2)
            .saturating_mul(MAX_GAP);
        const NUMBER_AND_BRACKETS: usize = 24;
        Form {
            kind: kind.to_owned(),
            count: 0,
            is_mailbox,
            longest: kind
                .len()
                .saturating_add(gaps)
                .saturating_add(MAILBOX.len().max(NUMBER_AND_BRACKETS)),
        }
    }

    /// The placeholder of the latest value.
    fn written(&self, tag: &str) -> String {
        let (kind, number) = (&self.kind, self.count);
        match self.is_mailbox {
            true => format!(
                "{}.{number}.{tag}{MAILBOX}",
                kind.to_ascii_lowercase().replace('_', ".")
            ),
            false => format!("[{kind}_{number}_{tag}]"),
        }
    }

    /// The words before the number and the tag.
    fn words(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.kind.split(['_', '.'])
    }

    /// Where the placeholder stands whose tag stands there, if the words of this one are before it.
    fn span(&self, number: usize, text: &str, tag: Span) -> Option<Span> {
        let number = number.to_string();
        let mut before = text.get(..tag.start)?;
        for (place, word) in std::iter::once(number.as_str())
            .chain(self.words().rev())
            .enumerate()
        {
            let gap = before
                .bytes()
                .rev()
                .take(MAX_GAP)
                .take_while(|byte| is_gap(*byte))
                .count();
            // Digits and letters run together only where the words of the kind do.
            if gap == 0 && place < 2 {
                return None;
            }
            before = before.get(..before.len().checked_sub(gap)?)?;
            let from = before.len().checked_sub(word.len())?;
            if !before.get(from..)?.eq_ignore_ascii_case(word) {
                return None;
            }
            before = before.get(..from)?;
        }
        if before
            .bytes()
            .next_back()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
        {
            return None;
        }
        let after = text.get(tag.end..)?;
        if self.is_mailbox {
            let has = after
                .get(..MAILBOX.len())
                .is_some_and(|end| end.eq_ignore_ascii_case(MAILBOX));
            let length = if has { MAILBOX.len() } else { 0 };
            return Some(Span::new(before.len(), tag.end.checked_add(length)?));
        }
        // Brackets belong to it where there are both, and the backslashes of Markdown where they are before both.
        for (open, close) in [("\\[", "\\]"), ("[", "]")] {
            if before.ends_with(open) && after.starts_with(close) {
                let start = before.len().checked_sub(open.len())?;
                return Some(Span::new(start, tag.end.checked_add(close.len())?));
            }
        }
        Some(Span::new(before.len(), tag.end))
    }

    /// Whether `rest` is the beginning of such a placeholder in one of the ways in which it may be written, and not all of it.
    fn is_begun(&self, rest: &[u8]) -> bool {
        let (is_open, mut rest) = match rest {
            [b'\\'] => return true,
            [b'\\', b'[', rest @ ..] | [b'[', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        for word in self.words() {
            let common = rest.len().min(word.len());
            let same = |(byte, wanted): (&u8, u8)| byte.eq_ignore_ascii_case(&wanted);
            if !rest.iter().zip(word.bytes()).all(same) {
                return false;
            }
            rest = without(rest.get(common..).unwrap_or(&[]), MAX_GAP, is_gap);
            if rest.is_empty() {
                return true;
            }
        }
        let digits = without(rest, usize::MAX, |byte| byte.is_ascii_digit());
        if digits.len() == rest.len() {
            return false;
        }
        rest = without(digits, MAX_GAP, is_gap);
        let after = without(rest, TAG, |byte| byte.is_ascii_alphanumeric());
        match after {
            [] => true,
            _ if rest.len().saturating_sub(after.len()) < TAG => false,
            [b'\\'] => is_open,
            after if self.is_mailbox => {
                let same = |(byte, wanted): (&u8, u8)| byte.eq_ignore_ascii_case(&wanted);
                after.len() < MAILBOX.len() && after.iter().zip(MAILBOX.bytes()).all(same)
            }
            _ => false,
        }
    }
}

/// What may stand between the words of a placeholder.
fn is_gap(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ' | b'\\')
}

/// The bytes behind those at the beginning that are such, `most` of them at most.
fn without(bytes: &[u8], most: usize, such: impl Fn(u8) -> bool) -> &[u8] {
    let count = bytes.iter().take(most).take_while(|byte| such(**byte)).count();
    bytes.get(count..).unwrap_or(&[])
}

#[cfg(test)]
#[allow(clippy::string_slice, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn masks(mailboxes: bool) -> Masks {
        Masks::new([7; 16], &KeyId::from_text("key-1"), mailboxes)
    }

    /// A text with its placeholders resolved.
    fn restored(masks: &Masks, text: &str) -> String {
        let mut out = String::new();
        let mut from = 0;
        for found in masks.restorations(text) {
            out.push_str(&text[from..found.span.start]);
            out.push_str(&found.text);
            from = found.span.end;
        }
        out + &text[from..]
    }

    #[test]
    fn a_value_has_one_placeholder_which_depends_on_whose_it_is() {
        let (mut one, mut same, mut other) = (
            masks(false),
            masks(false),
            Masks::new([7; 16], &KeyId::from_text("key-2"), false),
        );
        let first = one.placeholder("PERSON", "ann").to_owned();
        let second = one.placeholder("PERSON", "bob").to_owned();
        assert!(
            first.starts_with("[PERSON_1_") && second.starts_with("[PERSON_2_"),
            "{first} {second}"
        );
        assert_eq!(first.len(), "[PERSON_1_]".len() + TAG);
        assert_eq!(one.placeholder("PERSON", "ann"), first);
        assert_eq!(same.placeholder("PERSON", "ann"), first, "in a later turn");
        assert_ne!(other.placeholder("PERSON", "ann"), first);
        let another = one.placeholder("NAME", "ann").to_owned();
        assert!(
            another.starts_with("[NAME_1_") && another[8..] != first[10..],
            "{another}"
        );
    }

    #[test]
    fn an_earlier_turn_is_recalled() {
        let mut first = masks(false);
        let ann = first.placeholder("PERSON", "ann").to_owned();
        let bob = first.placeholder("PERSON", "bob").to_owned();
        let mut later = masks(false);
        later.recall(&first.known());
        later.recall(&first.known());
        assert_eq!(restored(&later, &format!("{ann}, {bob}")), "ann, bob");
        assert_eq!(later.placeholder("PERSON", "bob"), bob);
        assert!(later.placeholder("PERSON", "eve").starts_with("[PERSON_3_"));
        assert_eq!(later.known().len(), 3);
    }

    #[test]
    fn a_placeholder_is_seen_through_what_models_make_of_it() {
        let mut masks = masks(false);
        let written = masks.placeholder("EMAIL_ADDRESS", "a@b.example").to_owned();
        let tag = &written[written.len() - TAG - 1..written.len() - 1];
        let shout = tag.to_ascii_uppercase();
        for (text, back) in [
            (format!("to {written}."), "to a@b.example."),
            (format!("**{written}**"), "**a@b.example**"),
            (written.to_lowercase(), "a@b.example"),
            (format!("EMAIL_ADDRESS_1_{tag}"), "a@b.example"),
            (format!("(email address 1 {shout})"), "(a@b.example)"),
            (format!("\\[EMAIL\\_ADDRESS\\_1\\_{tag}\\]"), "a@b.example"),
            (format!("`EmailAddress-1-{tag}`"), "`a@b.example`"),
            (
                format!("[{written}](mailto:{written})"),
                "[a@b.example](mailto:a@b.example)",
            ),
            (format!("{written}{written}"), "a@b.examplea@b.example"),
            (format!("[EMAIL_ADDRESS_1_{tag}"), "[a@b.example"),
        ] {
            assert_eq!(restored(&masks, &text), back, "{text}");
        }
        let last = if tag.ends_with('a') { 'b' } else { 'a' };
        for inert in [
            "[EMAIL_ADDRESS_1]".to_owned(),
            format!("[EMAIL_ADDRESS_2_{tag}]"),
            format!("[PERSON_1_{tag}]"),
            format!("[MY_EMAILXADDRESS_1_{tag}]"),
            format!("[EMAIL_ADDRESS1{tag}]"),
            format!("x{}", &written[1..]),
            format!("[EMAIL_ADDRESS_1_{}{last}]", &tag[..TAG - 1]),
            format!("[EMAIL_ADDRESS_1_{tag}a]"),
        ] {
            assert_eq!(restored(&masks, &inert), inert);
        }
    }

    #[test]
    fn a_mailbox_may_stand_for_a_mailbox() {
        let mut masks = masks(true);
        let written = masks.placeholder("EMAIL_ADDRESS", "a@b.example").to_owned();
        assert!(
            written.starts_with("email.address.1.") && written.ends_with(MAILBOX),
            "{written}"
        );
        assert_eq!(restored(&masks, &format!("<{written}>")), "<a@b.example>");
        assert_eq!(restored(&masks, &written.to_uppercase()), "a@b.example");
        assert_eq!(restored(&masks, written.trim_end_matches(MAILBOX)), "a@b.example");
        assert!(masks.placeholder("PERSON", "ann").starts_with("[PERSON_1_"));
    }

    #[test]
    fn what_could_become_a_placeholder_is_pending() {
        for mailboxes in [false, true] {
            let mut masks = masks(mailboxes);
            let written = masks.placeholder("EMAIL_ADDRESS", "a@b.example").to_owned();
            for cut in 1..written.len() {
                let text = format!("to {}", &written[..cut]);
                assert_eq!(masks.pending(&text), 3, "{text}");
            }
            for done in [
                format!("to {written}"),
                "to [other".into(),
                "to email.".repeat(9) + " x",
                "[EMAIL_ADDRESS_1_zzzzzzz".into(),
                "see [1".into(),
            ] {
                assert_eq!(masks.pending(&done), done.len(), "{done}");
            }
            assert_eq!(masks.pending("an E"), 3);
        }
        assert_eq!(Masks::default().pending("[EMAIL"), 6);
    }
}
