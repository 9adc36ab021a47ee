//! How names, values and types are written in each dialect. Everything that comes from a statement goes through here: nothing else quotes.

use serde::Deserialize;
use sqlparser::ast::{CharacterLength, DataType, DateTimeField, ExactNumberInfo, Ident, TimezoneInfo, Value};

use super::super::Refused;

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// PostgreSQL.
    #[serde(alias = "postgresql")]
    Postgres,
    /// SQLite.
    Sqlite,
    /// MySQL and MariaDB.
    Mysql,
}

/// Bytes of a name: PostgreSQL cuts longer ones, and would mean another table by them than was judged.
const NAME: usize = 63;

impl Dialect {
    /// Where a table without a schema is.
    pub(super) const fn schema(self) -> Option<&'static str> {
        match self {
            Dialect::Postgres => Some("public"),
            Dialect::Sqlite => Some("main"),
            Dialect::Mysql => None,
        }
    }

    /// Whether two spellings of a name of a table are one.
    pub(super) fn same(self, one: &str, other: &str) -> bool {
        match self {
            Dialect::Postgres | Dialect::Mysql => one == other,
            Dialect::Sqlite => one.eq_ignore_ascii_case(other),
        }
    }

    /// The name that an identifier means.
    pub(super) fn name(self, ident: &Ident) -> Result<String, Refused> {
        let name = match (self, ident.quote_style) {
            (Dialect::Postgres, None) => ident.value.to_ascii_lowercase(),
            // What MySQL reads in double quotes is a text or a name, as the server is set.
            (Dialect::Mysql, Some('"')) => {
                return Err(Refused::new(
                    "sql.name",
                    "names stand in backticks or without quotes",
                ));
            }
            _ => ident.value.clone(),
        };
        if ident.quote_style.is_none() && name.starts_with('@') {
            return Err(Refused::new("sql.name", "variables are not allowed"));
        }
        if name.is_empty() || name.len() > NAME || name.chars().any(char::is_control) {
            return Err(Refused::new(
                "sql.name",
                format!("a name has 1 to {NAME} bytes and no control characters"),
            ));
        }
        Ok(name)
    }

    /// A name in quotes. SQLite takes a name in double quotes that it does not know for a text, so there it is backticks.
    pub(super) fn quote(self, name: &str) -> String {
        let mark = match self {
            Dialect::Postgres => '"',
            Dialect::Sqlite | Dialect::Mysql => '`',
        };
        let mut quoted = String::with_capacity(name.len().saturating_add(2));
        quoted.push(mark);
        for letter in name.chars() {
            if letter == mark {
                quoted.push(mark);
            }
            quoted.push(letter);
        }
        quoted.push(mark);
        quoted
    }

    /// A text as a literal that reads the same whatever the server's settings are.
    pub(super) fn text(self, text: &str) -> Result<String, Refused> {
        if text.contains('\0') {
            return Err(Refused::new("sql.value", "a text holds no NUL"));
        }
        let doubled = text.replace('\'', "''");
        Ok(match self {
            _ if !text.contains('\\') => format!("'{doubled}'"),
            Dialect::Sqlite => format!("'{doubled}'"),
            Dialect::Postgres => format!(" E'{}'", doubled.replace('\\', "\\\\")),
            Dialect::Mysql => {
                let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                format!(" _utf8mb4 x'{hex}'")
            }
        })
    }

    /// A value as a literal.
    pub(super) fn value(self, value: &Value) -> Result<String, Refused> {
        match value {
            Value::Number(digits, false) if is_number(digits) => Ok(digits.clone()),
            Value::SingleQuotedString(text) => self.text(text),
            Value::DoubleQuotedString(text) if self == Dialect::Mysql => self.text(text),
            Value::EscapedStringLiteral(text) if self == Dialect::Postgres => self.text(text),
            Value::DollarQuotedString(quoted) if self == Dialect::Postgres => self.text(&quoted.value),
            Value::Boolean(true) => Ok("TRUE".to_owned()),
            Value::Boolean(false) => Ok("FALSE".to_owned()),
            Value::Null => Ok("NULL".to_owned()),
            Value::Placeholder(name) if self.is_placeholder(name) => Ok(name.clone()),
            _ => Err(Refused::new(
                "sql.value",
                "values are plain numbers, texts in single quotes, booleans and NULL",
            )),
        }
    }

    fn is_placeholder(self, name: &str) -> bool {
        let rest = match self {
            Dialect::Postgres => name.strip_prefix('$').filter(|rest| !rest.is_empty()),
            Dialect::Sqlite | Dialect::Mysql => name.strip_prefix('?'),
        };
        rest.is_some_and(|rest| rest.len() < 5 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// A type that a value may be cast to. None of them looks anything up: `regclass` and its like would.
    pub(super) fn data_type(self, data_type: &DataType) -> Result<String, Refused> {
        let plain = |word: &str| Ok(word.to_owned());
        match data_type {
            DataType::Text | DataType::String(None) => plain("text"),
            DataType::Varchar(length)
            | DataType::CharacterVarying(length)
            | DataType::CharVarying(length) => sized("varchar", length.as_ref()),
            DataType::Char(length) | DataType::Character(length) => sized("char", length.as_ref()),
            DataType::SmallInt(None) | DataType::Int2(None) => plain("smallint"),
            DataType::Int(None) | DataType::Integer(None) | DataType::Int4(None) => plain("integer"),
            DataType::BigInt(None) | DataType::Int8(None) => plain("bigint"),
            DataType::Signed | DataType::SignedInteger => plain("signed"),
            DataType::Unsigned | DataType::UnsignedInteger => plain("unsigned"),
            DataType::Real | DataType::Float4 => plain("real"),
            DataType::DoublePrecision | DataType::Float8 | DataType::Double(ExactNumberInfo::None) => {
                plain("double precision")
            }
            DataType::Float(ExactNumberInfo::None) => plain("float"),
            DataType::Numeric(info) | DataType::Decimal(info) | DataType::Dec(info) => Ok(match info {
                ExactNumberInfo::None => "numeric".to_owned(),
                ExactNumberInfo::Precision(all) => format!("numeric({all})"),
                ExactNumberInfo::PrecisionAndScale(all, scale) => format!("numeric({all}, {scale})"),
            }),
            DataType::Bool | DataType::Boolean => plain("boolean"),
            DataType::Date => plain("date"),
            DataType::Datetime(None) if self != Dialect::Postgres => plain("datetime"),
            DataType::Time(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => plain("time"),
            DataType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                plain("timestamp")
            }
            DataType::Timestamp(None, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => plain("timestamptz"),
            DataType::Interval {
                fields: None,
                precision: None,
            } => plain("interval"),
            DataType::Uuid => plain("uuid"),
            DataType::JSON => plain("json"),
            DataType::JSONB if self == Dialect::Postgres => plain("jsonb"),
            _ => Err(Refused::new(
                "sql.type",
                "casts are to text, numbers, booleans, dates and times, uuid and json only",
            )),
        }
    }
}

fn sized(word: &str, length: Option<&CharacterLength>) -> Result<String, Refused> {
    match length {
        None => Ok(word.to_owned()),
        Some(CharacterLength::IntegerLength { length, unit: None }) => Ok(format!("{word}({length})")),
        Some(_) => Err(Refused::new("sql.type", "the length of a type is a number")),
    }
}

/// Whether it is a number in decimal digits and nothing else.
fn is_number(digits: &str) -> bool {
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let decimal = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = match mantissa.split_once('.') {
        Some((left, right)) => {
            (decimal(left) || left.is_empty()) && (decimal(right) || right.is_empty()) && mantissa != "."
        }
        None => decimal(mantissa),
    };
    let exponent = exponent.is_none_or(|text| {
        let text = text.strip_prefix(['+', '-']).unwrap_or(text);
        decimal(text) && text.len() <= 3
    });
    whole && exponent && digits.len() <= 100
}

/// The word of a field of a date.
pub(super) fn field(field: &DateTimeField) -> Result<String, Refused> {
    match field {
        DateTimeField::Custom(_) | DateTimeField::Week(Some(_)) | DateTimeField::NoDateTime => {
            Err(Refused::new("sql.value", "an unknown field of a date"))
        }
        known => Ok(known.to_string()),
    }
}
