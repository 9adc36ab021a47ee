//! The configuration as it is written: TLS, and who comes without an API key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{CertificateName, Duration, HttpUrl, NetworkBlock, Pattern, PemFile, Reference};
use super::text::Text;

/// Whether clients are asked for certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ClientAuth")]
pub enum RawClientAuth {
    /// They are not.
    Off,
    /// They are; who has none may still show an API key.
    Request,
    /// Without a certificate there is no connection, whatever key is shown.
    Require,
}

/// TLS of a listener. The files are looked at every two seconds; where they have changed and fit together, they are taken
/// without a restart, otherwise those before stay in force and the log says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub struct RawTls {
    /// The certificate, in PEM, followed by those between it and the authority's.
    pub cert: Text<PemFile>,
    /// Its private key, in PEM.
    pub key: Text<PemFile>,
    /// The authorities whose client certificates are accepted, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<Text<PemFile>>,
    /// Whether clients are asked for certificates; with `client_ca` they are `require`d to have one unless this says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<RawClientAuth>,
    /// Lists of revoked client certificates, in PEM. A client whose authority has no list there, or an expired one, is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crl: Option<Text<PemFile>>,
}

/// What a role may do on the operators' side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Right")]
pub enum RawRight {
    /// See everything there.
    Read,
    /// Change it as well.
    Change,
}

/// An identity provider where operators log in to the console: OpenID Connect, authorization code with PKCE. Its ID tokens must be
/// signed as `identity.jwt` wants it of access tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Oidc")]
pub struct RawOidc {
    /// The provider, exactly as it names itself: an https address, or http on this machine.
    pub issuer: Text<HttpUrl>,
    /// What it knows the console by.
    pub client_id: String,
    /// Where the secret of the client is found, if the provider has given it one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Text<Reference>>,
    /// The address that browsers reach the operators' side by. The provider must know `URL/login/oidc/callback` as where it may send them.
    pub url: Text<HttpUrl>,
    /// What is asked for besides `openid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The claim of the ID token that has roles, by its name or its path.
    pub roles: String,
    /// How far clocks may be apart, five minutes at most; 30s unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leeway: Option<Text<Duration>>,
}

/// Who comes without an API key of this gateway's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Identity")]
pub struct RawIdentity {
    /// Whose client certificates are, where a request shows no key; the first that fits counts. A certificate that fits none
    /// is nobody's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<RawCertificate>,
    /// Identity providers whose tokens (JWT) are accepted in the place of a key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jwt: Vec<RawJwt>,
    /// The address that clients know this gateway by. With it, `/.well-known/oauth-protected-resource` tells them who issues
    /// tokens for it (RFC 9728), and a refusal where that is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<Text<HttpUrl>>,
    /// How many wrong credentials one address (of IPv6: one network of 64 bits) may show before more are answered with 429. A right
    /// one is let in all the same.
    pub guesses: RawGuesses,
    /// Proxies before the gateway: where a request comes from is what the last of them that is listed here says in `x-forwarded-for`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted_proxies: Vec<Text<NetworkBlock>>,
}

/// Wrong credentials of one address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Guesses")]
pub struct RawGuesses {
    /// A minute.
    #[schemars(range(min = 1, max = 60000))]
    pub per_minute: u32,
    /// At once.
    #[schemars(range(min = 1, max = 10000))]
    pub burst: u32,
}

impl Default for RawGuesses {
    fn default() -> RawGuesses {
        RawGuesses {
            per_minute: 10,
            burst: 20,
        }
    }
}

/// One audience or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub enum RawAudience {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// What becomes of a token with no team that `teams` has or a limit names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Unmapped")]
pub enum RawUnmapped {
    /// It is accepted, with the profile that applies otherwise.
    #[default]
    Accept,
    /// It is refused.
    Refuse,
}

/// An algorithm of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Algorithm")]
pub enum RawAlgorithm {
    /// RSA, PKCS #1, SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA, PKCS #1, SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSA, PKCS #1, SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSA, PSS, SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA, PSS, SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSA, PSS, SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA on P-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// An identity provider. Its keys are found by its description (`/.well-known/openid-configuration`), fetched every five minutes and
/// where a token names an unknown one, and believed for a day where it cannot be reached. A claim is named as it stands in the token, or
/// by its path: `realm_access.roles`. Of a list, texts alone count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Jwt")]
pub struct RawJwt {
    /// Who issues the tokens, exactly as they say it (`iss`): an https address, or http on this machine.
    pub issuer: Text<HttpUrl>,
    /// Whom the tokens must be for (`aud`); of several, one.
    pub audience: RawAudience,
    /// Where the keys are, in the place of the address in the issuer's description, which is not read then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<Text<HttpUrl>>,
    /// Algorithms that are accepted; without any, those that the keys are for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<RawAlgorithm>,
    /// How far clocks may be apart, five minutes at most; 30s unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leeway: Option<Text<Duration>>,
    /// How old a token may be (since `iat`), whatever it says itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Text<Duration>>,
    /// The claim that has the team. Of several in it, the first that `teams` has or a limit names (`limits[].for.team`); else the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The claim that has the organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The claim that has the user; `sub` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The claim that has roles, which policies may speak of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<String>,
    /// What becomes of a token with no team that `teams` has or a limit names.
    #[serde(default)]
    pub unmapped: RawUnmapped,
    /// The profile that applies, in the place of the one that would otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The tool policy that applies, in the place of the one that would otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
    /// Models that may be asked for; without any, all may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Text<Pattern>>,
}

/// Who the holder of a client certificate is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Certificate")]
pub struct RawCertificate {
    /// A name in the certificate. Each name that fits is a principal of its own.
    #[serde(rename = "match")]
    pub pattern: Text<CertificateName>,
    /// The team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Roles that policies may speak of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The profile that applies, in the place of the one that would otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The tool policy that applies, in the place of the one that would otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
    /// Models that may be asked for; without any, all may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Text<Pattern>>,
}
