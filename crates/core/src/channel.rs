//! Where a text stands in a conversation, and who wrote it.

use serde::{Deserialize, Serialize};

/// The place of a text in a request or a reply. Every string of a body has exactly one.
///
/// Detectors see the channel (a sentence harmless from a user can be an attack in a tool result); they never see
/// which provider's field it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// System prompt or top-level instructions.
    System,
    /// Developer message (OpenAI's name for instructions under the system prompt).
    Developer,
    /// What the user says.
    User,
    /// What the model said: a reply, or an earlier turn that the client sends again.
    Assistant,
    /// Reasoning or thinking text of the model.
    Reasoning,
    /// The model's words of refusal, where a dialect has a place of its own for them.
    Refusal,
    /// Names, descriptions and schema strings of tools that the client offers.
    ToolDefinition,
    /// Name and arguments of a tool call.
    ToolCall,
    /// What a tool returned.
    ToolResult,
    /// A document or a search result given as context.
    Document,
    /// An e-mail (only from `scan` and `/v1/guard`: no provider's body marks one).
    Email,
    /// Source code (only from `scan` and `/v1/guard`).
    Code,
    /// A citation or annotation in a reply: quoted text, titles, links.
    Citation,
    /// The name of a participant, a file or a schema.
    Name,
    /// Metadata and tags that travel with a request.
    Metadata,
    /// Stop sequences, response schemas, prefixes: texts that steer the form of a reply.
    Steering,
    /// Tokens reported with their probabilities.
    Logprobs,
    /// An error message of the upstream.
    Error,
    /// Identifiers and enumerations: model, role, type, ids. Inspected like everything else.
    Identifier,
    /// A place that the dialect does not know. Inspected at the strictest setting of the profile.
    Unknown,
}

impl Channel {
    /// Every channel, in the order of declaration.
    pub const ALL: &'static [Channel] = &[
        Channel::System,
        Channel::Developer,
        Channel::User,
        Channel::Assistant,
        Channel::Reasoning,
        Channel::Refusal,
        Channel::ToolDefinition,
        Channel::ToolCall,
        Channel::ToolResult,
        Channel::Document,
        Channel::Email,
        Channel::Code,
        Channel::Citation,
        Channel::Name,
        Channel::Metadata,
        Channel::Steering,
        Channel::Logprobs,
        Channel::Error,
        Channel::Identifier,
        Channel::Unknown,
    ];

    /// The name used in configuration, records and `scan --jsonl`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Channel::System => "system",
            Channel::Developer => "developer",
            Channel::User => "user",
            Channel::Assistant => "assistant",
            Channel::Reasoning => "reasoning",
            Channel::Refusal => "refusal",
            Channel::ToolDefinition => "tool_definition",
            Channel::ToolCall => "tool_call",
            Channel::ToolResult => "tool_result",
            Channel::Document => "document",
            Channel::Email => "email",
            Channel::Code => "code",
            Channel::Citation => "citation",
            Channel::Name => "name",
            Channel::Metadata => "metadata",
            Channel::Steering => "steering",
            Channel::Logprobs => "logprobs",
            Channel::Error => "error",
            Channel::Identifier => "identifier",
            Channel::Unknown => "unknown",
        }
    }

    /// The channel of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Channel> {
        Channel::ALL
            .iter()
            .copied()
            .find(|channel| channel.name() == name)
    }

    /// Who writes on this channel unless a label says otherwise.
    #[must_use]
    pub const fn origin(self) -> Origin {
        match self {
            Channel::System => Origin::System,
            Channel::Developer => Origin::Developer,
            Channel::User | Channel::Metadata | Channel::Name | Channel::Identifier | Channel::Steering => {
                Origin::User
            }
            Channel::Assistant
            | Channel::Reasoning
            | Channel::Refusal
            | Channel::ToolCall
            | Channel::Logprobs
            | Channel::Citation => Origin::Model,
            Channel::ToolDefinition => Origin::ToolDefinition,
            Channel::ToolResult => Origin::ToolResult,
            Channel::Document | Channel::Email | Channel::Code => Origin::Document,
            Channel::Error | Channel::Unknown => Origin::Unknown,
        }
    }
}

/// Who wrote a text, as far as the gateway can know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The operator of the application, through the system prompt.
    System,
    /// The developer of the application.
    Developer,
    /// The person who uses the application.
    User,
    /// The model. Never a source of trust.
    Model,
    /// A tool's author.
    ToolDefinition,
    /// Whoever could write what a tool returned.
    ToolResult,
    /// Whoever wrote a document.
    Document,
    /// Not known; treated as the least trusted.
    Unknown,
}

impl Origin {
    /// Whether instructions in such a text may be followed.
    #[must_use]
    pub const fn integrity(self) -> Integrity {
        match self {
            Origin::System | Origin::Developer => Integrity::Operator,
            Origin::User => Integrity::User,
            Origin::Model
            | Origin::ToolDefinition
            | Origin::ToolResult
            | Origin::Document
            | Origin::Unknown => Integrity::Untrusted,
        }
    }
}

/// How far instructions in a text are trusted, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// Data: whatever it says is not an instruction.
    Untrusted,
    /// The user's own words.
    User,
    /// The operator's words.
    Operator,
}

/// Which way a text travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the client towards the upstream.
    Input,
    /// From the upstream towards the client.
    Output,
}
