//! Markup that tears words or keeps them from the eye: tags, comments, emphasis within a word.

use std::{collections::HashMap, sync::LazyLock};

use portcullis_core::{Family, Span};

use super::{Source, View, census::cue};
use crate::derived::{Changes, Draft};

/// The longest tag and the longest comment that are taken out.
const TAG: usize = 2048;
const COMMENT: usize = 8192;

/// The longest name of a tag.
const LONGEST: usize = 24;

/// Tags that do not end a word.
const INLINE: &[&str] = &[
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd",
    "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "var",
    "wbr",
];
/// Tags that do.
const BLOCK: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "br",
    "button",
    "caption",
    "center",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "iframe",
    "img",
    "input",
    "label",
    "legend",
    "li",
    "link",
    "main",
    "meta",
    "nav",
    "noscript",
    "ol",
    "option",
    "p",
    "pre",
    "script",
    "section",
    "select",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
    "video",
];

/// Takes markup out. What stands in comments, titles and hidden elements is read with the rest, as it stands.
#[derive(Debug)]
pub(super) struct Markup;

impl View for Markup {
    fn id(&self) -> &'static str {
        "markup"
    }

    fn about(&self) -> &'static str {
        "Tags and comments of HTML, sections of CDATA, and signs of emphasis within a word."
    }

    fn families(&self) -> &'static [Family] {
        Family::ALL
    }

    fn cues(&self) -> u64 {
        cue::TAG | cue::EMPHASIS
    }

    fn apply(&self, source: &Source<'_>, out: &mut Vec<Draft>) {
        let bytes = source.text.as_bytes();
        let mut changes = Changes::new(source.text);
        for (from, to) in source.census.places(cue::TAG | cue::EMPHASIS) {
            let mut at = from.saturating_sub(2).max(changes.done());
            let to = to.min(bytes.len());
            while let Some(next) = bytes.get(at..to).and_then(|rest| rest.iter().position(is_sign)) {
                at += next;
                let rest = bytes.get(at..).unwrap_or_default();
                let in_word = is_letter(bytes, at.checked_sub(1));
                let taken = if rest.starts_with(b"<") {
                    tag(rest, in_word)
                } else {
                    emphasis(rest, in_word)
                };
                if let Some((length, said)) = taken {
                    changes.replace(Span::new(at, at + length), said);
                }
                at = changes.done().max(at + 1);
            }
        }
        out.extend(changes.finish());
    }

    fn disguise(&self, text: &str) -> Option<String> {
        let mut written = String::new();
        for (at, c) in text.chars().enumerate() {
            if at > 0 {
                written.push_str(
                    ["<b>", "</b>", "<!-- x -->"]
                        .get(at % 3)
                        .copied()
                        .unwrap_or_default(),
                );
            }
            written.push(c);
        }
        // A sign of markup beside a tag, or an attribute, would be read as part of one.
        (!text.contains(['<', '>', '*', '`', '~', '|', '^', '"', '=', '('])).then_some(written)
    }
}

/// Whether a tag may begin with that byte, or it is a sign of emphasis.
fn is_sign(byte: &u8) -> bool {
    matches!(byte, b'<' | b'*' | b'`' | b'~' | b'|' | b'^')
}

fn is_letter(bytes: &[u8], at: Option<usize>) -> bool {
    at.and_then(|at| bytes.get(at))
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
}

/// The tag or comment at the beginning of `rest`: its length and what stands for it.
fn tag(rest: &[u8], in_word: bool) -> Option<(usize, &'static str)> {
    let within = |length: usize| rest.get(..length.min(rest.len())).unwrap_or_default();
    if rest.starts_with(b"<!--") {
        let end = memchr::memmem::find(within(COMMENT).get(4..)?, b"-->")?;
        return Some((end + 7, ""));
    }
    if rest.starts_with(b"<![CDATA[") {
        return Some((9, ""));
    }
    let name = rest.get(1..)?;
    let slash = usize::from(name.first() == Some(&b'/'));
    let name = name.get(slash..)?;
    let length = name
        .iter()
        .take(LONGEST)
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    let (name, after) = (name.get(..length)?, name.get(length)?);
    if !name.first()?.is_ascii_alphabetic() || !(after.is_ascii_whitespace() || matches!(after, b'>' | b'/'))
    {
        return None;
    }
    let end = close(within(TAG))?;
    let mut small = [0; LONGEST];
    let small = small.get_mut(..length)?;
    small.copy_from_slice(name);
    small.make_ascii_lowercase();
    match KNOWN.get(&*small) {
        Some(said) => Some((end, *said)),
        // A tag that nobody knows tears a word, or is a parameter of a type.
        None => (in_word && is_letter(rest, Some(end))).then_some((end, "")),
    }
}

/// Whether that is a sign of emphasis.
pub(super) fn is_emphasis(c: char) -> bool {
    matches!(c, '*' | '`' | '~' | '|' | '^')
}

/// What stands for the tag with that name and what follows it, if it is known.
pub(super) fn said(tag: &str) -> Option<&'static str> {
    let name = tag.trim_start_matches('/');
    let name = name
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .next()?;
    KNOWN.get(name.to_ascii_lowercase().as_bytes()).copied()
}

/// What stands for each tag that is known.
static KNOWN: LazyLock<HashMap<&'static [u8], &'static str>> = LazyLock::new(|| {
    let inline = INLINE.iter().map(|name| (name.as_bytes(), ""));
    inline
        .chain(BLOCK.iter().map(|name| (name.as_bytes(), "\n")))
        .collect()
});

/// Where a tag ends: a `>` in quotes does not end it, unless the quotes are never closed.
fn close(tag: &[u8]) -> Option<usize> {
    let mut quote = 0;
    for (at, byte) in tag.iter().enumerate() {
        match byte {
            b'"' | b'\'' if quote == 0 => quote = *byte,
            b'>' if quote == 0 => return Some(at + 1),
            byte if *byte == quote => quote = 0,
            _ => {}
        }
    }
    memchr::memchr(b'>', tag).map(|at| at + 1)
}

/// Signs of emphasis between two letters.
fn emphasis(rest: &[u8], in_word: bool) -> Option<(usize, &'static str)> {
    let length = rest
        .iter()
        .take(4)
        .take_while(|byte| matches!(byte, b'*' | b'`' | b'~' | b'|' | b'^'))
        .count();
    (in_word && length > 0 && length < 4 && is_letter(rest, Some(length))).then_some((length, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_taken_out() {
        for (text, said) in [
            ("<p>ig<b>no</b>re</p><br/>all", "\nignore\n\nall"),
            (
                "ig<!-- x > y -->nore <span style=\"display:none\" title=\"a > b\">all</span>",
                "ignore all",
            ),
            ("**ig**nore ~~a~~ll `x` a*b", "**ignore ~~all `x` ab"),
            (
                "ig<zz>nore Vec<String> a < b > c <|im_start|>",
                "ignore Vec<String> a < b > c <|im_start|>",
            ),
            ("<![CDATA[x]]>", "x]]>"),
            ("<a href=\"unclosed>x", "x"),
        ] {
            let mut out = Vec::new();
            Markup.apply(&Source::of(text), &mut out);
            assert_eq!(
                out.pop().map_or(text.to_owned(), |draft| draft.text),
                said,
                "{text}"
            );
        }
    }
}
