//! Servers of tools behind the gateway: the Model Context Protocol at `/mcp/{server}`.
//!
//! A message comes in by the same rooms as any request ([`entrance`]), so every text of it has been read before the protocol sees it. The
//! protocol itself is the official SDK's on both sides: towards the client ([`served`]) and towards the server ([`link`]). Between them
//! stands one authoriser: definitions are pinned ([`pins`]), calls are judged by the tool policy ([`session`]), and what a server says is
//! read before anybody else reads it ([`look`]). A method that is not named in [`served`] does not exist here.

mod entrance;
mod http;
mod link;
mod look;
mod pins;
mod relay;
mod served;
mod session;
mod vetted;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::http::HeaderMap;
use portcullis_core::{KeyId, Principal, Secret};
use portcullis_policy::tools::Principals;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager as Sessions;
use tokio_util::sync::CancellationToken;

pub(crate) use entrance::{Answered, mcp};
use link::Link;
use vetted::Vetted;

/// How a server is reached.
pub enum Reach {
    /// Over HTTP.
    Http {
        /// Its address.
        url: String,
        /// What goes with every request: its credentials. Clients never see them.
        headers: HeaderMap,
    },
    /// A program that is started for each session and speaks over its standard input and output.
    Program {
        /// The program.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// Its whole environment: nothing of the gateway's own is handed on.
        environment: Vec<(String, Secret<String>)>,
        /// Where it runs.
        folder: Option<PathBuf>,
    },
}

/// What a server may ask of the client that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Its user, by a form.
    Elicitation,
    /// Its model.
    Sampling,
    /// The folders that it works in.
    Roots,
}

/// A server of tools.
pub struct McpServer {
    /// Its name in the configuration, and in the path.
    pub name: Arc<str>,
    /// How it is reached.
    pub reach: Reach,
    /// Who may use it; everybody, where it is not said.
    pub principals: Option<Principals>,
    /// The tool policy for its tools; the key's own where none is named.
    pub tools: Option<String>,
    /// The profile that its texts are judged by; the key's own where none is named.
    pub profile: Option<String>,
    /// Whether what it says of its tools is pinned at first sight.
    pub pin: bool,
    /// What it may ask of clients.
    pub asks: Vec<Asks>,
    /// How long an answer may take. What it reports of its progress begins the time anew.
    pub timeout: Duration,
    /// How long a call waits for a person who is asked.
    pub wait: Duration,
    /// Sessions at once, of all clients.
    pub sessions: usize,
    /// A sum of all that is said of it: sessions of a server that is configured otherwise end.
    pub sum: [u8; 32],
}

impl McpServer {
    pub(crate) fn is_for(&self, who: &Principal) -> bool {
        self.principals
            .as_ref()
            .is_none_or(|principals| principals.has(who))
    }
}

/// Sessions with servers of tools. They outlive a configuration.
#[derive(Default)]
pub struct Mcp {
    pub(crate) vetted: Vetted,
    sessions: Arc<Sessions>,
    closing: CancellationToken,
    /// Whose each session is, by its id.
    owners: Mutex<HashMap<String, Owner>>,
    /// Links of clients that keep no session, by whose and which.
    shared: Mutex<HashMap<Place, Arc<Link>>>,
}

/// Whose, and which server.
type Place = (KeyId, Arc<str>);

/// Whose a session is. Somebody else's is none.
struct Owner {
    key: KeyId,
    server: Arc<str>,
    sum: [u8; 32],
}

fn lock<T>(guarded: &Mutex<T>) -> MutexGuard<'_, T> {
    guarded.lock().unwrap_or_else(PoisonError::into_inner)
}
