//! Statements of PostgreSQL, made up from a seed: plain ones, and ones that reach for what they may not.
//!
//! Names in scope and types are followed, so that most statements mean something to the database. Whatever is wrong with one must be the
//! guard's to see: nothing here is left out because the guard refuses it.

use super::words::{EVIL_NUMBERS, EVIL_STATEMENTS, EVIL_TABLES, EVIL_TEXTS, TABLES};

/// A small generator of numbers (SplitMix64): the same in every version of every library.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn of<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Number,
    Text,
    Truth,
}
use Type::{Number, Text, Truth};

#[derive(Clone)]
struct Source {
    alias: String,
    columns: Vec<(String, Type)>,
}

type Scope = Vec<Source>;

/// What the guard lets be seen, and more.
fn columns_of(table: &str) -> Vec<(String, Type)> {
    let list: &[(&str, Type)] = match table {
        "users" => &[
            ("id", Number),
            ("name", Text),
            ("email", Text),
            ("tenant", Number),
        ],
        "orders" => &[
            ("id", Number),
            ("user_id", Number),
            ("total", Number),
            ("note", Text),
        ],
        "items" => &[("id", Number), ("label", Text)],
        _ => &[("id", Number), ("name", Text), ("k", Text)],
    };
    list.iter()
        .map(|(name, kind)| ((*name).to_owned(), *kind))
        .collect()
}

pub struct Grammar {
    pub numbers: Numbers,
    /// How often something forbidden is tried, in percent of the places where it can be.
    evil: usize,
    common: Vec<(String, Vec<(String, Type)>)>,
    made: usize,
}

/// A statement, and whether anything forbidden was put into it.
pub struct Made {
    pub text: String,
    pub tried: bool,
}

impl Grammar {
    pub fn new(seed: u64) -> Grammar {
        Grammar {
            numbers: Numbers(seed),
            evil: 0,
            common: Vec::new(),
            made: 0,
        }
    }

    /// One statement; `writes` makes some of them write.
    pub fn statement(&mut self, writes: bool) -> Made {
        self.evil = *self.numbers.of(&[&0, &0, &1, &4, &20]);
        let asked = self.evil > 0;
        self.common.clear();
        self.made = 0;
        if asked && self.numbers.percent(4) {
            return Made {
                text: self.numbers.of(EVIL_STATEMENTS).to_owned(),
                tried: true,
            };
        }
        let text = match writes && self.numbers.percent(70) {
            true => self.write(),
            false => self.query(&Vec::new(), 3).0,
        };
        match asked && self.numbers.percent(25) {
            true => Made {
                text: self.mangled(&text),
                tried: true,
            },
            false => Made { text, tried: asked },
        }
    }

    fn fresh(&mut self, stem: &str) -> String {
        self.made += 1;
        format!("{stem}{}", self.made)
    }

    fn evil(&mut self) -> bool {
        let percent = self.evil;
        self.numbers.percent(percent)
    }

    fn query(&mut self, outer: &Scope, depth: usize) -> (String, Vec<(String, Type)>) {
        let mark = self.common.len();
        let mut text = String::new();
        if depth > 1 && self.numbers.percent(20) {
            let count = 1 + self.numbers.below(2);
            let mut parts = Vec::new();
            for _ in 0..count {
                // Some have the names of tables.
                let stem = self.fresh("c");
                let name = self
                    .numbers
                    .of(&["users", "orders", "secrets", "items", stem.as_str()])
                    .to_owned();
                let (inner, columns) = self.query(&Vec::new(), depth - 1);
                let how = self
                    .numbers
                    .of(&["", "", "", " MATERIALIZED", " NOT MATERIALIZED"])
                    .to_owned();
                parts.push(format!("{name} AS{how} ({inner})"));
                self.common.push((name, columns));
            }
            let recursive = if self.evil() { "RECURSIVE " } else { "" };
            text = format!("WITH {recursive}{} ", parts.join(", "));
        }
        let (body, columns) = self.select(outer, depth, None);
        text.push_str(&body);
        if self.numbers.percent(12) {
            let kinds: Vec<Type> = columns.iter().map(|(_, kind)| *kind).collect();
            let (other, _) = self.select(outer, depth.saturating_sub(1), Some(&kinds));
            let word = self.numbers.of(&["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]);
            text.push_str(&format!(" {word} {other}"));
        }
        if self.numbers.percent(30) {
            text.push_str(&format!(" ORDER BY {}", 1 + self.numbers.below(columns.len())));
            text.push_str(self.numbers.of(&["", " DESC", " NULLS LAST"]));
        }
        if self.numbers.percent(25) {
            let limit = match self.evil() {
                true => self
                    .numbers
                    .of(&[
                        "(SELECT count(*) FROM secrets)",
                        "ALL",
                        "NULL",
                        "1000000",
                        "1 + 1",
                    ])
                    .to_owned(),
                false => self.numbers.below(12).to_string(),
            };
            text.push_str(&format!(" LIMIT {limit}"));
        }
        if self.evil() {
            text.push_str(self.numbers.of(&[
                " FOR UPDATE",
                " FOR SHARE OF users",
                " OFFSET (SELECT count(*) FROM secrets)",
                " FETCH FIRST 3 ROWS WITH TIES",
                "; SELECT 1",
                " -- x",
                " /* x",
            ]));
        }
        self.common.truncate(mark);
        (text, columns)
    }

    fn select(
        &mut self,
        outer: &Scope,
        depth: usize,
        kinds: Option<&[Type]>,
    ) -> (String, Vec<(String, Type)>) {
        let (from, own) = self.from(outer, depth);
        let mut scope = outer.clone();
        scope.extend(own.iter().cloned());
        let grouped = kinds.is_none() && self.numbers.percent(15);
        let mut items = Vec::new();
        let mut columns = Vec::new();
        if kinds.is_none() && !grouped && !own.is_empty() && self.numbers.percent(20) {
            items.push("*".to_owned());
            columns.extend(own.iter().flat_map(|source| source.columns.clone()));
        } else {
            let count = kinds.map_or_else(|| 1 + self.numbers.below(3), <[Type]>::len);
            for number in 0..count {
                let kind = kinds.map_or_else(
                    || if self.numbers.percent(50) { Number } else { Text },
                    |kinds| kinds[number],
                );
                let value = match grouped {
                    true => self.aggregate(&scope, kind, depth),
                    false => self.value(&scope, kind, depth),
                };
                let name = self.fresh("x");
                items.push(format!("{value} AS {name}"));
                columns.push((name, kind));
            }
        }
        let distinct = if self.numbers.percent(8) { "DISTINCT " } else { "" };
        let mut text = format!("SELECT {distinct}{}{from}", items.join(", "));
        if self.numbers.percent(55) {
            let condition = self.value(&scope, Truth, depth);
            text.push_str(&format!(" WHERE {condition}"));
        }
        if grouped && self.numbers.percent(60) {
            let key = self.value(&own, Text, 0);
            text.push_str(&format!(" GROUP BY {key}"));
            if self.numbers.percent(40) {
                text.push_str(&format!(" HAVING {} > 0", self.aggregate(&scope, Number, depth)));
            }
        }
        (text, columns)
    }

    fn from(&mut self, outer: &Scope, depth: usize) -> (String, Scope) {
        if self.numbers.percent(4) {
            return (String::new(), Vec::new());
        }
        let mut scope: Scope = Vec::new();
        let mut text = " FROM ".to_owned();
        let count = *self.numbers.of(&[&1, &1, &1, &2, &2, &3]);
        for number in 0..count {
            let (factor, source) = self.factor(outer, depth);
            if scope.iter().any(|known| known.alias == source.alias) {
                continue;
            }
            if number == 0 {
                text.push_str(&factor);
                scope.push(source);
                continue;
            }
            scope.push(source);
            let join = self.numbers.of(&[
                ", ",
                " JOIN ",
                " LEFT JOIN ",
                " FULL JOIN ",
                " CROSS JOIN ",
                " NATURAL JOIN ",
                " USING ",
                " RIGHT JOIN ",
            ]);
            match join {
                ", " | " CROSS JOIN " | " NATURAL JOIN " => text.push_str(&format!("{join}{factor}")),
                " USING " => text.push_str(&format!(" JOIN {factor} USING (id)")),
                " FULL JOIN " => text.push_str(&format!(
                    " FULL JOIN {factor} ON {0}.id = {1}.id",
                    scope[0].alias,
                    scope[scope.len() - 1].alias
                )),
                _ => {
                    let inner: Scope = scope.clone();
                    let condition = self.value(&inner, Truth, 0);
                    text.push_str(&format!("{join}{factor} ON {condition}"));
                }
            }
        }
        (text, scope)
    }

    fn factor(&mut self, outer: &Scope, depth: usize) -> (String, Source) {
        if depth > 0 && self.numbers.percent(18) {
            let alias = self.fresh("d");
            let lateral = self.numbers.percent(20);
            let visible = if lateral { outer.clone() } else { Vec::new() };
            let (inner, columns) = self.query(&visible, depth - 1);
            let word = if lateral { "LATERAL " } else { "" };
            return (format!("{word}({inner}) AS {alias}"), Source { alias, columns });
        }
        if self.evil() {
            let (table, alias) = (self.numbers.of(EVIL_TABLES), self.fresh("e"));
            return (
                format!("{table} AS {alias}"),
                Source {
                    alias,
                    columns: columns_of(""),
                },
            );
        }
        if !self.common.is_empty() && self.numbers.percent(40) {
            let at = self.numbers.below(self.common.len());
            let (name, columns) = self.common[at].clone();
            let alias = self.fresh("t");
            return (format!("{name} AS {alias}"), Source { alias, columns });
        }
        let table = self.numbers.of(TABLES);
        let shadow = self
            .common
            .iter()
            .rev()
            .find(|(name, _)| name == table)
            .map(|(_, columns)| columns.clone());
        let (spelled, columns) = match (self.numbers.below(6), shadow) {
            (0, _) => (format!("public.{table}"), columns_of(table)),
            (1, _) => (format!("PUBLIC.\"{table}\""), columns_of(table)),
            (2, shadow) => (table.to_uppercase(), shadow.unwrap_or_else(|| columns_of(table))),
            (3, shadow) => (
                format!("\"{table}\""),
                shadow.unwrap_or_else(|| columns_of(table)),
            ),
            (_, shadow) => (table.to_owned(), shadow.unwrap_or_else(|| columns_of(table))),
        };
        match self.numbers.percent(60) {
            true => {
                let alias = self.fresh("t");
                (format!("{spelled} {alias}"), Source { alias, columns })
            }
            false => (
                spelled,
                Source {
                    alias: table.to_owned(),
                    columns,
                },
            ),
        }
    }

    /// A column of a type that is in scope, if there is one.
    fn column(&mut self, scope: &Scope, kind: Type) -> Option<String> {
        let fitting: Vec<String> = scope
            .iter()
            .flat_map(|source| {
                let of_kind = source.columns.iter().filter(|(_, own)| *own == kind);
                of_kind.map(|(name, _)| format!("{}.{name}", source.alias))
            })
            .collect();
        if fitting.is_empty() {
            return None;
        }
        let chosen = fitting[self.numbers.below(fitting.len())].clone();
        match scope.len() == 1 && self.numbers.percent(50) {
            true => chosen.split_once('.').map(|(_, name)| name.to_owned()),
            false => Some(chosen),
        }
    }

    fn value(&mut self, scope: &Scope, kind: Type, depth: usize) -> String {
        if self.evil() {
            let tried = match kind {
                Number => self.numbers.of(EVIL_NUMBERS).to_owned(),
                Text => self.numbers.of(EVIL_TEXTS).to_owned(),
                Truth => format!("{} LIKE '%MARK%'", self.numbers.of(EVIL_TEXTS)),
            };
            // What is reached for by a table's name is reached for by an alias as well.
            return match scope.is_empty() || self.numbers.percent(40) {
                true => tried,
                false => tried.replace("users", &scope[self.numbers.below(scope.len())].alias),
            };
        }
        match kind {
            Number => self.number(scope, depth),
            Text => self.text(scope, depth),
            Truth => self.truth(scope, depth),
        }
    }

    fn number(&mut self, scope: &Scope, depth: usize) -> String {
        let below = depth.saturating_sub(1);
        let choice = if depth == 0 {
            self.numbers.below(5)
        } else {
            self.numbers.below(16)
        };
        match choice {
            0 => self.numbers.below(20).to_string(),
            1..=4 => self.column(scope, Number).unwrap_or_else(|| "1".to_owned()),
            5 | 6 => {
                let op = self.numbers.of(&["+", "-", "*", "/", "%"]);
                format!(
                    "{} {op} {}",
                    self.number(scope, below),
                    self.value(scope, Number, below)
                )
            }
            7 => format!("({} - -{})", self.number(scope, below), self.numbers.below(5)),
            8 => format!("length({})", self.value(scope, Text, below)),
            9 => format!("abs({})", self.value(scope, Number, below)),
            10 => format!(
                "CASE WHEN {} THEN {} ELSE {} END",
                self.value(scope, Truth, below),
                self.number(scope, below),
                self.number(scope, below)
            ),
            11 => {
                let (from, own) = self.from(scope, below);
                let mut inner = scope.clone();
                inner.extend(own);
                format!("(SELECT max({}){from})", self.value(&inner, Number, below))
            }
            12 => format!(
                "coalesce({}, {})",
                self.value(scope, Number, below),
                self.number(scope, below)
            ),
            13 => format!("CAST({} AS int)", self.value(scope, Text, below)),
            14 => format!(
                "position({} in {})",
                self.text(scope, below),
                self.value(scope, Text, below)
            ),
            _ => format!("{}::numeric", self.number(scope, below)),
        }
    }

    fn text(&mut self, scope: &Scope, depth: usize) -> String {
        let below = depth.saturating_sub(1);
        let choice = if depth == 0 {
            self.numbers.below(5)
        } else {
            self.numbers.below(15)
        };
        match choice {
            0 => self
                .numbers
                .of(&[
                    "'ok'",
                    "'it''s'",
                    "E'a\\'b'",
                    "'%'",
                    "'\\'",
                    "$q$d'q$q$",
                    "'--'",
                    "'/*'",
                    "'MAR'",
                    "''",
                ])
                .to_owned(),
            1..=4 => self.column(scope, Text).unwrap_or_else(|| "'a'".to_owned()),
            5 => format!(
                "{} || {}",
                self.text(scope, below),
                self.value(scope, Text, below)
            ),
            6 => {
                let name = self.numbers.of(&[
                    "lower",
                    "UPPER",
                    "md5",
                    "reverse",
                    "pg_catalog.lower",
                    "trim",
                    "initcap",
                ]);
                format!("{name}({})", self.value(scope, Text, below))
            }
            7 => format!("substring({} from 1 for 3)", self.value(scope, Text, below)),
            8 => format!(
                "{}::text",
                self.column(scope, Number).unwrap_or_else(|| "1".to_owned())
            ),
            9 => format!(
                "CASE {} WHEN 1 THEN {} END",
                self.number(scope, below),
                self.value(scope, Text, below)
            ),
            10 => {
                let (from, own) = self.from(scope, below);
                let mut inner = scope.clone();
                inner.extend(own);
                format!("(SELECT {}{from} LIMIT 1)", self.value(&inner, Text, below))
            }
            // A row as a whole: what of it is there to be seen.
            11 if !scope.is_empty() => {
                let alias = scope[self.numbers.below(scope.len())].alias.clone();
                let form = self.numbers.of(&[
                    "R::text",
                    "to_json(R)::text",
                    "row_to_json(R)::text",
                    "(R.*)::text",
                    "concat(R)",
                    "json_build_array(R)::text",
                ]);
                form.replace('R', &alias)
            }
            12 => format!("string_agg({}, ',') OVER ()", self.value(scope, Text, below)),
            13 => format!("coalesce({}, 'none')", self.value(scope, Text, below)),
            _ => format!("({})::varchar(9)", self.value(scope, Text, below)),
        }
    }

    fn truth(&mut self, scope: &Scope, depth: usize) -> String {
        let below = depth.saturating_sub(1);
        let choice = if depth == 0 {
            self.numbers.below(4)
        } else {
            self.numbers.below(16)
        };
        match choice {
            0 | 1 => {
                let op = self.numbers.of(&["=", "<", ">=", "<>", "!=", "IS DISTINCT FROM"]);
                format!(
                    "{} {op} {}",
                    self.number(scope, below),
                    self.value(scope, Number, below)
                )
            }
            2 => format!(
                "{} LIKE {}",
                self.value(scope, Text, below),
                self.numbers.of(&["'%a%'", "'ok%'", "'M%'", "'%'"])
            ),
            3 => format!("{} = {}", self.text(scope, below), self.value(scope, Text, below)),
            4 => format!(
                "{} AND {}",
                self.truth(scope, below),
                self.value(scope, Truth, below)
            ),
            5 => format!(
                "{} OR {} AND {}",
                self.value(scope, Truth, below),
                self.truth(scope, below),
                self.truth(scope, below)
            ),
            6 => format!("NOT {}", self.truth(scope, below)),
            7 => format!("{} IS NOT NULL", self.value(scope, Text, below)),
            8 => format!(
                "{} IN (1, {}, 3)",
                self.number(scope, below),
                self.value(scope, Number, below)
            ),
            9 => {
                let (from, own) = self.from(scope, below);
                let mut inner = scope.clone();
                inner.extend(own);
                format!(
                    "{} IN (SELECT {}{from})",
                    self.number(scope, below),
                    self.value(&inner, Number, below)
                )
            }
            10 => {
                let (from, own) = self.from(scope, below);
                let mut inner = scope.clone();
                inner.extend(own);
                format!(
                    "EXISTS (SELECT 1{from} WHERE {})",
                    self.value(&inner, Truth, below)
                )
            }
            11 => format!(
                "{} BETWEEN 0 AND {}",
                self.number(scope, below),
                self.value(scope, Number, below)
            ),
            12 => format!("{} ~ '^[a-m]'", self.value(scope, Text, below)),
            // Errors that depend on a value: they must not come from a row that is not there.
            13 => format!("CAST({} AS int) > 3", self.value(scope, Text, below)),
            14 => format!(
                "1 / ({} - {}) > 0",
                self.number(scope, below),
                self.numbers.below(20)
            ),
            _ => format!("({}) IS TRUE", self.truth(scope, below)),
        }
    }

    fn aggregate(&mut self, scope: &Scope, kind: Type, depth: usize) -> String {
        let below = depth.saturating_sub(1);
        match kind {
            Number => match self.numbers.below(4) {
                0 => "count(*)".to_owned(),
                1 => format!("sum({})", self.value(scope, Number, below)),
                2 => format!("count(DISTINCT {})", self.value(scope, Text, below)),
                _ => format!(
                    "max({}) FILTER (WHERE {})",
                    self.value(scope, Number, below),
                    self.value(scope, Truth, below)
                ),
            },
            _ => match self.numbers.below(3) {
                0 => format!("min({})", self.value(scope, Text, below)),
                1 => format!("string_agg({0}, ',' ORDER BY {0})", self.value(scope, Text, 0)),
                _ => format!("json_agg({})::text", self.value(scope, Text, below)),
            },
        }
    }

    fn write(&mut self) -> String {
        let table = *self.numbers.of(&[&"users", &"users", &"orders", &"items"]);
        let scope: Scope = vec![Source {
            alias: table.to_owned(),
            columns: columns_of(table),
        }];
        let column = |grammar: &mut Grammar| -> (&'static str, Type) {
            let list: &[&(&str, Type)] = match table {
                "users" => &[
                    &("name", Text),
                    &("name", Text),
                    &("id", Number),
                    &("email", Text),
                    &("tenant", Number),
                    &("ssn", Text),
                ],
                "orders" => &[&("note", Text), &("total", Number), &("user_id", Number)],
                _ => &[&("label", Text), &("cost", Number)],
            };
            let few = if grammar.evil > 0 {
                list.len()
            } else {
                2.min(list.len())
            };
            *list[grammar.numbers.below(few)]
        };
        let returning = match self.numbers.below(4) {
            0 => format!(" RETURNING {}", self.value(&scope, Text, 1)),
            1 => format!(
                " RETURNING {}",
                self.numbers.of(&["id", "*", "name", "id + 1 AS x"])
            ),
            _ => String::new(),
        };
        let (name, kind) = column(self);
        match self.numbers.below(3) {
            0 => {
                let value = self.value(&scope, kind, 2);
                let condition = self.value(&scope, Truth, 2);
                format!("UPDATE {table} SET {name} = {value} WHERE {condition}{returning}")
            }
            1 => format!(
                "DELETE FROM {table} WHERE {}{returning}",
                self.value(&scope, Truth, 2)
            ),
            _ if self.numbers.percent(40) => {
                let (inner, _) = self.select(&Vec::new(), 2, Some(&[Number, kind]));
                format!("INSERT INTO {table} (id, {name}) {inner}{returning}")
            }
            _ => {
                let (id, value) = (100 + self.numbers.below(100), self.value(&Vec::new(), kind, 2));
                let conflict =
                    self.numbers
                        .of(&["", "", " ON CONFLICT DO NOTHING", " ON CONFLICT (id) DO NOTHING"]);
                format!("INSERT INTO {table} (id, {name}) VALUES ({id}, {value}){conflict}{returning}")
            }
        }
    }

    /// The words of a statement in disorder, or with something between them.
    fn mangled(&mut self, text: &str) -> String {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        for _ in 0..=self.numbers.below(2) {
            let at = self.numbers.below(words.len());
            match self.numbers.below(6) {
                0 => drop(words.remove(at)),
                1 => {
                    let again = words[at].clone();
                    words.insert(at, again);
                }
                2 => {
                    let other = self.numbers.below(words.len());
                    words.swap(at, other);
                }
                3 => words.insert(
                    at,
                    self.numbers
                        .of(&[
                            "/* a */",
                            "--\n",
                            "/*! secrets */",
                            "/* /* */ */",
                            "/**/",
                            "\u{a0}",
                            "\u{200b}",
                        ])
                        .to_owned(),
                ),
                4 => words.insert(
                    at,
                    self.numbers
                        .of(&[
                            "secrets",
                            "ssn",
                            "users.ssn",
                            "(",
                            ")",
                            ";",
                            "'",
                            "\"",
                            "ONLY",
                            "UNION",
                            "TABLE",
                            "*",
                            ",",
                            "::text",
                            "$$",
                            "E'",
                            "U&'",
                            ".ssn",
                            "AS ssn",
                        ])
                        .to_owned(),
                ),
                _ => words[at] = words[at].replace("users", "secrets").replace("name", "ssn"),
            }
            if words.is_empty() {
                break;
            }
        }
        words.join(" ")
    }
}
