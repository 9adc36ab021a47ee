//! The documents that are made from the program's own registries, so that they cannot say anything else than it does.

mod configuration;
mod detectors;
mod errors;

pub use configuration::configuration;
pub use detectors::detectors;
pub use errors::errors;

/// A document.
pub struct Document {
    /// Its place in the repository.
    pub place: &'static str,
    /// Writes it.
    pub write: fn() -> String,
}

const fn document(place: &'static str, write: fn() -> String) -> Document {
    Document { place, write }
}

/// Every document.
pub static DOCUMENTS: &[Document] = &[
    document("docs/configuration.md", configuration),
    document("config/portcullis.schema.json", schema),
    document("docs/detectors.md", detectors),
    document("docs/errors.md", errors),
];

/// The JSON schema of the configuration, for editors.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", crate::config::schema())
}

/// A text in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
