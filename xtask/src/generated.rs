//! Documents that are written by the program they describe: the gateway's hidden `docs FOLDER` command.
//!
//! Nothing is generated here, and no list of documents is kept here: the program says which there are.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::tidy::Complaint;
use crate::tree::{root, target};

/// Writes every generated document anew.
pub fn write() -> Result<(), String> {
    for name in written_into(&root())? {
        println!("{name}");
    }
    Ok(())
}

/// Documents that are not what the program would write now.
pub fn stale() -> Result<Vec<Complaint>, String> {
    let fresh = target().join("generated");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(|why| format!("{}: {why}", fresh.display()))?;
    }
    let names = written_into(&fresh)?;
    if names.is_empty() {
        return Err("portcullis docs wrote nothing".to_owned());
    }
    differing(&names, &fresh, &root())
}

fn differing(names: &[String], fresh: &Path, kept: &Path) -> Result<Vec<Complaint>, String> {
    let mut complaints = Vec::new();
    for name in names {
        let now = fs::read_to_string(fresh.join(name)).map_err(|why| format!("{name}: {why}"))?;
        if fs::read_to_string(kept.join(name)).is_ok_and(|then| then == now) {
            continue;
        }
        let what = "is not what the program says now: run `cargo xtask gen`".to_owned();
        complaints.push(Complaint {
            place: name.clone(),
            what,
        });
    }
    Ok(complaints)
}

/// Runs the program; returns the names of what it wrote.
fn written_into(folder: &Path) -> Result<Vec<String>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["run", "--quiet", "--package", "portcullis", "--", "docs"])
        .arg(folder)
        .output()
        .map_err(|why| format!("cargo: {why}"))?;
    if !output.status.success() {
        return Err(format!(
            "portcullis docs: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        ));
    }
    let listed = String::from_utf8(output.stdout).map_err(|why| format!("portcullis docs: {why}"))?;
    Ok(listed.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_was_edited_or_is_missing_is_seen() {
        let folder = target().join("xtask-generated-test");
        let (fresh, kept) = (folder.join("fresh"), folder.join("kept"));
        for (place, text) in [(&fresh, "new"), (&kept, "old")] {
            fs::create_dir_all(place).unwrap();
            fs::write(place.join("a.md"), "same").unwrap();
            fs::write(place.join("b.md"), text).unwrap();
        }
        fs::write(fresh.join("c.md"), "not kept at all").unwrap();
        let names = ["a.md".to_owned(), "b.md".to_owned(), "c.md".to_owned()];
        let places: Vec<String> = differing(&names, &fresh, &kept)
            .unwrap()
            .into_iter()
            .map(|complaint| complaint.place)
            .collect();
        assert_eq!(places, ["b.md", "c.md"]);
    }
}
