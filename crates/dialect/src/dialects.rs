//! The dialects that Portcullis speaks. What is not here is refused.

mod anthropic;
mod gemini;
mod guard;
mod mcp;
mod openai;

pub use guard::Guard;
pub use mcp::{Mcp, McpErrors};

use crate::exchange::{Api, Dialect};

/// Every dialect.
pub static DIALECTS: &[&dyn Dialect] = &[&openai::OpenAi, &anthropic::Anthropic, &gemini::Gemini];

/// The dialect of an API.
#[must_use]
pub fn dialect(api: Api) -> &'static dyn Dialect {
    match api {
        Api::OpenAi => &openai::OpenAi,
        Api::Anthropic => &anthropic::Anthropic,
        Api::Gemini => &gemini::Gemini,
    }
}
