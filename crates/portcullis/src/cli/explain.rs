//! `portcullis explain`: why a request was refused or changed, from its audit record. It shows places, never texts:
//! the record holds none.

use portcullis_core::{AuditRecord, RequestId};

use super::out::{Out, printable, table};
use super::state::{block_on, configured, existing};
use super::{Failure, Outcome};
use crate::clock::utc;
use crate::config::Source;

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The request, as `x-portcullis-request-id` said
    request_id: String,
    /// The record as JSON
    #[arg(long)]
    json: bool,
}

/// Explains.
pub fn run(args: &Args, source: &Source) -> Result<Outcome, Failure> {
    let config = configured(source)?;
    let stored = block_on(async {
        let store = existing(&config).await?;
        Ok(store
            .audit_record(&RequestId::from_text(&args.request_id))
            .await?)
    })?;
    let Some(stored) = stored else {
        return Err(Failure::said(format!(
            "no request {} in {}",
            printable(&args.request_id),
            config.state
        )));
    };
    let mut out = Out::new();
    if args.json {
        out.line(&stored.json)?;
    } else {
        tell(&mut out, &stored.record, stored.seq)?;
    }
    out.end(Outcome::Done)
}

fn tell(out: &mut Out, record: &AuditRecord, seq: u64) -> Result<(), Failure> {
    let or_none = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), printable);
    out.line(format_args!("request    {}", record.request_id))?;
    out.line(format_args!(
        "when       {} UTC, {} ms",
        utc(record.unix_ms),
        record.micros / 1000
    ))?;
    let key = record.key.as_ref().map_or("-", |key| key.as_str());
    out.line(format_args!(
        "who        key {key}, team {}, profile {}",
        or_none(&record.team),
        or_none(&record.profile)
    ))?;
    let streamed = if record.streamed { ", streamed" } else { "" };
    out.line(format_args!(
        "what       {}, model {}{streamed}, upstream {}",
        printable(&record.endpoint),
        or_none(&record.model),
        or_none(&record.upstream)
    ))?;
    if let Some(prompt) = &record.prompt {
        out.line(format_args!("prompt     {}", printable(prompt)))?;
    }
    out.line(format_args!("decision   {}", record.decision.name()))?;
    for denied_by in &record.denied_by {
        out.line(format_args!("denied by  {}", printable(denied_by)))?;
    }
    let code = record
        .code
        .as_deref()
        .map_or(String::new(), |code| format!(" {code}"));
    out.line(format_args!(
        "answer     {}{code} ({})",
        record.status,
        outcome(record)
    ))?;
    out.line(format_args!(
        "inspected  {} texts, {} bytes; {} things that cannot be read",
        record.inspected,
        record.inspected_bytes,
        record.uninspectable.len()
    ))?;
    if let Some(sandboxed) = &record.sandboxed {
        out.line(format_args!(
            "sandboxed  {} texts ({})",
            sandboxed.texts,
            printable(&sandboxed.marking)
        ))?;
    }
    if let Some(usage) = &record.usage {
        let cost = record.cost.map_or(String::new(), |cost| format!(", {cost}"));
        out.line(format_args!(
            "used       {} + {} tokens{cost}",
            usage.input, usage.output
        ))?;
    }
    out.line(format_args!("record     {seq} of the audit log"))?;
    findings(out, record)
}

fn findings(out: &mut Out, record: &AuditRecord) -> Result<(), Failure> {
    if record.findings.is_empty() {
        out.line("findings   none")?;
    } else {
        let mut rows = table(&["FOUND", "WHERE", "BYTES", "WAY", "SCORE", "DONE", "BECAUSE OF"]);
        for finding in &record.findings {
            rows.add_row([
                finding.kind.clone(),
                printable(&finding.path),
                format!("{}..{}", finding.span.start, finding.span.end),
                word(finding.direction),
                format!("{:.2}", finding.score),
                match finding.late {
                    true => format!("{}, late", word(finding.action)),
                    false => word(finding.action),
                },
                finding.rule.clone(),
            ]);
        }
        out.line("")?;
        out.table(&rows)?;
    }
    let shown = u64::try_from(record.findings.len()).unwrap_or(u64::MAX);
    if record.findings_total > shown {
        out.line(format_args!("and {} more", record.findings_total - shown))?;
    }
    for content in &record.uninspectable {
        let path = printable(&content.path);
        out.line(format_args!(
            "not read: {} at {path}, {} bytes",
            content.kind.name(),
            content.bytes
        ))?;
    }
    Ok(())
}

fn outcome(record: &AuditRecord) -> String {
    word(record.outcome).replace('_', " ")
}

/// The name of a value as records and settings spell it.
fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
