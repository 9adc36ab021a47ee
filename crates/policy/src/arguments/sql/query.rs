//! Queries: what stands in `FROM`, in common tables, in `UNION`s, and around them.
//!
//! Every structure is taken apart by name and completely, so a part that a new parser adds does not compile until it has a line here.

use sqlparser::ast::{
    Cte, Distinct, Expr, Fetch, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, LimitClause,
    ObjectName, Offset, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, OrderBySort, Parens, Query,
    Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier,
    TableAlias, TableFactor, TableWithJoins, Value, ValueWithSpan, Values, WildcardAdditionalOptions, With,
};

use super::super::Refused;
use super::StatementKind;
use super::judge::{Judge, unsupported};
use super::literal::Dialect;

/// Refuses a part of a statement that is there.
pub(super) fn absent(is_absent: bool, what: &str) -> Result<(), Refused> {
    match is_absent {
        true => Ok(()),
        false => Err(unsupported(what)),
    }
}

impl Judge<'_> {
    /// The query that gives the rows: it alone is limited.
    pub fn outermost(&mut self, query: &Query) -> Result<(), Refused> {
        let limit = self.rule.limit;
        self.whole_query(query, Some(limit))
    }

    /// A query inside of a statement.
    pub fn query(&mut self, query: &Query) -> Result<(), Refused> {
        self.whole_query(query, None)
    }

    /// A query in parentheses that is part of something else.
    pub fn subquery(&mut self, query: &Query) -> Result<(), Refused> {
        self.put("(");
        self.query(query)?;
        self.put(")");
        Ok(())
    }

    fn whole_query(&mut self, query: &Query, cap: Option<u64>) -> Result<(), Refused> {
        // The outermost query is no subquery.
        if self.queries > self.rule.subqueries {
            let why = format!(
                "queries may stand in each other {} levels deep",
                self.rule.subqueries
            );
            return Err(Refused::new("sql.subqueries", why));
        }
        self.queries = self.queries.saturating_add(1);
        let scope = self.common.len();
        let done = self.nested(|judge| judge.query_parts(query, cap));
        self.common.truncate(scope);
        self.queries = self.queries.saturating_sub(1);
        done
    }

    fn query_parts(&mut self, query: &Query, cap: Option<u64>) -> Result<(), Refused> {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        absent(locks.is_empty(), "FOR UPDATE and other locks")?;
        absent(for_clause.is_none(), "FOR XML, JSON or BROWSE")?;
        absent(
            settings.is_none() && format_clause.is_none(),
            "SETTINGS and FORMAT",
        )?;
        absent(pipe_operators.is_empty(), "a pipe operator")?;
        if let Some(with) = with {
            self.with(with)?;
        }
        self.body(body)?;
        if let Some(order_by) = order_by {
            self.order_by(order_by)?;
        }
        self.limits(limit_clause.as_ref(), fetch.as_ref(), cap)
    }

    /// Common tables get names that no table has: a mistake about what a name means can then find nothing, instead of a table.
    fn with(&mut self, with: &With) -> Result<(), Refused> {
        let With {
            with_token: _,
            recursive,
            cte_tables,
        } = with;
        absent(!recursive, "WITH RECURSIVE")?;
        self.put("WITH ");
        self.list(cte_tables, |judge, common| {
            let Cte {
                alias,
                query,
                from,
                materialized,
                closing_paren_token: _,
            } = common;
            absent(from.is_none(), "FROM of a common table")?;
            absent(
                materialized.is_none() || judge.dialect != Dialect::Mysql,
                "MATERIALIZED",
            )?;
            let TableAlias {
                explicit: _,
                name,
                columns,
                at,
            } = alias;
            absent(at.is_none(), "AT")?;
            let name = judge.dialect.name(name)?;
            let written = judge.common_name();
            let quoted = judge.dialect.quote(&written);
            judge.put(&quoted);
            judge.alias_columns(columns)?;
            judge.put(" AS ");
            judge.subquery(query)?;
            // It is in scope for those after it, and not for itself.
            judge.common.push((name, written));
            Ok(())
        })?;
        self.put(" ");
        Ok(())
    }

    fn body(&mut self, body: &SetExpr) -> Result<(), Refused> {
        match body {
            SetExpr::Select(select) => self.nested(|judge| judge.select(select)),
            SetExpr::Query(query) => self.subquery(query),
            SetExpr::SetOperation {
                left,
                op,
                set_quantifier,
                right,
            } => {
                let word = match op {
                    SetOperator::Union => " UNION ",
                    SetOperator::Except => " EXCEPT ",
                    SetOperator::Intersect => " INTERSECT ",
                    SetOperator::Minus => return Err(unsupported("MINUS")),
                };
                let all = match set_quantifier {
                    SetQuantifier::All => "ALL ",
                    SetQuantifier::Distinct | SetQuantifier::None => "",
                    SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => {
                        return Err(unsupported("BY NAME"));
                    }
                };
                self.nested(|judge| {
                    judge.operand(left)?;
                    judge.put(word);
                    judge.put(all);
                    judge.operand(right)
                })
            }
            SetExpr::Values(values) => self.values(values),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => Err(
                Refused::new("sql.statement", "a query that writes is not permitted"),
            ),
            SetExpr::Table(_) => Err(unsupported("TABLE")),
        }
    }

    /// One side of a `UNION`. SQLite knows no parentheses there, but a query in `FROM` is the same.
    fn operand(&mut self, body: &SetExpr) -> Result<(), Refused> {
        if matches!(body, SetExpr::Select(_)) {
            return self.body(body);
        }
        self.put(if self.dialect == Dialect::Sqlite {
            "SELECT * FROM ("
        } else {
            "("
        });
        self.body(body)?;
        self.put(")");
        Ok(())
    }

    pub fn values(&mut self, values: &Values) -> Result<(), Refused> {
        let Values {
            explicit_row,
            value_keyword: _,
            rows,
        } = values;
        absent(!explicit_row, "ROW")?;
        self.put("VALUES ");
        self.list(rows, |judge, row| {
            let Parens {
                opening_token: _,
                content,
                closing_token: _,
            } = row;
            judge.put("(");
            judge.list(content, |judge, value| judge.expression(value))?;
            judge.put(")");
            Ok(())
        })
    }

    fn select(&mut self, select: &Select) -> Result<(), Refused> {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        absent(into.is_none(), "SELECT … INTO")?;
        absent(
            optimizer_hints.is_empty() && select_modifiers.is_none(),
            "a hint or modifier of SELECT",
        )?;
        absent(top.is_none(), "TOP")?;
        absent(exclude.is_none(), "EXCLUDE")?;
        absent(
            lateral_views.is_empty() && prewhere.is_none() && connect_by.is_empty(),
            "CONNECT BY, PREWHERE, LATERAL VIEW",
        )?;
        absent(
            cluster_by.is_empty() && distribute_by.is_empty() && sort_by.is_empty(),
            "CLUSTER, DISTRIBUTE, SORT BY",
        )?;
        absent(
            named_window.is_empty() && qualify.is_none(),
            "a named window or QUALIFY",
        )?;
        absent(value_table_mode.is_none(), "AS STRUCT or AS VALUE")?;
        absent(
            *flavor == SelectFlavor::Standard && !projection.is_empty(),
            "SELECT without columns",
        )?;
        self.put("SELECT ");
        match distinct {
            None | Some(Distinct::All) => {}
            Some(Distinct::Distinct) => self.put("DISTINCT "),
            Some(Distinct::On(expressions)) => {
                absent(self.dialect == Dialect::Postgres, "DISTINCT ON")?;
                self.put("DISTINCT ON (");
                self.list(expressions, |judge, expression| judge.expression(expression))?;
                self.put(") ");
            }
        }
        self.list(projection, |judge, item| judge.item(item))?;
        if !from.is_empty() {
            self.put(" FROM ");
            for (number, tables) in from.iter().enumerate() {
                if number > 0 {
                    self.count_join()?;
                    self.put(", ");
                }
                self.tables(tables)?;
            }
        }
        self.clause(" WHERE ", selection.as_ref())?;
        self.group_by(group_by)?;
        self.clause(" HAVING ", having.as_ref())
    }

    fn clause(&mut self, word: &str, condition: Option<&Expr>) -> Result<(), Refused> {
        let Some(condition) = condition else { return Ok(()) };
        self.put(word);
        self.expression(condition)
    }

    fn group_by(&mut self, group_by: &GroupByExpr) -> Result<(), Refused> {
        let GroupByExpr::Expressions(expressions, modifiers) = group_by else {
            return Err(unsupported("GROUP BY ALL"));
        };
        absent(modifiers.is_empty(), "a modifier of GROUP BY")?;
        if expressions.is_empty() {
            return Ok(());
        }
        self.put(" GROUP BY ");
        self.list(expressions, |judge, expression| judge.sorted(expression))
    }

    /// An expression of `ORDER BY` or `GROUP BY`, where a number is a column's: it means another thing in parentheses.
    fn sorted(&mut self, expression: &Expr) -> Result<(), Refused> {
        match expression {
            Expr::Value(ValueWithSpan {
                value: Value::Number(..),
                span: _,
            }) => self.expression(expression),
            // A constant text is an error in one database and a sort by nothing in others.
            Expr::Value(_) => Err(unsupported("a constant in ORDER BY or GROUP BY")),
            _ => self.expression(expression),
        }
    }

    pub fn order_by(&mut self, order_by: &OrderBy) -> Result<(), Refused> {
        let OrderBy { kind, interpolate } = order_by;
        absent(interpolate.is_none(), "INTERPOLATE")?;
        match kind {
            OrderByKind::Expressions(items) => {
                self.put(" ");
                self.order_items(items)
            }
            OrderByKind::All(_) => Err(unsupported("ORDER BY ALL")),
        }
    }

    pub fn order_items(&mut self, items: &[OrderByExpr]) -> Result<(), Refused> {
        self.put("ORDER BY ");
        self.list(items, |judge, item| {
            let OrderByExpr {
                expr,
                options,
                with_fill,
            } = item;
            absent(with_fill.is_none(), "WITH FILL")?;
            judge.sorted(expr)?;
            let OrderByOptions { sort, nulls_first } = options;
            match sort {
                None => {}
                Some(OrderBySort::Asc) => judge.put(" ASC"),
                Some(OrderBySort::Desc) => judge.put(" DESC"),
                Some(OrderBySort::Using(_)) => return Err(unsupported("ORDER BY … USING")),
            }
            match nulls_first {
                None => {}
                Some(true) => judge.put(" NULLS FIRST"),
                Some(false) => judge.put(" NULLS LAST"),
            }
            Ok(())
        })
    }

    fn limits(
        &mut self,
        clause: Option<&LimitClause>,
        fetch: Option<&Fetch>,
        cap: Option<u64>,
    ) -> Result<(), Refused> {
        let (mut limit, offset) = match clause {
            None => (None, None),
            Some(LimitClause::LimitOffset {
                limit,
                offset,
                limit_by,
            }) => {
                absent(limit_by.is_empty(), "LIMIT … BY")?;
                (
                    limit.as_ref(),
                    offset.as_ref().map(|Offset { value, rows: _ }| value),
                )
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(limit), Some(offset)),
        };
        if let Some(Fetch {
            with_ties,
            percent,
            quantity,
        }) = fetch
        {
            absent(
                !with_ties && !percent && limit.is_none(),
                "FETCH with ties or percent",
            )?;
            absent(quantity.is_some(), "FETCH without a number")?;
            limit = quantity.as_ref();
        }
        let asked = limit.map(plain_number);
        let rows = match (asked, cap) {
            (Some(Some(rows)), Some(cap)) => Some(rows.min(cap)),
            (_, Some(cap)) => Some(cap),
            (Some(Some(rows)), None) => Some(rows),
            (Some(None), None) => return Err(unsupported("a LIMIT that is not a number")),
            // Both databases know OFFSET after LIMIT only.
            (None, None) if offset.is_some() && self.dialect != Dialect::Postgres => Some(i64::MAX as u64),
            (None, None) => None,
        };
        if let Some(rows) = rows {
            let text = format!(" LIMIT {rows}");
            self.put(&text);
        }
        if let Some(offset) = offset {
            let Some(rows) = plain_number(offset) else {
                return Err(unsupported("an OFFSET that is not a number"));
            };
            let text = format!(" OFFSET {rows}");
            self.put(&text);
        }
        Ok(())
    }

    fn item(&mut self, item: &SelectItem) -> Result<(), Refused> {
        match item {
            SelectItem::UnnamedExpr(expression) => self.expression(expression),
            SelectItem::ExprWithAlias { expr, alias } => {
                self.expression(expr)?;
                self.named(alias)
            }
            SelectItem::ExprWithAliases { .. } => Err(unsupported("more than one alias")),
            SelectItem::Wildcard(options) => {
                plain_wildcard(options)?;
                self.put("*");
                Ok(())
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                plain_wildcard(options)?;
                let quoted = self.qualifier(name)?;
                self.put(&quoted);
                self.put(".*");
                Ok(())
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) => {
                Err(unsupported("a wildcard of an expression"))
            }
        }
    }

    pub fn named(&mut self, alias: &Ident) -> Result<(), Refused> {
        let name = self.dialect.name(alias)?;
        let text = format!(" AS {}", self.dialect.quote(&name));
        self.put(&text);
        Ok(())
    }

    /// The name of something in `FROM`: the derived table that stands there has no schema.
    pub fn qualifier(&mut self, name: &ObjectName) -> Result<String, Refused> {
        match self.parts(name)?.as_slice() {
            [name] | [_, name] => match self.is_target(name) {
                true => Err(unsupported("a wildcard of the table that is written to")),
                false => Ok(self.dialect.quote(name)),
            },
            _ => Err(unsupported("a name of more than two parts")),
        }
    }

    pub fn tables(&mut self, tables: &TableWithJoins) -> Result<(), Refused> {
        let TableWithJoins { relation, joins } = tables;
        self.factor(relation)?;
        for Join {
            relation,
            global,
            join_operator,
        } in joins
        {
            absent(!global, "GLOBAL JOIN")?;
            self.count_join()?;
            let (word, constraint) = match join_operator {
                JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => ("JOIN ", constraint),
                JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
                    ("LEFT JOIN ", constraint)
                }
                JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
                    ("RIGHT JOIN ", constraint)
                }
                JoinOperator::FullOuter(constraint) => ("FULL JOIN ", constraint),
                JoinOperator::CrossJoin(constraint) => ("CROSS JOIN ", constraint),
                _ => return Err(unsupported("this kind of join")),
            };
            let is_natural = matches!(constraint, JoinConstraint::Natural);
            self.put(if is_natural { " NATURAL " } else { " " });
            self.put(word);
            self.factor(relation)?;
            match constraint {
                JoinConstraint::On(condition) => self.clause(" ON ", Some(condition))?,
                JoinConstraint::Using(columns) => {
                    self.put(" USING (");
                    self.list(columns, |judge, column| match judge.parts(column)?.as_slice() {
                        [column] => {
                            let quoted = judge.dialect.quote(column);
                            judge.put(&quoted);
                            Ok(())
                        }
                        _ => Err(unsupported("a qualified name in USING")),
                    })?;
                    self.put(")");
                }
                JoinConstraint::UsingAlias(..) => return Err(unsupported("USING … AS")),
                JoinConstraint::Natural | JoinConstraint::None => {}
            }
        }
        Ok(())
    }

    fn factor(&mut self, factor: &TableFactor) -> Result<(), Refused> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_directives,
                inheritance,
            } => {
                if args.is_some() || *with_ordinality {
                    return Err(Refused::new("sql.function", "functions are not allowed in FROM"));
                }
                absent(
                    with_hints.is_empty() && index_directives.is_empty(),
                    "a hint at a table",
                )?;
                absent(
                    version.is_none() && partitions.is_empty() && json_path.is_none(),
                    "a version or part of a table",
                )?;
                absent(sample.is_none(), "TABLESAMPLE")?;
                absent(inheritance.is_none(), "ONLY")?;
                self.table(name, alias.as_ref())
            }
            TableFactor::Derived {
                lateral,
                subquery,
                alias,
                sample,
            } => {
                absent(sample.is_none(), "TABLESAMPLE")?;
                absent(!lateral || self.dialect == Dialect::Postgres, "LATERAL")?;
                self.put(if *lateral { "LATERAL " } else { "" });
                self.subquery(subquery)?;
                match alias {
                    Some(alias) => self.alias(alias),
                    None => Ok(()),
                }
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                absent(alias.is_none(), "an alias of a join")?;
                self.put("(");
                self.nested(|judge| judge.tables(table_with_joins))?;
                self.put(")");
                Ok(())
            }
            _ => Err(Refused::new(
                "sql.function",
                "only tables, joins and queries are allowed in FROM",
            )),
        }
    }

    fn table(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> Result<(), Refused> {
        let parts = self.parts(name)?;
        let (schema, table) = match parts.as_slice() {
            [table] => (None, table),
            [schema, table] => (Some(schema.as_str()), table),
            _ => return Err(unsupported("a table of another database")),
        };
        let common = self
            .common
            .iter()
            .rev()
            .find(|(name, _)| schema.is_none() && self.dialect.same(name, table));
        if let Some((_, written)) = common {
            let quoted = self.dialect.quote(written);
            self.put(&quoted);
        } else {
            let rule = self.rule;
            let found = rule.tables.find(schema, table)?;
            if !found.rule.permits(StatementKind::Select) {
                return Err(Refused::new("sql.table", format!("{table} may not be read")));
            }
            self.derived(found.schema.as_deref(), &found.name, found.rule)?;
        }
        match alias {
            Some(alias) => self.alias(alias),
            None => {
                let text = format!(" AS {}", self.dialect.quote(table));
                self.put(&text);
                Ok(())
            }
        }
    }

    fn alias(&mut self, alias: &TableAlias) -> Result<(), Refused> {
        let TableAlias {
            explicit: _,
            name,
            columns,
            at,
        } = alias;
        absent(at.is_none(), "AT")?;
        self.named(name)?;
        self.alias_columns(columns)
    }

    fn alias_columns(&mut self, columns: &[sqlparser::ast::TableAliasColumnDef]) -> Result<(), Refused> {
        if columns.is_empty() {
            return Ok(());
        }
        self.put("(");
        self.list(columns, |judge, column| {
            absent(column.data_type.is_none(), "a type in an alias")?;
            let name = judge.dialect.name(&column.name)?;
            let quoted = judge.dialect.quote(&name);
            judge.put(&quoted);
            Ok(())
        })?;
        self.put(")");
        Ok(())
    }
}

pub(super) fn plain_wildcard(options: &WildcardAdditionalOptions) -> Result<(), Refused> {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    absent(
        opt_ilike.is_none()
            && opt_exclude.is_none()
            && opt_except.is_none()
            && opt_replace.is_none()
            && opt_rename.is_none()
            && opt_alias.is_none(),
        "a wildcard with conditions",
    )
}

/// A number of rows, if it is written as one.
fn plain_number(expression: &Expr) -> Option<u64> {
    match expression {
        Expr::Value(ValueWithSpan {
            value: Value::Number(digits, false),
            span: _,
        }) => digits.parse().ok().filter(|rows| *rows <= i64::MAX as u64),
        _ => None,
    }
}
