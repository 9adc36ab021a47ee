//! Sessions of browsers. A cookie holds a session and not the token: cookies of one host are shown to all its ports.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, header};

use crate::clock::now_ms;
use crate::error::ApiError;
use crate::operators::{Begun, Who};

/// The name of the session's cookie.
const COOKIE: &str = "portcullis_console";

/// The name of the cookie of a login that is under way.
const LOGIN_COOKIE: &str = "portcullis_login";

/// Where the cookie of a login is shown.
const LOGIN_PATH: &str = "/login/oidc";

/// How long a session of the token lasts.
const LIFE_MS: u64 = 12 * 3_600_000;

/// How long one of an identity provider lasts: whoever loses a role there loses it here after that.
const LOGIN_LIFE_MS: u64 = 3_600_000;

/// How long a login may take.
const BEGUN_LIFE_MS: u64 = 10 * 60_000;

/// More sessions than operators could have; the oldest ends when another begins.
const MOST_SESSIONS: usize = 64;

/// Logins that may be under way, in all and of one source; the oldest makes room.
const MOST_BEGUN: usize = 1024;
const MOST_BEGUN_EACH: usize = 16;

/// The name of a session or a login: random, so a look-up tells nothing.
type Id = [u8; 16];

struct Session {
    ends: u64,
    who: Who,
}

/// Open sessions.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<Id, Session>>);

impl Sessions {
    /// Begins a session; its cookie.
    pub(crate) fn begin(&self, who: Who, encrypted: bool) -> Result<String, ApiError> {
        let id = random()?;
        let life = match who {
            Who::Root => LIFE_MS,
            Who::Known(_) => LOGIN_LIFE_MS,
        };
        let now = now_ms();
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, session| session.ends > now);
        if open.len() >= MOST_SESSIONS {
            let oldest = open
                .iter()
                .min_by_key(|(_, session)| session.ends)
                .map(|(id, _)| *id);
            oldest.map(|id| open.remove(&id));
        }
        let ends = now.saturating_add(life);
        open.insert(id, Session { ends, who });
        Ok(cookie(COOKIE, &text(id), "/", "Strict", life, encrypted))
    }

    /// Whose open session a request shows.
    pub(crate) fn shown(&self, headers: &HeaderMap) -> Option<Who> {
        let now = now_ms();
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids(headers, COOKIE).into_iter().find_map(|id| {
            let session = open.get(&id).filter(|session| session.ends > now)?;
            Some(session.who.clone())
        })
    }
}

struct Login {
    ends: u64,
    source: IpAddr,
    begun: Begun,
}

/// Logins under way.
#[derive(Default)]
pub(crate) struct Logins(Mutex<HashMap<Id, Login>>);

impl Logins {
    /// Remembers a login; its cookie. A browser brings it along from the provider's page, so it is not a strict one.
    pub(crate) fn begin(&self, begun: Begun, source: IpAddr, encrypted: bool) -> Result<String, ApiError> {
        let id = random()?;
        let now = now_ms();
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, login| login.ends > now);
        // Whoever begins many ends their own first.
        let own = under_way.values().filter(|login| login.source == source).count();
        let oldest = under_way
            .iter()
            .filter(|(_, login)| own < MOST_BEGUN_EACH || login.source == source)
            .min_by_key(|(_, login)| login.ends)
            .map(|(id, _)| *id);
        if own >= MOST_BEGUN_EACH || under_way.len() >= MOST_BEGUN {
            oldest.map(|id| under_way.remove(&id));
        }
        let ends = now.saturating_add(BEGUN_LIFE_MS);
        under_way.insert(id, Login { ends, source, begun });
        Ok(cookie(
            LOGIN_COOKIE,
            &text(id),
            LOGIN_PATH,
            "Lax",
            BEGUN_LIFE_MS,
            encrypted,
        ))
    }

    /// The login that a request shows the cookie of. It is forgotten by that: each comes back once.
    pub(crate) fn take(&self, headers: &HeaderMap) -> Option<Begun> {
        let now = now_ms();
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = ids(headers, LOGIN_COOKIE).into_iter();
        let login = shown.filter_map(|id| under_way.remove(&id)).next();
        login.filter(|login| login.ends > now).map(|login| login.begun)
    }
}

/// Takes a login's cookie back.
pub(crate) fn login_over() -> String {
    cookie(LOGIN_COOKIE, "", LOGIN_PATH, "Lax", 0, false)
}

/// New secrets of a login.
pub(crate) fn secrets() -> Result<Begun, ApiError> {
    let secret = || Ok::<_, ApiError>(format!("{}{}", text(random()?), text(random()?)));
    Ok(Begun {
        state: secret()?,
        nonce: secret()?,
        verifier: secret()?,
    })
}

fn cookie(name: &str, value: &str, path: &str, same_site: &str, life_ms: u64, encrypted: bool) -> String {
    let secure = if encrypted { "; Secure" } else { "" };
    let seconds = life_ms / 1000;
    format!("{name}={value}; Path={path}; HttpOnly; SameSite={same_site}; Max-Age={seconds}{secure}")
}

fn text(id: Id) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

fn random() -> Result<Id, ApiError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| {
        tracing::error!(%error, "no random bytes for a session");
        ApiError::State
    })?;
    Ok(id)
}

/// The ids in the cookies of this name.
fn ids(headers: &HeaderMap, name: &str) -> Vec<Id> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
        .filter(|text| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .filter_map(|text| u128::from_str_radix(text, 16).ok())
        .map(u128::to_be_bytes)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cookie(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, value.parse().unwrap());
        headers
    }

    #[test]
    fn a_session_is_known_by_its_cookie_alone() {
        let sessions = Sessions::default();
        let cookie = sessions.begin(Who::Root, false).unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        assert!(!cookie.contains("Secure"));
        assert!(sessions.begin(Who::Root, true).unwrap().ends_with("; Secure"));
        let pair = cookie.split(';').next().unwrap();
        let shown = |value: &str| sessions.shown(&with_cookie(value)).is_some();
        assert!(shown(pair));
        assert!(shown(&format!("other=1; {pair}")));
        assert!(!shown(&format!("{COOKIE}={:032x}", 1)));
        assert!(!shown(COOKIE));
    }

    #[test]
    fn sessions_do_not_pile_up() {
        let sessions = Sessions::default();
        for _ in 0..MOST_SESSIONS * 2 {
            sessions.begin(Who::Root, false).unwrap();
        }
        assert!(sessions.0.lock().unwrap().len() <= MOST_SESSIONS);
    }

    /// A source that begins logins without end ends its own, and nobody else's.
    #[test]
    fn a_login_comes_back_once_and_is_ended_by_its_own_source_alone() {
        let logins = Logins::default();
        let begin = |source: [u8; 4]| {
            let cookie = logins
                .begin(secrets().unwrap(), IpAddr::from(source), false)
                .unwrap();
            assert!(cookie.contains("HttpOnly; SameSite=Lax") && cookie.contains("Path=/login/oidc;"));
            cookie.split(';').next().unwrap().to_owned()
        };
        let kept = begin([192, 0, 2, 1]);
        for _ in 0..MOST_BEGUN_EACH * 2 {
            begin([192, 0, 2, 2]);
        }
        assert_eq!(logins.0.lock().unwrap().len(), 1 + MOST_BEGUN_EACH);
        let headers = with_cookie(&kept);
        assert!(logins.take(&headers).is_some());
        assert!(logins.take(&headers).is_none());
        for n in 0..2 * MOST_BEGUN {
            let [.., high, low] = n.to_be_bytes();
            begin([10, 0, high, low]);
        }
        assert!(logins.0.lock().unwrap().len() <= MOST_BEGUN);
    }
}
