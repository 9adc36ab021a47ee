//! The keys of an issuer (RFC 7517): which of them verify tokens, and by what algorithm. It computes from its arguments alone.
//!
//! There are no shared secrets here: a key that signs what it verifies would be known to two.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use portcullis_dialect::{Document, NodeId, Sort};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

/// More keys than an issuer has.
const MOST: usize = 100;

/// An algorithm that a token may be signed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA, PKCS #1, SHA-256.
    Rs256,
    /// RSA, PKCS #1, SHA-384.
    Rs384,
    /// RSA, PKCS #1, SHA-512.
    Rs512,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// RSA, PSS, SHA-384.
    Ps384,
    /// RSA, PSS, SHA-512.
    Ps512,
    /// ECDSA on P-256, SHA-256.
    Es256,
    /// ECDSA on P-384, SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 9] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ];

    /// Its name in tokens and keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    /// The one of that name; case matters.
    #[must_use]
    pub fn named(name: &str) -> Option<Algorithm> {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }
}

/// What a key is.
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key that verifies.
pub struct Key {
    kid: Option<String>,
    /// The only algorithm that its issuer means it for, where it says so.
    only: Option<Algorithm>,
    material: Material,
}

impl Key {
    fn takes(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let fits = match &self.material {
            Material::Rsa { .. } => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        fits && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether the signature is by this key, by an algorithm that it takes.
    pub fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        if !self.takes(algorithm) {
            return false;
        }
        let done = match (&self.material, algorithm) {
            (Material::Rsa { n, e }, _) => {
                let by = match algorithm {
                    Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
                    Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => return false,
                };
                RsaPublicKeyComponents { n, e }.verify(by, signed, signature)
            }
            (Material::P256(point), _) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            (Material::P384(point), _) => {
                UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).verify(signed, signature)
            }
            (Material::Ed25519(point), _) => {
                UnparsedPublicKey::new(&signature::ED25519, point).verify(signed, signature)
            }
        };
        done.is_ok()
    }
}

/// The keys of an issuer that verify.
#[derive(Default)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// Reads a set. Keys that are of no use here (for encryption, of other kinds, too small) are left out, so that an issuer may
    /// have them; `None` where it is no set of keys.
    pub fn read(bytes: Bytes) -> Option<KeySet> {
        let document = Document::read(bytes).ok()?;
        let keys = document
            .at(&["keys"])
            .filter(|keys| document.sort(*keys) == Sort::Array)?;
        let read = document.items(keys).take(MOST);
        Some(KeySet(read.filter_map(|key| read_key(&document, key)).collect()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The keys that a token means: those of its `kid`; without one the only key that takes its algorithm.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        let fitting = move |key: &&Key| key.takes(algorithm) && (kid.is_none() || key.kid.as_deref() == kid);
        let clear = kid.is_some() || self.0.iter().filter(fitting).count() == 1;
        self.0.iter().filter(move |key| clear && fitting(key))
    }
}

fn read_key(document: &Document, key: NodeId) -> Option<Key> {
    let text = |name: &str| document.member(key, name).map(|node| document.as_str(node));
    // A member of the wrong sort makes a key that nobody can say anything about.
    let optional = |name: &str| match text(name) {
        None => Some(None),
        Some(Some(value)) => Some(Some(value)),
        Some(None) => None,
    };
    if optional("use")?.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    if let Some(operations) = document.member(key, "key_ops") {
        let verifies = document
            .items(operations)
            .any(|each| document.as_str(each) == Some("verify"));
        if !verifies {
            return None;
        }
    }
    let only = match optional("alg")? {
        Some(name) => Some(Algorithm::named(name)?),
        None => None,
    };
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)??).ok();
    let point = |size: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        (x.len() == size && y.len() == size).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
    };
    let material = match (text("kty")??, optional("crv")?) {
        ("RSA", _) => {
            let plain =
                |bytes: Vec<u8>| -> Vec<u8> { bytes.into_iter().skip_while(|byte| *byte == 0).collect() };
            let (n, e) = (plain(bytes("n")?), plain(bytes("e")?));
            let bits = n.len().saturating_mul(8).saturating_sub(
                n.first()
                    .map_or(0, |byte| usize::try_from(byte.leading_zeros()).unwrap_or(0)),
            );
            if !(2048..=8192).contains(&bits) || e.is_empty() {
                return None;
            }
            Material::Rsa { n, e }
        }
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
        _ => return None,
    };
    let key = Key {
        kid: optional("kid")?.map(str::to_owned),
        only,
        material,
    };
    // An `alg` of another kind of key.
    Algorithm::ALL
        .into_iter()
        .any(|algorithm| key.takes(algorithm))
        .then_some(key)
}
