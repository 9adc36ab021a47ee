//! `portcullis detectors`: what is looked for, as the rules tell of themselves.

use portcullis_inspect::Inspector;

use super::out::{Out, table};
use super::{Failure, Outcome};

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON value a line
    #[arg(long)]
    json: bool,
}

/// Lists.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let inspector = Inspector::built_in()?;
    let mut out = Out::new();
    if args.json {
        for rule in inspector.rules() {
            let channels: Vec<&str> = rule.channels().iter().map(|channel| channel.name()).collect();
            out.json(&serde_json::json!({
                "type": rule.id().as_str(), "family": rule.family(), "severity": rule.severity(),
                "score": rule.score(), "about": rule.about(), "channels": channels,
            }))?;
        }
        return out.end(Outcome::Done);
    }
    let mut rows = table(&["TYPE", "FAMILY", "SEVERITY", "FINDS"]);
    for rule in inspector.rules() {
        let severity = format!("{:?}", rule.severity()).to_lowercase();
        rows.add_row([rule.id().as_str(), rule.family().name(), &severity, rule.about()]);
    }
    out.table(&rows)?;
    out.end(Outcome::Done)
}
