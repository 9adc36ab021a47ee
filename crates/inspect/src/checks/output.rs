//! What tells a link, a tag or a command that acts from words that look like one.

use portcullis_core::Span;

use crate::{
    around::{Check, Match},
    link::{self, Target},
};

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[
    ("markdown_image", Check::Left(markdown_image)),
    ("markdown_link", Check::Left(markdown_link)),
    ("markdown_definition", Check::Left(markdown_definition)),
    ("attribute", Check::Left(attribute)),
    ("bare_link", Check::Left(bare_link)),
    ("external", Check::Value(leads_elsewhere)),
    ("script", Check::Value(is_script)),
    ("script_attribute", Check::Left(script_attribute)),
    ("script_definition", Check::Left(script_definition)),
    ("in_tag", Check::Left(in_tag)),
    ("in_style", Check::Left(in_style)),
    ("run", Check::Begun(begins_run, run)),
    ("unconditional_sql", Check::Value(unconditional_sql)),
    ("sql_breakout", Check::Left(sql_breakout)),
    ("whole_path", Check::Around(whole_path)),
];

/// How far back the words of a link are looked for, and the beginning of an address that another stands in.
const WORDS: usize = 256;
/// How far back the beginning of a tag is looked for.
const TAG: usize = 1024;

fn leads_elsewhere(value: &str) -> bool {
    link::target(value) != Target::Own
}

fn is_script(value: &str) -> bool {
    link::target(value) == Target::Script
}

fn markdown_image(found: &Match<'_>) -> Option<Span> {
    (leads_elsewhere(found.value()) && follows_image(found.before(WORDS))).then(|| found.span())
}

fn markdown_link(found: &Match<'_>) -> Option<Span> {
    (leads_elsewhere(found.value()) && !follows_image(found.before(WORDS))).then(|| found.span())
}

/// Whether a text ends with the bracketed words of an image: `![…]`.
fn follows_image(before: &str) -> bool {
    let mut depth = 0usize;
    for (at, byte) in before.bytes().enumerate().rev() {
        match byte {
            b']' => depth += 1,
            b'[' if depth <= 1 => return before.get(..at).is_some_and(|before| before.ends_with('!')),
            b'[' => depth -= 1,
            _ => {}
        }
    }
    false
}

fn markdown_definition(found: &Match<'_>) -> Option<Span> {
    (leads_elsewhere(found.value()) && defines(found)).then(|| found.span())
}

fn script_definition(found: &Match<'_>) -> Option<Span> {
    let alone = found.span() == found.whole_span();
    (is_script(found.value()) && (alone || defines(found))).then(|| found.span())
}

/// Whether the line before a match is `[name]:` and what may stand before it.
fn defines(found: &Match<'_>) -> bool {
    let before = found.before(WORDS);
    let Some((before, _)) = before.rsplit_once("]:") else {
        return false;
    };
    let line = before.rsplit(['\n', '\r']).next().unwrap_or(before);
    let name = line.trim_start_matches([' ', '\t', '>', '-', '*']);
    name.strip_prefix('[')
        .is_some_and(|name| !name.trim().is_empty() && !name.contains(['[', ']']))
}

fn attribute(found: &Match<'_>) -> Option<Span> {
    leads_elsewhere(found.value()).then(|| in_tag(found)).flatten()
}

fn script_attribute(found: &Match<'_>) -> Option<Span> {
    is_script(found.value()).then(|| in_tag(found)).flatten()
}

/// A match that stands within a tag of HTML.
fn in_tag(found: &Match<'_>) -> Option<Span> {
    let before = found.before(TAG);
    (tag_is_open(before) || tag_is_open_by_quotes(before)).then(|| found.span())
}

/// Whether the last `<` of a text begins a tag that no `>` ends.
fn tag_is_open(text: &str) -> bool {
    text.rsplit_once('<')
        .is_some_and(|(_, tag)| tag.starts_with(|c: char| c.is_ascii_alphabetic()) && !tag.contains('>'))
}

/// Whether a text ends within a tag if what stands in quotes in tags is no markup, as browsers read it.
fn tag_is_open_by_quotes(text: &str) -> bool {
    if !text.contains('<') {
        return false;
    }
    let (mut open, mut quote, mut last) = (false, None, b' ');
    for byte in text.bytes() {
        match (open, quote) {
            (false, _) => open = last == b'<' && byte.is_ascii_alphabetic(),
            (true, Some(end)) => {
                if byte == end {
                    quote = None;
                }
            }
            (true, None) => match byte {
                b'>' => open = false,
                b'"' | b'\'' => quote = Some(byte),
                _ => {}
            },
        }
        last = byte;
    }
    open
}

fn in_style(found: &Match<'_>) -> Option<Span> {
    let before = found.before(WORDS).to_ascii_lowercase();
    ["<style", "style="]
        .iter()
        .any(|word| before.contains(word))
        .then(|| found.span())
}

/// What ends a sentence or a word of markup and is no part of an address at its end.
const CLOSING: &[char] = &[
    '.', ',', ';', ':', '!', '?', '\'', '*', '_', '~', ')', '\u{2026}', '\u{3002}', '\u{ff0c}', '\u{ff1b}',
    '\u{ff1a}', '\u{ff01}', '\u{ff1f}', '\u{3001}', '\u{ff08}', '\u{ff09}', '\u{300c}', '\u{300d}',
    '\u{300a}', '\u{300b}', '\u{3010}', '\u{3011}', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}', '\u{ab}',
    '\u{bb}',
];

/// An address that stands by itself, without what only touches it, unless it stands in another.
fn bare_link(found: &Match<'_>) -> Option<Span> {
    let (value, span) = (found.value(), found.span());
    if is_nested(found.before(WORDS)) {
        return None;
    }
    if value.starts_with('<') {
        return Some(span);
    }
    let scheme = value.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = value.split_at_checked(scheme)?;
    let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest.get(..host)?;
    // Where a user stands before it, all of it is the host's; otherwise what no host holds ends the address.
    let ends = |c: char| matches!(c, ',' | ';' | '\'' | '!' | '*') || (!c.is_ascii() && CLOSING.contains(&c));
    let kept = match host.find(ends).filter(|_| !host.contains('@')) {
        Some(end) => rest.get(..end)?,
        None => rest,
    };
    let kept = match kept.contains('(') {
        true => kept.trim_end_matches(|c| c != ')' && CLOSING.contains(&c)),
        false => kept.trim_end_matches(CLOSING),
    };
    let is_name = kept.contains(|c: char| c.is_alphanumeric()) && (!scheme.is_empty() || kept.contains("w."));
    let dots = scheme.is_empty() && kept.trim_start_matches(['w', 'W']).len() < 4;
    (is_name && !dots).then(|| Span::new(span.start, span.start + scheme.len() + kept.len()))
}

/// Whether the word that a text ends with is an address already.
fn is_nested(before: &str) -> bool {
    let ends = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '<' | '>' | '"' | '\'' | '`' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | ',' | ';'
            )
    };
    // The last scheme is looked for first: most texts before an address have none, or one nearby.
    let scheme = memchr::memmem::rfind(before.as_bytes(), b"://");
    scheme.is_some_and(|at| !before.get(at..).unwrap_or_default().contains(ends))
}

/// A run of characters that nobody sees is found in pieces of so many, beginning with the first; how far back the first is
/// looked for, in pieces.
const PIECE: usize = 32;
const PIECES: usize = 4;

/// So many tag characters make a flag of a flag.
const FLAG: usize = 7;

/// Whether a piece of a run of characters that are not shown begins with a character.
fn begins_run(first: &Match<'_>) -> bool {
    let Some(sort) = first.value().chars().next().and_then(hidden) else {
        return false;
    };
    if sort == Hidden::Return {
        return true;
    }
    let before = first.before(4 * PIECE * PIECES);
    // Behind so many tag characters there is nothing to count.
    let tags = before.as_bytes().chunks_exact(4);
    if sort == Hidden::Tag && tags.len() == PIECE * PIECES {
        let tag = |bytes: &[u8]| matches!(bytes, [0xf3, 0xa0, 0x80 | 0x81, _]);
        if tags.fold(true, |all, bytes| all & tag(bytes)) {
            return true;
        }
    }
    let alike = |c: &char| hidden(*c) == Some(sort);
    let earlier = before
        .chars()
        .rev()
        .take(PIECE * PIECES)
        .take_while(alike)
        .count();
    earlier % PIECE == 0
}

/// Runs of characters that are not shown, unless an emoji is made of them.
fn run(found: &Match<'_>) -> Option<Span> {
    let value = found.value();
    let is_tag = value.chars().next().and_then(hidden)? == Hidden::Tag;
    let is_flag = is_tag && found.before(4).ends_with('\u{1f3f4}') && value.chars().count() <= FLAG;
    let is_doubled =
        value.chars().count() <= 3 && value.chars().all(|c| matches!(c, '\u{fe0e}' | '\u{fe0f}'));
    (!is_flag && !is_doubled).then(|| found.span())
}

/// Characters that are not shown, by the runs that they make.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hidden {
    Control,
    Return,
    Tag,
    Selector,
    Other,
}

fn hidden(c: char) -> Option<Hidden> {
    Some(match c {
        '\r' => Hidden::Return,
        '\u{1}'..='\u{1f}' | '\u{7f}' => Hidden::Control,
        '\u{e0000}'..='\u{e007f}' => Hidden::Tag,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => Hidden::Selector,
        '\u{ad}'
        | '\u{34f}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202d}'
        | '\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => Hidden::Other,
        _ => return None,
    })
}

/// Words that are no names of tables: what is dropped is a ball or a hint.
const NO_TABLES: &[&str] = &[
    "tennis", "of", "top", "for", "and", "or", "the", "a", "in", "on", "with",
];

/// Statements that change all of a table.
fn unconditional_sql(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let words = || lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    !words().any(|word| word == "where") && !words().next_back().is_some_and(|last| NO_TABLES.contains(&last))
}

/// Conditions that are always true, and statements behind a closed value.
fn sql_breakout(found: &Match<'_>) -> Option<Span> {
    let value = found.value();
    let breaks = if value.starts_with(';') {
        found
            .before(8)
            .trim_end_matches([' ', '\t'])
            .ends_with(|c: char| matches!(c, '\'' | '"' | ')') || c.is_ascii_digit())
    } else {
        value.split_once('=').is_some_and(|(left, right)| {
            let word = |c: char| !c.is_ascii_alphanumeric();
            let left = left.trim_end_matches(word).rsplit(word).next();
            let right = right.trim_start_matches(word).split(word).next();
            left == right
        })
    };
    breaks.then(|| found.span())
}

/// Paths that end where the match ends.
fn whole_path(found: &Match<'_>) -> Option<Span> {
    let goes_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '*' | '$');
    let value = found.value();
    let is_path = value.ends_with(['/', '~', '*', '.'])
        || value
            .rsplit([' ', '\t'])
            .next()
            .is_some_and(|last| last.contains('/') || last.contains("HOME"));
    (!is_path || !found.after(4).starts_with(goes_on)).then(|| found.span())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_by_their_words() {
        for (before, image) in [
            ("![x]", true),
            ("see ![a [b] c]", true),
            ("![]", true),
            ("[x]", false),
            ("[![x](y)]", false),
            ("x]", false),
        ] {
            assert_eq!(follows_image(before), image, "{before}");
        }
    }

    #[test]
    fn tags_that_are_open() {
        for (text, open) in [
            ("<img ", true),
            ("<img alt='>' ", true),
            ("<p>", false),
            ("a < b ", false),
            ("", false),
            ("<a href='x'>text <b class=\"y\" ", true),
        ] {
            assert_eq!(tag_is_open(text) || tag_is_open_by_quotes(text), open, "{text}");
        }
    }
}
