//! The data plane: sockets, the upstream client, and the rooms that a request walks through.
//!
//! It receives a finished [`Gateway`] value and never touches files, the environment or the command line, so that a test
//! builds one in a few lines. `pipeline.rs` is the map of what happens to a request.

mod alerts;
mod approvals;
mod body;
mod calling;
mod calls;
mod definitions;
mod door;
mod enforce;
mod gateway;
mod group_limit;
mod headers;
mod identity;
mod judge;
mod kept;
mod levels;
mod marks;
mod masks;
mod mcp;
mod metrics;
mod models;
mod pipeline;
mod places;
mod prompts;
mod record;
mod refusal;
mod repeats;
mod resource;
mod server;
mod tls;
mod turns;
mod upstream;

pub use alerts::raise_alerts;
pub use calls::NamedToolPolicy;
pub use door::{Door, Entered, Peer, Stream};
pub use gateway::{
    CertificateRule, Gateway, ModelSize, RequestLimit, Route, Services, Settings, SettingsError, Timeouts,
    Upstream,
};
pub use group_limit::GroupLimit;
pub use http::{HeaderMap, HeaderName, HeaderValue};
pub use identity::{
    Algorithm, Claims, Denied, GuessLimit, Guesses, Identity, JwtIssuer, KeySources, Mapping, Shown, Terms,
    TokenError, is_safe, subject_id,
};
pub use kept::Kept;
pub use levels::{Group, Groups};
pub use mcp::{Asks, Mcp, McpServer, Reach};
pub use metrics::Metrics;
pub use prompts::{OwnPrompt, secrets_in};
pub use refusal::{Code, Refusal};
pub use repeats::Repeats;
pub use server::{Server, serve};
pub use tls::{CertificatePattern, ClientCertificate, NameKind, Tls, TlsTerms};
pub use turns::Turns;
pub use upstream::Client;
