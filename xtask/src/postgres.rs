//! PostgreSQL's server programs, which the tests start themselves: found, or installed from Debian's packages.

use std::path::PathBuf;
use std::process::Command;

use crate::sdk::{is_root, run, works};

/// Makes sure that the programs are there.
pub fn programs() -> Result<(), String> {
    const INSTALL: &str = "apt-get install -y --no-install-recommends postgresql";
    if found() {
        return Ok(());
    }
    if !works(Command::new("apt-get").arg("--version")) || !is_root() {
        return Err(format!(
            "the tests of the store need PostgreSQL's server (initdb, postgres); as root: {INSTALL}"
        ));
    }
    run(Command::new("apt-get").args(["update", "-q"]))?;
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "-y",
        "-q",
        "--no-install-recommends",
        "postgresql",
    ]);
    run(&mut apt)?;
    match found() {
        true => Ok(()),
        false => Err(format!("there is no initdb even after: {INSTALL}")),
    }
}

/// Debian keeps the server's programs out of the path.
fn found() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(debian.filter_map(|entry| Some(entry.ok()?.path().join("bin"))));
    folders.iter().any(|folder| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|name| folder.join(name).exists())
    })
}
