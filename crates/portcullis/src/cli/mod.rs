//! The command line: what can be asked, and how answers and failures reach a person or a program. One file a command.

mod audit;
mod check;
mod completions;
mod demo;
mod detectors;
mod docs;
mod eval;
mod explain;
mod init;
mod key;
mod log;
mod mcp_sql;
mod out;
mod policy;
mod progress;
mod scan;
mod serve;
mod state;
mod tool_cases;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use out::{Failure, Outcome};

use crate::config::Source;

/// A self-hosted security gateway for LLM APIs.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, about, max_term_width = 100)]
pub struct Cli {
    /// The configuration; `portcullis.yaml` of this folder if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// What is logged, as `info` or `portcullis=debug,warn`; RUST_LOG otherwise
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show everything at work: a gateway, a console and a stand-in model, with nothing to set up
    Demo(demo::Args),
    /// Run the gateway
    Serve(serve::Args),
    /// Write a commented portcullis.yaml
    Init(init::Args),
    /// Check a configuration and tell everything that is wrong with it
    Check(check::Args),
    /// Create, list, rotate and revoke API keys
    #[command(subcommand)]
    Key(key::Command),
    /// Look for injections, secrets and personal data in a text; exit 3 if there are any
    Scan(scan::Args),
    /// Measure detection on labelled corpora
    Eval(eval::Args),
    /// Tell why a request was refused or changed
    Explain(explain::Args),
    /// Read the audit log and prove that nobody changed it
    #[command(subcommand)]
    Audit(audit::Command),
    /// Try the policies of who may do what
    #[command(subcommand)]
    Policy(policy::Command),
    /// Offer a database to a model under a policy, as a server of the Model Context Protocol
    McpSql(mcp_sql::Args),
    /// List what is looked for
    Detectors(detectors::Args),
    /// Print completions for a shell
    Completions(completions::Args),
    /// Write the generated documentation
    #[command(hide = true)]
    Docs(docs::Args),
}

impl Cli {
    fn source(&self) -> Source {
        Source::find(self.config.as_deref())
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(outcome) => outcome.into(),
        Err(Failure::Quiet) => ExitCode::SUCCESS,
        Err(Failure::Said(message)) => {
            // With standard error gone as well there is nobody left to tell.
            let _ = writeln!(std::io::stderr().lock(), "{message}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<Outcome, Failure> {
    let kind = match cli.command {
        Command::Serve(_) => log::Kind::Service,
        Command::Demo(_) => log::Kind::Demo,
        _ => log::Kind::Command,
    };
    log::start(cli.log.as_deref(), kind)?;
    match &cli.command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => serve::run(args, &cli.source()),
        Command::Init(args) => init::run(args),
        Command::Check(args) => check::run(args, &cli.source()),
        Command::Key(command) => key::run(command, &cli.source()),
        Command::Scan(args) => scan::run(args, &cli.source()),
        Command::Eval(args) => eval::run(args, &cli.source()),
        Command::Explain(args) => explain::run(args, &cli.source()),
        Command::Audit(command) => audit::run(command, &cli.source()),
        Command::Policy(command) => policy::run(command, &cli.source()),
        Command::McpSql(args) => mcp_sql::run(args),
        Command::Detectors(args) => detectors::run(args, &cli.source()),
        Command::Completions(args) => completions::run(args),
        Command::Docs(args) => docs::run(args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
