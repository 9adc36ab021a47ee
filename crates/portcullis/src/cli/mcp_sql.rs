//! `portcullis mcp-sql`: a database for a model, under a rule, over the Model Context Protocol on standard input and output.
//!
//! The policy is a file of its own and none of the gateway's configuration: this command needs no gateway.

use std::path::{Path, PathBuf};

use portcullis_database::{Bounds, DatabaseError, Guard, dialect};
use portcullis_policy::arguments::sql::{Dialect, SqlRule};
use serde_json::{Map, Value, json};

use super::state::block_on;
use super::{Failure, Outcome};
use crate::config::{Duration, Form, Node, Position, Problem, Size, parse_yaml};

/// What is served.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The database: `postgres://USER:PASSWORD@HOST/NAME`, `sqlite:FILE`, or `env:NAME` for a variable that holds one of these
    #[arg(long, value_name = "URL")]
    database: String,
    /// What may be done with it
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Check the policy and the database, and do not serve
    #[arg(long)]
    check: bool,
}

/// A policy that was read.
#[derive(Debug)]
pub struct Policy {
    /// The rule for statements.
    pub rule: SqlRule,
    /// What bounds answers.
    pub bounds: Bounds,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let address = address(&args.database)?;
    let dialect = dialect(&address).map_err(failed)?;
    let policy = read(&args.policy, dialect)?;
    block_on(async {
        let guard = Guard::open(&address, policy.rule, policy.bounds)
            .await
            .map_err(failed)?;
        if args.check {
            let mut out = super::out::Out::new();
            out.line(format_args!("{:#}", guard.tables().await.map_err(failed)?))?;
            return out.end(Outcome::Done);
        }
        guard.serve_stdio().await.map_err(failed)?;
        Ok(Outcome::Done)
    })
}

fn failed(error: DatabaseError) -> Failure {
    Failure::said(error)
}

/// A password on a command line is seen by everybody on the machine: `env:` keeps it from there.
fn address(written: &str) -> Result<String, Failure> {
    let Some(name) = written.strip_prefix("env:") else {
        return Ok(written.to_owned());
    };
    std::env::var(name).map_err(|_| Failure::said(format!("the variable {name} is not set")))
}

/// Reads a policy for databases of a dialect; tells everything that is wrong with it, each with its place.
///
/// # Errors
/// If the file cannot be read, or is wrong.
pub fn read(path: &Path, dialect: Dialect) -> Result<Policy, Failure> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::said(format!("cannot read {file}: {error}")))?;
    parse(&text, dialect).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(|problem| problem.line(&file)).collect();
        Failure::Said(lines.join("\n"))
    })
}

fn parse(text: &str, dialect: Dialect) -> Result<Policy, Vec<Problem>> {
    let root = parse_yaml(text)?;
    let mut problems = Vec::new();
    let mut rule = Map::new();
    let mut bounds = Bounds {
        rows: 1000,
        bytes: 1 << 20,
        time: std::time::Duration::from_secs(5),
    };
    for entry in root.entries() {
        let (key, node) = (entry.key.as_str(), &entry.node);
        let wrong = |why: String| Problem::new(node.at, key, why);
        let form = |node: &Node| node.text().map(str::to_owned).unwrap_or_default();
        match key {
            "rows" => match node
                .to_json()
                .as_u64()
                .and_then(|rows| usize::try_from(rows).ok())
            {
                Some(rows @ 1..=100_000) => bounds.rows = rows,
                _ => problems.push(wrong("must be a number of rows from 1 to 100000".to_owned())),
            },
            "bytes" => match Size::read(&form(node)) {
                Ok(Size(bytes)) => bounds.bytes = bytes,
                Err(why) => problems.push(wrong(why)),
            },
            "timeout" => match Duration::read(&form(node)) {
                Ok(Duration(time)) => bounds.time = time,
                Err(why) => problems.push(wrong(why)),
            },
            "dialect" | "limit" => {
                let why =
                    "is not written here: the database's address says the dialect, and `rows` the limit";
                problems.push(wrong(why.to_owned()));
            }
            _ => {
                rule.insert(key.to_owned(), node.to_json());
            }
        }
    }
    rule.insert("dialect".to_owned(), word(dialect).into());
    // One row more than is shown: so it is known that there are more.
    rule.insert("limit".to_owned(), json!(bounds.rows.saturating_add(1)));
    problems.extend(wrong_parts(&root, &rule));
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.at);
        return Err(problems);
    }
    match serde_json::from_value(Value::Object(rule)) {
        Ok(rule) => Ok(Policy { rule, bounds }),
        Err(why) => Err(vec![Problem::new(root.at, "", why.to_string())]),
    }
}

const fn word(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "postgres",
        Dialect::Sqlite => "sqlite",
        Dialect::Mysql => "mysql",
    }
}

/// Tries each key and each table alone, so that every mistake is told and none hides another.
fn wrong_parts(root: &Node, rule: &Map<String, Value>) -> Vec<Problem> {
    let tried = |key: &str, value: Value, tables: Value| {
        let mut alone = Map::new();
        alone.insert(
            "dialect".to_owned(),
            rule.get("dialect").cloned().unwrap_or_default(),
        );
        alone.insert("tables".to_owned(), tables);
        if key != "tables" {
            alone.insert(key.to_owned(), value);
        }
        serde_json::from_value::<SqlRule>(Value::Object(alone))
            .err()
            .map(|why| why.to_string())
    };
    let mut problems = Vec::new();
    for entry in root
        .entries()
        .iter()
        .filter(|entry| rule.contains_key(&entry.key))
    {
        if entry.key != "tables" {
            let found = tried(&entry.key, entry.node.to_json(), json!({}));
            problems.extend(found.map(|why| Problem::new(entry.node.at, entry.key.as_str(), why)));
            continue;
        }
        for table in entry.node.entries() {
            let salt = root.child("salt").map_or(Value::Null, Node::to_json);
            let found = tried("salt", salt, json!({ table.key.clone(): table.node.to_json() }));
            problems.extend(found.map(|why| Problem::new(table.at, "", why)));
        }
    }
    if root
        .child("tables")
        .is_none_or(|tables| tables.entries().is_empty())
    {
        problems.push(Problem::new(
            Position { line: 1, column: 1 },
            "tables",
            "name the tables that may be used",
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let text = "rows: 0\ntimeout: soon\ntables:\n  users: { colums: [id] }\n  orders:\n    filter: \"a =\"\njoinz: 3\ndialect: mysql\n";
        let problems = parse(text, Dialect::Postgres).unwrap_err();
        let told: Vec<String> = problems.iter().map(|problem| problem.line("p.yaml")).collect();
        assert_eq!(told.len(), 6, "{told:#?}");
        for (line, (number, word)) in told.iter().zip([
            (1, "rows"),
            (2, "timeout"),
            (4, "colums"),
            (5, "filter"),
            (7, "joinz"),
            (8, "dialect"),
        ]) {
            assert!(
                line.starts_with(&format!("p.yaml:{number}:")) && line.contains(word),
                "{line}"
            );
        }
    }

    #[test]
    fn the_example_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/databases/shop.yaml");
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            let policy = read(&path, dialect).unwrap();
            assert_eq!(policy.bounds.rows, 200);
            assert!(policy.rule.judge("SELECT name, email FROM customers").is_ok());
            assert!(policy.rule.judge("SELECT * FROM payments").is_err());
        }
    }

    #[test]
    fn nothing_to_use_is_a_mistake() {
        assert!(parse("rows: 5\n", Dialect::Sqlite).is_err());
        assert!(parse("", Dialect::Sqlite).is_err());
    }
}
