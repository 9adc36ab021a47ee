//! Signs whatever it is given, as an identity provider or somebody who would like to be one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

/// A key of one kind.
pub enum Kind {
    Rsa(Box<RsaKeyPair>, Vec<u8>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A key with its name.
pub struct Signer {
    pub kid: &'static str,
    pub kind: Kind,
    random: SystemRandom,
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub fn new(kid: &'static str, kind: Kind) -> Signer {
        Signer {
            kid,
            kind,
            random: SystemRandom::new(),
        }
    }

    pub fn rsa(kid: &'static str) -> Signer {
        let numbers: Vec<Vec<u8>> = include_str!("rsa.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| unhex(line.split_once(' ').unwrap().1))
            .collect();
        let [n, e, d, p, q, dp, dq, qi] = numbers.as_slice() else {
            panic!("eight numbers");
        };
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n, e },
            d,
            p,
            q,
            dP: dp,
            dQ: dq,
            qInv: qi,
        };
        let pair = RsaKeyPair::from_components(&components).unwrap();
        Signer::new(kid, Kind::Rsa(Box::new(pair), n.clone()))
    }

    pub fn p256(kid: &'static str) -> Signer {
        Signer::new(
            kid,
            Kind::P256(ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING)),
        )
    }

    pub fn p384(kid: &'static str) -> Signer {
        Signer::new(
            kid,
            Kind::P384(ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING)),
        )
    }

    pub fn ed25519(kid: &'static str) -> Signer {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Signer::new(
            kid,
            Kind::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap()),
        )
    }

    /// Its public half, as an issuer publishes it.
    pub fn jwk(&self) -> Value {
        let point = |crv: &str, point: &[u8]| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": crv, "x": encode(x), "y": encode(y), "kid": self.kid, "use": "sig" })
        };
        match &self.kind {
            Kind::Rsa(_, n) => {
                json!({ "kty": "RSA", "n": encode(n), "e": "AQAB", "kid": self.kid, "use": "sig" })
            }
            Kind::P256(pair) => point("P-256", pair.public_key().as_ref()),
            Kind::P384(pair) => point("P-384", pair.public_key().as_ref()),
            Kind::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key()), "kid": self.kid })
            }
        }
    }

    pub fn sign(&self, algorithm: &str, text: &[u8]) -> Vec<u8> {
        match &self.kind {
            Kind::Rsa(pair, _) => {
                let by: &dyn signature::RsaEncoding = match algorithm {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut made = vec![0; pair.public().modulus_len()];
                pair.sign(by, &self.random, text, &mut made).unwrap();
                made
            }
            Kind::P256(pair) | Kind::P384(pair) => pair.sign(&self.random, text).unwrap().as_ref().to_vec(),
            Kind::Ed25519(pair) => pair.sign(text).as_ref().to_vec(),
        }
    }

    /// A token with this header and these claims, as they are written.
    pub fn token_of(&self, algorithm: &str, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(self.sign(algorithm, signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A token in order but for what the claims say.
    pub fn token(&self, algorithm: &str, claims: &Value) -> String {
        let header = json!({ "alg": algorithm, "kid": self.kid, "typ": "at+jwt" });
        self.token_of(algorithm, &header.to_string(), &claims.to_string())
    }
}

/// A token signed with a shared secret.
pub fn hs256(header: &str, claims: &str, secret: &[u8]) -> String {
    let signed = format!("{}.{}", encode(header), encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes())))
}

fn ecdsa(by: &'static signature::EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(by, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(by, made.as_ref(), &random).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
