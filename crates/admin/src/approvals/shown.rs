//! The arguments of a call on a page: every value with its path, and beside it what speaks against it.

use std::fmt::Write as _;

use portcullis_store::{Approval, ApprovalReason};
use serde_json::Value;

use crate::visible::{Leaf, Visible, collect};

/// More values than this are not set out one by one; the arguments as they were written have them all.
const MOST_VALUES: usize = 200;

/// Writes the arguments and all reasons; how many values are not from the user.
pub(super) fn arguments(body: &mut String, approval: &Approval) -> usize {
    let written = String::from_utf8_lossy(approval.arguments.as_deref().unwrap_or_default());
    let mut leaves = Vec::new();
    match serde_json::from_str::<Value>(&written) {
        Ok(value) => collect("", "", &value, &mut leaves),
        Err(_) => leaves.push(Leaf {
            path: "(not JSON)".to_owned(),
            general: String::new(),
            text: written.clone().into_owned(),
        }),
    }
    let (set_out, left_out) = leaves.split_at(leaves.len().min(MOST_VALUES));
    let is_shown = |reason: &ApprovalReason| set_out.iter().any(|leaf| leaf.is_meant(reason));
    // What can be put beside no value stands first: no reason may be lost.
    for reason in approval.reasons.iter().filter(|reason| !is_shown(reason)) {
        let _ = write!(body, "<p class=\"why\">{}", flag(reason));
        if !reason.path.is_empty() {
            let _ = write!(
                body,
                "<code>{}</code> <code class=\"value\">{}</code> ",
                Visible(&reason.path),
                Visible(&reason.value)
            );
        }
        let _ = write!(
            body,
            "{} <code class=\"quiet\">{}</code></p>",
            Visible(&reason.why),
            Visible(&reason.rule)
        );
    }
    body.push_str("<table><tr><th>Argument<th>Value<th>Where it came from</tr>");
    for leaf in set_out {
        let _ = write!(
            body,
            "<tr><td><code>{}</code><td><bdi><code class=\"value\">{}</code></bdi><td>",
            Visible(&leaf.path),
            Visible(&leaf.text)
        );
        let mut meant = approval
            .reasons
            .iter()
            .filter(|reason| leaf.is_meant(reason))
            .peekable();
        if meant.peek().is_none() {
            body.push_str("<span class=\"quiet\">no rule objects</span>");
        }
        for reason in meant {
            let _ = write!(
                body,
                "<div class=\"why\">{}{} <code class=\"quiet\">{}</code></div>",
                flag(reason),
                Visible(&reason.why),
                Visible(&reason.rule)
            );
        }
        body.push_str("</tr>");
    }
    body.push_str("</table>");
    if !left_out.is_empty() {
        let _ = write!(
            body,
            "<p class=\"alarm\">{} more values are not set out here: read them as they were written.</p>",
            left_out.len()
        );
    }
    let _ = write!(
        body,
        "<details><summary>As the model wrote them, {} bytes</summary><pre><bdi>{}</bdi></pre></details>",
        written.len(),
        Visible(&written)
    );
    let mut foreign: Vec<(&str, &str)> = approval
        .reasons
        .iter()
        .filter(|reason| is_foreign(reason))
        .map(|reason| (reason.path.as_str(), reason.value.as_str()))
        .collect();
    foreign.sort_unstable();
    foreign.dedup();
    foreign.len()
}

/// Rules of `flow` speak of values of which the user did not say that they are wanted.
fn is_foreign(reason: &ApprovalReason) -> bool {
    reason.rule.starts_with("flow.") && !reason.path.is_empty()
}

fn flag(reason: &ApprovalReason) -> &'static str {
    match is_foreign(reason) {
        true => "<strong class=\"alarm\">not from the user</strong> ",
        false => "",
    }
}

impl Leaf {
    /// Whether a reason is about this value. Reasons may have a part of it alone.
    fn is_meant(&self, reason: &ApprovalReason) -> bool {
        !reason.path.is_empty()
            && reason.path == self.general
            && self.text.contains(reason.value.trim_end_matches('…'))
    }
}
