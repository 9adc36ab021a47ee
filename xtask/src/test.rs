//! The one test command: every step that must hold, each told with its duration, the tests' own summary last.
//!
//! A failing step does not hide the next: all are run, and the command fails if any did.

use std::process::Command;
use std::time::Instant;

use crate::{node, postgres, redis, sdk, tidy};

/// Runs every step.
pub fn run() -> Result<(), String> {
    let mut failed: Vec<&str> = Vec::new();
    let mut step = |name: &'static str, work: &mut dyn FnMut() -> Result<(), String>| {
        println!("== {name}");
        let begun = Instant::now();
        let outcome = work();
        let seconds = begun.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => println!("== {name}: ok, {seconds:.1} s"),
            Err(why) => {
                println!("{why}\n== {name}: FAILED, {seconds:.1} s");
                failed.push(name);
            }
        }
    };
    step("format", &mut || {
        component("fmt", "rustfmt")?;
        cargo(&["fmt", "--all", "--", "--check", "--files-with-diff"])
    });
    step("lints", &mut || {
        component("clippy", "clippy")?;
        cargo(&[
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])
    });
    step("tidy", &mut tidy::run);
    step("client environment", &mut || sdk::environment().map(|_| ()));
    step("Node.js programs", &mut || node::environment().map(|_| ()));
    step("PostgreSQL", &mut postgres::programs);
    step("redis", &mut redis::server);
    step("documentation tests", &mut || {
        cargo(&["test", "--quiet", "--workspace", "--doc"])
    });
    step("tests", &mut || {
        if works(&["nextest", "--version"]) {
            cargo(&[
                "nextest",
                "run",
                "--workspace",
                "--no-fail-fast",
                "--status-level",
                "fail",
                "--final-status-level",
                "slow",
            ])
        } else {
            cargo(&[
                "test",
                "--workspace",
                "--lib",
                "--bins",
                "--tests",
                "--no-fail-fast",
            ])
        }
    });
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")))
    }
}

/// A part of the toolchain; fetched through rustup where there is one.
fn component(subcommand: &str, name: &str) -> Result<(), String> {
    if works(&[subcommand, "--version"]) {
        return Ok(());
    }
    let added = Command::new("rustup").args(["component", "add", name]).status();
    if added.is_ok_and(|status| status.success()) && works(&[subcommand, "--version"]) {
        return Ok(());
    }
    Err(format!("{name} is missing: rustup component add {name}"))
}

fn works(args: &[&str]) -> bool {
    command(args).output().is_ok_and(|output| output.status.success())
}

fn cargo(args: &[&str]) -> Result<(), String> {
    let status = command(args).status().map_err(|why| format!("cargo: {why}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo {}: {status}", args.join(" ")))
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.current_dir(crate::tree::root()).args(args);
    command
}
