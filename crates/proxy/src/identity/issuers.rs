//! Configured issuers, whom their tokens make of a sender, and the tokens that were found good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_core::{Glob, Principal, PrincipalKind};
use ring::digest::{SHA256, digest};
use thiserror::Error;

use super::outside::subject_id;
use super::source::{KeySource, KeySources};
use super::token::{Claims, Terms, TokenError, Unverified};
use crate::Client;

/// Tokens that are remembered at least; twice as many at most. Each takes some 500 bytes.
const REMEMBERED: usize = 8192;

/// An issuer of tokens.
#[derive(Clone, Debug)]
pub struct JwtIssuer {
    /// What must be true of its tokens.
    pub terms: Terms,
    /// Where its keys are, if not where its own description says.
    pub jwks_url: Option<String>,
    /// Whom its tokens make of a sender.
    pub mapping: Mapping,
}

/// Which claims say what.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    /// The team. Of several, the first that is one of `teams`.
    pub team: Option<String>,
    /// The organisation.
    pub org: Option<String>,
    /// The user; `sub` where none is given.
    pub user: Option<String>,
    /// Roles.
    pub roles: Option<String>,
    /// Teams that something is said of in the configuration.
    pub teams: Vec<String>,
    /// Whether a token without one of those teams is refused.
    pub strict: bool,
    /// The profile that applies; where none is given, that of the team or the organisation, or `default`.
    pub profile: Option<String>,
    /// The tool policy that applies; where none is given, likewise.
    pub tools: Option<String>,
    /// Models that may be named; empty means all.
    pub models: Vec<Glob>,
}

impl Mapping {
    fn principal(&self, issuer: &str, claims: &Claims) -> Result<Principal, TokenError> {
        let subject = claims.subject().ok_or(TokenError::Claim("sub"))?;
        let first = |claim: &Option<String>| {
            let texts = claims.texts(claim.as_ref()?);
            texts.first().map(|text| (*text).to_owned())
        };
        let groups = self
            .team
            .as_ref()
            .map(|claim| claims.texts(claim))
            .unwrap_or_default();
        let known = groups
            .iter()
            .find(|group| self.teams.iter().any(|team| team == *group));
        if self.strict && known.is_none() {
            return Err(TokenError::Unmapped);
        }
        let mut principal = Principal::new(subject_id(issuer, subject), subject);
        principal.kind = PrincipalKind::Token;
        principal.team = known.or(groups.first()).map(|team| (*team).to_owned());
        principal.org = first(&self.org);
        principal.user = match &self.user {
            Some(_) => first(&self.user),
            None => Some(subject.to_owned()),
        };
        if let Some(claim) = &self.roles {
            principal.roles = claims.texts(claim).into_iter().map(str::to_owned).collect();
        }
        principal.profile.clone_from(&self.profile);
        principal.tools.clone_from(&self.tools);
        principal.models.clone_from(&self.models);
        Ok(principal)
    }
}

/// Why a token lets nobody in.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Denied {
    /// The token is at fault.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The keys of its issuer cannot be had.
    #[error("the keys of its issuer cannot be had")]
    NoKeys,
}

/// Somebody who is known by a token.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Who it is.
    pub principal: Arc<Principal>,
    /// Who says so.
    pub issuer: String,
}

struct Issuer {
    settings: JwtIssuer,
    source: Arc<KeySource>,
}

/// A token that was found good.
struct Known {
    issuer: usize,
    generation: u64,
    until: u64,
    binding: Option<String>,
    principal: Arc<Principal>,
}

/// Two generations of tokens: where the young one is full it becomes the old one, and what was old is forgotten.
#[derive(Default)]
struct Memory {
    young: HashMap<[u8; 32], Arc<Known>>,
    old: HashMap<[u8; 32], Arc<Known>>,
}

/// The issuers of a configuration. What was found good is forgotten with it.
#[derive(Default)]
pub(crate) struct Issuers {
    all: Vec<Issuer>,
    memory: Mutex<Memory>,
}

impl Issuers {
    pub fn new(issuers: Vec<JwtIssuer>, sources: &KeySources) -> Issuers {
        let issuer = |settings: JwtIssuer| Issuer {
            source: sources.of(&settings.terms.issuer, settings.jwks_url.as_deref()),
            settings,
        };
        Issuers {
            all: issuers.into_iter().map(issuer).collect(),
            memory: Mutex::default(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Fetches the keys that it is time to fetch, of all issuers at once.
    pub async fn keep(&self, client: &Client) {
        futures_util::future::join_all(self.all.iter().map(|issuer| issuer.source.keep(client))).await;
    }

    /// Who shows this token. `now` is in seconds since 1970, `certificate` the hash of the client's, as a token names it.
    pub async fn authenticate(
        &self,
        client: &Client,
        token: &str,
        now: u64,
        certificate: Option<&str>,
    ) -> Result<Arc<Principal>, Denied> {
        let known = self.known(client, token, now, certificate).await?;
        Ok(Arc::clone(&known.principal))
    }

    /// Who shows this token, and who issued it.
    pub async fn shown(&self, client: &Client, token: &str, now: u64) -> Result<Shown, Denied> {
        let known = self.known(client, token, now, None).await?;
        let issuer = self.all.get(known.issuer).ok_or(TokenError::Issuer)?;
        Ok(Shown {
            principal: Arc::clone(&known.principal),
            issuer: issuer.settings.terms.issuer.clone(),
        })
    }

    async fn known(
        &self,
        client: &Client,
        token: &str,
        now: u64,
        certificate: Option<&str>,
    ) -> Result<Arc<Known>, Denied> {
        let hash = token_hash(token);
        let known = match hash.and_then(|hash| self.remembered(&hash, now)) {
            Some(known) => known,
            None => {
                let known = Arc::new(self.verify(client, token, now).await?);
                if let Some(hash) = hash {
                    self.remember(hash, Arc::clone(&known));
                }
                known
            }
        };
        if known.binding.is_some() && known.binding.as_deref() != certificate {
            return Err(TokenError::Bound.into());
        }
        Ok(known)
    }

    async fn verify(&self, client: &Client, token: &str, now: u64) -> Result<Known, Denied> {
        let unverified = Unverified::read(token)?;
        let claimed = unverified.issuer().ok_or(TokenError::Claim("iss"))?;
        let fits = |issuer: &Issuer| issuer.settings.terms.issuer == claimed;
        let at = self.all.iter().position(fits).ok_or(TokenError::Issuer)?;
        let issuer = self.all.get(at).ok_or(TokenError::Issuer)?;
        let fetched = issuer.source.keys_for(client, &unverified).await;
        let fetched = fetched.ok_or(Denied::NoKeys)?;
        let terms = &issuer.settings.terms;
        let claims = unverified.verify(terms, &fetched.keys, now)?;
        Ok(Known {
            issuer: at,
            generation: fetched.generation,
            until: claims.until(terms),
            binding: claims.binding()?.map(str::to_owned),
            principal: Arc::new(issuer.settings.mapping.principal(&terms.issuer, &claims)?),
        })
    }

    /// What was found good and still is: neither over nor signed by a key that is not the issuer's any more.
    fn remembered(&self, hash: &[u8; 32], now: u64) -> Option<Arc<Known>> {
        let known = {
            let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(memory.young.get(hash).or_else(|| memory.old.get(hash))?)
        };
        let keys = self.all.get(known.issuer)?.source.keys()?;
        (now < known.until && keys.generation == known.generation).then_some(known)
    }

    fn remember(&self, hash: [u8; 32], known: Arc<Known>) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.young.len() >= REMEMBERED {
            memory.old = std::mem::take(&mut memory.young);
        }
        memory.young.insert(hash, known);
    }
}

fn token_hash(token: &str) -> Option<[u8; 32]> {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()
}
