//! The dialects that Portcullis speaks. What is not here is refused.

mod openai;

use crate::exchange::Dialect;

/// Every dialect.
pub static DIALECTS: &[&dyn Dialect] = &[&openai::OpenAi];
