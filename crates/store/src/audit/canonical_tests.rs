//! Canonical JSON against examples written by hand, and against a slow writer that is obviously right.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

use super::canonical_json;

fn text<T: Serialize + ?Sized>(value: &T) -> String {
    String::from_utf8(canonical_json(value).unwrap()).unwrap()
}

/// The rules once more, by sorting everything first and leaving strings to `serde_json`.
fn reference(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            let entry = |(key, value)| format!("{}:{}", Value::String(String::clone(key)), reference(value));
            format!(
                "{{{}}}",
                sorted.into_iter().map(entry).collect::<Vec<_>>().join(",")
            )
        }
        Value::Array(list) => format!("[{}]", list.iter().map(reference).collect::<Vec<_>>().join(",")),
        Value::Number(number) if number.is_f64() => match number.as_f64().unwrap() {
            0.0 => "0".to_owned(),
            float => format!("{float}"),
        },
        other => other.to_string(),
    }
}

/// The same value with the keys of every object in reverse order.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .rev()
                .map(|(key, value)| (key.clone(), reversed(value)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(reversed).collect()),
        other => other.clone(),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Few enough digits that the parser, which may be off by the last of many, reads them back exactly.
        (any::<i32>(), 0i32..10)
            .prop_map(|(number, halvings)| Value::from(f64::from(number) / 2f64.powi(halvings))),
        "\\PC{0,12}".prop_map(Value::from),
        proptest::collection::vec(any::<char>(), 0..8).prop_map(|text| Value::from(String::from_iter(text))),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let key = proptest::collection::vec(any::<char>(), 0..4).prop_map(String::from_iter);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn it_is_what_the_rules_say(value in any_json()) {
        prop_assert_eq!(text(&value), reference(&value));
    }

    #[test]
    fn the_order_of_keys_does_not_matter(value in any_json()) {
        prop_assert_eq!(text(&value), text(&reversed(&value)));
    }

    #[test]
    fn writing_what_was_read_back_changes_nothing(value in any_json()) {
        let once = text(&value);
        let again: Value = serde_json::from_str(&once).unwrap();
        prop_assert_eq!(text(&again), once);
    }

    #[test]
    fn a_score_reads_back_as_itself(score in any::<f32>().prop_filter("finite", |score| score.is_finite())) {
        let back: f32 = text(&score).parse().unwrap();
        prop_assert_eq!(back, score);
    }
}

#[test]
fn examples() {
    for (value, expected) in [
        (
            json!({"b": 1, "a": {"d": [], "c": {}}}),
            r#"{"a":{"c":{},"d":[]},"b":1}"#,
        ),
        (json!({"é": 1, "z": 2, "": 3}), r#"{"":3,"z":2,"é":1}"#),
        (
            json!(["\u{1}\n\t\r\u{8}\u{c}\"\\/\u{7f}é😀"]),
            "[\"\\u0001\\n\\t\\r\\b\\f\\\"\\\\/\u{7f}é😀\"]",
        ),
        (
            json!([1.0, -0.0, 0.5, 1e21, u64::MAX]),
            "[1,0,0.5,1000000000000000000000,18446744073709551615]",
        ),
        (json!([]), "[]"),
    ] {
        assert_eq!(text(&value), expected);
    }
    assert_eq!(text(&0.9f32), "0.9");
    assert_eq!(text(&f32::NAN), "null");
    assert_eq!(
        text(&BTreeMap::from([(-2, 'x'), (1, '"')])),
        r#"{"-2":"x","1":"\""}"#
    );
}

#[test]
fn every_shape_that_serde_has() {
    #[derive(Serialize)]
    enum Shape {
        Unit,
        New(u8),
        Tuple(u8, char),
        Struct { b: Option<u8>, a: () },
    }
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct All(Unit, [Shape; 4], (bool, i8));
    let all = All(
        Unit,
        [
            Shape::Unit,
            Shape::New(1),
            Shape::Tuple(2, 'x'),
            Shape::Struct { b: Some(3), a: () },
        ],
        (true, -1),
    );
    let expected = r#"[null,["Unit",{"New":1},{"Tuple":[2,"x"]},{"Struct":{"a":null,"b":3}}],[true,-1]]"#;
    assert_eq!(text(&all), expected);
}

#[test]
fn what_json_has_no_form_for_is_refused() {
    struct Twice;
    impl Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("a", 1), ("a", 2)])
        }
    }
    assert!(canonical_json(&Twice).is_err());
    assert!(canonical_json(&BTreeMap::from([(vec![1], 1)])).is_err());
    assert!(canonical_json(&BTreeMap::from([(true, 1)])).is_err());
}
