//! Statements that write. Their table stands in them as it is, so here the judge looks at every name itself.
//!
//! A table that is written to must list its columns. A name that could mean one of the others is refused, wherever it stands.

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, Expr, FromTable, Ident, Insert, ObjectName,
    OnConflict, OnConflictAction, OnInsert, Query, SelectItem, SetExpr, TableFactor, TableObject,
    TableWithJoins, Update,
};

use super::super::Refused;
use super::StatementKind;
use super::judge::{Judge, Target, unsupported};
use super::literal::Dialect;
use super::query::{absent, plain_wildcard};
use super::table::{Condition, Found, TableRule};

impl<'a> Judge<'a> {
    /// Whether a name may be that of the table that is written to, on any server: some MySQL servers fold the names of tables, and which letters
    /// beyond ASCII are one is theirs to say.
    pub fn is_target(&self, table: &str) -> bool {
        let same = |target: &Target| match self.dialect {
            Dialect::Postgres => target.alias == table,
            Dialect::Sqlite => target.alias.eq_ignore_ascii_case(table),
            Dialect::Mysql => target.alias.eq_ignore_ascii_case(table) || !table.is_ascii(),
        };
        self.target.as_ref().is_some_and(same)
    }

    /// Whether a column may be named: always in a query, where what may not be read is not there.
    pub fn readable(&self, table: Option<&str>, column: &str) -> Result<(), Refused> {
        let Some(target) = &self.target else { return Ok(()) };
        if table.is_some_and(|table| !self.is_target(table)) {
            return Ok(());
        }
        let known = target.columns.iter().any(|name| self.is_column(name, column));
        match known {
            true => Ok(()),
            false => Err(Refused::new(
                "sql.column",
                format!(
                    "{column:?} is no column of {} that may be read here ({}); a column of another table needs its table's name before it",
                    target.alias,
                    target.columns.join(", ")
                ),
            )),
        }
    }

    /// Names of columns fold in SQLite and MySQL.
    fn is_column(&self, one: &str, other: &str) -> bool {
        match self.dialect {
            Dialect::Postgres => one == other,
            Dialect::Sqlite | Dialect::Mysql => one.eq_ignore_ascii_case(other),
        }
    }

    fn writable(&self, name: &ObjectName, kind: StatementKind) -> Result<(Found<'a>, String), Refused> {
        let parts = self.parts(name)?;
        let (schema, table) = match parts.as_slice() {
            [table] => (None, table),
            [schema, table] => (Some(schema.as_str()), table),
            _ => return Err(unsupported("a table of another database")),
        };
        let rule: &'a super::SqlRule = self.rule;
        let found = rule.tables.find(schema, table)?;
        if !found.rule.permits(kind) || found.rule.columns().is_none() {
            return Err(Refused::new(
                "sql.table",
                format!("{} is not permitted on {table}", kind.name()),
            ));
        }
        Ok((found, table.clone()))
    }

    /// Puts the table that is written to into scope.
    fn aim(&mut self, rule: &TableRule, alias: &str) {
        let visible = rule.columns().unwrap_or_default().iter();
        self.target = Some(Target {
            alias: alias.to_owned(),
            columns: visible
                .filter(|column| rule.mask(column).is_none())
                .cloned()
                .collect(),
        });
    }

    pub fn insert(&mut self, insert: &Insert) -> Result<(), Refused> {
        let Insert {
            insert_token: _,
            optimizer_hints,
            or,
            ignore,
            into: _,
            table,
            table_alias,
            columns,
            by_name,
            overwrite,
            source,
            assignments,
            partitioned,
            after_columns,
            overriding,
            has_table_keyword,
            on,
            returning,
            output,
            replace_into,
            priority,
            insert_alias,
            settings,
            format_clause,
            multi_table_insert_type,
            multi_table_into_clauses,
            multi_table_when_clauses,
            multi_table_else_clause,
        } = insert;
        absent(
            or.is_none() && !ignore && !replace_into && !overwrite,
            "OR, IGNORE, REPLACE or OVERWRITE",
        )?;
        absent(
            optimizer_hints.is_empty() && priority.is_none() && overriding.is_none(),
            "a hint or modifier of INSERT",
        )?;
        absent(
            table_alias.is_none() && insert_alias.is_none() && !has_table_keyword && !by_name,
            "an alias of INSERT's table",
        )?;
        absent(
            assignments.is_empty() && partitioned.is_none() && after_columns.is_empty(),
            "SET or PARTITION in INSERT",
        )?;
        absent(
            output.is_none() && settings.is_none() && format_clause.is_none(),
            "OUTPUT, SETTINGS or FORMAT",
        )?;
        absent(
            multi_table_insert_type.is_none()
                && multi_table_into_clauses.is_empty()
                && multi_table_when_clauses.is_empty()
                && multi_table_else_clause.is_none(),
            "INSERT into more than one table",
        )?;
        let TableObject::TableName(name) = table else {
            return Err(unsupported("INSERT into a function"));
        };
        let (found, alias) = self.writable(name, StatementKind::Insert)?;
        let forced = forced(found.rule.condition())?;
        self.put("INSERT INTO ");
        self.table_name(found.schema.as_deref(), &found.name);
        self.put(" (");
        absent(!columns.is_empty(), "INSERT without a list of columns")?;
        self.list(columns, |judge, column| judge.set_column(found.rule, column))?;
        for (column, _) in forced {
            let text = format!(", {}", self.dialect.quote(column));
            self.put(&text);
        }
        self.put(") ");
        let Some(source) = source else {
            return Err(unsupported("INSERT without values"));
        };
        self.source(source, columns.len(), forced)?;
        if let Some(on) = on {
            self.conflict(on, found.rule)?;
        }
        self.aim(found.rule, &alias);
        self.returning(returning.as_deref(), found.rule)
    }

    /// The rows of an insert, each with what the filter says of it.
    fn source(&mut self, source: &Query, width: usize, forced: &[(String, String)]) -> Result<(), Refused> {
        if let SetExpr::Values(values) = source.body.as_ref() {
            absent(
                source.with.is_none()
                    && source.order_by.is_none()
                    && source.limit_clause.is_none()
                    && source.fetch.is_none(),
                "a clause after VALUES",
            )?;
            absent(!values.explicit_row, "ROW")?;
            self.put("VALUES ");
            return self.list(&values.rows, |judge, row| {
                if row.content.len() != width {
                    return Err(Refused::new(
                        "sql.value",
                        format!("each row needs {width} values"),
                    ));
                }
                judge.put("(");
                judge.list(&row.content, |judge, value| judge.assigned(value))?;
                for (_, value) in forced {
                    judge.put(", ");
                    judge.put(value);
                }
                judge.put(")");
                Ok(())
            });
        }
        if forced.is_empty() {
            return self.query(source);
        }
        self.put("SELECT pc_rows.*");
        for (_, value) in forced {
            self.put(", ");
            self.put(value);
        }
        self.put(" FROM ");
        self.subquery(source)?;
        self.put(" AS pc_rows");
        Ok(())
    }

    /// A value that is written; `DEFAULT` is the column's.
    fn assigned(&mut self, value: &Expr) -> Result<(), Refused> {
        match value {
            Expr::Identifier(Ident {
                value,
                quote_style: None,
                span: _,
            }) if value.eq_ignore_ascii_case("default") => {
                self.put("DEFAULT");
                Ok(())
            }
            value => self.expression(value),
        }
    }

    fn set_column(&mut self, rule: &TableRule, column: &ObjectName) -> Result<(), Refused> {
        let parts = self.parts(column)?;
        let [name] = parts.as_slice() else {
            return Err(unsupported("a qualified column to write to"));
        };
        // The rule's spelling is what is compared: in databases that fold names, a filter's column has two of them.
        let columns = rule.columns().unwrap_or_default();
        let known = columns.iter().find(|known| self.is_column(known, name));
        match known.filter(|known| rule.may_write(known)) {
            Some(known) => {
                let quoted = self.dialect.quote(known);
                self.put(&quoted);
                Ok(())
            }
            None => Err(Refused::new(
                "sql.column",
                format!("the column {name:?} may not be written"),
            )),
        }
    }

    fn conflict(&mut self, on: &OnInsert, rule: &TableRule) -> Result<(), Refused> {
        let OnInsert::OnConflict(OnConflict {
            conflict_target,
            action: OnConflictAction::DoNothing,
        }) = on
        else {
            return Err(unsupported("an INSERT that updates"));
        };
        self.put(" ON CONFLICT ");
        match conflict_target {
            None => {}
            Some(ConflictTarget::Columns {
                columns,
                predicate: None,
            }) => {
                self.put("(");
                self.list(columns, |judge, column| {
                    let name = judge.dialect.name(column)?;
                    if !rule.columns().is_some_and(|columns| columns.contains(&name)) {
                        return Err(Refused::new("sql.column", format!("there is no column {name:?}")));
                    }
                    let quoted = judge.dialect.quote(&name);
                    judge.put(&quoted);
                    Ok(())
                })?;
                self.put(") ");
            }
            Some(_) => return Err(unsupported("this ON CONFLICT")),
        }
        self.put("DO NOTHING");
        Ok(())
    }

    pub fn update(&mut self, update: &Update) -> Result<(), Refused> {
        let Update {
            update_token: _,
            optimizer_hints,
            table,
            on_cluster,
            assignments,
            from,
            selection,
            returning,
            output,
            or,
            order_by,
            limit,
            settings,
        } = update;
        absent(
            optimizer_hints.is_empty() && on_cluster.is_none() && settings.is_none(),
            "a hint or setting of UPDATE",
        )?;
        absent(from.is_none(), "UPDATE … FROM (a subquery does the same)")?;
        absent(
            output.is_none() && or.is_none() && order_by.is_empty() && limit.is_none(),
            "OR, ORDER BY or LIMIT of UPDATE",
        )?;
        let (found, alias) = self.single(table, StatementKind::Update)?;
        self.put("UPDATE ");
        self.aimed(&found, &alias);
        self.put(" SET ");
        self.list(assignments, |judge, Assignment { target, value }| {
            let AssignmentTarget::ColumnName(column) = target else {
                return Err(unsupported("SET of several columns"));
            };
            judge.set_column(found.rule, column)?;
            judge.put(" = ");
            judge.assigned(value)
        })?;
        self.rows(found.rule.condition(), selection.as_ref())?;
        self.returning(returning.as_deref(), found.rule)
    }

    pub fn delete(&mut self, delete: &Delete) -> Result<(), Refused> {
        let Delete {
            delete_token: _,
            optimizer_hints,
            tables,
            from,
            on_cluster,
            using,
            selection,
            returning,
            output,
            order_by,
            limit,
            settings,
        } = delete;
        absent(
            optimizer_hints.is_empty() && on_cluster.is_none() && settings.is_none(),
            "a hint or setting of DELETE",
        )?;
        absent(
            using.is_none() && tables.is_empty(),
            "DELETE … USING (a subquery does the same)",
        )?;
        absent(
            output.is_none() && order_by.is_empty() && limit.is_none(),
            "ORDER BY or LIMIT of DELETE",
        )?;
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = from;
        let [table] = from.as_slice() else {
            return Err(unsupported("DELETE of more than one table"));
        };
        let (found, alias) = self.single(table, StatementKind::Delete)?;
        self.put("DELETE FROM ");
        self.aimed(&found, &alias);
        self.rows(found.rule.condition(), selection.as_ref())?;
        self.returning(returning.as_deref(), found.rule)
    }

    /// The one table of an update or delete, and the name that it has in it.
    fn single(&self, table: &TableWithJoins, kind: StatementKind) -> Result<(Found<'a>, String), Refused> {
        let TableWithJoins { relation, joins } = table;
        absent(joins.is_empty(), "a join in a statement that writes")?;
        let TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints,
            version: None,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_directives,
            inheritance: None,
        } = relation
        else {
            return Err(unsupported("this table to write to"));
        };
        absent(
            with_hints.is_empty() && partitions.is_empty() && index_directives.is_empty(),
            "a hint at a table",
        )?;
        let (found, own) = self.writable(name, kind)?;
        match alias {
            None => Ok((found, own)),
            Some(alias) => {
                absent(
                    alias.columns.is_empty() && alias.at.is_none(),
                    "an alias with columns",
                )?;
                let alias = self.dialect.name(&alias.name)?;
                Ok((found, alias))
            }
        }
    }

    fn aimed(&mut self, found: &Found<'_>, alias: &str) {
        self.table_name(found.schema.as_deref(), &found.name);
        let text = format!(" AS {}", self.dialect.quote(alias));
        self.put(&text);
        self.aim(found.rule, alias);
    }

    /// Which rows are written. The filter comes first, and the condition is not looked at for rows outside of it: its errors would tell of them.
    fn rows(&mut self, filter: Option<&Condition>, selection: Option<&Expr>) -> Result<(), Refused> {
        if !self.rule.without_where && !selection.is_some_and(names_a_column) {
            return Err(Refused::new("sql.where", "a WHERE that names a column is needed"));
        }
        match (filter, selection) {
            (None, None) => Ok(()),
            (None, Some(condition)) => {
                self.put(" WHERE ");
                self.expression(condition)
            }
            (Some(filter), condition) => {
                let text = format!(" WHERE ({})", filter.text);
                self.put(&text);
                if let Some(condition) = condition {
                    let text = format!(" AND CASE WHEN ({}) THEN ", filter.text);
                    self.put(&text);
                    self.expression(condition)?;
                    self.put(" ELSE FALSE END");
                }
                Ok(())
            }
        }
    }

    fn returning(&mut self, items: Option<&[SelectItem]>, rule: &TableRule) -> Result<(), Refused> {
        let Some(items) = items else { return Ok(()) };
        if !rule.permits(StatementKind::Select) || !self.rule.statements.contains(&StatementKind::Select) {
            return Err(Refused::new(
                "sql.statement",
                "RETURNING reads, and reading is not permitted",
            ));
        }
        self.put(" RETURNING ");
        self.list(items, |judge, item| match item {
            SelectItem::UnnamedExpr(expression) => judge.expression(expression),
            SelectItem::ExprWithAlias { expr, alias } => {
                judge.expression(expr)?;
                judge.named(alias)
            }
            SelectItem::Wildcard(options) => {
                plain_wildcard(options)?;
                let columns = judge.target.as_ref().map(|target| target.columns.clone());
                judge.list(&columns.unwrap_or_default(), |judge, column| {
                    let quoted = judge.dialect.quote(column);
                    judge.put(&quoted);
                    Ok(())
                })
            }
            _ => Err(unsupported("a qualified wildcard in RETURNING")),
        })
    }
}

/// What a filter makes of every row that is added.
fn forced(filter: Option<&Condition>) -> Result<&[(String, String)], Refused> {
    match filter {
        None => Ok(&[]),
        Some(Condition {
            equalities: Some(equalities),
            text: _,
            names: _,
        }) => Ok(equalities),
        Some(_) => Err(Refused::new(
            "sql.table",
            "rows cannot be added to this table: its filter is not made of equalities",
        )),
    }
}

/// Whether a condition depends on a row at all.
fn names_a_column(condition: &Expr) -> bool {
    use std::ops::ControlFlow;
    sqlparser::ast::visit_expressions(condition, |expression| match expression {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}
