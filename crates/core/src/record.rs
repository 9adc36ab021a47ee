//! The audit record: what happened to one request, without its content and without any credential.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    Channel, Decision, Direction, Family, KeyId, Money, RequestId, Severity, Span, Uninspectable, Usage,
};

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The reply reached its end.
    Completed,
    /// The gateway refused the request or the reply; `code` says why.
    Refused,
    /// The client went away before the end.
    ClientGone,
    /// The upstream failed or timed out.
    UpstreamFailed,
    /// A room panicked; the request ended there. The value a record has until its walk ends otherwise.
    #[default]
    Panicked,
}

/// One finding as it is recorded: where and what, never the matched text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedFinding {
    /// What was found.
    pub kind: String,
    /// What kind of risk.
    pub family: Family,
    /// How bad if true.
    pub severity: Severity,
    /// How sure, 0..=1.
    pub score: f32,
    /// Which way the text travelled.
    pub direction: Direction,
    /// Where the text stood.
    pub channel: Channel,
    /// Its path in the body, as `messages[0].content`.
    pub path: String,
    /// Bytes of that text.
    pub span: Span,
    /// What was done about it: `flag`, `mask`, `redact`, `strip`, `block`.
    pub action: crate::Action,
    /// The setting that said so, as `profiles.default.pii.input`.
    pub rule: String,
    /// Whether the text had gone to the client, in part or whole, when it was found: what `action` says came too late for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// What was done so that the model can tell texts from outside from instructions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandboxed {
    /// How they were marked: `delimit`, `datamark`, `encode`.
    pub marking: String,
    /// How many texts were.
    pub texts: u64,
}

/// Time spent in one room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomTime {
    /// The room's name.
    pub room: Cow<'static, str>,
    /// Microseconds.
    pub micros: u64,
}

/// What is known about one request when it has ended. Exactly one is written for each request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// The request.
    pub request_id: RequestId,
    /// When it arrived, milliseconds since 1970 UTC.
    pub unix_ms: u64,
    /// How long it took in all, microseconds.
    pub micros: u64,
    /// The key, once known.
    pub key: Option<KeyId>,
    /// The organisation of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The team of the key.
    pub team: Option<String>,
    /// The user of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The profile that was applied.
    pub profile: Option<String>,
    /// The dialect, once known.
    pub dialect: Option<String>,
    /// Method and path template, as `POST /v1/chat/completions`; the word `unknown` where there is no such endpoint.
    pub endpoint: String,
    /// The model as the client named it, cut to 200 characters.
    pub model: Option<String>,
    /// The upstream it went to; `None` if it went nowhere.
    pub upstream: Option<String>,
    /// The gateway's own prompt that was put before the conversation, with its version: `support-bot@3f2a90c1b45d7e68`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Whether the client asked for a stream.
    pub streamed: bool,
    /// HTTP status the client got.
    pub status: u16,
    /// Stable error code where it was refused or failed.
    pub code: Option<String>,
    /// What did not permit it, where it was not permitted: a list, as `teams.free.models`, or a policy, as `policy.no-preview`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_by: Vec<String>,
    /// What was done.
    pub decision: Decision,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found and what was done about each, at most 100; `findings_total` counts all.
    pub findings: Vec<RecordedFinding>,
    /// How many findings there were.
    pub findings_total: u64,
    /// Texts that were inspected, both ways.
    pub inspected: u64,
    /// Bytes of text that were inspected, both ways.
    pub inspected_bytes: u64,
    /// What could not be inspected, at most 100 entries.
    pub uninspectable: Vec<Uninspectable>,
    /// How texts from outside were marked; `None` where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandboxed: Option<Sandboxed>,
    /// Tokens used; `None` where no reply said so.
    pub usage: Option<Usage>,
    /// Whether the tokens are estimated, at least in part: no reply told all of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub usage_estimated: bool,
    /// Whether this process enforced limits by itself, because the shared ones were out of reach.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limits_alone: bool,
    /// What it cost; `None` where usage or price is not known.
    pub cost: Option<Money>,
    /// The rooms it went through.
    pub rooms: Vec<RoomTime>,
}
