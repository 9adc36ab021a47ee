//! The client that a server sees: the gateway. What the server asks or tells goes on to the client whose request is under way, as far as the
//! configuration lets it ask, and after it was read.
#![allow(
    deprecated,
    reason = "the revisions that clients and servers speak today have what the newest one has dropped"
)]

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rmcp::model::{
    ClientCapabilities, ClientConfig, CreateMessageRequest, CreateMessageRequestParams, CreateMessageResult,
    ElicitRequest, ElicitRequestParams, ElicitResult, Implementation, ListRootsRequest, ListRootsResult,
    LoggingMessageNotification, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken,
    ResourceUpdatedNotificationParam, ServerNotification, ServerRequest,
};
use rmcp::service::{NotificationContext, Peer, RequestContext};
use rmcp::{ClientHandler, ErrorData, RoleClient, RoleServer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::look::look;
use super::served::Caller;
use super::session::History;
use super::{Asks, McpServer, lock};

/// What is known of the client's side while requests are under way.
#[derive(Default)]
pub(super) struct Client {
    /// Whose requests are under way, the last one last, each with a number.
    under_way: Mutex<Vec<(u64, Caller, Peer<RoleServer>)>>,
    /// Where progress is reported, by the gateway's own token.
    progress: Mutex<HashMap<ProgressToken, Reported>>,
    /// Resources whose changes the client wants to know of.
    pub wanted: Mutex<HashSet<String>>,
    /// Whether the server said that its tools are others than they were.
    pub stale: AtomicBool,
    /// The client of a session, to tell what belongs to no request.
    pub listens: Mutex<Option<Peer<RoleServer>>>,
}

/// The client's token, and who it is.
type Reported = (ProgressToken, Caller, Peer<RoleServer>);

/// A request that is under way, until it is dropped.
pub(super) struct UnderWay {
    client: Arc<Client>,
    number: u64,
    token: Option<ProgressToken>,
}

impl Client {
    /// Notes that a request is under way.
    pub fn begins(self: &Arc<Client>, caller: &Caller, peer: &Peer<RoleServer>) -> UnderWay {
        let mut all = lock(&self.under_way);
        let number = all.last().map_or(0, |(number, ..)| number.saturating_add(1));
        all.push((number, caller.clone(), peer.clone()));
        UnderWay {
            client: Arc::clone(self),
            number,
            token: None,
        }
    }

    fn last(&self) -> Option<(Caller, Peer<RoleServer>)> {
        let all = lock(&self.under_way);
        all.last().map(|(_, caller, peer)| (caller.clone(), peer.clone()))
    }
}

impl UnderWay {
    /// Progress is reported to the client under its own token.
    pub fn reports(
        &mut self,
        own: ProgressToken,
        to: ProgressToken,
        caller: &Caller,
        peer: &Peer<RoleServer>,
    ) {
        lock(&self.client.progress).insert(own.clone(), (to, caller.clone(), peer.clone()));
        self.token = Some(own);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.client.under_way).retain(|(number, ..)| *number != self.number);
        if let Some(token) = &self.token {
            lock(&self.client.progress).remove(token);
        }
    }
}

/// The gateway as a server's client.
pub(super) struct Relay {
    pub server: Arc<McpServer>,
    pub client: Arc<Client>,
    pub history: Arc<History>,
    pub able: ClientCapabilities,
}

impl Relay {
    /// What the client of this session can be asked: what it says that it can, as far as the server may ask it.
    pub fn able(server: &McpServer, client: Option<&ClientCapabilities>) -> ClientCapabilities {
        let mut able = ClientCapabilities::default();
        let Some(client) = client else { return able };
        for asks in &server.asks {
            match asks {
                Asks::Elicitation => able.elicitation.clone_from(&client.elicitation),
                Asks::Sampling => able.sampling.clone_from(&client.sampling),
                Asks::Roots => able.roots.clone_from(&client.roots),
            }
        }
        able
    }

    /// Reads what the server asks, and asks the client whose request is under way.
    async fn asks<T: Serialize + DeserializeOwned>(
        &self,
        asks: Asks,
        method: &'static str,
        params: &T,
        request: impl FnOnce(T) -> ServerRequest,
    ) -> Result<rmcp::model::ClientResult, ErrorData> {
        let refused = || ErrorData::invalid_request(format!("{method} is not permitted here"), None);
        if !self.server.asks.contains(&asks) {
            return Err(refused());
        }
        let (caller, peer) = self.client.last().ok_or_else(refused)?;
        let read = look(&caller.gateway, &caller.guard, method, params, &caller.record).await;
        let read = read.map_err(|_| refused())?;
        self.history.told(method, &read.value);
        peer.send_request(request(read.value)).await.map_err(|error| {
            tracing::debug!(%error, server = %self.server.name, "the client did not answer what the server asks");
            ErrorData::internal_error("the client did not answer", None)
        })
    }

    async fn tells(&self, notification: ServerNotification) {
        let listens = lock(&self.client.listens).clone();
        if let Some(peer) = listens
            && let Err(error) = peer.send_notification(notification).await
        {
            tracing::debug!(%error, "a client does not listen any more");
        }
    }
}

impl ClientHandler for Relay {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(
            self.able.clone(),
            Implementation::new("portcullis", env!("CARGO_PKG_VERSION")),
        )
    }

    async fn create_message(
        &self,
        params: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        let request = |params| ServerRequest::CreateMessageRequest(CreateMessageRequest::new(params));
        match self
            .asks(Asks::Sampling, "sampling/createMessage", &params, request)
            .await?
        {
            rmcp::model::ClientResult::CreateMessageResult(answer) => Ok(*answer),
            _ => Err(unexpected()),
        }
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        let request = |()| ServerRequest::ListRootsRequest(ListRootsRequest::default());
        match self.asks(Asks::Roots, "roots/list", &(), request).await? {
            rmcp::model::ClientResult::ListRootsResult(answer) => Ok(answer),
            _ => Err(unexpected()),
        }
    }

    async fn create_elicitation(
        &self,
        params: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let request = |params| ServerRequest::ElicitRequest(ElicitRequest::new(params));
        match self
            .asks(Asks::Elicitation, "elicitation/create", &params, request)
            .await?
        {
            rmcp::model::ClientResult::ElicitResult(answer) => Ok(answer),
            _ => Err(unexpected()),
        }
    }

    async fn on_progress(
        &self,
        mut params: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let to = lock(&self.client.progress).get(&params.progress_token).cloned();
        let Some((token, caller, peer)) = to else { return };
        if let Some(message) = params.message.take() {
            let read = look(
                &caller.gateway,
                &caller.guard,
                "notifications/progress",
                &message,
                &caller.record,
            )
            .await;
            params.message = read.ok().map(|read| read.value);
            self.history.told("notifications/progress", &params.message);
        }
        params.progress_token = token;
        params.meta = None;
        if let Err(error) = peer.notify_progress(params).await {
            tracing::debug!(%error, "progress reaches nobody");
        }
    }

    /// What a server logs outside of a request is told nobody: there is nobody whose rules it could be read by.
    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let Some((caller, peer)) = self.client.last() else {
            return;
        };
        let read = look(
            &caller.gateway,
            &caller.guard,
            "notifications/message",
            &params,
            &caller.record,
        )
        .await;
        let Ok(read) = read else { return };
        self.history.told("notifications/message", &read.value);
        let told =
            ServerNotification::LoggingMessageNotification(LoggingMessageNotification::new(read.value));
        if let Err(error) = peer.send_notification(told).await {
            tracing::debug!(%error, "a log message reaches nobody");
        }
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        // The client's own words come back to it, and no others.
        if lock(&self.client.wanted).contains(&params.uri) {
            let params = ResourceUpdatedNotificationParam::new(params.uri);
            let told = rmcp::model::ResourceUpdatedNotification::new(params);
            self.tells(ServerNotification::ResourceUpdatedNotification(told))
                .await;
        }
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.client.stale.store(true, Ordering::Release);
        let told = rmcp::model::ToolListChangedNotification::default();
        self.tells(ServerNotification::ToolListChangedNotification(told))
            .await;
    }

    async fn on_prompt_list_changed(&self, _context: NotificationContext<RoleClient>) {
        let told = rmcp::model::PromptListChangedNotification::default();
        self.tells(ServerNotification::PromptListChangedNotification(told))
            .await;
    }

    async fn on_resource_list_changed(&self, _context: NotificationContext<RoleClient>) {
        let told = rmcp::model::ResourceListChangedNotification::default();
        self.tells(ServerNotification::ResourceListChangedNotification(told))
            .await;
    }
}

fn unexpected() -> ErrorData {
    ErrorData::internal_error("the client answered something else", None)
}
