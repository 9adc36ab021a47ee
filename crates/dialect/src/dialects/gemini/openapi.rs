//! Gemini's own schemas, which are a part of OpenAPI's, in the words of JSON Schema: types in lower case, `nullable` as a type, counts that
//! are written as strings as numbers. What only advises the model is left out.
//!
//! Source: Gemini API reference, "Schema".

use crate::json::{Document, NodeId, Sort, quoted};

/// Levels that are translated; what is deeper is left as it is, and refused by whoever reads it.
const MAX_DEPTH: usize = 64;

/// The schema as a JSON schema.
pub fn translated(document: &Document, schema: NodeId) -> String {
    let mut out = String::new();
    write(document, schema, 0, &mut out);
    out
}

fn write(document: &Document, schema: NodeId, depth: usize, out: &mut String) {
    if depth > MAX_DEPTH || document.sort(schema) != Sort::Object {
        out.push_str(document.wire(schema));
        return;
    }
    let nullable = document
        .members(schema)
        .any(|(key, value)| document.text(key) == "nullable" && document.as_bool(value) == Some(true));
    // Whatever a value may be besides, it may be null.
    if nullable {
        out.push_str(r#"{"anyOf":[{"type":"null"},"#);
    }
    out.push('{');
    let mut first = true;
    for (key, value) in document.members(schema) {
        let Some(word) = word(document.text(key)) else {
            continue;
        };
        if document.sort(value) == Sort::Null && word != "default" {
            continue;
        }
        let mut inner = String::new();
        if !held(document, word, value, depth.saturating_add(1), &mut inner) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        out.push_str(&format!("{}:{inner}", quoted(word)));
    }
    out.push('}');
    if nullable {
        out.push_str("]}");
    }
}

/// The keyword that a member is, in JSON Schema's spelling. `None` for what holds nothing to anything.
fn word(key: &str) -> Option<&str> {
    Some(match key {
        "nullable" | "title" | "description" | "example" | "default" | "propertyOrdering"
        | "property_ordering" => return None,
        "anyOf" | "any_of" => "anyOf",
        "minItems" | "min_items" => "minItems",
        "maxItems" | "max_items" => "maxItems",
        "minLength" | "min_length" => "minLength",
        "maxLength" | "max_length" => "maxLength",
        "minProperties" | "min_properties" => "minProperties",
        "maxProperties" | "max_properties" => "maxProperties",
        "additionalProperties" | "additional_properties" => "additionalProperties",
        "ref" => "$ref",
        "defs" => "$defs",
        key => key,
    })
}

/// Writes what a keyword holds; `false` where it says nothing.
fn held(document: &Document, word: &str, value: NodeId, depth: usize, out: &mut String) -> bool {
    let wire = document.wire(value);
    match word {
        "type" => {
            let named = document.text(value).to_ascii_lowercase();
            match document.sort(value) {
                Sort::String if named == "type_unspecified" => return false,
                Sort::String => out.push_str(&quoted(&named)),
                _ => out.push_str(wire),
            }
        }
        // `enum` and the like advise; the names of JSON Schema that are meant are the same.
        "format"
            if matches!(
                document.text(value),
                "enum" | "int32" | "int64" | "float" | "double"
            ) =>
        {
            return false;
        }
        "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
            let text = document.text(value);
            let is_count = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            out.push_str(if is_count { text } else { wire });
        }
        "items" | "additionalProperties" => write(document, value, depth, out),
        "anyOf" | "prefixItems" => {
            out.push('[');
            for (number, item) in document.items(value).enumerate() {
                out.push_str(if number > 0 { "," } else { "" });
                write(document, item, depth, out);
            }
            out.push(']');
        }
        "properties" | "$defs" => {
            out.push('{');
            for (number, (name, schema)) in document.members(value).enumerate() {
                out.push_str(if number > 0 { "," } else { "" });
                out.push_str(&format!("{}:", document.wire(name)));
                write(document, schema, depth, out);
            }
            out.push('}');
        }
        _ => out.push_str(wire),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn of(schema: &str) -> String {
        let document = Document::read(Bytes::copy_from_slice(schema.as_bytes())).unwrap();
        translated(&document, document.root())
    }

    #[test]
    fn the_words_of_openapi_become_those_of_json_schema() {
        for (schema, translation) in [
            (
                r#"{"type":"STRING","format":"enum","enum":["a","b"]}"#,
                r#"{"type":"string","enum":["a","b"]}"#,
            ),
            (
                r#"{"type":"INTEGER","nullable":true}"#,
                r#"{"anyOf":[{"type":"null"},{"type":"integer"}]}"#,
            ),
            (
                r#"{"type":"ARRAY","min_items":"1","maxItems":3,"items":{"type":"NUMBER","format":"float"}}"#,
                r#"{"type":"array","minItems":1,"maxItems":3,"items":{"type":"number"}}"#,
            ),
            (
                r##"{"type":"OBJECT","title":"t","properties":{"type":{"type":"STRING","default":null},"b":{"any_of":[{"type":"TYPE_UNSPECIFIED"},{"ref":"#/$defs/x"}]}},"required":["type"],"propertyOrdering":["b","type"]}"##,
                r##"{"type":"object","properties":{"type":{"type":"string"},"b":{"anyOf":[{},{"$ref":"#/$defs/x"}]}},"required":["type"]}"##,
            ),
        ] {
            assert_eq!(of(schema), translation);
            assert!(Document::read(Bytes::from(of(schema))).is_ok());
        }
    }
}
