//! Which tables there are, and what of each may be seen.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use portcullis_core::Glob;
use serde::Deserialize;
use serde_json::{Map, Value};
use sqlparser::ast::{BinaryOperator, Expr, Visit, Visitor};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::super::{Refused, WrongRule};
use super::literal::Dialect;
use super::{StatementKind, parser};

/// What is shown in place of a value. Whoever asks sees, compares and joins this and never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// `NULL`.
    Null,
    /// `***`; a `NULL` stays one.
    Stars,
    /// A keyed hash: equal values are equal (PostgreSQL and MySQL; needs `salt`).
    Hash,
    /// The name of the column in angle brackets; a `NULL` stays one.
    Type,
}

/// What may be done with one table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableRule {
    /// Its columns that exist for the model. All where none are listed; a table that is written to must list them.
    columns: Option<Vec<String>>,
    /// A condition that every row meets that is read, changed or removed. A row that is added gets its equalities.
    filter: Option<String>,
    /// What may be done, of what the rule permits; all of it where nothing is listed.
    statements: Option<Vec<StatementKind>>,
    /// Columns that may be written; `columns` where none are listed.
    write: Option<Vec<String>>,
    /// Columns whose values are not shown.
    mask: std::collections::BTreeMap<String, Mask>,
    #[serde(skip)]
    condition: Option<Condition>,
}

/// A filter that was read.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// Written anew, so that no comment of it swallows what follows.
    pub text: String,
    /// Columns that it names.
    pub names: BTreeSet<String>,
    /// `column = value` for each part, if it has no others.
    pub equalities: Option<Vec<(String, String)>>,
}

impl TableRule {
    /// The columns that exist for the model; nothing where all do.
    #[must_use]
    pub fn columns(&self) -> Option<&[String]> {
        self.columns.as_deref()
    }

    /// What is shown in place of a column's values.
    #[must_use]
    pub fn mask(&self, column: &str) -> Option<Mask> {
        self.mask.get(column).copied()
    }

    /// Whether its rows are limited.
    #[must_use]
    pub const fn is_filtered(&self) -> bool {
        self.condition.is_some()
    }

    /// Whether this may be done with it, if it may be done at all.
    #[must_use]
    pub fn permits(&self, kind: StatementKind) -> bool {
        self.statements.as_ref().is_none_or(|kinds| kinds.contains(&kind))
    }

    pub(super) const fn condition(&self) -> Option<&Condition> {
        self.condition.as_ref()
    }

    /// Whether a column may be written. What decides which rows are visible may not be moved.
    pub(super) fn may_write(&self, column: &str) -> bool {
        let listed = self.write.as_ref().or(self.columns.as_ref());
        listed.is_some_and(|columns| columns.iter().any(|name| name == column))
            && !self.mask.contains_key(column)
            && !self.condition.as_ref().is_some_and(|condition| {
                let mut names = condition.names.iter();
                // Letters' case apart: there are databases in which it makes no other column.
                names.any(|name| name.eq_ignore_ascii_case(column))
            })
    }

    fn read(dialect: Dialect, name: &str, value: &Value, salted: bool) -> Result<TableRule, WrongRule> {
        let wrong = |why: String| WrongRule(format!("tables.{name}: {why}"));
        let mut rule = match value {
            Value::Null => TableRule::default(),
            value => TableRule::deserialize(value).map_err(|error| wrong(error.to_string()))?,
        };
        if let Some(filter) = &rule.filter {
            rule.condition = Some(condition(dialect, filter).map_err(|why| wrong(format!("filter: {why}")))?);
        }
        for (column, mask) in &rule.mask {
            if !rule
                .columns
                .as_ref()
                .is_some_and(|columns| columns.contains(column))
            {
                return Err(wrong(format!("mask: {column} is not among `columns`")));
            }
            if *mask == Mask::Hash && (!salted || dialect == Dialect::Sqlite) {
                return Err(wrong(
                    "mask: hash needs `salt`, and SQLite has no hash".to_owned(),
                ));
            }
        }
        if rule.columns.as_ref().is_some_and(Vec::is_empty) {
            return Err(wrong("columns: list one at least".to_owned()));
        }
        Ok(rule)
    }
}

/// A table that was found.
pub(super) struct Found<'a> {
    /// Its schema and its name as they are written to the database.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// What may be done with it.
    pub rule: &'a TableRule,
}

/// All tables of a rule.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    dialect: Dialect,
    default_schema: Option<String>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    schema: Option<String>,
    name: String,
    is_pattern: bool,
    rule: TableRule,
}

impl Tables {
    pub fn read(
        dialect: Dialect,
        default_schema: Option<&str>,
        written: &Map<String, Value>,
        salted: bool,
    ) -> Result<Tables, WrongRule> {
        let default_schema = default_schema.or(dialect.schema()).map(str::to_owned);
        let mut entries = Vec::new();
        for (key, value) in written {
            let (schema, name) = match key.split_once('.') {
                Some((schema, name)) => (Some(schema.to_owned()), name.to_owned()),
                None => (default_schema.clone(), key.clone()),
            };
            if name.is_empty() || name.contains('.') || schema.as_deref() == Some("") {
                return Err(WrongRule(format!(
                    "tables: {key:?} is neither a table nor schema.table"
                )));
            }
            let is_pattern = name.contains('*') || schema.as_ref().is_some_and(|schema| schema.contains('*'));
            entries.push(Entry {
                schema,
                name,
                is_pattern,
                rule: TableRule::read(dialect, key, value, salted)?,
            });
        }
        Ok(Tables {
            dialect,
            default_schema,
            entries,
        })
    }

    /// The rule of a table: its own, or that of the one pattern that it fits.
    pub fn find(&self, schema: Option<&str>, name: &str) -> Result<Found<'_>, Refused> {
        let schema = schema.or(self.default_schema.as_deref());
        let exact = self.entries.iter().find(|entry| {
            let schemas = match (entry.schema.as_deref(), schema) {
                (None, None) => true,
                (Some(one), Some(other)) => self.dialect.same(one, other),
                _ => false,
            };
            !entry.is_pattern && schemas && self.dialect.same(&entry.name, name)
        });
        if let Some(entry) = exact {
            // The rule's own spelling is what goes to the database.
            return Ok(Found {
                schema: entry.schema.clone(),
                name: entry.name.clone(),
                rule: &entry.rule,
            });
        }
        let mut fitting = self.entries.iter().filter(|entry| {
            let schemas = match (entry.schema.as_deref(), schema) {
                (None, None) => true,
                (Some(pattern), Some(schema)) => Glob::new(pattern).matches(schema),
                _ => false,
            };
            entry.is_pattern && schemas && Glob::new(&entry.name).matches(name)
        });
        match (fitting.next(), fitting.next()) {
            (Some(entry), None) if !is_catalog(schema, name) => Ok(Found {
                schema: schema.map(str::to_owned),
                name: name.to_owned(),
                rule: &entry.rule,
            }),
            (Some(_), Some(_)) => Err(Refused::new(
                "sql.table",
                format!("{name} fits more than one pattern of the rule"),
            )),
            _ => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> Refused {
        let names: Vec<&str> = self
            .entries
            .iter()
            .map(|entry| entry.name.as_str())
            .take(20)
            .collect();
        Refused::new(
            "sql.table",
            format!(
                "the table {name:?} is not available; available: {}",
                names.join(", ")
            ),
        )
    }
}

/// Tables that no pattern means: they tell of all others.
fn is_catalog(schema: Option<&str>, name: &str) -> bool {
    let schema = schema.unwrap_or_default().to_ascii_lowercase();
    let name = name.to_ascii_lowercase();
    schema.starts_with("pg_")
        || ["information_schema", "mysql", "performance_schema", "sys", "temp"].contains(&schema.as_str())
        || name.starts_with("pg_")
        || name.starts_with("sqlite_")
        || name.starts_with("pragma_")
}

fn condition(dialect: Dialect, written: &str) -> Result<Condition, String> {
    let mut parsing = Parser::new(parser(dialect))
        .try_with_sql(written)
        .map_err(|error| error.to_string())?;
    let expression = parsing.parse_expr().map_err(|error| error.to_string())?;
    if parsing.peek_token().token != Token::EOF {
        return Err("it is not one condition".to_owned());
    }
    let mut names = Names {
        dialect,
        names: BTreeSet::new(),
    };
    let _ = expression.visit(&mut names);
    let mut equalities = Vec::new();
    let simple = collect(dialect, &expression, &mut equalities);
    Ok(Condition {
        text: expression.to_string(),
        names: names.names,
        equalities: simple.then_some(equalities),
    })
}

/// Every name that a condition says, as a column of the table may be meant by it.
struct Names {
    dialect: Dialect,
    names: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        let ident = match expression {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        if let Some(Ok(name)) = ident.map(|ident| self.dialect.name(ident)) {
            self.names.insert(name);
        }
        ControlFlow::Continue(())
    }
}

/// Takes a condition apart into equalities; tells whether there is nothing else in it.
fn collect(dialect: Dialect, expression: &Expr, equalities: &mut Vec<(String, String)>) -> bool {
    match expression {
        Expr::Nested(inner) => collect(dialect, inner, equalities),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => collect(dialect, left, equalities) && collect(dialect, right, equalities),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } => match (left.as_ref(), right.as_ref()) {
            (Expr::Identifier(ident), Expr::Value(value)) => {
                match (dialect.name(ident), dialect.value(&value.value)) {
                    (Ok(name), Ok(value)) => {
                        equalities.push((name, value));
                        true
                    }
                    _ => false,
                }
            }
            _ => false,
        },
        _ => false,
    }
}
