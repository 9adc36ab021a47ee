//! What streams find only under disguises, and what they find only when a text has ended: over harmless texts, one JSON string
//! `text` a line, both are false alarms or real values in disguise. It also says how fast the last reading is.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a tool for those who write rules"
)]

use portcullis_core::{Channel, Family, Finding};
use portcullis_inspect::Inspector;

fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn main() {
    let inspector = Inspector::built_in().unwrap();
    let selection = inspector.select(|rule| matches!(rule.family(), Family::Secret | Family::Pii));
    let channel = Channel::Assistant;
    let (mut texts, mut bytes, mut early, mut late, mut seconds) = (0, 0, 0, 0, 0.0);
    for path in std::env::args().skip(1) {
        for line in std::fs::read_to_string(path).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let Some(text) = row["text"].as_str().filter(|_| row["label"] == "benign") else {
                continue;
            };
            let (mut plain, mut streamed, mut shown) = (Vec::new(), Vec::new(), Vec::new());
            inspector.scan_plain(text, channel, &selection, &mut plain);
            if inspector
                .scan_streamed(text, channel, &selection, &mut streamed)
                .is_err()
            {
                println!("outgrown: {}", row["id"]);
            }
            let start = cpu();
            inspector.scan_disguised(text, channel, &selection, &mut shown);
            seconds += cpu() - start;
            let new = |found: &[Finding], known: &[Finding]| {
                let is_known =
                    |finding: &&Finding| known.iter().any(|other| other.span.overlaps(finding.span));
                let new = found.iter().find(|finding| !is_known(finding));
                new.map(|finding| {
                    (
                        finding.kind.clone(),
                        text.get(finding.span.start..finding.span.end),
                    )
                })
            };
            texts += 1;
            bytes += text.len();
            if let Some(found) = new(&streamed, &plain) {
                early += 1;
                println!("early: {} {found:?}", row["id"]);
            }
            if let Some(found) = new(&shown, &streamed) {
                late += 1;
                println!("late: {} {found:?}", row["id"]);
            }
        }
    }
    println!(
        "{texts} texts, {bytes} bytes: {early} with a finding under disguised characters, {late} with a late one; {:.1} ns a byte",
        seconds * 1e9 / bytes as f64
    );
}
