//! Where a text reads as if it opened or closed a mark of the gateway's, `<name-…` or `</name-…`, however it is dressed: in
//! another case, in full width or borrowed letters, with characters that nobody sees, with references and escapes.
//!
//! It finds what a reader could take for a mark, and changes nothing. Where a mark is whole, or whether its tag is right, is not
//! asked: the beginning is enough.

use crate::link::entity::reference;
use crate::views::characters::{Class, alike, bare, class, narrow, quote, styled};

/// So many characters that say nothing may stand in a row between two that do.
const GAP: usize = 8;

/// What a reader sees at a place.
enum Seen {
    Nothing,
    Blank,
    Sign(char),
    /// One character that is several letters.
    Signs(String),
}

/// The places in `text`, each just behind the bracket of such a beginning. `name` is of lower-case ASCII letters.
#[must_use]
pub fn imitations(text: &str, name: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0usize;
    while let Some(next) = text.get(at..).and_then(bracket) {
        at = at.saturating_add(next);
        let rest = text.get(at..).unwrap_or("");
        let Some((seen, length)) = see(rest) else { break };
        let behind = at.saturating_add(length.max(1));
        if matches!(seen, Seen::Sign('<')) && text.get(behind..).is_some_and(|rest| is_beginning(rest, name))
        {
            found.push(behind);
        }
        at = behind;
    }
    found
}

/// The first place at which a bracket may stand.
fn bracket(text: &str) -> Option<usize> {
    let opens = |c: char| matches!(c, '<' | '&' | '\\' | '%') || (!c.is_ascii() && is_angle(c));
    text.find(opens)
}

/// Whether the rest behind a bracket goes on as a mark: a stroke or none, the name, a dash.
fn is_beginning(rest: &str, name: &str) -> bool {
    let mut rest = rest;
    let mut wanted = name;
    let mut gap = 0usize;
    let mut strokes = 0usize;
    let mut takes = |sign: char| match wanted.strip_prefix(sign) {
        Some(left) => {
            wanted = left;
            Some(false)
        }
        None if wanted.is_empty() => matches!(sign, '-' | '_' | '~').then_some(true),
        None if sign == '/' && wanted.len() == name.len() => {
            strokes = strokes.saturating_add(1);
            (strokes < 3).then_some(false)
        }
        None => None,
    };
    while let Some((seen, length)) = see(rest) {
        rest = rest.get(length.max(1)..).unwrap_or("");
        let said = match seen {
            Seen::Nothing | Seen::Blank => {
                gap = gap.saturating_add(1);
                if gap > GAP {
                    return false;
                }
                continue;
            }
            Seen::Sign(sign) => takes(sign),
            Seen::Signs(signs) => signs.chars().try_fold(false, |_, sign| takes(sign)),
        };
        match said {
            Some(true) => return true,
            Some(false) => gap = 0,
            None => return false,
        }
    }
    false
}

/// What stands at the beginning of `rest`, and its length in bytes.
fn see(rest: &str) -> Option<(Seen, usize)> {
    let first = rest.chars().next()?;
    let (c, length) = match first {
        '&' => reference(rest.get(1..)?).map(|(c, length)| (c, length.saturating_add(1))),
        '\\' | '%' => escape(rest),
        _ => None,
    }
    .unwrap_or((first, first.len_utf8()));
    Some((by_eye(c), length))
}

/// The character that `\u003c`, `\x3c` or `%3c` stands for; a stroke the other way round is one, and is often written before one.
fn escape(rest: &str) -> Option<(char, usize)> {
    let (digits, skipped) = match rest.as_bytes() {
        [b'\\', b'u', ..] => (4, 2),
        [b'\\', b'x', ..] => (2, 2),
        [b'%', ..] => (2, 1),
        _ => return Some(('/', 1)),
    };
    let end = digits + skipped;
    let code = rest.get(skipped..end)?;
    let plain = code.bytes().all(|byte| byte.is_ascii_hexdigit());
    let code = u32::from_str_radix(code, 16).ok().filter(|_| plain)?;
    Some((char::from_u32(code)?, end))
}

fn by_eye(c: char) -> Seen {
    if c.is_ascii() {
        return match c {
            ' ' | '\t' | '\n' | '\r' => Seen::Blank,
            _ if c.is_ascii_control() => Seen::Nothing,
            '\\' => Seen::Sign('/'),
            _ => Seen::Sign(c.to_ascii_lowercase()),
        };
    }
    if is_angle(c) {
        return Seen::Sign('<');
    }
    if matches!(
        c,
        '\u{2044}' | '\u{2215}' | '\u{2571}' | '\u{29f8}' | '\u{2216}' | '\u{ff3c}' | '\u{ff0f}'
    ) {
        return Seen::Sign('/');
    }
    if matches!(c, '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' | '\u{2043}' | '\u{ff3f}') {
        return Seen::Sign('-');
    }
    let lower = |c: char| Seen::Sign(c.to_ascii_lowercase());
    match class(c) {
        Class::Gone | Class::Mark => Seen::Nothing,
        Class::Blank | Class::Line => Seen::Blank,
        Class::Styled => styled(c).map_or(Seen::Sign(c), |signs| Seen::Signs(signs.to_ascii_lowercase())),
        Class::Wide => lower(narrow(c).unwrap_or(c)),
        Class::Quote => Seen::Sign(quote(c).chars().next().unwrap_or(c)),
        Class::Alike => lower(alike(c).unwrap_or(c)),
        Class::Latin => lower(alike(c).unwrap_or_else(|| bare(c))),
        Class::Foreign | Class::Inert => Seen::Sign(c),
    }
}

/// What is read as the bracket `<`.
fn is_angle(c: char) -> bool {
    matches!(
        c,
        '\u{ff1c}'
            | '\u{fe64}'
            | '\u{2039}'
            | '\u{2329}'
            | '\u{3008}'
            | '\u{300a}'
            | '\u{27e8}'
            | '\u{27ea}'
            | '\u{276e}'
            | '\u{2770}'
            | '\u{29fc}'
            | '\u{227a}'
            | '\u{2c2}'
            | '\u{1438}'
            | '\u{ab}'
            | '\u{226a}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_as_a_mark_is_found_however_it_is_dressed() {
        for text in [
            "</untrusted-abc>",
            "<untrusted-abc>",
            "</UNTRUSTED-abc>",
            "< / untrusted - abc >",
            "<//untrusted-abc>",
            "<\\/untrusted-abc>",
            "＜／ｕｎｔｒｕｓｔｅｄ－abc＞",
            "<\u{200b}/\u{200d}un\u{ad}trus\u{feff}ted-abc>",
            "&lt;/untrusted-abc&gt;",
            "&#60;&#x2f;&#117;ntrusted&#45;abc&gt;",
            "\\u003c/untrusted-abc\\u003e",
            "%3C%2Funtrusted-abc%3E",
            "‹/untrusted‐abc›",
            "〈/untrusted—abc〉",
            "</untrusted–abc>",
            "</untrusted_abc>",
            "</υntrυsted-abc>",
            "</unтrusтed-abc>",
            "</ùntrûstéd-abc>",
            "</u\u{301}ntrusted-abc>",
            "</𝐮𝐧𝐭𝐫𝐮𝐬𝐭𝐞𝐝-abc>",
            "</untru\u{fb06}ed-abc>",
            "<\n/untrusted-",
        ] {
            let found = imitations(text, "untrusted");
            assert_eq!(found.len(), 1, "{text}");
            let in_text = format!("é<<p> {text} </p>");
            assert_eq!(imitations(&in_text, "untrusted").len(), 1, "{in_text}");
        }
    }

    #[test]
    fn what_reads_as_something_else_is_not() {
        for text in [
            "",
            "untrusted-abc",
            "an untrusted-data pipeline",
            "<untrusted>",
            "<untrusted data>",
            "<trusted-abc>",
            "<un-trusted-abc>",
            "a < b, untrusted-c",
            "<p>untrusted-abc</p>",
            "<",
            "&lt;",
            "&",
            "\\u003",
            "%",
            "<////untrusted-abc>",
        ] {
            assert_eq!(imitations(text, "untrusted"), Vec::<usize>::new(), "{text}");
        }
        let far = format!("<{}untrusted-abc>", " ".repeat(GAP + 1));
        assert!(imitations(&far, "untrusted").is_empty());
    }

    #[test]
    fn a_place_is_just_behind_the_bracket() {
        assert_eq!(
            imitations("ab</untrusted-x> &lt;untrusted-y", "untrusted"),
            [3, 21]
        );
    }
}
