//! Servers of tools as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{Duration, Given, HttpUrl, NamePattern, Reference};
use super::text::Text;

/// A server of tools (Model Context Protocol) that clients reach at `/mcp/NAME`: over HTTP (`url`), or a program that is started for each
/// session (`command`). No client and no operator can name another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "McpServer")]
pub struct RawMcp {
    /// Its address, where it is reached over streamable HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Text<HttpUrl>>,
    /// Where its token is found, sent as `Authorization: Bearer`. Clients never see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Text<Reference>>,
    /// Headers that it wants besides, each with where its value is found.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Text<Reference>>,
    /// The program and its arguments, where it speaks over standard input and output: `[npx, -y, "@acme/server"]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The program's environment, besides PATH, HOME and LANG. Nothing else of the gateway's own is handed on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Text<Given>>,
    /// The folder that the program runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Who may use it, by any of these lists; everybody who has a key, where it is not said.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub users: Option<RawUsers>,
    /// The tool policy for its tools: one of `tools`. Without it, the key's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<String>,
    /// The profile that its texts are judged by. Without it, the key's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Whether what it says of its tools is pinned at first sight: what it says otherwise later, and a tool with the name of another
    /// server's, is held until an operator accepts it. `true` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<bool>,
    /// What it may ask of clients; nothing unless given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<RawAsks>,
    /// How long an answer may take, and the beginning of a session; a report of progress begins the time anew. 60s unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Text<Duration>>,
    /// How long a call that a person is asked about waits for the decision. Without it, it is answered at once, and made when the client
    /// asks again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_wait: Option<Text<Duration>>,
    /// Sessions at once, of all clients together; 100 unless given. Each session of a `command` is a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub sessions: Option<u32>,
}

/// What a server may ask of the client that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Asks")]
pub enum RawAsks {
    /// Its user, by a form.
    Elicitation,
    /// Its model: what is asked is read first, and the client pays.
    Sampling,
    /// The folders that it works in.
    Roots,
}

/// Lists of names, of which patterns with `*` may be part. Whoever is in one of them is meant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Users")]
pub struct RawUsers {
    /// Organisations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orgs: Vec<Text<NamePattern>>,
    /// Teams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<Text<NamePattern>>,
    /// Users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<Text<NamePattern>>,
    /// Roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Text<NamePattern>>,
    /// Keys, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Text<NamePattern>>,
}
