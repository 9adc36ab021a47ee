//! Texts as JSON lines in (`{"id","text","channel"}`), findings out, with nothing between the rules and the reader: what
//! every rule says, no profile applied. `portcullis scan --jsonl` is the same under a profile.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool for those who write rules"
)]

use std::io::{BufRead, Write};

use portcullis_core::Channel;
use portcullis_inspect::Inspector;
use serde_json::{Value, json};

fn main() {
    let inspector = Inspector::built_in().unwrap();
    let all = inspector.select(|_| true);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let row: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = row.get("text").and_then(Value::as_str).unwrap_or_default();
        let channel = row
            .get("channel")
            .and_then(Value::as_str)
            .and_then(Channel::from_name)
            .unwrap_or(Channel::User);
        let mut found = Vec::new();
        inspector.scan(text, channel, &all, &mut found);
        let points = |byte: usize| text.get(..byte).unwrap().chars().count();
        let findings: Vec<Value> = found
            .iter()
            .map(|f| {
                json!({"type": f.kind.as_str(), "start": points(f.span.start), "end": points(f.span.end), "score": f.score})
            })
            .collect();
        writeln!(out, "{}", json!({"id": row.get("id"), "findings": findings})).unwrap();
    }
}
