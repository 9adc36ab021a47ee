//! Takes marks out of a text that a model wrote, as far as they stand there as they were put in. What a model made of them in its own
//! words is its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::Span;
use portcullis_dialect::escape_into;

use super::Marks;
use crate::enforce::Replacement;

/// A text in base64 is waited for up to so many bytes; of a longer one, only the marks around it are taken out.
const MAX_ENCODED: usize = 16 * 1024;

/// What stands before the place where reading goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context {
    /// The character before it; none at the beginning of a text that was marked.
    before: Option<char>,
    /// Whether the text is JSON as it is written, so that `\n` is a line break.
    is_json: bool,
}

impl Context {
    /// The beginning of a text. `is_json` says that it is the wire form of JSON: arguments of a tool call in a stream.
    pub fn new(is_json: bool) -> Context {
        Context {
            before: None,
            is_json,
        }
    }
}

enum Step {
    /// So many bytes are the text's own.
    Keep(usize),
    /// So many bytes were put in; this is what they stand for.
    Put(usize, String),
    /// More text decides.
    Wait,
}

/// Finds what was put in, from the beginning of `text` to the returned place. More text may follow what is behind it, unless
/// `is_last`: then all of it is decided.
pub(crate) fn erase(
    all: &[Marks],
    text: &str,
    context: &mut Context,
    is_last: bool,
    found: &mut Vec<Replacement>,
) -> usize {
    let is_sign = |c: char| !c.is_ascii() && all.iter().any(|marks| marks.sign == Some(c));
    let mut at = 0usize;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let next = rest.find(|c| matches!(c, '<' | '\n' | '\\') || is_sign(c));
        let next = next.unwrap_or(rest.len());
        let (plain, rest) = rest.split_at_checked(next).unwrap_or((rest, ""));
        context.before = plain.chars().next_back().or(context.before);
        at = at.saturating_add(next);
        let step = match rest.chars().next() {
            None => break,
            Some('<') => bracket(all, rest, context, is_last),
            Some('\n') => line(all, rest, 1, context, is_last),
            Some('\\') => backslash(all, rest, context, is_last),
            Some(sign) => blank(rest, sign, context, is_last),
        };
        match step {
            Step::Wait => return at,
            Step::Keep(length) => at = at.saturating_add(length),
            Step::Put(length, text) => {
                let end = at.saturating_add(length);
                found.push(Replacement {
                    span: Span::new(at, end),
                    text,
                });
                at = end;
            }
        }
    }
    text.len()
}

/// How much of `whole` stands at the beginning of `rest`: all of it, or as far as `rest` goes.
fn stands(rest: &str, whole: &str, is_last: bool) -> Option<Step> {
    if rest.starts_with(whole) {
        return Some(Step::Put(whole.len(), String::new()));
    }
    (!is_last && whole.starts_with(rest)).then_some(Step::Wait)
}

/// A bracket: the explanation, one of the marks, or nothing of it.
fn bracket(all: &[Marks], rest: &str, context: &mut Context, is_last: bool) -> Step {
    let mut waits = false;
    for marks in all {
        if let Some(explained) = &marks.explained {
            match explanation(rest, explained, context.is_json, is_last) {
                Some(Step::Wait) => waits = true,
                Some(step) => {
                    context.before = None;
                    return step;
                }
                None => {}
            }
        }
        match opening(marks, rest, context, is_last) {
            Some(Step::Wait) => waits = true,
            Some(step) => return step,
            None => {}
        }
        for mark in [marks.close.trim_start(), &marks.broken] {
            match stands(rest, mark, is_last) {
                Some(Step::Wait) => waits = true,
                Some(step) => return step,
                None => {}
            }
        }
    }
    if waits {
        return Step::Wait;
    }
    context.before = Some('<');
    Step::Keep(1)
}

/// The explanation, and the empty line behind it.
fn explanation(rest: &str, explained: &str, is_json: bool, is_last: bool) -> Option<Step> {
    let written = if is_json {
        written(explained)
    } else {
        explained.to_owned()
    };
    let step = stands(rest, &written, is_last)?;
    let after = rest.get(written.len()..).unwrap_or("");
    let gap = if is_json { "\\n\\n" } else { "\n\n" };
    match stands(after, gap, is_last) {
        Some(Step::Wait) => Some(Step::Wait),
        Some(_) => Some(Step::Put(written.len().saturating_add(gap.len()), String::new())),
        None => Some(step),
    }
}

/// The first mark of a text with its line break, and in base64 all of the text.
fn opening(marks: &Marks, rest: &str, context: &mut Context, is_last: bool) -> Option<Step> {
    let open = marks.open.trim_end();
    let open = if context.is_json {
        written(open)
    } else {
        open.to_owned()
    };
    if matches!(stands(rest, &open, is_last)?, Step::Wait) {
        return Some(Step::Wait);
    }
    let after = rest.get(open.len()..).unwrap_or("");
    if !is_last && matches!(after, "" | "\\") {
        return Some(Step::Wait);
    }
    let gap = ["\n", "\\n"]
        .into_iter()
        .find(|gap| after.starts_with(gap))
        .unwrap_or("");
    let length = open.len().saturating_add(gap.len());
    if marks.encoded {
        match decoded(marks, rest.get(length..).unwrap_or(""), is_last) {
            Some(Step::Put(inner, text)) => {
                let text = if context.is_json { written(&text) } else { text };
                context.before = text.chars().next_back();
                return Some(Step::Put(length.saturating_add(inner), text));
            }
            Some(step) => return Some(step),
            None => {}
        }
    }
    context.before = None;
    Some(Step::Put(length, String::new()))
}

/// What stands in base64 up to the last mark: its length with that mark, and the text.
fn decoded(marks: &Marks, rest: &str, is_last: bool) -> Option<Step> {
    let is_body = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let length = rest.bytes().take_while(is_body).count();
    let waits = !is_last && length <= MAX_ENCODED;
    let (body, after) = rest.split_at_checked(length)?;
    let close = marks.close.trim_start();
    for gap in ["\n", "\\n", ""] {
        let end = format!("{gap}{close}");
        match stands(after, &end, !waits) {
            Some(Step::Wait) => return Some(Step::Wait),
            Some(_) => {
                let text = String::from_utf8(STANDARD.decode(body).ok()?).ok()?;
                return Some(Step::Put(length.saturating_add(end.len()), text));
            }
            None => {}
        }
    }
    None
}

/// A line break (of `length` bytes as it is written), if the last mark of a text stands behind it.
fn line(all: &[Marks], rest: &str, length: usize, context: &mut Context, is_last: bool) -> Step {
    let mut waits = false;
    for marks in all {
        let close = marks.close.trim_start();
        match stands(rest.get(length..).unwrap_or(""), close, is_last) {
            Some(Step::Wait) => waits = true,
            Some(_) => return Step::Put(length.saturating_add(close.len()), String::new()),
            None => {}
        }
    }
    if waits {
        return Step::Wait;
    }
    context.before = Some(if length == 1 || context.is_json { '\n' } else { 'n' });
    Step::Keep(length)
}

/// A backslash and what it escapes: two characters, so that the next one is not taken for the escape of a third.
fn backslash(all: &[Marks], rest: &str, context: &mut Context, is_last: bool) -> Step {
    let Some(escaped) = rest.chars().nth(1) else {
        if !is_last {
            return Step::Wait;
        }
        context.before = Some('\\');
        return Step::Keep(1);
    };
    if escaped == 'n' {
        return line(all, rest, 2, context, is_last);
    }
    if !context.is_json && (escaped == '<' || escaped == '\n' || !escaped.is_ascii()) {
        // In a text that is none, what stands behind it may be ours.
        context.before = Some('\\');
        return Step::Keep(1);
    }
    context.before = Some(match escaped {
        't' | 'r' if context.is_json => '\t',
        other => other,
    });
    Step::Keep(escaped.len_utf8().saturating_add(1))
}

/// A sign: what it stands for follows from what is beside it.
fn blank(rest: &str, sign: char, context: &mut Context, is_last: bool) -> Step {
    let length = sign.len_utf8();
    match context.before {
        Some('\n' | '\t' | '\r') => return Step::Put(length, String::new()),
        // No sign was put behind a space.
        Some(' ') => {
            context.before = Some(sign);
            return Step::Keep(length);
        }
        _ => {}
    }
    match rest.chars().nth(1) {
        None if !is_last => Step::Wait,
        Some(next) if next == sign => Step::Put(length.saturating_mul(2), String::new()),
        _ => {
            context.before = Some(' ');
            Step::Put(length, " ".to_owned())
        }
    }
}

/// A text as it is written inside of JSON.
fn written(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape_into(&mut out, text);
    out
}
