//! Documents that are written by the program they describe: the gateway's hidden `docs` command prints each.
//!
//! Nothing is generated here; this file knows names and places.

use std::fs;
use std::process::Command;

use crate::tidy::Complaint;
use crate::tree::root;

/// A document: its name for `portcullis docs`, and its place in the tree.
static DOCUMENTS: &[(&str, &str)] = &[
    ("detectors", "docs/detectors.md"),
    ("configuration", "docs/configuration.md"),
    ("errors", "docs/errors.md"),
    ("coverage", "docs/coverage.md"),
    ("schema", "config/portcullis.schema.json"),
];

/// Writes every generated document anew.
pub fn write() -> Result<(), String> {
    for (name, place) in DOCUMENTS {
        let path = root().join(place);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|why| format!("{place}: {why}"))?;
        }
        fs::write(&path, print(name)?).map_err(|why| format!("{place}: {why}"))?;
        println!("{place}");
    }
    Ok(())
}

/// Documents that are not what the program would print now.
pub fn stale() -> Result<Vec<Complaint>, String> {
    let mut complaints = Vec::new();
    for (name, place) in DOCUMENTS {
        let now = print(name)?;
        let then = fs::read_to_string(root().join(place)).unwrap_or_default();
        if now != then {
            let what = "is not what the program says now: run `cargo xtask gen`".to_owned();
            complaints.push(Complaint {
                place: (*place).to_owned(),
                what,
            });
        }
    }
    Ok(complaints)
}

fn print(name: &str) -> Result<String, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["run", "--quiet", "--package", "portcullis", "--", "docs", name])
        .output()
        .map_err(|why| format!("cargo: {why}"))?;
    if !output.status.success() {
        return Err(format!(
            "portcullis docs {name}: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        ));
    }
    String::from_utf8(output.stdout).map_err(|why| format!("portcullis docs {name}: {why}"))
}
