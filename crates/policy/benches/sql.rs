//! What it costs to judge a statement and write it anew.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark whose set-up fails has nothing to measure"
)]
#![allow(missing_docs, reason = "criterion's macros make items without documentation")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_policy::arguments::sql::SqlRule;
use serde_json::json;

const SMALL: &str = "SELECT id, name FROM users WHERE id = 42";

const LARGE: &str = "WITH recent AS (SELECT o.user_id, sum(o.total) AS spent, count(*) AS orders FROM orders o \
    WHERE o.placed_at >= now() - INTERVAL '30 days' AND o.status IN ('paid', 'shipped') GROUP BY o.user_id HAVING sum(o.total) > 100) \
    SELECT u.id, lower(u.name) AS name, r.spent, rank() OVER (ORDER BY r.spent DESC) AS place, \
    CASE WHEN r.orders > 5 THEN 'often' WHEN r.orders > 1 THEN 'some' ELSE 'once' END AS kind \
    FROM users u JOIN recent r ON r.user_id = u.id LEFT JOIN countries c ON c.code = u.country \
    WHERE EXISTS (SELECT 1 FROM orders x WHERE x.user_id = u.id AND x.total BETWEEN 10 AND 20) AND u.name ILIKE '%an%' \
    ORDER BY place, u.id LIMIT 50";

fn judged(c: &mut Criterion) {
    let rule: SqlRule = serde_json::from_value(json!({
        "dialect": "postgres",
        "tables": {"users": {"columns": ["id", "name", "country"], "filter": "tenant = 7"}, "orders": {}, "countries": {}},
    }))
    .unwrap();
    for (name, statement) in [("small", SMALL), ("large", LARGE)] {
        rule.judge(statement).unwrap();
        c.bench_function(&format!("sql, {name}"), |b| {
            b.iter(|| black_box(rule.judge(black_box(statement))))
        });
    }
    c.bench_function("sql, refused", |b| {
        b.iter(|| black_box(rule.judge(black_box("SELECT * FROM secrets"))))
    });
}

criterion_group!(benches, judged);
criterion_main!(benches);
