//! Where an issuer's keys come from: fetched, kept, fetched again, and believed for a day where the issuer cannot be reached.
//!
//! It follows no redirects, reads no more than 256 KiB, waits five seconds, and speaks HTTPS to all but this machine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::request::Builder;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use portcullis_dialect::Document;

use super::keys::KeySet;
use super::token::Unverified;
use crate::Client;

/// How long one exchange with an issuer may take, both documents together.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The largest document that is read.
const LARGEST: usize = 256 * 1024;

/// How often keys are fetched where nothing asks for them.
const EVERY: Duration = Duration::from_secs(300);

/// How soon that is tried again where it failed.
const AGAIN: Duration = Duration::from_secs(30);

/// How long keys are believed that could not be fetched again.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);

/// A token with an unknown key may have keys fetched; so often at once, and one more after each `DEMAND_GAP`. Whoever makes up
/// keys cannot have the issuer asked more often.
const DEMANDS: u32 = 2;
const DEMAND_GAP: Duration = Duration::from_secs(30);

/// Keys as they were fetched.
pub(super) struct Fetched {
    /// Changes with the keys.
    pub generation: u64,
    /// The keys.
    pub keys: KeySet,
    document: Bytes,
    confirmed: Instant,
}

impl Fetched {
    /// Whether they are still believed.
    pub fn stands(&self) -> bool {
        self.confirmed.elapsed() < BELIEVED
    }
}

/// When keys were asked for.
#[derive(Default)]
struct Attempts {
    last: Option<Instant>,
    failed: bool,
    /// Demands that may be met at once, and since when that is so.
    demands: Option<(u32, Instant)>,
}

/// The keys of one issuer.
pub(super) struct KeySource {
    issuer: String,
    /// Where they are, if not where the issuer's own description says.
    address: Option<String>,
    fetched: ArcSwapOption<Fetched>,
    attempts: tokio::sync::Mutex<Attempts>,
}

impl KeySource {
    fn new(issuer: &str, address: Option<&str>) -> KeySource {
        KeySource {
            issuer: issuer.to_owned(),
            address: address.map(str::to_owned),
            fetched: ArcSwapOption::empty(),
            attempts: tokio::sync::Mutex::new(Attempts::default()),
        }
    }

    /// The keys that are believed.
    pub fn keys(&self) -> Option<Arc<Fetched>> {
        self.fetched.load_full().filter(|fetched| fetched.stands())
    }

    /// Fetches keys if it is time.
    pub async fn keep(&self, client: &Client) {
        let mut attempts = self.attempts.lock().await;
        let wait = if attempts.failed || self.keys().is_none() {
            AGAIN
        } else {
            EVERY
        };
        if attempts.last.is_none_or(|last| last.elapsed() >= wait) {
            self.attempt(client, &mut attempts).await;
        }
    }

    /// Fetches keys because a token names one that is not known, unless that was done too often. `seen` is the generation in which
    /// it is not known: where another request has had them fetched meanwhile, nothing is done.
    pub async fn demand(&self, client: &Client, seen: Option<u64>) {
        let mut attempts = self.attempts.lock().await;
        if self.keys().map(|fetched| fetched.generation) != seen {
            return;
        }
        let now = Instant::now();
        let (left, since) = attempts.demands.unwrap_or((DEMANDS, now));
        let gained = now.saturating_duration_since(since).as_secs() / DEMAND_GAP.as_secs();
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        let left = left.saturating_add(gained).min(DEMANDS);
        let Some(rest) = left.checked_sub(1) else {
            return;
        };
        let since = match left {
            DEMANDS => now,
            _ => since
                .checked_add(DEMAND_GAP.saturating_mul(gained))
                .unwrap_or(now),
        };
        attempts.demands = Some((rest, since));
        self.attempt(client, &mut attempts).await;
    }

    /// The keys that are believed, fetched again where a token names one that is not among them.
    pub async fn keys_for(&self, client: &Client, token: &Unverified<'_>) -> Option<Arc<Fetched>> {
        let fetched = self.keys();
        if fetched.as_ref().is_some_and(|fetched| token.knows(&fetched.keys)) {
            return fetched;
        }
        self.demand(client, fetched.map(|fetched| fetched.generation))
            .await;
        self.keys()
    }

    async fn attempt(&self, client: &Client, attempts: &mut Attempts) {
        attempts.last = Some(Instant::now());
        attempts.failed = true;
        let fetched = tokio::time::timeout(PATIENCE, self.fetch(client)).await;
        match fetched.unwrap_or(Err("it did not answer in time")) {
            Ok(document) => attempts.failed = !self.take(document),
            Err(why) => self.complain(why),
        }
    }

    fn complain(&self, why: &str) {
        let known = match self.fetched.load().as_ref() {
            Some(fetched) if fetched.stands() => {
                "those known so far stay in force for a day after they were last fetched"
            }
            _ => "its tokens are refused",
        };
        tracing::warn!(issuer = %self.issuer, "the issuer's keys cannot be had: {why}; {known}");
    }

    /// Takes a document; `false` where it has no key that is of use: no issuer means that.
    fn take(&self, document: Bytes) -> bool {
        let before = self.fetched.load_full();
        let same = before.as_ref().is_some_and(|before| before.document == document);
        let keys = match KeySet::read(document.clone()) {
            Some(keys) if keys.len() > 0 => keys,
            _ => {
                self.complain("its document has no key that verifies tokens");
                return false;
            }
        };
        let generation = before.map_or(0, |before| match same {
            true => before.generation,
            false => before.generation.wrapping_add(1),
        });
        if !same {
            tracing::info!(issuer = %self.issuer, keys = keys.len(), "the issuer's keys are known");
        }
        self.fetched.store(Some(Arc::new(Fetched {
            generation,
            keys,
            document,
            confirmed: Instant::now(),
        })));
        true
    }

    async fn fetch(&self, client: &Client) -> Result<Bytes, &'static str> {
        let address = match &self.address {
            Some(address) => address.clone(),
            None => {
                let about = described(client, &self.issuer).await?;
                let address = about.str_at(&["jwks_uri"]);
                address.ok_or("its description has no `jwks_uri`")?.to_owned()
            }
        };
        get(client, &address).await
    }
}

/// Whether keys may be fetched from there: by HTTPS, or from this machine. Anybody between could put in keys otherwise.
#[must_use]
pub fn is_safe(address: &Uri) -> bool {
    let host = address.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match address.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => here,
        _ => false,
    }
}

/// An issuer's description of itself (OpenID Connect Discovery 1.0), which must name the same issuer.
pub(super) async fn described(client: &Client, issuer: &str) -> Result<Document, &'static str> {
    let address = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    let about =
        Document::read(get(client, &address).await?).map_err(|_| "its description is not strict JSON")?;
    match about.str_at(&["issuer"]) == Some(issuer) {
        true => Ok(about),
        false => Err("its description names another issuer"),
    }
}

async fn get(client: &Client, address: &str) -> Result<Bytes, &'static str> {
    fetched(client, Request::get(safe(address)?), Bytes::new()).await
}

/// An address that may be asked.
pub(super) fn safe(address: &str) -> Result<Uri, &'static str> {
    let uri: Uri = address.parse().map_err(|_| "an address of it is none")?;
    match is_safe(&uri) {
        true => Ok(uri),
        false => Err("an address of it is neither https nor of this machine"),
    }
}

/// The document that a request is answered with.
pub(super) async fn fetched(client: &Client, request: Builder, body: Bytes) -> Result<Bytes, &'static str> {
    let request = request
        .header("accept", "application/json")
        .header("user-agent", "portcullis")
        .body(Full::new(body))
        .map_err(|_| "an address of it is none")?;
    let reply = client.send(request).await.map_err(|_| "it cannot be reached")?;
    if reply.status() != StatusCode::OK {
        return Err("it did not answer with 200");
    }
    let body = Limited::new(reply.into_body(), LARGEST).collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|_| "its document broke off or is larger than 256 KiB")
}

/// An issuer, and where its keys are if not where its description says.
type Named = (String, Option<String>);

/// The keys of all issuers. They outlive a reload.
#[derive(Default)]
pub struct KeySources(Mutex<HashMap<Named, Arc<KeySource>>>);

impl KeySources {
    pub(super) fn of(&self, issuer: &str, address: Option<&str>) -> Arc<KeySource> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (issuer.to_owned(), address.map(str::to_owned));
        let source = all
            .entry(name)
            .or_insert_with(|| Arc::new(KeySource::new(issuer, address)));
        Arc::clone(source)
    }
}
