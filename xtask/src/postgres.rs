//! PostgreSQL's server programs, which the tests start themselves: found, or installed from Debian's packages.

use std::path::PathBuf;

use crate::debian;

/// Makes sure that the programs are there.
pub fn programs() -> Result<(), String> {
    debian::have("PostgreSQL's server (initdb, postgres)", &["postgresql"], found)
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
