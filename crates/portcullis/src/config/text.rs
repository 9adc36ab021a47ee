//! Texts with a form: an address, a length of time, a budget. Each form is read in one place, names itself in the JSON
//! schema, and is registered in [`FORMATS`], so that the checker and the loader cannot disagree about it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::forms::{
    AuditContent, CertificateName, Duration, EndpointPattern, Given, HostPattern, HttpUrl, KeyFile, Listen,
    Model, NamePattern, NetworkBlock, OutOfReach, Pattern, PemFile, PiiType, Reference, Shared, Size,
    Spending, StateUrl,
};
use super::raw_rule::ChannelName;

/// A form that a text can have.
pub trait Form: Sized {
    /// Its name, the `format` of the JSON schema.
    const NAME: &'static str;
    /// How it is written, with an example; completes "a text: …".
    const ABOUT: &'static str;

    /// Reads a text of this form.
    ///
    /// # Errors
    /// What is wrong with it, as a phrase for the operator.
    fn read(text: &str) -> Result<Self, String>;

    /// What of it may be shown to operators: all, where no credential can be in it.
    fn shown(written: &str) -> Cow<'_, str> {
        Cow::Borrowed(written)
    }
}

/// A text of a form: what was written, and what it means.
#[derive(Clone, PartialEq)]
pub struct Text<F> {
    written: String,
    meaning: F,
}

impl<F: Form> fmt::Debug for Text<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Text").field(&F::shown(&self.written)).finish()
    }
}

impl<F: Form> Text<F> {
    /// Reads a text.
    ///
    /// # Errors
    /// What [`Form::read`] says is wrong with it.
    pub fn read(text: &str) -> Result<Text<F>, String> {
        Ok(Text {
            written: text.to_owned(),
            meaning: F::read(text)?,
        })
    }

    /// What it means.
    #[must_use]
    pub fn meaning(&self) -> &F {
        &self.meaning
    }

    /// What was written.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }
}

impl<F: Form> Serialize for Text<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&F::shown(&self.written))
    }
}

impl<'de, F: Form> Deserialize<'de> for Text<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        Text::read(&written).map_err(serde::de::Error::custom)
    }
}

impl<F: Form> JsonSchema for Text<F> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        F::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": F::NAME })
    }
}

/// A form as the checker and the documentation see it.
pub struct FormEntry {
    /// Its name, the `format` of the JSON schema.
    pub name: &'static str,
    /// How it is written.
    pub about: &'static str,
    /// Says what is wrong with a text.
    pub check: fn(&str) -> Result<(), String>,
}

const fn entry<F: Form>() -> FormEntry {
    FormEntry {
        name: F::NAME,
        about: F::ABOUT,
        check: |text| F::read(text).map(|_| ()),
    }
}

/// Every form.
pub static FORMATS: &[FormEntry] = &[
    entry::<Listen>(),
    entry::<Reference>(),
    entry::<Given>(),
    entry::<KeyFile>(),
    entry::<PemFile>(),
    entry::<CertificateName>(),
    entry::<NetworkBlock>(),
    entry::<HttpUrl>(),
    entry::<StateUrl>(),
    entry::<Shared>(),
    entry::<OutOfReach>(),
    entry::<Pattern>(),
    entry::<NamePattern>(),
    entry::<EndpointPattern>(),
    entry::<Duration>(),
    entry::<Size>(),
    entry::<Spending>(),
    entry::<Model>(),
    entry::<PiiType>(),
    entry::<HostPattern>(),
    entry::<AuditContent>(),
    entry::<ChannelName>(),
];

/// The form of that name.
#[must_use]
pub fn form(name: &str) -> Option<&'static FormEntry> {
    FORMATS.iter().find(|entry| entry.name == name)
}
