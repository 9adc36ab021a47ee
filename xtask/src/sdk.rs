//! The Python environment of the client tests: the providers' official SDKs at pinned versions, made once.
//!
//! It lives under the target folder and is remade when `tests/sdk/requirements.txt` changes. What cannot be had is an
//! error that says what to do; the client tests are never skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian;
use crate::tree::{root, target};

/// Makes the environment if it is missing or old; returns its Python.
pub fn environment() -> Result<PathBuf, String> {
    let pins = fs::read_to_string(root().join("tests/sdk/requirements.txt"))
        .map_err(|why| format!("tests/sdk/requirements.txt: {why}"))?;
    let folder = target().join("sdk-venv");
    let python = folder.join("bin/python");
    let stamp = folder.join("stamp");
    let wanted = format!("{:016x}\n", fingerprint(pins.as_bytes()));
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    have_venv()?;
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|why| format!("{}: {why}", folder.display()))?;
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ];
    run(Command::new(&python)
        .args(pip)
        .arg(root().join("tests/sdk/requirements.txt")))?;
    fs::write(&stamp, wanted).map_err(|why| format!("{}: {why}", stamp.display()))?;
    Ok(python)
}

/// Python with venv and pip.
fn have_venv() -> Result<(), String> {
    debian::have(
        "Python 3.10 or newer with venv",
        &["python3", "python3-venv"],
        || works(Command::new("python3").args(["-c", "import venv, ensurepip"])),
    )
}

pub fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

pub fn run(command: &mut Command) -> Result<(), String> {
    let told = format!("{command:?}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{told}: {status}")),
        Err(why) => Err(format!("{}: {why}", Path::new(command.get_program()).display())),
    }
}

/// FNV-1a: enough to notice that a file changed.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_pin_changes_the_stamp() {
        assert_eq!(fingerprint(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_ne!(fingerprint(b"openai==1.0\n"), fingerprint(b"openai==1.1\n"));
    }

    #[test]
    fn a_failing_command_is_told_with_its_words() {
        let why = run(Command::new("python3-that-is-not-there").arg("-m")).unwrap_err();
        assert!(why.contains("python3-that-is-not-there"), "{why}");
    }
}
