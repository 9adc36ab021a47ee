//! The JSON schema of the configuration, made from the types of [`super::raw`].

use serde_json::Value;

use super::raw::Raw;

/// The schema, as `check --schema` prints it and as the checker reads it.
#[must_use]
pub fn schema() -> Value {
    let mut schema = of::<Raw>();
    if let Some(top) = schema.as_object_mut() {
        top.insert("title".to_owned(), "portcullis.yaml".into());
    }
    schema
}

/// The schema of a file that is a value of that type.
#[must_use]
pub fn of<T: schemars::JsonSchema>() -> Value {
    let mut schema = schemars::schema_for!(T).to_value();
    without_null(&mut schema);
    schema
}

/// A setting is set or absent. A `null` is neither, so the schema does not offer it where serde would take one.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type") != Some(&Value::from("null")));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    map.extend(only);
                }
            }
            map.retain(|key, value| !(key == "default" && value.is_null()));
            map.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// The schema that a `$ref` names, or the schema itself.
#[must_use]
pub fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| root.pointer(reference.trim_start_matches('#')))
        .unwrap_or(schema)
}

/// The words of an enumeration with what each means; empty if the schema is none.
#[must_use]
pub fn words(schema: &Value) -> Vec<(&str, &str)> {
    let plain = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let plain = plain.filter_map(|word| Some((word.as_str()?, "")));
    let told = schema
        .get("oneOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let told = told.filter_map(|choice| {
        let about = choice.get("description").and_then(Value::as_str).unwrap_or("");
        Some((choice.get("const")?.as_str()?, about))
    });
    plain.chain(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_described_and_nothing_may_be_null() {
        let schema = schema();
        assert!(!schema.to_string().contains("null"), "{schema:#}");
        let definitions = schema["$defs"].as_object().unwrap().values();
        for object in definitions.chain([&schema]) {
            for (name, setting) in object["properties"].as_object().into_iter().flatten() {
                assert!(setting["description"].is_string(), "{name} has no description");
            }
        }
    }
}
