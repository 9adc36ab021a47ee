//! Amounts: decimal numbers, compared exactly. What could be read as two amounts is none: no exponent, no separator of thousands, no leading
//! zero, no sign but a minus.

use serde::Deserialize;
use serde_json::Value;

use super::{ArgumentRule, Checked, Refused, WrongRule};

/// Digits after the point that are kept: a number is this many digits to the left.
const SCALE: u32 = 12;
const WHOLE: usize = 18;

/// A decimal number, times 10¹².
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(i128);

impl Decimal {
    /// Reads a number in decimal digits.
    pub fn read(text: &str) -> Option<(Decimal, usize)> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, part) = digits
            .split_once('.')
            .map_or((digits, None), |(whole, part)| (whole, Some(part)));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let part_is_right = part
            .is_none_or(|part| is_digits(part) && part.len() <= usize::try_from(SCALE).unwrap_or_default());
        if !is_digits(whole)
            || whole.len() > WHOLE
            || (whole.len() > 1 && whole.starts_with('0'))
            || !part_is_right
        {
            return None;
        }
        let part = part.unwrap_or_default();
        let places = part.trim_end_matches('0').len();
        let scaled = format!("{whole}{part:0<width$}", width = usize::try_from(SCALE).ok()?);
        let number: i128 = scaled.parse().ok()?;
        Some((
            Decimal(if negative { number.checked_neg()? } else { number }),
            places,
        ))
    }

    /// The number that a value is.
    pub fn of(value: &Value) -> Option<(Decimal, usize)> {
        match value {
            Value::Number(number) => Decimal::read(&number.to_string()),
            Value::String(text) => Decimal::read(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Decimal::of(&value)
            .map(|(number, _)| number)
            .ok_or_else(|| serde::de::Error::custom("must be a decimal number"))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    min: Option<Decimal>,
    max: Option<Decimal>,
    #[serde(default)]
    currencies: Vec<String>,
    #[serde(default = "two")]
    decimals: usize,
}

const fn two() -> usize {
    2
}

/// Which amounts may be used.
///
/// | key | meaning | default |
/// |---|---|---|
/// | `min`, `max` | bounds, both allowed; a number, or a text with one | 0, none |
/// | `currencies` | codes that stand after the amount: `12.50 EUR`; without them the amount is a number alone | none |
/// | `decimals` | digits after the point | 2 |
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct AmountRule {
    min: Decimal,
    max: Option<Decimal>,
    currencies: Vec<String>,
    decimals: usize,
}

impl TryFrom<Written> for AmountRule {
    type Error = WrongRule;

    fn try_from(written: Written) -> Result<AmountRule, WrongRule> {
        let min = written.min.unwrap_or(Decimal(0));
        if written.max.is_some_and(|max| max < min) {
            return Err(WrongRule("max: is less than `min`".to_owned()));
        }
        Ok(AmountRule {
            min,
            max: written.max,
            currencies: written.currencies,
            decimals: written.decimals,
        })
    }
}

impl ArgumentRule for AmountRule {
    fn check(&self, value: &Value) -> Result<Checked, Refused> {
        let number = match (value, self.currencies.is_empty()) {
            (Value::String(text), false) => {
                let (number, code) = text.split_once(' ').unwrap_or((text, ""));
                if !self.currencies.iter().any(|known| known == code) {
                    return Err(Refused::new(
                        "amount.currency",
                        format!(
                            "an amount is followed by a space and one of: {}",
                            self.currencies.join(", ")
                        ),
                    ));
                }
                Decimal::read(number)
            }
            (_, false) => {
                return Err(Refused::new(
                    "amount.currency",
                    "an amount is a text with a currency",
                ));
            }
            (value, true) => Decimal::of(value),
        };
        let (number, places) = number.ok_or_else(|| {
            Refused::new(
                "amount.syntax",
                "an amount is written in digits with at most one point, as 1234.50",
            )
        })?;
        if places > self.decimals {
            return Err(Refused::new(
                "amount.decimals",
                format!("at most {} digits after the point are allowed", self.decimals),
            ));
        }
        match number < self.min || self.max.is_some_and(|max| number > max) {
            true => Err(Refused::new(
                "amount.range",
                "the amount is outside of what is allowed",
            )),
            false => Ok(Checked::Passed),
        }
    }
}
