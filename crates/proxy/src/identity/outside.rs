//! What others of this process may ask about who somebody is: the operators' side knows people as the data plane does, by the same
//! issuers, keys, proxies and counts of guesses. It shares no socket and no request with it.

use std::net::IpAddr;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Request};
use portcullis_core::KeyId;
use portcullis_dialect::Document;
use portcullis_policy::access::Access;

use super::issuers::{Denied, Shown};
use super::source::{PATIENCE, described, fetched, safe};
use super::token::{Claims, Terms, TokenError, Unverified};
use crate::Gateway;
use crate::gateway::named_id;
use crate::record::now_ms;

/// The id of somebody whom an issuer knows by this name, the same for access tokens and logins.
#[must_use]
pub fn subject_id(issuer: &str, subject: &str) -> KeyId {
    named_id("jwt_", &[issuer, subject])
}

impl Gateway {
    /// Who shows this token of a configured issuer. A token that is bound to a client's certificate is refused here.
    ///
    /// # Errors
    /// It lets nobody in.
    pub async fn shown(&self, token: &str) -> Result<Shown, Denied> {
        self.issuers
            .shown(&self.services.client, token, now_ms() / 1000)
            .await
    }

    /// Notes a wrong credential of a source; where there were too many, milliseconds until another would be looked at as one.
    #[must_use]
    pub fn guessed(&self, source: IpAddr) -> Option<u64> {
        self.services
            .identity
            .guesses
            .wrong(source, self.guesses, now_ms())
    }

    /// Where a request comes from, by the other end of its connection and by what proxies that are trusted say.
    #[must_use]
    pub fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        crate::pipeline::source(self, peer, headers)
    }

    /// The policies in force, if there are any.
    #[must_use]
    pub fn access(&self) -> Option<&Access> {
        self.access.as_deref()
    }

    /// What an issuer says of itself.
    ///
    /// # Errors
    /// It cannot be had; a phrase for the log.
    pub async fn describe_issuer(&self, issuer: &str) -> Result<Document, &'static str> {
        let described = described(&self.services.client, issuer);
        let described = tokio::time::timeout(PATIENCE, described).await;
        described.unwrap_or(Err("it did not answer in time"))
    }

    /// Sends a form to an issuer, by HTTPS or on this machine, and gives its answer.
    ///
    /// # Errors
    /// There is none that is good; a phrase for the log.
    pub async fn post_form(
        &self,
        address: &str,
        form: String,
        authorization: Option<HeaderValue>,
    ) -> Result<Bytes, &'static str> {
        let mut request =
            Request::post(safe(address)?).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let fetched = fetched(&self.services.client, request, Bytes::from(form));
        let fetched = tokio::time::timeout(PATIENCE, fetched).await;
        fetched.unwrap_or(Err("it did not answer in time"))
    }

    /// The claims of a token by these terms, whether or not its issuer is one of those of access tokens.
    ///
    /// # Errors
    /// It is not good, or the issuer's keys cannot be had.
    pub async fn claims(&self, terms: &Terms, token: &str) -> Result<Claims, Denied> {
        let client = &self.services.client;
        let unverified = Unverified::read(token)?;
        if unverified.issuer() != Some(terms.issuer.as_str()) {
            return Err(TokenError::Issuer.into());
        }
        let source = self.services.identity.keys.of(&terms.issuer, None);
        source.keep(client).await;
        let keys = source.keys_for(client, &unverified).await;
        let keys = keys.ok_or(Denied::NoKeys)?;
        Ok(unverified.verify(terms, &keys.keys, now_ms() / 1000)?)
    }
}
