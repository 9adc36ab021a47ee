//! Nothing hides: a marker put in the place of any string, key or number of any body is on the surface, and taking it away
//! there takes it out of the bytes and leaves all others as they were.
//!
//! The leaves are found by another parser than the one under test.

use bytes::Bytes;
use portcullis_core::Span;
use portcullis_dialect::apply;
use serde_json::{Map, Value};

use crate::cases::{self, Recorded};

/// Holds characters that no base64 has: it can pass for no packed bytes.
const MARKER: &str = "marker@portcullis.example";

#[test]
fn a_marker_in_any_string_is_seen_and_can_be_taken_out() {
    let mut planted = 0usize;
    for body in cases::bodies() {
        for marked in each(&parse(&body), strings, |text| *text = Value::from(MARKER)) {
            check(&body, &marked);
            planted += 1;
        }
    }
    assert!(planted > 100, "only {planted} markers were planted");
}

#[test]
fn a_marker_inside_json_that_stands_in_a_string_is_seen() {
    let mut planted = 0usize;
    for body in cases::bodies() {
        let value = parse(&body);
        for (number, outer) in found(&value, nested).into_iter().enumerate() {
            let inner = within(outer).unwrap();
            let texts = each(&inner, strings, |text| *text = Value::from(MARKER));
            let keys = each(&inner, objects, mark_key);
            for inner in texts.chain(keys) {
                let mut marked = value.clone();
                change(&mut marked, &mut number.clone(), nested, &mut |text| {
                    *text = Value::from(inner.to_string())
                });
                check(&body, &marked);
                planted += 1;
            }
        }
    }
    assert!(planted > 0, "no recorded body holds JSON in a string");
}

#[test]
fn a_marker_as_a_key_is_seen() {
    for body in cases::bodies() {
        for marked in each(&parse(&body), objects, mark_key) {
            check(&body, &marked);
        }
    }
}

#[test]
fn a_long_number_anywhere_is_seen() {
    const NUMBER: u64 = 4_000_123_412_341_234;
    let replaced = NUMBER.to_string();
    for body in cases::bodies() {
        for marked in each(&parse(&body), numbers, |number| *number = Value::from(NUMBER)) {
            let bytes = Bytes::from(marked.to_string());
            let reading = body.read(&bytes);
            let part = reading.parts().find(|part| part.text == replaced);
            let part =
                part.unwrap_or_else(|| panic!("{}: a number is not on the surface: {marked}", body.name));
            let patched = apply(
                &bytes,
                vec![reading.edit(part.id, Span::new(0, part.text.len()), "gone")],
            );
            let expected = String::from_utf8_lossy(&bytes).replacen(&replaced, "\"gone\"", 1);
            assert_eq!(String::from_utf8_lossy(&patched), expected, "{}", body.name);
        }
    }
}

#[test]
fn a_marker_that_claims_to_be_packed_bytes_is_seen() {
    for body in cases::bodies() {
        for disguise in [
            format!("data:image/png;base64,{MARKER}"),
            format!("data:{MARKER};base64,aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ="),
        ] {
            for marked in each(&parse(&body), packed, |text| {
                *text = Value::from(disguise.clone())
            }) {
                check(&body, &marked);
            }
        }
    }
}

fn parse(body: &Recorded) -> Value {
    serde_json::from_slice(&body.bytes).unwrap()
}

/// Asserts that the marker in `value` is on the surface and that taking it out changes nothing else.
fn check(body: &Recorded, value: &Value) {
    let bytes = Bytes::from(value.to_string());
    let wire = String::from_utf8_lossy(&bytes);
    assert_eq!(wire.matches(MARKER).count(), 1, "the marker was not planted once");
    let reading = body.read(&bytes);
    let mut holding = reading.parts().filter(|part| part.text.contains(MARKER));
    let part = holding
        .next()
        .unwrap_or_else(|| panic!("{}: not on the surface: {wire}", body.name));
    assert!(
        holding.next().is_none(),
        "{}: twice on the surface: {wire}",
        body.name
    );
    let start = part.text.find(MARKER).unwrap();
    let edit = reading.edit(part.id, Span::new(start, start + MARKER.len()), "");
    let patched = apply(&bytes, vec![edit]);
    assert_eq!(
        String::from_utf8_lossy(&patched),
        wire.replace(MARKER, ""),
        "{}",
        body.name
    );
}

/// A copy of `value` for each value in it that is wanted, with that one changed.
fn each(value: &Value, wanted: Wanted, mut to: impl FnMut(&mut Value)) -> impl Iterator<Item = Value> {
    (0..found(value, wanted).len()).map(move |number| {
        let mut changed = value.clone();
        assert!(change(&mut changed, &mut number.clone(), wanted, &mut to));
        changed
    })
}

type Wanted = fn(&Value) -> bool;

fn strings(value: &Value) -> bool {
    value.is_string()
}

/// Strings that may be the packed bytes of a picture or a file, or its address.
fn packed(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() >= 24 && !text.contains(' '))
}

fn numbers(value: &Value) -> bool {
    value.is_number()
}

fn objects(value: &Value) -> bool {
    value.as_object().is_some_and(|object| !object.is_empty())
}

fn nested(value: &Value) -> bool {
    within(value).is_some()
}

/// The JSON that stands in a string.
fn within(value: &Value) -> Option<Value> {
    let inner: Value = serde_json::from_str(value.as_str()?).ok()?;
    (inner.is_object() || inner.is_array()).then_some(inner)
}

/// Gives the first member of an object the marker as its name.
fn mark_key(object: &mut Value) {
    let members = object.as_object_mut().unwrap();
    let marked: Map<_, _> = std::mem::take(members)
        .into_iter()
        .enumerate()
        .map(|(number, (key, value))| (if number == 0 { MARKER.to_owned() } else { key }, value))
        .collect();
    *members = marked;
}

/// Every value that is wanted, outer ones first.
fn found(value: &Value, wanted: Wanted) -> Vec<&Value> {
    let mut all = Vec::new();
    if wanted(value) {
        all.push(value);
    }
    match value {
        Value::Array(items) => all.extend(items.iter().flat_map(|item| found(item, wanted))),
        Value::Object(members) => all.extend(members.values().flat_map(|item| found(item, wanted))),
        _ => {}
    }
    all
}

/// Changes the one behind `left` others, counted as [`found`] does.
fn change(value: &mut Value, left: &mut usize, wanted: Wanted, to: &mut dyn FnMut(&mut Value)) -> bool {
    if wanted(value) {
        if *left == 0 {
            to(value);
            return true;
        }
        *left -= 1;
    }
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, left, wanted, to)),
        Value::Object(members) => members.values_mut().any(|item| change(item, left, wanted, to)),
        _ => false,
    }
}
