//! JSON Schemas that a reply is held to: read under bounds, checked under bounds.
//!
//! A schema comes from whoever sends a request, so it is code of a stranger. Nothing is fetched, patterns run in linear time, and the work of
//! a check has an end whatever the schema says. It does not know where a schema or a value comes from, and never tells a value.

mod bounds;
mod counted;

use std::collections::BTreeSet;

use jsonschema::{
    Draft, PatternOptions, ValidationError, ValidationOptions, Validator, draft4, draft6, draft7,
    draft201909, draft202012, options_for,
};
use serde_json::Value;

use crate::counted::{Counted, within};

pub use crate::bounds::{MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_PATTERNS, MAX_REFERENCES};

/// Bytes of a text that is still checked. What is longer does not fit.
pub const MAX_TEXT: usize = 1024 * 1024;

/// Looks at values that one check may take: some tenths of a second.
const LOOKS: u64 = 8 * 1024 * 1024;

/// Bytes of a compiled pattern.
const PATTERN_SIZE: usize = 64 * 1024;

/// Characters of a key of a value that a place may say.
const NAMED: usize = 64;

/// What is wrong with a schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrong {
    /// JSON pointer to the place in the schema.
    pub pointer: String,
    /// What is wrong there. It may quote the schema.
    pub what: String,
}

impl Wrong {
    fn new(pointer: impl Into<String>, what: impl Into<String>) -> Wrong {
        Wrong {
            pointer: pointer.into(),
            what: what.into(),
        }
    }
}

/// A schema that values can be held to.
pub struct Schema {
    validator: Validator<Counted>,
    /// Names of members that the schema itself says: a place in a value may tell these and no others.
    names: BTreeSet<String>,
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Schema")
    }
}

/// Where a value does not fit: a JSON pointer into it. Keys that the schema does not name are `*`: they are content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit(pub String);

impl Schema {
    /// Reads a schema from its JSON text.
    ///
    /// # Errors
    /// Everything that is wrong with it, as far as it can be told at once.
    pub fn read(text: &str) -> Result<Schema, Vec<Wrong>> {
        if text.len() > MAX_BYTES {
            return Err(vec![Wrong::new("", format!("is larger than {MAX_BYTES} bytes"))]);
        }
        let value: Value =
            serde_json::from_str(text).map_err(|error| vec![Wrong::new("", error.to_string())])?;
        Schema::new(&value)
    }

    /// Reads a schema.
    ///
    /// # Errors
    /// As [`Schema::read`].
    pub fn new(schema: &Value) -> Result<Schema, Vec<Wrong>> {
        let names = bounds::check(schema)?;
        // How much there is to build is bounded by what was checked; unwinding would be a fault of the engine.
        match within(u64::MAX, || options().build(schema)) {
            Some(Ok(validator)) => Ok(Schema { validator, names }),
            Some(Err(error)) => {
                let mut wrong = against_its_own(schema);
                if wrong.is_empty() {
                    wrong.push(Wrong::new(error.instance_path().as_str(), error.to_string()));
                }
                Err(wrong)
            }
            None => Err(vec![Wrong::new("", "cannot be read")]),
        }
    }

    /// Holds a value to the schema.
    ///
    /// # Errors
    /// The first place that does not fit. A value that takes too much work to check does not fit either.
    pub fn check(&self, value: &Value) -> Result<(), Misfit> {
        if within(LOOKS, || self.validator.is_valid(value)) == Some(true) {
            return Ok(());
        }
        // To tell the place can take longer than to tell that there is one.
        let place = within(LOOKS, || {
            let error = self.validator.validate(value).err()?;
            Some(self.told(error.instance_path().as_str()))
        });
        Err(Misfit(place.flatten().unwrap_or_default()))
    }

    /// A pointer without what only the value says.
    fn told(&self, pointer: &str) -> String {
        let mut told = String::new();
        for step in pointer.split('/').skip(1) {
            let name = step.replace("~1", "/").replace("~0", "~");
            let number = !step.is_empty() && step.len() < 8 && step.bytes().all(|byte| byte.is_ascii_digit());
            let named = step.chars().count() <= NAMED && self.names.contains(&name);
            told.push('/');
            told.push_str(if number || named { step } else { "*" });
        }
        told
    }
}

fn options<'o>() -> ValidationOptions<'o, std::sync::Arc<dyn jsonschema::Retrieve>, Counted> {
    options_for::<Counted>()
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .with_pattern_options(
            PatternOptions::regex()
                .size_limit(PATTERN_SIZE)
                .dfa_size_limit(16 * PATTERN_SIZE),
        )
}

/// What the language of schemas says is wrong with a schema, and the patterns that are none.
fn against_its_own(schema: &Value) -> Vec<Wrong> {
    let language = match Draft::default().detect(schema) {
        Draft::Draft4 => draft4::meta::validator(),
        Draft::Draft6 => draft6::meta::validator(),
        Draft::Draft7 => draft7::meta::validator(),
        Draft::Draft201909 => draft201909::meta::validator(),
        _ => draft202012::meta::validator(),
    };
    let told = |error: ValidationError<'_>| Wrong::new(error.instance_path().as_str(), error.to_string());
    let mut wrong: Vec<Wrong> = language.iter_errors(schema).map(told).collect();
    for (pointer, pattern) in bounds::patterns(schema) {
        if let Err(error) = options().build(&serde_json::json!({ "pattern": pattern })) {
            wrong.push(Wrong::new(pointer, error.to_string()));
        }
    }
    wrong.sort();
    wrong.dedup_by(|a, b| a.pointer == b.pointer);
    wrong
}
