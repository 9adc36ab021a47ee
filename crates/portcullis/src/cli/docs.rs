//! `portcullis docs FOLDER`: writes what is generated from the registries, for `cargo xtask gen`.

use std::path::PathBuf;

use super::out::Out;
use super::{Failure, Outcome};
use crate::docs::{DOCUMENTS, Document};

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The repository to write into; without it, the names of the files are listed
    folder: Option<PathBuf>,
}

/// Writes.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let mut out = Out::new();
    for Document { place, write } in DOCUMENTS {
        if let Some(folder) = &args.folder {
            let path = folder.join(place);
            let told =
                |error: std::io::Error| Failure::said(format!("cannot write {}: {error}", path.display()));
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(told)?;
            }
            std::fs::write(&path, write()).map_err(told)?;
        }
        out.line(place)?;
    }
    out.end(Outcome::Done)
}
