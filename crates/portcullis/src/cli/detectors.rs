//! `portcullis detectors`: what is looked for, as the rules and views tell of themselves.

use portcullis_core::Family;
use portcullis_inspect::views::VIEWS;
use serde_json::json;

use super::out::{Out, table};
use super::state::{configured, inspector};
use super::{Failure, Outcome};
use crate::catalogue::kinds;
use crate::config::Source;

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON value a line
    #[arg(long)]
    json: bool,
    /// The disguises that are taken off instead
    #[arg(long)]
    views: bool,
}

/// Lists.
pub fn run(args: &Args, source: &Source) -> Result<Outcome, Failure> {
    let mut out = Out::new();
    if args.views {
        views(&mut out, args.json)?;
        return out.end(Outcome::Done);
    }
    let kinds = kinds(&inspector(&configured(source)?)?);
    if args.json {
        for kind in &kinds {
            let channels = kind.channels.as_deref().unwrap_or(portcullis_core::Channel::ALL);
            let channels: Vec<&str> = channels.iter().map(|channel| channel.name()).collect();
            out.json(&json!({
                "type": kind.id, "family": kind.family, "severity": kind.severity,
                "score": rounded(kind.score.1), "least_score": rounded(kind.score.0),
                "needs": kind.needs, "about": kind.about, "channels": channels,
            }))?;
        }
        return out.end(Outcome::Done);
    }
    for family in Family::ALL {
        let of = kinds.iter().filter(|kind| kind.family == *family);
        let count = of.clone().count();
        if count == 0 {
            continue;
        }
        let mut rows = table(&["TYPE", "SEVERITY", "SCORE", "NEEDS", "FINDS"]);
        for kind in of {
            rows.add_row([
                kind.id.clone(),
                kind.told_severity(),
                kind.told_score(),
                kind.told_needs(),
                format!("{} {}", kind.about, kind.told_channels())
                    .trim_end()
                    .to_owned(),
            ]);
        }
        out.line(format_args!("{}: {count} types\n", family.name()))?;
        out.table(&rows)?;
        out.line("")?;
    }
    out.line("disguises that are taken off first\n")?;
    views(&mut out, false)?;
    out.end(Outcome::Done)
}

fn views(out: &mut Out, json: bool) -> Result<(), Failure> {
    let mut rows = table(&["VIEW", "READ BY", "UNDOES"]);
    for view in VIEWS {
        let families: Vec<&str> = view.families().iter().map(|family| family.name()).collect();
        let readers = match families.len() == Family::ALL.len() {
            true => "every rule".to_owned(),
            false => families.join(", "),
        };
        if json {
            out.json(&json!({ "view": view.id(), "families": families, "about": view.about() }))?;
        } else {
            rows.add_row([view.id(), &readers, view.about()]);
        }
    }
    if !json {
        out.table(&rows)?;
    }
    Ok(())
}

/// Scores are written with a few digits; the rest would be noise of their conversion from `f32`.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 10_000.0).round() / 10_000.0
}
