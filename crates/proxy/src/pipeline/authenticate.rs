//! Who asks. A key in one of the three headers that SDKs use; two that differ are none. Without any, the client's certificate
//! where the configuration says whose it is.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use portcullis_core::Principal;

use super::receive::Received;
use crate::door::Peer;
use crate::gateway::Guard;
use crate::record::{Record, now_ms};
use crate::{Gateway, Refusal};

/// A request whose sender is known, with the profile that applies to it.
pub(crate) struct Authenticated {
    received: Received,
    principal: Arc<Principal>,
    guard: Arc<Guard>,
}

impl Authenticated {
    pub(super) fn into_parts(self) -> (Received, Arc<Principal>, Arc<Guard>) {
        (self.received, self.principal, self.guard)
    }
}

pub(super) fn authenticate(
    gw: &Gateway,
    request: Received,
    record: &mut Record,
) -> Result<Authenticated, Refusal> {
    let (principal, guard) = identify(gw, &request.peer, &request.head.headers, record)?;
    record.left("authenticate");
    Ok(Authenticated {
        received: request,
        principal,
        guard,
    })
}

/// The sender by the headers of a request and the connection that it came on.
fn identify(
    gw: &Gateway,
    peer: &Peer,
    headers: &HeaderMap,
    record: &mut Record,
) -> Result<(Arc<Principal>, Arc<Guard>), Refusal> {
    // A connection lives longer than its handshake: a certificate that has expired or was revoked since lets nobody in,
    // with whatever key.
    if peer.certificate.as_ref().is_some_and(|shown| !shown.is_good()) {
        return Err(Refusal::Unauthenticated);
    }
    let principal = match credential(headers) {
        Credential::Shown(text) => gw
            .services
            .keyring
            .authenticate(text, now_ms())
            .map_err(|_| Refusal::Unauthenticated)?,
        Credential::Unclear => return Err(Refusal::Unauthenticated),
        Credential::None => certified(gw, peer).ok_or(Refusal::Unauthenticated)?,
    };
    record.principal(&principal);
    // Whoever holds a stolen key learns no more than with a wrong one; the record has the key that was tried.
    if !principal.may_come_from(Some(peer.address.ip())) {
        return Err(Refusal::Unauthenticated);
    }
    gw.services.keyring.used(&principal.key, now_ms());
    let profile = principal.profile.as_deref().unwrap_or("default");
    record.audit.profile = Some(profile.to_owned());
    let guard = gw.profiles.get(profile).cloned();
    // A key whose profile is not configured has no rules: it gets nothing rather than everything.
    let guard = guard.ok_or(Refusal::Unavailable("the profile of this key is not configured"))?;
    Ok((principal, guard))
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
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

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
