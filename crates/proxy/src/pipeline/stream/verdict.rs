//! What is decided about the texts of a stream: of what a window found, and of a text that was held to its end.

use bytes::Bytes;
use portcullis_core::{Action, Channel, Direction, Finding, Located, PartId, Uninspectable};
use portcullis_dialect::{Document, Reading, Sort, apply, quoted};
use portcullis_policy::{Facts, Verdict, decide};

use super::super::deliver::restore;
use super::super::inspect_input::read_output;
use super::super::leak::Listening;
use super::engine::Stop;
use super::lane::LaneState;
use crate::Gateway;
use crate::enforce;
use crate::gateway::Guard;
use crate::masks::Masks;
use crate::record::Record;

/// Rules on what a window found in a lane: what changes the text.
pub(super) fn judge_lane(
    guard: &Guard,
    lane: &LaneState,
    found: Vec<Finding>,
    record: &mut Record,
    path: impl Fn() -> String,
) -> Result<Vec<(Finding, Action)>, Stop> {
    let locate = |finding| Located {
        part: PartId(0),
        channel: lane.channel,
        origin: lane.origin,
        finding,
        piece: 0,
    };
    let located: Vec<Located> = found.into_iter().map(locate).collect();
    let verdict = judge(guard, &located, &[]);
    record.audit.decision = record.audit.decision.max(verdict.decision);
    for (located, ruling) in located.iter().zip(&verdict.rulings) {
        record.found(Direction::Output, located, ruling.action, &ruling.rule, &path);
    }
    if verdict.refusal.is_some() {
        return Err(Stop::Content);
    }
    let ruled = located
        .into_iter()
        .zip(verdict.rulings)
        .map(|(located, ruling)| (located.finding, ruling.action));
    Ok(ruled.filter(|(_, action)| action.changes_text()).collect())
}

/// Judges the whole text of a lane that is held to its end. Arguments of a tool call are read as JSON, string by string, or as text
/// where they are not JSON.
pub(super) fn judge_at_end(
    gateway: &Gateway,
    guard: &Guard,
    masks: &Masks,
    listening: Option<&Listening>,
    (channel, text): (Channel, &str),
    record: &mut Record,
) -> Result<Option<String>, Stop> {
    if text.is_empty() {
        return Ok(None);
    }
    let structured = (channel == Channel::ToolCall)
        .then(|| Document::read(Bytes::copy_from_slice(text.as_bytes())).ok())
        .flatten()
        .filter(|document| matches!(document.sort(document.root()), Sort::Object | Sort::Array));
    let (document, is_text) = match structured {
        Some(document) => (document, false),
        None => (
            Document::read(Bytes::from(quoted(text))).map_err(|_| Stop::Unreadable)?,
            true,
        ),
    };
    let reading = Reading::whole(document, channel);
    let mut findings = read_output(gateway, guard, &reading, record);
    masks.spare(&reading, &mut findings);
    findings.extend(
        listening
            .into_iter()
            .flat_map(|listening| listening.whole(&reading, |_| true)),
    );
    let verdict = judge(guard, &findings, &[]);
    record.judged(Direction::Output, &reading, &findings, &verdict);
    if verdict.refusal.is_some() {
        return Err(Stop::Content);
    }
    let mut edits = enforce::edits(&reading, &findings, &verdict.rulings, None);
    edits.extend(restore(&reading, &findings, masks, |_| true));
    if edits.is_empty() {
        return Ok(None);
    }
    let bytes = apply(reading.document().bytes(), edits);
    if !is_text {
        return Ok(String::from_utf8(bytes.to_vec()).ok());
    }
    let document = Document::read(bytes).map_err(|_| Stop::Unreadable)?;
    Ok(Some(document.text(document.root()).to_owned()))
}

pub(super) fn judge(guard: &Guard, findings: &[Located], uninspectable: &[Uninspectable]) -> Verdict {
    decide(
        &guard.profile,
        &Facts {
            direction: Direction::Output,
            principal_models: &[],
            model: None,
            system_prompt_from_client: false,
            findings,
            uninspectable,
        },
    )
}
