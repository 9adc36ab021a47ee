//! The judge: what it has written so far, and what is in scope. What it has no line for is refused.

use sqlparser::ast::{ObjectName, ObjectNamePart, Statement};

use super::super::Refused;
use super::literal::Dialect;
use super::table::{Mask, TableRule};
use super::{Judged, SqlRule, StatementKind};

/// Levels of a statement's own expressions. A chain of operators is one level.
const DEPTH: usize = 64;

/// The table that a statement writes to: its columns are in scope as they are, without a derived table around them.
pub(super) struct Target {
    /// The name that it has in the statement.
    pub alias: String,
    /// Its columns that may be read.
    pub columns: Vec<String>,
}

/// A statement under judgement.
pub(super) struct Judge<'a> {
    pub rule: &'a SqlRule,
    pub dialect: Dialect,
    /// What was written.
    pub out: String,
    /// Common tables in scope, innermost last: the name in the statement, and the one that is written.
    pub common: Vec<(String, String)>,
    common_made: usize,
    joins: u32,
    pub queries: u32,
    depth: usize,
    pub target: Option<Target>,
}

impl<'a> Judge<'a> {
    pub fn new(rule: &'a SqlRule) -> Judge<'a> {
        Judge {
            rule,
            dialect: rule.dialect,
            out: String::new(),
            common: Vec::new(),
            common_made: 0,
            joins: 0,
            queries: 0,
            depth: 0,
            target: None,
        }
    }

    /// Judges a statement.
    pub fn statement(mut self, statement: &Statement) -> Result<Judged, Refused> {
        let kind = match statement {
            Statement::Query(query) => {
                self.may(StatementKind::Select)?;
                self.outermost(query)?;
                StatementKind::Select
            }
            Statement::Insert(insert) => {
                self.may(StatementKind::Insert)?;
                self.insert(insert)?;
                StatementKind::Insert
            }
            Statement::Update(update) => {
                self.may(StatementKind::Update)?;
                self.update(update)?;
                StatementKind::Update
            }
            Statement::Delete(delete) => {
                self.may(StatementKind::Delete)?;
                self.delete(delete)?;
                StatementKind::Delete
            }
            _ => return Err(self.not_permitted("this statement")),
        };
        Ok(Judged { kind, text: self.out })
    }

    fn may(&self, kind: StatementKind) -> Result<(), Refused> {
        match self.rule.statements.contains(&kind) {
            true => Ok(()),
            false => Err(self.not_permitted(kind.name())),
        }
    }

    fn not_permitted(&self, what: &str) -> Refused {
        let names: Vec<&str> = self.rule.statements.iter().map(|kind| kind.name()).collect();
        Refused::new(
            "sql.statement",
            format!("{what} is not permitted; permitted: {}", names.join(", ")),
        )
    }

    pub fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Goes one level down.
    pub fn nested<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Refused>) -> Result<T, Refused> {
        if self.depth >= DEPTH {
            return Err(Refused::new("sql.depth", "the statement is nested too deeply"));
        }
        self.depth = self.depth.saturating_add(1);
        let done = work(self);
        self.depth = self.depth.saturating_sub(1);
        done
    }

    /// Writes items with commas between them.
    pub fn list<T>(
        &mut self,
        items: &[T],
        mut each: impl FnMut(&mut Self, &T) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        for (number, item) in items.iter().enumerate() {
            if number > 0 {
                self.put(", ");
            }
            each(self, item)?;
        }
        Ok(())
    }

    pub fn count_join(&mut self) -> Result<(), Refused> {
        self.joins = self.joins.saturating_add(1);
        match self.joins > self.rule.joins {
            true => Err(Refused::new(
                "sql.joins",
                format!("at most {} joins are allowed", self.rule.joins),
            )),
            false => Ok(()),
        }
    }

    /// A name for a common table that no table has.
    pub fn common_name(&mut self) -> String {
        self.common_made = self.common_made.saturating_add(1);
        format!("pc_common_{}", self.common_made)
    }

    /// The names of which a name is made.
    pub fn parts(&self, name: &ObjectName) -> Result<Vec<String>, Refused> {
        name.0
            .iter()
            .map(|part| match part {
                ObjectNamePart::Identifier(ident) => self.dialect.name(ident),
                ObjectNamePart::Function(_) => Err(unsupported("a computed name")),
            })
            .collect()
    }

    /// What a query sees in place of a table: the permitted rows and columns of it.
    pub fn derived(&mut self, schema: Option<&str>, name: &str, rule: &TableRule) -> Result<(), Refused> {
        self.put("(SELECT ");
        match rule.columns() {
            None => self.put("*"),
            Some(columns) => self.list(columns, |judge, column| judge.shown(column, rule.mask(column)))?,
        }
        self.put(" FROM ");
        self.table_name(schema, name);
        if let Some(condition) = rule.condition() {
            let condition = format!(" WHERE ({})", condition.text);
            self.put(&condition);
            // A planner that moved an outer condition below the filter would run it on hidden rows, and its errors would tell of them.
            self.put(match self.dialect {
                Dialect::Postgres => " OFFSET 0",
                Dialect::Sqlite => " LIMIT -1 OFFSET 0",
                Dialect::Mysql => " LIMIT 18446744073709551615",
            });
        }
        self.put(")");
        Ok(())
    }

    pub fn table_name(&mut self, schema: Option<&str>, name: &str) {
        let mut written = String::new();
        if let Some(schema) = schema {
            written.push_str(&self.dialect.quote(schema));
            written.push('.');
        }
        written.push_str(&self.dialect.quote(name));
        self.put(&written);
    }

    /// A column, or what is shown in its place.
    fn shown(&mut self, column: &str, mask: Option<Mask>) -> Result<(), Refused> {
        let quoted = self.dialect.quote(column);
        let shown = match mask {
            None => quoted,
            Some(Mask::Null) => format!("NULL AS {quoted}"),
            Some(Mask::Stars) => format!("CASE WHEN {quoted} IS NULL THEN NULL ELSE '***' END AS {quoted}"),
            Some(Mask::Type) => {
                let told = self.dialect.text(&format!("<{column}>"))?;
                format!("CASE WHEN {quoted} IS NULL THEN NULL ELSE {told} END AS {quoted}")
            }
            Some(Mask::Hash) => {
                let salt = self.dialect.text(self.rule.salt.as_deref().unwrap_or_default())?;
                match self.dialect {
                    Dialect::Postgres => format!(
                        "pg_catalog.\"left\"(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({salt} || CAST({quoted} AS text), 'UTF8')), 'hex'), 32) AS {quoted}"
                    ),
                    Dialect::Mysql => format!("left(sha2(concat({salt}, {quoted}), 256), 32) AS {quoted}"),
                    Dialect::Sqlite => return Err(unsupported("a hash")),
                }
            }
        };
        self.put(&shown);
        Ok(())
    }
}

/// Something that has no line in the judge.
pub(super) fn unsupported(what: &str) -> Refused {
    Refused::new(
        "sql.unsupported",
        format!("{what} is not supported; write the statement without it"),
    )
}
