//! Expressions. Each is written in parentheses of its own, so that no database can group it otherwise than the parser did.

use sqlparser::ast::{
    Array, BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DuplicateTreatment, Expr, ExtractSyntax,
    Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments,
    InTarget, Interval, TypedString, UnaryOperator, ValueWithSpan, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowSpec, WindowType,
};

use super::super::Refused;
use super::functions::{BARE, harmless};
use super::judge::{Judge, unsupported};
use super::literal::{Dialect, field};
use super::query::absent;

impl Judge<'_> {
    /// An expression.
    pub fn expression(&mut self, expression: &Expr) -> Result<(), Refused> {
        self.nested(|judge| judge.any(expression))
    }

    fn any(&mut self, expression: &Expr) -> Result<(), Refused> {
        match expression {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.column(expression),
            Expr::Value(ValueWithSpan { value, span: _ }) => {
                let text = self.dialect.value(value)?;
                self.put(&text);
                Ok(())
            }
            Expr::Nested(inner) => self.expression(inner),
            Expr::BinaryOp { .. } => self.chain(expression),
            Expr::UnaryOp { op, expr } => {
                let word = match op {
                    UnaryOperator::Plus => "(+ ",
                    UnaryOperator::Minus => "(- ",
                    UnaryOperator::Not => "(NOT ",
                    UnaryOperator::BitwiseNot => "(~ ",
                    _ => return Err(unsupported("this operator")),
                };
                self.around(word, expr, ")")
            }
            Expr::IsNull(inner) => self.around("(", inner, " IS NULL)"),
            Expr::IsNotNull(inner) => self.around("(", inner, " IS NOT NULL)"),
            Expr::IsTrue(inner) => self.around("(", inner, " IS TRUE)"),
            Expr::IsNotTrue(inner) => self.around("(", inner, " IS NOT TRUE)"),
            Expr::IsFalse(inner) => self.around("(", inner, " IS FALSE)"),
            Expr::IsNotFalse(inner) => self.around("(", inner, " IS NOT FALSE)"),
            Expr::IsDistinctFrom(left, right) => self.pair(left, " IS DISTINCT FROM ", right),
            Expr::IsNotDistinctFrom(left, right) => self.pair(left, " IS NOT DISTINCT FROM ", right),
            Expr::In { .. } | Expr::Between { .. } | Expr::Like { .. } | Expr::ILike { .. } => {
                self.comparison(expression)
            }
            Expr::AnyOp {
                left,
                compare_op,
                right,
                is_some: _,
            } => self.quantified(left, compare_op, "ANY", right),
            Expr::AllOp {
                left,
                compare_op,
                right,
            } => self.quantified(left, compare_op, "ALL", right),
            Expr::Exists { subquery, negated } => {
                self.put(if *negated { "(NOT EXISTS " } else { "(EXISTS " });
                self.subquery(subquery)?;
                self.put(")");
                Ok(())
            }
            Expr::Subquery(query) => self.subquery(query),
            Expr::Tuple(items) => {
                self.put("(");
                self.list(items, |judge, item| judge.expression(item))?;
                self.put(")");
                Ok(())
            }
            Expr::Array(Array { elem, named: true }) if self.dialect == Dialect::Postgres => {
                self.put("ARRAY[");
                self.list(elem, |judge, item| judge.expression(item))?;
                self.put("]");
                Ok(())
            }
            Expr::Case {
                case_token: _,
                end_token: _,
                operand,
                conditions,
                else_result,
            } => self.case(operand.as_deref(), conditions, else_result.as_deref()),
            Expr::Function(function) => self.function(function),
            _ => self.special(expression),
        }
    }

    /// What looks like a function and has a syntax of its own.
    fn special(&mut self, expression: &Expr) -> Result<(), Refused> {
        match expression {
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                format: None,
            } => {
                let end = format!(" AS {})", self.dialect.data_type(data_type)?);
                self.around("CAST(", expr, &end)
            }
            Expr::TypedString(TypedString {
                data_type,
                value,
                uses_odbc_syntax: false,
            }) => {
                let (kind, value) = (
                    self.dialect.data_type(data_type)?,
                    self.dialect.value(&value.value)?,
                );
                let text = format!("CAST({value} AS {kind})");
                self.put(&text);
                Ok(())
            }
            Expr::Interval(interval) => self.interval(interval),
            Expr::AtTimeZone { timestamp, time_zone } => self.pair(timestamp, " AT TIME ZONE ", time_zone),
            Expr::Extract {
                field: of,
                syntax: ExtractSyntax::From,
                expr,
            } => {
                let begin = format!("EXTRACT({} FROM ", field(of)?);
                self.around(&begin, expr, ")")
            }
            Expr::Ceil {
                expr,
                field: CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime),
            } => self.around("CEIL(", expr, ")"),
            Expr::Floor {
                expr,
                field: CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime),
            } => self.around("FLOOR(", expr, ")"),
            Expr::Position { expr, r#in } => {
                absent(self.dialect != Dialect::Sqlite, "POSITION")?;
                self.around("POSITION(", expr, " IN ")?;
                self.expression(r#in)?;
                self.put(")");
                Ok(())
            }
            // With commas: every dialect has it, and PostgreSQL's forms with FROM, FOR and SIMILAR differ in meaning.
            Expr::Substring {
                expr,
                substring_from: Some(from),
                substring_for,
                special: _,
                shorthand: _,
            } => {
                self.around("SUBSTR(", expr, ", ")?;
                self.expression(from)?;
                if let Some(length) = substring_for {
                    self.put(", ");
                    self.expression(length)?;
                }
                self.put(")");
                Ok(())
            }
            Expr::Trim {
                trim_where: None,
                trim_what: None,
                expr,
                trim_characters: None,
            } => self.around("TRIM(", expr, ")"),
            Expr::Collate { .. } => Err(unsupported("COLLATE")),
            Expr::CompoundFieldAccess { .. } => Err(unsupported("a field or element of a value")),
            _ => Err(unsupported("an expression of this kind")),
        }
    }

    fn around(&mut self, before: &str, inner: &Expr, after: &str) -> Result<(), Refused> {
        self.put(before);
        self.expression(inner)?;
        self.put(after);
        Ok(())
    }

    fn pair(&mut self, left: &Expr, word: &str, right: &Expr) -> Result<(), Refused> {
        self.around("(", left, word)?;
        self.expression(right)?;
        self.put(")");
        Ok(())
    }

    /// A chain of operators is as deep as it is long: it is taken apart in a loop, not level by level.
    fn chain(&mut self, expression: &Expr) -> Result<(), Refused> {
        let mut links = Vec::new();
        let mut first = expression;
        while let Expr::BinaryOp { left, op, right } = first {
            links.push((operator(self.dialect, op)?, right.as_ref()));
            first = left;
        }
        for _ in &links {
            self.put("(");
        }
        self.expression(first)?;
        for (word, right) in links.into_iter().rev() {
            self.put(" ");
            self.put(word);
            self.put(" ");
            self.expression(right)?;
            self.put(")");
        }
        Ok(())
    }

    fn comparison(&mut self, expression: &Expr) -> Result<(), Refused> {
        let not = |negated: bool| if negated { " NOT" } else { "" };
        match expression {
            Expr::In {
                expr,
                target,
                negated,
                global: false,
            } => {
                self.around("(", expr, not(*negated))?;
                self.put(" IN ");
                match target {
                    InTarget::List(items) => {
                        absent(!items.is_empty(), "IN ()")?;
                        self.put("(");
                        self.list(items, |judge, item| judge.expression(item))?;
                        self.put(")");
                    }
                    InTarget::Subquery(query) => self.subquery(query)?,
                    InTarget::Unnest(_) | InTarget::Table { .. } => return Err(unsupported("IN a table")),
                }
                self.put(")");
                Ok(())
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                self.around("(", expr, not(*negated))?;
                self.around(" BETWEEN ", low, " AND ")?;
                self.expression(high)?;
                self.put(")");
                Ok(())
            }
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like(expr, not(*negated), " LIKE ", pattern, escape_char.as_deref()),
            Expr::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => {
                absent(self.dialect == Dialect::Postgres, "ILIKE")?;
                self.like(expr, not(*negated), " ILIKE ", pattern, escape_char.as_deref())
            }
            _ => Err(unsupported("this comparison")),
        }
    }

    fn like(
        &mut self,
        expr: &Expr,
        not: &str,
        word: &str,
        pattern: &Expr,
        escape: Option<&Expr>,
    ) -> Result<(), Refused> {
        self.around("(", expr, not)?;
        self.put(word);
        self.expression(pattern)?;
        if let Some(escape) = escape {
            self.put(" ESCAPE ");
            self.expression(escape)?;
        }
        self.put(")");
        Ok(())
    }

    fn quantified(
        &mut self,
        left: &Expr,
        op: &BinaryOperator,
        word: &str,
        right: &Expr,
    ) -> Result<(), Refused> {
        absent(self.dialect != Dialect::Sqlite, "ANY and ALL")?;
        let sign = match op {
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => operator(self.dialect, op)?,
            _ => return Err(unsupported("this operator before ANY or ALL")),
        };
        self.around("(", left, " ")?;
        self.put(sign);
        self.put(" ");
        self.put(word);
        match right {
            Expr::Subquery(query) => self.subquery(query)?,
            other => self.around("(", other, ")")?,
        }
        self.put(")");
        Ok(())
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> Result<(), Refused> {
        self.put("(CASE");
        if let Some(operand) = operand {
            self.put(" ");
            self.expression(operand)?;
        }
        for CaseWhen { condition, result } in conditions {
            self.around(" WHEN ", condition, " THEN ")?;
            self.expression(result)?;
        }
        if let Some(otherwise) = otherwise {
            self.put(" ELSE ");
            self.expression(otherwise)?;
        }
        self.put(" END)");
        Ok(())
    }

    fn interval(&mut self, interval: &Interval) -> Result<(), Refused> {
        let Interval {
            value,
            leading_field,
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        } = interval
        else {
            return Err(unsupported("an interval with a precision"));
        };
        match (self.dialect, leading_field, value.as_ref()) {
            (Dialect::Postgres, None, Expr::Value(value)) => {
                let text = format!("CAST({} AS interval)", self.dialect.value(&value.value)?);
                self.put(&text);
                Ok(())
            }
            (Dialect::Postgres, Some(unit), Expr::Value(value)) => {
                let text = format!(
                    "(INTERVAL {} {})",
                    self.dialect.value(&value.value)?,
                    field(unit)?
                );
                self.put(&text);
                Ok(())
            }
            (Dialect::Mysql, Some(unit), value) => {
                let end = format!(" {}", field(unit)?);
                self.around("INTERVAL ", value, &end)
            }
            _ => Err(unsupported("this interval")),
        }
    }

    /// A column by its name, with or without the table's.
    fn column(&mut self, expression: &Expr) -> Result<(), Refused> {
        let parts: Vec<String> = match expression {
            Expr::Identifier(ident) => vec![self.dialect.name(ident)?],
            Expr::CompoundIdentifier(idents) => {
                let names = idents.iter().map(|ident| self.dialect.name(ident));
                names.collect::<Result<_, _>>()?
            }
            _ => return Err(unsupported("an expression of this kind")),
        };
        if let (Expr::Identifier(ident), [name]) = (expression, parts.as_slice())
            && ident.quote_style.is_none()
            && BARE.contains(&name.to_ascii_lowercase().as_str())
        {
            self.put(name);
            return Ok(());
        }
        let (table, column) = match parts.as_slice() {
            [column] => (None, column),
            // What stands in FROM has no schema any more: see `Judge::derived`.
            [table, column] | [_, table, column] => (Some(table), column),
            _ => return Err(unsupported("a name of more than three parts")),
        };
        self.readable(table.map(String::as_str), column)?;
        let mut text = String::new();
        if let Some(table) = table {
            text.push_str(&self.dialect.quote(table));
            text.push('.');
        }
        text.push_str(&self.dialect.quote(column));
        self.put(&text);
        Ok(())
    }

    fn function(&mut self, function: &Function) -> Result<(), Refused> {
        let Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            within_group,
            filter,
            null_treatment,
            over,
        } = function;
        absent(!uses_odbc_syntax, "ODBC's syntax")?;
        absent(
            matches!(parameters, FunctionArguments::None),
            "parameters of a function",
        )?;
        absent(null_treatment.is_none(), "IGNORE NULLS")?;
        let parts = self.parts(name)?;
        if let (FunctionArguments::None, [word]) = (args, parts.as_slice()) {
            let word = word.to_ascii_lowercase();
            absent(
                within_group.is_empty() && filter.is_none() && over.is_none(),
                "a clause of a value",
            )?;
            return match BARE.contains(&word.as_str()) {
                true => {
                    self.put(&word);
                    Ok(())
                }
                false => Err(self.no_function(&word)),
            };
        }
        let written = self.function_name(&parts)?;
        self.put(&written);
        self.put("(");
        match args {
            FunctionArguments::List(list) => self.arguments(list)?,
            FunctionArguments::Subquery(_) | FunctionArguments::None => {
                return Err(unsupported("a query as arguments"));
            }
        }
        self.put(")");
        if !within_group.is_empty() {
            self.put(" WITHIN GROUP (");
            self.order_items(within_group)?;
            self.put(")");
        }
        if let Some(filter) = filter {
            self.around(" FILTER (WHERE ", filter, ")")?;
        }
        match over {
            None => Ok(()),
            Some(WindowType::WindowSpec(window)) => self.window(window),
            Some(WindowType::NamedWindow(_)) => Err(unsupported("a named window")),
        }
    }

    /// How a function is written that may be called.
    fn function_name(&self, parts: &[String]) -> Result<String, Refused> {
        let (schema, name) = match parts {
            [name] => (None, name),
            [schema, name] => (Some(schema.as_str()), name),
            _ => return Err(unsupported("a name of more than two parts")),
        };
        let folded = name.to_ascii_lowercase();
        let whole = schema.map_or(folded.clone(), |schema| format!("{schema}.{folded}"));
        let listed = self
            .rule
            .functions
            .iter()
            .find(|listed| listed.eq_ignore_ascii_case(&whole));
        if let Some(listed) = listed {
            let quoted: Vec<String> = match self.dialect {
                Dialect::Postgres => listed.split('.').map(|part| self.dialect.quote(part)).collect(),
                Dialect::Sqlite | Dialect::Mysql => listed.split('.').map(str::to_owned).collect(),
            };
            return Ok(quoted.join("."));
        }
        let of_the_database = matches!(
            (self.dialect, schema),
            (_, None) | (Dialect::Postgres, Some("pg_catalog"))
        );
        // PostgreSQL's names are lower case: another spelling in quotes is another function.
        let exact = self.dialect != Dialect::Postgres || *name == folded;
        harmless(self.dialect, &folded)
            .filter(|_| of_the_database && exact)
            .ok_or_else(|| self.no_function(&whole))
    }

    fn no_function(&self, name: &str) -> Refused {
        Refused::new("sql.function", format!("the function {name:?} is not allowed"))
    }

    fn arguments(&mut self, list: &FunctionArgumentList) -> Result<(), Refused> {
        let FunctionArgumentList {
            duplicate_treatment,
            args,
            clauses,
        } = list;
        match duplicate_treatment {
            None | Some(DuplicateTreatment::All) => {}
            Some(DuplicateTreatment::Distinct) => self.put("DISTINCT "),
        }
        self.list(args, |judge, arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => judge.expression(expression),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {
                judge.put("*");
                Ok(())
            }
            _ => Err(unsupported("a named or wildcard argument")),
        })?;
        for clause in clauses {
            match clause {
                FunctionArgumentClause::OrderBy(items) => {
                    self.put(" ");
                    self.order_items(items)?;
                }
                FunctionArgumentClause::Separator(value) if self.dialect == Dialect::Mysql => {
                    let text = format!(" SEPARATOR {}", self.dialect.value(&value.value)?);
                    self.put(&text);
                }
                _ => return Err(unsupported("a clause in the arguments of a function")),
            }
        }
        Ok(())
    }

    fn window(&mut self, window: &WindowSpec) -> Result<(), Refused> {
        let WindowSpec {
            window_name,
            partition_by,
            order_by,
            window_frame,
        } = window;
        absent(window_name.is_none(), "a named window")?;
        self.put(" OVER (");
        if !partition_by.is_empty() {
            self.put("PARTITION BY ");
            self.list(partition_by, |judge, expression| judge.expression(expression))?;
            self.put(" ");
        }
        if !order_by.is_empty() {
            self.order_items(order_by)?;
        }
        if let Some(WindowFrame {
            units,
            start_bound,
            end_bound,
        }) = window_frame
        {
            self.put(match units {
                WindowFrameUnits::Rows => " ROWS BETWEEN ",
                WindowFrameUnits::Range => " RANGE BETWEEN ",
                WindowFrameUnits::Groups => " GROUPS BETWEEN ",
            });
            self.bound(start_bound)?;
            self.put(" AND ");
            self.bound(end_bound.as_ref().unwrap_or(&WindowFrameBound::CurrentRow))?;
        }
        self.put(")");
        Ok(())
    }

    fn bound(&mut self, bound: &WindowFrameBound) -> Result<(), Refused> {
        match bound {
            WindowFrameBound::CurrentRow => self.put("CURRENT ROW"),
            WindowFrameBound::Preceding(None) => self.put("UNBOUNDED PRECEDING"),
            WindowFrameBound::Following(None) => self.put("UNBOUNDED FOLLOWING"),
            WindowFrameBound::Preceding(Some(distance)) => self.around("", distance, " PRECEDING")?,
            WindowFrameBound::Following(Some(distance)) => self.around("", distance, " FOLLOWING")?,
        }
        Ok(())
    }
}

/// The sign of an operator.
fn operator(dialect: Dialect, op: &BinaryOperator) -> Result<&'static str, Refused> {
    use BinaryOperator as Op;
    let postgres = dialect == Dialect::Postgres;
    Ok(match op {
        Op::Plus => "+",
        Op::Minus => "-",
        Op::Multiply => "*",
        Op::Divide => "/",
        Op::Modulo => "%",
        // MySQL reads it as OR, unless it is set otherwise.
        Op::StringConcat if dialect != Dialect::Mysql => "||",
        Op::Gt => ">",
        Op::Lt => "<",
        Op::GtEq => ">=",
        Op::LtEq => "<=",
        Op::Eq => "=",
        Op::NotEq => "<>",
        Op::And => "AND",
        Op::Or => "OR",
        Op::BitwiseAnd => "&",
        Op::BitwiseOr => "|",
        Op::PGExp if postgres => "^",
        Op::PGRegexMatch if postgres => "~",
        Op::PGRegexIMatch if postgres => "~*",
        Op::PGRegexNotMatch if postgres => "!~",
        Op::PGRegexNotIMatch if postgres => "!~*",
        Op::Arrow => "->",
        Op::LongArrow => "->>",
        Op::HashArrow if postgres => "#>",
        Op::HashLongArrow if postgres => "#>>",
        Op::AtArrow if postgres => "@>",
        Op::ArrowAt if postgres => "<@",
        Op::PGOverlap if postgres => "&&",
        _ => return Err(unsupported("this operator")),
    })
}
