//! What a statement may cost, and what a rule may not say.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn rule(more: &Value) -> SqlRule {
    let mut written = json!({"dialect": "postgres", "tables": {"t": {}}, "max_bytes": 1_000_000, "joins": 10000, "subqueries": 50});
    for (key, value) in more.as_object().unwrap() {
        written[key] = value.clone();
    }
    serde_json::from_value(written).unwrap()
}

/// Shapes at and beyond every bound: each gets an answer, soon, and no stack runs out.
#[test]
fn nothing_takes_long_or_runs_out_of_stack() {
    let rule = rule(&json!({}));
    let nest = |open: &str, inner: &str, close: &str, times: usize| {
        format!(
            "SELECT * FROM t WHERE {}{inner}{}",
            open.repeat(times),
            close.repeat(times)
        )
    };
    let mut statements = Vec::new();
    for times in [4, 8, 12, 16, 40, 1000, 100_000] {
        for (open, inner, close) in [
            ("(", "1", ")"),
            ("lower(", "'a'", ")"),
            ("CASE WHEN ", "true", " THEN 1 END"),
            ("NOT ", "true", ""),
            ("- ", "1", ""),
            ("1 + ", "1", ""),
            ("(SELECT ", "1", ")"),
            ("EXISTS (SELECT 1 WHERE ", "true", ")"),
            ("a IN (SELECT 1 FROM t WHERE ", "true", ")"),
            ("ARRAY[", "1", "]"),
            ("CAST(", "1", " AS int)"),
            ("1", "", "::int"),
            ("1", "", " IS NULL"),
            ("1", "", " AT TIME ZONE 'a'"),
            ("a", "", " BETWEEN 1 AND 2"),
            ("(1, ", "1", ")"),
            ("substring(a from ", "1", ")"),
            ("extract(year from ", "a", ")"),
            ("interval ", "1", ""),
            ("a -> ", "1", ""),
            ("a LIKE ", "b", ""),
            ("{", "1", "}"),
            ("a.", "b", ""),
        ] {
            statements.push(nest(open, inner, close, times));
        }
        statements.push(format!(
            "SELECT * FROM {}t{}",
            "(".repeat(times),
            ")".repeat(times)
        ));
        statements.push(format!(
            "SELECT * FROM {}t{} x",
            "(t JOIN (".repeat(times),
            "))".repeat(times)
        ));
        statements.push(format!("SELECT * FROM {}t", "(SELECT * FROM ".repeat(times)));
        statements.push(format!("SELECT 1{}", " UNION SELECT 1".repeat(times)));
        statements.push(format!("{}SELECT 1{}", "(".repeat(times), ")".repeat(times)));
        statements.push(format!("{}SELECT 1", "WITH a AS (SELECT 1) ".repeat(times)));
        statements.push(format!(
            "{}SELECT 1{}",
            "WITH a AS (".repeat(times),
            ") SELECT 1".repeat(times)
        ));
        statements.push(format!("SELECT * FROM t{}", " JOIN t".repeat(times)));
        statements.push(format!("SELECT * FROM t{}", ", t".repeat(times)));
        statements.push(format!("SELECT a::int{}", "[]".repeat(times)));
    }
    for statement in statements {
        let took = timed(|| {
            let _ = rule.judge(&statement);
        });
        let shown: String = statement.chars().take(80).collect();
        assert!(
            took < Duration::from_millis(500),
            "{took:?}: {shown}… of {} bytes",
            statement.len()
        );
    }
}

#[allow(clippy::disallowed_methods, reason = "a test that bounds time reads a clock")]
fn timed(work: impl FnOnce()) -> Duration {
    let begun = std::time::Instant::now();
    work();
    begun.elapsed()
}

#[test]
fn long_chains_are_read_in_a_loop() {
    let rule = rule(&json!({}));
    let chain = format!("SELECT 1 FROM t WHERE id = 0{}", " OR id = 1".repeat(300));
    assert!(rule.judge(&chain).is_ok());
}

#[test]
fn a_wrong_rule_is_told() {
    for (written, told) in [
        (json!({"tables": {}}), "dialect"),
        (json!({"dialect": "postgres", "tables": {}, "table": {}}), "table"),
        (
            json!({"dialect": "postgres", "tables": {"t": {"filter": "a = 1 --"}}}),
            "",
        ),
        (
            json!({"dialect": "postgres", "tables": {"t": {"filter": "a = 1) OR (b = 2"}}}),
            "one condition",
        ),
        (
            json!({"dialect": "postgres", "tables": {"t": {"filter": "a ="}}}),
            "filter",
        ),
        (
            json!({"dialect": "postgres", "tables": {"t": {"colums": []}}}),
            "colums",
        ),
        (
            json!({"dialect": "postgres", "tables": {"t": {"columns": []}}}),
            "columns",
        ),
        (
            json!({"dialect": "postgres", "tables": {"t": {"mask": {"a": "stars"}}}}),
            "mask",
        ),
        (
            json!({"dialect": "postgres", "tables": {"t": {"columns": ["a"], "mask": {"a": "hash"}}}}),
            "salt",
        ),
        (json!({"dialect": "postgres", "tables": {"a.b.c": {}}}), "a.b.c"),
        (
            json!({"dialect": "postgres", "tables": {}, "functions": ["a\"b"]}),
            "functions",
        ),
    ] {
        match serde_json::from_value::<SqlRule>(written.clone()) {
            Ok(_) => assert_eq!(told, "", "{written}"),
            Err(why) => assert!(why.to_string().contains(told), "{written}: {why}"),
        }
    }
}

#[test]
fn two_patterns_that_fit_are_no_permission() {
    let rule = rule(&json!({"tables": {"a*": {}, "*b": {}, "x.a": {}}}));
    assert!(rule.judge("SELECT 1 FROM ac").is_ok());
    assert!(rule.judge("SELECT 1 FROM ab").is_err());
    assert!(rule.judge("SELECT 1 FROM x.a").is_ok());
    assert!(rule.judge("SELECT 1 FROM x.ac").is_err());
}
