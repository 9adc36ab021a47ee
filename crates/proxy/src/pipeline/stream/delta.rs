//! What is sent of one delta: what lies between what was sent before and what is final, with what is to be replaced in it replaced, and
//! before it what was left of the delta before.

use portcullis_core::Span;
use portcullis_dialect::{Edit, Reading};

use super::lane::{Judge, LaneState};
use super::queue::{Held, Piece};

/// The edits of one delta.
pub(super) fn piece_edits(
    held: &Held,
    reading: &Reading,
    piece: &Piece,
    lane: &mut LaneState,
    upto: Option<usize>,
) -> Vec<Edit> {
    if let Judge::AtEnd = lane.judge {
        // The first delta of a rewritten lane carries all of it; the others are emptied.
        return match &mut lane.rewritten {
            Some(text) => vec![reading.edit(piece.part, Span::new(0, piece.len), &std::mem::take(text))],
            None => Vec::new(),
        };
    }
    let begin = held.begins(piece);
    let end = match upto {
        Some(bytes) => begin.saturating_add(bytes),
        None => piece.start.saturating_add(piece.len),
    };
    let now = Span::new(begin.saturating_add(held.sent), end);
    if !held.carried.is_empty() {
        let delta = reading.text(piece.part).get(..piece.len).unwrap_or("");
        let text = changed(&[&held.carried, delta].concat(), begin, now, lane);
        return vec![reading.edit(piece.part, Span::new(0, piece.len), &text)];
    }
    let local = |at: usize| at.clamp(now.start, now.end).saturating_sub(piece.start);
    let mut edits = Vec::new();
    if held.sent > 0 {
        edits.push(reading.edit(piece.part, Span::new(0, held.sent), ""));
    }
    for (span, text) in replaced(lane, now) {
        edits.push(reading.edit(piece.part, Span::new(local(span.start), local(span.end)), text));
    }
    if local(end) < piece.len {
        edits.push(reading.edit(piece.part, Span::new(local(end), piece.len), ""));
    }
    edits
}

/// What takes the place of what in a stretch of a lane. A match over several deltas is named in the first of them.
fn replaced(lane: &LaneState, now: Span) -> impl Iterator<Item = (Span, &str)> {
    let all = lane.replacements.iter();
    all.filter(move |replacement| replacement.span.overlaps(now))
        .map(move |replacement| match replacement.span.start >= now.start {
            true => (replacement.span, replacement.text.as_str()),
            false => (replacement.span, ""),
        })
}

/// A stretch of a text that begins at `begin` in its lane, with what is to be replaced in it replaced.
fn changed(text: &str, begin: usize, now: Span, lane: &LaneState) -> String {
    let cut = |from: usize, to: usize| {
        let range = from.saturating_sub(begin)..to.saturating_sub(begin);
        text.get(range).unwrap_or("")
    };
    let (mut out, mut at) = (String::new(), now.start);
    for (span, replacement) in replaced(lane, now) {
        out.push_str(cut(at, span.start.max(at)));
        out.push_str(replacement);
        at = span.end.clamp(at, now.end);
    }
    out.push_str(cut(at, now.end));
    out
}
