//! TLS from files: read, checked to fit together, and read again when they change.
//!
//! What is spoken with them is the data plane's `Tls`. Nothing here opens a socket.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_proxy::{Tls, TlsTerms};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};

/// The largest file that is read: a key or a chain takes a few KiB, a long list of revoked certificates some MiB.
const LARGEST: u64 = 16 << 20;

/// Where TLS of a listener is found, and what is asked of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those between it and its authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of clients' certificates; `None` asks clients for none.
    pub client_ca: Option<PathBuf>,
    /// Whether there is no connection without a certificate.
    pub required: bool,
    /// Lists of revoked client certificates.
    pub crl: Option<PathBuf>,
    /// Protocols to speak over it, the favourite first.
    pub protocols: &'static [&'static str],
}

/// What is wrong with one of the files.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {what}")]
pub struct TlsError {
    /// The setting that names the file.
    pub setting: &'static str,
    /// What is wrong.
    pub what: String,
}

impl TlsError {
    fn new(setting: &'static str, what: impl Into<String>) -> TlsError {
        TlsError {
            setting,
            what: what.into(),
        }
    }
}

/// The bytes of a file that has certificates of authorities.
///
/// # Errors
/// It cannot be read, or there is none in it.
pub fn authorities_in(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let added = certificate
            .map_err(|_| ())
            .and_then(|der| roots.add(der).map_err(|_| ()));
        added.map_err(|()| format!("{} has a certificate that cannot be read", path.display()))?;
    }
    match roots.is_empty() {
        true => Err(format!("{} has no certificate in PEM", path.display())),
        false => Ok(bytes),
    }
}

/// The bytes of the files, as they were at one moment.
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    crl: Option<Vec<u8>>,
}

impl TlsFiles {
    /// Reads the files and makes the terms of them.
    ///
    /// # Errors
    /// The first file that cannot be read or does not fit.
    pub fn load(&self) -> Result<TlsTerms, TlsError> {
        self.terms(&self.read()?)
    }

    fn read(&self) -> Result<Contents, TlsError> {
        let optional = |setting, path: &Option<PathBuf>| match path {
            Some(path) => read(setting, path).map(Some),
            None => Ok(None),
        };
        Ok(Contents {
            cert: read("cert", &self.cert)?,
            key: read("key", &self.key)?,
            client_ca: optional("client_ca", &self.client_ca)?,
            crl: optional("crl", &self.crl)?,
        })
    }

    fn terms(&self, contents: &Contents) -> Result<TlsTerms, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates("cert", &contents.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|error| TlsError::new("key", format!("holds no private key in PEM: {error}")))?;
        let clients = match &contents.client_ca {
            Some(authorities) => Some(self.judge(&provider, authorities, contents.crl.as_deref())?),
            None => None,
        };
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new("cert", error.to_string()))?;
        let builder = match &clients {
            Some(judge) => builder.with_client_cert_verifier(Arc::clone(judge)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| TlsError::new("key", format!("does not fit the certificate: {error}")))?;
        config.alpn_protocols = self
            .protocols
            .iter()
            .map(|protocol| protocol.as_bytes().to_vec())
            .collect();
        if clients.is_some() {
            // A resumed session is one whose certificate nobody looks at again.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(TlsTerms {
            config: Arc::new(config),
            clients,
        })
    }

    fn judge(
        &self,
        provider: &Arc<rustls::crypto::CryptoProvider>,
        authorities: &[u8],
        crl: Option<&[u8]>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates("client_ca", authorities)? {
            roots
                .add(certificate)
                .map_err(|error| TlsError::new("client_ca", format!("holds no authority: {error}")))?;
        }
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        if let Some(lists) = crl {
            let lists = CertificateRevocationListDer::pem_slice_iter(lists)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| TlsError::new("crl", format!("is not PEM: {error}")))?;
            if lists.is_empty() {
                return Err(TlsError::new(
                    "crl",
                    "holds no list of revoked certificates in PEM",
                ));
            }
            builder = builder
                .with_crls(lists)
                .only_check_end_entity_revocation()
                .enforce_revocation_expiration();
        }
        if !self.required {
            builder = builder.allow_unauthenticated();
        }
        let setting = if crl.is_some() { "crl" } else { "client_ca" };
        builder
            .build()
            .map_err(|error| TlsError::new(setting, format!("cannot be used: {error}")))
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let wrong =
        |error: std::io::Error| TlsError::new(setting, format!("cannot read {}: {error}", path.display()));
    let size = std::fs::metadata(path).map_err(wrong)?.len();
    if size > LARGEST {
        return Err(TlsError::new(
            setting,
            format!("{} is larger than 16 MiB", path.display()),
        ));
    }
    std::fs::read(path).map_err(wrong)
}

fn certificates(setting: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::new(setting, format!("is not PEM: {error}")))?;
    match all.is_empty() {
        true => Err(TlsError::new(setting, "holds no certificate in PEM")),
        false => Ok(all),
    }
}

impl Contents {
    fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let parts = [
            Some(&self.cert),
            Some(&self.key),
            self.client_ca.as_ref(),
            self.crl.as_ref(),
        ];
        for part in parts {
            let bytes = part.map_or(&[][..], Vec::as_slice);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        hash.finalize().into()
    }
}

/// TLS of a listener and the files that it comes from.
pub struct Watched {
    /// What the listener speaks with.
    pub tls: Arc<Tls>,
    state: Mutex<State>,
}

struct State {
    files: TlsFiles,
    /// What the files held when they were last looked at; `None` if they could not be read.
    seen: Option<[u8; 32]>,
}

/// Files that were read and found good.
pub struct Ready {
    files: TlsFiles,
    seen: [u8; 32],
    terms: TlsTerms,
}

impl Ready {
    /// Reads the files.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn new(files: TlsFiles) -> Result<Ready, TlsError> {
        let contents = files.read()?;
        Ok(Ready {
            terms: files.terms(&contents)?,
            seen: contents.fingerprint(),
            files,
        })
    }
}

/// What came of a look at the files.
#[derive(Debug, PartialEq, Eq)]
pub enum Looked {
    /// They are as they were.
    Same,
    /// They have changed and are in force.
    Taken,
    /// They have changed and cannot be used.
    Wrong(TlsError),
}

impl Watched {
    /// Takes the files as they are.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn open(files: TlsFiles) -> Result<Watched, TlsError> {
        let ready = Ready::new(files)?;
        Ok(Watched {
            tls: Tls::new(ready.terms),
            state: Mutex::new(State {
                seen: Some(ready.seen),
                files: ready.files,
            }),
        })
    }

    /// Takes files that were made ready.
    pub fn take(&self, ready: Ready) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State {
            seen: Some(ready.seen),
            files: ready.files,
        };
        self.tls.swap(&ready.terms);
    }

    /// Looks whether the files have changed. What is wrong with them is said once.
    pub fn look(&self) -> Looked {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = match state.files.read() {
            Ok(contents) => contents,
            Err(error) => {
                return if state.seen.take().is_some() {
                    Looked::Wrong(error)
                } else {
                    Looked::Same
                };
            }
        };
        let found = contents.fingerprint();
        if state.seen == Some(found) {
            return Looked::Same;
        }
        state.seen = Some(found);
        match state.files.terms(&contents) {
            Ok(terms) => {
                self.tls.swap(&terms);
                Looked::Taken
            }
            Err(error) => Looked::Wrong(error),
        }
    }
}
