//! The one enforcer: rulings on findings become edits of the body. It decides nothing and looks for nothing.

use std::borrow::Cow;
use std::cmp::Reverse;

use portcullis_core::{Action, Finding, Located, PartId, Severity, Span};
use portcullis_dialect::{Edit, Reading};
use portcullis_policy::Ruling;

use crate::masks::Masks;

/// What takes the place of a stretch of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replacement {
    pub span: Span,
    pub text: String,
}

/// A finding with the action that was ruled, if that action changes text.
#[derive(Clone, Debug)]
pub(crate) struct Change<'a> {
    pub finding: &'a Finding,
    pub action: Action,
    /// A later piece of a match that is split over parts: the first piece carries the placeholder.
    pub continued: bool,
}

/// Merges overlapping changes of one text into replacements, in order. Where several findings overlap, their union is replaced
/// and named after the strictest, then the worst, then the longest of them. It is given back only if all of it would be.
pub(crate) fn merge(
    mut changes: Vec<Change<'_>>,
    text: &str,
    mut masks: Option<&mut Masks>,
) -> Vec<Replacement> {
    changes.sort_by_key(|change| (change.finding.span.start, change.finding.span.end));
    let mut groups: Vec<(Span, bool, Change<'_>)> = Vec::with_capacity(changes.len());
    for change in changes {
        let is_masked = change.action == Action::Mask;
        match groups.last_mut() {
            Some((span, all_masked, named)) if change.finding.span.start < span.end => {
                span.end = span.end.max(change.finding.span.end);
                *all_masked &= is_masked;
                let continued = named.continued && change.continued;
                if weight(&change) > weight(named) {
                    *named = change;
                }
                named.continued = continued;
            }
            _ => groups.push((change.finding.span, is_masked, change)),
        }
    }
    let replacement = |(span, all_masked, change): (Span, bool, Change<'_>)| {
        let kind = change.finding.kind.as_str();
        let text = match (&mut masks, change.action) {
            _ if change.continued => String::new(),
            (Some(masks), Action::Mask) if all_masked => masks
                .placeholder(kind, text.get(span.start..span.end).unwrap_or(""))
                .to_owned(),
            (_, Action::Strip) => left_by(kind).to_owned(),
            _ => format!("[{kind}]"),
        };
        Replacement { span, text }
    };
    groups.into_iter().map(replacement).collect()
}

/// What stripping a finding leaves in its place. The span of a link in markup is its target alone, so its words stay as they
/// are; an address that stands by itself has no words, and a reader should see that something stood there.
fn left_by(kind: &str) -> &'static str {
    match kind {
        "link.bare" => "[link]",
        _ => "",
    }
}

/// What decides which of overlapping findings names what replaces them. The name is in it so that nothing depends on the
/// order in which they were found.
fn weight<'a>(change: &Change<'a>) -> (Action, Severity, usize, Reverse<&'a str>) {
    (
        change.action,
        change.finding.severity,
        change.finding.span.len(),
        Reverse(change.finding.kind.as_str()),
    )
}

/// The edits that a verdict asks for.
pub(crate) fn edits(
    reading: &Reading,
    findings: &[Located],
    rulings: &[Ruling],
    masks: Option<&mut Masks>,
) -> Vec<Edit> {
    let replaced = replacements(reading, findings, rulings, masks);
    replaced
        .iter()
        .flat_map(|(part, all)| written(reading, *part, all))
        .collect()
}

/// The edits of one text.
pub(crate) fn written<'a>(
    reading: &'a Reading,
    part: PartId,
    replaced: &'a [Replacement],
) -> impl Iterator<Item = Edit> + 'a {
    replaced
        .iter()
        .map(move |replacement| reading.edit(part, replacement.span, &replacement.text))
}

/// A text with its replacements.
pub(crate) fn with<'a>(text: &'a str, replaced: &[Replacement]) -> Cow<'a, str> {
    if replaced.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for replacement in replaced {
        out.push_str(text.get(from..replacement.span.start).unwrap_or(""));
        out.push_str(&replacement.text);
        from = replacement.span.end;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    Cow::Owned(out)
}

/// What a verdict replaces, text by text, in order.
pub(crate) fn replacements(
    reading: &Reading,
    findings: &[Located],
    rulings: &[Ruling],
    mut masks: Option<&mut Masks>,
) -> Vec<(PartId, Vec<Replacement>)> {
    let mut changes: Vec<(PartId, Change<'_>)> = findings
        .iter()
        .zip(rulings)
        .filter(|(_, ruling)| ruling.action.changes_text())
        .map(|(located, ruling)| {
            let action = if located.piece > 0 || is_first_of_several(located, findings) {
                ruling.action.max(Action::Redact)
            } else {
                ruling.action
            };
            (
                located.part,
                Change {
                    finding: &located.finding,
                    action,
                    continued: located.piece > 0,
                },
            )
        })
        .collect();
    changes.sort_by_key(|(part, _)| *part);
    let mut replaced = Vec::new();
    for group in changes.chunk_by(|a, b| a.0 == b.0) {
        let Some((part, _)) = group.first() else { continue };
        let text = reading.text(*part);
        let merged = merge(
            group.iter().map(|(_, change)| change.clone()).collect(),
            text,
            masks.as_deref_mut(),
        );
        replaced.push((*part, merged));
    }
    replaced
}

/// Whether more pieces of the same match follow in the next parts: a value in pieces cannot be put back, so it is redacted.
fn is_first_of_several(located: &Located, findings: &[Located]) -> bool {
    findings.iter().any(|other| {
        other.piece == 1 && other.part > located.part && other.finding.kind == located.finding.kind
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Family, Kind};

    use super::*;

    fn finding(kind: &str, start: usize, end: usize) -> Finding {
        Finding {
            kind: Kind::new(kind),
            family: Family::Pii,
            span: Span::new(start, end),
            severity: Severity::Medium,
            score: 1.0,
            target: None,
        }
    }

    fn change(finding: &Finding, action: Action) -> Change<'_> {
        Change {
            finding,
            action,
            continued: false,
        }
    }

    #[test]
    fn overlapping_findings_become_one_replacement_named_after_the_strictest() {
        let (a, b, c) = (finding("A", 0, 5), finding("B", 3, 8), finding("C", 8, 9));
        let merged = merge(
            vec![
                change(&c, Action::Redact),
                change(&b, Action::Block),
                change(&a, Action::Redact),
            ],
            "0123456789",
            None,
        );
        assert_eq!(
            merged,
            [
                Replacement {
                    span: Span::new(0, 8),
                    text: "[B]".into()
                },
                Replacement {
                    span: Span::new(8, 9),
                    text: "[C]".into()
                }
            ]
        );
    }

    #[test]
    fn what_overlaps_is_masked_as_one_if_all_of_it_is() {
        let (a, b) = (finding("A", 0, 5), finding("B", 3, 8));
        let texts = |second: Action| {
            let mut masks = Masks::default();
            let changes = vec![change(&a, Action::Mask), change(&b, second)];
            let merged = merge(changes, "0123456789", Some(&mut masks));
            (merged.len(), merged.first().map(|one| one.span), masks.is_empty())
        };
        let whole = Some(Span::new(0, 8));
        assert_eq!(texts(Action::Mask), (1, whole, false));
        assert_eq!(texts(Action::Redact), (1, whole, true));
    }

    #[test]
    fn what_is_stripped_goes_and_an_address_by_itself_leaves_a_word() {
        let (target, bare, secret) = (
            finding("link.url", 6, 20),
            finding("link.bare", 30, 40),
            finding("SOME_KEY", 35, 45),
        );
        let merged = merge(
            vec![
                change(&secret, Action::Redact),
                change(&bare, Action::Strip),
                change(&target, Action::Strip),
            ],
            "",
            None,
        );
        let left: Vec<_> = merged.iter().map(|one| (one.span, one.text.as_str())).collect();
        assert_eq!(left, [(Span::new(6, 20), ""), (Span::new(30, 45), "[link]")]);
    }
}
