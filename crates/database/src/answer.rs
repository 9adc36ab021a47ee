//! An answer: columns and rows, as many as fit.

use serde_json::{Value, json};

use crate::Bounds;

/// What a statement gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows.
    pub rows: Vec<Vec<Value>>,
    /// Rows that were changed.
    pub changed: u64,
    /// Whether there were more than fit.
    pub cut: bool,
    pub(crate) bytes: usize,
}

impl Answer {
    /// Takes a row in; tells whether another one may come.
    pub(crate) fn take(&mut self, row: Vec<Value>, bounds: Bounds) -> bool {
        let size = row.iter().map(weight).fold(0_usize, usize::saturating_add);
        self.bytes = self.bytes.saturating_add(size);
        if self.rows.len() >= bounds.rows || self.bytes > bounds.bytes {
            self.cut = true;
            return false;
        }
        self.rows.push(row);
        true
    }

    /// As it is told to the client.
    #[must_use]
    pub fn told(&self) -> Value {
        let mut told = json!({
            "columns": self.columns, "rows": self.rows, "row_count": self.rows.len(), "truncated": self.cut,
        });
        if let (true, Some(object)) = (self.changed > 0, told.as_object_mut()) {
            object.insert("rows_changed".to_owned(), self.changed.into());
        }
        if let (true, Some(object)) = (self.cut, told.as_object_mut()) {
            let note = "There are more rows than are shown here: ask for fewer, or for an aggregate.";
            object.insert("note".to_owned(), note.into());
        }
        told
    }
}

fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(_) | Value::Object(_) => value.to_string().len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}
