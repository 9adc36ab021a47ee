//! `POST /v1/guard`: the same rooms as any request, and in the place of a model the decision itself as the reply.

use bytes::Bytes;
use http::StatusCode;
use portcullis_core::{Direction, Located, Outcome};
use portcullis_dialect::{Guard as Endpoint, Reading, apply, quoted};
use portcullis_policy::{Facts, Verdict, decide};
use serde_json::{Value, json};

use super::deliver::{Reply, json as answer};
use super::inspect_input::{read_output, scan_input};
use super::permit::permit_endpoint;
use super::{Received, admit, authenticate, label, parse};
use crate::record::Record;
use crate::{Gateway, Refusal, enforce};

/// Decides about texts without forwarding them.
pub(crate) async fn guard(gw: &Gateway, request: Received, record: &mut Record) -> Result<Reply, Refusal> {
    let request = authenticate::authenticate(gw, request, record).await?;
    let request = admit::admit(gw, request, record).await?;
    let request = parse::parse(gw, request, record).await?;
    let request = label::label(request, record)?;
    let (asked, reading) = request.into_parts();
    permit_endpoint(gw, &asked, reading.document(), record)?;
    let direction = Endpoint::direction(reading.document())?;
    let findings = match direction {
        Direction::Input => {
            let scanned = scan_input(gw, &asked.guard, &reading, record);
            scanned.classified(gw, &asked.guard, &reading).await
        }
        Direction::Output => read_output(gw, &asked.guard, &reading, record),
    };
    let facts = Facts {
        direction,
        principal_models: &asked.standing.models(),
        model: None,
        system_prompt_from_client: false,
        findings: &findings,
        uninspectable: reading.uninspectable(),
    };
    let verdict = decide(&asked.guard.profile, &facts);
    record.judged(direction, &reading, &findings, &verdict);
    record.end(Outcome::Completed, 200);
    let body = decision(record.audit.request_id.as_str(), &reading, &findings, &verdict);
    Ok(answer(StatusCode::OK, Bytes::from(body)))
}

fn decision(request_id: &str, reading: &Reading, findings: &[Located], verdict: &Verdict) -> String {
    let found: Vec<Value> = findings
        .iter()
        .zip(&verdict.rulings)
        .map(|(located, ruling)| {
            let text = reading.text(located.part);
            let points = |byte: usize| text.get(..byte).map_or(0, |before| before.chars().count());
            let finding = &located.finding;
            json!({
                "type": finding.kind, "family": finding.family, "severity": finding.severity, "score": finding.score,
                "action": ruling.action, "channel": located.channel, "path": reading.path(located.part),
                "start": points(finding.span.start), "end": points(finding.span.end),
            })
        })
        .collect();
    let mut edits = enforce::edits(reading, findings, &verdict.rulings, None);
    edits.extend(reading.strip_extensions());
    let patched = apply(reading.document().bytes(), edits);
    // The part of the caller's own body that holds texts, as it may go on; nothing where it may not.
    let redacted = portcullis_dialect::Document::read(patched)
        .ok()
        .filter(|_| verdict.refusal.is_none())
        .and_then(|body| {
            let node = body.at(&["messages"]).or_else(|| body.at(&["text"]))?;
            body.bytes()
                .get(body.range(node))
                .map(|wire| String::from_utf8_lossy(wire).into_owned())
        })
        .unwrap_or_else(|| "null".to_owned());
    let word = match verdict.decision {
        portcullis_core::Decision::Observe => "allow",
        other => other.name(),
    };
    format!(
        r#"{{"decision":{},"request_id":{},"findings":{},"redacted":{redacted}}}"#,
        quoted(word),
        quoted(request_id),
        Value::from(found),
    )
}
