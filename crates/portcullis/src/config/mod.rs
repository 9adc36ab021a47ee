//! Configuration: written (`raw`) -> checked (all errors, with their places) -> built. Nothing here opens a socket or
//! a database; what is built is plain values.

mod absent;
mod built;
mod credential;
mod cross;
mod environment;
mod forms;
mod identity;
mod load;
mod mcp;
mod operators;
mod policies;
mod problem;
mod prompts;
mod raw;
mod raw_identity;
mod raw_mcp;
mod raw_profile;
mod raw_rule;
mod rules;
mod schema;
mod schemas;
mod text;
mod tools;
mod tree;
mod validate;

pub use built::{Admin, Config};
pub use environment::variables;
pub use forms::{Duration, EndpointPattern, Pattern, Size, Spending};
pub use identity::warnings;
pub use load::{ConfigError, Credentials, FILE_NAME, Source, load, read};
pub use policies::{files_in, read_all as read_policies, validated as validated_policies};
pub use problem::{Position, Problem};
pub use raw::{Raw, RawDialect};
pub use raw_profile::RawProfile;
pub use raw_rule::RawRule;
pub use schema::{resolve, schema, words};
pub use text::{FORMATS, Form, FormEntry, form};
pub use tools::of_text as tool_policy;
pub use tree::{Node, parse as parse_yaml};
