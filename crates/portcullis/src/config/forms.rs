//! The forms of single values. Reading one does no I/O: whether a variable is set or a file exists is asked later.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use portcullis_core::{Glob, Kind, Network, NetworkError};
use portcullis_proxy::{CertificatePattern, NameKind};

use super::text::Form;

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl Form for Listen {
    const NAME: &'static str = "listen";
    const ABOUT: &'static str = "an IP address and a port: `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8080`";

    fn read(text: &str) -> Result<Listen, String> {
        text.parse()
            .map(Listen)
            .map_err(|_| format!("`{text}` is not an IP address and a port, such as 127.0.0.1:8080"))
    }
}

/// Where a credential is found. The credential itself is never in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// An environment variable.
    Env(String),
    /// A file; surrounding white space is not part of the credential.
    File(PathBuf),
}

impl Form for Reference {
    const NAME: &'static str = "reference";
    const ABOUT: &'static str = "where the credential is found: `env:NAME` or `file:PATH`";

    fn read(text: &str) -> Result<Reference, String> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Reference::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Reference::File(PathBuf::from(path))),
            // The text is not repeated: it may be the credential.
            _ => Err(
                "must say where the credential is found, env:NAME or file:PATH; credentials are never \
                      written into this file"
                    .to_owned(),
            ),
        }
    }
}

/// A value, or where it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// It itself.
    Text(String),
    /// Where it is found.
    Reference(Reference),
}

impl Form for Given {
    const NAME: &'static str = "value";
    const ABOUT: &'static str = "a value, or where it is found: `info`, `env:NAME`, `file:PATH`";

    fn read(text: &str) -> Result<Given, String> {
        match text.starts_with("env:") || text.starts_with("file:") {
            true => Reference::read(text).map(Given::Reference),
            false => Ok(Given::Text(text.to_owned())),
        }
    }

    fn shown(written: &str) -> Cow<'_, str> {
        // It is meant to be no credential; nobody knows.
        match Given::read(written) {
            Ok(Given::Text(_)) => Cow::Borrowed("…"),
            _ => Cow::Borrowed(written),
        }
    }
}

/// A file that holds a signing key, made if it is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile(pub PathBuf);

impl Form for KeyFile {
    const NAME: &'static str = "key-file";
    const ABOUT: &'static str = "a file, made if it is missing: `file:portcullis-audit.key`";

    fn read(text: &str) -> Result<KeyFile, String> {
        match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() => Ok(KeyFile(PathBuf::from(path))),
            _ => Err("must name a file, as in file:portcullis-audit.key".to_owned()),
        }
    }
}

/// Who classifies texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Model {
    /// The classifier that is part of the program.
    BuiltIn,
    /// Nobody.
    Off,
    /// One in a folder, as Hugging Face keeps them.
    Folder(PathBuf),
}

impl Model {
    /// The name of the built-in one.
    pub const BUILT_IN: &'static str = "built-in";
}

impl Form for Model {
    const NAME: &'static str = "model";
    const ABOUT: &'static str = "`built-in`, `off`, or the folder of a model: `/var/lib/models/prompt-guard`";

    fn read(text: &str) -> Result<Model, String> {
        match text {
            Model::BUILT_IN => Ok(Model::BuiltIn),
            "off" => Ok(Model::Off),
            path if path.contains(['/', '\\']) => Ok(Model::Folder(PathBuf::from(path))),
            other => Err(format!(
                "`{other}` is neither `built-in` nor `off` nor a folder, such as ./models/{other}"
            )),
        }
    }
}

/// A file of certificates or keys, which must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemFile(pub PathBuf);

impl Form for PemFile {
    const NAME: &'static str = "pem-file";
    const ABOUT: &'static str = "a file in PEM: `file:server.pem`";

    fn read(text: &str) -> Result<PemFile, String> {
        match text.strip_prefix("file:") {
            Some(path) if !path.is_empty() => Ok(PemFile(PathBuf::from(path))),
            // The text is not repeated: it may be the key.
            _ => Err("must name a file, as in file:server.pem".to_owned()),
        }
    }
}

/// Names that certificates are known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateName(pub CertificatePattern);

impl Form for CertificateName {
    const NAME: &'static str = "certificate-name";
    const ABOUT: &'static str = "a name in a certificate, in which `*` stands for any run of characters: `dns:*.agents.example.com`, `uri:spiffe://example.org/*`, `email:*@example.com` (subject alternative names), `cn:batch` (the subject's common name)";

    fn read(text: &str) -> Result<CertificateName, String> {
        const KINDS: [NameKind; 4] = [
            NameKind::Dns,
            NameKind::Uri,
            NameKind::Email,
            NameKind::CommonName,
        ];
        let known = text.split_once(':').and_then(|(word, name)| {
            let kind = KINDS.into_iter().find(|kind| kind.word() == word)?;
            Some((kind, name))
        });
        let Some((kind, name)) = known else {
            return Err("must begin with dns:, uri:, email: or cn:".to_owned());
        };
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err("must name somebody after the colon; `*` fits every name".to_owned());
        }
        // Neither hosts nor e-mail addresses tell cases apart; certificates are read in lower case too.
        let name = match kind {
            NameKind::Dns | NameKind::Email => name.to_ascii_lowercase(),
            NameKind::Uri | NameKind::CommonName => name.to_owned(),
        };
        Ok(CertificateName(CertificatePattern {
            kind,
            names: Glob::new(&name),
        }))
    }
}

/// A block of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkBlock(pub Network);

impl Form for NetworkBlock {
    const NAME: &'static str = "network";
    const ABOUT: &'static str = "an address or a block of them: `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`";

    fn read(text: &str) -> Result<NetworkBlock, String> {
        text.parse()
            .map(NetworkBlock)
            .map_err(|error: NetworkError| error.to_string())
    }
}

/// The base address of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpUrl(pub http::Uri);

impl Form for HttpUrl {
    const NAME: &'static str = "http-url";
    const ABOUT: &'static str = "a base address: `https://api.openai.com/v1`";

    fn read(text: &str) -> Result<HttpUrl, String> {
        let wrong = |why: &str| format!("{why}; a base address looks like https://api.example.com/v1");
        let uri: http::Uri = text.parse().map_err(|_| wrong("not an address"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("must begin with https:// or http://"));
        }
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        if authority.contains('@') {
            return Err(wrong("must not hold a user name or a password: use `key`"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(wrong("must not hold a query or a fragment"));
        }
        Ok(HttpUrl(uri))
    }
}

/// Where keys, usage and audit records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateUrl {
    /// An SQLite file.
    File(PathBuf),
    /// SQLite in memory: gone when the process ends.
    Memory,
    /// A PostgreSQL database.
    Postgres(Address),
    /// Where such an address is found.
    Named(Reference),
}

/// The address of a database, with a password in it more often than not.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&StateUrl::shown(&self.0))
    }
}

impl Form for StateUrl {
    const NAME: &'static str = "state-url";
    const ABOUT: &'static str = "`sqlite:PATH`, or `postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full`, or where such an \
                                 address is found if it holds a password: `env:NAME`, `file:PATH`";

    fn read(text: &str) -> Result<StateUrl, String> {
        match text.split_once(':') {
            Some(("sqlite", ":memory:")) => Ok(StateUrl::Memory),
            Some(("sqlite", path)) if !path.is_empty() => Ok(StateUrl::File(PathBuf::from(
                path.strip_prefix("//").unwrap_or(path),
            ))),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Ok(StateUrl::Postgres(Address(text.to_owned())))
            }
            Some(("env" | "file", _)) => Reference::read(text).map(StateUrl::Named),
            // The text is not repeated: it may hold a password.
            _ => Err(
                "must be sqlite:PATH, as in sqlite:portcullis.db, or postgres://USER@HOST/DATABASE, or say where such an \
                 address is found: env:NAME, file:PATH"
                    .to_owned(),
            ),
        }
    }

    fn shown(written: &str) -> Cow<'_, str> {
        let parts = written.split_once("://").and_then(|(scheme, rest)| {
            let (user, place) = rest.rsplit_once('@')?;
            Some((scheme, user.split_once(':').map_or(user, |(name, _)| name), place))
        });
        let place = |place: &str| match place.split_once('?') {
            // Parameters can hold a password, too.
            Some((place, query)) if query.contains("password") => format!("{place}?…"),
            _ => place.to_owned(),
        };
        match parts {
            Some((scheme, user, rest)) => Cow::Owned(format!("{scheme}://{user}@{}", place(rest))),
            None if written.contains("password") => Cow::Owned(place(written)),
            None => Cow::Borrowed(written),
        }
    }
}

impl StateUrl {
    /// The address for the store, with a relative path taken from `folder`.
    ///
    /// # Errors
    /// It is to be found elsewhere and is not there, or is something else.
    pub fn in_folder(&self, folder: &Path) -> Result<String, String> {
        match self {
            StateUrl::File(path) => Ok(format!("sqlite:{}", folder.join(path).display())),
            StateUrl::Memory => Ok("sqlite::memory:".to_owned()),
            StateUrl::Postgres(url) => Ok(url.0.clone()),
            StateUrl::Named(reference) => {
                let found = super::credential::fetch(reference, folder)?;
                match StateUrl::read(found.expose())? {
                    StateUrl::Named(_) => Err("what is found there must be an address".to_owned()),
                    address => address.in_folder(folder),
                }
            }
        }
    }
}

/// Where limits are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shared {
    /// In the memory of this process.
    Memory,
    /// In Redis or Valkey, at that address.
    Redis(String),
}

impl Form for Shared {
    const NAME: &'static str = "shared";
    const ABOUT: &'static str = "`memory`, or an address of Redis or Valkey: `redis://127.0.0.1:6379`, `rediss://user@cache:6380/1` (with TLS), `valkey://…`";

    fn read(text: &str) -> Result<Shared, String> {
        let example = "must be memory or an address such as redis://127.0.0.1:6379";
        if text == "memory" {
            return Ok(Shared::Memory);
        }
        let place = match text.split_once("://") {
            Some(("redis" | "rediss" | "valkey" | "valkeys", place)) => place,
            _ => return Err(example.to_owned()),
        };
        let (server, _) = place.split_once('/').unwrap_or((place, ""));
        let (user, host) = server.rsplit_once('@').unwrap_or(("", server));
        // The text is not repeated: it may hold the password.
        if user.contains(':') {
            return Err("must hold no password: say where it is found in `shared_password`".to_owned());
        }
        if text.contains('#') || text.contains('?') {
            return Err("must end with the number of the database: redis://host:6379/0".to_owned());
        }
        match host.is_empty() || host.starts_with(':') {
            true => Err(example.to_owned()),
            false => Ok(Shared::Redis(text.to_owned())),
        }
    }
}

/// What becomes of requests while the shared limits cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OutOfReach {
    /// They are refused.
    Refuse,
    /// Each process enforces a fraction of every limit by itself.
    Local(f64),
}

impl Form for OutOfReach {
    const NAME: &'static str = "out-of-reach";
    const ABOUT: &'static str = "`refuse`, or `local` and the fraction of each limit that one process enforces by itself: `local 0.25`";

    fn read(text: &str) -> Result<OutOfReach, String> {
        if text == "refuse" {
            return Ok(OutOfReach::Refuse);
        }
        let fraction = text
            .strip_prefix("local ")
            .and_then(|text| text.trim().parse::<f64>().ok());
        match fraction {
            Some(fraction) if fraction > 0.0 && fraction <= 1.0 => Ok(OutOfReach::Local(fraction)),
            _ => Err(
                "must be refuse, or local and a fraction above 0 and up to 1, as in `local 0.25`".to_owned(),
            ),
        }
    }
}

/// A pattern for names, in which `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(pub Glob);

impl Form for Pattern {
    const NAME: &'static str = "glob";
    const ABOUT: &'static str = "a name in which `*` stands for any run of characters: `gpt-*`";

    fn read(text: &str) -> Result<Pattern, String> {
        if text.is_empty() {
            Err("must not be empty; `*` fits every name".to_owned())
        } else if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            Err("must not hold white space".to_owned())
        } else if text.contains("**") {
            Err("`**` means nothing more than `*`; write one".to_owned())
        } else {
            Ok(Pattern(Glob::new(text)))
        }
    }
}

/// A pattern for names that operators and identity providers give, which may hold spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern(pub Glob);

impl Form for NamePattern {
    const NAME: &'static str = "name-glob";
    const ABOUT: &'static str =
        "a name, or `*` for each one, or a name with `*` in it: `free`, `*`, `acme-*`";

    fn read(text: &str) -> Result<NamePattern, String> {
        if text.is_empty() {
            Err("must not be empty; `*` fits every name".to_owned())
        } else if text.chars().any(char::is_control) {
            Err("must not hold control characters".to_owned())
        } else if text.contains("**") {
            Err("`**` means nothing more than `*`; write one".to_owned())
        } else {
            Ok(NamePattern(Glob::new(text)))
        }
    }
}

/// A pattern for endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPattern(pub Glob);

impl Form for EndpointPattern {
    const NAME: &'static str = "endpoint-glob";
    const ABOUT: &'static str = "the path of an endpoint, in which `*` stands for any run of characters: `/v1/chat/completions`, \
                                 `/v1beta/models/{model}:*`";

    /// One that fits nothing would lock everybody out by a slip.
    fn read(text: &str) -> Result<EndpointPattern, String> {
        let glob = Pattern::read(text)?.0;
        let paths = portcullis_dialect::DIALECTS
            .iter()
            .flat_map(|dialect| dialect.exchanges())
            .map(|exchange| exchange.path())
            .chain(["/v1/guard"]);
        let paths: Vec<&str> = paths.collect();
        if paths.iter().any(|path| glob.matches(path)) {
            return Ok(EndpointPattern(glob));
        }
        let hint = match super::problem::nearest(text, paths.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => "an endpoint is named by its path, such as /v1/chat/completions".to_owned(),
        };
        Err(format!("there is no endpoint `{text}`; {hint}"))
    }
}

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub std::time::Duration);

const UNITS_OF_TIME: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

impl Form for Duration {
    const NAME: &'static str = "duration";
    const ABOUT: &'static str = "a number and a unit, ms, s, m, h or d: `500ms`, `30s`, `90d`";

    fn read(text: &str) -> Result<Duration, String> {
        let millis = quantity(text, UNITS_OF_TIME)
            .ok_or_else(|| format!("`{text}` is not a length of time, such as 500ms, 30s, 5m, 12h or 90d"))?;
        if millis == 0 {
            return Err("must be longer than nothing".to_owned());
        }
        Ok(Duration(std::time::Duration::from_millis(millis)))
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

const UNITS_OF_SIZE: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1000),
    ("MB", 1_000_000),
];

impl Form for Size {
    const NAME: &'static str = "size";
    const ABOUT: &'static str = "a number and a unit, B, KiB, MiB, GiB, kB or MB: `8 MiB`";

    fn read(text: &str) -> Result<Size, String> {
        let bytes = quantity(text, UNITS_OF_SIZE)
            .and_then(|bytes| usize::try_from(bytes).ok())
            .ok_or_else(|| format!("`{text}` is not a size, such as 8 MiB or 512 KiB"))?;
        match bytes {
            0..1024 => Err("must be 1 KiB at least".to_owned()),
            _ if bytes > 1 << 30 => Err("must be 1 GiB at most".to_owned()),
            _ => Ok(Size(bytes)),
        }
    }
}

/// A whole number with one of the units, times the unit.
fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Money per period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spending(pub portcullis_store::Budget);

impl Form for Spending {
    const NAME: &'static str = "budget";
    const ABOUT: &'static str = "US dollars per hour, day or month: `5 USD/day`";

    fn read(text: &str) -> Result<Spending, String> {
        text.parse()
            .map(Spending)
            .map_err(|error: portcullis_store::BudgetError| error.to_string())
    }
}

/// A kind of personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PiiType(pub Kind);

impl Form for PiiType {
    const NAME: &'static str = "pii-type";
    const ABOUT: &'static str = "a kind of personal data, as `portcullis detectors` lists them or a rule of your own finds: `EMAIL_ADDRESS`";

    /// Whether something finds such a kind is asked where a user's own rules are known.
    fn read(text: &str) -> Result<PiiType, String> {
        match text.trim().is_empty() {
            true => Err("must not be empty".to_owned()),
            false => Ok(PiiType(Kind::new(text))),
        }
    }
}

/// A host, or all hosts below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(pub Glob);

impl Form for HostPattern {
    const NAME: &'static str = "host-pattern";
    const ABOUT: &'static str =
        "a host, `docs.example.com`, or `*.` and a host for all hosts below it: `*.example.com`";

    /// Findings name hosts in the same form, so that what is compared is always the same spelling.
    fn read(text: &str) -> Result<HostPattern, String> {
        let (star, name) = match text.strip_prefix("*.") {
            Some(name) => ("*.", name),
            None => ("", text),
        };
        if name == "*" || name.is_empty() {
            return Err("to allow every host, write `otherwise: allow`".to_owned());
        }
        if name.contains('*') {
            return Err("`*` stands only at the beginning, before a dot: `*.example.com`".to_owned());
        }
        if name.contains(['/', '@', '?', '#']) {
            return Err("must be a host alone, without scheme, path or user: `docs.example.com`".to_owned());
        }
        match portcullis_inspect::host(name) {
            Some(host) => Ok(HostPattern(Glob::new(&format!("{star}{host}")))),
            None => Err(format!(
                "`{name}` is not the name or address of a host; a port is not part of it"
            )),
        }
    }
}

/// What of a conversation an audit record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditContent;

impl Form for AuditContent {
    const NAME: &'static str = "audit-content";
    const ABOUT: &'static str = "`none`: audit records never hold a text of a conversation";

    fn read(text: &str) -> Result<AuditContent, String> {
        match text {
            "none" => Ok(AuditContent),
            "redacted" | "sealed" => Err(format!(
                "not in this version: content in audit records ({text}); use none"
            )),
            _ => Err("must be none".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::*;

    fn says<F: Form>(text: &str) -> String {
        F::read(text).err().unwrap_or_default()
    }

    #[test]
    fn quantities() {
        assert_eq!(Duration::read("500ms").unwrap().0.as_millis(), 500);
        assert_eq!(Duration::read("90d").unwrap().0.as_secs(), 90 * 86_400);
        assert_eq!(Size::read("8 MiB").unwrap().0, 8 << 20);
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "1.5s",
            "0s",
            "99999999999999999999s",
            "5 weeks",
        ] {
            assert!(Duration::read(text).is_err(), "{text}");
        }
        for text in ["8", "0 B", "9999999 GiB", "18446744073709551615 GiB", "8 mib"] {
            assert!(Size::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses() {
        assert!(HttpUrl::read("http://127.0.0.1:8000/v1").is_ok());
        for text in [
            "ftp://x/",
            "127.0.0.1:80",
            "https://u:p@host/v1",
            "https://host/v1?key=x",
            "https://",
            "/v1",
        ] {
            assert!(HttpUrl::read(text).is_err(), "{text}");
        }
        assert!(Listen::read("localhost:80").is_err());
        assert!(Listen::read("[::1]:0").is_ok());
    }

    #[test]
    fn a_credential_in_the_place_of_a_reference_is_not_repeated() {
        let slip = ["sk", "something"].join("-");
        assert!(!says::<Reference>(&slip).contains("something"));
        assert_eq!(Reference::read("env:A").unwrap(), Reference::Env("A".to_owned()));
    }

    #[test]
    fn what_is_not_in_this_version_says_so() {
        assert!(says::<StateUrl>("mysql://ann:hunter2@db/x").contains("postgres://"));
        assert!(!says::<StateUrl>("mysql://ann:hunter2@db/x").contains("hunter2"));
        assert!(says::<Shared>("redis://:word@cache").contains("shared_password"));
        assert!(says::<Shared>("redis://cache?x=1").contains("database"));
        for wrong in [
            "redis:cache",
            "redis://",
            "redis://:6379",
            "http://cache",
            "rediss://cache/#insecure",
        ] {
            assert!(Shared::read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Shared::read("memory"), Ok(Shared::Memory));
        for right in [
            "redis://127.0.0.1:6379",
            "rediss://user@cache:6380/1",
            "valkey://[::1]:6379",
        ] {
            assert_eq!(Shared::read(right), Ok(Shared::Redis(right.to_owned())));
        }
        assert_eq!(OutOfReach::read("local 0.25"), Ok(OutOfReach::Local(0.25)));
        for wrong in ["local", "local 0", "local 1.5", "local -1", "local NaN", "allow"] {
            assert!(OutOfReach::read(wrong).is_err(), "{wrong}");
        }
        assert!(says::<AuditContent>("sealed").contains("not in this version"));
    }

    #[test]
    fn endpoints() {
        for text in ["/v1/chat/completions", "/v1/*", "*", "/v1/guard", "*:countTokens"] {
            assert!(EndpointPattern::read(text).is_ok(), "{text}");
        }
        assert!(says::<EndpointPattern>("/v1/chat/completion").contains("did you mean /v1/chat/completions"));
        for text in ["", "chat", "/v2/*", "/v1/a b"] {
            assert!(EndpointPattern::read(text).is_err(), "{text}");
        }
        assert!(NamePattern::read("Research and Development").is_ok());
        assert!(NamePattern::read("a\nb").is_err());
    }

    #[test]
    fn hosts() {
        let reads = |text: &str| HostPattern::read(text).unwrap().0;
        assert_eq!(reads("Docs.Example.com."), Glob::new("docs.example.com"));
        assert_eq!(reads("*.bücher.example"), Glob::new("*.xn--bcher-kva.example"));
        assert_eq!(reads("[::1]"), Glob::new("[::1]"));
        for text in [
            "*",
            "*.",
            "",
            "a*.example",
            "https://docs.example.com",
            "docs.example.com/x",
            "docs.example.com:443",
            "a b",
        ] {
            assert!(HostPattern::read(text).is_err(), "{text}");
        }
        assert!(says::<HostPattern>("*").contains("otherwise: allow"));
    }

    #[test]
    fn no_password_of_an_address_is_shown() {
        for (written, shown) in [
            (
                "postgres://ann:hunter2@db:5432/gate",
                "postgres://ann@db:5432/gate",
            ),
            (
                "postgres://ann:hun@ter2@db/gate?sslmode=require",
                "postgres://ann@db/gate?sslmode=require",
            ),
            (
                "postgres://db/gate?user=ann&password=hunter2",
                "postgres://db/gate?…",
            ),
            ("postgres://ann@db/gate", "postgres://ann@db/gate"),
            ("sqlite:portcullis.db", "sqlite:portcullis.db"),
            ("env:DATABASE_URL", "env:DATABASE_URL"),
        ] {
            assert_eq!(StateUrl::shown(written), shown);
            let text = Text::<StateUrl>::read(written).unwrap();
            let told = format!("{text:?} {}", serde_json::to_string(&text).unwrap());
            assert!(!told.contains("hunter2") && !told.contains("ter2"), "{told}");
        }
    }
}
