//! What TLS is spoken with, exchangeable while connections are open, and what a client's certificate says.
//!
//! Certificates are read here and judged by rustls: in the handshake, and again for requests that come later, so that
//! a connection that stays open for days does not outlive a certificate that has expired or was revoked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::Glob;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use sha2::{Digest as _, Sha256};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, oid::ObjectIdentifier};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// How long a certificate that was found good is not looked at again, while nothing changes.
const TRUSTED_FOR: Duration = Duration::from_secs(60);

/// `id-at-commonName`.
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Longer names are none: they go into records.
const LONGEST_NAME: usize = 512;

/// What TLS is spoken with: keys for handshakes, and who judges clients' certificates.
#[derive(Clone)]
pub struct TlsTerms {
    /// For handshakes.
    pub config: Arc<ServerConfig>,
    /// The same judge as in `config`, where clients are asked for certificates.
    pub clients: Option<Arc<dyn ClientCertVerifier>>,
}

/// The terms in force.
pub struct Tls {
    terms: ArcSwap<(u64, TlsTerms)>,
}

impl Tls {
    /// With these terms.
    #[must_use]
    pub fn new(terms: TlsTerms) -> Arc<Tls> {
        Arc::new(Tls {
            terms: ArcSwap::from_pointee((0, terms)),
        })
    }

    /// Puts other terms in force for new connections. Certificates of open ones are judged anew.
    pub fn swap(&self, terms: &TlsTerms) {
        self.terms
            .rcu(|before| Arc::new((before.0.wrapping_add(1), terms.clone())));
    }

    pub(crate) fn present(&self) -> (u64, Arc<ServerConfig>) {
        let terms = self.terms.load();
        (terms.0, Arc::clone(&terms.1.config))
    }
}

/// What kind of name a certificate is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A DNS name of the subject's alternative names.
    Dns,
    /// A URI of them, as SPIFFE ids are.
    Uri,
    /// An e-mail address of them.
    Email,
    /// The common name of the subject.
    CommonName,
}

impl NameKind {
    /// How it is written before a colon.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            NameKind::Dns => "dns",
            NameKind::Uri => "uri",
            NameKind::Email => "email",
            NameKind::CommonName => "cn",
        }
    }
}

/// Which certificates a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePattern {
    /// The kind of name.
    pub kind: NameKind,
    /// The names. DNS names and e-mail addresses are compared in lower case.
    pub names: Glob,
}

/// The certificate that a client has shown.
pub struct ClientCertificate {
    chain: Vec<CertificateDer<'static>>,
    names: Vec<(NameKind, String)>,
    hash: String,
    tls: Arc<Tls>,
    /// Under which terms, and when, it was last found good.
    judged: Mutex<(u64, Instant)>,
}

impl ClientCertificate {
    pub(crate) fn new(
        chain: &[CertificateDer<'_>],
        tls: &Arc<Tls>,
        generation: u64,
    ) -> Option<ClientCertificate> {
        let chain: Vec<CertificateDer<'static>> =
            chain.iter().map(|each| each.clone().into_owned()).collect();
        Some(ClientCertificate {
            names: names(chain.first()?),
            hash: URL_SAFE_NO_PAD.encode(Sha256::digest(chain.first()?)),
            chain,
            tls: Arc::clone(tls),
            judged: Mutex::new((generation, Instant::now())),
        })
    }

    /// Whether it is still good: neither expired nor revoked, and of an authority that is still trusted.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let terms = self.tls.terms.load();
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if judged.0 == terms.0 && judged.1.elapsed() < TRUSTED_FOR {
            return true;
        }
        let (Some(judge), Some((own, between))) = (&terms.1.clients, self.chain.split_first()) else {
            return false;
        };
        let good = judge.verify_client_cert(own, between, UnixTime::now()).is_ok();
        if good {
            *judged = (terms.0, Instant::now());
        }
        good
    }

    /// Its SHA-256 in base64url, as tokens that are bound to it have it (RFC 8705).
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The first of its names that fits.
    #[must_use]
    pub fn name(&self, pattern: &CertificatePattern) -> Option<&str> {
        self.names
            .iter()
            .find(|(kind, name)| *kind == pattern.kind && pattern.names.matches(name))
            .map(|(_, name)| name.as_str())
    }
}

/// The names in a certificate. One that cannot be read has none, and fits no rule.
fn names(certificate: &CertificateDer<'_>) -> Vec<(NameKind, String)> {
    let Ok(certificate) = Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let body = certificate.tbs_certificate();
    let mut names = Vec::new();
    if let Ok(Some((_, alternative))) = body.get_extension::<SubjectAltName>() {
        names.extend(alternative.0.into_iter().filter_map(|name| match name {
            GeneralName::DnsName(name) => Some((NameKind::Dns, name.as_str().to_ascii_lowercase())),
            GeneralName::UniformResourceIdentifier(name) => Some((NameKind::Uri, name.as_str().to_owned())),
            GeneralName::Rfc822Name(name) => Some((NameKind::Email, name.as_str().to_ascii_lowercase())),
            _ => None,
        }));
    }
    let subject = body.subject();
    let how_many = subject.iter().filter(|each| each.oid == COMMON_NAME).count();
    // Of two common names nobody can say which is meant.
    if let (1, Ok(Some(name))) = (how_many, subject.common_name()) {
        names.push((NameKind::CommonName, name.value().into_owned()));
    }
    names.retain(|(_, name)| {
        !name.is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(char::is_control)
    });
    names
}
