//! Small files, read once and whole, up to a size. Weights are read tensor by tensor in `weights`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::LoadError;

/// A file and its size in bytes.
pub fn open(path: &Path) -> Result<(File, u64), LoadError> {
    let read = |why| LoadError::Read {
        file: path.to_owned(),
        why,
    };
    let file = File::open(path).map_err(read)?;
    let about = file.metadata().map_err(read)?;
    if !about.is_file() {
        return Err(LoadError::Malformed {
            file: path.to_owned(),
            why: "not a file".to_owned(),
        });
    }
    Ok((file, about.len()))
}

/// All of a file.
pub fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let (file, _) = open(path)?;
    let mut raw = Vec::new();
    // One byte more than the limit tells a file at the limit from one beyond it.
    file.take(limit.saturating_add(1))
        .read_to_end(&mut raw)
        .map_err(|why| LoadError::Read {
            file: path.to_owned(),
            why,
        })?;
    if raw.len() as u64 > limit {
        return Err(LoadError::Large {
            file: path.to_owned(),
            limit,
        });
    }
    Ok(raw)
}

/// What a file of JSON says.
pub fn json<T: DeserializeOwned>(path: &Path, limit: u64) -> Result<T, LoadError> {
    serde_json::from_slice(&bytes(path, limit)?).map_err(|why| LoadError::Malformed {
        file: path.to_owned(),
        why: why.to_string(),
    })
}
