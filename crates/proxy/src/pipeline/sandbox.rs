//! Texts from outside are marked before the model reads them, and it is told what the marks mean. A soft layer: it decides nothing and
//! refuses nothing.
//!
//! What is marked is what was inspected and masked. What somebody besides the model takes for what it is stays as it is (names, ids,
//! texts that are cited by place), and so do the words of the model itself.

use std::borrow::Cow;

use portcullis_core::{Channel, Integrity, Part, PartId};
use portcullis_core::{Sandboxed as Recorded, Span};
use portcullis_dialect::{Edit, Prose, Reading};
use portcullis_policy::{Marking, Mode};

use super::parse::Asked;
use crate::Refusal;
use crate::enforce::{self, Replacement};
use crate::marks::{Marked, Marks};
use crate::record::marker;

/// A word of structured data up to so many bytes is not marked: an id, a date, a name. What asks for something has blanks.
const WORD: usize = 48;

/// What is put into a request.
#[derive(Default)]
pub(super) struct Sandboxed {
    /// The edits of its texts: their marks, and what is masked in them and in all others.
    pub edits: Vec<Edit>,
    /// What the marks mean, for the place before the instructions.
    pub explanation: Option<String>,
    pub marks: Option<Marks>,
    pub recorded: Option<Recorded>,
}

/// Marks what comes from outside. `replaced` is what is masked and redacted, in order of the parts; `goes_on` says that the request
/// continues a conversation which the provider stores with marks in it.
pub(super) fn sandbox(
    asked: &Asked,
    reading: &Reading,
    replaced: &[(PartId, Vec<Replacement>)],
    goes_on: bool,
) -> Result<Sandboxed, Refusal> {
    let profile = &asked.guard.profile;
    let marking = match profile.mode {
        Mode::Enforce => profile.sandbox.untrusted,
        Mode::Observe => Marking::Off,
    };
    let mut sandboxed = Sandboxed::default();
    let wanted = marking != Marking::Off;
    let parts: Vec<Part<'_>> = match wanted {
        true => reading.parts().filter(|part| is_marked(reading, part)).collect(),
        false => Vec::new(),
    };
    let kept = replaced
        .iter()
        .filter(|(id, _)| parts.binary_search_by_key(id, |part| part.id).is_err());
    sandboxed.edits = kept
        .flat_map(|(id, all)| enforce::written(reading, *id, all))
        .collect();
    if parts.is_empty() && !(wanted && goes_on) {
        return Ok(sandboxed);
    }
    let word = marker().ok_or(Refusal::Unavailable("no random numbers"))?;
    let texts: Vec<&str> = reading.parts().map(|part| part.text).collect();
    let mut marks = Marks::new(marking, &word, &texts);
    match asked.exchange.instruct(reading.document(), "") {
        Some(_) => sandboxed.explanation = Some(marks.explanation()),
        None => marks = marks.by_itself(),
    }
    for part in &parts {
        let place = replaced.binary_search_by_key(&part.id, |(id, _)| *id);
        let masked = place
            .ok()
            .and_then(|at| replaced.get(at))
            .map(|(_, all)| &all[..]);
        mark(reading, part, masked.unwrap_or(&[]), &marks, &mut sandboxed.edits);
    }
    sandboxed.recorded = (!parts.is_empty()).then(|| Recorded {
        marking: marking.name().to_owned(),
        texts: u64::try_from(parts.len()).unwrap_or(u64::MAX),
    });
    sandboxed.marks = Some(marks);
    Ok(sandboxed)
}

/// Whether a text comes from outside, and may be marked.
fn is_marked(reading: &Reading, part: &Part<'_>) -> bool {
    let spoken = matches!(
        part.channel,
        Channel::System | Channel::Developer | Channel::User | Channel::ToolResult | Channel::Document
    );
    if !spoken || part.origin.integrity() != Integrity::Untrusted || part.text.trim().is_empty() {
        return false;
    }
    match reading.prose(part.id) {
        Prose::Fixed => false,
        Prose::Free => true,
        Prose::Leaf => !is_word(part.text),
    }
}

fn is_word(text: &str) -> bool {
    text.len() <= WORD && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<')
}

/// The edits of one text: what is masked in it, and its marks.
fn mark(reading: &Reading, part: &Part<'_>, masked: &[Replacement], marks: &Marks, edits: &mut Vec<Edit>) {
    let text = enforce::with(part.text, masked);
    let leaf = reading.prose(part.id) == Prose::Leaf;
    let end = part.text.len();
    let mut put = |span, text: &str| edits.push(reading.edit(part.id, span, text));
    match (marks.mark(&text, leaf), &text) {
        // What is not changed goes on byte for byte.
        (Marked::Around(before, behind), Cow::Borrowed(_)) => {
            put(Span::new(0, 0), before);
            put(Span::new(end, end), behind);
        }
        (Marked::Around(before, behind), Cow::Owned(text)) => {
            put(Span::new(0, end), &format!("{before}{text}{behind}"));
        }
        (Marked::Whole(whole), _) => put(Span::new(0, end), &whole),
    }
}
