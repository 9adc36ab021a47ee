//! A conversation as decisions about tools see it: who said what, which tools were called, what they returned. Nothing of a wire
//! format is left in it.

use portcullis_core::Origin;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Turn {
    /// Somebody said something.
    Said {
        /// Who.
        origin: Origin,
        /// What.
        text: String,
    },
    /// The model called a tool.
    Called {
        /// What its result refers to.
        #[serde(default)]
        id: String,
        /// The tool.
        tool: String,
        /// With what: never a source of trust, since the model wrote it.
        #[serde(default)]
        arguments: Value,
    },
    /// A tool returned something.
    Returned {
        /// The call that it answers.
        #[serde(default)]
        call: String,
        /// The tool, where the result itself says so.
        #[serde(default)]
        tool: Option<String>,
        /// What.
        text: String,
    },
}

/// A tool that the client offers to the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offered {
    /// Its name.
    pub name: String,
    /// What it says of itself.
    #[serde(default)]
    pub about: String,
    /// The JSON schema of its arguments.
    #[serde(default)]
    pub schema: Value,
}

/// What a decision depends on besides the call and the policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// All that happened, in its order.
    pub turns: Vec<Turn>,
    /// The tools that may be called.
    pub offered: Vec<Offered>,
    /// Whether something untrusted was in it that is not here any more: a provider keeps the conversation and the session says so.
    pub tainted: bool,
}
