//! The configuration as it is written: TLS, and who comes without an API key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{CertificateName, Pattern, PemFile};
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

/// Who comes without an API key of this gateway's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Identity")]
pub struct RawIdentity {
    /// Whose client certificates are, where a request shows no key; the first that fits counts. A certificate that fits none
    /// is nobody's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<RawCertificate>,
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
    /// Models that may be asked for; without any, all may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<Text<Pattern>>,
}
