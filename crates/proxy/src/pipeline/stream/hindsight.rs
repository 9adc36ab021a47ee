//! A streamed text, read once more when it has ended: with all views, also those that need more of a text than a stream holds back.
//! What only they see went to the client, in part or whole; it is told that it came late. It releases nothing and holds nothing.

use portcullis_core::{Channel, Direction, Finding, Kind, Span};
use portcullis_inspect::{Inspector, Selection};

use super::engine::Stop;
use super::lane::LaneState;
use super::verdict::judge_lane;
use crate::Gateway;
use crate::gateway::Guard;
use crate::masks::{Masks, lies_in};
use crate::record::Record;

/// So many bytes of a lane are kept at once; a longer text is read in pieces that overlap.
const KEPT: usize = 64 << 10;
/// How much of a piece is read again with the next one.
const OVERLAP: usize = 4 << 10;

/// Rules on what only all that a lane said shows: what is not gone yet is changed, what is gone is recorded as late. Where it is
/// to be blocked, the stream ends here.
pub(super) fn look_back(
    gateway: &Gateway,
    guard: &Guard,
    masks: &Masks,
    lane: &mut LaneState,
    record: &mut Record,
    path: impl Fn() -> String,
) -> Result<(), Stop> {
    let selection = guard.selection(Direction::Output, lane.channel, lane.origin);
    let (held, gone) = lane.look_back(&gateway.inspector, selection, masks);
    let before = record.audit.findings.len();
    let late = judge_lane(guard, lane, gone, record, &path);
    for finding in record.audit.findings.iter_mut().skip(before) {
        finding.late = true;
    }
    late?;
    let changes = judge_lane(guard, lane, held, record, &path)?;
    lane.change(changes);
    Ok(())
}

/// What a lane said, and what is known of it.
#[derive(Default)]
pub(super) struct Hindsight {
    text: String,
    /// Lane offset of the first byte of `text`.
    from: usize,
    known: Vec<(Kind, Span)>,
}

impl Hindsight {
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Notes what the window found.
    pub fn note(&mut self, found: &[Finding]) {
        let known = found.iter().map(|finding| (finding.kind.clone(), finding.span));
        self.known.extend(known);
    }

    /// Whether a piece is complete.
    pub fn is_full(&self) -> bool {
        self.text.len() >= KEPT
    }

    /// What views find in what is kept that was not found before. What was read is not kept, but for the overlap.
    fn look(&mut self, inspector: &Inspector, lane: (Channel, &Selection), masks: &Masks) -> Vec<Finding> {
        let (channel, selection) = lane;
        let mut seen = Vec::new();
        inspector.scan_disguised(&self.text, channel, selection, &mut seen);
        let placeholders = match masks.is_empty() || seen.is_empty() {
            true => Vec::new(),
            false => masks.restorations(&self.text),
        };
        let mut late = Vec::new();
        for mut finding in seen {
            let span = Span::new(
                self.from.saturating_add(finding.span.start),
                self.from.saturating_add(finding.span.end),
            );
            let is_known = |(kind, known): &(Kind, Span)| *kind == finding.kind && known.overlaps(span);
            let text = self.text.get(finding.span.start..finding.span.end);
            let is_spared =
                lies_in(finding.span, &placeholders) || text.is_some_and(|text| masks.is_own(&finding, text));
            if !is_spared && !self.known.iter().any(is_known) {
                finding.span = span;
                self.known.push((finding.kind.clone(), span));
                late.push(finding);
            }
        }
        let least = self.text.len().saturating_sub(OVERLAP);
        let cut = (least..=self.text.len()).find(|at| self.text.is_char_boundary(*at));
        if let Some(cut) = cut {
            self.text.drain(..cut);
            self.from = self.from.saturating_add(cut);
        }
        let from = self.from;
        self.known.retain(|(_, span)| span.end > from);
        late
    }
}

impl LaneState {
    /// What only the views of all that the lane said show: what is not gone yet, and what is.
    pub fn look_back(
        &mut self,
        inspector: &Inspector,
        selection: &Selection,
        masks: &Masks,
    ) -> (Vec<Finding>, Vec<Finding>) {
        let Some(mut hindsight) = self.hindsight.take() else {
            return Default::default();
        };
        let seen = hindsight.look(inspector, (self.channel, selection), masks);
        if !self.closed {
            self.hindsight = Some(hindsight);
        }
        let gone = self.final_to;
        seen.into_iter().partition(|finding| finding.span.start >= gone)
    }
}
