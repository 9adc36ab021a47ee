//! The key that signs heads: an ed25519 key in a PEM file (PKCS#8) that its owner alone can read.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use portcullis_core::Secret;
use sha2::Sha256;

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The file cannot be read or written.
    #[error("signing key {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("signing key {path}: not an ed25519 key in PKCS#8 PEM")]
    Form {
        /// The file.
        path: String,
    },
    /// Others may read the file.
    #[error("signing key {path}: others may read or write it (mode {mode:o}); run chmod 600")]
    Exposed {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// A new key could not be made.
    #[error("a new signing key could not be made: {0}")]
    Make(String),
}

/// A secret for another purpose, the same in every process that has the key, and of no use for finding it.
///
/// # Errors
/// Never: a key of any length is taken.
pub fn secret_for(key: &SigningKey, purpose: &str) -> Result<[u8; 32], SigningKeyError> {
    let seed = Secret::new(key.to_bytes());
    let mut keyed = Hmac::<Sha256>::new_from_slice(seed.expose())
        .map_err(|error| SigningKeyError::Make(error.to_string()))?;
    keyed.update(b"portcullis: ");
    keyed.update(purpose.as_bytes());
    Ok(keyed.finalize().into_bytes().into())
}

/// Reads the key, or makes a new one where there is no file.
///
/// # Errors
/// The file cannot be read or written, holds no such key, or others may read it.
pub fn load_or_create_signing_key(path: &Path) -> Result<SigningKey, SigningKeyError> {
    match load_signing_key(path) {
        Err(SigningKeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => create(path),
        other => other,
    }
}

/// Reads the key.
///
/// # Errors
/// The file cannot be read, holds no such key, or others may read it.
pub fn load_signing_key(path: &Path) -> Result<SigningKey, SigningKeyError> {
    check_permissions(path)?;
    let pem = Secret::new(fs::read_to_string(path).map_err(|source| failed(path, source))?);
    SigningKey::from_pkcs8_pem(pem.expose()).map_err(|_| SigningKeyError::Form {
        path: path.display().to_string(),
    })
}

/// The public key as one line of base64, to be kept by whoever verifies.
#[must_use]
pub fn public_key_text(key: &VerifyingKey) -> String {
    STANDARD.encode(key.as_bytes())
}

/// Reads a public key as [`public_key_text`] writes it; `None` if it is not one.
#[must_use]
pub fn public_key_from_text(text: &str) -> Option<VerifyingKey> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    VerifyingKey::from_bytes(bytes.as_slice().try_into().ok()?).ok()
}

fn failed(path: &Path, source: io::Error) -> SigningKeyError {
    SigningKeyError::File {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(unix)]
fn check_permissions(path: &Path) -> Result<(), SigningKeyError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path)
        .map_err(|source| failed(path, source))?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(SigningKeyError::Exposed {
        path: path.display().to_string(),
        mode,
    })
}

#[cfg(not(unix))]
fn check_permissions(_path: &Path) -> Result<(), SigningKeyError> {
    Ok(())
}

fn create(path: &Path) -> Result<SigningKey, SigningKeyError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| SigningKeyError::Make(error.to_string()))?;
    let key = SigningKey::from_bytes(Secret::new(seed).expose());
    let pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|error| SigningKeyError::Make(error.to_string()))?;
    let mut options = fs::OpenOptions::new();
    // Never over a file that appeared meanwhile: another process may have begun to sign with it.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(path).map_err(|source| failed(path, source))?;
    out.write_all(pem.as_bytes())
        .and_then(|()| out.sync_all())
        .map_err(|source| failed(path, source))?;
    Ok(key)
}
