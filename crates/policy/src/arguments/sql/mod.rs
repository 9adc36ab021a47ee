//! SQL: a statement is parsed, judged, and written anew from what was judged.
//!
//! The text that comes out holds nothing but what [`judge`] writes: names in quotes, literals encoded again, every table with its schema and
//! inside a derived table that has the permitted columns and rows only. So what the judge does not know cannot be in it, a comment or another
//! reading of the original text has no effect, and the database itself resolves names among columns that may be seen. Nothing is executed
//! here, and no database is asked: a rule says which columns there are.

mod expression;
mod functions;
mod judge;
mod literal;
mod query;
mod table;
mod write;

use serde::Deserialize;
use serde_json::Value;
use sqlparser::ast::Statement;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::{ArgumentRule, Checked, Refused, WrongRule, text};
use judge::Judge;
pub use literal::Dialect;
use table::Tables;
pub use table::{Mask, TableRule};

/// Tokens of a statement: as deep as a chain of operators can become, and what a parser may be made to work.
const TOKENS: usize = 4096;

/// Parentheses that may be open at once. Parsers try what stands in them more than once, level by level.
const OPEN: usize = 16;

/// Times that a word may stand in a statement after which the parser goes down a level that it does not count.
const DEEPENING: usize = 32;

/// Levels that the parser may go down.
const LEVELS: usize = 48;

/// A kind of statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatementKind {
    /// It reads.
    Select,
    /// It adds rows.
    Insert,
    /// It changes rows.
    Update,
    /// It removes rows.
    Delete,
}

impl StatementKind {
    /// Its name in rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            StatementKind::Select => "select",
            StatementKind::Insert => "insert",
            StatementKind::Update => "update",
            StatementKind::Delete => "delete",
        }
    }
}

/// The rule as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    dialect: Dialect,
    #[serde(default = "reading")]
    statements: Vec<StatementKind>,
    #[serde(default)]
    default_schema: Option<String>,
    tables: serde_json::Map<String, Value>,
    #[serde(default)]
    functions: Vec<String>,
    #[serde(default = "eight")]
    joins: u32,
    #[serde(default = "eight")]
    subqueries: u32,
    #[serde(default = "thousand")]
    limit: u64,
    #[serde(default)]
    without_where: bool,
    #[serde(default)]
    salt: Option<String>,
    #[serde(default = "kibibytes")]
    max_bytes: usize,
}

fn reading() -> Vec<StatementKind> {
    vec![StatementKind::Select]
}

const fn eight() -> u32 {
    8
}

const fn thousand() -> u64 {
    1000
}

const fn kibibytes() -> usize {
    16 * 1024
}

/// What a statement may do. Read from:
///
/// | key | meaning | default |
/// |---|---|---|
/// | `dialect` | `postgres`, `sqlite` or `mysql` | |
/// | `statements` | of `select`, `insert`, `update`, `delete` | `[select]` |
/// | `default_schema` | where a table without a schema is | `public`, `main`; none for MySQL |
/// | `tables` | names or patterns (`sales.*`), each with a [`TableRule`] | |
/// | `functions` | functions beyond the harmless ones | none |
/// | `joins` | joins of a statement, at most | 8 |
/// | `subqueries` | how deep queries may stand in each other | 8 |
/// | `limit` | rows that a query may give: added, or lowered | 1000 |
/// | `without_where` | whether all rows may be updated or deleted at once | `false` |
/// | `salt` | what `mask: hash` hashes values with | |
/// | `max_bytes` | length of a statement | 16384 |
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct SqlRule {
    dialect: Dialect,
    statements: Vec<StatementKind>,
    tables: Tables,
    functions: Vec<String>,
    joins: u32,
    subqueries: u32,
    limit: u64,
    without_where: bool,
    salt: Option<String>,
    max_bytes: usize,
}

impl TryFrom<Written> for SqlRule {
    type Error = WrongRule;

    fn try_from(written: Written) -> Result<SqlRule, WrongRule> {
        let dialect = written.dialect;
        let tables = Tables::read(
            dialect,
            written.default_schema.as_deref(),
            &written.tables,
            written.salt.is_some(),
        )?;
        for name in &written.functions {
            let plain =
                |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !name.split('.').all(plain) {
                return Err(WrongRule(format!("functions: {name:?} is no name of a function")));
            }
        }
        Ok(SqlRule {
            dialect,
            statements: written.statements,
            tables,
            functions: written.functions,
            joins: written.joins,
            subqueries: written.subqueries,
            limit: written.limit,
            without_where: written.without_where,
            salt: written.salt,
            max_bytes: written.max_bytes,
        })
    }
}

/// A statement that may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What it does.
    pub kind: StatementKind,
    /// The text to run.
    pub text: String,
}

impl SqlRule {
    /// The dialect.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Kinds of statements that may be run.
    #[must_use]
    pub fn statements(&self) -> &[StatementKind] {
        &self.statements
    }

    /// The rule for a table, if it may be used at all.
    #[must_use]
    pub fn table(&self, schema: Option<&str>, name: &str) -> Option<&TableRule> {
        self.tables.find(schema, name).ok().map(|found| found.rule)
    }

    /// The table that a name means: its schema and name as the database has them, and its rule.
    ///
    /// # Errors
    /// If it may not be used.
    pub fn resolve(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<(Option<String>, String, &TableRule), Refused> {
        let found = self.tables.find(schema, name)?;
        Ok((found.schema, found.name, found.rule))
    }

    /// Judges a statement and writes it anew.
    ///
    /// # Errors
    /// Why it may not be run.
    pub fn judge(&self, statement: &str) -> Result<Judged, Refused> {
        let parsed = parse(self.dialect, statement, self.max_bytes)?;
        Judge::new(self).statement(&parsed)
    }
}

impl ArgumentRule for SqlRule {
    fn check(&self, value: &Value) -> Result<Checked, Refused> {
        let judged = self.judge(text(value, "sql.type")?)?;
        Ok(Checked::Rewritten(Value::String(judged.text)))
    }
}

/// The one statement of a text.
fn parse(dialect: Dialect, statement: &str, max_bytes: usize) -> Result<Statement, Refused> {
    if statement.len() > max_bytes {
        let why = format!("the statement is longer than {max_bytes} bytes");
        return Err(Refused::new("sql.size", why));
    }
    // MySQL runs what stands in such a comment, and so does the tokenizer: it would not be seen below.
    if dialect == Dialect::Mysql && (statement.contains("/*!") || statement.contains("/*M!")) {
        return Err(Refused::new(
            "sql.comment",
            "comments that are executed are not allowed",
        ));
    }
    let parser = parser(dialect);
    let tokens = Tokenizer::new(parser, statement)
        .tokenize()
        .map_err(|_| Refused::new("sql.syntax", "the statement has a token that cannot be read"))?;
    bounded(&tokens)?;
    let mut statements = Parser::new(parser)
        .with_recursion_limit(LEVELS)
        .with_tokens(tokens)
        .parse_statements()
        .map_err(|error| not_parsed(&error))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(Refused::new("sql.statements", "exactly one statement is allowed")),
    }
}

fn parser(dialect: Dialect) -> &'static dyn sqlparser::dialect::Dialect {
    match dialect {
        Dialect::Postgres => &sqlparser::dialect::PostgreSqlDialect {},
        Dialect::Sqlite => &sqlparser::dialect::SQLiteDialect {},
        Dialect::Mysql => &sqlparser::dialect::MySqlDialect {},
    }
}

fn not_parsed(error: &ParserError) -> Refused {
    match error {
        ParserError::RecursionLimitExceeded => {
            Refused::new("sql.depth", "the statement is nested too deeply")
        }
        ParserError::TokenizerError(why) | ParserError::ParserError(why) => {
            Refused::new("sql.syntax", format!("the statement cannot be parsed: {why}"))
        }
    }
}

/// What may not be given to the parser at all.
fn bounded(tokens: &[Token]) -> Result<(), Refused> {
    if tokens.len() > TOKENS {
        return Err(Refused::new(
            "sql.size",
            format!("the statement has more than {TOKENS} tokens"),
        ));
    }
    let (mut open, mut deepening) = (0_usize, 0_usize);
    for token in tokens {
        match token {
            Token::Word(word)
                if matches!(word.keyword, Keyword::JOIN | Keyword::INTERVAL | Keyword::WITH) =>
            {
                deepening = deepening.saturating_add(1);
            }
            // Other databases run what stands in these, and hints are no business of a model.
            Token::Whitespace(Whitespace::MultiLineComment(comment))
                if comment.starts_with(['!', '+', 'M']) =>
            {
                return Err(Refused::new(
                    "sql.comment",
                    "comments that are executed or hint are not allowed",
                ));
            }
            Token::LParen | Token::LBracket | Token::LBrace => open = open.saturating_add(1),
            Token::RParen | Token::RBracket | Token::RBrace => open = open.saturating_sub(1),
            _ => {}
        }
        if open > OPEN || deepening > DEEPENING {
            return Err(Refused::new("sql.depth", "the statement is nested too deeply"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
