//! `portcullis audit`: reads the log and proves that nobody changed it.

use std::path::{Path, PathBuf};

use portcullis_store::{Tampered, load_signing_key, public_key_text};

use super::out::{Out, printable, table};
use super::state::{block_on, configured, existing, is_remote, is_there};
use super::{Failure, Outcome};
use crate::clock::utc;
use crate::config::{Config, Source};
use crate::wiring::head_file;

/// What is asked.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Prove that no record was edited, removed, reordered or cut off; exit 4 if one was
    Verify {
        /// The result as JSON
        #[arg(long)]
        json: bool,
        /// The key that signs the log, if it is not where the configuration says
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The file that remembers where the log ended, if it is not where the configuration says
        #[arg(long, value_name = "FILE")]
        head: Option<PathBuf>,
    },
    /// Show the last records
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20)]
        count: u32,
        /// Whole records, one JSON value a line
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub fn run(command: &Command, source: &Source) -> Result<Outcome, Failure> {
    let config = configured(source)?;
    match command {
        Command::Verify { json, key, head } => {
            let head = match (head, key) {
                (Some(head), _) => head.clone(),
                (None, Some(key)) => head_file(key),
                (None, None) => config.head_file.clone(),
            };
            let key = key.clone().unwrap_or_else(|| config.signing_key.clone());
            verify(&config, &key, &head, *json)
        }
        Command::Tail { count, json } => tail(&config, *count, *json),
    }
}

fn verify(config: &Config, key: &Path, head: &Path, json: bool) -> Result<Outcome, Failure> {
    let signing = load_signing_key(key).map_err(Failure::said)?.verifying_key();
    // A log that cannot even be opened is not one that holds. Only a state that never was is a slip of the folder.
    let result = block_on(async {
        match existing(config).await {
            Ok(store) => Ok(portcullis_store::verify(store.as_ref(), &signing, Some(head)).await),
            // A server that is away says nothing about the log.
            Err(away) if is_remote(config) => Err(away),
            Err(missing) if !is_there(config) && !head.exists() => Err(missing),
            Err(_) if !is_there(config) => Ok(Err(Tampered::Damaged("the file is gone".to_owned()))),
            Err(Failure::Said(why)) => Ok(Err(Tampered::Damaged(why))),
            Err(quiet) => Err(quiet),
        }
    })?;
    let mut out = Out::new();
    match result {
        Err(Tampered::Unreadable(away)) if is_remote(config) => Err(away.into()),
        Ok(verified) => {
            if json {
                out.json(&serde_json::json!({
                    "ok": true, "records": verified.records, "signed_heads": verified.heads,
                    "public_key": public_key_text(&signing),
                }))?;
            } else {
                out.line(format_args!(
                    "The log holds: {} records in an unbroken chain, vouched for by {} signed heads.",
                    verified.records, verified.heads
                ))?;
                out.line(format_args!("public key {}", public_key_text(&signing)))?;
            }
            out.end(Outcome::Done)
        }
        Err(tampered) => {
            if json {
                out.json(&serde_json::json!({
                    "ok": false, "problem": tampered.to_string(), "first_bad": tampered.first_bad(),
                }))?;
            } else {
                out.line(format_args!("The log does NOT hold: {tampered}"))?;
            }
            out.end(Outcome::Tampered)
        }
    }
}

fn tail(config: &Config, count: u32, json: bool) -> Result<Outcome, Failure> {
    let records = block_on(async {
        let store = existing(config).await?;
        Ok(store.audit_tail(count).await?)
    })?;
    let mut out = Out::new();
    if json {
        for stored in &records {
            out.line(&stored.json)?;
        }
        return out.end(Outcome::Done);
    }
    let mut rows = table(&[
        "WHEN (UTC)",
        "REQUEST",
        "KEY",
        "ENDPOINT",
        "MODEL",
        "STATUS",
        "DECISION",
        "FINDINGS",
    ]);
    for stored in &records {
        let record = &stored.record;
        rows.add_row([
            utc(record.unix_ms),
            record.request_id.to_string(),
            record.key.as_ref().map_or("-".to_owned(), ToString::to_string),
            printable(&record.endpoint),
            record.model.as_deref().map_or("-".to_owned(), printable),
            record.status.to_string(),
            record.decision.name().to_owned(),
            record.findings_total.to_string(),
        ]);
    }
    out.table(&rows)?;
    out.end(Outcome::Done)
}
