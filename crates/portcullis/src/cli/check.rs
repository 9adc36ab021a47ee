//! `portcullis check`: everything that is wrong with a configuration, each with its place.

use std::path::PathBuf;

use super::out::{Out, counted};
use super::{Failure, Outcome};
use crate::config::{ConfigError, Credentials, Source, load, schema, warnings};

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration
    file: Option<PathBuf>,
    /// Print the JSON schema of the configuration instead
    #[arg(long)]
    schema: bool,
    /// Tell problems as one JSON value
    #[arg(long)]
    json: bool,
}

/// Checks.
pub fn run(args: &Args, source: &Source) -> Result<Outcome, Failure> {
    let mut out = Out::new();
    if args.schema {
        out.line(format_args!("{:#}", schema()))?;
        return out.end(Outcome::Done);
    }
    let source = args
        .file
        .as_deref()
        .map_or(source.clone(), |file| Source::find(Some(file)));
    let loaded = load(&source, Credentials::Fetch);
    for model in loaded.iter().flat_map(|config| &config.models) {
        model.open().map_err(|error| Failure::said(error.to_string()))?;
    }
    match loaded {
        Ok(config) if args.json => {
            out.json(&serde_json::json!({
                "ok": true, "problems": [], "warnings": warnings(&config), "effective": config.effective
            }))?;
            out.end(Outcome::Done)
        }
        Ok(config) => {
            for warning in warnings(&config) {
                out.line(format_args!("{source}: warning: {warning}"))?;
            }
            let upstreams = counted(config.settings.upstreams.len(), "upstream");
            let routes = counted(config.settings.routes.len(), "route");
            let profiles = counted(config.profiles().count(), "profile");
            let rules = counted(config.rules.len(), "rule");
            out.line(format_args!(
                "{source}: fine ({upstreams}, {routes}, {profiles}, {rules} of its own)"
            ))?;
            out.end(Outcome::Done)
        }
        Err(ConfigError::Wrong { file, problems }) if args.json => {
            let problems: Vec<_> = problems
                .iter()
                .map(|problem| {
                    serde_json::json!({
                        "file": file, "line": problem.at.line, "column": problem.at.column,
                        "path": problem.path, "message": problem.message,
                    })
                })
                .collect();
            let count = problems.len();
            out.json(&serde_json::json!({ "ok": false, "problems": problems }))?;
            out.flush()?;
            Err(Failure::said(format!("{} in {file}", counted(count, "problem"))))
        }
        Err(error) => Err(error.into()),
    }
}
