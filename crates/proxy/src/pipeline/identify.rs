//! What a request shows of itself, and whose that is: an API key, a token of an identity provider, or the certificate of its connection.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use portcullis_core::{Network, Principal};

use crate::door::Peer;
use crate::identity::Denied;
use crate::record::now_ms;
use crate::{Gateway, Refusal};

/// Hops of `x-forwarded-for` that are followed.
const HOPS: usize = 32;

/// The sender of a request, by its headers and the connection that it came on.
pub(super) async fn identify(
    gw: &Gateway,
    peer: &Peer,
    headers: &HeaderMap,
) -> Result<Arc<Principal>, Refusal> {
    // A connection lives longer than its handshake: a certificate that has expired or was revoked since lets nobody in,
    // with whatever key.
    if peer.certificate.as_ref().is_some_and(|shown| !shown.is_good()) {
        tracing::info!(source = %peer.address, "a client's certificate is not good any more");
        return Err(Refusal::Unauthenticated);
    }
    let text = match credential(headers) {
        Credential::Shown(text) => text,
        Credential::Unclear => return Err(wrong(gw, peer, headers, "no credential, or several that differ")),
        Credential::None => return certified(gw, peer).ok_or(Refusal::Unauthenticated),
    };
    // A token is three parts with dots; a key has none.
    if gw.issuers.is_empty() || !text.contains('.') {
        let known = gw.services.keyring.authenticate(text, now_ms());
        return known.map_err(|error| wrong(gw, peer, headers, error));
    }
    let certificate = peer.certificate.as_ref().map(|shown| shown.hash());
    let known = gw
        .issuers
        .authenticate(&gw.services.client, text, now_ms() / 1000, certificate)
        .await;
    match known {
        Ok(principal) => Ok(principal),
        Err(Denied::Token(error)) => Err(wrong(gw, peer, headers, error)),
        Err(Denied::NoKeys) => Err(Refusal::Unavailable("the identity provider cannot be reached")),
    }
}

/// What a wrong credential is answered with: that it is one, or, where the source has shown too many, that it is to wait.
pub(super) fn wrong(gw: &Gateway, peer: &Peer, headers: &HeaderMap, why: impl std::fmt::Display) -> Refusal {
    let source = source(gw, peer.address.ip(), headers);
    match gw.services.identity.guesses.wrong(source, gw.guesses, now_ms()) {
        None => {
            tracing::info!(%source, %why, "a credential was refused");
            Refusal::Unauthenticated
        }
        Some(wait_ms) => {
            tracing::debug!(%source, %why, "a credential was refused, after too many");
            Refusal::RateLimited(wait_ms)
        }
    }
}

/// Where a request comes from: the other end of the connection, or, where that is a proxy that is trusted, who it says was at
/// its other end.
pub(crate) fn source(gw: &Gateway, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let trusted = |address: IpAddr| {
        gw.trusted_proxies
            .iter()
            .any(|network: &Network| network.contains(address))
    };
    followed(peer, headers, trusted)
}

/// Each proxy adds the address that it was reached from at the end, so the list is believed from there for as long as those who
/// wrote it are trusted. What is before that anybody can have written.
fn followed(peer: IpAddr, headers: &HeaderMap, trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut current = peer.to_canonical();
    let lines: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .map(|line| line.to_str().unwrap_or("?"))
        .collect();
    let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
    for hop in hops.take(HOPS) {
        if !trusted(current) {
            break;
        }
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            break;
        };
        current = address.to_canonical();
    }
    current
}

/// Who the certificate of a connection belongs to, by the first rule that fits.
fn certified(gw: &Gateway, peer: &Peer) -> Option<Arc<Principal>> {
    let certificate = peer.certificate.as_ref()?;
    gw.certificates.iter().find_map(|rule| {
        let name = certificate.name(&rule.pattern)?;
        Some(Arc::new(rule.principal(name)))
    })
}

/// What a request shows of itself.
#[derive(Debug, PartialEq, Eq)]
enum Credential<'a> {
    /// Nothing.
    None,
    /// Several that differ, or something that is no credential: nobody can say what is meant.
    Unclear,
    /// One.
    Shown(&'a str),
}

fn credential(headers: &HeaderMap) -> Credential<'_> {
    let bearer = headers.get_all(AUTHORIZATION).iter().map(|value| {
        let text = value.to_str().ok()?;
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let bare = ["x-api-key", "x-goog-api-key"]
        .into_iter()
        .flat_map(|name| headers.get_all(name));
    let mut shown = bearer.chain(bare.map(|value| value.to_str().ok().map(str::trim)));
    match shown.next() {
        None => Credential::None,
        Some(Some(first)) if shown.all(|other| other == Some(first)) => Credential::Shown(first),
        Some(_) => Credential::Unclear,
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_list_of_hops_is_believed_as_far_as_proxies_are_trusted() {
        let from = |peer: &str, lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            let own = |address: IpAddr| matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 10);
            followed(peer.parse().unwrap(), &headers, own).to_string()
        };
        assert_eq!(from("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(from("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(
            from("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"]),
            "198.51.100.7"
        );
        assert_eq!(from("10.0.0.1", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(from("10.0.0.1", &["203.0.113.9, unknown"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["203.0.113.9,"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["2001:db8::1"]), "2001:db8::1");
    }

    #[test]
    fn one_credential_in_any_of_three_headers() {
        let credential_of = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            match credential(&headers) {
                Credential::None => "nothing".to_owned(),
                Credential::Unclear => "unclear".to_owned(),
                Credential::Shown(text) => text.to_owned(),
            }
        };
        assert_eq!(credential_of(&[("authorization", "Bearer abc")]), "abc");
        assert_eq!(credential_of(&[("authorization", "bearer abc")]), "abc");
        assert_eq!(credential_of(&[("x-api-key", "abc")]), "abc");
        assert_eq!(
            credential_of(&[("x-goog-api-key", "abc"), ("authorization", "Bearer abc")]),
            "abc"
        );
        assert_eq!(
            credential_of(&[("x-goog-api-key", "abc"), ("authorization", "Bearer abd")]),
            "unclear"
        );
        assert_eq!(
            credential_of(&[("authorization", "Basic abc"), ("x-api-key", "abc")]),
            "unclear"
        );
        assert_eq!(
            credential_of(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
            "unclear"
        );
        assert_eq!(credential_of(&[]), "nothing");
    }
}
