//! Lists of models as providers give them.

use crate::json::Document;

/// The entries of a list that have a name: the name, and the entry as it stands there.
pub(crate) fn named(list: &Document, entries: &str, name: &str) -> Vec<(String, String)> {
    let models = list.at(&[entries]);
    let models = models.into_iter().flat_map(|models| list.items(models));
    let named = models.filter_map(|model| {
        let name = list.as_str(list.member(model, name)?)?;
        Some((name.to_owned(), list.wire(model).to_owned()))
    });
    named.collect()
}
