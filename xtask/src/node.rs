//! What the tests run in Node.js, at pinned versions: the identity provider `oidc-provider`, and of the Model Context Protocol the TypeScript
//! client, the inspector and the reference servers. It is installed once under the target folder, with the Node.js that runs it: Debian
//! 12's is too old (18), and serves to install it.
//!
//! It is remade when `tests/node/package-lock.json` changes. What cannot be had is an error that says what to do.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::debian;
use crate::sdk::{fingerprint, run, works};
use crate::tree::{root, target};

/// Installs it if it is missing or old; returns its folder.
pub fn environment() -> Result<PathBuf, String> {
    let (source, folder) = (root().join("tests/node"), target().join("node"));
    let pins = fs::read(source.join("package-lock.json"))
        .map_err(|why| format!("tests/node/package-lock.json: {why}"))?;
    let wanted = format!("{:016x}\n", fingerprint(&pins));
    let stamp = folder.join("stamp");
    have_node()?;
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(source.join(name), folder.join(name)).map_err(|why| format!("tests/node/{name}: {why}"))?;
    }
    run(Command::new("npm").current_dir(&folder).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]))?;
    fs::write(&stamp, wanted).map_err(|why| format!("{}: {why}", stamp.display()))?;
    Ok(folder)
}

/// Some Node.js with npm, of whatever age.
fn have_node() -> Result<(), String> {
    debian::have("Node.js with npm", &["nodejs", "npm"], || {
        works(Command::new("node").arg("--version")) && works(Command::new("npm").arg("--version"))
    })
}
