//! What is not touched goes on byte for byte, and what the dialect does not know survives.

use portcullis_core::Span;
use portcullis_dialect::apply;
use serde_json::Value;

use crate::cases;

#[test]
fn without_edits_the_bytes_are_the_same() {
    for body in cases::bodies() {
        let reading = body.read(&body.bytes);
        assert_eq!(apply(&body.bytes, vec![]), body.bytes, "{}", body.name);
        // An edit that puts back what is there is no change either, for texts that are written without escapes.
        for part in reading.parts() {
            let plain = part
                .text
                .bytes()
                .all(|b| (b' '..=b'~').contains(&b) && !b"\"\\/".contains(&b));
            if plain && !reading.path(part.id).ends_with('~') && part.text.parse::<f64>().is_err() {
                let whole = Span::new(0, part.text.len());
                let patched = apply(&body.bytes, vec![reading.edit(part.id, whole, part.text)]);
                assert_eq!(patched, body.bytes, "{}: {}", body.name, reading.path(part.id));
            }
        }
    }
}

#[test]
fn unknown_members_are_seen_and_survive_a_change_beside_them() {
    const NOTE: &str = "a note beside";
    for body in cases::bodies() {
        let mut value: Value = serde_json::from_slice(&body.bytes).unwrap();
        let objects = mark(&mut value, NOTE);
        let bytes = value.to_string().into();
        let reading = body.read(&bytes);
        let seen = reading.parts().filter(|part| part.text == NOTE).count();
        assert_eq!(
            seen, objects,
            "{}: an unknown member is not on the surface",
            body.name
        );
        let edits = reading.parts().filter(|part| part.text != NOTE);
        let edits = edits
            .map(|part| reading.edit(part.id, Span::new(0, part.text.len()), "\"changed\"\n"))
            .collect();
        let patched: Value = serde_json::from_slice(&apply(&bytes, edits)).unwrap();
        assert_eq!(
            patched.to_string().matches(NOTE).count(),
            objects,
            "{}",
            body.name
        );
    }
}

/// Adds a member that no dialect knows to every object.
fn mark(value: &mut Value, note: &str) -> usize {
    match value {
        Value::Array(items) => items.iter_mut().map(|item| mark(item, note)).sum(),
        Value::Object(members) => {
            let below: usize = members.values_mut().map(|item| mark(item, note)).sum();
            members.insert("member_of_tomorrow".to_owned(), Value::from(note));
            below + 1
        }
        _ => 0,
    }
}
