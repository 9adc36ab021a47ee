//! The server that a client sees: the gateway. Every method that exists here is in this file, and each asks the one authoriser first; one that
//! is not here does not exist.
#![allow(
    deprecated,
    reason = "the revisions that clients and servers speak today have what the newest one has dropped"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_core::{Decision, RecordedFinding};
use portcullis_policy::Mode;
use portcullis_policy::tools::{Offered, may_offer, nature};
use portcullis_store::PinKind;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequest,
    CompleteRequestParams, CompleteResult, ContentBlock, DiscoverResult, GetPromptRequest,
    GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams, InitializeResult,
    ListPromptsRequest, ListPromptsResult, ListResourceTemplatesRequest, ListResourceTemplatesResult,
    ListResourcesRequest, ListResourcesResult, ListToolsRequest, ListToolsResult, MetaObject,
    PaginatedRequestParams, ReadResourceRequest, ReadResourceRequestParams, ReadResourceResponse,
    RequestOptionalParam, ServerCapabilities, ServerConfig, ServerResult, SetLevelRequest,
    SetLevelRequestParams, SubscribeRequest, SubscribeRequestParams, Tool, UnsubscribeRequest,
    UnsubscribeRequestParams,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::link::{Link, Listed, refused};
use super::look::{Seen, look};
use super::pins::{noted, shown};
use super::{McpServer, lock};
use crate::approvals::Approving;
use crate::calling::{Calling, may_call};
use crate::calls::{NamedToolPolicy, ToolGuard};
use crate::definitions::Given;
use crate::gateway::Guard;
use crate::levels::Standing;
use crate::record::Record;
use crate::{Gateway, Refusal};

/// Tools of a server that are looked at, at most.
const MOST_TOOLS: usize = 2000;
/// Pages of them, at most.
const MOST_PAGES: usize = 100;
/// Resources whose changes a client may wait for.
const MOST_WANTED: usize = 1000;
/// Where the gateway's own words on a result stand.
const META: &str = "portcullis";

/// Who sends a message, and by which rules it is answered. It travels with the message.
#[derive(Clone)]
pub(super) struct Caller {
    pub gateway: Arc<Gateway>,
    pub server: Arc<McpServer>,
    pub standing: Arc<Standing>,
    pub guard: Arc<Guard>,
    pub record: Arc<Mutex<Record>>,
    /// Whom the operator's policies are asked about.
    pub calling: Arc<Calling>,
    /// How long a person who is asked about a call is waited for.
    pub patience: Duration,
    /// An approval that the client names in a header.
    pub approval: Option<String>,
}

impl Caller {
    fn of(context: &RequestContext<RoleServer>) -> Result<Caller, ErrorData> {
        // INVARIANT: nothing comes here but through the entrance, which puts it there.
        let parts = context.extensions.get::<::http::request::Parts>();
        let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
        caller.cloned().ok_or_else(|| refused(&Refusal::Unauthenticated))
    }

    async fn look<T: Serialize + DeserializeOwned>(
        &self,
        method: &str,
        said: &T,
    ) -> Result<Seen<T>, Refusal> {
        look(&self.gateway, &self.guard, method, said, &self.record).await
    }

    /// Of several things that a server lists, those that may go on.
    async fn each<T: Serialize + DeserializeOwned>(&self, method: &str, all: Vec<T>) -> Vec<T> {
        let mut read = Vec::with_capacity(all.len());
        for one in all {
            read.extend(self.look(method, &one).await.ok().map(|seen| seen.value));
        }
        read
    }

    /// What a server says of a page of a list, besides what is listed.
    async fn page<T: Serialize + DeserializeOwned>(&self, method: &str, rest: &T) -> Result<T, ErrorData> {
        let seen = self.look(method, rest).await.map_err(|why| refused(&why))?;
        Ok(seen.value)
    }

    fn notes(&self) -> impl Fn(RecordedFinding, Decision) + '_ {
        |finding, decision| noted(&mut lock(&self.record), finding, decision)
    }

    /// Whether a tool may be seen and called at all, before anything of a call is known.
    fn may(&self, tool: &Offered) -> Result<(), Vec<String>> {
        let (named, name) = (
            self.gateway.tools_at(&self.server, &self.standing),
            tool.name.as_str(),
        );
        may_offer(&named.policy, &self.standing.principal, name, false)
            .map_err(|why| vec![format!("tools.{}.{name}: {why}", named.name)])?;
        self.calls(&named, tool, &Value::Null)
    }

    /// Whether a tool that was listed may be shown still.
    async fn still_shows(&self, listed: &Listed) -> Result<bool, ErrorData> {
        let given = [Given {
            kind: PinKind::Tool,
            name: &listed.offered.name,
            definition: &listed.definition,
            passes: true,
        }];
        let at = (self.server.as_ref(), self.guard.as_ref());
        let shown = shown(&self.gateway, at, &given, self.notes()).await;
        Ok(shown.map_err(|why| refused(&why))?.first() == Some(&true))
    }

    /// Whether the operator's policies let a tool be called like this.
    fn calls(&self, named: &NamedToolPolicy, tool: &Offered, arguments: &Value) -> Result<(), Vec<String>> {
        let nature = nature(&named.policy, &tool.name, Some(tool), arguments);
        may_call(&self.calling, Some(&self.server.name), &tool.name, nature)
    }
}

/// One client's server: of a session, or of one request of a client that keeps none.
#[derive(Default)]
pub(super) struct Served(OnceCell<Arc<Link>>);

type Context = RequestContext<RoleServer>;

impl Served {
    /// Who asks, and the connection to the server.
    async fn begin(&self, context: &Context) -> Result<(Caller, Arc<Link>), ErrorData> {
        let caller = Caller::of(context)?;
        let link = match self.0.get() {
            Some(link) => Arc::clone(link),
            None => super::entrance::shared(&caller).await?,
        };
        if !link.is_open() {
            return Err(refused(&Refusal::Upstream("the server of tools has gone")));
        }
        Ok((caller, link))
    }

    async fn about(&self, caller: &Caller, link: &Link) -> Result<ServerConfig, ErrorData> {
        let about = link.about();
        let mut able = ServerCapabilities::default();
        let mut itself = Implementation::new(caller.server.name.to_string(), "");
        let mut instructions = None;
        if let Some(about) = about {
            // What the gateway does not know it does not hand on: extensions, experiments, tasks.
            able.tools.clone_from(&about.capabilities.tools);
            able.prompts.clone_from(&about.capabilities.prompts);
            able.resources.clone_from(&about.capabilities.resources);
            able.completions.clone_from(&about.capabilities.completions);
            able.logging.clone_from(&about.capabilities.logging);
            if let Some(said) = &about.server_info
                && let Ok(read) = caller.look("initialize", said).await
            {
                itself = read.value;
            }
            if let Some(said) = &about.instructions {
                instructions = self
                    .instructions(caller, said)
                    .await
                    .map_err(|why| refused(&why))?;
            }
        }
        let mut config = ServerConfig::new(able).with_server_info(itself);
        config.instructions = instructions;
        Ok(config)
    }

    async fn instructions(&self, caller: &Caller, said: &String) -> Result<Option<String>, Refusal> {
        let read = caller.look("initialize", said).await;
        let definition = Value::from(said.as_str());
        let given = [Given {
            kind: PinKind::Instructions,
            name: "",
            definition: &definition,
            passes: read.is_ok(),
        }];
        let at = (caller.server.as_ref(), caller.guard.as_ref());
        let shown = shown(&caller.gateway, at, &given, caller.notes()).await?;
        let read = read.map_or_else(|_| said.clone(), |read| read.value);
        Ok((shown.first() == Some(&true)).then_some(read))
    }

    /// The definitions of a page that may be shown.
    async fn definitions<T: Serialize + DeserializeOwned + Clone>(
        &self,
        caller: &Caller,
        (kind, method): (PinKind, &str),
        all: Vec<T>,
        name: impl Fn(&T) -> &str,
    ) -> Result<Vec<(T, Value)>, ErrorData> {
        let mut looked: Vec<(T, Value, bool)> = Vec::with_capacity(all.len());
        for one in all {
            let definition = serde_json::to_value(&one).unwrap_or_default();
            looked.push(match caller.look(method, &one).await {
                Ok(read) => (read.value, definition, true),
                Err(_) => (one, definition, false),
            });
        }
        let given: Vec<Given<'_>> = looked
            .iter()
            .map(|(one, definition, passes)| Given {
                kind,
                name: name(one),
                definition,
                passes: *passes,
            })
            .collect();
        let at = (caller.server.as_ref(), caller.guard.as_ref());
        let shown = shown(&caller.gateway, at, &given, caller.notes()).await;
        let shown = shown.map_err(|why| refused(&why))?;
        let kept = looked.into_iter().zip(shown).filter(|(_, shown)| *shown);
        Ok(kept.map(|((one, definition, _), _)| (one, definition)).collect())
    }

    /// One page of tools, those of it that the caller may see.
    async fn tools(
        &self,
        (caller, link): (&Caller, &Link),
        context: &Context,
        page: Option<PaginatedRequestParams>,
    ) -> Result<ListToolsResult, ErrorData> {
        let is_first = page.as_ref().is_none_or(|page| page.cursor.is_none());
        let request: ListToolsRequest = paged(page);
        let ServerResult::ListToolsResult(mut page) = link.ask(caller, context, request).await? else {
            return Err(unexpected());
        };
        let tools = std::mem::take(&mut page.tools);
        page = caller.page("tools/list", &page).await?;
        let shown = self
            .definitions(caller, (PinKind::Tool, "tools/list"), tools, |tool| &tool.name)
            .await?;
        let shown = shown
            .into_iter()
            .filter(|(tool, _)| caller.may(&offered(tool)).is_ok())
            .take(MOST_TOOLS);
        let (tools, listed) = shown
            .map(|(tool, definition)| {
                let offered = offered(&tool);
                (tool, Listed { offered, definition })
            })
            .unzip();
        page.tools = tools;
        page.meta = None;
        link.lists(listed, is_first);
        Ok(page)
    }

    /// All tools that may be shown: what a session has not listed yet is listed for it.
    async fn known(&self, caller: &Caller, link: &Link, context: &Context) -> Result<Vec<Listed>, ErrorData> {
        if let Some(known) = link.tools() {
            return Ok(known);
        }
        let mut page = None;
        // A server may say that there is more for ever.
        for _ in 0..MOST_PAGES {
            let listed = self.tools((caller, link), context, page).await?;
            let known = link.tools().unwrap_or_default();
            match listed.next_cursor {
                Some(cursor) if known.len() < MOST_TOOLS => {
                    page = Some(PaginatedRequestParams::default().with_cursor(Some(cursor)));
                }
                _ => return Ok(known),
            }
        }
        Ok(link.tools().unwrap_or_default())
    }

    /// Judges a call; what is told in its place, where it may not be made.
    async fn judged(
        &self,
        (caller, link): (&Caller, &Link),
        context: &Context,
        request: &CallToolRequestParams,
    ) -> Result<Result<(), String>, ErrorData> {
        let tool = request.name.as_ref();
        let known = self.known(caller, link, context).await?;
        let enforces = caller.guard.profile.mode == Mode::Enforce;
        // One that is not shown and one that does not exist are the same: none.
        let named = caller.gateway.tools_at(&caller.server, &caller.standing);
        let listed = match known.iter().find(|listed| listed.offered.name == tool) {
            // What was accepted when it was listed may be rejected by now.
            Some(listed) if caller.still_shows(listed).await? => Some(listed),
            _ => None,
        };
        let Some(Listed { offered, .. }) = listed else {
            let unknown = Offered {
                name: tool.to_owned(),
                ..Offered::default()
            };
            let by = caller.may(&unknown).err().unwrap_or_default();
            lock(&caller.record).audit.denied_by.extend(by);
            return Err(ErrorData::invalid_params(
                format!("There is no tool of that name here: {}", plain(tool)),
                None,
            ));
        };
        let value = request.arguments.clone().map_or(Value::Null, Value::Object);
        if let Err(by) = caller.calls(&named, offered, &value) {
            let mut record = lock(&caller.record);
            record.audit.denied_by.extend(by);
            record.audit.decision = Decision::Block;
            return Ok(Err(format!(
                "[tool_call_denied] The call of `{}` is not permitted.",
                plain(tool)
            )));
        }
        if caller.guard.profile.danger_tools_unchecked {
            return Ok(Ok(()));
        }
        let who = &caller.standing.principal;
        let request_id = lock(&caller.record).audit.request_id.clone();
        let brought = request
            .meta
            .as_ref()
            .and_then(|meta| meta.get("portcullis/approval"))
            .and_then(Value::as_str)
            .or(caller.approval.as_deref());
        let services = &caller.gateway.services;
        let approving = Approving::new(services, who, &request_id, brought).await;
        let approving = approving.map_err(|why| refused(&why))?;
        let mode = if enforces { Mode::Enforce } else { Mode::Observe };
        let offered = known.iter().map(|listed| listed.offered.clone());
        let conversation = link.history.conversation(offered.collect());
        let guard = ToolGuard::at(&caller.server.name, &named, (who, mode), conversation, approving);
        let arguments = serde_json::to_string(&request.arguments).unwrap_or_default();
        let arguments = if request.arguments.is_none() {
            ""
        } else {
            &arguments
        };
        let settled = guard
            .settle(tool, arguments, caller.patience, &caller.record)
            .await;
        Ok(settled.map(|agreed| {
            if let Some(agreed) = agreed {
                agreed.is_used();
            }
        }))
    }
}

impl ServerHandler for Served {
    /// What may be asked for at all, whatever server is behind: what [`Served::about`] tells is less.
    fn get_info(&self) -> ServerConfig {
        let able = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .build();
        ServerConfig::new(able).with_server_info(Implementation::new("portcullis", env!("CARGO_PKG_VERSION")))
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: Context,
    ) -> Result<InitializeResult, ErrorData> {
        let caller = Caller::of(&context)?;
        context.peer.set_peer_info(request.clone());
        let link = Arc::new(Link::open(&caller, Some(&request.capabilities)).await?);
        *lock(&link.client.listens) = Some(context.peer.clone());
        let mut about = self.about(&caller, &link).await?;
        about.protocol_version = self.negotiate_initialize(&request)?.protocol_version;
        if self.0.set(link).is_err() {
            return Err(ErrorData::invalid_request("the session has begun already", None));
        }
        Ok(about)
    }

    async fn discover(&self, context: Context) -> Result<DiscoverResult, ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        let about = self.about(&caller, &link).await?;
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, about))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        self.tools((&caller, &link), &context, request).await
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        if let Err(told) = self.judged((&caller, &link), &context, &request).await? {
            return Ok(CallToolResult::error(vec![ContentBlock::text(told)]).into());
        }
        let tool = request.name.to_string();
        let arguments = request.arguments.clone().map_or(Value::Null, Value::Object);
        let asked = CallToolRequest::new(without_meta(request));
        let ServerResult::CallToolResult(result) = link.ask(&caller, &context, asked).await? else {
            return Err(unexpected());
        };
        let read = match caller.look("tools/call", &result).await {
            Ok(read) => read,
            Err(why) => {
                link.history.unread();
                let told = format!("[withheld] The call of `{}` was made. {why}", plain(&tool));
                return Ok(CallToolResult::error(vec![ContentBlock::text(told)]).into());
            }
        };
        let mut result = read.value;
        if read.unread {
            link.history.unread();
        }
        link.history.called(&tool, arguments, words(&result));
        let mut meta = MetaObject::new();
        meta.insert(
            META.to_owned(),
            json!({"origin": "untrusted", "source": format!("mcp:{}/{tool}", caller.server.name)}),
        );
        result.meta = Some(meta);
        Ok(result.into())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        let asked: ListPromptsRequest = paged(request);
        let ServerResult::ListPromptsResult(mut page) = link.ask(&caller, &context, asked).await? else {
            return Err(unexpected());
        };
        let prompts = std::mem::take(&mut page.prompts);
        page = caller.page("prompts/list", &page).await?;
        let shown = self
            .definitions(&caller, (PinKind::Prompt, "prompts/list"), prompts, |prompt| {
                &prompt.name
            })
            .await?;
        page.prompts = shown.into_iter().map(|(prompt, _)| prompt).collect();
        page.meta = None;
        Ok(page)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        let ServerResult::GetPromptResult(result) = link
            .ask(&caller, &context, GetPromptRequest::new(request))
            .await?
        else {
            return Err(unexpected());
        };
        let read = caller
            .look("prompts/get", &result)
            .await
            .map_err(|why| refused(&why))?;
        link.history.read("prompts/get", words(&read.value));
        if read.unread {
            link.history.unread();
        }
        Ok(read.value.into())
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        let asked: ListResourcesRequest = paged(request);
        let ServerResult::ListResourcesResult(mut page) = link.ask(&caller, &context, asked).await? else {
            return Err(unexpected());
        };
        // Which resources there are changes with every file: each is read, none is pinned.
        let all = std::mem::take(&mut page.resources);
        page = caller.page("resources/list", &page).await?;
        page.resources = caller.each("resources/list", all).await;
        link.history.told("resources/list", &page.resources);
        page.meta = None;
        Ok(page)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        let asked: ListResourceTemplatesRequest = paged(request);
        let ServerResult::ListResourceTemplatesResult(mut page) = link.ask(&caller, &context, asked).await?
        else {
            return Err(unexpected());
        };
        let all = std::mem::take(&mut page.resource_templates);
        page = caller.page("resources/templates/list", &page).await?;
        page.resource_templates = caller.each("resources/templates/list", all).await;
        link.history
            .told("resources/templates/list", &page.resource_templates);
        page.meta = None;
        Ok(page)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        let ServerResult::ReadResourceResult(result) = link
            .ask(&caller, &context, ReadResourceRequest::new(request))
            .await?
        else {
            return Err(unexpected());
        };
        let read = caller
            .look("resources/read", &result)
            .await
            .map_err(|why| refused(&why))?;
        link.history.read("resources/read", words(&read.value));
        if read.unread {
            link.history.unread();
        }
        Ok(read.value.into())
    }

    async fn subscribe(&self, request: SubscribeRequestParams, context: Context) -> Result<(), ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        {
            let mut wanted = lock(&link.client.wanted);
            if wanted.len() >= MOST_WANTED {
                return Err(refused(&Refusal::TooManyConcurrent));
            }
            wanted.insert(request.uri.clone());
        }
        link.ask(&caller, &context, SubscribeRequest::new(request))
            .await?;
        Ok(())
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        context: Context,
    ) -> Result<(), ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        lock(&link.client.wanted).remove(&request.uri);
        link.ask(&caller, &context, UnsubscribeRequest::new(request))
            .await?;
        Ok(())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        let ServerResult::CompleteResult(result) =
            link.ask(&caller, &context, CompleteRequest::new(request)).await?
        else {
            return Err(unexpected());
        };
        let read = caller
            .look("completion/complete", &result)
            .await
            .map_err(|why| refused(&why))?;
        link.history.told("completion/complete", &read.value);
        Ok(read.value)
    }

    async fn set_level(&self, request: SetLevelRequestParams, context: Context) -> Result<(), ErrorData> {
        let (caller, link) = self.begin(&context).await?;
        link.ask(&caller, &context, SetLevelRequest::new(request)).await?;
        Ok(())
    }
}

/// A request for one page of a list.
fn paged<M: Default>(
    params: Option<PaginatedRequestParams>,
) -> RequestOptionalParam<M, PaginatedRequestParams> {
    RequestOptionalParam {
        params,
        ..RequestOptionalParam::default()
    }
}

fn unexpected() -> ErrorData {
    refused(&Refusal::Unreadable)
}

fn offered(tool: &Tool) -> Offered {
    Offered {
        name: tool.name.to_string(),
        about: tool.description.as_deref().unwrap_or_default().to_owned(),
        schema: Value::Object(tool.input_schema.as_ref().clone()),
    }
}

/// A request with nothing about the client in it: what is not needed for the call stays here.
fn without_meta(mut request: CallToolRequestParams) -> CallToolRequestParams {
    request.meta = None;
    request
}

/// A name as it can be told: whatever a stranger wrote is not repeated.
fn plain(tool: &str) -> String {
    let plain = tool
        .chars()
        .filter(|char| char.is_ascii_alphanumeric() || "_-.:/".contains(*char));
    plain.take(64).collect()
}

/// The texts of a result, as a model reads them.
fn words<T: Serialize>(result: &T) -> Vec<String> {
    let value = serde_json::to_value(result).unwrap_or_default();
    let mut texts = Vec::new();
    let structured = value.get("structuredContent").filter(|value| !value.is_null());
    texts.extend(structured.map(Value::to_string));
    let lists = ["content", "contents", "messages"]
        .into_iter()
        .filter_map(|key| value.get(key)?.as_array());
    for block in lists.flatten() {
        let inner = block.get("content").unwrap_or(block);
        let text = inner.get("text").or_else(|| inner.get("resource")?.get("text"));
        let is_packed = |inner: &Value| inner.get("data").is_some() || inner.get("blob").is_some();
        match text.and_then(Value::as_str) {
            // The same once more, for clients that do not know structured content.
            Some(text) if structured.is_some() && serde_json::from_str(text).ok().as_ref() == structured => {}
            Some(text) => texts.push(text.to_owned()),
            None if is_packed(inner) || inner.get("resource").is_some_and(is_packed) => {}
            // A link, or something that this does not know: all of it is words of the server's.
            None => texts.push(inner.to_string()),
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_a_result_is_remembered_once() {
        let all = words(&json!({"structuredContent": {"a": 1}, "content": [
            {"type": "text", "text": "{\"a\": 1}"}, {"type": "text", "text": "more"},
            {"type": "image", "data": "aGk=", "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "u:1", "text": "inner"}},
            {"type": "resource_link", "uri": "u:2", "name": "linked"}]}));
        assert_eq!(all.len(), 4, "{all:?}");
        assert_eq!(all[..3], [r#"{"a":1}"#, "more", "inner"]);
        assert!(all[3].contains("linked"));
        assert_eq!(words(&json!({"contents": [{"uri": "u", "text": "t"}]})), ["t"]);
        let prompt = json!({"messages": [{"role": "user", "content": {"type": "text", "text": "p"}}]});
        assert_eq!(words(&prompt), ["p"]);
    }
}
