//! Where clients learn who issues tokens for this gateway (RFC 9728). The address is the configured one, never that of a request: whoever
//! sends a `host` of their own is not told of it, and nobody else is.

use http::{HeaderValue, Method, Uri};
use portcullis_dialect::{Mcp, find_as};
use serde_json::json;

use crate::JwtIssuer;

/// The path of the description, before the path of what it describes.
pub(crate) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The gateway as a protected resource.
pub(crate) struct Resource {
    address: String,
    issuers: Vec<String>,
    /// What a refused client is told.
    challenge: HeaderValue,
}

impl Resource {
    /// `None` where no issuer makes tokens for it, or the address is none.
    pub fn new(address: &str, issuers: &[JwtIssuer]) -> Option<Resource> {
        if issuers.is_empty() {
            return None;
        }
        let uri: Uri = address.parse().ok()?;
        let base = format!("{}://{}", uri.scheme_str()?, uri.authority()?);
        let path = uri.path().trim_end_matches('/');
        let challenge =
            format!("Bearer realm=\"portcullis\", resource_metadata=\"{base}{WELL_KNOWN}{path}\"");
        Some(Resource {
            address: format!("{base}{path}"),
            issuers: issuers.iter().map(|issuer| issuer.terms.issuer.clone()).collect(),
            challenge: HeaderValue::try_from(challenge).ok()?,
        })
    }

    /// What a refused client is told: where the description is of what it asked for. Clients of servers of tools take the server for the
    /// resource, as their protocol has it.
    pub fn challenge(&self, path: &str) -> HeaderValue {
        let own = self.challenge.as_bytes().strip_suffix(b"\"");
        let of_server = own.filter(|_| Mcp::find("POST", path).is_some()).and_then(|own| {
            let whole = [own, path.as_bytes(), b"\""].concat();
            HeaderValue::from_bytes(&whole).ok()
        });
        of_server.unwrap_or_else(|| self.challenge.clone())
    }

    /// The description that is asked for, if what it describes is here: the whole gateway, or one of its endpoints.
    pub fn describe(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(WELL_KNOWN)?;
        let is_endpoint = || {
            let methods = [Method::POST, Method::GET];
            methods.iter().any(|method| {
                find_as(method.as_str(), rest, None).is_some() || Mcp::find(method.as_str(), rest).is_some()
            })
        };
        let own = self.address.splitn(4, '/').nth(3).unwrap_or_default();
        let resource = match rest.trim_start_matches('/') {
            inner if inner == own || inner.is_empty() => self.address.clone(),
            _ if rest.starts_with('/') && is_endpoint() => format!("{}{rest}", self.address),
            _ => return None,
        };
        let about = json!({
            "resource": resource,
            "authorization_servers": self.issuers,
            "bearer_methods_supported": ["header"],
        });
        Some(about.to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_tools_is_a_resource_of_its_own() {
        let resource = |address: &str| Resource {
            address: address.to_owned(),
            issuers: vec!["https://idp.example".to_owned()],
            challenge: HeaderValue::from_static(
                "Bearer resource_metadata=\"https://g/.well-known/oauth-protected-resource\"",
            ),
        };
        let resource = resource("https://g");
        let told = resource.challenge("/mcp/github");
        assert_eq!(
            told,
            "Bearer resource_metadata=\"https://g/.well-known/oauth-protected-resource/mcp/github\""
        );
        assert_eq!(resource.challenge("/v1/models"), resource.challenge);
        let about = resource
            .describe("/.well-known/oauth-protected-resource/mcp/github")
            .unwrap();
        assert!(about.contains("\"https://g/mcp/github\""), "{about}");
        assert!(
            resource
                .describe("/.well-known/oauth-protected-resource/mcp/a/b")
                .is_none()
        );
    }
}
