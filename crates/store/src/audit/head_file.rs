//! The second copy of the signed head, in a file beside the signing key: one line of JSON.
//!
//! It is written after the database and replaced whole, so it is never newer than the database and never half a line.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Hash, Head, SignedHead, canonical_json};

/// Why the head file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum HeadFileError {
    /// It cannot be read or written.
    #[error("audit head file {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// It holds something else.
    #[error("audit head file {path}: not a signed head")]
    Form {
        /// The file.
        path: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    previous: u64,
    unix_ms: u64,
    hash: String,
    signature: String,
}

/// Reads the head; `None` where there is no file.
pub(super) fn read(path: &Path) -> Result<Option<SignedHead>, HeadFileError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(path, source)),
    };
    parse(&text).map(Some).ok_or_else(|| HeadFileError::Form {
        path: path.display().to_string(),
    })
}

/// Replaces the head: a new file is written, made durable, and renamed over the old one.
pub(super) fn write(path: &Path, head: &SignedHead) -> Result<(), HeadFileError> {
    let line = Line {
        seq: head.head.seq,
        previous: head.head.previous,
        unix_ms: head.head.unix_ms,
        hash: head.head.hash.to_string(),
        signature: head.signature.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let mut text = canonical_json(&line).map_err(|error| failed(path, io::Error::other(error)))?;
    text.push(b'\n');
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let replace = || {
        let mut file = fs::File::create(&beside)?;
        file.write_all(&text)?;
        file.sync_data()?;
        fs::rename(&beside, path)
    };
    replace().map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> HeadFileError {
    HeadFileError::File {
        path: path.display().to_string(),
        source,
    }
}

fn parse(text: &str) -> Option<SignedHead> {
    let line: Line = serde_json::from_str(text).ok()?;
    let head = Head {
        seq: line.seq,
        previous: line.previous,
        unix_ms: line.unix_ms,
        hash: Hash(hex(&line.hash)?),
    };
    Some(SignedHead {
        head,
        signature: hex(&line.signature)?,
    })
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N.checked_mul(2)? || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
