//! Reading a JSON Web Token, and what must be true of it (RFC 7519, 8725, 9068). It computes from its arguments alone.
//!
//! Whatever another reader could read otherwise is refused: members that are there twice, padding, bits that mean
//! nothing, numbers in disguise. The key says which algorithms may be used with it, never the token; keys that a token brings
//! along or points to are not looked at, and such a token is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use portcullis_dialect::{Document, NodeId, Sort};
use thiserror::Error;

use super::keys::{Algorithm, KeySet};

/// The longest token, in bytes. Proxies before the gateway take headers of some 8 KiB.
pub const LONGEST: usize = 8192;

/// The longest name of a key, in bytes.
const LONGEST_KID: usize = 256;

/// The longest issuer, subject or other name that is taken from a token, in bytes.
const LONGEST_NAME: usize = 256;

/// Why a token is not accepted. It goes into the log, never to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Longer than [`LONGEST`].
    #[error("too long")]
    TooLong,
    /// Not three parts with a signature.
    #[error("not three parts")]
    Parts,
    /// A part that is not base64url without padding, in its one spelling.
    #[error("not base64url")]
    Encoding,
    /// A part that is not one JSON object with each member once.
    #[error("not strict JSON")]
    Json,
    /// A member of the header that is missing, of the wrong sort, or that is not accepted.
    #[error("header `{0}`")]
    Header(&'static str),
    /// No algorithm that is accepted.
    #[error("algorithm")]
    Algorithm,
    /// A claim that is missing, of the wrong sort, or wrong.
    #[error("claim `{0}`")]
    Claim(&'static str),
    /// No configured issuer.
    #[error("unknown issuer")]
    Issuer,
    /// No key of the issuer's is meant.
    #[error("unknown key")]
    Key,
    /// The signature is not by that key.
    #[error("signature")]
    Signature,
    /// It says that its time is over.
    #[error("expired")]
    Expired,
    /// It says that its time has not come.
    #[error("not yet valid")]
    NotYet,
    /// It is older than the issuer's tokens may be.
    #[error("too old")]
    TooOld,
    /// It is bound to a client certificate that this connection did not show.
    #[error("bound to another client")]
    Bound,
    /// Nobody here has that team, and the issuer's settings want one.
    #[error("no profile for its team")]
    Unmapped,
}

/// A token that was read and in which nothing is believed yet.
pub struct Unverified<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    kid: Option<String>,
    claims: Document,
}

/// What must be true of an issuer's tokens.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who issues them, exactly.
    pub issuer: String,
    /// Whom they may be for; one of these must be named.
    pub audiences: Vec<String>,
    /// Algorithms that are accepted; empty takes whatever the key may be used with.
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may be apart, in seconds.
    pub leeway: u64,
    /// How old a token may be, in seconds since `iat`, whatever its `exp`.
    pub max_age: Option<u64>,
}

impl<'t> Unverified<'t> {
    /// Reads a token.
    ///
    /// # Errors
    /// It has no form that is accepted.
    pub fn read(token: &'t str) -> Result<Unverified<'t>, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Parts)?;
        if claims.contains('.') || header.is_empty() || claims.is_empty() || signature.is_empty() {
            return Err(TokenError::Parts);
        }
        let header = object(header)?;
        let (algorithm, kid) = read_header(&header)?;
        Ok(Unverified {
            signed,
            signature: URL_SAFE_NO_PAD
                .decode(signature)
                .map_err(|_| TokenError::Encoding)?,
            algorithm,
            kid,
            claims: object(claims)?,
        })
    }

    /// Who is said to have issued it.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.str_at(&["iss"])
    }

    /// Whether one of the keys is meant.
    pub fn knows(&self, keys: &KeySet) -> bool {
        keys.find(self.kid.as_deref(), self.algorithm).next().is_some()
    }

    /// The claims, once everything is true that must be.
    ///
    /// # Errors
    /// The first thing that is not.
    pub fn verify(self, terms: &Terms, keys: &KeySet, now: u64) -> Result<Claims, TokenError> {
        if !terms.algorithms.is_empty() && !terms.algorithms.contains(&self.algorithm) {
            return Err(TokenError::Algorithm);
        }
        let mut candidates = keys.find(self.kid.as_deref(), self.algorithm).peekable();
        if candidates.peek().is_none() {
            return Err(TokenError::Key);
        }
        let signed = self.signed.as_bytes();
        if !candidates.any(|key| key.verifies(self.algorithm, signed, &self.signature)) {
            return Err(TokenError::Signature);
        }
        let claims = Claims(self.claims);
        claims.hold(terms, now)?;
        Ok(claims)
    }
}

fn object(part: &str) -> Result<Document, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Encoding)?;
    let document = Document::read(Bytes::from(bytes)).map_err(|_| TokenError::Json)?;
    match document.sort(document.root()) {
        Sort::Object => Ok(document),
        _ => Err(TokenError::Json),
    }
}

fn read_header(header: &Document) -> Result<(Algorithm, Option<String>), TokenError> {
    // Keys that the token brings or points to, extensions that must be understood, forms that sign something else.
    const REFUSED: &[&str] = &["jku", "jwk", "x5u", "x5c", "crit", "b64", "enc", "zip", "cty"];
    for name in REFUSED {
        if header.at(&[name]).is_some() {
            return Err(TokenError::Header(name));
        }
    }
    if let Some(typ) = header.at(&["typ"]) {
        let typ = header
            .as_str(typ)
            .ok_or(TokenError::Header("typ"))?
            .to_ascii_lowercase();
        if !matches!(typ.as_str(), "jwt" | "at+jwt" | "application/at+jwt") {
            return Err(TokenError::Header("typ"));
        }
    }
    let kid = match header.at(&["kid"]) {
        None => None,
        Some(kid) => {
            let kid = header.as_str(kid).ok_or(TokenError::Header("kid"))?;
            if kid.is_empty() || kid.len() > LONGEST_KID {
                return Err(TokenError::Header("kid"));
            }
            Some(kid.to_owned())
        }
    };
    let algorithm = header.str_at(&["alg"]).and_then(Algorithm::named);
    Ok((algorithm.ok_or(TokenError::Algorithm)?, kid))
}

/// The claims of a token that is good.
pub struct Claims(Document);

impl Claims {
    fn hold(&self, terms: &Terms, now: u64) -> Result<(), TokenError> {
        if self.0.str_at(&["iss"]) != Some(terms.issuer.as_str()) {
            return Err(TokenError::Claim("iss"));
        }
        let audiences = self.strings("aud")?;
        if !audiences
            .iter()
            .any(|given| terms.audiences.iter().any(|own| own == given))
        {
            return Err(TokenError::Claim("aud"));
        }
        self.subject().ok_or(TokenError::Claim("sub"))?;
        let expires = self.time("exp")?.ok_or(TokenError::Claim("exp"))?;
        if expires.saturating_add(terms.leeway) <= now {
            return Err(TokenError::Expired);
        }
        let soon = now.saturating_add(terms.leeway);
        if self.time("nbf")?.is_some_and(|begins| begins > soon) {
            return Err(TokenError::NotYet);
        }
        let issued = self.time("iat")?;
        if issued.is_some_and(|issued| issued > soon) {
            return Err(TokenError::NotYet);
        }
        if let Some(age) = terms.max_age {
            let issued = issued.ok_or(TokenError::Claim("iat"))?;
            if issued.saturating_add(age).saturating_add(terms.leeway) <= now {
                return Err(TokenError::TooOld);
            }
        }
        self.binding()?;
        Ok(())
    }

    /// Whom it is about.
    pub fn subject(&self) -> Option<&str> {
        self.0.str_at(&["sub"]).filter(|sub| is_name(sub))
    }

    /// When its time is over by these terms, in seconds since 1970.
    pub fn until(&self, terms: &Terms) -> u64 {
        let expires = self.time("exp").ok().flatten().unwrap_or(0);
        let aged = terms.max_age.map(|age| {
            let issued = self.time("iat").ok().flatten().unwrap_or(0);
            issued.saturating_add(age)
        });
        aged.map_or(expires, |aged| aged.min(expires))
            .saturating_add(terms.leeway)
    }

    /// The hash of the client certificate that it is bound to (RFC 8705), as written.
    ///
    /// # Errors
    /// It is bound to something that is not checked here: then whoever stole it could use it.
    pub fn binding(&self) -> Result<Option<&str>, TokenError> {
        let Some(bound) = self.0.at(&["cnf"]) else {
            return Ok(None);
        };
        let mut members = self.0.members(bound);
        match (members.next(), members.next()) {
            (Some((name, value)), None) if self.0.text(name) == "x5t#S256" => {
                self.0.as_str(value).map(Some).ok_or(TokenError::Claim("cnf"))
            }
            _ => Err(TokenError::Claim("cnf")),
        }
    }

    /// The texts of a claim: of a text itself, of a list its texts. A claim is found by its whole name, else by its path with dots.
    pub fn texts(&self, claim: &str) -> Vec<&str> {
        let path: Vec<&str> = claim.split('.').collect();
        let Some(node) = self.0.at(&[claim]).or_else(|| self.0.at(&path)) else {
            return Vec::new();
        };
        let one = self.0.as_str(node);
        let many = self.0.items(node).filter_map(|item| self.0.as_str(item));
        one.into_iter().chain(many).filter(|text| is_name(text)).collect()
    }

    /// A claim that is one text, whatever it says.
    #[must_use]
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.0.str_at(&[claim])
    }

    fn strings(&self, claim: &'static str) -> Result<Vec<&str>, TokenError> {
        let node = self.0.at(&[claim]).ok_or(TokenError::Claim(claim))?;
        let text = |node: NodeId| self.0.as_str(node).ok_or(TokenError::Claim(claim));
        match self.0.sort(node) {
            Sort::Array => self.0.items(node).map(text).collect(),
            _ => Ok(vec![text(node)?]),
        }
    }

    /// A time in seconds. Only plain digits, perhaps with a fraction, which is cut off: there is one reading of those.
    fn time(&self, claim: &'static str) -> Result<Option<u64>, TokenError> {
        let Some(node) = self.0.at(&[claim]) else {
            return Ok(None);
        };
        let wrong = TokenError::Claim(claim);
        if self.0.sort(node) != Sort::Number {
            return Err(wrong);
        }
        let written = self.0.text(node);
        let (whole, fraction) = written.split_once('.').unwrap_or((written, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() > 12 || fraction.len() > 12 || !digits(whole) || !digits(fraction) {
            return Err(wrong);
        }
        whole.parse().map(Some).map_err(|_| wrong)
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_NAME && !text.chars().any(char::is_control)
}
