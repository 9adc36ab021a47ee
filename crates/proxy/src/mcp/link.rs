//! One connection to a server of tools, for one client: a session's, or that of a client that keeps none.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis_policy::tools::Offered;
use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, ClientCapabilities, ClientNotification, ClientRequest,
    ResultType, ServerPeerInfo, ServerResult,
};
use rmcp::service::{PeerRequestOptions, RequestContext, RunningService, ServiceError};
use rmcp::transport::child_process::TokioChildProcess;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
};
use rmcp::{ErrorData, RoleClient, RoleServer, ServiceExt as _};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::process::{ChildStderr, Command};

use super::http::Http;
use super::look::look;
use super::relay::{Client, Relay};
use super::served::Caller;
use super::session::History;
use super::{McpServer, Reach, lock};
use crate::Refusal;

/// A connection to a server, and what it has shown.
pub(super) struct Link {
    pub server: Arc<McpServer>,
    upstream: RunningService<RoleClient, Relay>,
    pub client: Arc<Client>,
    pub history: Arc<History>,
    /// Tools that may be shown, as they were last listed.
    tools: Mutex<Option<Vec<Listed>>>,
    used: Mutex<Instant>,
}

/// A tool as it was listed: for the judge of its calls, and as the server defines it.
#[derive(Clone)]
pub(super) struct Listed {
    pub offered: Offered,
    pub definition: Value,
}

/// Most of what a program writes to its standard error that is logged at once.
const LOGGED: usize = 4096;

impl Link {
    /// Connects to a server, on behalf of whoever asks.
    pub async fn open(caller: &Caller, able: Option<&ClientCapabilities>) -> Result<Link, ErrorData> {
        let server = Arc::clone(&caller.server);
        let client = Arc::new(Client::default());
        let history = Arc::new(History::default());
        let relay = Relay {
            history: Arc::clone(&history),
            able: Relay::able(&server, able),
            server: Arc::clone(&server),
            client: Arc::clone(&client),
        };
        let opened = tokio::time::timeout(server.timeout, connect(caller, relay)).await;
        let why = match opened {
            Ok(Ok(upstream)) => {
                return Ok(Link {
                    server,
                    upstream,
                    client,
                    history,
                    tools: Mutex::default(),
                    used: Mutex::new(Instant::now()),
                });
            }
            Ok(Err(why)) => why,
            Err(_) => "it did not answer in time".to_owned(),
        };
        tracing::warn!(server = %server.name, %why, "a server of tools cannot be reached");
        Err(refused(&Refusal::Upstream(
            "the server of tools cannot be reached",
        )))
    }

    /// What the server says of itself.
    pub fn about(&self) -> Option<Arc<ServerPeerInfo>> {
        self.upstream.peer().peer_info()
    }

    /// Whether the connection is still there.
    pub fn is_open(&self) -> bool {
        !self.upstream.is_closed()
    }

    /// How long nobody has asked anything.
    pub fn idle(&self) -> Duration {
        lock(&self.used).elapsed()
    }

    /// The tools that may be shown, if they were listed and the server has not said since that they are others.
    pub fn tools(&self) -> Option<Vec<Listed>> {
        let mut known = lock(&self.tools);
        if self.client.stale.swap(false, Ordering::AcqRel) {
            *known = None;
        }
        known.clone()
    }

    /// Notes the tools that may be shown: a first page, or one that follows.
    pub fn lists(&self, tools: Vec<Listed>, is_first: bool) {
        let mut known = lock(&self.tools);
        match &mut *known {
            Some(known) if !is_first => known.extend(tools),
            // A page without those before it: whoever needs them all lists them all.
            None if !is_first => {}
            known => *known = Some(tools),
        }
    }

    /// Asks the server. What it says of an error has been read.
    pub async fn ask(
        &self,
        caller: &Caller,
        context: &RequestContext<RoleServer>,
        request: impl Into<ClientRequest>,
    ) -> Result<ServerResult, ErrorData> {
        *lock(&self.used) = Instant::now();
        let mut under_way = self.client.begins(caller, &context.peer);
        let mut options = PeerRequestOptions::with_timeout(self.server.timeout);
        options.reset_timeout_on_progress = true;
        options.max_total_timeout = Some(caller.gateway.timeouts.total);
        let sent = self
            .upstream
            .peer()
            .send_cancellable_request(request.into(), options)
            .await;
        let handle = match sent {
            Ok(handle) => handle,
            Err(error) => return Err(self.failed(caller, error).await),
        };
        if let Some(token) = context.meta.get_progress_token() {
            under_way.reports(handle.progress_token.clone(), token, caller, &context.peer);
        }
        let (id, peer) = (handle.id.clone(), handle.peer.clone());
        let answer = tokio::select! {
            answer = handle.await_response() => answer,
            () = context.ct.cancelled() => {
                let gone = CancelledNotificationParam::new(Some(id), Some("the client cancelled it".to_owned()));
                let gone = ClientNotification::CancelledNotification(CancelledNotification::new(gone));
                if let Err(error) = peer.send_notification(gone).await {
                    tracing::debug!(%error, "a server is not told of a cancelled request");
                }
                return Err(ErrorData::internal_error("the request was cancelled", None));
            }
        };
        match answer {
            Ok(answer) => Ok(whole(answer)),
            Err(error) => Err(self.failed(caller, error).await),
        }
    }

    /// An error as the client is told it. The words of the server's own are read like all of its words.
    async fn failed(&self, caller: &Caller, error: ServiceError) -> ErrorData {
        match error {
            ServiceError::McpError(error) => {
                let read = look(&caller.gateway, &caller.guard, "error", &error, &caller.record).await;
                match read {
                    Ok(read) => {
                        self.history.told("error", &read.value);
                        read.value
                    }
                    Err(refusal) => ErrorData::new(error.code, refusal.to_string(), None),
                }
            }
            error => {
                tracing::warn!(server = %self.server.name, %error, "a server of tools failed");
                refused(&match error {
                    ServiceError::Timeout { .. } => Refusal::UpstreamTimeout,
                    _ => Refusal::Upstream("the server of tools failed"),
                })
            }
        }
    }
}

/// A result as the newest revision has it; for clients of others the SDK takes that away again. Who may keep it is not the server's to say:
/// what it has for everybody is not everybody's here.
fn whole(mut result: ServerResult) -> ServerResult {
    let kind = match &mut result {
        ServerResult::CallToolResult(result) => &mut result.result_type,
        ServerResult::GetPromptResult(result) => &mut result.result_type,
        ServerResult::CompleteResult(result) => &mut result.result_type,
        ServerResult::ListToolsResult(page) => {
            page.cache_scope = None;
            &mut page.result_type
        }
        ServerResult::ListPromptsResult(page) => {
            page.cache_scope = None;
            &mut page.result_type
        }
        ServerResult::ListResourcesResult(page) => {
            page.cache_scope = None;
            &mut page.result_type
        }
        ServerResult::ListResourceTemplatesResult(page) => {
            page.cache_scope = None;
            &mut page.result_type
        }
        ServerResult::ReadResourceResult(read) => {
            read.cache_scope = None;
            &mut read.result_type
        }
        _ => return result,
    };
    kind.get_or_insert(ResultType::COMPLETE);
    result
}

/// A refusal as an error of the protocol.
pub(super) fn refused(refusal: &Refusal) -> ErrorData {
    let (_, code) = refusal.wire();
    let data = serde_json::json!({ "code": code.as_str() });
    ErrorData::internal_error(refusal.to_string(), Some(data))
}

async fn connect(caller: &Caller, relay: Relay) -> Result<RunningService<RoleClient, Relay>, String> {
    let server = Arc::clone(&relay.server);
    let opened = match &server.reach {
        Reach::Http { url, headers } => {
            let gateway = &caller.gateway;
            let http = Http::new(
                gateway.services.client.clone(),
                headers.clone(),
                server.timeout,
                gateway.timeouts.idle,
            );
            let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
            relay
                .serve(StreamableHttpClientTransport::with_client(http, config))
                .await
        }
        Reach::Program {
            program,
            arguments,
            environment,
            folder,
        } => {
            let mut command = Command::new(program);
            command.args(arguments).env_clear().kill_on_drop(true);
            for (name, value) in environment {
                command.env(name, value.expose());
            }
            if let Some(folder) = folder {
                command.current_dir(folder);
            }
            let child = TokioChildProcess::builder(command)
                .stderr(std::process::Stdio::piped())
                .spawn();
            let (child, errors) = child.map_err(|error| format!("`{program}` cannot be started: {error}"))?;
            if let Some(errors) = errors {
                tokio::spawn(log(Arc::clone(&server.name), errors));
            }
            relay.serve(child).await
        }
    };
    opened.map_err(|error| error.to_string())
}

/// What a program says on its standard error, in the gateway's log, for as long as it runs.
async fn log(server: Arc<str>, mut errors: ChildStderr) {
    let mut piece = vec![0; LOGGED];
    while let Ok(length @ 1..) = errors.read(&mut piece).await {
        let said = String::from_utf8_lossy(piece.get(..length).unwrap_or_default());
        for line in said.lines().filter(|line| !line.trim().is_empty()) {
            tracing::debug!(%server, %line, "a server of tools says");
        }
    }
}
