//! Numbers that states give to people.

use super::digits;
use crate::around::Check;

/// The checks of this file.
pub(super) static CHECKS: &[(&str, Check)] = &[("us_ssn", Check::Value(us_ssn))];

/// US social security numbers: areas, groups and serials that were never given out fail, as do the numbers that
/// became famous on a printed card and in an advertisement.
fn us_ssn(text: &str) -> bool {
    let number = digits(text).fold(0, |number, digit| number * 10 + digit);
    let (area, group, serial) = (number / 1_000_000, number / 10_000 % 100, number % 10_000);
    let void = area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0;
    !void && number != 78_051_120 && number != 219_099_999
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_knows_right_from_wrong() {
        for (check, text, right) in [
            (us_ssn as fn(&str) -> bool, "536-90-4399", true),
            (us_ssn, "000-12-3456", false),
            (us_ssn, "666-12-3456", false),
            (us_ssn, "912-12-3456", false),
            (us_ssn, "536-00-4399", false),
            (us_ssn, "078-05-1120", false),
        ] {
            assert_eq!(check(text), right, "{text}");
        }
    }
}
