//! From a file or the environment to a built configuration.

use std::path::{Path, PathBuf};

use super::built::Config;
use super::problem::{Position, Problem};
use super::raw::Raw;
use super::tree::Node;
use super::{
    cross, environment, identity, operators, policies, prompts, rules, schema, schemas, tools, tree, validate,
};

/// The name of the file that is looked for where none is given.
pub const FILE_NAME: &str = "portcullis.yaml";

/// Where a configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Safe defaults and the environment.
    Environment,
}

impl Source {
    /// The file that is given; else `portcullis.yaml` of the working directory if it is there; else the environment.
    #[must_use]
    pub fn find(given: Option<&Path>) -> Source {
        match given {
            Some(path) => Source::File(path.to_owned()),
            None if Path::new(FILE_NAME).exists() => Source::File(PathBuf::from(FILE_NAME)),
            None => Source::Environment,
        }
    }

    /// The folder that relative paths are taken from.
    fn folder(&self) -> &Path {
        match self {
            Source::File(path) => path.parent().unwrap_or(Path::new("")),
            Source::Environment => Path::new(""),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Environment => f.write_str("defaults and the environment"),
        }
    }
}

/// Whether credentials are fetched and missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// They must be there.
    Fetch,
    /// The command does not need them.
    Leave,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {file}: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// It says something wrong; each line names a place.
    #[error("{}", lines(file, problems))]
    Wrong {
        /// The file.
        file: String,
        /// Everything that is wrong, in the order of the file.
        problems: Vec<Problem>,
    },
    /// A credential, a file of rules or a prompt cannot be used after all.
    #[error("{0}")]
    Credential(String),
}

fn lines(file: &str, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| problem.line(file)).collect();
    lines.join("\n")
}

/// Loads, checks and builds.
///
/// # Errors
/// [`ConfigError`] with everything that is wrong.
pub fn load(source: &Source, credentials: Credentials) -> Result<Config, ConfigError> {
    let mut raw = match source {
        Source::File(path) => {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
                file: file.clone(),
                error,
            })?;
            read(&text, source.folder(), credentials)
                .map_err(|problems| ConfigError::Wrong { file, problems })?
        }
        Source::Environment => Raw::default(),
    };
    if raw.upstreams.is_empty() && raw.models.is_empty() {
        let is_set = |name: &str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
        environment::add_providers(&mut raw, is_set);
    }
    Config::build(&raw, source.folder(), credentials == Credentials::Fetch).map_err(ConfigError::Credential)
}

/// Reads a text and tells everything that is wrong with it, in the order of the file.
///
/// # Errors
/// The problems.
pub fn read(text: &str, folder: &Path, credentials: Credentials) -> Result<Raw, Vec<Problem>> {
    let tree = tree::parse(text)?;
    let mut problems = validate::validate(&schema::schema(), &tree);
    problems.extend(cross::references(&tree));
    let (wrong_rules, rules) = rules::check(&tree, folder);
    problems.extend(wrong_rules);
    problems.extend(prompts::check(&tree, folder, &rules));
    problems.extend(schemas::check(&tree, folder));
    problems.extend(cross::models(&tree, folder));
    problems.extend(identity::check(&tree, folder, credentials == Credentials::Fetch));
    problems.extend(operators::check(&tree));
    problems.extend(policies::check(&tree, folder));
    problems.extend(tools::check(&tree, folder));
    if credentials == Credentials::Fetch {
        problems.extend(cross::credentials(&tree, folder));
    }
    if problems.is_empty() {
        return of_tree(&tree).map_err(|problem| vec![problem]);
    }
    problems.sort_by(|a, b| (a.at, &a.path).cmp(&(b.at, &b.path)));
    problems.dedup();
    Err(problems)
}

/// INVARIANT: what the checker lets pass, serde reads. A difference would be a fault of this program; it is told, not hidden.
fn of_tree(tree: &Node) -> Result<Raw, Problem> {
    serde_json::from_value(tree.to_json()).map_err(|error| {
        let start = Position { line: 1, column: 1 };
        Problem::new(start, "", format!("the checker and the loader disagree: {error}"))
    })
}
