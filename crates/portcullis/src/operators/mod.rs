//! Operators besides the holder of the admin token: known by the issuers of the data plane, or by a login at an identity provider;
//! permitted by their roles and, where there are policies, by these as well.

mod login;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use http::HeaderMap;
use portcullis_admin::{Asked, Begun, Operator, Operators, Unknown};
use portcullis_policy::access::{Act, Circumstances, Question, Resource, Subject, SubjectKind};
use portcullis_proxy::{Denied, Gateway, Server};

use login::Login;
pub use login::LoginSettings;

/// What a role may do. The greater may do what the smaller may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// See everything.
    Read,
    /// Change it as well.
    Change,
}

/// Who operators are.
#[derive(Clone, Default)]
pub struct OperatorSettings {
    /// What roles may do; without any, nobody is an operator but the holder of the token.
    pub roles: BTreeMap<String, Right>,
    /// Issuers whose word counts.
    pub issuers: Vec<String>,
    /// Where they log in in a browser.
    pub login: Option<LoginSettings>,
    /// Whether browsers reach the console by HTTPS alone.
    pub encrypted: bool,
}

/// The settings in force, with what is known of the provider.
struct State {
    settings: OperatorSettings,
    login: Option<Login>,
}

impl State {
    fn new(settings: OperatorSettings) -> Arc<State> {
        let login = settings.login.clone().map(Login::new);
        Arc::new(State { settings, login })
    }
}

/// The operators of a running gateway.
pub struct OperatorsOf {
    server: Arc<Server>,
    state: RwLock<Arc<State>>,
}

impl OperatorsOf {
    /// Operators whom the issuers of this server's configuration know.
    #[must_use]
    pub fn new(server: Arc<Server>, settings: OperatorSettings) -> OperatorsOf {
        OperatorsOf {
            server,
            state: RwLock::new(State::new(settings)),
        }
    }

    /// Puts other settings in force. Sessions that were begun under those before are judged by these.
    pub fn take(&self, settings: OperatorSettings) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State::new(settings);
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[portcullis_admin::async_trait]
impl Operators for OperatorsOf {
    fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.server.gateway().source(peer, headers)
    }

    fn guessed(&self, source: IpAddr) -> Option<u64> {
        self.server.gateway().guessed(source)
    }

    async fn known(&self, token: &str) -> Result<Operator, Unknown> {
        // A token is three parts with dots; the admin token that was made has none.
        if self.state().settings.roles.is_empty() || !token.contains('.') {
            return Err(Unknown::Wrong);
        }
        let shown = self.server.gateway().shown(token).await;
        let shown = shown.map_err(|error| match error {
            Denied::NoKeys => Unknown::OutOfReach,
            Denied::Token(error) => {
                tracing::info!(%error, "an operator's token was refused");
                Unknown::Wrong
            }
        })?;
        let principal = shown.principal;
        Ok(Operator {
            id: principal.key.as_str().to_owned(),
            name: principal.name.clone(),
            issuer: shown.issuer,
            roles: principal.roles.clone(),
        })
    }

    fn may(&self, operator: &Operator, asked: &Asked<'_>) -> bool {
        may(&self.state().settings, &self.server.gateway(), operator, asked)
    }

    fn is_encrypted(&self) -> bool {
        self.state().settings.encrypted
    }

    fn has_login(&self) -> bool {
        self.state().login.is_some()
    }

    async fn begin_login(&self, begun: &Begun) -> Result<String, Unknown> {
        let state = self.state();
        let login = state.login.as_ref().ok_or(Unknown::Wrong)?;
        login.begin(&self.server.gateway(), begun).await
    }

    async fn end_login(&self, begun: &Begun, code: &str, issuer: Option<&str>) -> Result<Operator, Unknown> {
        let state = self.state();
        let login = state.login.as_ref().ok_or(Unknown::Wrong)?;
        login.end(&self.server.gateway(), begun, code, issuer).await
    }
}

/// Both must permit: a role of the configuration, and the policies, where there are any.
fn may(settings: &OperatorSettings, gateway: &Gateway, operator: &Operator, asked: &Asked<'_>) -> bool {
    if !settings.issuers.contains(&operator.issuer) {
        return false;
    }
    let (act, needed) = match asked.changes {
        true => (Act::ChangeAdmin, Right::Change),
        false => (Act::ReadAdmin, Right::Read),
    };
    let rights = operator.roles.iter().filter_map(|role| settings.roles.get(role));
    if rights.max().is_none_or(|right| *right < needed) {
        return false;
    }
    let Some(access) = gateway.access() else {
        return true;
    };
    let answer = access.ask(&Question {
        subject: Subject {
            kind: SubjectKind::Operator {
                issuer: &operator.issuer,
            },
            id: &operator.id,
            name: &operator.name,
            org: None,
            team: None,
            user: None,
            roles: &operator.roles,
        },
        act,
        resource: Resource::Admin {
            path: asked.path,
            method: asked.method,
        },
        circumstances: Circumstances {
            source: asked.source,
            profile: "",
            stream: false,
            max_tokens: None,
        },
    });
    if !answer.permitted {
        let by = answer.denied_by(act).join(", ");
        tracing::info!(operator = %operator.id, path = asked.path, %by, "policies deny it to an operator");
    }
    answer.permitted
}
