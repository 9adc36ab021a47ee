//! `portcullis completions`: made by clap from the same definitions.

use clap::CommandFactory;
use clap_complete::Shell;

use super::out::Out;
use super::{Cli, Failure, Outcome};

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    // Written to memory first: the generator panics where its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "portcullis", &mut script);
    let mut out = Out::new();
    out.line(String::from_utf8_lossy(&script).trim_end())?;
    out.end(Outcome::Done)
}
