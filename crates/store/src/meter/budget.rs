//! Money per period: `5 USD/day`. Periods begin and end by UTC; there is no other calendar and no other currency.

use std::fmt;
use std::str::FromStr;

use portcullis_core::Money;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The span of time that a budget is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// From full hour to full hour.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From the first of a month to the first of the next.
    Month,
}

impl Period {
    /// Every period, shortest first.
    pub const ALL: [Period; 3] = [Period::Hour, Period::Day, Period::Month];

    /// The name in a budget.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Period::Hour => "hour",
            Period::Day => "day",
            Period::Month => "month",
        }
    }

    /// When the period that holds `now_ms` began.
    #[must_use]
    pub fn start_ms(self, now_ms: u64) -> u64 {
        match self {
            Period::Hour => now_ms - now_ms % HOUR_MS,
            Period::Day => now_ms - now_ms % DAY_MS,
            Period::Month => {
                let day = now_ms / DAY_MS;
                day.saturating_sub(day_of_month(day)).saturating_mul(DAY_MS)
            }
        }
    }

    /// When the period that holds `now_ms` ends, which is when the next begins.
    #[must_use]
    pub fn end_ms(self, now_ms: u64) -> u64 {
        let start = self.start_ms(now_ms);
        match self {
            Period::Hour => start.saturating_add(HOUR_MS),
            Period::Day => start.saturating_add(DAY_MS),
            // No month has more than 31 days and none fewer than 4: day 32 lies in the next.
            Period::Month => self
                .start_ms(start.saturating_add(31 * DAY_MS))
                .max(start.saturating_add(28 * DAY_MS)),
        }
    }
}

/// Days of its month that have passed before the day with that number since 1970.
///
/// The civil calendar repeats every 400 years; counting years from March puts the leap day at a year's end, which
/// makes month lengths a straight line (153 days in five months).
fn day_of_month(day_since_1970: u64) -> u64 {
    let from_march_0000 = day_since_1970.saturating_add(719_468);
    let day_of_era = from_march_0000 % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    day_of_year - (153 * month + 2) / 5
}

/// Money that may be spent in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How much.
    pub amount: Money,
    /// In which span of time.
    pub period: Period,
}

/// Why a text is not a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// It has not the form of one.
    #[error("expected an amount and a period, as in `5 USD/day`")]
    Form,
    /// Another currency.
    #[error("only USD is known, as in `5 USD/day`")]
    Currency,
    /// Another period.
    #[error("the period must be hour, day or month")]
    Period,
    /// Not a number, or finer than a millionth, or too large.
    #[error("the amount must be a number such as 5 or 0.25, with at most six decimals")]
    Amount,
}

impl FromStr for Budget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Budget, BudgetError> {
        let (money, period) = text.split_once('/').ok_or(BudgetError::Form)?;
        let money = money.trim();
        let split = money
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .ok_or(BudgetError::Currency)?;
        let (amount, currency) = money.split_at_checked(split).ok_or(BudgetError::Form)?;
        if amount.is_empty() {
            return Err(BudgetError::Amount);
        }
        if currency.trim() != "USD" {
            return Err(BudgetError::Currency);
        }
        let period = period.trim();
        let period = Period::ALL
            .into_iter()
            .find(|known| known.name() == period)
            .ok_or(BudgetError::Period)?;
        Ok(Budget {
            amount: Money(micro_dollars(amount).ok_or(BudgetError::Amount)?),
            period,
        })
    }
}

/// Digits with at most six decimals, in millionths; no floating point, so nothing is rounded.
fn micro_dollars(text: &str) -> Option<u64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if whole.is_empty() || decimals.is_empty() || decimals.len() > 6 || decimals.contains('.') {
        return None;
    }
    let scale = 10u64.checked_pow(u32::try_from(6usize.checked_sub(decimals.len())?).ok()?)?;
    let part = decimals.parse::<u64>().ok()?.checked_mul(scale)?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(part)
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.amount.0 / 1_000_000, self.amount.0 % 1_000_000);
        if part == 0 {
            write!(f, "{whole} USD/{}", self.period.name())
        } else {
            let decimals = format!("{part:06}");
            write!(
                f,
                "{whole}.{} USD/{}",
                decimals.trim_end_matches('0'),
                self.period.name()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn budgets_are_read_and_written() {
        for (text, amount, period, written) in [
            ("5 USD/day", 5_000_000, Period::Day, "5 USD/day"),
            ("0.25 USD/hour", 250_000, Period::Hour, "0.25 USD/hour"),
            ("1000USD / month", 1_000_000_000, Period::Month, "1000 USD/month"),
            ("0.000001 USD/day", 1, Period::Day, "0.000001 USD/day"),
            ("0 USD/day", 0, Period::Day, "0 USD/day"),
        ] {
            let budget: Budget = text.parse().unwrap();
            assert_eq!(
                budget,
                Budget {
                    amount: Money(amount),
                    period
                },
                "{text}"
            );
            assert_eq!(budget.to_string(), written);
        }
    }

    #[test]
    fn other_texts_are_refused_with_a_reason() {
        for (text, error) in [
            ("", BudgetError::Form),
            ("5 USD", BudgetError::Form),
            ("5/day", BudgetError::Currency),
            ("5 EUR/day", BudgetError::Currency),
            ("USD/day", BudgetError::Amount),
            ("-5 USD/day", BudgetError::Amount),
            ("5 USD/week", BudgetError::Period),
            ("1.2.3 USD/day", BudgetError::Amount),
            (".5 USD/day", BudgetError::Amount),
            ("5. USD/day", BudgetError::Amount),
            ("0.0000001 USD/day", BudgetError::Amount),
            ("99999999999999999999 USD/day", BudgetError::Amount),
            ("18446744073709551615 USD/day", BudgetError::Amount),
        ] {
            assert_eq!(text.parse::<Budget>(), Err(error), "{text}");
        }
    }

    #[test]
    fn months_follow_the_calendar() {
        // Days since 1970 of the first of some months, and how many days each has.
        for (first, days) in [
            (0, 31),      // January 1970
            (31, 28),     // February 1970
            (10_988, 29), // February 2000, a leap year although divisible by 100
            (11_017, 31), // March 2000
            (20_454, 31), // January 2026
            (20_758, 30), // November 2026
            (20_788, 31), // December 2026
            (47_513, 28), // February 2100, no leap year
        ] {
            for day in [first, first + 13, first + days - 1] {
                let noon = day * DAY_MS + DAY_MS / 2;
                assert_eq!(
                    Period::Month.start_ms(noon),
                    first * DAY_MS,
                    "start of the month of day {day}"
                );
                assert_eq!(
                    Period::Month.end_ms(noon),
                    (first + days) * DAY_MS,
                    "end of the month of day {day}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn a_moment_lies_in_its_period_and_periods_meet(now in 0u64..10_000_000_000_000) {
            for period in Period::ALL {
                let (start, end) = (period.start_ms(now), period.end_ms(now));
                prop_assert!(start <= now && now < end);
                prop_assert_eq!(period.start_ms(end), end);
                prop_assert_eq!(period.start_ms(end - 1), start);
            }
        }
    }
}
