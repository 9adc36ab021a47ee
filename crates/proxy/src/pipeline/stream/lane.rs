//! One lane of a stream: a text that arrives in deltas, how far it is final, and what is to be replaced in it.

use portcullis_core::{Action, Channel, Finding, Lane, Origin, Span};
use portcullis_inspect::Window;

use super::hindsight::Hindsight;
use crate::enforce::{Change, Replacement, merge};
use crate::masks::{Masks, lies_in};

/// Where a lane's text is judged.
pub(super) enum Judge {
    /// By no rule.
    Nobody,
    /// By the window, as it comes.
    Window(Box<Window>),
    /// Whole, when it is complete (tool call arguments, answers that must fit a schema).
    AtEnd,
}

pub(super) struct LaneState {
    pub id: Lane,
    pub channel: Channel,
    pub origin: Origin,
    pub judge: Judge,
    /// What is read once more at the end, where a window judges.
    pub hindsight: Option<Hindsight>,
    /// Text kept: all of it where it is judged at the end, the tail that could still be a placeholder otherwise.
    pub text: String,
    /// Lane offset of the first byte of `text`.
    pub text_from: usize,
    /// Bytes of the lane so far.
    pub len: usize,
    /// Lane offset up to which the detectors have decided.
    pub judged_to: usize,
    /// Lane offset up to which everything is decided: nothing before it will ever change.
    pub final_to: usize,
    /// Findings that change the text, until it has been sent.
    changes: Vec<(Finding, Action)>,
    /// Values that are put back, until they have been sent.
    restored: Vec<Replacement>,
    /// What to replace, in order, none overlapping: what the two come to.
    pub replacements: Vec<Replacement>,
    /// The whole new text, where the lane was judged at its end and changed.
    pub rewritten: Option<String>,
    pub closed: bool,
}

impl LaneState {
    pub fn new(id: Lane, channel: Channel, origin: Origin, judge: Judge) -> LaneState {
        LaneState {
            id,
            channel,
            origin,
            hindsight: matches!(judge, Judge::Window(_)).then(Hindsight::default),
            judge,
            text: String::new(),
            text_from: 0,
            len: 0,
            judged_to: 0,
            final_to: 0,
            changes: Vec::new(),
            restored: Vec::new(),
            replacements: Vec::new(),
            rewritten: None,
            closed: false,
        }
    }

    /// Of what was found, what is neither inside of a placeholder, which are the gateway's own words, nor the client's own.
    pub fn spare(&self, masks: &Masks, mut found: Vec<Finding>) -> Vec<Finding> {
        if !masks.is_empty() && !found.is_empty() {
            let placeholders = self.placeholders(masks);
            found.retain(|finding| {
                let text = self.kept(finding.span).unwrap_or("");
                !lies_in(finding.span, &placeholders) && !masks.is_own(finding, text)
            });
        }
        found
    }

    /// A stretch of the text, if all of it is kept.
    fn kept(&self, span: Span) -> Option<&str> {
        let at = |place: usize| place.checked_sub(self.text_from);
        self.text.get(at(span.start)?..at(span.end)?)
    }

    /// Where placeholders stand in the text that is kept, and the values to put back.
    fn placeholders(&self, masks: &Masks) -> Vec<Replacement> {
        let moved = |at: usize| at.saturating_add(self.text_from);
        let all = masks.restorations(&self.text).into_iter();
        all.map(|found| Replacement {
            span: Span::new(moved(found.span.start), moved(found.span.end)),
            text: found.text,
        })
        .collect()
    }

    /// Adds findings that change the text. What overlaps is replaced as one, however far apart the findings came.
    pub fn change(&mut self, new: Vec<(Finding, Action)>) {
        if !new.is_empty() {
            self.changes.extend(new);
            self.arrange();
        }
    }

    /// Adds values that are put back.
    fn restore(&mut self, new: Vec<Replacement>) {
        let before = self.restored.len();
        for replacement in new {
            if !self
                .restored
                .iter()
                .any(|known| known.span.overlaps(replacement.span))
            {
                self.restored.push(replacement);
            }
        }
        if self.restored.len() > before {
            self.arrange();
        }
    }

    /// Works out the replacements. Where a finding covers a placeholder, the finding wins; where it is inside of one, it is
    /// about the gateway's own words.
    fn arrange(&mut self) {
        let restored = &self.restored;
        let meant = self
            .changes
            .iter()
            .filter(|(finding, _)| !lies_in(finding.span, restored));
        let changes = meant.map(|(finding, action)| Change {
            finding,
            action: *action,
            continued: false,
        });
        let mut all = merge(changes.collect(), "", None);
        let found = all.len();
        for restored in &self.restored {
            let covered = all
                .iter()
                .take(found)
                .any(|other| other.span.overlaps(restored.span));
            if !covered {
                all.push(restored.clone());
            }
        }
        all.sort_by_key(|replacement| replacement.span);
        self.replacements = all;
    }

    /// Looks for placeholders in what the detectors have decided, and moves the end of what is final.
    pub fn settle(&mut self, masks: &Masks) {
        if masks.is_empty() || matches!(self.judge, Judge::AtEnd) {
            self.final_to = self.judged_to;
            return;
        }
        let pending = match self.closed {
            true => self.text.len(),
            false => masks.pending(&self.text),
        };
        let limit = self.judged_to.min(self.text_from.saturating_add(pending));
        // A placeholder that may go on, or whose last bytes the detectors still hold, must not be cut in two.
        let all = self.placeholders(masks).into_iter();
        let (found, open): (Vec<Replacement>, Vec<Replacement>) =
            all.partition(|replacement| replacement.span.end <= limit);
        let cut = open.iter().map(|replacement| replacement.span.start).min();
        self.final_to = self.final_to.max(cut.map_or(limit, |start| limit.min(start)));
        self.restore(found);
        let keep = self.final_to.saturating_sub(self.text_from);
        if self.text.is_char_boundary(keep) {
            self.text.drain(..keep);
            self.text_from = self.final_to;
        }
    }

    /// Forgets what has been sent.
    pub fn forget(&mut self, sent_to: usize) {
        self.changes.retain(|(finding, _)| finding.span.end > sent_to);
        self.restored.retain(|replacement| replacement.span.end > sent_to);
        self.replacements
            .retain(|replacement| replacement.span.end > sent_to);
    }
}
