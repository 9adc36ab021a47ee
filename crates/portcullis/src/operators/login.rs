//! Logging in at an identity provider: OpenID Connect, authorization code with PKCE (RFC 7636). What is believed is the ID token that the
//! provider gives to us, read by the verifier of access tokens.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use portcullis_admin::{Begun, Operator, Unknown};
use portcullis_core::Secret;
use portcullis_dialect::Document;
use portcullis_proxy::{Claims, Denied, Gateway, Terms, is_safe, subject_id};
use sha2::{Digest as _, Sha256};

/// How long what a provider says of itself is believed, and how long it is not asked again where it did not answer: whoever may not
/// log in cannot have it asked more often.
const BELIEVED: Duration = Duration::from_secs(300);
const AGAIN: Duration = Duration::from_secs(5);

/// Where and how operators log in.
#[derive(Clone)]
pub struct LoginSettings {
    /// What must be true of ID tokens; the audience is the client.
    pub terms: Terms,
    /// What the provider knows this gateway by.
    pub client_id: String,
    /// What proves it, where the provider wants that besides PKCE.
    pub client_secret: Option<Secret<String>>,
    /// Where the provider sends browsers back to.
    pub redirect: String,
    /// What is asked for, separated by spaces.
    pub scope: String,
    /// The claim that has the roles.
    pub roles: String,
}

/// What a provider says of itself.
#[derive(Clone)]
struct Provider {
    authorize: String,
    token: String,
    /// Whether it wants the secret in the form.
    secret_in_form: bool,
    /// Whether it always says who sends the browser back (RFC 9207).
    says_issuer: bool,
}

impl Provider {
    fn read(about: &Document) -> Option<Provider> {
        let address = |name| {
            let text = about.str_at(&[name])?;
            text.parse()
                .is_ok_and(|uri| is_safe(&uri))
                .then(|| text.to_owned())
        };
        let methods = about.at(&["token_endpoint_auth_methods_supported"]);
        let has = |method: &str| {
            let mut items = methods.into_iter().flat_map(|methods| about.items(methods));
            items.any(|item| about.as_str(item) == Some(method))
        };
        let says = about.at(&["authorization_response_iss_parameter_supported"]);
        Some(Provider {
            authorize: address("authorization_endpoint")?,
            token: address("token_endpoint")?,
            secret_in_form: has("client_secret_post") && !has("client_secret_basic"),
            says_issuer: says.is_some_and(|says| about.text(says) == "true"),
        })
    }
}

/// A provider, and what is known of it.
pub(super) struct Login {
    settings: LoginSettings,
    known: tokio::sync::Mutex<Option<(Instant, Option<Provider>)>>,
}

impl Login {
    pub(super) fn new(settings: LoginSettings) -> Login {
        Login {
            settings,
            known: tokio::sync::Mutex::new(None),
        }
    }

    async fn provider(&self, gateway: &Gateway) -> Result<Provider, Unknown> {
        let mut known = self.known.lock().await;
        if let Some((when, provider)) = known.as_ref() {
            let fresh = if provider.is_some() { BELIEVED } else { AGAIN };
            if when.elapsed() < fresh {
                return provider.clone().ok_or(Unknown::OutOfReach);
            }
        }
        let issuer = &self.settings.terms.issuer;
        let provider = match gateway.describe_issuer(issuer).await {
            Ok(about) => Provider::read(&about).ok_or("its description has no endpoints that may be used"),
            Err(why) => Err(why),
        };
        let provider = provider.inspect_err(|why| tracing::warn!(%issuer, "nobody can log in there: {why}"));
        *known = Some((Instant::now(), provider.clone().ok()));
        provider.map_err(|_| Unknown::OutOfReach)
    }

    /// Where a browser is sent.
    pub(super) async fn begin(&self, gateway: &Gateway, begun: &Begun) -> Result<String, Unknown> {
        let provider = self.provider(gateway).await?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(begun.verifier.as_bytes()));
        let asked = form(&[
            ("response_type", "code"),
            ("client_id", &self.settings.client_id),
            ("redirect_uri", &self.settings.redirect),
            ("scope", &self.settings.scope),
            ("state", &begun.state),
            ("nonce", &begun.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let joint = if provider.authorize.contains('?') {
            '&'
        } else {
            '?'
        };
        Ok(format!("{}{joint}{asked}", provider.authorize))
    }

    /// Who came back.
    pub(super) async fn end(
        &self,
        gateway: &Gateway,
        begun: &Begun,
        code: &str,
        issuer: Option<&str>,
    ) -> Result<Operator, Unknown> {
        let refused = |why: &str| {
            tracing::info!("a login at the identity provider was refused: {why}");
            Unknown::Wrong
        };
        let provider = self.provider(gateway).await?;
        // A code of another provider's must not be given to this one.
        let own = self.settings.terms.issuer.as_str();
        if issuer.map_or(provider.says_issuer, |issuer| issuer != own) {
            return Err(refused("another issuer sent the browser back, or none says so"));
        }
        let (form, authorization) = self.token_request(&provider, begun, code);
        let answer = gateway.post_form(&provider.token, form, authorization).await;
        let answer =
            Document::read(answer.map_err(refused)?).map_err(|_| refused("its answer is not strict JSON"))?;
        let token = answer
            .str_at(&["id_token"])
            .ok_or_else(|| refused("no ID token"))?;
        let claims = match gateway.claims(&self.settings.terms, token).await {
            Ok(claims) => claims,
            Err(Denied::NoKeys) => return Err(Unknown::OutOfReach),
            Err(Denied::Token(error)) => return Err(refused(&format!("ID token: {error}"))),
        };
        self.operator(&claims, &begun.nonce).map_err(refused)
    }

    fn token_request(&self, provider: &Provider, begun: &Begun, code: &str) -> (String, Option<HeaderValue>) {
        let settings = &self.settings;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &settings.redirect),
            ("client_id", &settings.client_id),
            ("code_verifier", &begun.verifier),
        ];
        let mut authorization = None;
        if let Some(secret) = &settings.client_secret {
            if provider.secret_in_form {
                fields.push(("client_secret", secret.expose()));
            } else {
                let pair = format!("{}:{}", encoded(&settings.client_id), encoded(secret.expose()));
                let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
                authorization = value.ok().map(|mut value| {
                    value.set_sensitive(true);
                    value
                });
            }
        }
        (form(&fields), authorization)
    }

    fn operator(&self, claims: &Claims, nonce: &str) -> Result<Operator, &'static str> {
        let settings = &self.settings;
        if claims.text("nonce") != Some(nonce) {
            return Err("ID token: not of this login");
        }
        // A token that is for others as well must say that it was given to us.
        let party = claims.text("azp");
        let alone = claims.texts("aud").len() == 1;
        if party.map_or(!alone, |party| party != settings.client_id) {
            return Err("ID token: given to another");
        }
        let subject = claims.subject().ok_or("ID token: nobody's")?;
        let issuer = &settings.terms.issuer;
        let roles = claims.texts(&settings.roles);
        Ok(Operator {
            id: subject_id(issuer, subject).as_str().to_owned(),
            name: subject.to_owned(),
            issuer: issuer.clone(),
            roles: roles.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// Fields as a query and a form have them.
fn form(fields: &[(&str, &str)]) -> String {
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// A text of which only what is never read otherwise stands as it is.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_otherwise_is_encoded() {
        assert_eq!(
            form(&[("a", "b c&d=é+%"), ("e", "f-._~9")]),
            "a=b%20c%26d%3D%C3%A9%2B%25&e=f-._~9"
        );
    }

    /// The verifier and the challenge of RFC 7636, appendix B.
    #[test]
    fn a_challenge_is_the_hash_of_the_verifier() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(
            URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }
}
