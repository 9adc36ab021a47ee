//! What a schema costs: to read it, and to hold a reply of a kilobyte to it.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portcullis_schema::Schema;
use serde_json::{Value, json};

fn schema() -> String {
    let item = json!({
        "type": "object",
        "properties": {
            "sku": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
            "name": {"type": "string", "maxLength": 80},
            "count": {"type": "integer", "minimum": 1},
            "price": {"type": "number"},
            "state": {"enum": ["new", "paid", "sent", "lost"]},
        },
        "required": ["sku", "name", "count", "price", "state"],
        "additionalProperties": false,
    });
    json!({
        "type": "object",
        "properties": {
            "mail": {"type": "string", "format": "email"},
            "day": {"type": "string", "format": "date"},
            "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["mail", "day", "items", "note"],
        "additionalProperties": false,
        "$defs": {"item": item},
    })
    .to_string()
}

/// A reply of about a kilobyte.
fn reply() -> String {
    let item = |number: u32| {
        json!({"sku": format!("AB-{number:04}"), "name": "A cup with a blue rim and a handle", "count": number + 1, "price": 4.5,
            "state": "paid"})
    };
    let items: Vec<Value> = (0..9).map(item).collect();
    json!({"mail": "anna@example.com", "day": "2026-02-03", "items": items, "note": null}).to_string()
}

fn check(criterion: &mut Criterion) {
    let (text, reply) = (schema(), reply());
    criterion.bench_function("a schema is read", |bencher| {
        bencher.iter(|| Schema::read(&text).is_ok());
    });
    let Ok(schema) = Schema::read(&text) else { return };
    let mut group = criterion.benchmark_group("a reply");
    group.throughput(Throughput::Bytes(reply.len() as u64));
    group.bench_function("is read as JSON", |bencher| {
        bencher.iter(|| serde_json::from_str::<Value>(&reply).is_ok());
    });
    let value: Value = serde_json::from_str(&reply).unwrap_or_default();
    assert_eq!(schema.check(&value), Ok(()));
    group.bench_function("is held to a schema", |bencher| {
        bencher.iter(|| schema.check(&value))
    });
    group.finish();
}

criterion_group!(benches, check);
criterion_main!(benches);
