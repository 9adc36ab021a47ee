//! Programs that the tests need: found, or installed from Debian's packages when this process may do so.

use std::process::Command;

use crate::sdk::{run, works};

/// Makes sure that `there` is true. What cannot be had is an error that says what to do.
pub fn have(need: &str, packages: &[&str], there: impl Fn() -> bool) -> Result<(), String> {
    if there() {
        return Ok(());
    }
    let install = format!(
        "apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    );
    if !works(Command::new("apt-get").arg("--version")) || !is_root() {
        return Err(format!("the tests need {need}; as root: {install}"));
    }
    run(Command::new("apt-get").args(["update", "-q"]))?;
    run(Command::new("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-q", "--no-install-recommends"])
        .args(packages))?;
    match there() {
        true => Ok(()),
        false => Err(format!("there is no {need} even after: {install}")),
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
