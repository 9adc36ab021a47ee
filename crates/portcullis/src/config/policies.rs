//! Policies of who may do what: the files that the configuration names, read and validated.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_policy::access::{Access, PolicyProblem, PolicyText};

use super::problem::Problem;
use super::raw::Raw;
use super::tree::Node;

/// The ending of a file of policies.
const ENDING: &str = "cedar";

/// The policies that are configured, if any are.
///
/// # Errors
/// The first thing that is wrong with them.
pub fn access(raw: &Raw, folder: &Path) -> Result<Option<Arc<Access>>, String> {
    let Some(authorization) = &raw.authorization else {
        return Ok(None);
    };
    let mut files = Vec::new();
    for name in &authorization.policies {
        files.extend(read_all(&folder.join(name))?);
    }
    let access = validated(&files).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })?;
    Ok(Some(Arc::new(access)))
}

/// Everything that is wrong with the policies, each with its file, line and column.
#[must_use]
pub fn check(root: &Node, folder: &Path) -> Vec<Problem> {
    let Some(section) = root.child("authorization") else {
        return Vec::new();
    };
    let Some(list) = section.child("policies") else {
        return Vec::new();
    };
    let (mut problems, mut files) = (Vec::new(), Vec::new());
    for (number, node) in list.items().iter().enumerate() {
        let Some(name) = node.text() else { continue };
        match read_all(&folder.join(name)) {
            Ok(read) => files.extend(read),
            Err(message) => {
                let path = format!("authorization.policies[{number}]");
                problems.push(Problem::new(node.at, path, message));
            }
        }
    }
    if list.items().is_empty() {
        let message =
            "names no file: without a policy every request would be refused; remove `authorization`";
        problems.push(Problem::new(list.at, "authorization.policies", message));
    } else if problems.is_empty()
        && let Err(wrong) = validated(&files)
    {
        let told = wrong
            .iter()
            .map(|problem| Problem::new(list.at, "authorization.policies", problem.to_string()));
        problems.extend(told);
    }
    problems
}

/// Reads and validates the policies of these files.
///
/// # Errors
/// Everything that is wrong with them.
pub fn validated(files: &[(String, String)]) -> Result<Access, Vec<PolicyProblem>> {
    let texts: Vec<PolicyText<'_>> = files
        .iter()
        .map(|(file, text)| PolicyText { file, text })
        .collect();
    Access::read(&texts)
}

/// A file of policies, or all of a folder in the order of their names: each with its name.
///
/// # Errors
/// It cannot be read, or a folder without a file of policies.
pub fn read_all(place: &Path) -> Result<Vec<(String, String)>, String> {
    let mut paths = vec![place.to_owned()];
    if place.is_dir() {
        paths = files_in(place, &[ENDING])?;
        if paths.is_empty() {
            return Err(format!("{} has no file that ends in .{ENDING}", place.display()));
        }
    }
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok((name, text)),
            Err(error) => Err(format!("cannot read {name}: {error}")),
        }
    };
    paths.iter().map(read).collect()
}

/// The files of a folder with one of these endings, in the order of their names.
///
/// # Errors
/// It cannot be listed.
pub fn files_in(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, String> {
    let wrong = |error: std::io::Error| format!("cannot list {}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let ending = path
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default();
        if path.is_file() && endings.contains(&ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::parse;

    #[test]
    fn what_is_wrong_is_told_with_the_place_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("policies")).unwrap();
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let told = |policies: &str| -> Vec<String> {
            let root = parse(&format!("authorization: {{ policies: [{policies}] }}\n")).unwrap();
            let problems = check(&root, folder.path());
            problems.iter().map(|problem| problem.line("f")).collect()
        };
        write("policies/a.cedar", "permit (principal, action, resource);\n");
        write("policies/notes.md", "not a policy");
        assert_eq!(told("policies"), Vec::<String>::new());
        write(
            "policies/b.cedar",
            "forbid (principal, action, resource)\n  when { principal.naem == \"x\" };\n",
        );
        let wrong = told("policies");
        assert!(
            wrong.len() == 1 && wrong[0].starts_with("f:1:") && wrong[0].contains("b.cedar:2:"),
            "{wrong:#?}"
        );
        for (policies, says) in [
            ("", "names no file"),
            ("empty", "no file that ends in .cedar"),
            ("missing.cedar", "cannot read"),
        ] {
            let wrong = told(policies);
            assert!(wrong.len() == 1 && wrong[0].contains(says), "{wrong:#?}");
        }
    }
}
