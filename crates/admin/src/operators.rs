//! Who operators are besides the holder of the admin token: people whom an identity provider knows, and what they may do.
//!
//! Who knows them is given to this crate: it speaks to no provider and reads no policy.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::HeaderMap;

/// Somebody whom an identity provider knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The id, made of issuer and subject.
    pub id: String,
    /// The name: the subject.
    pub name: String,
    /// Who says so.
    pub issuer: String,
    /// The roles that the issuer gives.
    pub roles: Vec<String>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The holder of the admin token, who may do everything.
    Root,
    /// Somebody whom an identity provider knows.
    Known(Arc<Operator>),
}

impl Who {
    /// The name for people and logs.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Who::Root => "admin token",
            Who::Known(operator) => &operator.name,
        }
    }

    /// The id for logs.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Who::Root => "root",
            Who::Known(operator) => &operator.id,
        }
    }
}

/// What an operator wants.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The path of the route, as [`crate::ROUTES`] has it.
    pub path: &'a str,
    /// The method, in upper case.
    pub method: &'a str,
    /// Whether something is changed by it.
    pub changes: bool,
    /// Where the request comes from.
    pub source: IpAddr,
}

/// Why nobody is known by what was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It is wrong.
    Wrong,
    /// Whoever could tell cannot be reached.
    OutOfReach,
}

/// The secrets of one login that is under way, each of 256 random bits in hexadecimal digits.
pub struct Begun {
    /// Ties the way back to the way out.
    pub state: String,
    /// Ties the ID token to this login.
    pub nonce: String,
    /// The secret of PKCE (RFC 7636).
    pub verifier: String,
}

/// Who knows operators. What is not said otherwise knows nobody.
#[async_trait]
pub trait Operators: Send + Sync {
    /// Where a request comes from, by the other end of its connection and by its headers.
    fn source(&self, peer: IpAddr, _headers: &HeaderMap) -> IpAddr {
        peer.to_canonical()
    }

    /// Notes a wrong credential of a source; where there were too many, how many milliseconds it is to wait.
    fn guessed(&self, _source: IpAddr) -> Option<u64> {
        None
    }

    /// Who shows this text that is not the admin token.
    async fn known(&self, _token: &str) -> Result<Operator, Unknown> {
        Err(Unknown::Wrong)
    }

    /// Whether an operator may do this.
    fn may(&self, _operator: &Operator, _asked: &Asked<'_>) -> bool {
        false
    }

    /// Whether browsers reach the console by HTTPS alone.
    fn is_encrypted(&self) -> bool {
        false
    }

    /// Whether one can log in at an identity provider.
    fn has_login(&self) -> bool {
        false
    }

    /// The address of the provider that a browser is sent to.
    async fn begin_login(&self, _begun: &Begun) -> Result<String, Unknown> {
        Err(Unknown::Wrong)
    }

    /// Who came back with this code. `issuer` is who says to have sent them (RFC 9207), where anybody does.
    async fn end_login(
        &self,
        _begun: &Begun,
        _code: &str,
        _issuer: Option<&str>,
    ) -> Result<Operator, Unknown> {
        Err(Unknown::Wrong)
    }
}

/// Nobody but the holder of the token.
pub(crate) struct Nobody;

impl Operators for Nobody {}
