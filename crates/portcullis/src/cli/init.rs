//! `portcullis init`: a commented configuration that works as it is written.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use super::out::Out;
use super::{Failure, Outcome};
use crate::config::{FILE_NAME, variables};

/// What is asked.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write it
    #[arg(default_value = FILE_NAME)]
    file: PathBuf,
    /// Replace a file that is there already
    #[arg(long)]
    force: bool,
}

/// Writes.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let path = args.file.display();
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(true)
        .create_new(!args.force);
    let mut file = options.open(&args.file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::said(format!("{path} is there already; --force replaces it"))
        }
        _ => Failure::said(format!("cannot write {path}: {error}")),
    })?;
    let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    file.write_all(template(is_set).as_bytes())?;
    let mut out = Out::new();
    out.line(format_args!("wrote {path}"))?;
    out.line("next: portcullis check, then portcullis key create --name NAME, then portcullis serve")?;
    out.end(Outcome::Done)
}

/// The file. A provider whose key is not set is there as a comment: a reference to nothing would not pass `check`.
#[must_use]
pub fn template(is_set: impl Fn(&str) -> bool) -> String {
    let mut text = include_str!("init.yaml").to_owned();
    let mut any = false;
    for variable in variables() {
        let marker = format!("#{variable}#");
        let set = is_set(variable);
        any |= set;
        text = text.replace(&marker, if set { "" } else { "# " });
    }
    text.replace("#local#", if any { "# " } else { "" })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Credentials, read};

    #[test]
    fn it_passes_check_whichever_keys_are_set() {
        let variables: Vec<&str> = variables().collect();
        for chosen in 0..1usize << variables.len() {
            let is_set = |name: &str| {
                let place = variables.iter().position(|variable| *variable == name);
                place.is_some_and(|place| chosen >> place & 1 == 1)
            };
            let text = template(is_set);
            let raw = read(&text, Path::new(""), Credentials::Leave)
                .unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"));
            assert_eq!(raw.upstreams.len(), chosen.count_ones().max(1) as usize);
            assert!(!raw.models.is_empty());
            assert!(!text.contains("#local#") && !text.contains("_KEY#"), "{text}");
        }
    }
}
