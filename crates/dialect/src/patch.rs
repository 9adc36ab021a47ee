//! Safe patching: replaces ranges of the original bytes and leaves every other byte as it came.

use std::ops::Range;

use bytes::Bytes;

/// One replacement. `text` is already in wire form (escaped).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Bytes of the original to replace.
    pub range: Range<usize>,
    /// What takes their place.
    pub text: String,
}

/// Applies edits to a body. Without edits the same bytes come back, uncopied.
///
/// Edits may come in any order. One that begins inside an earlier one is dropped: what it would have changed is gone already
/// (a value inside a member that is taken out).
#[must_use]
pub fn apply(bytes: &Bytes, mut edits: Vec<Edit>) -> Bytes {
    if edits.is_empty() {
        return bytes.clone();
    }
    // What is put in at a place stands before what is changed from there on.
    edits.sort_by_key(|edit| {
        (
            edit.range.start,
            !edit.range.is_empty(),
            std::cmp::Reverse(edit.range.end),
        )
    });
    let grown: usize = edits.iter().map(|edit| edit.text.len()).sum();
    let mut out = Vec::with_capacity(bytes.len().saturating_add(grown));
    let mut at = 0usize;
    for edit in edits {
        if edit.range.start < at {
            continue;
        }
        out.extend_from_slice(bytes.get(at..edit.range.start).unwrap_or(&[]));
        out.extend_from_slice(edit.text.as_bytes());
        at = edit.range.end;
    }
    out.extend_from_slice(bytes.get(at..).unwrap_or(&[]));
    Bytes::from(out)
}
