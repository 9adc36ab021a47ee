//! The Model Context Protocol: JSON-RPC between clients and servers of tools, over streamable HTTP at `/mcp/{server}`.
//!
//! It has no upstream that speaks a provider's dialect and no model: what a client sends is a message, labelled here as a whole, and what a
//! server answers is labelled by the method it answers ([`Mcp::label_answer`]). A text in a place that is not known is on the surface
//! all the same.

use portcullis_core::{Channel, UninspectableKind};

use crate::exchange::{Api, Body, Call, Cut, Dialect, Exchange, Failure, Method};
use crate::json::{Document, Malformed, Sort, quoted};
use crate::reading::Seg::{Index as I, Key as K};
use crate::reading::{Label, Place, Seg};

/// One of the three ways in.
pub struct Mcp(Method);

/// The endpoint's ways: a message is sent, a stream is opened, a session is closed.
static WAYS: [Mcp; 3] = [Mcp(Method::Post), Mcp(Method::Get), Mcp(Method::Delete)];

/// What [`Mcp::find`] looks for.
const PREFIX: &str = "/mcp/";

impl Mcp {
    /// The way in that a method and a path name, and the name of the server.
    #[must_use]
    pub fn find<'p>(method: &str, path: &'p str) -> Option<(&'static dyn Exchange, &'p str)> {
        let server = path.strip_prefix(PREFIX)?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if server.is_empty() || !server.bytes().all(is_name) || server.contains("..") {
            return None;
        }
        let way = WAYS.iter().find(|way| way.0.name() == method)?;
        Some((way, server))
    }

    /// Whether an endpoint is one of this protocol.
    #[must_use]
    pub fn is(exchange: &dyn Exchange) -> bool {
        exchange.id().starts_with("mcp.")
    }

    /// Whether a path is one of this protocol.
    #[must_use]
    pub fn is_path(path: &str) -> bool {
        path.starts_with(PREFIX)
    }

    /// Labels a place of what a server answers to a method, or of what it asks or tells by one.
    #[must_use]
    pub fn label_answer(method: &str, place: &Place<'_>) -> Label {
        let path = place.path;
        match method {
            "initialize"
            | "server/discover"
            | "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list" => definition(path),
            "tools/call" => content(path, place, Channel::ToolResult),
            "prompts/get" | "resources/read" => content(path, place, Channel::Document),
            // A server that asks the client's model, or the user: words of a stranger.
            "sampling/createMessage" | "elicitation/create" => content(path, place, Channel::Document),
            _ => match path.last() {
                Some(K("uri" | "nextCursor" | "level" | "progressToken")) => Label::IDENTIFIER,
                _ => Label::text(Channel::ToolResult),
            },
        }
    }
}

/// What a server says of what it has.
fn definition(path: &[Seg<'_>]) -> Label {
    match path {
        [K("nextCursor" | "protocolVersion" | "resultType")] => Label::IDENTIFIER,
        [.., K("icons"), I(_), K("src")] => Label::opaque(Channel::ToolDefinition, UninspectableKind::Image),
        _ => Label::text(Channel::ToolDefinition),
    }
}

/// Content blocks, wherever they stand.
fn content(path: &[Seg<'_>], place: &Place<'_>, channel: Channel) -> Label {
    let before = path.len().saturating_sub(1);
    match path {
        [.., K("data")] if place.str_in(before, "mimeType").is_some() => {
            let kind = match place.str_in(before, "type") {
                Some("audio") => UninspectableKind::Audio,
                _ => UninspectableKind::Image,
            };
            Label::opaque(channel, kind)
        }
        [.., K("blob")] if place.str_in(before, "uri").is_some() => {
            Label::opaque(channel, UninspectableKind::File)
        }
        [K("resultType" | "nextCursor")] | [K("messages"), I(_), K("role")] => Label::IDENTIFIER,
        [K("content" | "contents"), I(_), K("type" | "mimeType")]
        | [K("content" | "contents"), I(_), K("resource"), K("mimeType")]
        | [K("messages"), I(_), K("content"), K("type" | "mimeType")] => Label::IDENTIFIER,
        _ => Label::text(channel),
    }
}

/// What a client sends. What it sends back of a server's (answers to what was asked) is the user's.
fn message(place: &Place<'_>) -> Label {
    match place.path {
        [K("jsonrpc" | "method" | "id")]
        | [
            K("params"),
            K("name" | "uri" | "cursor" | "protocolVersion" | "level" | "requestId"),
        ]
        | [K("params"), K("ref" | "clientInfo" | "capabilities"), ..]
        | [K("params"), K("progressToken")] => Label::IDENTIFIER,
        [K("params"), K("_meta"), ..] => Label::text(Channel::Metadata),
        [K("params"), K("arguments"), ..] => Label::text(Channel::ToolCall),
        [K("params"), K("argument"), K("name" | "value")] | [K("params"), K("context"), ..] => {
            Label::text(Channel::User)
        }
        [K("params"), K("reason" | "message")] => Label::text(Channel::Metadata),
        [K("result" | "error"), ..] | [K("params"), K("inputResponses"), ..] => {
            let inner = place.path.get(1..).unwrap_or_default();
            match inner {
                [K("model" | "role" | "stopReason" | "action" | "code")] => Label::IDENTIFIER,
                _ => Label::text(Channel::User),
            }
        }
        [K("params"), K("requestState")] => Label::opaque(Channel::Metadata, UninspectableKind::Encrypted),
        _ => Label::UNKNOWN,
    }
}

impl Exchange for Mcp {
    fn id(&self) -> &'static str {
        match self.0 {
            Method::Post => "mcp.message",
            Method::Get => "mcp.stream",
            Method::Delete => "mcp.close",
        }
    }

    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn method(&self) -> Method {
        self.0
    }

    fn path(&self) -> &'static str {
        "/mcp/{server}"
    }

    fn call(&self, document: &Document, _parameters: &[&str]) -> Result<Call, Malformed> {
        if self.0 != Method::Post {
            return Ok(Call::default());
        }
        let shape = |why: &str| Malformed::Shape(why.to_owned());
        // Batches went with the first revision of the protocol; one message of several has one decision of several.
        if document.sort(document.root()) != Sort::Object {
            return Err(shape("the body must be one JSON-RPC message"));
        }
        if document.str_at(&["jsonrpc"]) != Some("2.0") {
            return Err(shape("`jsonrpc` must be \"2.0\""));
        }
        let is = |key: &str| document.at(&[key]).is_some();
        match document.at(&["method"]) {
            Some(method) if document.sort(method) == Sort::String && !is("result") && !is("error") => {
                Ok(Call::default())
            }
            None if is("result") != is("error") => Ok(Call::default()),
            _ => Err(shape("a message has a `method`, a `result` or an `error`")),
        }
    }

    fn label(&self, _body: Body, place: &Place<'_>) -> Label {
        message(place)
    }

    fn withheld(&self, _reply: &Document, _cut: &Cut<'_>) -> String {
        // Answers are withheld by the gateway's own server of the protocol.
        String::new()
    }
}

/// The shape of the protocol's errors.
pub struct McpErrors;

impl Dialect for McpErrors {
    fn api(&self) -> Api {
        Api::OpenAi
    }

    fn about(&self) -> &'static str {
        "The Model Context Protocol: servers of tools that the configuration names."
    }

    fn exchanges(&self) -> &'static [&'static dyn Exchange] {
        &[]
    }

    fn error(&self, failure: &Failure<'_>) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{},"message":{},"data":{{"code":{},"request_id":{}}}}}}}"#,
            if failure.code == "invalid_request" {
                -32600
            } else {
                -32001
            },
            quoted(failure.message),
            quoted(failure.code),
            quoted(failure.request_id),
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::reading::Reading;

    fn channels(text: &str, label: impl Fn(&Place<'_>) -> Label) -> Vec<(String, Channel)> {
        let document = Document::read(Bytes::copy_from_slice(text.as_bytes())).unwrap();
        let reading = Reading::of(document, label);
        reading
            .parts()
            .map(|part| (part.text.to_owned(), part.channel))
            .collect()
    }

    fn channel_of(all: &[(String, Channel)], text: &str) -> Channel {
        let found = all.iter().find(|(other, _)| other == text);
        found
            .unwrap_or_else(|| panic!("{text} is not on the surface: {all:?}"))
            .1
    }

    #[test]
    fn a_name_of_a_server_is_a_plain_word() {
        let name = |path: &'static str| Mcp::find("POST", path).map(|(_, server)| server);
        assert_eq!(name("/mcp/github"), Some("github"));
        for wrong in ["/mcp/", "/mcp", "/mcp/a/b", "/mcp/..", "/mcp/a%2fb", "/v1/mcp/a"] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
        assert!(Mcp::find("PUT", "/mcp/github").is_none());
    }

    #[test]
    fn every_text_of_a_message_has_a_channel() {
        let call = r#"{"jsonrpc":"2.0","id":"i-1","method":"tools/call","params":{"name":"send","arguments":{"to":["a"],"deep":{"b":"c"}},
            "_meta":{"progressToken":"t"},"other":"o"}}"#;
        let all = channels(call, |place| WAYS[0].label(Body::Request, place));
        assert_eq!(channel_of(&all, "a"), Channel::ToolCall);
        assert_eq!(channel_of(&all, "c"), Channel::ToolCall);
        assert_eq!(channel_of(&all, "send"), Channel::Identifier);
        assert_eq!(channel_of(&all, "t"), Channel::Metadata);
        assert_eq!(channel_of(&all, "o"), Channel::Unknown);
    }

    #[test]
    fn what_a_server_answers_is_read_by_what_it_answers() {
        let result = r#"{"content":[{"type":"text","text":"hello"},{"type":"image","data":"aGVsbG8=","mimeType":"image/png"},
            {"type":"resource","resource":{"uri":"u:1","text":"inner","mimeType":"text/plain"}},
            {"type":"resource_link","uri":"u:2","name":"linked"}],"structuredContent":{"deep":["leaf"]},"isError":false}"#;
        let all = channels(result, |place| Mcp::label_answer("tools/call", place));
        for text in ["hello", "inner", "linked", "leaf", "u:2"] {
            assert_eq!(channel_of(&all, text), Channel::ToolResult, "{text}");
        }
        let tools = r#"{"tools":[{"name":"n","description":"d","inputSchema":{"properties":{"p":{"description":"s"}}},"annotations":{"title":"t"}}],"nextCursor":"c"}"#;
        let all = channels(tools, |place| Mcp::label_answer("tools/list", place));
        for text in ["n", "d", "s", "t"] {
            assert_eq!(channel_of(&all, text), Channel::ToolDefinition, "{text}");
        }
        let read = r#"{"contents":[{"uri":"f:1","text":"body","mimeType":"text/plain"}]}"#;
        let all = channels(read, |place| Mcp::label_answer("resources/read", place));
        assert_eq!(channel_of(&all, "body"), Channel::Document);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let call = |text: &str| {
            let document = Document::read(Bytes::copy_from_slice(text.as_bytes())).unwrap();
            WAYS[0].call(&document, &["s"])
        };
        assert!(call(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).is_ok());
        assert!(call(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).is_ok());
        for wrong in [
            "[]",
            "{}",
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        ] {
            assert!(call(wrong).is_err(), "{wrong}");
        }
    }
}
