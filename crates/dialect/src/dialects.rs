//! The dialects that Portcullis speaks. What is not here is refused.

mod anthropic;
mod gemini;
mod openai;

use crate::exchange::Dialect;

/// Every dialect.
pub static DIALECTS: &[&dyn Dialect] = &[&openai::OpenAi, &anthropic::Anthropic, &gemini::Gemini];
