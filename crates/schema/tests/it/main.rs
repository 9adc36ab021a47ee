//! Schemas as clients write them, and as nobody should.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and this one holds a watch"
)]

use std::time::{Duration, Instant};

use portcullis_schema::{MAX_DEPTH, Misfit, Schema, Wrong};
use serde_json::{Value, json};

fn place(schema: &Value, value: &Value) -> Option<String> {
    let schema = Schema::new(schema).unwrap_or_else(|wrong| panic!("{schema}: {wrong:?}"));
    schema.check(value).err().map(|Misfit(place)| place)
}

fn wrong(schema: &Value) -> Vec<(String, String)> {
    let wrong = Schema::new(schema).expect_err("the schema is taken");
    wrong
        .into_iter()
        .map(|Wrong { pointer, what }| (pointer, what))
        .collect()
}

fn order() -> Value {
    json!({
        "type": "object",
        "properties": {
            "mail": {"type": "string", "format": "email"},
            "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}},
            "note": {"anyOf": [{"type": "string", "maxLength": 20}, {"type": "null"}]},
        },
        "required": ["mail", "items"],
        "additionalProperties": false,
        "$defs": {"item": {
            "type": "object",
            "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{2}-\\d{4}$"}, "count": {"type": "integer", "minimum": 1}},
            "required": ["sku"],
            "additionalProperties": {"type": "integer"},
        }},
    })
}

#[test]
fn what_fits_fits_and_the_place_of_what_does_not_is_told() {
    let fine = json!({"mail": "anna@example.com", "items": [{"sku": "AB-1234", "count": 2}], "note": null});
    assert_eq!(place(&order(), &fine), None);
    for (pointer, put, told) in [
        ("/mail", json!("nobody"), "/mail"),
        ("/mail", json!("[EMAIL_ADDRESS]"), "/mail"),
        ("/items", json!([]), "/items"),
        ("/items/0/sku", json!("ab-1234"), "/items/0/sku"),
        ("/items/0/count", json!(0.5), "/items/0/count"),
        ("/items/0", json!({}), "/items/0"),
        ("/note", json!("longer than it may be, by far"), "/note"),
        ("", json!([]), ""),
    ] {
        let mut value = fine.clone();
        *value.pointer_mut(pointer).unwrap() = put;
        assert_eq!(place(&order(), &value).as_deref(), Some(told), "{value}");
    }
}

#[test]
fn a_place_says_no_key_that_only_the_value_has() {
    let mut value = json!({"mail": "a@example.com", "items": [{"sku": "AB-1234", "4111111111111111": "x"}]});
    assert_eq!(place(&order(), &value).as_deref(), Some("/items/0/*"));
    value["items"][0] = json!({"sku": "AB-1234", "anna@example.com": "x"});
    assert_eq!(place(&order(), &value).as_deref(), Some("/items/0/*"));
}

#[test]
fn older_languages_are_spoken() {
    let seven = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"a b": {"type": "integer"}},
        "items": [{"$ref": "#/definitions/a%20b"}, {"type": "string"}],
        "additionalItems": false,
    });
    assert_eq!(place(&seven, &json!([1, "x"])), None);
    assert_eq!(place(&seven, &json!(["x", "x"])).as_deref(), Some("/0"));
    assert!(place(&seven, &json!([1, "x", 2])).is_some());
}

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let told = wrong(&json!({
        "type": "objekt",
        "properties": {"a": {"minLength": -1}, "b": {"pattern": "(a"}, "c": {"pattern": "(?=a)b"}},
    }));
    let places: Vec<&str> = told.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        [
            "/properties/a/minLength",
            "/properties/b/pattern",
            "/properties/c/pattern",
            "/type"
        ]
    );
    let told = wrong(&json!({
        "$ref": "https://example.com/schema.json",
        "items": {"$ref": "file:///etc/passwd"},
        "not": {"$ref": "#/$defs/none"},
        "if": {"$dynamicRef": "#a"},
        "then": {"$id": "http://example.com/", "$ref": "#x"},
    }));
    let places: Vec<&str> = told.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(
        places,
        [
            "/$ref",
            "/if/$dynamicRef",
            "/items/$ref",
            "/not/$ref",
            "/then/$id",
            "/then/$ref"
        ]
    );
    assert!(told[0].1.contains("nothing is fetched"), "{told:?}");
    assert!(Schema::read("{").is_err() && Schema::read("[]").is_err() && Schema::read("7").is_err());
    assert!(Schema::read("true").is_ok());
    let unknown = wrong(&json!({"$schema": "https://example.com/own", "type": "object"}));
    assert!(!unknown.is_empty());
}

/// A value inside of values.
fn nested(depth: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..depth).fold(json!(1), |inner, _| wrap(inner))
}

#[test]
fn what_is_too_much_is_not_taken() {
    let deep = nested(MAX_DEPTH, |inner| json!({ "not": inner }));
    assert!(wrong(&json!({"not": deep}))[0].1.contains("deeper"));
    let many: Vec<Value> = (0..20_000).map(|number| json!(number)).collect();
    assert!(wrong(&json!({ "enum": many }))[0].1.contains("values"));
    let long = format!(r#"{{"description": "{}"}}"#, "x".repeat(300_000));
    assert!(Schema::read(&long).is_err());
    let patterns: Vec<Value> = (0..70)
        .map(|number| json!({"pattern": format!("^{number}$")}))
        .collect();
    assert!(wrong(&json!({ "anyOf": patterns }))[0].1.contains("patterns"));
    for pattern in ["(((a{100}){100}){100}){100}", "[a-z]{60000}", "(x+x+)+y{9999}"] {
        assert_eq!(
            wrong(&json!({ "pattern": pattern }))[0].0,
            "/pattern",
            "{pattern}"
        );
    }
}

#[test]
fn a_schema_that_refers_to_itself_must_go_into_the_value() {
    for schema in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"not": {"$ref": "#"}}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}}),
    ] {
        assert!(wrong(&schema)[0].1.contains("itself"), "{schema}");
    }
    let tree = json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "additionalProperties": false});
    let value = nested(60, |inner| match inner {
        Value::Number(_) => json!({}),
        inner => json!({"left": inner, "right": {}}),
    });
    assert_eq!(place(&tree, &value), None);
    let value = nested(60, |inner| json!({ "left": inner }));
    assert!(place(&tree, &value).is_some_and(|place| place.starts_with("/left/left/")));
}

fn chain(length: usize, link: impl Fn(Value) -> Value) -> Value {
    let mut defs = serde_json::Map::new();
    for number in 0..length {
        let next = json!({"$ref": format!("#/$defs/a{}", number + 1)});
        defs.insert(format!("a{number}"), link(next));
    }
    defs.insert(format!("a{length}"), json!({"type": "integer"}));
    json!({"$ref": "#/$defs/a0", "$defs": defs})
}

#[test]
fn chains_of_references_end() {
    assert_eq!(place(&chain(15, |next| next), &json!(1)), None);
    assert!(wrong(&chain(17, |next| next))[0].1.contains("follow"));
    let into = |next: Value| json!({"properties": {"a": next}});
    assert_eq!(place(&chain(60, into), &json!({"a": {"a": {}}})), None);
    assert!(wrong(&chain(70, into))[0].1.contains("lead"));
}

/// All that may be asked of a check: fractions of a second where this is built to be fast, a few seconds where it is not.
fn in_time<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = work();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(5), "{what} took {took:?}");
    done
}

#[test]
fn work_that_doubles_has_an_end() {
    // Sixteen doublings in place, on every level of a value that is sixty levels deep.
    let mut defs = serde_json::Map::new();
    for number in 0..14 {
        let next = json!({"$ref": format!("#/$defs/a{}", number + 1)});
        defs.insert(
            format!("a{number}"),
            json!({"anyOf": [next, next], "type": ["object", "integer"]}),
        );
    }
    defs.insert(
        "a14".to_owned(),
        json!({"properties": {"x": {"$ref": "#/$defs/a0"}}, "required": ["never"]}),
    );
    let schema = json!({"$ref": "#/$defs/a0", "$defs": defs});
    let value = nested(60, |inner| json!({ "x": inner }));
    in_time("doubling", || assert!(place(&schema, &value).is_some()));
    in_time("doubling a scalar", || {
        assert_eq!(place(&schema, &json!(1)), None)
    });
    let mut each = schema.clone();
    each["$defs"]["a14"] = json!({"const": 0});
    in_time("doubling scalars", || {
        let many: Vec<Value> = (0..100_000).map(|number| json!(number + 1)).collect();
        let schema = json!({"items": each["$ref"], "$defs": each["$defs"]});
        let mut schema = schema;
        schema["items"] = json!({"$ref": "#/$defs/a0"});
        assert!(place(&schema, &json!(many)).is_some());
    });
}

#[test]
fn large_schemas_on_large_values_have_an_end() {
    let all: Vec<Value> = (0..3000)
        .map(|number| json!({"items": {"not": {"const": -1 - number}}}))
        .collect();
    let many: Vec<Value> = (0..400_000).map(|number| json!(number)).collect();
    in_time("all of many", || {
        assert!(place(&json!({ "allOf": all }), &json!(many)).is_some())
    });
    in_time("unique", || {
        assert!(place(&json!({"uniqueItems": true}), &json!(many)).is_none())
    });
}

#[test]
fn patterns_take_a_time_in_proportion_to_the_text() {
    let text = "a".repeat(1024 * 1024 - 1) + "!";
    for pattern in [
        "^(a+)+$",
        "(a*)*b",
        "(a|a)*c",
        "(?:a|b)*a(?:a|b){200}c",
        "(.*)(.*)(.*)(.*)(.*)x",
        "a{0,400}a{400}!!",
    ] {
        in_time(pattern, || {
            let schema = Schema::new(&json!({ "pattern": pattern }));
            schema.map(|schema| assert!(schema.check(&json!(text)).is_err()))
        })
        .unwrap_or_else(|wrong| panic!("{pattern}: {wrong:?}"));
    }
    let names: serde_json::Map<String, Value> = (0..50_000)
        .map(|number| (format!("{number:x}aab"), json!(1)))
        .collect();
    let patterns: serde_json::Map<String, Value> = (0..60)
        .map(|number| (format!("(a|b)*{number}(a|b){{90}}"), json!(false)))
        .collect();
    in_time("names", || {
        place(&json!({ "patternProperties": patterns }), &json!(names))
    });
}
