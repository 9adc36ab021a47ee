//! The working tree as texts in memory, so that every rule is a plain function that a test can feed a made-up tree.
//!
//! It reads text files only and skips what is built or fetched.

use std::fs;
use std::path::{Path, PathBuf};

const SKIPPED: &[&str] = &["target", ".git", ".venv", "__pycache__", "node_modules", "shared"];
const TEXTS: &[&str] = &[
    "rs", "toml", "md", "py", "yaml", "yml", "json", "jsonl", "txt", "sh", "html", "sql", "ini", "conf",
    "css", "js", "sse", "service",
];

/// One text file.
pub struct File {
    /// Path from the root, with `/`.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

/// Every text file of the tree, ordered by path.
pub struct Tree {
    /// The files.
    pub files: Vec<File>,
    /// Paths of everything else (pictures, models), which rules know by name alone.
    pub others: Vec<String>,
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where built things go.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

impl Tree {
    /// Reads the tree below `root`.
    pub fn read(root: &Path) -> Result<Tree, String> {
        let mut tree = Tree {
            files: Vec::new(),
            others: Vec::new(),
        };
        tree.walk(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    /// A tree of these files alone.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Tree {
            files: files.iter().map(file).collect(),
            others: Vec::new(),
        }
    }

    /// Files whose names end so.
    pub fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.ends_with(end))
    }

    /// The text of that file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.text.as_str())
    }

    /// Whether there is a file or a folder of that name.
    pub fn holds(&self, path: &str) -> bool {
        let within = format!("{}/", path.trim_end_matches('/'));
        let mut names = self.files.iter().map(|file| &file.path).chain(&self.others);
        names.any(|name| name == path || name.starts_with(&within))
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> Result<(), String> {
        let fault = |why: std::io::Error| format!("{}: {why}", folder.display());
        for entry in fs::read_dir(folder).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}/{name}")
            };
            let kind = entry.file_type().map_err(fault)?;
            if SKIPPED.contains(&name.as_str()) || kind.is_symlink() {
                continue;
            }
            if kind.is_dir() {
                self.walk(&entry.path(), &path)?;
            } else if is_text(&name) {
                let text = fs::read_to_string(entry.path()).map_err(|why| format!("{path}: {why}"))?;
                self.files.push(File { path, text });
            } else {
                self.others.push(path);
            }
        }
        Ok(())
    }
}

fn is_text(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((_, end)) => TEXTS.contains(&end),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_real_tree_can_be_read_and_asked() {
        let tree = Tree::read(&root()).unwrap();
        assert!(tree.holds("Cargo.toml"));
        assert!(tree.holds("crates/core"));
        assert!(tree.holds("LICENSE"));
        assert!(!tree.holds("crates/cor"));
        assert!(
            tree.text("xtask/src/tree.rs")
                .is_some_and(|text| text.starts_with("//!"))
        );
    }
}
