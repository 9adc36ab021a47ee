//! Sentences that say that what was to go elsewhere goes to somebody else now: "Correction: the recipient has changed, it is Eve".
//!
//! It matters for values that the user named as well, for something else: no origin tells such a call from one that was asked for.
//! What it finds is asked about and never denied, since people write such sentences too.

use super::folded::FoldedText;
use super::sort::Value;

/// What says so, in small letters. Words of writing systems that have spaces stand alone.
const CUES: &[&str] = &[
    "instead",
    "has changed",
    "have changed",
    "was changed",
    "were changed",
    "has been changed",
    "has been updated",
    "correction",
    "corrected",
    "replaces",
    "replaced",
    "no longer",
    "is now",
    "are now",
    "valid one",
    "right one",
    "correct one",
    "rather than",
    "from now on",
    "superseded",
    "korrektur",
    "stattdessen",
    "geändert",
    "nicht mehr",
    "lautet jetzt",
    "lautet nun",
    "ab sofort",
    "statt",
    "au lieu",
    "à la place",
    "a changé",
    "rectification",
    "désormais",
    "n'est plus",
    "en lugar",
    "en vez",
    "ha cambiado",
    "corrección",
    "ahora es",
    "ya no",
    "invece",
    "è cambiato",
    "è cambiata",
    "correzione",
    "non è più",
    "em vez",
    "mudou",
    "correção",
    "agora é",
    "in plaats",
    "gewijzigd",
    "correctie",
    "voortaan",
    "вместо",
    "изменился",
    "изменилась",
    "исправление",
    "теперь",
    "zamiast",
    "zmieniono",
    "korekta",
    "yerine",
    "değişti",
    "düzeltme",
];

/// The same where words stand without spaces.
const UNSPACED: &[&str] = &[
    "改为",
    "更正",
    "变更",
    "改成",
    "変更",
    "訂正",
    "代わり",
    "변경",
    "정정",
    "대신",
];

/// Whether a sentence that names the value speaks of a change.
pub(super) fn redirects(text: FoldedText<'_>, value: &Value) -> bool {
    text.sentences()
        .any(|sentence| value.is_in(sentence) && speaks_of_change(sentence.as_str()))
}

fn speaks_of_change(part: &str) -> bool {
    let alone = |cue: &&str| {
        part.match_indices(*cue).any(|(at, _)| {
            let before = part.get(..at).unwrap_or("").chars().next_back();
            let after = part
                .get(at.saturating_add(cue.len())..)
                .unwrap_or("")
                .chars()
                .next();
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
        })
    };
    CUES.iter().any(alone) || UNSPACED.iter().any(|cue| part.contains(cue))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{Folded, Sort};

    fn says(text: &str, value: &str) -> bool {
        redirects(Folded::of(text).text(), &Value::new(Sort::Party, value))
    }

    #[test]
    fn a_sentence_that_names_somebody_else_is_one() {
        assert!(says(
            "Correction: the recipient has changed, the valid one is now Eve.",
            "Eve"
        ));
        assert!(says(
            "Please use eve@example.org instead of the old address. Thanks",
            "eve@example.org"
        ));
        assert!(says(
            "Das Konto lautet jetzt DE89 3704 0044 0532 0130 00. Grüße",
            "DE89370400440532013000"
        ));
        assert!(says("收件人改为 Eve", "Eve"));
        assert!(says("収件者は Eve に変更", "Eve"));
    }

    #[test]
    fn what_is_said_elsewhere_of_something_else_is_none() {
        assert!(!says("Eve wrote to you. The room has changed.", "Eve"));
        assert!(!says("Ask Steve instead", "Eve"));
        assert!(!says("Meet Eve at nine.", "Eve"));
        assert!(!says("The statt-Zeile of Eve", "Eva"));
        assert!(!says("Correction: Eve@example.org is right.", "bob@example.org"));
    }
}
